use super::super::super::canonical::*;
use super::super::super::{Format, Outgoing};
use super::super::{read_request, write_request};
use super::{outgoing, written};
use crate::testing::test;
use serde_json::{Value, json};

/// A request of the Chat format with these members besides one plain turn.
fn chat(more: Value) -> ChatRequest {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Format::OpenAiChat.read_request(&body).unwrap()
}

fn anthropic(messages: Value) -> ChatRequest {
    let body = json!({"model": "m", "max_tokens": 9, "messages": messages});
    Format::AnthropicMessages.read_request(&body).unwrap()
}

/// The parameter at fault.
fn refused(request: &ChatRequest, model: &str) -> String {
    let error = write_request(request, &outgoing(model)).unwrap_err();
    assert!(!error.message.is_empty());
    error.param
}

#[test]
fn reasoning_becomes_what_the_model_knows() {
    let effort = |word: &str| Reasoning::Effort(word.into());
    let none: &[&str] = &[];
    let shown = |name: &str, value: Value| json!({name: value, "includeThoughts": true});
    for (model, reasoning, config, dropped) in [
        ("gemini-2.5-flash", effort("none"), json!({"thinkingBudget": 0}), none),
        ("gemini-2.5-flash", effort("low"), shown("thinkingBudget", json!(1024)), none),
        ("gemini-2.5-flash", effort("medium"), shown("thinkingBudget", json!(2048)), none),
        ("gemini-2.5-flash", effort("high"), shown("thinkingBudget", json!(4096)), none),
        ("gemini-2.5-flash", effort("xhigh"), shown("thinkingBudget", json!(8192)), none),
        ("gemini-2.5-flash", Reasoning::Adaptive, shown("thinkingBudget", json!(-1)), none),
        ("gemini-2.5-flash", Reasoning::Budget(100_000), shown("thinkingBudget", json!(24_576)), none),
        ("gemini-2.5-flash-lite", Reasoning::Budget(5), shown("thinkingBudget", json!(512)), none),
        ("gemini-2.5-pro", Reasoning::Off, json!({"thinkingBudget": 128}), &["thinking"]),
        ("gemini-3-flash-preview", effort("minimal"), shown("thinkingLevel", json!("minimal")), none),
        ("gemini-3-flash-preview", Reasoning::Budget(2048), shown("thinkingLevel", json!("medium")), none),
        ("gemini-3-flash-preview", effort("none"), json!({"thinkingLevel": "minimal"}), &["reasoning_effort"]),
        ("gemini-3-pro-preview", effort("medium"), shown("thinkingLevel", json!("high")), none),
        ("gemini-3-pro-preview", effort("minimal"), shown("thinkingLevel", json!("low")), none),
        ("gemini-3.1-pro-preview", effort("xhigh"), shown("thinkingLevel", json!("high")), none),
        ("gemini-3.1-pro-preview", Reasoning::Adaptive, json!({"includeThoughts": true}), none),
        ("gemini-2.0-flash", effort("low"), Value::Null, &["reasoning_effort"]),
        ("gemini-2.0-flash", Reasoning::Off, Value::Null, none),
    ] {
        let request = ChatRequest { reasoning: Some(reasoning.clone()), ..chat(json!({})) };
        let (body, notes) = written(&request, &outgoing(model));
        assert_eq!(body["generationConfig"]["thinkingConfig"], config, "{model} {reasoning:?}");
        assert_eq!(notes, dropped, "{model} {reasoning:?}");
    }
}

#[test]
fn tool_choice_is_said_in_all_forms() {
    let tool = |strict: bool| json!({"type": "function", "function": {"name": "f", "strict": strict}});
    let named = json!({"type": "function", "function": {"name": "f"}});
    let allowed = |mode: &str| json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [named]}});
    for (model, choice, strict, config) in [
        ("gemini-2.5-pro", json!(null), false, json!(null)),
        ("gemini-2.5-pro", json!("auto"), false, json!({"mode": "AUTO"})),
        ("gemini-2.5-pro", json!("none"), true, json!({"mode": "NONE"})),
        ("gemini-2.5-pro", json!("required"), true, json!({"mode": "ANY"})),
        ("gemini-2.5-pro", named.clone(), false, json!({"mode": "ANY", "allowedFunctionNames": ["f"]})),
        ("gemini-2.5-pro", json!(null), true, json!({"mode": "VALIDATED"})),
        ("gemini-2.0-flash", json!("auto"), true, json!({"mode": "AUTO"})),
        ("gemini-2.5-pro", allowed("required"), false, json!({"mode": "ANY", "allowedFunctionNames": ["f"]})),
        ("gemini-2.5-pro", allowed("auto"), false, json!({"mode": "VALIDATED", "allowedFunctionNames": ["f"]})),
    ] {
        let request = chat(json!({"tools": [tool(strict)], "tool_choice": choice}));
        let (body, notes) = written(&request, &outgoing(model));
        assert_eq!(body["toolConfig"]["functionCallingConfig"], config, "{model} {choice} {strict}");
        assert_eq!(notes.contains(&"strict".to_owned()), model.contains("2.0") && strict);
    }
    let request = chat(json!({"tools": [tool(false)], "tool_choice": {"type": "custom", "custom": {"name": "x"}}}));
    assert_eq!(refused(&request, "gemini-2.5-pro"), "tool_choice");
    let request = chat(json!({"tools": [tool(false)], "tool_choice": allowed("auto")}));
    assert_eq!(refused(&request, "gemini-2.0-flash"), "tool_choice");
    let request = chat(json!({"tools": [tool(false), {"type": "web_search"}]}));
    assert_eq!(refused(&request, "gemini-2.5-pro"), "tools[1]");
}

#[test]
fn parameters_are_carried_noted_or_refused() {
    let pcm = json!({"voice": "Kore", "format": "pcm16"});
    let voice = json!({"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}});
    for (given, config, dropped) in [
        (json!({"seed": 7}), json!({"seed": 7}), vec![]),
        (json!({"seed": 5_000_000_000_u64}), json!(null), vec!["seed"]),
        (json!({"n": 1, "logit_bias": {}, "logprobs": false, "frequency_penalty": 0}), json!(null), vec![]),
        (json!({"n": 3}), json!({"candidateCount": 3}), vec![]),
        (
            json!({"presence_penalty": 0.5, "frequency_penalty": -1}),
            json!({"presencePenalty": 0.5, "frequencyPenalty": -1}),
            vec![],
        ),
        (json!({"logprobs": true, "top_logprobs": 2}), json!({"responseLogprobs": true, "logprobs": 2}), vec![]),
        (json!({"modalities": ["text"]}), json!(null), vec![]),
        (
            json!({"modalities": ["text", "audio"], "audio": pcm}),
            json!({"responseModalities": ["AUDIO"], "speechConfig": voice}),
            vec![],
        ),
        (
            json!({"stop": ["a", "b"], "temperature": 0.3, "top_p": 0.9, "top_k": 5, "max_tokens": 8}),
            json!({"stopSequences": ["a", "b"], "temperature": 0.3, "topP": 0.9, "topK": 5, "maxOutputTokens": 8}),
            vec![],
        ),
        (json!({"response_format": {"type": "json_object"}}), json!({"responseMimeType": "application/json"}), vec![]),
        (json!({"response_format": {"type": "text"}}), json!(null), vec![]),
        (json!({"user": "u", "store": true, "metadata": {"a": "b"}}), json!(null), vec!["store", "metadata", "user"]),
    ] {
        let (body, notes) = written(&chat(given.clone()), &outgoing("gemini-2.5-flash"));
        assert_eq!(
            (&body["generationConfig"], notes),
            (&config, dropped.iter().map(|s| s.to_string()).collect()),
            "{given}"
        );
        assert!(body.get("model").is_none() && body.get("stream").is_none());
    }
    for (given, tier) in
        [("flex", json!("flex")), ("default", json!("standard")), ("auto", json!(null)), ("scale", json!(null))]
    {
        let (body, _) = written(&chat(json!({"service_tier": given})), &outgoing("gemini-2.5-flash"));
        assert_eq!(body["serviceTier"], tier);
    }
    let (body, _) = written(
        &chat(
            json!({"cachedContent": "cachedContents/1", "safety_settings": [1], "generationConfig": {"imageConfig": {}}}),
        ),
        &outgoing("gemini-2.5-flash"),
    );
    assert_eq!((&body["cachedContent"], &body["safetySettings"]), (&json!("cachedContents/1"), &json!([1])));
    assert_eq!(body["generationConfig"], json!({"imageConfig": {}}));
    for (given, param) in [
        (json!({"n": 9}), "n"),
        (json!({"stop": ["1", "2", "3", "4", "5", "6"]}), "stop"),
        (json!({"logit_bias": {"1": 2}}), "logit_bias"),
        (json!({"modalities": ["video"]}), "modalities"),
        (json!({"audio": {"voice": "alloy", "format": "mp3"}}), "audio.format"),
        (json!({"web_search_options": {}}), "web_search_options"),
        (json!({"response_format": {"type": "grammar"}}), "response_format"),
        (json!({"mcp_servers": [{}]}), "mcp_servers"),
    ] {
        assert_eq!(refused(&chat(given), "gemini-2.5-flash"), param);
    }
}

#[test]
fn what_a_provider_rejects_goes_wherever_it_stands() {
    let request = chat(json!({"service_tier": "flex", "seed": 7, "temperature": 1}));
    let rejects = ["serviceTier", "seed", "labels"];
    let (body, dropped) = written(&request, &Outgoing { rejects: &rejects, ..outgoing("gemini-2.5-flash") });
    assert_eq!((body.get("serviceTier"), &body["generationConfig"]), (None, &json!({"temperature": 1})));
    assert_eq!(dropped, ["serviceTier", "seed"]);
}

#[test]
fn a_schema_beside_tools_needs_a_newer_model() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let format = |strict: bool| json!({"type": "json_schema", "json_schema": {"name": "s", "description": "d", "strict": strict, "schema": {"type": "object"}}});
    let strict = chat(json!({"tools": tools, "response_format": format(true)}));
    assert_eq!(refused(&strict, "gemini-2.5-pro"), "response_format.json_schema.strict");
    let (body, _) = written(&strict, &outgoing("gemini-3-pro-preview"));
    let config = &body["generationConfig"];
    assert_eq!(config["responseMimeType"], "application/json");
    assert_eq!(config["responseJsonSchema"], json!({"type": "object", "description": "d"}));
    let (body, dropped) =
        written(&chat(json!({"tools": tools, "response_format": format(false)})), &outgoing("gemini-2.5-pro"));
    assert_eq!(dropped, ["response_format"]);
    let instruction = body["systemInstruction"]["parts"][0]["text"].as_str().unwrap();
    assert!(instruction.ends_with(r#"JSON Schema: {"type":"object"}"#), "{instruction}");
}

#[test]
fn addresses_pass_where_google_fetches_them() {
    let image = |url: &str| {
        let image = json!({"type": "image_url", "image_url": {"url": url}});
        chat(json!({"messages": [{"role": "user", "content": [image]}]}))
    };
    for (model, url, part) in [
        (
            "gemini-2.5-flash",
            "https://x.org/a.png?b",
            json!({"fileData": {"mimeType": "image/png", "fileUri": "https://x.org/a.png?b"}}),
        ),
        ("gemini-3-pro-preview", "https://x.org/a", json!({"fileData": {"fileUri": "https://x.org/a"}})),
        (
            "gemini-2.0-flash",
            "gs://b/a.jpg",
            json!({"fileData": {"mimeType": "image/jpeg", "fileUri": "gs://b/a.jpg"}}),
        ),
        (
            "gemini-2.0-flash",
            "https://youtu.be/1",
            json!({"fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/1"}}),
        ),
        (
            "gemini-2.0-flash",
            "data:image/jpg;base64,AA==",
            json!({"inlineData": {"mimeType": "image/jpeg", "data": "AA=="}}),
        ),
    ] {
        let (body, _) = written(&image(url), &outgoing(model));
        assert_eq!(body["contents"][0]["parts"][0], part, "{model} {url}");
    }
    for (model, url) in [
        ("gemini-2.0-flash", "https://x.org/a.png"),
        ("gemini-2.5-flash", "ftp://x"),
        ("gemini-2.5-flash", "data:image/png,x"),
    ] {
        assert_eq!(refused(&image(url), model), "messages[0].content[0]", "{url}");
    }
    let file = json!({"type": "file", "file": {"file_id": "file-1"}});
    let request = chat(json!({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [file]}]}));
    assert_eq!(refused(&request, "gemini-2.5-flash"), "messages[1].content[0]");
    let document = json!({"type": "document", "source": {"type": "url", "url": "https://x.org/paper"}});
    let (body, _) =
        written(&anthropic(json!([{"role": "user", "content": [document]}])), &outgoing("gemini-2.5-flash"));
    let expected = json!({"fileData": {"mimeType": "application/pdf", "fileUri": "https://x.org/paper"}});
    assert_eq!(body["contents"][0]["parts"][0], expected);
}

/// The parts of the turn after one call whose tool answered this.
fn answered(model: &str, content: Value, is_error: bool) -> Value {
    let call = json!({"type": "tool_use", "id": "a", "name": "f", "input": {}});
    let result = json!({"type": "tool_result", "tool_use_id": "a", "content": content, "is_error": is_error});
    let request = anthropic(
        json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": [call]}, {"role": "user", "content": [{"type": "text", "text": "and"}, result]}]),
    );
    written(&request, &outgoing(model)).0["contents"][2]["parts"].clone()
}

#[test]
fn tool_results_are_objects() {
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}});
    for (content, is_error, response) in [
        (json!("12"), false, json!({"output": "12"})),
        (json!(""), false, json!({"output": ""})),
        (json!("[1]"), false, json!({"output": "[1]"})),
        (json!(r#"{"b": 1, "a": [2.5]}"#), false, json!({"b": 1, "a": [2.5]})),
        (json!(r#"{"id": 12345678901234567890}"#), false, json!({"output": r#"{"id": 12345678901234567890}"#})),
        (json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), false, json!({"output": "a\nb"})),
        (json!("no"), true, json!({"error": "no"})),
        (json!(r#"{"a": 1}"#), true, json!({"error": r#"{"a": 1}"#})),
        (json!([]), true, json!({"error": "The tool failed."})),
        (
            json!([{"type": "tool_reference", "tool_name": "x"}]),
            false,
            json!({"type": "tool_reference", "tool_name": "x"}),
        ),
    ] {
        let parts = answered("gemini-2.5-flash", content.clone(), is_error);
        let expected = json!([{"functionResponse": {"id": "a", "name": "f", "response": response}}, {"text": "and"}]);
        assert_eq!(parts, expected, "{content}");
    }
    let inside = answered("gemini-3-pro-preview", json!([image]), false);
    assert_eq!(
        inside[0]["functionResponse"]["parts"],
        json!([{"inlineData": {"mimeType": "image/png", "data": "AA=="}}])
    );
    let beside = answered("gemini-2.5-flash", json!([image]), false);
    assert_eq!(beside[0]["functionResponse"]["response"], json!({"output": "[the content follows in this message]"}));
    assert_eq!(beside[2]["text"], "[content of the result of tool call a]");
    assert_eq!(beside[3]["inlineData"]["data"], "AA==");
}

#[test]
fn a_result_without_its_call_and_arguments_that_are_no_object_are_refused() {
    let result = json!({"role": "tool", "tool_call_id": "x", "content": "1"});
    assert_eq!(refused(&chat(json!({"messages": [result]})), "gemini-2.5-flash"), "messages[0].content[0]");
    for arguments in ["[1]", "{", "null"] {
        let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}});
        let messages = json!([{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}]);
        assert_eq!(refused(&chat(json!({"messages": messages})), "gemini-2.5-flash"), "messages[1].content[0]");
    }
    let system =
        json!({"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://x.org/a.png"}}]});
    assert_eq!(refused(&chat(json!({"messages": [system]})), "gemini-2.5-flash"), "messages[0].content[0]");
    assert_eq!(refused(&chat(json!({"messages": [{"role": "user", "content": ""}]})), "gemini-2.5-flash"), "messages");
}

fn thinking(text: &str, signature: Option<&str>) -> Part {
    Part::Thinking { text: text.into(), signature: signature.map(str::to_owned) }
}

fn call(id: &str, signature: Option<&str>) -> Part {
    let signature = signature.map(str::to_owned);
    Part::ToolCall(ToolCall { id: id.into(), name: "f".into(), arguments: "{}".into(), cache: None, signature })
}

fn words(text: &str) -> Part {
    Part::Text { text: text.into(), cache: None, citations: vec![] }
}

#[test]
fn signatures_stand_where_google_looks_for_them() {
    let call_part = |id: &str| json!({"functionCall": {"id": id, "name": "f", "args": {}}});
    let signed = |mut part: Value, signature: &str| {
        part["thoughtSignature"] = signature.into();
        part
    };
    let dummy = "skip_thought_signature_validator";
    for (model, parts, expected, dropped) in [
        // On the call itself; only the first of parallel calls must have one.
        (
            "gemini-3-pro-preview",
            vec![call("a", Some("gemini:S")), call("b", None)],
            json!([signed(call_part("a"), "S"), call_part("b")]),
            0,
        ),
        // Before the call or the text, as clients of other formats bring it back.
        (
            "gemini-3-pro-preview",
            vec![thinking("t", Some("gemini:S")), call("a", None)],
            json!([{"text": "t", "thought": true}, signed(call_part("a"), "S")]),
            0,
        ),
        (
            "gemini-2.5-pro",
            vec![thinking("", Some("gemini:S")), words("x")],
            json!([{"text": "x", "thoughtSignature": "S"}]),
            0,
        ),
        (
            "gemini-2.5-pro",
            vec![words("x"), thinking("", Some("gemini:S"))],
            json!([{"text": "x"}, {"text": "", "thoughtSignature": "S"}]),
            0,
        ),
        // Another model's call gets Google's own word for it, other vendors' reasoning goes.
        (
            "gemini-3-pro-preview",
            vec![thinking("t", Some("EqQB")), call("a", None)],
            json!([signed(call_part("a"), dummy)]),
            1,
        ),
        ("gemini-3-pro-preview", vec![call("a", Some("openai:1:xy"))], json!([signed(call_part("a"), dummy)]), 1),
        (
            "gemini-2.5-pro",
            vec![thinking("t", None), Part::RedactedThinking { data: "d".into() }, call("a", None)],
            json!([call_part("a")]),
            1,
        ),
    ] {
        let mut request = chat(json!({}));
        request.messages.push(Message { role: Role::Assistant, name: None, parts: parts.clone() });
        let (body, notes) = written(&request, &outgoing(model));
        assert_eq!(body["contents"][1]["parts"], expected, "{parts:?}");
        assert_eq!(notes.len(), dropped, "{notes:?}");
    }
}

#[test]
fn only_calls_of_the_current_turn_get_a_stand_in_signature() {
    let say = |role, part| Message { role, name: None, parts: vec![part] };
    let result = |id: &str| Part::ToolResult { id: id.into(), parts: vec![], is_error: false, cache: None };
    let mut request = chat(json!({}));
    for (id, text) in [("a", Some("again")), ("b", None), ("c", None)] {
        request.messages.push(say(Role::Assistant, call(id, None)));
        request.messages.push(say(Role::User, result(id)));
        if let Some(text) = text {
            request.messages.push(say(Role::Assistant, words("done")));
            request.messages.push(say(Role::User, words(text)));
        }
    }
    let (body, _) = written(&request, &outgoing("gemini-3-flash-preview"));
    let signed: Vec<bool> =
        [1, 5, 7].iter().map(|i| body["contents"][i]["parts"][0].get("thoughtSignature").is_some()).collect();
    assert_eq!(signed, [false, true, true]);
}

#[test]
fn instructions_alone_become_the_question() {
    let (body, dropped) =
        written(&chat(json!({"messages": [{"role": "system", "content": "Sing."}]})), &outgoing("gemini-2.5-flash"));
    assert_eq!(body, json!({"contents": [{"role": "user", "parts": [{"text": "Sing."}]}]}));
    assert_eq!(dropped, ["messages.role"]);
}

#[test]
fn both_spellings_are_read() {
    let snake = json!({
        "system_instruction": {"parts": [{"text": "s"}]},
        "contents": [{"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": "AA=="}}]},
            {"role": "model", "parts": [{"function_call": {"id": "1", "name": "f"}, "thought_signature": "S"}]},
            {"role": "function", "parts": [{"function_response": {"id": "1", "name": "f", "response": {"output": "x"}}}]}],
        "generation_config": {"max_output_tokens": 5, "top_k": 40.0, "stop_sequences": ["x"], "response_mime_type": "application/json",
            "response_schema": {"type": "STRING"}, "thinking_config": {"thinking_budget": 5, "include_thoughts": true}},
        "tools": [{"function_declarations": [{"name": "f", "parameters_json_schema": {"type": "object"}}]}, {"google_search": {}}],
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
        "safety_settings": [], "cached_content": "c"});
    let camel = json!({
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]},
            {"role": "model", "parts": [{"functionCall": {"id": "1", "name": "f"}, "thoughtSignature": "S"}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "1", "name": "f", "response": {"output": "x"}}}]}],
        "generationConfig": {"maxOutputTokens": 5, "topK": 40, "stopSequences": ["x"], "responseMimeType": "application/json",
            "responseSchema": {"type": "STRING"}, "thinkingConfig": {"thinkingBudget": 5, "includeThoughts": true}},
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "safetySettings": [], "cachedContent": "c"});
    let request = read_request(&camel).unwrap();
    assert_eq!(read_request(&snake), Ok(request.clone()));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".into())));
    assert_eq!(request.reasoning, Some(Reasoning::Budget(5)));
    assert_eq!((request.top_k, request.max_tokens), (Some(40), Some(5)));
    assert_eq!(request.messages[2].parts[0], call("1", Some("gemini:S")));
    let extra: Vec<&String> = request.extra.keys().collect();
    assert_eq!(extra, ["safetySettings", "cachedContent"]);
    assert_eq!(request.tools[1].builtin, Some(json!({"googleSearch": {}})));
}

#[test]
fn results_without_ids_answer_the_open_calls_of_their_name() {
    let call = |name: &str, n: u64| json!({"functionCall": {"name": name, "args": {"n": n}}});
    let result = |name: &str| json!({"functionResponse": {"name": name, "response": {"error": "no"}}});
    let request = read_request(&json!({"contents": [{"parts": [{"text": "x"}]},
        {"role": "model", "parts": [call("f", 1), call("g", 2), call("f", 3)]},
        {"parts": [result("f"), result("g"), result("f"), result("h")]}]}))
    .unwrap();
    let ids: Vec<&str> =
        request.messages[1].parts.iter().map(|p| if let Part::ToolCall(c) = p { c.id.as_str() } else { "" }).collect();
    assert_eq!(ids, ["call_t1_0", "call_t1_1", "call_t1_2"]);
    let answered: Vec<(&str, bool)> = request.messages[2]
        .parts
        .iter()
        .map(|p| if let Part::ToolResult { id, is_error, .. } = p { (id.as_str(), *is_error) } else { ("", false) })
        .collect();
    assert_eq!(answered, [(ids[0], true), (ids[1], true), (ids[2], true), ("h", true)]);
}

#[test]
fn a_turn_that_was_streamed_is_put_together() {
    let parts = json!([{"text": "I ", "thought": true}, {"text": "think", "thought": true}, {"text": "", "thoughtSignature": "YW50aHJvcGljOkVxUUI="},
        {"text": "Hel"}, {"text": "lo"}, {"text": "", "thought": true, "thoughtSignature": "cmVkYWN0ZWQ6ZA=="}]);
    let request = read_request(&json!({"contents": [{"role": "model", "parts": parts}]})).unwrap();
    let expected = vec![thinking("I think", Some("EqQB")), words("Hello"), Part::RedactedThinking { data: "d".into() }];
    assert_eq!(request.messages[0].parts, expected);
}

#[test]
fn mistakes_are_named() {
    for (body, param) in [
        (json!([]), ""),
        (json!({}), "contents"),
        (json!({"contents": []}), "contents"),
        (json!({"contents": "x"}), "contents"),
        (json!({"contents": [5]}), "contents[0]"),
        (json!({"contents": [{"role": "system", "parts": []}]}), "contents[0].role"),
        (json!({"contents": [{"parts": "x"}]}), "contents[0].parts"),
        (json!({"contents": [{"parts": [{"text": 5}]}]}), "contents[0].parts[0].text"),
        (json!({"contents": [{"parts": [{"functionCall": {}}]}]}), "contents[0].parts[0].functionCall.name"),
        (
            json!({"contents": [{"parts": [{"functionCall": {"name": "f", "args": []}}]}]}),
            "contents[0].parts[0].functionCall.args",
        ),
        (
            json!({"contents": [{"parts": [{"functionResponse": {"name": "f", "response": 5}}]}]}),
            "contents[0].parts[0].functionResponse.response",
        ),
        (json!({"contents": {}, "generationConfig": {"topK": -1}}), "generationConfig.topK"),
        (json!({"contents": {}, "generationConfig": {"stop_sequences": [1]}}), "generationConfig.stopSequences[0]"),
        (json!({"contents": {}, "tools": [{"functionDeclarations": [{}]}]}), "tools[0].functionDeclarations[0].name"),
    ] {
        assert_eq!(read_request(&body).unwrap_err().param, param, "{body}");
    }
}

#[test]
fn bytes_in_the_alphabet_for_urls_are_read_as_others_write_them() {
    for (data, usual) in [("_-A", "/+A="), ("AA", "AA=="), ("+/AA", "+/AA"), ("", "")] {
        let blob = json!({"inlineData": {"mimeType": "image/png", "data": data}});
        let request = read_request(&json!({"contents": [{"role": "user", "parts": [blob]}]})).unwrap();
        let source = Source::Base64 { media_type: "image/png".to_owned(), data: usual.to_owned() };
        assert_eq!(request.messages[0].parts, [Part::Image { source, detail: None, cache: None }], "{data}");
    }
}

#[test]
fn what_stands_beside_results_does_not_end_the_turn_of_calls() {
    let call =
        |id: &str| json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": {}}]});
    let answer = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "1"});
    let request = anthropic(json!([
        {"role": "user", "content": "go"},
        call("a"),
        {"role": "user", "content": [answer("a"), {"type": "text", "text": "a reminder"}]},
        call("b"),
        {"role": "user", "content": [answer("b")]},
    ]));
    let (body, _) = written(&request, &outgoing("gemini-3-pro-preview"));
    for turn in [1, 3] {
        let signature = &body["contents"][turn]["parts"][0]["thoughtSignature"];
        assert_eq!(signature, "skip_thought_signature_validator", "{turn}");
    }
}
