//! Both client formats to both provider formats, unary and streaming, whatever way the bytes are cut.

use crate::support::*;
use conduit_wasm::{Answer, Ending, Exchange, Teardown};
use serde_json::{Value, json};

pub const OPENAI_ANSWER: &str = r#"{ "id":"chatcmpl-1", "object":"chat.completion","created":1,"model":"gpt-4o-2024-08-06",
 "choices":[{"index":0,"message":{"role":"assistant","content":"Grüß dich","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],
 "usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":0}},"x_new":1.50 }"#;

const OPENAI_TOOL_ANSWER: &str = r#"{"id":"chatcmpl-2","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,
 "message":{"role":"assistant","content":null,"tool_calls":[
  {"id":"call_a","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Köln\"}"}},
  {"id":"call_b","type":"function","function":{"name":"time","arguments":"{}"}}]},
 "finish_reason":"tool_calls"}],"usage":{"prompt_tokens":50,"completion_tokens":20,"total_tokens":70}}"#;

pub const ANTHROPIC_ANSWER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929",
 "content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,
 "usage":{"input_tokens":8,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":3}}"#;

const ANTHROPIC_TOOL_ANSWER: &str = r#"{"id":"msg_2","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929",
 "content":[{"type":"text","text":"Let me see."},{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Köln"}}],
 "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":40,"output_tokens":30}}"#;

/// A chunk of an OpenAI stream.
fn chunk(delta: Value, finish: Value) -> String {
    let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
    let chunk = json!({"id": "chatcmpl-3", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
        "choices": [choice], "usage": null});
    format!("data: {chunk}\n\n")
}

pub fn openai_sse() -> String {
    let mut text = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
    for part in ["Grüß", " dich", " 👋"] {
        text += &chunk(json!({"content": part}), Value::Null);
    }
    text += &chunk(
        json!({"tool_calls": [{"index": 0, "id": "call_a", "type": "function",
        "function": {"name": "weather", "arguments": ""}}]}),
        Value::Null,
    );
    for part in ["{\"ci", "ty\":\"Kö", "ln\"}"] {
        text += &chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}), Value::Null);
    }
    text += &chunk(json!({}), json!("tool_calls"));
    let usage = json!({"id": "chatcmpl-3", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
        "choices": [], "usage": {"prompt_tokens": 21, "completion_tokens": 12, "total_tokens": 33}});
    text + &format!("data: {usage}\n\ndata: [DONE]\n\n")
}

pub fn anthropic_sse() -> String {
    let events = [
        json!({"type": "message_start", "message": {"id": "msg_3", "type": "message", "role": "assistant",
            "model": "claude-sonnet-4-5-20250929", "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": 21, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grüß"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " dich 👋"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1,
            "content_block": {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ""}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"city\":"}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "\"Köln\"}"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {"output_tokens": 12}}),
        json!({"type": "message_stop"}),
    ];
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}

/// Sizes of parts to try for a body of that length: every byte alone, odd cuts, all at once.
fn sizes(length: usize) -> Vec<usize> {
    vec![length, 1, 2, 3, 7, 64, length.div_ceil(2)]
}

#[test]
fn an_openai_request_to_openai_keeps_every_byte_but_the_model() {
    let mut vm = vm();
    let body = r#"{ "messages" : [{"role":"user","content":"hi\u00e9 é"}], "model": "openai/gpt-4o" ,"temperature":0.50,"x_unknown":{"a":[1 , 2]}}"#;
    for size in sizes(body.len()) {
        for ending in [Ending::WithLast, Ending::Empty, Ending::Trailers] {
            for teardown in [Teardown::GatewayFirst, Teardown::UpstreamFirst] {
                let answer = Answer::json("openai", 200, OPENAI_ANSWER).parts(size).ending(ending);
                let exchange = chat(body).parts(size).ending(ending).teardown(teardown).answer(answer);
                let outcome = exchange.run(&mut vm);
                let record = record(&mut vm, &outcome);
                let request = &outcome.sent[0].request;
                assert_eq!(request.text(), body.replace("openai/gpt-4o", "gpt-4o"));
                for (name, want) in [
                    (":method", "POST"),
                    (":path", "/v1/chat/completions"),
                    (":authority", "api.openai.com"),
                    ("authorization", "Bearer key-of-openai"),
                    ("content-type", "application/json"),
                ] {
                    assert_eq!(request.header(name).as_deref(), Some(want), "{name}");
                }
                for (name, value) in request.headers.iter().flat_map(|map| map.pairs()) {
                    assert!(!name.starts_with("x-conduit"), "{name}: {value:?} left the gateway");
                }
                assert_eq!(outcome.client.status(), 200);
                assert_eq!(outcome.client.text(), OPENAI_ANSWER, "the answer's bytes");
                for (name, want) in [("x-conduit-target", "openai/gpt-4o"), ("x-conduit-attempts", "1")] {
                    assert_eq!(outcome.client.header(name).as_deref(), Some(want), "{name}");
                }
                assert!(outcome.client.header("x-conduit-tokens").is_some());
                assert!(outcome.client.header("x-conduit-cost-usd").is_some_and(|usd| usd.parse::<f64>().is_ok()));
                assert!(outcome.client.header("x-conduit-answered").is_none(), "an internal header left the gateway");
                assert_eq!(record["outcome"], "ok");
                assert_eq!(record["target"], "openai/gpt-4o");
                assert_eq!(record["attempts"][0]["status"], 200);
            }
        }
    }
}

#[test]
fn a_stream_in_the_clients_format_goes_through_and_its_usage_is_hidden_from_who_did_not_ask() {
    let mut vm = vm();
    let sse = openai_sse();
    for include in [false, true] {
        let mut body =
            json!({"model": "openai/gpt-4o", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
        if include {
            body["stream_options"] = json!({"include_usage": true});
        }
        let mut first = None;
        for size in sizes(sse.len()) {
            for ending in [Ending::WithLast, Ending::Empty, Ending::Trailers] {
                let answer = Answer::sse("openai", &sse).parts(size).ending(ending);
                let outcome = chat(body.to_string()).answer(answer).run(&mut vm);
                let record = record(&mut vm, &outcome);
                let sent = parse(&outcome.sent[0].request.body());
                assert_eq!(sent["stream_options"]["include_usage"], true, "usage is always asked for");
                let text = outcome.client.text();
                let said = openai_stream(&text);
                assert_eq!(said.text, "Grüß dich 👋");
                assert_eq!(said.tools, [("weather".to_owned(), json!({"city": "Köln"}))]);
                assert_eq!(said.stop, "tool_calls");
                assert_eq!(said.usage.is_null(), !include, "size {size}");
                assert_eq!(first.get_or_insert_with(|| text.clone()), &text, "the cuts changed the stream");
                assert!(outcome.client.header("content-length").is_none());
                assert_eq!(record["outcome"], "ok");
                assert_eq!(record["stream"], true);
                assert_eq!(usage(&record), (Some(21), Some(12)), "{record}");
            }
        }
    }
}

/// Prompt and completion tokens of a record.
pub fn usage(record: &Value) -> (Option<u64>, Option<u64>) {
    let usage = &record["usage"];
    let first = |names: [&str; 2]| names.iter().find_map(|name| usage[*name].as_u64());
    (first(["prompt", "prompt_tokens"]), first(["completion", "completion_tokens"]))
}

fn openai_tools_request(stream: bool) -> String {
    json!({
        "model": "anthropic/claude-sonnet-4-5", "stream": stream, "max_tokens": 99, "temperature": 0.5,
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Bonn\"}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "rain"},
            {"role": "user", "content": "And Köln?"}],
        "tools": [{"type": "function", "function": {"name": "weather", "description": "d",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}],
        "tool_choice": "auto"
    })
    .to_string()
}

#[track_caller]
fn anthropic_got_it(exchange: &conduit_wasm::stream::Sent) {
    let request = &exchange.request;
    for (name, want) in [
        (":path", "/v1/messages"),
        (":authority", "api.anthropic.com"),
        ("x-api-key", "key-of-anthropic"),
        ("anthropic-version", "2023-06-01"),
    ] {
        assert_eq!(request.header(name).as_deref(), Some(want), "{name}");
    }
    assert_eq!(request.header("authorization"), None);
    let sent = parse(&request.body());
    assert_eq!(sent["model"], "claude-sonnet-4-5");
    assert_eq!(sent["max_tokens"], 99);
    assert!(sent["system"].to_string().contains("Be kind."), "{sent}");
    assert_eq!(sent["tools"][0]["name"], "weather");
    assert_eq!(sent["tools"][0]["input_schema"]["properties"]["city"]["type"], "string");
    let roles: Vec<_> = sent["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user"], "results and the next question are one turn: {sent}");
    assert_eq!(sent["messages"][1]["content"].as_array().unwrap().last().unwrap()["input"], json!({"city": "Bonn"}));
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "c1");
}

#[test]
fn an_openai_client_reaches_anthropic() {
    let mut vm = vm();
    for size in sizes(ANTHROPIC_TOOL_ANSWER.len()) {
        let answer = Answer::json("anthropic", 200, ANTHROPIC_TOOL_ANSWER).parts(size);
        let outcome = chat(openai_tools_request(false)).answer(answer).run(&mut vm);
        let record = record(&mut vm, &outcome);
        anthropic_got_it(&outcome.sent[0]);
        let answer = parse(&outcome.client.body());
        assert_eq!(answer["object"], "chat.completion");
        let message = &answer["choices"][0]["message"];
        assert_eq!(message["content"], "Let me see.");
        assert_eq!(message["tool_calls"][0]["id"], "toolu_1");
        let arguments = message["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
        assert_eq!(parse(arguments.as_bytes()), json!({"city": "Köln"}));
        assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(answer["usage"], json!({"prompt_tokens": 40, "completion_tokens": 30, "total_tokens": 70}));
        assert_eq!(usage(&record), (Some(40), Some(30)), "{record}");
    }
}

#[test]
fn an_openai_client_streams_from_anthropic() {
    let mut vm = vm();
    let sse = anthropic_sse();
    let mut first = None;
    for size in sizes(sse.len()) {
        for ending in [Ending::WithLast, Ending::Empty, Ending::Trailers] {
            let answer = Answer::sse("anthropic", &sse).parts(size).ending(ending);
            let outcome = chat(openai_tools_request(true)).answer(answer).run(&mut vm);
            let record = record(&mut vm, &outcome);
            anthropic_got_it(&outcome.sent[0]);
            let said = openai_stream(&outcome.client.text());
            assert_eq!(said.text, "Grüß dich 👋");
            assert_eq!(said.tools, [("weather".to_owned(), json!({"city": "Köln"}))]);
            assert_eq!(said.stop, "tool_calls");
            assert_eq!(said.usage, Value::Null, "the client did not ask for usage");
            assert_eq!(usage(&record), (Some(21), Some(12)), "{record}");
            assert_eq!(first.get_or_insert_with(|| said.text.clone()), &said.text);
        }
    }
}

fn anthropic_tools_request(stream: bool) -> String {
    json!({
        "model": "openai/gpt-4o", "max_tokens": 99, "stream": stream, "system": "Be kind.",
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Bonn"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "rain"}]}],
        "tools": [{"name": "weather", "description": "d",
            "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}],
        "tool_choice": {"type": "auto"}
    })
    .to_string()
}

#[track_caller]
fn openai_got_it(exchange: &conduit_wasm::stream::Sent) {
    let request = &exchange.request;
    for (name, want) in
        [(":path", "/v1/chat/completions"), (":authority", "api.openai.com"), ("authorization", "Bearer key-of-openai")]
    {
        assert_eq!(request.header(name).as_deref(), Some(want), "{name}");
    }
    for name in ["x-api-key", "anthropic-version"] {
        assert_eq!(request.header(name), None, "{name}");
    }
    let sent = parse(&request.body());
    assert_eq!(sent["model"], "gpt-4o");
    assert_eq!(sent["messages"][0], json!({"role": "system", "content": "Be kind."}));
    let call = &sent["messages"][2]["tool_calls"][0];
    assert_eq!((&call["id"], &call["function"]["name"]), (&json!("t1"), &json!("weather")));
    assert_eq!(sent["messages"][3]["role"], "tool");
    assert_eq!(sent["messages"][3]["tool_call_id"], "t1");
    assert_eq!(sent["tools"][0]["function"]["parameters"]["properties"]["city"]["type"], "string");
}

#[test]
fn an_anthropic_client_reaches_openai() {
    let mut vm = vm();
    for size in sizes(OPENAI_TOOL_ANSWER.len()) {
        let answer = Answer::json("openai", 200, OPENAI_TOOL_ANSWER).parts(size);
        let outcome = messages(anthropic_tools_request(false)).answer(answer).run(&mut vm);
        let record = record(&mut vm, &outcome);
        openai_got_it(&outcome.sent[0]);
        let answer = parse(&outcome.client.body());
        assert_eq!((&answer["type"], &answer["role"]), (&json!("message"), &json!("assistant")));
        let tools: Vec<_> = answer["content"].as_array().unwrap().iter().filter(|b| b["type"] == "tool_use").collect();
        assert_eq!(tools.len(), 2, "{answer}");
        assert_eq!(tools[0]["input"], json!({"city": "Köln"}));
        assert_eq!((&tools[1]["id"], &tools[1]["input"]), (&json!("call_b"), &json!({})));
        assert_eq!(answer["stop_reason"], "tool_use");
        assert_eq!((&answer["usage"]["input_tokens"], &answer["usage"]["output_tokens"]), (&json!(50), &json!(20)));
        assert_eq!(usage(&record), (Some(50), Some(20)), "{record}");
    }
}

#[test]
fn an_anthropic_client_streams_from_openai() {
    let mut vm = vm();
    let sse = openai_sse();
    for size in sizes(sse.len()) {
        for ending in [Ending::WithLast, Ending::Empty, Ending::Trailers] {
            let answer = Answer::sse("openai", &sse).parts(size).ending(ending);
            let outcome = messages(anthropic_tools_request(true)).answer(answer).run(&mut vm);
            let record = record(&mut vm, &outcome);
            openai_got_it(&outcome.sent[0]);
            let said = anthropic_stream(&outcome.client.text());
            assert_eq!(said.text, "Grüß dich 👋");
            assert_eq!(said.tools, [("weather".to_owned(), json!({"city": "Köln"}))]);
            assert_eq!(said.stop, "tool_use");
            assert_eq!(said.usage["output_tokens"], 12, "{:?}", said.usage);
            assert_eq!(usage(&record), (Some(21), Some(12)), "{record}");
        }
    }
}

#[test]
fn an_anthropic_client_reaches_anthropic_byte_for_byte() {
    let mut vm = vm();
    let body = r#"{"model":"anthropic/claude-sonnet-4-5" ,"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}],"thinking":{"type":"disabled"}}"#;
    let answer = Answer::json("anthropic", 200, ANTHROPIC_ANSWER).parts(5);
    let outcome =
        messages(body).header("anthropic-beta", "fine-grained-tool-streaming-2025-05-14").answer(answer).run(&mut vm);
    let record_ = record(&mut vm, &outcome);
    let request = &outcome.sent[0].request;
    assert_eq!(request.text(), body.replace("anthropic/claude", "claude"));
    assert_eq!(request.header("anthropic-beta").as_deref(), Some("fine-grained-tool-streaming-2025-05-14"));
    assert_eq!(outcome.client.text(), ANTHROPIC_ANSWER);
    // Anthropic's input tokens exclude what came from the cache.
    assert_eq!(usage(&record_), (Some(13), Some(3)), "{record_}");

    let sse = anthropic_sse();
    let streamed = body.replacen('{', r#"{"stream":true,"#, 1);
    for size in sizes(sse.len()) {
        let outcome = messages(&streamed).answer(Answer::sse("anthropic", &sse).parts(size)).run(&mut vm);
        let record = record(&mut vm, &outcome);
        assert_eq!(outcome.client.text(), sse);
        assert_eq!(usage(&record), (Some(21), Some(12)), "{record}");
    }
}

#[test]
fn what_streams_is_not_held_back() {
    use conduit_wasm::filter::Frame;
    use conduit_wasm::stream::Stream;
    let mut vm = vm();
    for (path, provider, model, sse) in [
        ("/v1/chat/completions", "openai", "openai/gpt-4o", openai_sse()),
        ("/v1/chat/completions", "anthropic", "anthropic/claude-sonnet-4-5", anthropic_sse()),
        ("/v1/messages", "openai", "openai/gpt-4o", openai_sse()),
        ("/v1/messages", "anthropic", "anthropic/claude-sonnet-4-5", anthropic_sse()),
    ] {
        let body =
            json!({"model": model, "stream": true, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
        let mut stream = Stream::begin(&mut vm, Teardown::default(), true);
        for frame in Exchange::post(path, body.to_string()).frames() {
            stream.client_sends(&mut vm, frame);
        }
        stream.attempt(&mut vm, provider);
        for frame in Answer::sse(provider, "").frames().into_iter().take(1) {
            let Frame::Headers(map, _) = frame else { unreachable!() };
            stream.provider_sends(&mut vm, Frame::Headers(map, false), false);
        }
        assert!(stream.client.headers.is_none(), "a provider that dies now leaves the request to the next target");
        for event in sse.split_inclusive("\n\n") {
            let before = stream.client.body().len();
            stream.provider_sends(&mut vm, Frame::Data(event.as_bytes().to_vec(), false), false);
            let went = stream.client.body().len() > before;
            assert!(went || !event.contains("Grüß"), "{path} from {provider}: text is held back");
        }
        stream.provider_sends(&mut vm, Frame::Data(Vec::new(), true), false);
        assert!(stream.client.ended);
        stream.end(&mut vm);
    }
}
