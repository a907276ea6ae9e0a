//! Whole answers, usage and errors.

use super::INCOMING;
use crate::formats::Format;
use crate::formats::anthropic_messages::{read_answer, read_error, read_usage, write_answer, write_error};
use crate::formats::canonical::*;
use crate::testing::test;
use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};

#[test]
fn answers_read() {
    let search = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "tool_use",
        "stop_sequence": null, "container": {"id": "c"},
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "text", "text": "So", "citations": [{}]},
            search,
            {"type": "tool_use", "id": "t", "name": "f", "input": {"b": 1, "a": 2}},
        ],
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 7},
    });
    let answer = read_answer(body.to_string().as_bytes()).unwrap();
    let call = ToolCall {
        id: "t".into(),
        name: "f".into(),
        arguments: r#"{"b":1,"a":2}"#.into(),
        cache: None,
        signature: None,
    };
    let parts = vec![
        Part::Thinking { text: "hm".into(), signature: None },
        Part::Text { text: "So".into(), cache: None, citations: Vec::new() },
        Part::Unknown { format: Format::AnthropicMessages, value: search },
        Part::ToolCall(call),
    ];
    assert_eq!(answer.choices, [Choice { parts, stop: Some(StopReason::ToolCalls), ..Choice::default() }]);
    assert_eq!((answer.usage.input, answer.usage.output), (Some(Tokens(115)), Some(Tokens(7))));
    assert_eq!(answer.extra, *json!({"container": {"id": "c"}}).as_object().unwrap());
}

#[test]
fn usage_is_summed_and_taken_apart() {
    let n = |n| Some(Tokens(n));
    let cases = [
        (json!({}), Usage::default()),
        (json!({"input_tokens": 3, "output_tokens": 0}), Usage { input: n(3), output: n(0), ..Usage::default() }),
        (
            json!({"input_tokens": 3, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 20, "output_tokens": 9,
                "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 15},
                "output_tokens_details": {"thinking_tokens": 4}, "service_tier": "priority"}),
            Usage {
                input: n(23),
                cached_input: n(0),
                cache_write: n(20),
                cache_write_1h: n(15),
                output: n(9),
                reasoning: n(4),
                service_tier: Some("priority".into()),
                ..Usage::default()
            },
        ),
    ];
    for (wire, usage) in cases {
        assert_eq!(read_usage(&wire), usage);
        let written: Value =
            serde_json::from_slice(&write_answer(&Answer { usage, ..Answer::default() }, &INCOMING)).unwrap();
        let mut expected = wire;
        for name in ["input_tokens", "output_tokens"] {
            expected.as_object_mut().unwrap().entry(name).or_insert(json!(0));
        }
        assert_eq!(written["usage"], expected);
    }
    let lifetimes =
        json!({"input_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3}});
    assert_eq!((read_usage(&lifetimes).input, read_usage(&lifetimes).cache_write), (n(6), n(5)));
    let compacted = json!({"input_tokens": 2, "output_tokens": 3, "iterations": [
        {"type": "compaction", "input_tokens": 100, "output_tokens": 10}, {"type": "message", "input_tokens": 2, "output_tokens": 3}]});
    assert_eq!((read_usage(&compacted).input, read_usage(&compacted).output), (n(102), n(13)));
    let huge = json!({"input_tokens": u64::MAX, "cache_read_input_tokens": u64::MAX});
    assert_eq!(read_usage(&huge).input, n(u64::MAX));
}

#[test]
fn unusable_answers_are_errors() {
    let cases: [(&str, u16, ErrorKind); 6] = [
        ("", 502, ErrorKind::Server),
        ("[]", 502, ErrorKind::Server),
        ("{}", 502, ErrorKind::Server),
        (r#"{"content":[{"type":"text"}]}"#, 502, ErrorKind::Server),
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, 529, ErrorKind::Overloaded),
        (r#"{"type":"error","error":{"type":"novel_error","message":"?"}}"#, 502, ErrorKind::Server),
    ];
    for (body, status, kind) in cases {
        let error = read_answer(body.as_bytes()).unwrap_err();
        assert_eq!((error.status, error.kind), (status, kind), "{body}");
    }
}

#[test]
fn answers_write() {
    let call = |arguments: &str| {
        Part::ToolCall(ToolCall {
            id: "call_1".into(),
            name: "f".into(),
            arguments: arguments.into(),
            cache: None,
            signature: None,
        })
    };
    let text = Part::Text { text: "Hi".into(), cache: None, citations: Vec::new() };
    let end = Some(StopReason::End);
    let cases = [
        (vec![text.clone()], end.clone(), "end_turn", json!([{"type": "text", "text": "Hi"}])),
        (vec![], None, "end_turn", json!([])),
        (vec![text.clone()], Some(StopReason::Length), "max_tokens", json!([{"type": "text", "text": "Hi"}])),
        (vec![], Some(StopReason::ContentFilter), "refusal", json!([])),
        (vec![], Some(StopReason::Pause), "pause_turn", json!([])),
        (vec![Part::Refusal("No".into())], end.clone(), "refusal", json!([{"type": "text", "text": "No"}])),
        (
            vec![call(r#"{"a":1}"#)],
            end.clone(),
            "tool_use",
            json!([{"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}}]),
        ),
        (
            vec![call("")],
            Some(StopReason::ToolCalls),
            "tool_use",
            json!([{"type": "tool_use", "id": "call_1", "name": "f", "input": {}}]),
        ),
        (
            vec![call("{\"a\":")],
            Some(StopReason::Length),
            "max_tokens",
            json!([{"type": "tool_use", "id": "call_1", "name": "f", "input": {"_raw": "{\"a\":"}}]),
        ),
        (
            vec![call("[1]")],
            None,
            "tool_use",
            json!([{"type": "tool_use", "id": "call_1", "name": "f", "input": {"_raw": "[1]"}}]),
        ),
        (vec![Part::Unknown { format: Format::OpenAiChat, value: json!({}) }], end, "end_turn", json!([])),
    ];
    for (parts, stop, reason, content) in cases {
        let first = Choice { parts, stop, ..Choice::default() };
        let second = Choice { parts: vec![text.clone()], ..Choice::default() };
        let extra = json!({"system_fingerprint": "fp", "stop_details": null}).as_object().unwrap().clone();
        let answer = Answer { choices: vec![first, second], extra, ..Answer::default() };
        let body: Value = serde_json::from_slice(&write_answer(&answer, &INCOMING)).unwrap();
        let expected = json!({
            "id": "msg_x1", "type": "message", "role": "assistant", "model": "asked", "content": content,
            "stop_reason": reason, "stop_sequence": null, "usage": {"input_tokens": 0, "output_tokens": 0}, "stop_details": null,
        });
        assert_eq!(body, expected);
    }
}

#[test]
fn error_bodies_read() {
    let long = "x y ".repeat(400);
    let cases: [(u16, &str, ErrorKind, &str); 12] = [
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: Field required"}}"#,
            ErrorKind::InvalidRequest,
            "max_tokens: Field required",
        ),
        (
            401,
            r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
            ErrorKind::Authentication,
            "invalid x-api-key",
        ),
        (400, r#"{"type":"error","error":{"type":"billing_error","message":"credit"}}"#, ErrorKind::Billing, "credit"),
        (413, r#"{"type":"error","error":{"type":"request_too_large","message":"big"}}"#, ErrorKind::TooLarge, "big"),
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            ErrorKind::Overloaded,
            "Overloaded",
        ),
        (
            429,
            r#"[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}]"#,
            ErrorKind::RateLimit,
            "quota",
        ),
        (403, r#"{"message":"not allowed"}"#, ErrorKind::Permission, "not allowed"),
        (404, r#"{"error":"no such model"}"#, ErrorKind::NotFound, "no such model"),
        (502, "<html><head><title>502 Bad\n Gateway</title></head>", ErrorKind::Server, "502 Bad Gateway"),
        (503, "<html>", ErrorKind::Overloaded, "the provider answered with a page instead of an error"),
        (500, "", ErrorKind::Server, "the provider answered with status 500 and no message"),
        (504, "upstream\n  timed out", ErrorKind::Timeout, "upstream timed out"),
    ];
    for (status, body, kind, message) in cases {
        let error = read_error(status, body.as_bytes());
        assert_eq!((error.status, error.kind, error.message.as_str()), (status, kind, message), "{body}");
    }
    assert_eq!(read_error(500, long.as_bytes()).message.chars().count(), 301);
    assert_eq!(read_error(500, b"\xff\xfe").message, "\u{fffd}\u{fffd}");
}

#[test]
fn credentials_are_masked() {
    let secrets = [
        "sk-ant-api03-AbCdEf123456",
        "sk-proj-ab**********yz12",
        "gsk_abcdefgh12345678",
        "xai-0123456789abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln",
        "AIzaSyA0123456789abcdefghij",
        "Bearer abcdef123456",
        "0123456789abcdef0123456789abcdef.AbCdEfGhIjKlMnOp",
        "0123456789abcdef0123456789abcdef01234567",
    ];
    for secret in secrets {
        let error = read_error(
            401,
            json!({"error": {"message": format!("Incorrect API key: {secret}. See docs")}}).to_string().as_bytes(),
        );
        assert!(error.message.contains("***") && !error.message.contains(secret), "{}", error.message);
        let written = write_error(&ApiError::new(401, format!("bad {secret}")));
        assert!(!String::from_utf8(written).unwrap().contains(secret));
    }
    for plain in [
        "claude-3-5-sonnet-20241022 was not found",
        "messages.3.content.0: key 'a' is not allowed",
        "prompt is too long: 209763 tokens > 200000 maximum",
    ] {
        assert_eq!(read_error(400, json!({"message": plain}).to_string().as_bytes()).message, plain);
    }
}

#[test]
fn error_bodies_write() {
    let cases: [(u16, &str); 12] = [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (409, "invalid_request_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
        (418, "invalid_request_error"),
    ];
    for (status, word) in cases {
        let body: Value = serde_json::from_slice(&write_error(&ApiError::new(status, "m"))).unwrap();
        assert_eq!(body, json!({"type": "error", "error": {"type": word, "message": "m"}}), "{status}");
    }
    // The other format's words do not leak, also where this one has them with another meaning.
    let error = ApiError { provider_type: Some("invalid_request_error".into()), ..ApiError::new(401, "m") };
    let body: Value = serde_json::from_slice(&write_error(&error)).unwrap();
    assert_eq!(body["error"]["type"], "authentication_error");
}

#[test]
fn sources_of_every_vendor_are_told() {
    let of = |format, verbatim: Value, url: Option<&str>| Citation {
        url: url.map(str::to_owned),
        title: Some("T".into()),
        cited_text: Some("c".into()),
        span: None,
        verbatim: Some((format, verbatim)),
    };
    let own = json!({"type": "search_result_location", "source": "s", "title": "T", "cited_text": "c",
        "search_result_index": 0, "start_block_index": 0, "end_block_index": 1});
    let bedrock = json!({"title": "T", "sourceContent": [{"text": "c"}], "location": {"documentPage": {"documentIndex": 1, "start": 2, "end": 3}}});
    for (citation, want) in [
        (of(Format::AnthropicMessages, own.clone(), None), Some(own)),
        (
            of(Format::BedrockConverse, bedrock, None),
            Some(json!({"type": "page_location", "cited_text": "c", "document_index": 1, "document_title": "T",
                "start_page_number": 2, "end_page_number": 3})),
        ),
        (
            of(Format::OpenAiChat, json!({}), Some("https://e")),
            Some(
                json!({"type": "web_search_result_location", "url": "https://e", "title": "T", "cited_text": "c", "encrypted_index": ""}),
            ),
        ),
        (of(Format::Gemini, json!({}), None), None),
    ] {
        let part = Part::Text { text: "x".into(), cache: None, citations: vec![citation] };
        let choice = Choice { parts: vec![part], ..Choice::default() };
        let answer = Answer { choices: vec![choice], ..Answer::default() };
        let body: Value = serde_json::from_slice(&write_answer(&answer, &INCOMING)).unwrap();
        assert_eq!(body["content"][0].get("citations"), want.map(|want| json!([want])).as_ref());
    }
}
