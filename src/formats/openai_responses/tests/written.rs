//! Requests of other formats, written in this one.

use super::*;
use crate::formats::Format;
use crate::testing::test;

fn chat(more: Value) -> ChatRequest {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Format::OpenAiChat.read_request(&body).unwrap()
}

fn anthropic(more: Value) -> ChatRequest {
    let mut body = json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Format::AnthropicMessages.read_request(&body).unwrap()
}

#[test]
fn what_openais_other_format_says_is_said_here_too() {
    let cases = [
        (json!({"verbosity": "low"}), "text", json!({"verbosity": "low"})),
        (json!({"response_format": {"type": "json_object"}}), "text", json!({"format": {"type": "json_object"}})),
        (json!({"logprobs": true, "top_logprobs": 2}), "include", json!(["message.output_text.logprobs"])),
        (json!({"logprobs": true, "top_logprobs": 2}), "top_logprobs", json!(2)),
        (json!({"metadata": {"a": "b"}}), "metadata", json!({"a": "b"})),
        (json!({"service_tier": "flex"}), "service_tier", json!("flex")),
        (json!({"safety_identifier": "s"}), "safety_identifier", json!("s")),
        (json!({"prompt_cache_key": "k"}), "prompt_cache_key", json!("k")),
        (json!({"user": "u"}), "user", json!("u")),
        (json!({"stream": true}), "stream", json!(true)),
        (json!({"temperature": 0.3}), "temperature", json!(0.3)),
        (json!({"max_tokens": 100}), "max_output_tokens", json!(100)),
        (json!({"store": false}), "store", json!(false)),
        // What says nothing leaves nothing.
        (
            json!({"n": 1, "logit_bias": {}, "seed": null, "frequency_penalty": 0, "logprobs": false, "modalities": ["text"]}),
            "n",
            Value::Null,
        ),
    ];
    for (given, name, expected) in cases {
        let (body, dropped) = written(&chat(given.clone()), "gpt-4o").unwrap();
        assert_eq!(body[name], expected, "{given}");
        assert_eq!(dropped, Vec::<String>::new(), "{given}");
    }
}

#[test]
fn what_only_steers_is_dropped_with_a_note() {
    let cases = [
        (chat(json!({"seed": 7, "frequency_penalty": 0.5})), "gpt-4o", vec!["seed", "frequency_penalty"]),
        (chat(json!({"store": true})), "gpt-4o", vec!["store"]),
        (chat(json!({"service_tier": "on_demand"})), "gpt-4o", vec!["service_tier"]),
        (chat(json!({"reasoning_effort": "default"})), "gpt-5", vec!["reasoning_effort"]),
        (
            anthropic(json!({"tools": [{"name": "f", "input_schema": {"type": "object"}, "defer_loading": true}]})),
            "gpt-4o",
            vec!["defer_loading"],
        ),
        (chat(json!({"temperature": 0.5, "top_p": 1})), "gpt-5", vec!["temperature"]),
        (chat(json!({"reasoning_effort": "low"})), "gpt-4o", vec!["reasoning_effort"]),
        (chat(json!({"max_tokens": 3})), "gpt-4o", vec!["max_tokens"]),
        (anthropic(json!({"top_k": 3, "metadata": {"user_id": "u", "x": "y"}})), "gpt-4o", vec!["top_k", "metadata"]),
        (anthropic(json!({"thinking": {"type": "enabled", "budget_tokens": 2000}})), "gpt-4o", vec!["thinking"]),
        (anthropic(json!({"thinking": {"type": "disabled"}})), "gpt-4o", vec![]),
        (
            anthropic(json!({"system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}]})),
            "gpt-4o",
            vec!["cache_control"],
        ),
        (
            anthropic(json!({"messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "EqQB"}, {"type": "redacted_thinking", "data": "d"}, {"type": "text", "text": "A"}]},
                {"role": "user", "content": "?"}
            ]})),
            "gpt-5",
            vec!["thinking"],
        ),
    ];
    for (request, model, expected) in cases {
        let (body, dropped) = written(&request, model).unwrap();
        assert_eq!(dropped, expected, "{body}");
    }
}

#[test]
fn what_changes_the_meaning_is_refused() {
    let cases = [
        (chat(json!({"stop": "END"})), "stop"),
        (anthropic(json!({"stop_sequences": ["END"]})), "stop_sequences"),
        (chat(json!({"n": 2})), "n"),
        (chat(json!({"logit_bias": {"1": 5}})), "logit_bias"),
        (chat(json!({"modalities": ["text", "audio"], "audio": {"voice": "x"}})), "modalities"),
        (chat(json!({"web_search_options": {}})), "web_search_options"),
        (chat(json!({"tools": [{"type": "custom", "custom": {"name": "c"}}]})), "tools[0]"),
        (chat(json!({"tool_choice": {"type": "custom", "custom": {"name": "c"}}})), "tool_choice"),
        (chat(json!({"response_format": {"type": "grammar"}})), "response_format"),
        (anthropic(json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]})), "tools[0]"),
        (anthropic(json!({"mcp_servers": [{"url": "https://x"}]})), "mcp_servers"),
        (
            anthropic(
                json!({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]}),
            ),
            "messages[0].content[0]",
        ),
        (
            anthropic(
                json!({"system": "S", "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "search_result", "content": []}]}]}),
            ),
            "messages[0].content[1]",
        ),
    ];
    for (request, param) in cases {
        let error = written(&request, "gpt-4o").expect_err(param);
        assert_eq!(error.param, param, "{error}");
    }
}

#[test]
fn a_tool_that_did_not_ask_to_be_strict_is_not() {
    let tool = |strict: Value| json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": strict}});
    let request =
        chat(json!({"tools": [tool(Value::Null), tool(json!(true)), {"type": "function", "function": {"name": "g"}}]}));
    let (body, _) = written(&request, "gpt-4o").unwrap();
    let nothing = json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
    let expected = json!([
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": false},
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": true},
        {"type": "function", "name": "g", "parameters": nothing, "strict": false},
    ]);
    assert_eq!(body["tools"], expected);
}

#[test]
fn a_choice_among_some_tools_is_said_in_the_formats_own_shape() {
    let choice = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}});
    let (body, _) = written(&chat(json!({"tool_choice": choice})), "gpt-4o").unwrap();
    let expected = json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]});
    assert_eq!(body["tool_choice"], expected);
}

#[test]
fn reasoning() {
    let effort = |word: &str| chat(json!({"reasoning_effort": word}));
    let budget = |tokens: u64| anthropic(json!({"thinking": {"type": "enabled", "budget_tokens": tokens}}));
    let adaptive = anthropic(json!({"thinking": {"type": "adaptive"}}));
    let off = || anthropic(json!({"thinking": {"type": "disabled"}}));
    let hard = anthropic(json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}));
    for (request, model, expected) in [
        (effort("minimal"), "gpt-5", Some("minimal")),
        (effort("none"), "gpt-5.1", Some("none")),
        (effort("xhigh"), "openai/gpt-oss-20b", Some("high")),
        (effort("medium"), "grok-3-mini", Some("high")),
        (effort("low"), "grok-3-mini", Some("low")),
        (effort("none"), "gpt-oss-20b", None),
        (budget(1024), "o3", Some("low")),
        (budget(2048), "o3", Some("medium")),
        (budget(50_000), "o3", Some("high")),
        (adaptive, "gpt-5", None),
        (hard, "gpt-5", Some("high")),
        (off(), "gpt-5.1", Some("none")),
        (off(), "gpt-4o", None),
    ] {
        let (body, dropped) = written(&request, model).unwrap();
        assert_eq!(body["reasoning"]["effort"].as_str(), expected, "{model}: {:?}", request.reasoning);
        assert_eq!(dropped, Vec::<String>::new());
        let asks = body["include"].as_array().is_some_and(|all| all.contains(&json!("reasoning.encrypted_content")));
        assert_eq!(asks, model.starts_with("gpt-5") || model == "o3", "{model}");
        assert_eq!(body["store"], false);
    }
    // Models that always reason do so as little as they can.
    for (model, least) in [("gpt-5", Some("minimal")), ("o3", Some("low")), ("gpt-5-pro", None)] {
        let (body, dropped) = written(&off(), model).unwrap();
        assert_eq!((body["reasoning"]["effort"].as_str(), dropped), (least, vec!["thinking".to_owned()]), "{model}");
    }
}

#[test]
fn only_openais_own_reasoning_goes_back_to_it() {
    let history = |signature: &str| {
        anthropic(json!({"messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": signature},
                {"type": "tool_use", "id": "t", "name": "f", "input": {}}
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok", "is_error": false}]}
        ]}))
    };
    let (body, dropped) = written(&history("openai:4:rs_1gAAA"), "gpt-5").unwrap();
    let expected = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "gAAA"});
    assert_eq!((&body["input"][1], dropped), (&expected, vec![]));
    // Without its content OpenAI would look for it in its store, where it is not.
    for foreign in ["EqQB", "gemini:x", "openai:4:rs_1", "openai:x"] {
        let (body, dropped) = written(&history(foreign), "gpt-5").unwrap();
        assert_eq!((body["input"].as_array().unwrap().len(), dropped), (3, vec!["thinking".to_owned()]));
    }
}

#[test]
fn results_and_what_belongs_to_them() {
    let long = "c".repeat(70);
    let messages = json!({"messages": [
        {"role": "assistant", "content": [{"type": "tool_use", "id": long, "name": "f", "input": {"a": 1}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": long, "is_error": true},
            {"type": "text", "text": "and now?"}
        ]}
    ]});
    let (body, dropped) = written(&anthropic(messages), "gpt-4o").unwrap();
    let id = body["input"][0]["call_id"].as_str().unwrap().to_owned();
    assert!(id.len() == 64 && id.starts_with(&long[..47]), "{id}");
    let expected = json!([
        {"type": "function_call", "call_id": id, "name": "f", "arguments": "{\"a\":1}"},
        {"type": "function_call_output", "call_id": id, "output": "The tool failed."},
        {"role": "user", "content": "and now?"},
    ]);
    assert_eq!((&body["input"], dropped), (&expected, vec!["is_error".to_owned()]));
}

#[test]
fn instructions_stand_where_they_can() {
    let input = |messages: Value| {
        let (body, _) = written(&chat(json!({ "messages": messages })), "gpt-4o").unwrap();
        (body["instructions"].clone(), body["input"].clone())
    };
    let user = json!({"role": "user", "content": "Hi"});
    let system = |text: &str| json!({"role": "system", "content": text});
    assert_eq!(input(json!([system("A"), user])), (json!("A"), json!([user])));
    assert_eq!(input(json!([system("A"), system("B"), user])), (json!("A"), json!([system("B"), user])));
    assert_eq!(input(json!([user, system("A")])), (Value::Null, json!([user, system("A")])));
    // A request must have some input.
    assert_eq!(input(json!([system("A")])), (Value::Null, json!([system("A")])));
}

#[test]
fn rejected_parameters_are_left_out() {
    let request = chat(json!({"temperature": 0.3, "metadata": {"a": "b"}}));
    let outgoing = Outgoing { rejects: &["metadata", "unknown"], ..outgoing("gpt-4o") };
    let written = write_request(&request, &outgoing).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!((body.get("metadata"), written.dropped), (None, vec!["metadata".to_owned()]));
}

#[test]
fn reasoning_without_what_it_led_to_is_left_out() {
    let thought = |id: &str| json!({"type": "thinking", "thinking": "", "signature": format!("openai:4:{id}gAAA")});
    let (body, dropped) = written(
        &anthropic(json!({"messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [thought("rs_1")]},
            {"role": "user", "content": "b"},
            {"role": "assistant", "content": [thought("rs_2"), thought("rs_3"), {"type": "text", "text": "c"}, thought("rs_4")]},
            {"role": "user", "content": "d"},
        ]})),
        "gpt-5",
    )
    .unwrap();
    let said: Vec<&str> = body["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().or_else(|| item["content"].as_str()).unwrap())
        .collect();
    assert_eq!((said, dropped), (vec!["a", "b", "rs_2", "rs_3", "c", "d"], vec!["thinking".to_owned()]));
}

#[test]
fn tools_of_other_formats_fit_openais_schemas() {
    let loose = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let tools = json!([
        {"name": "f", "input_schema": {"type": "object"}},
        {"name": "g", "input_schema": loose, "strict": true},
    ]);
    let (body, dropped) = written(&anthropic(json!({"tools": tools})), "gpt-5").unwrap();
    let expected = json!([
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": false},
        {"type": "function", "name": "g", "parameters": loose, "strict": false},
    ]);
    assert_eq!((&body["tools"], dropped), (&expected, vec!["strict".to_owned()]));
}
