//! What failed and was billed: usage in errors, whole and in streams.

use super::chains::attempted;
use super::*;
use crate::formats::eventstream;
use crate::testing::test;
use crate::usage::Usage;

const CHAT: &str = "/v1/chat/completions";

fn used(usage: &Usage) -> (Option<u64>, Option<u64>, Option<u64>) {
    let number = |tokens: Option<Tokens>| tokens.map(|tokens| tokens.0);
    (number(usage.input), number(usage.output), number(usage.cached_input))
}

fn ask(model: &str, stream: bool) -> String {
    let messages = r#"[{"role":"user","content":"hi"}]"#;
    format!(r#"{{"model":"{model}","max_tokens":9,"stream":{stream},"messages":{messages}}}"#)
}

#[test]
fn usage_of_whole_errors_is_billed() {
    const OPENAI: &str = r#"{"error":{"message":"cut","type":"server_error"},
        "usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4}}}"#;
    const INSIDE: &str = r#"{"error":{"message":"cut","usage":{"prompt_tokens":12,"completion_tokens":3}}}"#;
    const ANTHROPIC: &str = r#"{"type":"error","error":{"type":"api_error","message":"cut"},
        "usage":{"input_tokens":5,"cache_read_input_tokens":4,"cache_creation_input_tokens":3,"output_tokens":3}}"#;
    const GEMINI: &str = r#"{"error":{"code":503,"message":"cut","status":"UNAVAILABLE"},
        "usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":2,"thoughtsTokenCount":1,"totalTokenCount":15}}"#;
    const BEDROCK: &str = r#"{"message":"cut",
        "usage":{"inputTokens":8,"cacheReadInputTokens":4,"outputTokens":3,"totalTokens":15}}"#;
    let listed = format!("[{GEMINI}]");
    let all = (Some(12), Some(3), Some(4));
    let plain = (Some(12), Some(3), None);
    let none = (None, None, None);
    for (model, provider, status, body, want) in [
        ("openai/gpt-4o", "openai", "500", OPENAI, all),
        ("openai/gpt-4o", "openai", "400", INSIDE, plain),
        // Said to be fine, but no answer.
        ("openai/gpt-4o", "openai", "200", OPENAI, all),
        ("anthropic/claude-sonnet-4-5", "anthropic", "529", ANTHROPIC, all),
        ("anthropic/claude-sonnet-4-5", "anthropic", "200", ANTHROPIC, all),
        ("gemini/gemini-2.5-pro", "gemini", "503", GEMINI, plain),
        ("gemini/gemini-2.5-pro", "gemini", "503", listed.as_str(), plain),
        ("gemini/gemini-2.5-pro", "gemini", "200", GEMINI, plain),
        ("keyed/amazon.nova-lite-v1:0", "keyed", "424", BEDROCK, all),
        ("keyed/amazon.nova-lite-v1:0", "keyed", "200", BEDROCK, all),
        ("openai/gpt-4o", "openai", "500", r#"{"error":{"message":"cut"},"usage":null}"#, none),
        ("openai/gpt-4o", "openai", "500", r#"{"error":{"message":"cut"},"usage":{}}"#, none),
        ("openai/gpt-4o", "openai", "500", "usage: 5", none),
    ] {
        let mut attempt = attempted(CHAT, &ask(model, false), provider);
        let head = headers(&[(":status", status), ("content-type", "application/json")]);
        assert_eq!(attempt.answer_head(&head, false, ms(1)), AnswerHead::Hold, "{model}");
        let (edits, _) = attempt.answer_whole(body.as_bytes());
        let status: u16 = set(&edits, ":status").unwrap_or(status).parse().unwrap();
        assert!(status >= 400, "{model} {body}");
        assert_eq!(used(&attempt.exchange.borrow().ledger.usage), want, "{model} {status} {body}");
    }
}

#[test]
fn usage_of_an_error_in_a_stream_is_billed() {
    let mut bedrock = Vec::new();
    eventstream::write("messageStart", br#"{"role":"assistant"}"#, &mut bedrock);
    let usage = br#"{"usage":{"inputTokens":12,"outputTokens":3,"totalTokens":15}}"#;
    eventstream::write("metadata", usage, &mut bedrock);
    let sse = |events: &[&str]| {
        let events = events.iter().map(|event| {
            let json: Value = serde_json::from_str(event).unwrap();
            let name = json["type"].as_str().map_or_else(String::new, |name| format!("event: {name}\n"));
            format!("{name}data: {event}\n\n")
        });
        events.collect::<String>().into_bytes()
    };
    for (model, provider, kind, bytes) in [
        (
            "openai/gpt-4o",
            "openai",
            "text/event-stream",
            sse(&[
                r#"{"id":"c","choices":[{"index":0,"delta":{"content":"a"}}]}"#,
                r#"{"error":{"message":"cut"},"usage":{"prompt_tokens":12,"completion_tokens":3}}"#,
            ]),
        ),
        (
            "anthropic/claude-sonnet-4-5",
            "anthropic",
            "text/event-stream",
            sse(&[
                r#"{"type":"message_start","message":{"usage":{"input_tokens":12,"output_tokens":1}}}"#,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"cut"},"usage":{"output_tokens":3}}"#,
            ]),
        ),
        (
            "gemini/gemini-2.5-pro",
            "gemini",
            "text/event-stream",
            sse(&[r#"{"error":{"code":503,"message":"cut","status":"UNAVAILABLE"},
                "usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":3,"totalTokenCount":15}}"#
                .replace('\n', "")
                .as_str()]),
        ),
        ("keyed/amazon.nova-lite-v1:0", "keyed", "application/vnd.amazon.eventstream", bedrock),
    ] {
        let mut attempt = attempted(CHAT, &ask(model, true), provider);
        attempt.answer_head(&headers(&[(":status", "200"), ("content-type", kind)]), false, ms(1));
        attempt.answer_piece(&bytes, false);
        attempt.answer_piece(&[], true);
        let exchange = attempt.exchange.borrow();
        assert!(exchange.ledger.cut, "{model}");
        assert_eq!(used(&exchange.ledger.usage), (Some(12), Some(3), None), "{model}");
    }
}

#[test]
fn the_tier_that_was_billed_is_read_in_every_format() {
    use crate::formats::Format;
    use serde_json::json;
    let openai = json!({"prompt_tokens": 1, "completion_tokens": 1});
    let anthropic = json!({"input_tokens": 1, "output_tokens": 1});
    let gemini = |member: &str, tier: &str| json!({"usageMetadata": {"promptTokenCount": 1, member: tier}});
    for (format, body, want) in [
        (Format::OpenAiChat, json!({"usage": openai, "service_tier": "priority"}), "priority"),
        (Format::OpenAiChat, json!({"usage": openai, "service_tier": "flex"}), "flex"),
        (Format::OpenAiResponses, json!({"usage": anthropic, "service_tier": "flex"}), "flex"),
        (Format::OpenAiResponses, json!({"response": {"usage": anthropic, "service_tier": "priority"}}), "priority"),
        (
            Format::AnthropicMessages,
            json!({"usage": {"input_tokens": 1, "output_tokens": 1, "service_tier": "batch"}}),
            "batch",
        ),
        (Format::Gemini, gemini("serviceTier", "PRIORITY"), "priority"),
        (Format::Gemini, gemini("serviceTier", "flex"), "flex"),
        (Format::Gemini, gemini("trafficType", "ON_DEMAND_FLEX"), "flex"),
        (Format::Gemini, gemini("trafficType", "ON_DEMAND"), "standard"),
        (
            Format::BedrockConverse,
            json!({"usage": {"inputTokens": 1, "outputTokens": 1}, "serviceTier": {"type": "flex"}}),
            "flex",
        ),
    ] {
        let usage = format.reported_usage(&body).unwrap();
        assert_eq!(usage.service_tier.as_deref(), Some(want), "{format:?} {body}");
    }
}
