use super::super::super::canonical::*;
use super::super::super::{Format, Outgoing};
use super::super::{read_request, write_request};
use super::{outgoing, written};
use crate::testing::test;
use serde_json::{Value, json};

fn text(text: &str) -> Part {
    Part::Text { text: text.into(), cache: None, citations: Vec::new() }
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, name: None, parts }
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        cache: None,
        signature: None,
    })
}

fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::ToolResult { id: id.into(), parts, is_error: false, cache: None }
}

fn png() -> Source {
    Source::Base64 { media_type: "image/png".into(), data: "AAAA".into() }
}

fn tool(name: &str) -> Tool {
    Tool { name: name.into(), description: None, parameters: None, strict: None, cache: None, builtin: None }
}

fn with_messages(messages: Value) -> Value {
    json!({"model": "m", "messages": messages})
}

fn read_messages(messages: Value) -> Vec<Message> {
    read_request(&with_messages(messages)).unwrap().messages
}

fn user(content: Value) -> Value {
    json!([{"role": "user", "content": content}])
}

#[test]
fn messages_are_read() {
    let cases: Vec<(Value, Vec<Message>)> = vec![
        (
            json!([
                {"role": "system", "content": "be kind"},
                {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "user", "name": "ann", "content": ""},
            ]),
            vec![
                message(Role::System, vec![text("be kind")]),
                message(Role::Developer, vec![text("a"), text("b")]),
                Message { role: Role::User, name: Some("ann".into()), parts: vec![text("")] },
            ],
        ),
        (
            json!([
                {"role": "assistant", "content": null, "reasoning_content": "hm", "refusal": null, "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
                    {"id": "b", "type": "function", "function": {"name": "g", "arguments": ""}},
                    {"id": "c", "function": {"name": "h", "arguments": {"y": 2}}},
                    {"id": "d", "type": "function", "function": {"name": "i", "arguments": "{broken"}},
                ]},
                {"role": "tool", "tool_call_id": "a", "content": "one"},
                {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "two"}]},
                {"role": "tool", "tool_call_id": "c", "content": ""},
            ]),
            vec![
                message(
                    Role::Assistant,
                    vec![
                        Part::Thinking { text: "hm".into(), signature: None },
                        call("a", "f", "{\"x\":1}"),
                        call("b", "g", "{}"),
                        call("c", "h", "{\"y\":2}"),
                        call("d", "i", "{broken"),
                    ],
                ),
                message(Role::User, vec![result("a", vec![text("one")])]),
                message(Role::User, vec![result("b", vec![text("two")])]),
                message(Role::User, vec![result("c", vec![])]),
            ],
        ),
        (
            json!([
                {"role": "assistant", "content": "", "reasoning": "why", "refusal": "no"},
                {"role": "assistant", "content": [{"type": "text", "text": "x"}, {"type": "refusal", "refusal": "y"}]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}, {"type": "text", "text": "x"}]},
            ]),
            vec![
                message(
                    Role::Assistant,
                    vec![Part::Thinking { text: "why".into(), signature: None }, Part::Refusal("no".into())],
                ),
                message(Role::Assistant, vec![text("x"), Part::Refusal("y".into())]),
                message(Role::Assistant, vec![Part::Thinking { text: "t".into(), signature: None }, text("x")]),
            ],
        ),
        (
            json!([
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
                {"role": "function", "name": "f", "content": "r"},
            ]),
            vec![
                message(Role::User, vec![text("q")]),
                message(Role::Assistant, vec![call("call_1", "f", "{}")]),
                Message { role: Role::User, name: Some("f".into()), parts: vec![result("call_1", vec![text("r")])] },
            ],
        ),
        (
            user(json!([
                {"type": "image_url", "image_url": {"url": "https://x/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "image_url", "image_url": "DATA:image/png;charset=x;base64,AAAA"},
                {"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "text", "text": "t", "cache_control": {"type": "ephemeral"}},
            ])),
            vec![message(
                Role::User,
                vec![
                    Part::Image {
                        source: Source::Url("https://x/a.png".into()),
                        detail: Some("low".into()),
                        cache: None,
                    },
                    Part::Image { source: png(), detail: None, cache: None },
                    Part::Image { source: png(), detail: None, cache: None },
                    Part::Image { source: Source::Url("data:image/svg+xml,<svg/>".into()), detail: None, cache: None },
                    Part::Document {
                        source: Source::Base64 { media_type: "application/pdf".into(), data: "AAAA".into() },
                        name: Some("a.pdf".into()),
                        cache: None,
                    },
                    Part::Document { source: Source::FileId("file-1".into()), name: None, cache: None },
                    Part::Text { text: "t".into(), cache: Some(json!({"type": "ephemeral"})), citations: Vec::new() },
                ],
            )],
        ),
    ];
    for (messages, want) in cases {
        assert_eq!(read_messages(messages.clone()), want, "{messages}");
    }
    let audio = json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}});
    assert_eq!(
        read_messages(user(json!([audio]))),
        [message(
            Role::User,
            vec![Part::Audio { format: "wav".into(), data: "AAAA".into(), transcript: None, id: None }]
        )]
    );
}

#[test]
fn parameters_are_read() {
    let body = json!({
        "model": "gpt-x", "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 9, "max_tokens": 5,
        "temperature": 0.5, "top_p": 1, "top_k": 40, "stop": "END", "stream": true,
        "stream_options": {"include_usage": true, "include_obfuscation": false}, "parallel_tool_calls": false,
        "user": "u", "reasoning_effort": "low", "seed": 3, "metadata": {"b": 1, "a": 2}, "n": 2, "logit_bias": null,
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}},
            {"type": "custom", "custom": {"name": "c"}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": true}},
    });
    let got = read_request(&body).unwrap();
    let custom = Tool { builtin: Some(json!({"type": "custom", "custom": {"name": "c"}})), ..tool("c") };
    let want = ChatRequest {
        for_provider: serde_json::Map::new(),
        unplaced: serde_json::Map::new(),
        source: Some(Format::OpenAiChat),
        model: "gpt-x".into(),
        messages: vec![message(Role::User, vec![text("hi")])],
        tools: vec![
            Tool {
                description: Some("d".into()),
                parameters: Some(json!({"type": "object"})),
                strict: Some(true),
                ..tool("f")
            },
            custom,
        ],
        tool_choice: Some(ToolChoice::Named("f".into())),
        parallel_tool_calls: Some(false),
        max_tokens: Some(9),
        temperature: serde_json::Number::from_f64(0.5),
        top_p: Some(1.into()),
        top_k: Some(40),
        stop: vec!["END".into()],
        stream: true,
        include_usage: true,
        reasoning: Some(Reasoning::Effort("low".into())),
        response_format: Some(ResponseFormat::JsonSchema {
            name: "s".into(),
            description: None,
            schema: Some(json!({"type": "object"})),
            strict: Some(true),
        }),
        user: Some("u".into()),
        extra:
            json!({"stream_options": {"include_obfuscation": false}, "seed": 3, "metadata": {"b": 1, "a": 2}, "n": 2})
                .as_object()
                .cloned()
                .unwrap(),
    };
    assert_eq!(got, want);
    assert_eq!(got.extra.keys().collect::<Vec<_>>(), ["stream_options", "seed", "metadata", "n"]);

    let with = |name: &str, value: Value| {
        let mut body = with_messages(user("hi".into()));
        body[name] = value;
        read_request(&body).unwrap()
    };
    for (value, want) in [
        (json!("auto"), Some(ToolChoice::Auto)),
        (json!("none"), Some(ToolChoice::None)),
        (json!("required"), Some(ToolChoice::Required)),
        (json!("any"), Some(ToolChoice::Required)),
        (json!(null), None),
    ] {
        let got = with("tool_choice", value);
        assert_eq!((got.tool_choice, got.extra.len()), (want, 0));
    }
    let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}});
    assert_eq!(with("tool_choice", allowed.clone()).extra["tool_choice"], allowed);
    assert_eq!(with("function_call", json!({"name": "f"})).tool_choice, Some(ToolChoice::Named("f".into())));
    assert_eq!(with("functions", json!([{"name": "f"}])).tools, [tool("f")]);
    assert_eq!(with("stop", json!(["a", "b"])).stop, ["a", "b"]);
    assert_eq!(with("top_k", json!(-1)).extra["top_k"], -1);
    assert_eq!(with("max_tokens", json!(5.0)).max_tokens, Some(5));
    for (name, value, want) in [
        ("reasoning", json!({"effort": "high"}), Reasoning::Effort("high".into())),
        ("reasoning", json!({"max_tokens": 2000}), Reasoning::Budget(2000)),
        ("reasoning", json!({"enabled": false}), Reasoning::Off),
        ("thinking", json!({"type": "enabled"}), Reasoning::Adaptive),
        ("thinking", json!({"type": "disabled"}), Reasoning::Off),
        ("enable_thinking", json!(true), Reasoning::Adaptive),
    ] {
        let got = with(name, value.clone());
        assert_eq!((got.reasoning, &got.extra[name]), (Some(want), &value));
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let part = |part: Value| with_messages(user(json!([part])));
    let assistant = |field: &str, value: Value| with_messages(json!([{"role": "assistant", field: value}]));
    let with = |name: &str, value: Value| {
        let mut body = with_messages(user("hi".into()));
        body[name] = value;
        body
    };
    for (body, param, words) in [
        (json!([]), "", "found an array, expected a JSON object"),
        (json!("x"), "", "found a string"),
        (json!({"messages": []}), "model", "missing"),
        (json!({"model": 5, "messages": []}), "model", "found a number, expected a string"),
        (json!({"model": "", "messages": []}), "model", "found an empty string"),
        (json!({"model": null}), "model", "found null"),
        (json!({"model": "m"}), "messages", "missing; expected an array of messages"),
        (with_messages(json!("hi")), "messages", "found a string, expected an array of messages"),
        (with_messages(json!([])), "messages", "found an empty array"),
        (with_messages(json!(["hi"])), "messages[0]", "found a string, expected a message"),
        (with_messages(json!([{"content": "hi"}])), "messages[0].role", "missing; expected `system`"),
        (with_messages(json!([{"role": 1, "content": "hi"}])), "messages[0].role", "found a number"),
        (with_messages(json!([{"role": "bot", "content": "hi"}])), "messages[0].role", "found `bot`"),
        (with_messages(json!([{"role": "user"}])), "messages[0].content", "missing"),
        (with_messages(user(json!(null))), "messages[0].content", "found null"),
        (with_messages(user(json!({}))), "messages[0].content", "found an object, expected a string or an array"),
        (part(json!(5)), "messages[0].content[0]", "found a number"),
        (part(json!({"text": "x"})), "messages[0].content[0].type", "missing"),
        (part(json!({"type": "text"})), "messages[0].content[0].text", "missing"),
        (part(json!({"type": "text", "text": 5})), "messages[0].content[0].text", "found a number, expected a string"),
        (part(json!({"type": "image_url"})), "messages[0].content[0].image_url", "expected an object"),
        (part(json!({"type": "file", "file": {}})), "messages[0].content[0].file", "expected an object"),
        (with_messages(json!([{"role": "tool", "content": "x"}])), "messages[0].tool_call_id", "missing or empty"),
        (assistant("tool_calls", json!({})), "messages[0].tool_calls", "found an object, expected an array"),
        (assistant("tool_calls", json!([5])), "messages[0].tool_calls[0]", "found a number"),
        (assistant("tool_calls", json!([{"function": {"name": "f"}}])), "messages[0].tool_calls[0].id", "missing"),
        (assistant("tool_calls", json!([{"id": "a"}])), "messages[0].tool_calls[0].function", "expected an object"),
        (
            assistant("tool_calls", json!([{"id": "a", "function": {}}])),
            "messages[0].tool_calls[0].function.name",
            "missing",
        ),
        (assistant("function_call", json!({"arguments": "{}"})), "messages[0].function_call.name", "missing"),
        (with("max_tokens", json!("5")), "max_tokens", "found a string, expected a whole number"),
        (with("max_tokens", json!(-5)), "max_tokens", "found -5"),
        (with("max_completion_tokens", json!(1.5)), "max_completion_tokens", "found 1.5"),
        (with("temperature", json!("hot")), "temperature", "found a string, expected a number"),
        (with("stream", json!("yes")), "stream", "found a string, expected a boolean"),
        (with("stop", json!(5)), "stop", "found a number"),
        (with("stop", json!(["a", 5])), "stop[1]", "found a number"),
        (with("tools", json!({})), "tools", "found an object, expected an array"),
        (with("tools", json!([5])), "tools[0]", "found a number"),
        (with("tools", json!([{"type": "function"}])), "tools[0].function", "found null"),
        (with("tools", json!([{"type": "function", "function": {}}])), "tools[0].function.name", "missing"),
        (with("functions", json!([{}])), "functions[0].name", "missing"),
        (with("tool_choice", json!("maybe")), "tool_choice", "found `maybe`, expected `auto`"),
        (with("tool_choice", json!(5)), "tool_choice", "found a number"),
    ] {
        let error = read_request(&body).expect_err(&body.to_string());
        assert_eq!(error.param, param, "{body}: {error}");
        assert!(error.message.contains(words), "{body}: {error}");
    }
}

#[test]
fn a_request_of_this_format_comes_back_whole() {
    for body in [
        json!({"model": "gpt-4o", "messages": [
            {"role": "system", "content": "s"},
            {"role": "developer", "content": "d"},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "high"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
                {"type": "file", "file": {"file_id": "file-1"}},
            ]},
            {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{ \"x\" :1}"}},
                {"id": "b", "type": "custom", "custom": {"name": "c", "input": "i"}},
            ]},
            {"role": "tool", "tool_call_id": "a", "content": "one"},
            {"role": "tool", "tool_call_id": "b", "content": ""},
            {"role": "assistant", "content": null, "refusal": "no"},
            {"role": "assistant", "content": null, "audio": {"id": "audio_1"}},
            {"role": "assistant", "content": "yes"},
        ],
        "max_tokens": 5, "temperature": 1.5, "top_p": 0.9, "top_k": 3, "stop": ["a"],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": false}},
            {"type": "custom", "custom": {"name": "c"}},
        ],
        "tool_choice": "required", "parallel_tool_calls": true,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "description": "d", "schema": {}, "strict": true}},
        "reasoning_effort": "high", "user": "u", "seed": 1, "logprobs": true, "metadata": {"a": "b"},
        "stream": true, "stream_options": {"include_obfuscation": false, "include_usage": true}}),
        json!({"model": "o3", "messages": user("hi".into()), "max_completion_tokens": 5, "temperature": 0.2,
            "response_format": {"type": "json_object"}, "tool_choice": "none", "parallel_tool_calls": false}),
        json!({"model": "x", "messages": user("hi".into()), "reasoning": {"effort": "low"}, "response_format": {"type": "text"},
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}}),
        json!({"model": "x", "messages": user("hi".into()), "thinking": {"type": "enabled"},
            "response_format": {"type": "regex", "pattern": "x"}, "tool_choice": {"type": "function", "function": {"name": "f"}}}),
        json!({"model": "x", "messages": user("hi".into()),
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": 5}}}),
    ] {
        let request = read_request(&body).unwrap();
        let (again, dropped) = written(&request, &outgoing(&request.model));
        assert_eq!(again, body);
        assert_eq!(dropped, Vec::<String>::new());
    }
}

/// A request as an Anthropic client would make it.
fn foreign(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { source: Some(Format::AnthropicMessages), model: "claude".into(), messages, ..ChatRequest::default() }
}

#[test]
fn a_conversation_of_another_format_is_said_in_this_one() {
    let cached = |words: &str| Part::Text {
        text: words.into(),
        cache: Some(json!({"type": "ephemeral"})),
        citations: Vec::new(),
    };
    let image = || Part::Image { source: png(), detail: None, cache: None };
    let image_json = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}});
    let failed = |parts| Part::ToolResult { id: "a".into(), parts, is_error: true, cache: None };
    type Case = (Vec<Message>, Value, Vec<&'static str>);
    let cases: Vec<Case> = vec![
        (
            vec![message(Role::System, vec![cached("s")]), message(Role::User, vec![text("hi")])],
            json!([{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}]),
            vec!["cache_control"],
        ),
        (
            vec![message(Role::User, vec![text("a"), text("b"), image()])],
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, image_json]}]),
            vec![],
        ),
        // Results come first, in order, each in its own message; the rest of the turn follows.
        (
            vec![
                message(Role::Assistant, vec![text("let me see"), call("a", "f", "{}"), call("b", "g", "{\"x\":1}")]),
                message(
                    Role::User,
                    vec![result("a", vec![text("1"), text("2")]), result("b", vec![]), text("and now?")],
                ),
            ],
            json!([
                {"role": "assistant", "content": "let me see", "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{\"x\":1}"}}]},
                {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]},
                {"role": "tool", "tool_call_id": "b", "content": ""},
                {"role": "user", "content": "and now?"},
            ]),
            vec![],
        ),
        // Results stand behind their calls at once: a turn in several messages becomes one.
        (
            vec![
                message(Role::Assistant, vec![text("one")]),
                message(Role::Assistant, vec![call("a", "f", "{}")]),
                message(Role::Assistant, vec![call("b", "f", "{}")]),
                message(Role::Assistant, vec![text("two")]),
                message(Role::User, vec![result("a", vec![text("1")]), result("b", vec![text("2")])]),
                message(Role::Assistant, vec![text("three")]),
            ],
            json!([
                {"role": "assistant", "content": "one"},
                {"role": "assistant", "content": "two", "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "a", "content": "1"},
                {"role": "tool", "tool_call_id": "b", "content": "2"},
                {"role": "assistant", "content": "three"},
            ]),
            vec![],
        ),
        // A tool message holds text only: the image goes into the user message behind the last result.
        (
            vec![
                message(Role::Assistant, vec![call("a", "f", "{}"), call("b", "f", "{}")]),
                message(Role::User, vec![result("a", vec![image()]), result("b", vec![text("t"), image()])]),
                message(Role::Assistant, vec![text("nice")]),
            ],
            json!([
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "a", "content": "[the content follows in the next user message]"},
                {"role": "tool", "tool_call_id": "b", "content": "t"},
                {"role": "user", "content": [
                    {"type": "text", "text": "[content of the result of tool call a]"}, image_json,
                    {"type": "text", "text": "[content of the result of tool call b]"}, image_json]},
                {"role": "assistant", "content": "nice"},
            ]),
            vec![],
        ),
        (
            vec![message(Role::User, vec![result("a", vec![image()]), text("see?")])],
            json!([
                {"role": "tool", "tool_call_id": "a", "content": "[the content follows in the next user message]"},
                {"role": "user", "content": [
                    {"type": "text", "text": "[content of the result of tool call a]"}, image_json, {"type": "text", "text": "see?"}]},
            ]),
            vec![],
        ),
        (
            vec![message(Role::User, vec![failed(vec![text("no such file")]), failed(vec![])])],
            json!([
                {"role": "tool", "tool_call_id": "a", "content": "no such file"},
                {"role": "tool", "tool_call_id": "a", "content": "The tool failed."},
            ]),
            vec!["is_error"],
        ),
        (
            vec![message(
                Role::Assistant,
                vec![
                    Part::Thinking { text: "hm".into(), signature: Some("s".into()) },
                    Part::RedactedThinking { data: "d".into() },
                    text("so"),
                ],
            )],
            json!([{"role": "assistant", "content": "so"}]),
            vec!["thinking"],
        ),
        (
            vec![message(Role::Assistant, vec![Part::Refusal("no".into())])],
            json!([{"role": "assistant", "content": null, "refusal": "no"}]),
            vec![],
        ),
        (
            vec![message(
                Role::User,
                vec![
                    Part::Document {
                        source: Source::Base64 { media_type: "application/pdf".into(), data: "AAAA".into() },
                        name: None,
                        cache: None,
                    },
                    Part::Document { source: Source::Text("words".into()), name: Some("n".into()), cache: None },
                ],
            )],
            json!([{"role": "user", "content": [
                {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
                {"type": "text", "text": "words"}]}]),
            vec![],
        ),
        (
            vec![message(
                Role::User,
                vec![result(
                    "a",
                    vec![Part::Unknown {
                        format: Format::AnthropicMessages,
                        value: json!({"type": "tool_reference", "tool_name": "x"}),
                    }],
                )],
            )],
            json!([{"role": "tool", "tool_call_id": "a", "content": "{\"type\":\"tool_reference\",\"tool_name\":\"x\"}"}]),
            vec![],
        ),
    ];
    for (messages, want, drops) in cases {
        let (body, dropped) = written(&foreign(messages), &outgoing("gpt-4o"));
        assert_eq!(body["messages"], want);
        assert_eq!(dropped, drops, "{want}");
    }
}

#[test]
fn what_cannot_be_said_is_refused() {
    let document = |source| message(Role::User, vec![Part::Document { source, name: None, cache: None }]);
    let unknown = Part::Unknown { format: Format::AnthropicMessages, value: json!({"type": "server_tool_use"}) };
    let builtin = Tool { builtin: Some(json!({"type": "web_search_20250305"})), ..tool("web_search") };
    for (request, param, words) in [
        (foreign(vec![document(Source::Url("https://x/a.pdf".into()))]), "messages[0].content[0]", "bytes"),
        (foreign(vec![document(Source::FileId("file_1".into()))]), "messages[0].content[0]", "file store"),
        (
            foreign(vec![
                message(Role::System, vec![text("s")]),
                message(Role::User, vec![text("hi")]),
                message(Role::Assistant, vec![text("t"), unknown]),
            ]),
            "messages[1].content[1]",
            "`server_tool_use`",
        ),
        (
            ChatRequest { tools: vec![tool("f"), builtin], ..foreign(vec![message(Role::User, vec![text("hi")])]) },
            "tools[1]",
            "`web_search_20250305`",
        ),
        (
            ChatRequest {
                extra: json!({"mcp_servers": [{"url": "x"}]}).as_object().cloned().unwrap(),
                ..foreign(vec![message(Role::User, vec![text("hi")])])
            },
            "mcp_servers",
            "MCP",
        ),
    ] {
        let error = write_request(&request, &outgoing("gpt-4o")).unwrap_err();
        assert_eq!(error.param, param);
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn parameters_of_another_format_are_said_or_noted() {
    let request = ChatRequest {
        tools: vec![Tool {
            description: Some("d".into()),
            parameters: Some(json!({"type": "object"})),
            cache: Some(json!({})),
            ..tool("f")
        }],
        tool_choice: Some(ToolChoice::Named("f".into())),
        parallel_tool_calls: Some(false),
        max_tokens: Some(64),
        temperature: serde_json::Number::from_f64(0.5),
        top_k: Some(5),
        stop: vec!["a".into(), "b".into()],
        stream: true,
        include_usage: true,
        user: Some("u".into()),
        extra: json!({"service_tier": "auto", "container": "c"}).as_object().cloned().unwrap(),
        ..foreign(vec![message(Role::User, vec![text("hi")])])
    };
    let tool_json = json!([{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}}]);
    let (body, dropped) = written(&request, &outgoing("gpt-4o"));
    assert_eq!(
        body,
        json!({"model": "gpt-4o", "messages": user("hi".into()), "max_tokens": 64, "temperature": 0.5, "stop": ["a", "b"],
            "tools": tool_json, "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": false,
            "user": "u", "stream": true, "stream_options": {"include_usage": true}})
    );
    assert_eq!(dropped, ["top_k", "cache_control", "container"]);

    let (body, dropped) = written(&request, &outgoing("openai/o4-mini"));
    assert_eq!(
        (&body["max_completion_tokens"], body.get("max_tokens"), body.get("temperature")),
        (&json!(64), None, None)
    );
    assert!(dropped.contains(&"temperature".to_owned()));

    let rejects = Outgoing { rejects: &["stream_options", "stop", "seed"], ..outgoing("m") };
    let (body, dropped) = written(&request, &rejects);
    assert_eq!((body.get("stop"), body.get("stream_options")), (None, None));
    assert!(dropped.contains(&"stop".to_owned()) && !dropped.contains(&"seed".to_owned()));

    // Without tools OpenAI takes neither parameter.
    let (body, _) = written(&ChatRequest { tools: vec![], ..request }, &outgoing("gpt-4o"));
    assert_eq!((body.get("tool_choice"), body.get("parallel_tool_calls"), body.get("tools")), (None, None, None));
}

#[test]
fn reasoning_is_asked_in_the_targets_words() {
    let budget = Reasoning::Budget;
    let effort = |word: &str| Reasoning::Effort(word.into());
    for (model, reasoning, want, noted) in [
        ("gpt-5", budget(1024), json!({"reasoning_effort": "low"}), false),
        ("gpt-5", budget(2048), json!({"reasoning_effort": "medium"}), false),
        ("o3", budget(32000), json!({"reasoning_effort": "high"}), false),
        ("o3", effort("max"), json!({"reasoning_effort": "high"}), false),
        ("openai/gpt-oss-120b", effort("medium"), json!({"reasoning_effort": "medium"}), false),
        ("grok-3-mini", budget(2048), json!({"reasoning_effort": "high"}), false),
        ("glm-4.6", budget(2048), json!({"thinking": {"type": "enabled"}}), false),
        ("glm-4.6", Reasoning::Off, json!({"thinking": {"type": "disabled"}}), false),
        ("o3", Reasoning::Adaptive, json!({}), false),
        ("o3", Reasoning::Off, json!({"reasoning_effort": "low"}), true),
        ("o3", effort("none"), json!({"reasoning_effort": "low"}), true),
        ("gpt-5.1", Reasoning::Off, json!({"reasoning_effort": "none"}), false),
        ("gpt-4o", effort("none"), json!({}), false),
        ("gpt-4o", Reasoning::Off, json!({}), false),
        ("gpt-4o", budget(2048), json!({}), true),
        ("gpt-5-chat-latest", budget(2048), json!({}), true),
        ("gpt-4o", Reasoning::Adaptive, json!({}), true),
    ] {
        let request =
            ChatRequest { reasoning: Some(reasoning.clone()), ..foreign(vec![message(Role::User, vec![text("hi")])]) };
        let (mut body, dropped) = written(&request, &outgoing(model));
        let members = body.as_object_mut().unwrap();
        members.retain(|name, _| name != "model" && name != "messages");
        assert_eq!((body, !dropped.is_empty()), (want, noted), "{model} {reasoning:?}");
    }
}

#[test]
fn what_other_formats_say_in_this_ones_words_is_carried() {
    let with = |source: Format, extra: Value| ChatRequest {
        source: Some(source),
        extra: extra.as_object().cloned().unwrap(),
        ..foreign(vec![message(Role::User, vec![text("hi")])])
    };
    let rest = |body: &Value| {
        let mut rest = body.as_object().cloned().unwrap();
        rest.retain(|name, _| name != "model" && name != "messages");
        Value::Object(rest)
    };
    for (source, extra, said, noted) in [
        (
            Format::OpenAiResponses,
            json!({"verbosity": "low", "store": false, "service_tier": "flex", "truncation": "disabled", "include": [],
                "top_logprobs": 2, "logprobs": true, "max_tool_calls": 3, "background": false, "prompt_cache_key": "k"}),
            json!({"verbosity": "low", "service_tier": "flex", "top_logprobs": 2, "logprobs": true, "prompt_cache_key": "k"}),
            vec!["max_tool_calls"],
        ),
        (
            Format::Gemini,
            json!({"seed": 4, "n": 2, "frequency_penalty": 0.5, "safetySettings": [{}], "tool_choice": {"type": "allowed_tools"}}),
            json!({"seed": 4, "n": 2, "frequency_penalty": 0.5}),
            vec!["safetySettings"],
        ),
        (Format::BedrockConverse, json!({"guardrailConfig": {"a": 1}}), json!({}), vec!["guardrailConfig"]),
        (
            Format::AnthropicMessages,
            json!({"metadata": {"user_id": "u"}, "service_tier": "standard_only", "container": "c", "speed": "standard",
                "context_management": {"edits": [1]}, "mcp_servers": [], "inference_geo": "global", "store": true}),
            json!({"service_tier": "default"}),
            vec!["container", "context_management", "store"],
        ),
    ] {
        let (body, dropped) = written(&with(source, extra), &outgoing("gpt-4o"));
        assert_eq!((rest(&body), dropped), (said, noted.into_iter().map(str::to_owned).collect()), "{source:?}");
    }
    for name in ["previous_response_id", "conversation", "prompt"] {
        let mut extra = json!({});
        extra[name] = json!("x_1");
        let error = write_request(&with(Format::OpenAiResponses, extra), &outgoing("gpt-4o")).unwrap_err();
        assert_eq!(error.param, name);
    }
}

#[test]
fn reasoning_comes_back_in_every_convention() {
    let think = |text: &str, signature: Option<&str>| Part::Thinking {
        text: text.into(),
        signature: signature.map(str::to_owned),
    };
    let redacted = |data: &str| Part::RedactedThinking { data: data.into() };
    let detail = |kind: &str, more: Value| {
        let mut detail = json!({"type": kind});
        detail.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        detail
    };
    for (message, want) in [
        (
            json!({"reasoning_content": "a", "thinking_blocks": [{"type": "thinking", "thinking": "a", "signature": "s"}]}),
            vec![think("a", Some("s"))],
        ),
        (
            json!({"reasoning_content": "a", "thinking_blocks": [{"type": "redacted_thinking", "data": "d"}]}),
            vec![think("a", None), redacted("d")],
        ),
        (json!({"reasoning_content": "a", "thinking_blocks": null}), vec![think("a", None)]),
        (
            json!({"reasoning": "a", "reasoning_details": [
            detail("reasoning.text", json!({"text": "a", "signature": "s", "format": "anthropic-claude-v1"})),
            detail("reasoning.encrypted", json!({"data": "d", "format": "anthropic-claude-v1"}))]}),
            vec![think("a", Some("s")), redacted("d")],
        ),
        (
            json!({"reasoning": "a", "reasoning_details": [
            detail("reasoning.summary", json!({"summary": "a", "format": "openai-responses-v1"})),
            detail("reasoning.encrypted", json!({"data": "d", "id": "rs_1", "format": "openai-responses-v1"}))]}),
            vec![think("a", Some("openai:4:rs_1d"))],
        ),
        (
            json!({"reasoning": "a", "reasoning_details": [
            detail("reasoning.encrypted", json!({"data": "d", "id": "rs_1", "format": "openai-responses-v1"}))]}),
            vec![think("a", Some("openai:4:rs_1d"))],
        ),
        (
            json!({"reasoning": "a", "reasoning_details": [detail("reasoning.encrypted", json!({"data": "d", "format": "xai-responses-v1"}))]}),
            vec![think("a", None)],
        ),
        (
            json!({"content": [{"type": "thinking", "thinking": "a", "signature": "s"}, {"type": "redacted_thinking", "data": "d"}]}),
            vec![think("a", Some("s")), redacted("d")],
        ),
    ] {
        let mut said = message.clone();
        said["role"] = json!("assistant");
        assert_eq!(read_messages(json!([said]))[0].parts, want, "{message}");
    }
    // Google's signature of a call, in its own place and in OpenRouter's.
    let call = |extra: Value| {
        let mut call = json!({"id": "c", "function": {"name": "f", "arguments": "{}"}});
        call.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap());
        call
    };
    for message in [
        json!({"role": "assistant", "tool_calls": [call(json!({"extra_content": {"google": {"thought_signature": "s"}}}))]}),
        json!({"role": "assistant", "tool_calls": [call(json!({}))], "reasoning_details": [
            {"type": "reasoning.encrypted", "data": "s", "id": "c", "format": "google-gemini-v1"}]}),
    ] {
        let signature = match read_messages(json!([message])).remove(0).parts.as_slice() {
            [Part::ToolCall(call)] => call.signature.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(signature.as_deref(), Some("gemini:s"), "{message}");
    }
}

#[test]
fn sound_is_taken_where_the_format_has_a_place() {
    let sound = |format: &str| Part::Audio { format: format.into(), data: "AA==".into(), transcript: None, id: None };
    for (format, want) in [("wav", Some("wav")), ("mpeg", Some("mp3")), ("x-wav", Some("wav")), ("ogg", None)] {
        let request = foreign(vec![message(Role::User, vec![sound(format)])]);
        match (write_request(&request, &outgoing("gpt-4o-audio-preview")), want) {
            (Ok(written), Some(name)) => {
                let body: Value = serde_json::from_slice(&written.body).unwrap();
                assert_eq!(body["messages"][0]["content"][0]["input_audio"], json!({"data": "AA==", "format": name}));
            }
            (Err(error), None) => assert_eq!(error.param, "messages[0].content[0]"),
            (found, _) => panic!("{format}: {found:?}"),
        }
    }
    let spoken = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "audio": {"id": "audio_1"}}]);
    let (body, _) = written(&read_request(&with_messages(spoken)).unwrap(), &outgoing("gpt-4o-audio-preview"));
    assert_eq!(body["messages"][1]["audio"], json!({"id": "audio_1"}));
}

#[test]
fn results_stand_directly_behind_their_calls() {
    let input = json!([
        {"role": "user", "content": "go"},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": "stop"},
        {"type": "function_call_output", "call_id": "b", "output": "2"},
    ]);
    let request = Format::OpenAiResponses.read_request(&json!({"model": "m", "input": input})).unwrap();
    let (body, _) = written(&request, &outgoing("gpt-4o"));
    let said: Vec<(&str, &Value)> =
        body["messages"].as_array().unwrap().iter().map(|m| (m["role"].as_str().unwrap(), &m["content"])).collect();
    let expected = [
        ("user", json!("go")),
        ("assistant", Value::Null),
        ("tool", json!("1")),
        ("tool", json!("2")),
        ("developer", json!("be brief")),
        ("user", json!("stop")),
    ];
    assert_eq!(said, expected.iter().map(|(role, content)| (*role, content)).collect::<Vec<_>>());
}

#[test]
fn tools_of_other_formats_fit_openais_schemas() {
    let loose = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let mut closed = loose.clone();
    closed["required"] = json!(["a"]);
    let dropped = vec!["strict".to_owned()];
    for (schema, strict, expected, notes) in [
        (json!({"type": "object"}), None, json!({"type": "object", "properties": {}}), vec![]),
        (loose.clone(), Some(false), loose, dropped),
        (closed.clone(), Some(true), closed, vec![]),
    ] {
        let mut tool = json!({"name": "f", "input_schema": schema});
        if strict.is_some() {
            tool["strict"] = json!(true);
        }
        let body = json!({"model": "m", "max_tokens": 9, "tools": [tool], "messages": user(json!("go"))});
        let request = Format::AnthropicMessages.read_request(&body).unwrap();
        let (body, dropped) = written(&request, &outgoing("gpt-4o"));
        let function = &body["tools"][0]["function"];
        assert_eq!((&function["parameters"], &dropped), (&expected, &notes));
        assert_eq!(function["strict"], json!(strict));
    }
}

#[test]
fn ids_of_other_providers_become_what_the_target_takes() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_01", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_01", "content": "1"}]},
    ]});
    let request = Format::AnthropicMessages.read_request(&body).unwrap();
    for (model, length) in [("devstral-medium-latest", 9), ("gpt-4o", 8)] {
        let (body, _) = written(&request, &outgoing(model));
        let id = body["messages"][1]["tool_calls"][0]["id"].as_str().unwrap();
        assert_eq!((id.len(), &body["messages"][2]["tool_call_id"]), (length, &json!(id)), "{model}");
    }
}

#[test]
fn developers_speak_as_the_system_where_the_word_is_not_known() {
    let request =
        foreign(vec![message(Role::Developer, vec![text("be brief")]), message(Role::User, vec![text("hi")])]);
    for (model, role) in [
        ("gpt-4o", "developer"),
        ("openai/o3", "developer"),
        ("deepseek-chat", "system"),
        ("gpt-oss-120b", "system"),
        ("my-deployment", "system"),
    ] {
        let (body, _) = written(&request, &outgoing(model));
        assert_eq!(body["messages"][0]["role"], role, "{model}");
    }
}
