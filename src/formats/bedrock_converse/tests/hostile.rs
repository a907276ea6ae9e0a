//! Nothing that a client or a provider sends may do more than be refused.

use super::{CLAUDE, INCOMING, outgoing, read_stream, write_stream};
use crate::formats::Format;
use crate::formats::bedrock_converse::{read_answer, read_error, read_request};
use crate::formats::canonical::StreamEvent;
use crate::testing::test;
use serde_json::{Value, json};

/// Every place in a value, as JSON pointers.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), out)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, value)| places(value, &format!("{at}/{i}"), out)),
        _ => {}
    }
}

/// The value with another in each place, one at a time.
fn broken(whole: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    let mut at = Vec::new();
    places(whole, "", &mut at);
    for pointer in at {
        for other in [
            json!(null),
            json!(-1),
            json!(""),
            json!("é\u{1F600}"),
            json!([]),
            json!([1]),
            json!({}),
            json!({"x": 1}),
            json!(true),
        ] {
            let mut value = whole.clone();
            *value.pointer_mut(&pointer).unwrap() = other;
            all.push(value);
        }
    }
    all
}

fn content() -> Value {
    json!([
        {"text": "T"}, {"cachePoint": {"type": "default", "ttl": "1h"}},
        {"image": {"format": "png", "source": {"bytes": "AAAA"}}},
        {"document": {"format": "pdf", "name": "d", "source": {"s3Location": {"uri": "s3://b/k.pdf"}}}},
        {"audio": {"format": "wav", "source": {"bytes": "AAAA"}}},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}},
        {"toolResult": {"toolUseId": "t", "content": [{"json": {}}, {"text": "x"}], "status": "error"}},
        {"reasoningContent": {"reasoningText": {"text": "R", "signature": "S"}}},
        {"reasoningContent": {"redactedContent": "RXFRQg=="}},
        {"citationsContent": {"content": [{"text": "c"}], "citations": [{"title": "t", "sourceContent": [{"text": "s"}], "location": {"web": {"url": "u"}}}]}},
    ])
}

#[test]
fn broken_requests_are_read_or_refused() {
    let whole = json!({
        "system": [{"text": "S"}, {"cachePoint": {"type": "default"}}],
        "messages": [{"role": "user", "content": content()}, {"role": "assistant", "content": content()}],
        "inferenceConfig": {"maxTokens": 5, "temperature": 0.5, "topP": 0.5, "stopSequences": ["a"]},
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}}}, {"cachePoint": {"type": "default"}}], "toolChoice": {"tool": {"name": "f"}}},
        "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "n", "schema": "{}"}}}, "effort": "low"},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "top_k": 1, "inferenceConfig": {"topK": 2}, "output_config": {"effort": "low"}},
    });
    let mut read = 0;
    for body in broken(&whole) {
        let Ok(request) = read_request(&body) else { continue };
        read += 1;
        for format in [Format::OpenAiChat, Format::AnthropicMessages, Format::BedrockConverse] {
            if let Ok(written) = format.write_request(&request, &outgoing(CLAUDE)) {
                serde_json::from_slice::<Value>(&written.body).unwrap();
            }
        }
        // As if it had come from elsewhere, for models of every kind.
        let foreign = crate::formats::canonical::ChatRequest { source: None, ..request };
        for model in [CLAUDE, "amazon.nova-2-lite-v1:0", "meta.llama3", "openai.gpt-5", "x"] {
            if let Ok(written) = Format::BedrockConverse.write_request(&foreign, &outgoing(model)) {
                serde_json::from_slice::<Value>(&written.body).unwrap();
            }
        }
    }
    assert!(read > 100);
}

#[test]
fn broken_answers_are_read_or_refused() {
    let whole = json!({
        "output": {"message": {"role": "assistant", "content": content()}}, "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 2, "cacheDetails": [{"ttl": "1h", "inputTokens": 1}]},
        "serviceTier": {"type": "flex"}, "additionalModelResponseFields": {"stop_sequence": "x"},
    });
    for body in broken(&whole) {
        let text = body.to_string();
        if let Ok(answer) = read_answer(text.as_bytes()) {
            for format in [Format::OpenAiChat, Format::AnthropicMessages, Format::BedrockConverse] {
                serde_json::from_slice::<Value>(&format.write_answer(&answer, &INCOMING)).unwrap();
            }
        }
        assert!(!read_error(400, text.as_bytes()).message.is_empty());
    }
}

#[test]
fn broken_streams_end_once() {
    let messages = [
        ("messageStart", json!({"role": "assistant"})),
        ("contentBlockStart", json!({"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"toolUse": {"input": "{}"}}})),
        ("contentBlockStop", json!({"contentBlockIndex": 0})),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 1, "delta": {"reasoningContent": {"text": "x", "signature": "s", "redactedContent": "RXFRQg=="}}}),
        ),
        ("contentBlockDelta", json!({"contentBlockIndex": 1, "delta": {"text": "x", "citation": {"title": "t"}}})),
        ("messageStop", json!({"stopReason": "end_turn"})),
        ("metadata", json!({"usage": {"inputTokens": 1}})),
    ];
    for (i, (name, payload)) in messages.iter().enumerate() {
        for other in broken(payload) {
            let mut changed = messages.clone();
            changed[i] = (name, other);
            let events = read_stream(&changed);
            let ends = events.iter().filter(|event| matches!(event, StreamEvent::End)).count();
            let starts = events.iter().filter(|event| matches!(event, StreamEvent::Start { .. })).count();
            assert_eq!((starts, ends), (1, 1), "{changed:?}");
            let written = write_stream(&events);
            let last = written.last().unwrap();
            assert!(last.1 || last.0 == "metadata");
        }
    }
}

#[test]
fn deep_schemas_are_closed_without_harm() {
    let mut schema = json!({"type": "string"});
    for _ in 0..100 {
        schema = json!({"type": "object", "properties": {"a": schema}});
    }
    let body = super::chat(
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}),
    );
    assert!(super::written(Format::OpenAiChat, CLAUDE, body).is_ok());
}
