//! Requests: what is read, what is refused, what is written for clients of the other format.

use super::outgoing;
use crate::formats::anthropic_messages::{read_count_request, read_request, write_request};
use crate::formats::canonical::*;
use crate::formats::signature::Vendor;
use crate::formats::{Format, Outgoing};
use crate::testing::test;
use serde_json::{Value, json};

fn base(extra: Value) -> Value {
    let mut body =
        json!({"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

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

fn result(id: &str, answer: &str) -> Part {
    Part::ToolResult { id: id.into(), parts: vec![text(answer)], is_error: false, cache: None }
}

fn function(name: &str) -> Tool {
    Tool { name: name.into(), description: None, parameters: None, strict: None, cache: None, builtin: None }
}

/// A request as it comes from the other format.
fn foreign(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { source: Some(Format::OpenAiChat), model: "m".into(), messages, ..ChatRequest::default() }
}

fn hi() -> ChatRequest {
    foreign(vec![message(Role::User, vec![text("Hi")])])
}

fn write_for(model: &str, request: &ChatRequest) -> (Value, Vec<String>) {
    let written = write_request(request, &outgoing(model)).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.dropped)
}

#[test]
fn mistakes_are_named() {
    let cases = [
        (json!([]), "", "the body must be a JSON object, found an array"),
        (json!({"max_tokens": 1, "messages": []}), "model", "Field required"),
        (json!({"model": "m", "messages": [{"role": "user", "content": "x"}]}), "max_tokens", "Field required"),
        (base(json!({"max_tokens": 0})), "max_tokens", "expected a positive integer, found 0"),
        (base(json!({"max_tokens": "9"})), "max_tokens", "expected a positive integer, found a string"),
        (base(json!({"messages": []})), "messages", "at least one message is required"),
        (base(json!({"messages": {}})), "messages", "expected an array, found an object"),
        (
            base(json!({"messages": [{"role": "tool", "content": ""}]})),
            "messages[0].role",
            "expected `user` or `assistant`, found `tool`",
        ),
        (base(json!({"messages": [{"role": "user"}]})), "messages[0].content", "Field required"),
        (
            base(json!({"messages": [{"role": "user", "content": 5}]})),
            "messages[0].content",
            "expected a string or an array of content blocks, found a number",
        ),
        (
            base(json!({"messages": [{"role": "user", "content": [{"text": "x"}]}]})),
            "messages[0].content[0].type",
            "Field required",
        ),
        (
            base(
                json!({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": ""}}]}]}),
            ),
            "messages[0].content[0].source.media_type",
            "Field required",
        ),
        (
            base(
                json!({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": "{}"}]}]}),
            ),
            "messages[0].content[0].input",
            "expected an object, found a string",
        ),
        (
            base(
                json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text"}]}]}]}),
            ),
            "messages[0].content[0].content[0].text",
            "Field required",
        ),
        (base(json!({"system": 1})), "system", "expected a string or an array of content blocks, found a number"),
        (base(json!({"temperature": "hot"})), "temperature", "expected a number, found a string"),
        (base(json!({"stop_sequences": ["a", 1]})), "stop_sequences[1]", "expected a string, found a number"),
        (base(json!({"stream": "yes"})), "stream", "expected a boolean, found a string"),
        (base(json!({"tools": [{"name": "f"}]})), "tools[0].input_schema", "Field required"),
        (base(json!({"tools": [{"input_schema": {}}]})), "tools[0].name", "Field required"),
        (base(json!({"tool_choice": {"type": "tool"}})), "tool_choice.name", "Field required"),
        (
            base(json!({"tool_choice": {"type": "required"}})),
            "tool_choice.type",
            "expected `auto`, `any`, `tool` or `none`, found `required`",
        ),
        (base(json!({"thinking": {"type": "enabled"}})), "thinking.budget_tokens", "Field required"),
        (
            base(json!({"output_config": {"format": {"type": "json_object"}}})),
            "output_config.format.type",
            "expected `json_schema`",
        ),
        (base(json!({"metadata": {"user_id": 7}})), "metadata.user_id", "expected a string, found a number"),
    ];
    for (body, param, what) in cases {
        let error = read_request(&body).unwrap_err();
        assert_eq!((error.param.as_str(), error.message.as_str()), (param, what), "{body}");
    }
}

#[test]
fn counting_needs_no_limit() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    assert_eq!(read_count_request(&body).unwrap().max_tokens, None);
}

#[test]
fn everything_is_read() {
    let cache = json!({"type": "ephemeral", "ttl": "1h"});
    let unknown = json!({"type": "search_result", "source": "s", "title": "t", "content": []});
    let builtin = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 2});
    let body = json!({
        "model": "claude-x", "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 7, "stream": true,
        "stop_sequences": ["END"], "metadata": {"user_id": "u"}, "service_tier": "auto", "container": null,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "system": [{"type": "text", "text": "Be brief.", "cache_control": cache}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "tools": [
            {"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": true, "cache_control": cache},
            builtin,
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "see", "cache_control": cache},
                {"type": "image", "source": {"type": "url", "url": "https://e/x.png"}},
                {"type": "image", "source": {"type": "file", "file_id": "f1"}},
                {"type": "document", "title": "T", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}},
                unknown,
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": [1.50, "é"]}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [{"type": "text", "text": "no"}]},
                {"type": "tool_result", "tool_use_id": "t2"},
            ]},
            {"role": "system", "content": "Now in French."},
        ],
    });
    let request = read_request(&body).unwrap();
    let kept = |text: &str| Part::Text { text: text.into(), cache: Some(cache.clone()), citations: Vec::new() };
    let document = |source, name: Option<&str>| Part::Document { source, name: name.map(str::to_owned), cache: None };
    let image = |source| Part::Image { source, detail: None, cache: None };
    let expected = ChatRequest {
        for_provider: serde_json::Map::new(),
        unplaced: serde_json::Map::new(),
        source: Some(Format::AnthropicMessages),
        model: "claude-x".into(),
        messages: vec![
            message(Role::System, vec![kept("Be brief.")]),
            message(
                Role::User,
                vec![
                    kept("see"),
                    image(Source::Url("https://e/x.png".into())),
                    image(Source::FileId("f1".into())),
                    document(Source::Base64 { media_type: "application/pdf".into(), data: "AA==".into() }, Some("T")),
                    document(Source::Text("a\nb".into()), None),
                    Part::Unknown { format: Format::AnthropicMessages, value: unknown },
                ],
            ),
            message(
                Role::Assistant,
                vec![
                    Part::Thinking { text: "hm".into(), signature: Some("s".into()) },
                    Part::RedactedThinking { data: "x".into() },
                    call("t1", "f", r#"{"b":1,"a":[1.5,"é"]}"#),
                ],
            ),
            message(
                Role::User,
                vec![
                    Part::ToolResult { id: "t1".into(), parts: vec![text("no")], is_error: true, cache: None },
                    Part::ToolResult { id: "t2".into(), parts: vec![], is_error: false, cache: None },
                ],
            ),
            message(Role::System, vec![text("Now in French.")]),
        ],
        tools: vec![
            Tool {
                description: Some("d".into()),
                parameters: Some(json!({"type": "object"})),
                strict: Some(true),
                cache: Some(cache.clone()),
                ..function("f")
            },
            Tool { builtin: Some(builtin), ..function("web_search") },
        ],
        tool_choice: Some(ToolChoice::Required),
        parallel_tool_calls: Some(false),
        max_tokens: Some(9),
        temperature: Some(serde_json::Number::from_f64(0.5).unwrap()),
        top_p: Some(serde_json::Number::from_f64(0.9).unwrap()),
        top_k: Some(7),
        stop: vec!["END".into()],
        stream: true,
        include_usage: true,
        reasoning: Some(Reasoning::Budget(2000)),
        response_format: None,
        user: Some("u".into()),
        extra: json!({"service_tier": "auto", "container": null}).as_object().unwrap().clone(),
    };
    assert_eq!(request, expected);
    // Written for this format again, all of it is there (the document of blocks as the text that it is).
    let (again, dropped) = write_for("claude-x", &request);
    assert_eq!(dropped, Vec::<String>::new());
    let mut same = body;
    same["messages"][0]["content"][4]["source"] = json!({"type": "text", "media_type": "text/plain", "data": "a\nb"});
    same["messages"][2]["content"][0]["content"] = json!("no");
    assert_eq!(again, same);
}

#[test]
fn thinking_and_formats_are_read() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let open = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false, "title": "Thing"});
    let format = |name: &str, schema: &Value, strict| ResponseFormat::JsonSchema {
        name: name.into(),
        description: None,
        schema: Some(schema.clone()),
        strict,
    };
    let effort = |word: &str| Some(Reasoning::Effort(word.into()));
    let cases = [
        (json!({"thinking": {"type": "adaptive"}}), Some(Reasoning::Adaptive), None),
        (json!({"thinking": {"type": "disabled"}}), Some(Reasoning::Off), None),
        (json!({"thinking": {"type": "between_tools"}}), None, None),
        (json!({"thinking": {"type": "adaptive", "display": "omitted"}}), Some(Reasoning::Adaptive), None),
        (json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}), effort("low"), None),
        (json!({"output_config": {"effort": "max"}, "thinking": {"type": "adaptive"}}), effort("xhigh"), None),
        (json!({"output_config": {"effort": "low"}}), None, None),
        (
            json!({"output_format": {"type": "json_schema", "schema": schema}}),
            None,
            Some(format("response", &schema, Some(true))),
        ),
        (
            json!({"output_config": {"format": {"type": "json_schema", "schema": open}}}),
            None,
            Some(format("Thing", &open, None)),
        ),
    ];
    for (extra, reasoning, response_format) in cases {
        let body = base(extra.clone());
        let request = read_request(&body).unwrap();
        assert_eq!((&request.reasoning, &request.response_format), (&reasoning, &response_format), "{extra}");
        let (again, _) = write_for("claude-sonnet-4-5", &request);
        for (name, value) in extra.as_object().unwrap() {
            let (name, value) = match name.as_str() {
                "output_format" => ("output_config", json!({"format": value})),
                name => (name, value.clone()),
            };
            assert_eq!(again[name], value, "{extra}");
        }
    }
}

#[test]
fn turns_are_put_in_order() {
    let request = foreign(vec![
        message(Role::System, vec![text("One.")]),
        message(Role::User, vec![text("Weather?"), text("  ")]),
        message(Role::Developer, vec![text("Two.")]),
        message(Role::User, vec![text("And time?")]),
        message(Role::Assistant, vec![text(""), call("call:1", "w", ""), call("call_2", "t", r#"{"z":1,"a":2}"#)]),
        message(Role::User, vec![text("Quick.")]),
        message(Role::User, vec![result("call:1", "sun")]),
        message(Role::User, vec![result("call_2", "")]),
        message(
            Role::Assistant,
            vec![Part::Thinking { text: "h".into(), signature: None }, Part::Refusal("No. \n".into())],
        ),
    ]);
    let (body, dropped) = write_for("claude-sonnet-4-5", &request);
    assert_eq!(body["system"], json!([{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]));
    let expected = json!([
        {"role": "user", "content": [{"type": "text", "text": "Weather?"}, {"type": "text", "text": "And time?"}]},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "call_1", "name": "w", "input": {}},
            {"type": "tool_use", "id": "call_2", "name": "t", "input": {"z": 1, "a": 2}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "sun"},
            {"type": "tool_result", "tool_use_id": "call_2", "content": ""},
            {"type": "text", "text": "Quick."},
        ]},
        {"role": "assistant", "content": "No."},
    ]);
    assert_eq!(body["messages"], expected);
    assert_eq!(dropped, ["thinking"]);
}

#[test]
fn instructions_alone_become_a_question() {
    let (body, dropped) = write_for("c", &foreign(vec![message(Role::System, vec![text("Say hi.")])]));
    assert_eq!((&body["messages"], &body["system"]), (&json!([{"role": "user", "content": "Say hi."}]), &Value::Null));
    assert_eq!(dropped, ["messages.role"]);
    // Also where they come last, after the model's turn: it must not go on from its own words.
    let (body, dropped) = write_for(
        "c",
        &foreign(vec![
            message(Role::System, vec![text("One.")]),
            message(Role::User, vec![text("Hi")]),
            message(Role::Assistant, vec![text("Hello")]),
            message(Role::System, vec![text("Two.")]),
        ]),
    );
    let turns = json!([
        {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Two."},
    ]);
    assert_eq!((&body["system"], &body["messages"]), (&json!("One."), &turns));
    assert_eq!(dropped, ["messages.role"]);
}

#[test]
fn what_cannot_be_said_is_refused() {
    let part = |part| foreign(vec![message(Role::System, vec![text("s")]), message(Role::User, vec![text("x"), part])]);
    let unknown = |value| Part::Unknown { format: Format::OpenAiChat, value };
    let file = |media: &str, data: &str| Part::Document {
        source: Source::Base64 { media_type: media.into(), data: data.into() },
        name: None,
        cache: None,
    };
    let image = |source| Part::Image { source, detail: None, cache: None };
    let with = |extra: Value| ChatRequest { extra: extra.as_object().unwrap().clone(), ..hi() };
    let calls = |arguments| {
        foreign(vec![message(Role::User, vec![text("x")]), message(Role::Assistant, vec![call("c1", "f", arguments)])])
    };
    let strict = ResponseFormat::JsonSchema {
        name: "n".into(),
        description: None,
        schema: Some(json!({"type": "object"})),
        strict: Some(true),
    };
    let tool =
        |kind: &str| ChatRequest { tools: vec![Tool { builtin: Some(json!({"type": kind})), ..function("") }], ..hi() };
    let cases = [
        (
            part(Part::Audio { format: "wav".into(), data: "AA==".into(), transcript: None, id: None }),
            "messages[1].content[1]",
            "takes no audio",
        ),
        (part(unknown(json!({"type": "hologram"}))), "messages[1].content[1]", "`hologram`"),
        (part(image(Source::FileId("file-1".into()))), "messages[1].content[1]", "file `file-1`"),
        (part(image(Source::Url("data:image/png,xx".into()))), "messages[1].content[1]", "not in base64"),
        (part(file("application/zip", "AA==")), "messages[1].content[1]", "`application/zip`"),
        (part(file("text/plain", "_w==")), "messages[1].content[1]", "`text/plain`"),
        (calls("{\"a\":"), "messages[1].tool_calls", "call `c1` of `f`"),
        (calls("[1]"), "messages[1].tool_calls", "found an array"),
        (
            foreign(vec![message(Role::System, vec![image(Source::Url("https://e".into()))])]),
            "messages[0].content[0]",
            "only be text",
        ),
        (foreign(vec![message(Role::User, vec![text(" ")])]), "messages", "no message has any content"),
        (with(json!({"n": 2})), "n", "one choice, 2"),
        (with(json!({"logprobs": true})), "logprobs", "log probabilities"),
        (with(json!({"top_logprobs": 3})), "top_logprobs", "log probabilities"),
        (with(json!({"logit_bias": {"5": 1}})), "logit_bias", "bias"),
        (with(json!({"modalities": ["text", "audio"]})), "modalities", "text only"),
        (with(json!({"tool_choice": {"type": "allowed_tools"}})), "tool_choice", "among all tools"),
        (with(json!({"previous_response_id": "resp_1"})), "previous_response_id", "whole conversation"),
        (with(json!({"background": true})), "background", "whole conversation"),
        (with(json!({"functions": []})), "functions", "`tools`"),
        (with(json!({"web_search_options": {}})), "web_search_options", "web search"),
        (tool("web_search_preview"), "tools[0]", "`web_search_preview`"),
        (ChatRequest { response_format: Some(strict), ..hi() }, "response_format.json_schema.strict", "schema"),
    ];
    for (request, param, what) in cases {
        let error = write_request(&request, &outgoing("claude-3-haiku-20240307")).unwrap_err();
        assert_eq!(error.param, param, "{error}");
        assert!(error.message.contains(what), "{error}");
    }
}

#[test]
fn foreign_parameters_are_noted_and_never_leak() {
    let extra = json!({
        "seed": 1, "frequency_penalty": 0.5, "presence_penalty": 0, "n": 1, "logprobs": false, "top_logprobs": 0,
        "logit_bias": {}, "modalities": ["text"], "store": true, "metadata": {"a": "b"}, "service_tier": "flex",
        "prediction": {}, "parallel": null, "verbosity": "low", "thinking": {"type": "enabled"},
    });
    let request = ChatRequest {
        extra: extra.as_object().unwrap().clone(),
        temperature: Some(serde_json::Number::from_f64(1.7).unwrap()),
        stop: vec!["\n".into(), "END".into()],
        user: Some("u1".into()),
        messages: vec![Message {
            role: Role::User,
            name: Some("ann".into()),
            parts: vec![Part::Image {
                source: Source::Url("data:image/jpg;base64,AA==".into()),
                detail: Some("low".into()),
                cache: None,
            }],
        }],
        ..hi()
    };
    let written =
        write_request(&request, &Outgoing { model: "m", default_max_tokens: 77, rejects: &["stop_sequences"] })
            .unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AA=="}});
    let expected = json!({
        "model": "m", "max_tokens": 77, "temperature": 1, "metadata": {"user_id": "u1"},
        "messages": [{"role": "user", "content": [image]}],
    });
    assert_eq!(body, expected);
    let notes = [
        "name",
        "detail",
        "seed",
        "frequency_penalty",
        "store",
        "metadata",
        "service_tier",
        "prediction",
        "verbosity",
        "thinking",
        "temperature",
        "stop",
        "stop_sequences",
    ];
    assert_eq!(written.dropped, notes);
}

#[test]
fn effort_becomes_thinking() {
    let old = "claude-3-5-haiku-latest";
    let budget = "claude-sonnet-4-5";
    let adaptive = "claude-opus-4-6";
    let note: &[&str] = &["reasoning_effort"];
    let none: &[&str] = &[];
    let on = |n: u64| json!({"type": "enabled", "budget_tokens": n});
    let free = json!({"type": "adaptive"});
    // Model, effort, the client's limit; thinking, effort, limit, notes.
    let cases = [
        (old, "high", None, Value::Null, Value::Null, 4096, note),
        (budget, "none", None, Value::Null, Value::Null, 4096, none),
        (budget, "minimal", None, Value::Null, Value::Null, 4096, none),
        (budget, "low", None, on(1024), Value::Null, 4096, none),
        (budget, "medium", None, on(2048), Value::Null, 4096, none),
        (budget, "high", None, on(4096), Value::Null, 8192, none),
        (budget, "high", Some(2000), on(1999), Value::Null, 2000, none),
        (budget, "high", Some(1024), Value::Null, Value::Null, 1024, note),
        (budget, "xhigh", Some(9000), on(8192), Value::Null, 9000, none),
        (adaptive, "xhigh", Some(10), free.clone(), json!("high"), 10, none),
        ("claude-opus-4-8", "xhigh", None, free, json!("xhigh"), 4096, none),
    ];
    for (model, effort, max_tokens, thinking, config, limit, notes) in cases {
        let request = ChatRequest { reasoning: Some(Reasoning::Effort(effort.into())), max_tokens, ..hi() };
        let (body, dropped) = write_for(model, &request);
        assert_eq!((&body["thinking"], &body["output_config"]["effort"]), (&thinking, &config), "{model} {effort}");
        assert_eq!(
            (body["max_tokens"].as_u64(), dropped),
            (Some(limit), notes.iter().map(|n| n.to_string()).collect())
        );
    }
    // Other ways to ask, as clients of other formats have them.
    let cases = [
        (old, Reasoning::Adaptive, Value::Null, Value::Null, &["thinking"][..]),
        (budget, Reasoning::Adaptive, on(2048), Value::Null, none),
        (budget, Reasoning::Budget(10), on(1024), Value::Null, none),
        (budget, Reasoning::Off, Value::Null, Value::Null, none),
        (adaptive, Reasoning::Adaptive, json!({"type": "adaptive"}), Value::Null, none),
        (adaptive, Reasoning::Budget(3000), json!({"type": "adaptive"}), json!("medium"), none),
        (adaptive, Reasoning::Off, json!({"type": "disabled"}), Value::Null, none),
    ];
    for (model, reasoning, thinking, config, notes) in cases {
        let (body, dropped) = write_for(model, &ChatRequest { reasoning: Some(reasoning.clone()), ..hi() });
        assert_eq!(
            (&body["thinking"], &body["output_config"]["effort"]),
            (&thinking, &config),
            "{model} {reasoning:?}"
        );
        assert_eq!(dropped, notes, "{model} {reasoning:?}");
    }
    // Where thinking is refused, it is left out.
    let forced = ChatRequest { tools: vec![function("f")], tool_choice: Some(ToolChoice::Required), ..hi() };
    let history = foreign(vec![
        message(Role::User, vec![text("x")]),
        message(Role::Assistant, vec![call("c", "f", "{}")]),
        message(Role::User, vec![result("c", "1")]),
    ]);
    for (request, model, thinks) in [
        (forced.clone(), budget, false),
        (forced, adaptive, false),
        (history.clone(), budget, false),
        (history, adaptive, true),
    ] {
        let (body, dropped) =
            write_for(model, &ChatRequest { reasoning: Some(Reasoning::Effort("low".into())), ..request });
        assert_eq!((body["thinking"].is_object(), dropped.is_empty()), (thinks, thinks), "{model}");
    }
}

#[test]
fn sampling_fits_the_model() {
    let number = |n: Option<f64>| n.and_then(serde_json::Number::from_f64);
    let none: &[&str] = &[];
    let cases = [
        ("claude-3-haiku", None, Some(0.2), Some(0.5), json!({"temperature": 0.2, "top_p": 0.5}), none),
        ("claude-sonnet-4-5", None, Some(0.2), Some(0.5), json!({"temperature": 0.2}), &["top_p"][..]),
        ("claude-sonnet-4-5", None, Some(1.0), Some(0.5), json!({"top_p": 0.5}), none),
        ("claude-sonnet-4-5", None, Some(1.0), Some(1.0), json!({"temperature": 1.0}), none),
        ("claude-sonnet-4-5", Some("low"), Some(0.2), Some(0.5), json!({}), &["temperature", "top_p"][..]),
        ("claude-sonnet-4-5", Some("low"), Some(1.0), Some(0.95), json!({"top_p": 0.95}), none),
        ("claude-opus-4-8", None, Some(0.2), Some(0.5), json!({}), &["temperature", "top_p"][..]),
        ("claude-opus-4-8", None, Some(1.0), Some(1.0), json!({}), none),
    ];
    for (model, effort, temperature, top_p, expected, notes) in cases {
        let request = ChatRequest {
            temperature: number(temperature),
            top_p: number(top_p),
            reasoning: effort.map(|effort| Reasoning::Effort(effort.into())),
            ..hi()
        };
        let (body, dropped) = write_for(model, &request);
        let mut sampling = body.as_object().unwrap().clone();
        sampling.retain(|name, _| matches!(name.as_str(), "temperature" | "top_p" | "top_k"));
        assert_eq!(
            (Value::Object(sampling), dropped),
            (expected, notes.iter().map(|n| n.to_string()).collect()),
            "{model}"
        );
    }
}

#[test]
fn tools_and_choices_are_written() {
    let schema = json!({"properties": {"a": {}}, "required": ["a"]});
    let tools = vec![
        Tool { strict: Some(true), ..function("f") },
        Tool { parameters: Some(schema), description: Some("d".into()), ..function("g") },
    ];
    let with = |tool_choice: Option<ToolChoice>, parallel_tool_calls| ChatRequest {
        tools: tools.clone(),
        tool_choice,
        parallel_tool_calls,
        ..hi()
    };
    let (body, dropped) = write_for("claude-sonnet-4-5", &with(None, None));
    let empty = json!({"type": "object", "properties": {}});
    let full = json!({"properties": {"a": {}}, "required": ["a"], "type": "object"});
    assert_eq!(
        body["tools"],
        json!([{"name": "f", "input_schema": empty, "strict": true}, {"name": "g", "description": "d", "input_schema": full}])
    );
    assert_eq!((&body["tool_choice"], dropped.len()), (&Value::Null, 0));
    assert_eq!(write_for("claude-sonnet-4-0", &with(None, None)).1, ["strict"]);
    let cases = [
        (Some(ToolChoice::Auto), None, json!({"type": "auto"})),
        (Some(ToolChoice::Required), Some(true), json!({"type": "any"})),
        (Some(ToolChoice::None), Some(false), json!({"type": "none"})),
        (
            Some(ToolChoice::Named("g".into())),
            Some(false),
            json!({"type": "tool", "name": "g", "disable_parallel_tool_use": true}),
        ),
        (None, Some(false), json!({"type": "auto", "disable_parallel_tool_use": true})),
    ];
    for (choice, parallel, expected) in cases {
        assert_eq!(write_for("claude-sonnet-4-5", &with(choice, parallel)).0["tool_choice"], expected);
    }
    let bare = ChatRequest { tool_choice: Some(ToolChoice::Auto), parallel_tool_calls: Some(false), ..hi() };
    assert_eq!(write_for("c", &bare).0["tool_choice"], Value::Null);
}

#[test]
fn structured_output_is_native_or_asked_for_in_words() {
    let schema = json!({
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}}},
        "$defs": {"properties": {"type": "object", "additionalProperties": true}},
    });
    let format = ResponseFormat::JsonSchema { name: "n".into(), description: None, schema: Some(schema), strict: None };
    let request = ChatRequest { response_format: Some(format), ..hi() };
    let (body, dropped) = write_for("claude-sonnet-4-5", &request);
    let closed = json!({
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": false}}},
        "$defs": {"properties": {"type": "object", "additionalProperties": true}},
        "additionalProperties": false,
    });
    assert_eq!(body["output_config"], json!({"format": {"type": "json_schema", "schema": closed}}));
    assert_eq!(dropped, Vec::<String>::new());
    for (model, format) in
        [("claude-3-haiku", request.response_format), ("claude-sonnet-4-5", Some(ResponseFormat::JsonObject))]
    {
        let (body, dropped) = write_for(model, &ChatRequest { response_format: format, ..hi() });
        assert!(body["system"].as_str().unwrap().contains("JSON object"), "{body}");
        assert_eq!((&body["output_config"], dropped), (&Value::Null, vec!["response_format".to_owned()]));
    }
}

#[test]
fn what_the_canonical_form_has_no_field_for_comes_back() {
    let body = json!({"model": "m", "max_tokens": 9, "system": "s",
        "messages": [
            {"role": "user", "content": [
                {"type": "document", "source": {"type": "url", "url": "https://e/a.pdf"}, "context": "c", "citations": {"enabled": true}}]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "x", "citations": [{"type": "page_location", "cited_text": "y", "document_index": 0,
                    "document_title": null, "start_page_number": 1, "end_page_number": 2}]},
                {"type": "tool_use", "id": "a", "name": "f", "input": {}, "caller": {"type": "code_execution_20250825", "tool_id": "t"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "1"}]}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "defer_loading": true, "input_examples": [{}]}]});
    let request = read_request(&body).unwrap();
    let names: Vec<&str> = request.unplaced_names().collect();
    assert_eq!(names, ["context", "citations", "caller", "defer_loading", "input_examples"]);
    let (again, dropped) = write_for("claude-sonnet-4-5", &request);
    let mut wanted = body;
    wanted["model"] = json!("claude-sonnet-4-5");
    assert_eq!((again, dropped), (wanted, Vec::<String>::new()));
}

#[test]
fn only_its_own_reasoning_goes_to_anthropic() {
    let body = |content: Value| {
        json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "x"}, {"role": "assistant", "content": content}, {"role": "user", "content": "y"}]})
    };
    let thinking = |text: &str, signature: &str| json!({"type": "thinking", "thinking": text, "signature": signature});
    let said = json!({"type": "text", "text": "z"});
    for (block, kept) in [
        (thinking("a", "s"), true),
        (thinking("a", ""), false),
        (thinking("a", "gemini:s"), false),
        (thinking("", "openai:4:rs_1x"), false),
        (thinking("a", "bedrock:s"), false),
        (json!({"type": "redacted_thinking", "data": "d"}), true),
    ] {
        let request = read_request(&body(json!([block, said]))).unwrap();
        assert_eq!(request.holds_foreign_reasoning(Vendor::Anthropic), !kept, "{block}");
        let (again, dropped) = write_for("claude-sonnet-4-5", &request);
        let wanted = if kept { json!([block, said]) } else { json!("z") };
        assert_eq!((&again["messages"][1]["content"], dropped.is_empty()), (&wanted, kept), "{block}");
    }
    // A call that Google signed, as a client of this format keeps it.
    let call = json!({"type": "tool_use", "id": "c1", "name": "f", "input": {}});
    let request = read_request(&body(json!([thinking("", "gemini:2:c1R0VN"), call]))).unwrap();
    let signature = match request.messages[1].parts.as_slice() {
        [Part::ToolCall(call)] => call.signature.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(signature.as_deref(), Some("gemini:R0VN"));
    assert!(request.holds_foreign_reasoning(Vendor::Anthropic) && !request.holds_foreign_reasoning(Vendor::Gemini));
    let (again, dropped) = write_for("claude-sonnet-4-5", &request);
    assert_eq!((&again["messages"][1]["content"], dropped), (&json!([call]), vec!["thinking".to_owned()]));
    // A source that came from elsewhere cannot be found again.
    let cited = json!([{"type": "text", "text": "z", "citations": [
        {"type": "web_search_result_location", "url": "https://e", "title": "E", "cited_text": "", "encrypted_index": ""}]}]);
    let (again, dropped) = write_for("claude-sonnet-4-5", &read_request(&body(cited)).unwrap());
    assert_eq!((&again["messages"][1]["content"], dropped), (&json!("z"), vec!["citations".to_owned()]));
}

#[test]
fn schemas_keep_to_what_can_be_held() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]});
    let expected = json!({
        "type": "object",
        "properties": {"n": {"type": "integer", "description": "(minimum: 1)"}},
        "required": ["n"],
        "additionalProperties": false,
    });
    let tool =
        |strict: bool| json!({"type": "function", "function": {"name": "f", "strict": strict, "parameters": schema}});
    let body = json!({
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [tool(true), tool(false)],
        "response_format": {"type": "json_schema", "json_schema": {"name": "r", "schema": schema}},
    });
    let request = Format::OpenAiChat.read_request(&body).unwrap();
    let written = write_request(&request, &outgoing("claude-sonnet-4-5")).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!(body["output_config"]["format"]["schema"], expected);
    assert_eq!(body["tools"][0]["input_schema"], expected);
    // Only who is held to a schema needs one that can be held.
    assert_eq!(body["tools"][1]["input_schema"], schema);
    assert_eq!(written.dropped, ["response_format.schema", "tools.parameters"]);
}

#[test]
fn a_failed_result_says_something() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [{"functionCall": {"id": "c", "name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": "c", "name": "f", "response": {"error": ""}}}]},
    ]});
    let request = Format::Gemini.read_request(&body).unwrap();
    let written = write_request(&request, &outgoing("claude-sonnet-4-5")).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    let expected = json!({"type": "tool_result", "tool_use_id": "c", "content": "The tool failed.", "is_error": true});
    assert_eq!(body["messages"][2]["content"], json!([expected]));
}

#[test]
fn ids_that_another_provider_made_are_written_anew() {
    let body = |id: &str| {
        json!({"model": "m", "max_tokens": 9, "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "1"}]},
        ]})
    };
    for (format, model, id, taken) in [
        (Format::AnthropicMessages, "claude-sonnet-4-5", "toolu_01", true),
        (Format::AnthropicMessages, "claude-sonnet-4-5", "functions.Read:0", false),
        (Format::OpenAiResponses, "gpt-5", "functions.Read:0", true),
        (Format::OpenAiResponses, "gpt-5", &"x".repeat(65), false),
        (Format::OpenAiChat, "gpt-5", &"x".repeat(41), false),
        (Format::OpenAiChat, "qwen3-coder", &"x".repeat(41), true),
        (Format::OpenAiChat, "mistral-large-latest", "toolu_01", false),
        (Format::OpenAiChat, "mistral-large-latest", "abcDEF012", true),
    ] {
        let request = read_request(&body(id)).unwrap();
        assert_eq!(format.takes_ids(&request, model), taken, "{model} {id}");
    }
    let request = read_request(&body("functions.Read:0")).unwrap();
    let written = write_request(&request, &outgoing("claude-sonnet-4-5")).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!(body["messages"][1]["content"][0]["id"], "functions_Read_0");
    assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], "functions_Read_0");
}
