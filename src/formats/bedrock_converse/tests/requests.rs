use super::{CLAUDE, chat, written};
use crate::formats::Format::{AnthropicMessages, BedrockConverse, OpenAiChat};
use crate::formats::bedrock_converse::{read_request, write_request};
use crate::formats::canonical::{Part, Reasoning, Role};
use crate::testing::test;
use serde_json::{Value, json};

const NOVA2: &str = "us.amazon.nova-2-lite-v1:0";
const LLAMA: &str = "us.meta.llama4-maverick-17b-instruct-v1:0";

/// The same request for a model, with what it drops.
fn ask(model: &str, more: Value) -> (Value, Vec<String>) {
    written(OpenAiChat, model, chat(more)).unwrap()
}

#[test]
fn sampling_goes_where_the_model_wants_it() {
    let cases = [
        (CLAUDE, json!({"temperature": 0.5}), json!({"temperature": 0.5}), json!(null), vec![]),
        (CLAUDE, json!({"temperature": 1.7}), json!({"temperature": 1}), json!(null), vec!["temperature"]),
        (CLAUDE, json!({"temperature": 0.5, "top_p": 0.9}), json!({"temperature": 0.5}), json!(null), vec!["top_p"]),
        (CLAUDE, json!({"temperature": 1, "top_p": 0.9}), json!({"topP": 0.9}), json!(null), vec![]),
        (CLAUDE, json!({"top_k": 5}), json!(null), json!({"top_k": 5}), vec![]),
        (NOVA2, json!({"top_k": 5}), json!(null), json!({"inferenceConfig": {"topK": 5}}), vec![]),
        ("cohere.command-r-v1:0", json!({"top_k": 5}), json!(null), json!({"k": 5}), vec![]),
        (LLAMA, json!({"top_k": 5, "top_p": 0.9}), json!({"topP": 0.9}), json!(null), vec!["top_k"]),
        (
            LLAMA,
            json!({"temperature": 0.5, "top_p": 0.9}),
            json!({"temperature": 0.5, "topP": 0.9}),
            json!(null),
            vec![],
        ),
        (
            CLAUDE,
            json!({"max_tokens": 7, "stop": ["a", " "]}),
            json!({"maxTokens": 7, "stopSequences": ["a"]}),
            json!(null),
            vec!["stop"],
        ),
        (
            "us.anthropic.claude-opus-4-7",
            json!({"temperature": 0.5, "top_p": 0.9}),
            json!(null),
            json!(null),
            vec!["temperature", "top_p"],
        ),
    ];
    for (model, more, inference, own, dropped) in cases {
        let (body, notes) = ask(model, more.clone());
        assert_eq!(body["inferenceConfig"], inference, "{model} {more}");
        assert_eq!(body["additionalModelRequestFields"], own, "{model} {more}");
        assert_eq!(notes, dropped, "{model} {more}");
        assert!(body.get("model").is_none() && body.get("stream").is_none());
    }
}

#[test]
fn reasoning_is_asked_for_in_the_vendors_words() {
    let none = json!(null);
    let cases = [
        (
            CLAUDE,
            json!({"reasoning_effort": "medium"}),
            json!({"thinking": {"type": "enabled", "budget_tokens": 2048}}),
            vec![],
        ),
        (
            CLAUDE,
            json!({"reasoning_effort": "high", "max_tokens": 2000}),
            json!({"thinking": {"type": "enabled", "budget_tokens": 1999}}),
            vec![],
        ),
        (CLAUDE, json!({"reasoning_effort": "high", "max_tokens": 1000}), none.clone(), vec!["reasoning_effort"]),
        (CLAUDE, json!({"reasoning_effort": "none"}), none.clone(), vec![]),
        (
            "us.anthropic.claude-sonnet-4-6",
            json!({"reasoning_effort": "xhigh"}),
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
            vec![],
        ),
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            json!({"reasoning_effort": "low"}),
            none.clone(),
            vec!["reasoning_effort"],
        ),
        (
            NOVA2,
            json!({"reasoning_effort": "low"}),
            json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
            vec![],
        ),
        (
            NOVA2,
            json!({"reasoning_effort": "high"}),
            json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
            vec![],
        ),
        (
            NOVA2,
            json!({"reasoning_effort": "high", "max_tokens": 99}),
            json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}),
            vec!["reasoning_effort"],
        ),
        (NOVA2, json!({"reasoning_effort": "minimal"}), none.clone(), vec![]),
        ("amazon.nova-pro-v1:0", json!({"reasoning_effort": "low"}), none.clone(), vec!["reasoning_effort"]),
        ("openai.gpt-oss-120b-1:0", json!({"reasoning_effort": "xhigh"}), json!({"reasoning_effort": "high"}), vec![]),
        ("openai.gpt-oss-120b-1:0", json!({"reasoning_effort": "minimal"}), json!({"reasoning_effort": "low"}), vec![]),
        (
            "openai.gpt-5.6-luna",
            json!({"reasoning_effort": "minimal"}),
            json!({"reasoning": {"effort": "low"}}),
            vec![],
        ),
        ("openai.gpt-5.6-luna", json!({"reasoning_effort": "none"}), json!({"reasoning": {"effort": "none"}}), vec![]),
        ("deepseek.v3-v1:0", json!({"reasoning_effort": "medium"}), json!({"reasoning_effort": "medium"}), vec![]),
        ("deepseek.v3-v1:0", json!({"reasoning_effort": "none"}), none.clone(), vec![]),
        ("us.deepseek.r1-v1:0", json!({"reasoning_effort": "medium"}), none.clone(), vec!["reasoning_effort"]),
        (LLAMA, json!({"reasoning_effort": "medium"}), none.clone(), vec!["reasoning_effort"]),
    ];
    for (model, more, own, dropped) in cases {
        let (body, notes) = ask(model, more.clone());
        assert_eq!(body["additionalModelRequestFields"], own, "{model} {more}");
        assert_eq!(notes, dropped, "{model} {more}");
    }
    // Thinking excludes a forced call and sampling.
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let (body, notes) = ask(CLAUDE, json!({"reasoning_effort": "low", "tools": tools, "tool_choice": "required"}));
    assert_eq!((&body["additionalModelRequestFields"], notes), (&json!(null), vec!["reasoning_effort".to_owned()]));
    let (body, notes) = ask(CLAUDE, json!({"reasoning_effort": "low", "temperature": 0.2}));
    assert_eq!((&body["inferenceConfig"], notes), (&json!(null), vec!["temperature".to_owned()]));
}

#[test]
fn structured_output() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let format = |strict: Value| json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": schema, "strict": strict}}});
    let (body, notes) = ask(CLAUDE, format(json!(true)));
    let found = &body["outputConfig"]["textFormat"];
    assert_eq!(found["type"], "json_schema");
    let found = &found["structure"]["jsonSchema"];
    assert_eq!((&found["name"], &found["description"]), (&json!("n"), &json!("d")));
    let text: Value = serde_json::from_str(found["schema"].as_str().unwrap()).unwrap();
    assert_eq!(text["additionalProperties"], false);
    assert!(notes.is_empty());
    // Nova has no schemas: an instruction, or a refusal.
    let (body, notes) = ask(NOVA2, format(json!(null)));
    assert!(body["system"][0]["text"].as_str().unwrap().contains("\"properties\""));
    assert_eq!(notes, ["response_format"]);
    let refused = written(OpenAiChat, NOVA2, chat(format(json!(true))));
    assert_eq!(refused, Err("response_format.json_schema.strict".to_owned()));
    let (body, notes) = ask(CLAUDE, json!({"response_format": {"type": "json_object"}}));
    assert!(body["system"][0]["text"].as_str().unwrap().contains("JSON object"));
    assert_eq!(notes, ["response_format"]);
}

#[test]
fn tools_and_choices() {
    let tools = json!([{"type": "function", "function": {"name": "f", "description": "", "strict": true}}]);
    let spec = json!({"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}, "additionalProperties": false}}, "strict": true});
    for (choice, expected) in [
        (json!(null), json!(null)),
        (json!("auto"), json!({"auto": {}})),
        (json!("required"), json!({"any": {}})),
        (json!({"type": "function", "function": {"name": "f"}}), json!({"tool": {"name": "f"}})),
    ] {
        let (body, notes) = ask(CLAUDE, json!({"tools": tools, "tool_choice": choice}));
        assert_eq!(body["toolConfig"]["tools"], json!([{"toolSpec": spec}]));
        assert_eq!(body["toolConfig"]["toolChoice"], expected, "{choice}");
        assert!(notes.is_empty());
    }
    let (body, _) = ask(CLAUDE, json!({"tools": tools, "tool_choice": "none"}));
    assert!(body.get("toolConfig").is_none());
    let (body, notes) = ask(CLAUDE, json!({"tools": tools, "parallel_tool_calls": false}));
    let own = json!({"tool_choice": {"type": "auto", "disable_parallel_tool_use": true}});
    assert_eq!((&body["additionalModelRequestFields"], notes.len()), (&own, 0));
    let (_, notes) = ask(LLAMA, json!({"tools": tools, "parallel_tool_calls": false}));
    assert_eq!(notes, ["strict", "parallel_tool_calls"]);
}

#[test]
fn a_history_of_calls_keeps_its_tools() {
    let history = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": ""},
    ]);
    for more in [
        json!({}),
        json!({"tool_choice": "none", "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}]}),
    ] {
        let mut body = chat(more);
        body["messages"] = history.clone();
        let (found, notes) = written(OpenAiChat, CLAUDE, body).unwrap();
        let tools = found["toolConfig"]["tools"].as_array().unwrap();
        assert_eq!((tools.len(), &tools[0]["toolSpec"]["name"]), (1, &json!("f")));
        assert!(tools[0]["toolSpec"]["description"].as_str().unwrap().contains("Do not call"));
        assert!(found["toolConfig"].get("toolChoice").is_none() && notes.is_empty());
        let result = json!({"toolResult": {"toolUseId": "c1", "content": [{"text": "(empty)"}], "status": "success"}});
        assert_eq!(found["messages"][2], json!({"role": "user", "content": [result]}));
    }
}

#[test]
fn turns_alternate_and_begin_with_the_user() {
    let body = json!({"model": "m", "messages": [
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "A"},
        {"role": "system", "content": "S"},
        {"role": "user", "content": [{"type": "text", "text": " "}, {"type": "text", "text": "B"}]},
        {"role": "assistant", "content": "Go on: "},
    ]});
    let (found, notes) = written(OpenAiChat, CLAUDE, body).unwrap();
    let expected = json!([
        {"role": "user", "content": [{"text": "Continue."}]},
        {"role": "assistant", "content": [{"text": "Hello"}]},
        {"role": "user", "content": [{"text": "A"}, {"text": "B"}]},
        {"role": "assistant", "content": [{"text": "Go on:"}]},
    ]);
    assert_eq!((&found["messages"], &found["system"]), (&expected, &json!([{"text": "S"}])));
    assert_eq!(notes, ["messages"]);
    // Instructions alone are the question.
    let body = json!({"model": "m", "messages": [{"role": "system", "content": "S"}]});
    let (found, _) = written(OpenAiChat, CLAUDE, body).unwrap();
    assert_eq!(found["messages"], json!([{"role": "user", "content": [{"text": "S"}]}]));
    assert!(found.get("system").is_none());
}

#[test]
fn media() {
    let image = |url: &str| json!([{"type": "image_url", "image_url": {"url": url}}]);
    let file = |name: &str, data: &str| json!([{"type": "file", "file": {"filename": name, "file_data": data}}]);
    let audio = json!([{"type": "input_audio", "input_audio": {"format": "wav", "data": "AAAA"}}]);
    let ask = |model: &str, content: Value| {
        written(OpenAiChat, model, json!({"model": "m", "messages": [{"role": "user", "content": content}]}))
            .map(|(body, _)| body["messages"][0]["content"].clone())
    };
    let at = Err("messages[0].content[0]".to_owned());
    let cases = [
        (
            CLAUDE,
            image("data:image/jpg;base64,AAAA"),
            Ok(json!([{"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}}])),
        ),
        (
            CLAUDE,
            image("s3://bucket/a.PNG"),
            Ok(json!([{"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.PNG"}}}}])),
        ),
        (CLAUDE, image("https://example.com/a.png"), at.clone()),
        (CLAUDE, image("data:image/bmp;base64,AAAA"), at.clone()),
        (CLAUDE, image("data:image/png,AAAA"), at.clone()),
        (
            CLAUDE,
            file("My_report: v2.pdf", "data:application/pdf;base64,AAAA"),
            Ok(
                json!([{"document": {"format": "pdf", "name": "My report v2 pdf", "source": {"bytes": "AAAA"}}}, {"text": "My report v2 pdf"}]),
            ),
        ),
        (
            CLAUDE,
            file("a.xlsx", "data:application/octet-stream;base64,AAAA"),
            Ok(
                json!([{"document": {"format": "xlsx", "name": "a xlsx", "source": {"bytes": "AAAA"}}}, {"text": "a xlsx"}]),
            ),
        ),
        (CLAUDE, file("a.bin", "data:application/octet-stream;base64,AAAA"), at.clone()),
        (CLAUDE, audio.clone(), at.clone()),
        ("mistral.voxtral-mini-3b-2507", audio, Ok(json!([{"audio": {"format": "wav", "source": {"bytes": "AAAA"}}}]))),
    ];
    for (model, content, expected) in cases {
        assert_eq!(ask(model, content.clone()), expected, "{content}");
    }
    // Two documents have two names.
    let twice = json!([{"type": "text", "text": "x"}, file("a.pdf", "data:application/pdf;base64,AAAA")[0], file("a.pdf", "data:application/pdf;base64,BBBB")[0]]);
    let found = ask(CLAUDE, twice).unwrap();
    assert_eq!((&found[1]["document"]["name"], &found[2]["document"]["name"]), (&json!("a pdf"), &json!("a pdf 2")));
}

#[test]
fn cache_marks_become_points_where_the_model_knows_them() {
    let body = |ttl: Value| {
        let mark = |ttl: &Value| {
            if ttl.is_null() { json!({"type": "ephemeral"}) } else { json!({"type": "ephemeral", "ttl": ttl}) }
        };
        json!({
            "model": "m", "max_tokens": 9,
            "system": [{"type": "text", "text": "S", "cache_control": mark(&ttl)}],
            "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark(&ttl)}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": mark(&ttl)}]}],
        })
    };
    let point = json!({"cachePoint": {"type": "default"}});
    let long = json!({"cachePoint": {"type": "default", "ttl": "1h"}});
    let cases = [
        (CLAUDE, json!(null), Some(&point), Some(&point), vec![]),
        (CLAUDE, json!("5m"), Some(&point), Some(&point), vec![]),
        (CLAUDE, json!("1h"), Some(&long), Some(&long), vec![]),
        (
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            json!("1h"),
            Some(&point),
            Some(&point),
            vec!["cache_control.ttl"],
        ),
        (NOVA2, json!(null), Some(&point), None, vec!["cache_control"]),
        (LLAMA, json!(null), None, None, vec!["cache_control"]),
    ];
    for (model, ttl, here, tools, dropped) in cases {
        let (found, notes) = written(AnthropicMessages, model, body(ttl.clone())).unwrap();
        assert_eq!(found["system"].get(1), here, "{model} {ttl}");
        assert_eq!(found["messages"][0]["content"].get(1), here, "{model} {ttl}");
        assert_eq!(found["toolConfig"]["tools"].get(1), tools, "{model} {ttl}");
        assert_eq!(notes, dropped, "{model} {ttl}");
    }
}

#[test]
fn a_cache_point_stays_behind_its_result() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "text", "text": "and"},
            {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": "no", "cache_control": {"type": "ephemeral"}},
        ]},
    ], "tools": [{"name": "f", "input_schema": {"type": "object"}}]});
    let (found, _) = written(AnthropicMessages, CLAUDE, body).unwrap();
    let expected = json!([
        {"toolResult": {"toolUseId": "t1", "content": [{"text": "no"}], "status": "error"}},
        {"cachePoint": {"type": "default"}},
        {"text": "and"},
    ]);
    assert_eq!(found["messages"][2]["content"], expected);
}

#[test]
fn reasoning_goes_back_to_its_maker_only() {
    let body = |signature: &str| {
        json!({"model": "m", "max_tokens": 9, "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "T", "signature": signature},
                {"type": "redacted_thinking", "data": "EqQB"},
                {"type": "text", "text": "a"},
            ]},
            {"role": "user", "content": "r"},
        ]})
    };
    let thinking =
        |signature: &str| json!({"reasoningContent": {"reasoningText": {"text": "T", "signature": signature}}});
    let redacted = json!({"reasoningContent": {"redactedContent": "RXFRQg=="}});
    let cases = [
        (CLAUDE, "ErUB", json!([thinking("ErUB"), redacted, {"text": "a"}]), vec![]),
        (CLAUDE, "bedrock:x", json!([redacted, {"text": "a"}]), vec!["thinking"]),
        (CLAUDE, "gemini:x", json!([redacted, {"text": "a"}]), vec!["thinking"]),
        (CLAUDE, "", json!([redacted, {"text": "a"}]), vec!["thinking"]),
        (NOVA2, "bedrock:x", json!([thinking("x"), {"text": "a"}]), vec!["thinking"]),
        (NOVA2, "ErUB", json!([{"text": "a"}]), vec!["thinking"]),
    ];
    for (model, signature, expected, dropped) in cases {
        let (found, notes) = written(AnthropicMessages, model, body(signature)).unwrap();
        assert_eq!(found["messages"][1]["content"], expected, "{model} {signature}");
        assert_eq!(notes, dropped, "{model} {signature}");
    }
}

#[test]
fn what_would_change_the_answer_is_refused() {
    let cases = [
        (json!({"n": 2}), "n"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"top_logprobs": 3}), "top_logprobs"),
        (json!({"logit_bias": {"1": 5}}), "logit_bias"),
        (json!({"modalities": ["audio"]}), "modalities"),
        (json!({"audio": {"voice": "x"}}), "audio"),
        (json!({"web_search_options": {"a": 1}}), "web_search_options"),
        (json!({"tools": [{"type": "web_search"}]}), "tools[0]"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]}),
            "messages[0].content[0]",
        ),
        (
            json!({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "[1]"}}]}]}),
            "messages[1].tool_calls",
        ),
    ];
    for (more, param) in cases {
        assert_eq!(written(OpenAiChat, CLAUDE, chat(more.clone())), Err(param.to_owned()), "{more}");
    }
    let mcp = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}], "mcp_servers": [{"url": "x"}]});
    assert_eq!(written(AnthropicMessages, CLAUDE, mcp), Err("mcp_servers".to_owned()));
}

#[test]
fn what_only_steers_is_noted_and_own_parameters_pass() {
    let (body, notes) = ask(
        CLAUDE,
        json!({
            "seed": 1, "frequency_penalty": 0, "presence_penalty": 0.5, "user": "u", "store": false, "n": 1,
            "service_tier": "priority", "metadata": {"team": "blue", "odd": "ü"}, "logit_bias": {},
            "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
            "performanceConfig": {"latency": "optimized"},
        }),
    );
    assert_eq!(notes, ["seed", "presence_penalty", "metadata", "user"]);
    assert_eq!(body["serviceTier"], json!({"type": "priority"}));
    assert_eq!(body["requestMetadata"], json!({"team": "blue"}));
    assert_eq!(body["guardrailConfig"]["guardrailIdentifier"], "g");
    assert_eq!(body["performanceConfig"]["latency"], "optimized");
    let (body, notes) = ask(CLAUDE, json!({"service_tier": "auto"}));
    assert!(body.get("serviceTier").is_none() && notes.is_empty());
}

#[test]
fn what_the_provider_rejects_is_left_out() {
    let request = OpenAiChat.read_request(&chat(json!({"temperature": 0.5, "top_k": 3}))).unwrap();
    let outgoing =
        crate::formats::Outgoing { model: CLAUDE, default_max_tokens: 1, rejects: &["temperature", "top_k"] };
    let written = write_request(&request, &outgoing).unwrap();
    assert_eq!(written.dropped, ["temperature", "top_k"]);
    assert!(!String::from_utf8(written.body).unwrap().contains("temperature"));
}

#[test]
fn long_ids_stay_apart_and_find_their_results() {
    let (one, two) = (format!("{}1", "x".repeat(70)), format!("{}2", "x".repeat(70)));
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": ""}});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "r"});
    let messages = json!([{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [call(&one), call(&two), call("a b")]}, result(&one), result(&two), result("a b")]);
    let (found, _) = written(OpenAiChat, CLAUDE, chat(json!({"messages": messages}))).unwrap();
    let ids = |turn: usize, kind: &str| -> Vec<String> {
        let blocks = found["messages"][turn]["content"].as_array().unwrap();
        blocks.iter().map(|b| b[kind]["toolUseId"].as_str().unwrap().to_owned()).collect()
    };
    let calls = ids(1, "toolUse");
    assert_eq!(calls, ids(2, "toolResult"));
    assert!(calls.iter().all(|id| id.len() <= 64) && calls[0] != calls[1]);
    assert_eq!(calls[2], "a_b");
}

#[test]
fn requests_are_read() {
    let body = json!({
        "system": [{"text": "S"}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": [
                {"text": "T"},
                {"image": {"format": "png", "source": {"bytes": "AAAA"}}}, {"cachePoint": {"type": "default"}},
                {"document": {"format": "md", "name": "d", "source": {"bytes": "BBBB"}}},
                {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/k"}}}},
                {"audio": {"format": "mp3", "source": {"bytes": "CCCC"}}},
            ]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "status": "error", "content": [{"json": {"x": 2}}, {"text": "y"}]}}]},
        ],
        "inferenceConfig": {"maxTokens": 5, "temperature": 0.1, "topP": 0.2, "stopSequences": ["z"]},
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}, {"cachePoint": {"type": "default"}}], "toolChoice": {"any": {}}},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "top_k": 9, "x": 1},
        "guardrailConfig": {"guardrailIdentifier": "g"},
    });
    let request = read_request(&body).unwrap();
    assert_eq!(request.messages[0].role, Role::System);
    let marked =
        Part::Text { text: "S".into(), cache: Some(json!({"type": "ephemeral", "ttl": "1h"})), citations: vec![] };
    assert_eq!(request.messages[0].parts, [marked]);
    let kinds: Vec<String> = request.messages[1]
        .parts
        .iter()
        .map(|p| format!("{p:?}").split([' ', '(']).next().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["Text", "Image", "Document", "Unknown", "Audio"]);
    assert!(matches!(&request.messages[1].parts[1], Part::Image { cache: Some(_), .. }));
    assert!(matches!(&request.messages[2].parts[0], Part::ToolCall(call) if call.arguments == r#"{"a":1}"#));
    assert!(
        matches!(&request.messages[3].parts[0], Part::ToolResult { is_error: true, parts, .. } if parts.len() == 2)
    );
    assert_eq!((request.max_tokens, request.top_k), (Some(5), Some(9)));
    assert_eq!(request.reasoning, Some(Reasoning::Budget(1024)));
    assert_eq!(request.extra["additionalModelRequestFields"], json!({"x": 1}));
    assert!(request.extra.contains_key("guardrailConfig") && request.tools[0].cache.is_some());
}

#[test]
fn wrong_requests_say_where() {
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let cases = [
        (json!([]), ""),
        (json!({}), "messages"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": "x"}), "messages"),
        (json!({"messages": [1]}), "messages[0]"),
        (json!({"messages": [{"role": "tool", "content": []}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content"),
        (user(json!("Hi")), "messages[0].content"),
        (user(json!([{"text": 1}])), "messages[0].content[0].text"),
        (user(json!([{"image": {"format": "png"}}])), "messages[0].content[0].image.source"),
        (user(json!([{"toolUse": {"name": "f"}}])), "messages[0].content[0].toolUse.toolUseId"),
        (
            user(json!([{"toolResult": {"toolUseId": "t", "content": "x"}}])),
            "messages[0].content[0].toolResult.content",
        ),
        (
            json!({"messages": [{"role": "user", "content": []}], "inferenceConfig": {"maxTokens": 0}}),
            "inferenceConfig.maxTokens",
        ),
        (
            json!({"messages": [{"role": "user", "content": []}], "inferenceConfig": {"stopSequences": [1]}}),
            "inferenceConfig.stopSequences[0]",
        ),
        (
            json!({"messages": [{"role": "user", "content": []}], "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}}),
            "toolConfig.tools[0].toolSpec.inputSchema.json",
        ),
        (
            json!({"messages": [{"role": "user", "content": []}], "toolConfig": {"tools": [], "toolChoice": {"x": {}}}}),
            "toolConfig.toolChoice",
        ),
        (
            json!({"messages": [{"role": "user", "content": []}], "outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "{"}}}}}),
            "outputConfig.textFormat.structure.jsonSchema.schema",
        ),
    ];
    for (body, param) in cases {
        assert_eq!(BedrockConverse.read_request(&body).map_err(|error| error.param), Err(param.to_owned()), "{body}");
    }
}

#[test]
fn results_hold_what_the_model_takes() {
    let said = |model: &str, result: Value| {
        let body = json!({"model": "m", "max_tokens": 9, "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {"role": "user", "content": [result]},
        ]});
        let (body, dropped) = written(AnthropicMessages, model, body).unwrap();
        (body["messages"][2]["content"][0]["toolResult"].clone(), dropped)
    };
    let result = |more: Value| {
        let mut result = json!({"type": "tool_result", "tool_use_id": "t"});
        result.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        result
    };
    let reference = json!({"type": "tool_reference", "tool_name": "g"});
    let failed = result(json!({"is_error": true}));
    let none: Vec<String> = vec![];
    for (model, given, text, status, dropped) in [
        (NOVA2, result(json!({"content": "1"})), "1".to_owned(), json!("success"), none.clone()),
        (LLAMA, result(json!({"content": "1"})), "1".to_owned(), json!(null), none.clone()),
        (LLAMA, failed.clone(), "The tool failed.".to_owned(), json!(null), vec!["is_error".to_owned()]),
        (CLAUDE, failed, "The tool failed.".to_owned(), json!("error"), none.clone()),
        (CLAUDE, result(json!({"content": [reference]})), reference.to_string(), json!("success"), none),
    ] {
        let (found, notes) = said(model, given);
        assert_eq!((&found["content"], &found["status"]), (&json!([{"text": text}]), &status), "{model}");
        assert_eq!(notes, dropped, "{model}");
    }
}

#[test]
fn schemas_keep_to_what_can_be_held() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]});
    let format = json!({"type": "json_schema", "json_schema": {"name": "r", "strict": true, "schema": schema}});
    let (found, notes) = ask(CLAUDE, json!({"response_format": format}));
    let held = found["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"].as_str().unwrap();
    let held: Value = serde_json::from_str(held).unwrap();
    assert_eq!(held["properties"]["n"], json!({"type": "integer", "description": "(minimum: 1)"}));
    assert_eq!(notes, ["response_format.schema"]);
}

#[test]
fn novas_schemas_say_no_more_than_it_takes() {
    let inner = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"a": inner},
        "required": ["a"],
        "additionalProperties": false,
    });
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": schema}}]);
    let said = |model| {
        ask(model, json!({"tools": tools})).0["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"].clone()
    };
    assert_eq!(
        said("us.amazon.nova-pro-v1:0"),
        json!({"type": "object", "properties": {"a": inner}, "required": ["a"]})
    );
    assert_eq!(said(CLAUDE), schema);
}
