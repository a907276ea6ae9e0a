use super::INCOMING;
use crate::formats::Format;
use crate::formats::bedrock_converse::{read_answer, read_error, read_usage, write_answer, write_error};
use crate::formats::canonical::{Answer, ApiError, Choice, Citation, ErrorKind, Part, StopReason, ToolCall};
use crate::testing::test;
use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};

fn answer(content: Value, more: Value) -> Value {
    let mut body = json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        "metrics": {"latencyMs": 5},
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn read(body: &Value) -> Answer {
    read_answer(body.to_string().as_bytes()).unwrap()
}

fn text(text: &str) -> Part {
    Part::Text { text: text.to_owned(), cache: None, citations: vec![] }
}

#[test]
fn usage_is_summed() {
    let t = |n| Some(Tokens(n));
    let cases = [
        (
            json!({"inputTokens": 5, "outputTokens": 7, "totalTokens": 12}),
            Usage { input: t(5), output: t(7), ..Usage::default() },
        ),
        (
            json!({"inputTokens": 5, "outputTokens": 7, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20}),
            Usage { input: t(125), cached_input: t(100), cache_write: t(20), output: t(7), ..Usage::default() },
        ),
        (
            json!({"inputTokens": 5, "cacheWriteInputTokens": 30, "cacheDetails": [{"ttl": "1h", "inputTokens": 10}, {"ttl": "5m", "inputTokens": 20}]}),
            Usage { input: t(35), cache_write: t(30), cache_write_1h: t(10), ..Usage::default() },
        ),
        (
            json!({"inputTokens": 5, "cacheDetails": [{"ttl": "1h", "inputTokens": 10}, {"ttl": "1h", "inputTokens": 1}]}),
            Usage { input: t(16), cache_write: t(11), cache_write_1h: t(11), ..Usage::default() },
        ),
        (json!({"cacheReadInputTokenCount": 3}), Usage { cached_input: t(3), ..Usage::default() }),
        (json!({"inputTokens": "5", "outputTokens": -1}), Usage::default()),
        (json!(null), Usage::default()),
    ];
    for (usage, expected) in cases {
        assert_eq!(read_usage(&usage), expected, "{usage}");
    }
    let huge = json!({"inputTokens": u64::MAX, "cacheReadInputTokens": u64::MAX, "cacheDetails": [{"inputTokens": u64::MAX}, {"inputTokens": 1}]});
    assert_eq!(read_usage(&huge).input, t(u64::MAX));
}

#[test]
fn stop_reasons() {
    let cases = [
        ("end_turn", StopReason::End, "end_turn"),
        ("tool_use", StopReason::ToolCalls, "tool_use"),
        ("max_tokens", StopReason::Length, "max_tokens"),
        ("model_context_window_exceeded", StopReason::Length, "max_tokens"),
        ("stop_sequence", StopReason::StopSequence, "stop_sequence"),
        ("guardrail_intervened", StopReason::ContentFilter, "content_filtered"),
        ("content_filtered", StopReason::ContentFilter, "content_filtered"),
        ("malformed_tool_use", StopReason::Other("malformed_tool_use".into()), "malformed_tool_use"),
        ("novel", StopReason::Other("novel".into()), "end_turn"),
    ];
    for (word, stop, back) in cases {
        let found = read(&answer(json!([]), json!({"stopReason": word})));
        assert_eq!(found.choices[0].stop, Some(stop));
        let written: Value = serde_json::from_slice(&write_answer(&found, &INCOMING)).unwrap();
        assert_eq!(written["stopReason"], back);
    }
    let told = json!({"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"}});
    assert_eq!(read(&answer(json!([]), told)).choices[0].stop_sequence.as_deref(), Some("END"));
}

#[test]
fn content_is_read_and_written_back() {
    // Claude's opaque texts begin with the byte 18; another model's do not.
    let claude = "EgMBAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKQ==";
    let other = "AAMBAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKQ==";
    let thinking =
        |signature: Option<&str>| Part::Thinking { text: "T".into(), signature: signature.map(str::to_owned) };
    let reasoning =
        |signature: &str| json!({"reasoningContent": {"reasoningText": {"text": "T", "signature": signature}}});
    let cases = [
        (json!({"text": "Hi"}), text("Hi")),
        (
            json!({"toolUse": {"toolUseId": "t", "name": "f", "input": {"b": 1, "a": 2}}}),
            Part::ToolCall(ToolCall {
                id: "t".into(),
                name: "f".into(),
                arguments: r#"{"b":1,"a":2}"#.into(),
                ..ToolCall::default()
            }),
        ),
        (reasoning(claude), thinking(Some(claude))),
        (reasoning(other), thinking(Some(&format!("bedrock:{other}")))),
        (reasoning("short"), thinking(Some("short"))),
        (json!({"reasoningContent": {"reasoningText": {"text": "T"}}}), thinking(None)),
        (json!({"reasoningContent": {"redactedContent": "RXFRQg=="}}), Part::RedactedThinking { data: "EqQB".into() }),
        (
            json!({"reasoningContent": {"redactedContent": "//8="}}),
            Part::RedactedThinking { data: "bedrock://8=".into() },
        ),
        (
            json!({"toolUse": {"toolUseId": "t", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}}),
            Part::Unknown {
                format: Format::BedrockConverse,
                value: json!({"toolUse": {"toolUseId": "t", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}}),
            },
        ),
    ];
    for (block, part) in cases {
        let found = read(&answer(json!([block]), json!({})));
        assert_eq!(found.choices[0].parts, [part], "{block}");
        let written: Value = serde_json::from_slice(&write_answer(&found, &INCOMING)).unwrap();
        assert_eq!(written["output"]["message"], json!({"role": "assistant", "content": [block]}));
    }
}

#[test]
fn sources_belong_to_their_text() {
    let source = json!({"title": "Facts", "source": "https://a.b/c", "sourceContent": [{"text": "x"}, {"text": "y"}], "location": {"searchResultLocation": {"start": 0}}});
    let web = json!({"location": {"web": {"url": "https://d.e", "domain": "d.e"}}});
    let content = json!([
        {"citationsContent": {"content": [{"text": "Ruby."}], "citations": [source]}},
        {"text": "More."},
        {"citationsContent": {"citations": [web]}},
    ]);
    let found = read(&answer(content, json!({})));
    let cited = |part: &Part| match part {
        Part::Text { text, citations, .. } => (text.clone(), citations.clone()),
        other => panic!("{other:?}"),
    };
    let parts = &found.choices[0].parts;
    assert_eq!(parts.len(), 2);
    let (first, sources) = cited(&parts[0]);
    let verbatim = Some((Format::BedrockConverse, source.clone()));
    let expected = Citation {
        url: Some("https://a.b/c".into()),
        title: Some("Facts".into()),
        cited_text: Some("x\ny".into()),
        span: None,
        verbatim,
    };
    assert_eq!((first.as_str(), sources), ("Ruby.", vec![expected]));
    let (second, sources) = cited(&parts[1]);
    assert_eq!((second.as_str(), sources[0].url.as_deref()), ("More.", Some("https://d.e")));
    let written: Value = serde_json::from_slice(&write_answer(&found, &INCOMING)).unwrap();
    assert_eq!(written.pointer("/output/message/content/0/citationsContent/citations/0"), Some(&source));
}

#[test]
fn answers_of_others_are_written() {
    let call = |arguments: &str| {
        Part::ToolCall(ToolCall {
            id: "c".into(),
            name: "f".into(),
            arguments: arguments.into(),
            ..ToolCall::default()
        })
    };
    let cite = Citation {
        url: Some("https://a".into()),
        title: Some("A".into()),
        cited_text: None,
        span: Some((0, 1)),
        verbatim: None,
    };
    let parts = vec![
        Part::Text { text: "Hi".into(), cache: None, citations: vec![cite] },
        Part::Refusal("No".into()),
        text(""),
        call(""),
        call("not json"),
    ];
    let usage = Usage {
        input: Some(Tokens(125)),
        cached_input: Some(Tokens(100)),
        cache_write: Some(Tokens(20)),
        cache_write_1h: Some(Tokens(5)),
        output: Some(Tokens(7)),
        service_tier: Some("priority".into()),
        ..Usage::default()
    };
    let answer = Answer {
        choices: vec![Choice { parts, stop: Some(StopReason::End), ..Choice::default() }],
        usage,
        ..Answer::default()
    };
    let written: Value = serde_json::from_slice(&write_answer(&answer, &INCOMING)).unwrap();
    let expected = json!({
        "output": {"message": {"role": "assistant", "content": [
            {"citationsContent": {"content": [{"text": "Hi"}], "citations": [{"title": "A", "location": {"web": {"url": "https://a"}}}]}},
            {"text": "No"},
            {"toolUse": {"toolUseId": "c", "name": "f", "input": {}}},
            {"toolUse": {"toolUseId": "c", "name": "f", "input": {"_raw": "not json"}}},
        ]}},
        "stopReason": "tool_use",
        "usage": {
            "inputTokens": 5, "outputTokens": 7, "totalTokens": 132, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20,
            "cacheDetails": [{"ttl": "5m", "inputTokens": 15}, {"ttl": "1h", "inputTokens": 5}],
        },
        "metrics": {"latencyMs": 0},
        "serviceTier": {"type": "priority"},
    });
    assert_eq!(written, expected);
}

#[test]
fn unusable_answers_are_errors() {
    for body in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"output":{}}"#,
        r#"{"output":{"message":{"content":"x"}}}"#,
        r#"{"output":{"message":{"content":[1]}}}"#,
    ] {
        let error = read_answer(body.as_bytes()).unwrap_err();
        assert_eq!((error.status, error.kind), (502, ErrorKind::Server), "{body}");
    }
    let error = read_answer(br#"{"__type":"ThrottlingException","message":"slow down"}"#).unwrap_err();
    assert_eq!((error.status, error.kind, error.message.as_str()), (429, ErrorKind::RateLimit, "slow down"));
}

#[test]
fn errors_are_read() {
    use ErrorKind::*;
    let cases = [
        (400, r#"{"message":"The provided model identifier is invalid."}"#, InvalidRequest, Some("model_not_found")),
        (
            400,
            r#"{"message":"Input is too long for requested model."}"#,
            InvalidRequest,
            Some("context_length_exceeded"),
        ),
        (
            400,
            r#"{"message":"prompt is too long: 210000 tokens > 200000 maximum"}"#,
            InvalidRequest,
            Some("context_length_exceeded"),
        ),
        (
            403,
            r#"{"message":"The security token included in the request is expired"}"#,
            Authentication,
            Some("invalid_api_key"),
        ),
        (403, r#"{"Message":"User is not authorized to perform: bedrock:InvokeModel"}"#, Permission, None),
        (
            404,
            r#"{"message":"This model version has reached the end of its life."}"#,
            NotFound,
            Some("model_not_found"),
        ),
        (400, r#"{"__type":"ServiceQuotaExceededException","message":"x"}"#, RateLimit, None),
        (403, r#"{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"x"}"#, Authentication, None),
        (408, r#"{"message":"Model has timed out"}"#, Timeout, None),
        (424, r#"{"message":"The model failed","originalStatusCode":500}"#, Server, None),
        (429, r#"{"message":"Too many tokens, please wait before trying again."}"#, RateLimit, None),
        (429, r#"{"__type":"ModelNotReadyException","message":"x"}"#, Overloaded, None),
        (503, "<html><title>503 Service Unavailable</title></html>", Overloaded, None),
        (500, "", Server, None),
        (500, "{}", Server, None),
    ];
    for (status, body, kind, code) in cases {
        let error = read_error(status, body.as_bytes());
        assert_eq!((error.status, error.kind, error.code.as_deref()), (status, kind, code), "{body}");
        assert!(!error.message.is_empty() && !error.message.contains('<'), "{body}");
    }
}

#[test]
fn errors_are_written_and_read_back() {
    use ErrorKind::*;
    let cases = [
        (InvalidRequest, "ValidationException"),
        (Authentication, "UnrecognizedClientException"),
        (Permission, "AccessDeniedException"),
        (NotFound, "ResourceNotFoundException"),
        (RateLimit, "ThrottlingException"),
        (Server, "InternalServerException"),
        (Overloaded, "ServiceUnavailableException"),
        (Timeout, "ModelTimeoutException"),
        (Conflict, "ConflictException"),
        (TooLarge, "ValidationException"),
        (Billing, "AccessDeniedException"),
    ];
    for (kind, name) in cases {
        let error = ApiError { kind, ..ApiError::new(499, "why: Bearer sk-abcdefghijklmnopqrstuvwxyz0123456789") };
        let written: Value = serde_json::from_slice(&write_error(&error)).unwrap();
        assert_eq!(written["__type"], name);
        let message = written["message"].as_str().unwrap();
        assert!(message.starts_with("why") && !message.contains("abcdefghij"), "{message}");
        if kind != TooLarge && kind != Billing {
            assert_eq!(read_error(499, written.to_string().as_bytes()).kind, kind);
        }
    }
}
