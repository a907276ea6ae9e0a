//! The mock providers over a real socket.
#![cfg(not(target_family = "wasm"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects
)]

#[path = "mock/azure.rs"]
mod azure;
#[path = "mock/bedrock.rs"]
mod bedrock;
#[path = "mock/bill.rs"]
mod bill;
#[path = "mock/client.rs"]
mod client;
#[path = "mock/coding.rs"]
mod coding;
#[path = "mock/gemini.rs"]
mod gemini;
#[path = "mock/hosted.rs"]
mod hosted;
#[path = "mock/media.rs"]
mod media;
#[path = "mock/responses.rs"]
mod responses;

use client::{Answer, Mock, exchange, weather, with};
use conduit::cli::mock::{Options, Script};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn ask(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

#[test]
fn openai_echoes_with_usage() {
    let mock = Mock::new();
    let answer = mock.openai(&[], &ask("gpt-4o", "Hello"));
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let json = answer.json();
    assert_eq!(json["object"], "chat.completion");
    assert_eq!(json["choices"][0]["message"]["content"], "You said: Hello");
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    let usage = |name: &str| json["usage"][name].as_u64().unwrap();
    assert!(usage("prompt_tokens") > 0 && usage("completion_tokens") > 0);
    assert_eq!(usage("total_tokens"), usage("prompt_tokens") + usage("completion_tokens"));
    assert_eq!(mock.get("/mock/bill")["prompt_tokens"], json["usage"]["prompt_tokens"]);
}

#[test]
fn openai_streams_the_same_answer() {
    let mock = Mock::new();
    let body = with(ask("gpt-4o", "Hello there"), json!({"stream": true}));
    let plain = mock.openai(&[], &body);
    assert!(plain.whole && plain.body.ends_with("data: [DONE]\n\n"), "{plain:?}");
    assert!(plain.events().iter().all(|event| event.get("usage").is_none()));
    let pieces: Vec<Value> = plain.events().iter().map(|e| e["choices"][0]["delta"]["content"].clone()).collect();
    assert!(pieces.len() > 4, "{pieces:?}");
    assert_eq!(pieces.iter().filter_map(Value::as_str).collect::<String>(), "You said: Hello there");
    assert_eq!(plain.events()[0]["choices"][0]["delta"]["role"], "assistant");

    let counted = mock.openai(&[], &with(body, json!({"stream_options": {"include_usage": true}})));
    let last = counted.events().pop().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert!(last["usage"]["completion_tokens"].as_u64().unwrap() > 0);
}

#[test]
fn openai_calls_tools_and_quotes_their_results() {
    let mock = Mock::new();
    let function = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": weather()}});
    let tools = json!({"tools": [function("get_weather"), function("get_time")]});
    let body = with(ask("gpt-4o", "In parallel, please"), tools);
    let choice = mock.openai(&[], &body).json()["choices"][0].clone();
    assert_eq!(choice["finish_reason"], "tool_calls");
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2);
    let arguments: Value = serde_json::from_str(calls[0]["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"city": "Paris"}));

    let streamed = mock.openai(&[], &with(body.clone(), json!({"stream": true})));
    let mut names = Vec::new();
    let mut said = [String::new(), String::new()];
    for event in streamed.events() {
        for call in event["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            names.extend(call["function"]["name"].as_str().map(str::to_owned));
            let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            said[index] += call["function"]["arguments"].as_str().unwrap();
        }
    }
    assert_eq!(names, ["get_weather", "get_time"]);
    assert_eq!(said, [r#"{"city":"Paris"}"#; 2]);

    let mut messages = body["messages"].as_array().unwrap().clone();
    messages.push(choice["message"].clone());
    let result = |call: &Value| json!({"role": "tool", "tool_call_id": call["id"], "content": "21 degrees"});
    let all: Vec<Value> = messages.iter().cloned().chain(calls.iter().map(result)).collect();
    let answer = mock.openai(&[], &with(body.clone(), json!({"messages": all}))).json();
    assert_eq!(answer["choices"][0]["message"]["content"], "The tool says: 21 degrees");

    messages.push(result(&calls[0]));
    let refused = mock.openai(&[], &with(body, json!({"messages": messages})));
    assert_eq!(refused.status, 400);
    for part in ["must be followed by tool messages", calls[1]["id"].as_str().unwrap()] {
        assert!(refused.body.contains(part), "{}", refused.body);
    }
}

#[test]
fn openai_fills_schemas_and_counts_reasoning() {
    let mock = Mock::new();
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": weather()}});
    let json = mock.openai(&[], &with(ask("gpt-4o", "Hi"), json!({"response_format": format}))).json();
    assert_eq!(json["choices"][0]["message"]["content"], r#"{"city":"Paris"}"#);
    let usage = |model| mock.openai(&[], &ask(model, "Hi")).json()["usage"]["completion_tokens_details"].clone();
    assert_eq!(usage("gpt-4o")["reasoning_tokens"], 0);
    assert!(usage("o3")["reasoning_tokens"].as_u64().unwrap() > 0);
}

#[test]
fn anthropic_answers_whole_and_streamed() {
    let mock = Mock::new();
    let body = with(ask("claude-sonnet-4-5", "Hello"), json!({"max_tokens": 100}));
    let json = mock.anthropic(&body).json();
    assert_eq!(json["content"], json!([{"type": "text", "text": "You said: Hello"}]));
    assert_eq!(json["stop_reason"], "end_turn");
    let streamed = mock.anthropic(&with(body, json!({"stream": true})));
    let events = streamed.events();
    let kinds: Vec<&str> = events.iter().filter_map(|e| e["type"].as_str()).collect();
    assert_eq!(kinds[..3], ["message_start", "content_block_start", "ping"]);
    assert_eq!(kinds[kinds.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
    let text: String = events.iter().filter_map(|e| e["delta"]["text"].as_str()).collect();
    assert_eq!(text, "You said: Hello");
    let names: Vec<&str> = streamed.body.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names, kinds);
    let last = events.iter().find(|e| e["type"] == "message_delta").unwrap();
    assert_eq!(last["usage"]["output_tokens"], json["usage"]["output_tokens"]);
}

#[test]
fn anthropic_thinks_and_calls_tools() {
    let mock = Mock::new();
    let thinking = json!({"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}});
    let json = mock.anthropic(&with(ask("c", "Hello"), thinking)).json();
    assert_eq!(json["content"][0]["type"], "thinking");
    assert!(!json["content"][0]["signature"].as_str().unwrap().is_empty());

    let tool = json!({"name": "get_weather", "input_schema": weather()});
    let forced = json!({"max_tokens": 100, "tools": [tool], "tool_choice": {"type": "any"}});
    let body = with(ask("c", "Hello"), forced);
    let json = mock.anthropic(&body).json();
    assert_eq!((&json["stop_reason"], &json["content"][0]["input"]), (&json!("tool_use"), &json!({"city": "Paris"})));
    let turn = |content: Value| {
        let messages = json!([
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": json["content"]},
            {"role": "user", "content": content}
        ]);
        mock.anthropic(&with(body.clone(), json!({"messages": messages, "tool_choice": {"type": "auto"}})))
    };
    let id = &json["content"][0]["id"];
    let answer = turn(json!([{"type": "tool_result", "tool_use_id": id, "content": "21"}])).json();
    assert_eq!(answer["content"][0]["text"], "The tool says: 21");
    let refused = turn(json!("never mind"));
    assert!(
        refused.status == 400 && refused.body.contains("messages.1: `tool_use` ids were found without"),
        "{}",
        refused.body
    );

    let two = |id: &str| json!([{"type": "tool_use", "id": id, "name": "get_weather", "input": {}}]);
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "21"});
    let turns = |results: Value| {
        let messages = json!([
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": two("a")},
            {"role": "assistant", "content": two("b")},
            {"role": "user", "content": results},
        ]);
        mock.anthropic(&with(body.clone(), json!({"messages": messages, "tool_choice": {"type": "auto"}})))
    };
    assert_eq!(turns(json!([result("a"), result("b")])).status, 200);
    assert!(turns(json!([result("a")])).body.contains("immediately after: b."));
    assert!(turns(json!([result("a"), result("b"), result("c")])).body.contains("unexpected `tool_use_id`"));
}

#[test]
fn each_vendor_refuses_in_its_own_words() {
    let mock = Mock::new();
    let key: &[_] = &[("authorization", "Bearer k")];
    let wrong: &[_] = &[("authorization", "Bearer invalid")];
    let ours: &[_] = &[("x-api-key", "k"), ("anthropic-version", "2023-06-01")];
    let (chat, messages) = ("/v1/chat/completions", "/v1/messages");
    let good = ask("m", "Hi");
    let from = |role: &str| json!({"model": "m", "max_tokens": 9, "messages": [{"role": role, "content": "x"}]});
    let cases = [
        (chat, &[][..], good.clone(), 401, "You didn't provide an API key"),
        (chat, wrong, good.clone(), 401, "invalid_api_key"),
        (chat, key, json!({"messages": []}), 400, "you must provide a model parameter"),
        (chat, key, json!({"model": "m"}), 400, "missing_required_parameter"),
        (chat, key, json!({"model": "m", "messages": "Hi"}), 400, "invalid_type"),
        (chat, key, json!({"model": "m", "messages": []}), 400, "empty_array"),
        (chat, key, from("narrator"), 400, "Invalid value: 'narrator'"),
        (chat, key, with(good.clone(), json!({"system": "x"})), 400, "Unrecognized request argument supplied: system"),
        (chat, key, with(good.clone(), json!({"stream_options": {}})), 400, "only allowed when 'stream' is enabled"),
        (chat, key, with(good.clone(), json!({"temperature": 3})), 400, "temperature"),
        ("/v1/unknown", key, json!({}), 404, "Invalid URL (POST /v1/unknown)"),
        (
            chat,
            key,
            with(good.clone(), json!({"stop": ["a", "b", "c", "d", "e"]})),
            400,
            "maximum length 4, but got an array with length 5",
        ),
        (chat, key, with(good.clone(), json!({"n": 0})), 400, "integer_below_min_value"),
        (chat, key, with(good.clone(), json!({"presence_penalty": 3})), 400, "decimal_above_max_value"),
        (chat, key, with(good.clone(), json!({"top_logprobs": 2})), 400, "only allowed when 'logprobs' is enabled"),
        (
            chat,
            key,
            with(good.clone(), json!({"model": "o3", "max_tokens": 9})),
            400,
            "Use 'max_completion_tokens' instead",
        ),
        (chat, key, with(good.clone(), json!({"model": "gpt-5", "temperature": 0.5})), 400, "does not support 0.5"),
        (
            chat,
            key,
            with(good.clone(), json!({"response_format": {"type": "json_object"}})),
            400,
            "must contain the word 'json'",
        ),
        (messages, &ours[1..], good.clone(), 401, "authentication_error"),
        (messages, &ours[..1], good.clone(), 400, "anthropic-version: header is required"),
        (messages, ours, good.clone(), 400, "max_tokens: Field required"),
        (messages, ours, from("system"), 400, "Unexpected role"),
        (messages, ours, with(from("user"), json!({"stream_options": {}})), 400, "Extra inputs are not permitted"),
        (messages, ours, with(from("user"), json!({"temperature": 1.5})), 400, "temperature: range: 0..1"),
    ];
    for (path, headers, body, status, part) in cases {
        let answer = mock.send("POST", path, headers, &body.to_string()).unwrap();
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
        let json = answer.json();
        assert!(answer.body.contains(part) && json["error"]["message"].is_string(), "{path} {body}: {}", answer.body);
        assert_eq!(json.get("type").is_some(), path == messages, "{}", answer.body);
    }
    for (path, headers, part) in [(chat, key, "could not parse the JSON body"), (messages, ours, "not valid JSON")] {
        let answer = mock.send("POST", path, headers, "{\"model\": ").unwrap();
        assert!(answer.status == 400 && answer.body.contains(part), "{}", answer.body);
    }
    assert_eq!(mock.send("GET", chat, key, "").unwrap().status, 405);
}

#[test]
fn faults_come_from_the_model_and_from_headers() {
    let mock = Mock::new();
    let limited = mock.openai(&[], &ask("gpt-4o+status=429+retry-after=7", "Hi"));
    assert_eq!((limited.status, limited.header("retry-after")), (429, "7"));
    assert_eq!(mock.openai(&[("x-mock-status", "503")], &ask("gpt-4o", "Hi")).status, 503);
    let overloaded = mock.anthropic(&with(ask("c+status=529", "Hi"), json!({"max_tokens": 9})));
    assert!(overloaded.status == 529 && overloaded.body.contains("overloaded_error"), "{}", overloaded.body);

    let begun = Instant::now();
    assert_eq!(mock.openai(&[("x-mock-delay-ms", "150")], &ask("gpt-4o", "Hi")).status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(150));

    let said = |model: &str| mock.openai(&[], &ask(model, "Hi")).json()["choices"][0]["message"]["content"].clone();
    assert_eq!(said("gpt-4o+text=Bonjour"), "Bonjour");
    assert_eq!(said("gpt-4o+tokens=3"), "word word word");
    let json = mock.openai(&[], &ask("gpt-4o+cached=2", "Hi")).json();
    assert_eq!(
        (&json["usage"]["prompt_tokens_details"]["cached_tokens"], &json["model"]),
        (&json!(2), &json!("gpt-4o"))
    );
    assert!(mock.openai(&[], &ask("gpt-4o+no-usage", "Hi")).json().get("usage").is_none());
    assert_eq!(mock.openai(&[("x-mock-frob", "1")], &ask("gpt-4o", "Hi")).status, 400);
}

#[test]
fn a_fault_can_pass() {
    let mock = Mock::new();
    let status = |_| mock.openai(&[], &ask("gpt-4o+status=503+times=2", "Hi")).status;
    assert_eq!((0..4).map(status).collect::<Vec<_>>(), [503, 503, 200, 200]);
}

#[test]
fn streams_break_as_asked() {
    let mock = Mock::new();
    let stream = |fault: &str| -> Answer {
        mock.openai(&[], &with(ask(&format!("gpt-4o+{fault}"), "Hi"), json!({"stream": true})))
    };
    let cut = stream("cut=300");
    assert!(!cut.whole && cut.body.len() == 300, "{cut:?}");
    let early = stream("end-early");
    assert!(early.whole && !early.body.contains("[DONE]") && !early.body.contains("\"stop\""), "{early:?}");
    let failed = stream("error-in-stream");
    assert!(failed.events().last().unwrap()["error"]["message"].is_string(), "{failed:?}");
    let garbage = stream("garbage");
    assert!(garbage.whole && garbage.body.contains("{not json"), "{garbage:?}");
    let begun = Instant::now();
    assert!(stream("drip=20").whole);
    assert!(begun.elapsed() >= Duration::from_millis(80));

    let unary = mock.openai(&[], &ask("gpt-4o+cut=10", "Hi"));
    assert!(!unary.whole && unary.body.len() == 10, "{unary:?}");
    let body = ask("gpt-4o+hangup", "Hi").to_string();
    assert!(mock.send("POST", "/v1/chat/completions", &[("authorization", "Bearer k")], &body).is_none());
    let claude = with(ask("c+error-in-stream", "Hi"), json!({"max_tokens": 9, "stream": true}));
    assert_eq!(mock.anthropic(&claude).events().last().unwrap()["error"]["type"], "overloaded_error");
}

#[test]
fn the_log_keeps_requests_without_their_secrets() {
    let mock = Mock::new();
    mock.openai(&[], &ask("gpt-4o", "Hi"));
    let seen = mock.get("/mock/requests");
    assert_eq!(seen.as_array().unwrap().len(), 1);
    assert_eq!((&seen[0]["path"], &seen[0]["body"]), (&json!("/v1/chat/completions"), &ask("gpt-4o", "Hi")));
    let shown = seen[0]["headers"]["authorization"].as_str().unwrap();
    assert!(shown.starts_with("Bearer sha256:") && !seen.to_string().contains("sk-test"), "{shown}");
    mock.send("DELETE", "/mock/requests", &[], "").unwrap();
    assert_eq!((mock.get("/mock/requests"), &mock.get("/mock/bill")["requests"]), (json!([]), &json!(0)));
}

#[test]
fn smaller_endpoints_answer() {
    let mock = Mock::new();
    let key = [("authorization", "Bearer k")];
    let post = |path: &str, body: Value| mock.send("POST", path, &key, &body.to_string()).unwrap().json();
    let vectors = post("/v1/embeddings", json!({"model": "e", "input": ["a", "b"], "dimensions": 3}));
    assert_eq!(vectors["data"].as_array().unwrap().len(), 2);
    assert_eq!(vectors["data"][1]["embedding"].as_array().unwrap().len(), 3);
    let encoded = post("/v1/embeddings", json!({"model": "e", "input": "a", "encoding_format": "base64"}));
    assert_eq!(encoded["data"][0]["embedding"].as_str().unwrap().len(), 1_536 * 4 / 3 * 4);
    assert_eq!(post("/v1/completions", json!({"model": "m", "prompt": "Hi"}))["choices"][0]["text"], "You said: Hi");
    assert_eq!(mock.get("/openai/v1/models")["object"], "list");
    let ours = [("x-api-key", "k"), ("anthropic-version", "2023-06-01")];
    let body = ask("c", "Hi").to_string();
    let counted = mock.send("POST", "/v1/messages/count_tokens", &ours, &body).unwrap().json();
    assert!(counted["input_tokens"].as_u64().unwrap() > 0);
    assert_eq!(mock.send("GET", "/v1/models", &ours, "").unwrap().json()["has_more"], false);
}

#[test]
fn options_apply_to_every_request() {
    let mock = Mock::with(Options { fail: Some(500), ..Options::default() });
    assert_eq!(mock.openai(&[], &ask("gpt-4o", "Hi")).status, 500);
    let open = Mock::with(Options { open: true, ..Options::default() });
    let answer = open.send("POST", "/v1/chat/completions", &[], &ask("m", "Hi").to_string()).unwrap();
    assert_eq!(answer.status, 200);
    let line = r#"{"match": {"text": "stream it"}, "headers": {"x-a": "b"}, "sse": [{"event": "ping", "data": 1}, "raw\n\n"]}"#;
    let scripted = Mock::with(Options { script: Script::read(line).unwrap(), ..Options::default() });
    let answer = scripted.openai(&[], &ask("m", "stream it"));
    assert_eq!((answer.body.as_str(), answer.header("x-a")), ("event: ping\ndata: 1\n\nraw\n\n", "b"));
    assert!(scripted.openai(&[], &ask("m", "else")).body.contains("You said: else"));
}

#[test]
fn many_connections_are_served_at_once_and_kept() {
    let mock = Mock::new();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let stream = TcpStream::connect(mock.at).unwrap();
                let body = ask("gpt-4o+delay=100", "Hi").to_string();
                for _ in 0..2 {
                    let headers = [("authorization", "Bearer k")];
                    let answer = exchange(&stream, "POST", "/v1/chat/completions", &headers, &body).unwrap();
                    assert_eq!(answer.status, 200);
                }
            });
        }
    });
    // One after the other they would take 20 seconds.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(mock.get("/mock/bill")["requests"], 200);
}
