//! Requests, read, and written back in their own format.

use super::*;
use crate::formats::Format;
use crate::testing::test;

fn read(body: Value) -> ChatRequest {
    read_request(&body).unwrap()
}

fn messages(input: Value) -> Vec<Message> {
    read(json!({"model": "m", "input": input})).messages
}

fn rich() -> Value {
    json!({
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            {"role": "system", "content": "Really."},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "In French."}]},
            {"role": "user", "content": [
                {"type": "input_text", "text": "What is this?", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "high"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
                {"type": "input_audio", "input_audio": {"format": "wav", "data": "UklGRg=="}}
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "gAAA"},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "I look.", "annotations": []}
            ]},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{\"a\": 1}"},
            {"type": "function_call", "call_id": "c2", "name": "f", "arguments": ""},
            {"type": "function_call_output", "call_id": "c1", "output": "sun"},
            {"type": "function_call_output", "call_id": "c2", "output": [
                {"type": "input_text", "text": "see"}, {"type": "input_image", "file_id": "file-1"}
            ]},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
            {"role": "assistant", "content": "Still no."}
        ],
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true},
            {"type": "function", "name": "g"},
            {"type": "web_search", "search_context_size": "low"}
        ],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": false,
        "max_output_tokens": 500,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_logprobs": 3,
        "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
        "text": {"format": {"type": "json_schema", "name": "n", "strict": true, "schema": {"type": "object"}}, "verbosity": "low"},
        "reasoning": {"effort": "high", "summary": "auto"},
        "stream": true,
        "stream_options": {"include_obfuscation": false},
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "metadata": {"a": "b"},
        "service_tier": "flex",
        "store": false,
        "truncation": "auto",
        "max_tool_calls": 3
    })
}

#[test]
fn every_part_of_a_request_is_read() {
    let request = read(rich());
    let mark = Some(json!({"type": "ephemeral"}));
    let data = |media_type: &str, data: &str| Source::Base64 { media_type: media_type.into(), data: data.into() };
    let expected = vec![
        turn(Role::System, vec![plain("Be brief.")]),
        turn(Role::System, vec![plain("Really.")]),
        turn(Role::Developer, vec![plain("In French.")]),
        turn(
            Role::User,
            vec![
                Part::Text { text: "What is this?".into(), cache: mark, citations: vec![] },
                Part::Image { source: data("image/png", "iVBORw0KGgo="), detail: Some("high".into()), cache: None },
                Part::Document { source: data("application/pdf", "JVBERi0="), name: Some("a.pdf".into()), cache: None },
                Part::Audio { format: "wav".into(), data: "UklGRg==".into(), transcript: None, id: None },
            ],
        ),
        turn(
            Role::Assistant,
            vec![
                thinking("Hm.", Some("openai:4:rs_1gAAA")),
                plain("I look."),
                call("c1", "{\"a\": 1}"),
                call("c2", "{}"),
            ],
        ),
        turn(Role::User, vec![result("c1", vec![plain("sun")])]),
        turn(
            Role::User,
            vec![result(
                "c2",
                vec![plain("see"), Part::Image { source: Source::FileId("file-1".into()), detail: None, cache: None }],
            )],
        ),
        turn(Role::Assistant, vec![Part::Refusal("No.".into())]),
        turn(Role::Assistant, vec![plain("Still no.")]),
    ];
    assert_eq!(request.messages, expected);
    assert_eq!(request.source, Some(Format::OpenAiResponses));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".into())));
    assert_eq!((request.parallel_tool_calls, request.max_tokens), (Some(false), Some(500)));
    assert_eq!(request.reasoning, Some(Reasoning::Effort("high".into())));
    assert_eq!((request.stream, request.include_usage, request.user.as_deref()), (true, true, Some("u")));
    let tools: Vec<_> = request.tools.iter().map(|t| (t.name.as_str(), t.strict, t.builtin.is_some())).collect();
    assert_eq!(tools, [("f", Some(true), false), ("g", None, false), ("web_search", None, true)]);
    let strict = Some(true);
    let schema = Some(json!({"type": "object"}));
    let format = ResponseFormat::JsonSchema { name: "n".into(), description: None, schema, strict };
    assert_eq!(request.response_format, Some(format));
    let extra = json!({
        "logprobs": true, "top_logprobs": 3, "include": ["reasoning.encrypted_content"], "verbosity": "low",
        "reasoning": {"summary": "auto"}, "stream_options": {"include_obfuscation": false}, "safety_identifier": "s",
        "prompt_cache_key": "k", "metadata": {"a": "b"}, "service_tier": "flex", "store": false, "truncation": "auto",
        "max_tool_calls": 3
    });
    assert_eq!(Value::Object(request.extra), extra);
}

#[test]
fn a_request_written_in_its_own_format_reads_the_same() {
    let request = read(rich());
    let (body, dropped) = written(&request, "m").unwrap();
    assert_eq!(dropped, Vec::<String>::new());
    assert_eq!(read(body.clone()), request);
    for name in ["include", "text", "reasoning", "tools", "tool_choice", "metadata", "instructions", "store"] {
        let (Value::Array(mut found), Value::Array(mut expected)) = (body[name].clone(), rich()[name].clone()) else {
            assert_eq!(body[name], if name == "tools" { json!(null) } else { rich()[name].clone() });
            continue;
        };
        if name == "include" {
            found.sort_by_key(Value::to_string);
            expected.sort_by_key(Value::to_string);
        } else {
            expected[1]["parameters"] = Value::Null;
        }
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(body["input"][3], rich()["input"][3]);
}

#[test]
fn items_make_turns() {
    let unknown = |value: Value| Part::Unknown { format: Format::OpenAiResponses, value };
    let message = |text: &str| json!({"role": "assistant", "content": text});
    let thought = |id: &str| json!({"type": "reasoning", "id": id, "summary": []});
    let called = json!({"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"});
    let search = json!({"type": "web_search_call", "id": "ws", "status": "completed"});
    let output = json!({"type": "custom_tool_call_output", "call_id": "x", "output": "y"});
    let approval = json!({"type": "mcp_approval_response", "approval_request_id": "x", "approve": true});
    let tools = json!({"type": "additional_tools", "role": "developer", "tools": []});
    let assistant = |parts| turn(Role::Assistant, parts);
    let cases = [
        (json!("Hi"), vec![turn(Role::User, vec![plain("Hi")])]),
        // One turn: what was thought, said and called.
        (
            json!([thought("r1"), thought("r2"), message("A"), called, thought("r3")]),
            vec![assistant(vec![
                thinking("", Some("openai:2:r1")),
                thinking("", Some("openai:2:r2")),
                plain("A"),
                call("a", "{}"),
                thinking("", Some("openai:2:r3")),
            ])],
        ),
        (json!([message("A"), message("B")]), vec![assistant(vec![plain("A")]), assistant(vec![plain("B")])]),
        // A message of no words says nothing.
        (json!([message(""), called]), vec![assistant(vec![call("a", "{}")])]),
        (json!([called, message("B")]), vec![assistant(vec![call("a", "{}"), plain("B")])]),
        (
            json!([search, output, approval, tools]),
            vec![
                assistant(vec![unknown(search.clone())]),
                turn(Role::User, vec![unknown(output.clone())]),
                turn(Role::User, vec![unknown(approval.clone())]),
                turn(Role::Developer, vec![unknown(tools.clone())]),
            ],
        ),
        (json!([{"id": "msg_1"}]), vec![assistant(vec![unknown(json!({"id": "msg_1"}))])]),
    ];
    for (input, expected) in cases {
        assert_eq!(messages(input.clone()), expected, "{input}");
        // And back again.
        let request = read(json!({"model": "m", "input": input.clone()}));
        let (body, _) = written(&request, "m").unwrap();
        assert_eq!(messages(body["input"].clone()), expected, "{input}");
    }
}

#[test]
fn signatures_of_other_vendors_come_home() {
    let item =
        |encrypted: &str| json!({"type": "reasoning", "id": "rs_x", "summary": [], "encrypted_content": encrypted});
    let called = json!({"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"});
    let of_call = Part::ToolCall(ToolCall {
        id: "a".into(),
        name: "f".into(),
        arguments: "{}".into(),
        cache: None,
        signature: Some("gemini:g".into()),
    });
    let cases = [
        (json!([item("anthropic:EqQB")]), thinking("", Some("EqQB"))),
        (json!([item("gemini:g")]), thinking("", Some("gemini:g"))),
        (json!([item("redacted:d")]), Part::RedactedThinking { data: "d".into() }),
        (json!([item("call:gemini:g"), called]), of_call),
    ];
    for (input, expected) in cases {
        let request = read(json!({"model": "m", "input": input}));
        assert_eq!(request.messages, vec![turn(Role::Assistant, vec![expected])]);
        // To OpenAI they are an error.
        if let Ok((body, _)) = written(&request, "m") {
            assert!(!body.to_string().contains("reasoning"), "{body}");
        }
    }
}

#[test]
fn parameters() {
    let extra = |body: Value| {
        let mut whole = json!({"model": "m", "input": "Hi"});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let request = read(whole);
        let (again, _) = written(&request, "m").unwrap();
        let reread = read(again.clone());
        assert_eq!(reread, request, "{again}");
        request
    };
    // What says nothing leaves nothing.
    let nothing = json!({"background": false, "previous_response_id": null, "include": [], "top_logprobs": 0,
        "reasoning": {"effort": null}, "text": {}, "tools": null, "metadata": null});
    assert_eq!(extra(nothing), read(json!({"model": "m", "input": "Hi"})));
    let allowed =
        json!({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}});
    let as_chat = json!({"tool_choice": {"type": "allowed_tools", "allowed_tools":
        {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}}});
    for (given, kept) in [
        (allowed, as_chat),
        (json!({"tool_choice": {"type": "web_search"}}), json!({"tool_choice": {"type": "web_search"}})),
        (json!({"text": {"format": {"type": "grammar"}}}), json!({"response_format": {"type": "grammar"}})),
        (json!({"include": ["message.output_text.logprobs"]}), json!({"logprobs": true})),
        (json!({"background": true}), json!({"background": true})),
        (json!({"vendor_thing": 1}), json!({"vendor_thing": 1})),
        // Not the parameters of these names.
        (json!({"text": {"text": {"format": {}}, "n": 2}}), json!({"text": {"text": {"format": {}}, "n": 2}})),
    ] {
        assert_eq!(Value::Object(extra(given).extra), kept);
    }
    for (given, expected) in [
        (json!({"text": {"format": {"type": "text"}}}), Some(ResponseFormat::Text)),
        (json!({"text": {"format": {"type": "json_object"}}}), Some(ResponseFormat::JsonObject)),
    ] {
        assert_eq!(extra(given).response_format, expected);
    }
    let deferred = extra(json!({"tools": [{"type": "function", "name": "f", "defer_loading": true, "async": false}]}));
    assert_eq!(Value::Object(deferred.unplaced), json!({"tools[0].defer_loading": true}));
    for (word, expected) in [("auto", ToolChoice::Auto), ("none", ToolChoice::None), ("required", ToolChoice::Required)]
    {
        assert_eq!(extra(json!({"tool_choice": word})).tool_choice, Some(expected));
    }
    assert_eq!(extra(json!({"max_output_tokens": 3.0})).max_tokens, Some(3));
}

#[test]
fn mistakes_are_named() {
    let with = |name: &str, value: Value| {
        let mut body = json!({"model": "m", "input": "Hi"});
        body[name] = value;
        body
    };
    let input = |value: Value| with("input", json!([{"role": "user", "content": "Hi"}, value]));
    let part = |value: Value| input(json!({"role": "user", "content": [value]}));
    let cases = [
        (json!([]), "", "an array"),
        (json!({"input": "Hi"}), "model", "missing"),
        (json!({"model": "", "input": "Hi"}), "model", "empty"),
        (json!({"model": 1, "input": "Hi"}), "model", "a number"),
        (json!({"model": "m"}), "input", "missing"),
        (with("input", json!([])), "input", "empty array"),
        (with("input", json!({})), "input", "an object"),
        (with("instructions", json!([])), "instructions", "an array"),
        (input(json!("x")), "input[1]", "a string"),
        (input(json!({})), "input[1].role", "missing"),
        (input(json!({"role": "tool", "content": "x"})), "input[1].role", "`tool`"),
        (input(json!({"role": "user"})), "input[1].content", "missing"),
        (input(json!({"role": "user", "content": 1})), "input[1].content", "a number"),
        (part(json!("x")), "input[1].content[0]", "a string"),
        (part(json!({})), "input[1].content[0].type", "missing"),
        (part(json!({"type": "input_text"})), "input[1].content[0].text", "missing"),
        (part(json!({"type": "input_image"})), "input[1].content[0].image_url", "`file_id`"),
        (part(json!({"type": "input_file"})), "input[1].content[0]", "`file_url`"),
        (part(json!({"type": "input_audio"})), "input[1].content[0].input_audio.format", "missing"),
        (input(json!({"type": "function_call", "name": "f"})), "input[1].call_id", "missing"),
        (input(json!({"type": "function_call", "call_id": "a"})), "input[1].name", "missing"),
        (input(json!({"type": "function_call_output", "call_id": "a"})), "input[1].output", "missing"),
        (input(json!({"type": "function_call_output", "output": "a"})), "input[1].call_id", "missing"),
        (with("tools", json!({})), "tools", "an object"),
        (with("tools", json!([1])), "tools[0]", "a number"),
        (with("tools", json!([{"name": "f"}])), "tools[0].type", "missing"),
        (with("tools", json!([{"type": "function", "function": {"name": "f"}}])), "tools[0].name", "missing"),
        (with("tools", json!([{"type": "function", "name": "f", "strict": "yes"}])), "tools[0].strict", "a string"),
        (with("tool_choice", json!("any")), "tool_choice", "`any`"),
        (with("tool_choice", json!({"type": "function"})), "tool_choice.name", "missing"),
        (with("tool_choice", json!(1)), "tool_choice", "a number"),
        (with("temperature", json!("hot")), "temperature", "a string"),
        (with("max_output_tokens", json!(-1)), "max_output_tokens", "a number"),
        (with("top_logprobs", json!("x")), "top_logprobs", "a string"),
        (with("stream", json!(1)), "stream", "a number"),
        (with("text", json!("x")), "text", "a string"),
        (with("text", json!({"format": "json"})), "text.format", "a string"),
        (with("text", json!({"format": {"type": "json_schema"}})), "text.format.schema", "missing"),
        (with("reasoning", json!("high")), "reasoning", "a string"),
        (with("include", json!("x")), "include", "a string"),
    ];
    for (body, param, says) in cases {
        let error = read_request(&body).expect_err(&body.to_string());
        assert_eq!(error.param, param, "{body}: {error}");
        assert!(error.message.contains(says), "{body}: {error}");
    }
}

#[test]
fn what_openai_keeps_is_refused_elsewhere() {
    let with = |name: &str, value: Value| {
        let mut body = json!({"model": "m", "input": "Hi"});
        body[name] = value;
        read(body)
    };
    for (request, param) in [
        (with("previous_response_id", json!("resp_1")), "previous_response_id"),
        (with("conversation", json!({"id": "conv_1"})), "conversation"),
        (with("prompt", json!({"id": "pmpt_1"})), "prompt"),
        (with("background", json!(true)), "background"),
        (with("input", json!([{"type": "item_reference", "id": "msg_1"}])), "input"),
        (with("input", json!([{"id": "msg_1"}])), "input"),
        (read(json!({"model": "m", "previous_response_id": "resp_1"})), "previous_response_id"),
    ] {
        assert_eq!(stateful(&request).unwrap_err().param, param);
        // A provider of this format may have it.
        let (body, _) = written(&request, "m").unwrap();
        assert_eq!(stateful(&read(body)).unwrap_err().param, param);
    }
    assert_eq!(stateful(&read(rich())), Ok(()));
    assert_eq!(stateful(&with("input", json!([{"type": "web_search_call", "id": "ws"}]))), Ok(()));
    // The same words in another format mean something else.
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "prompt": "x"});
    assert_eq!(stateful(&Format::OpenAiChat.read_request(&chat).unwrap()), Ok(()));
}
