//! What the scripts share: a configuration, a VM, and readers of the two streaming formats.

use conduit_wasm::state::Metric;
use conduit_wasm::{Exchange, Outcome, Setup, Vm};
use serde_json::{Map, Value};

pub const CONFIG: &str = r#"
version: 1
max_body: 16KiB
providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
  anthropic: {api_key: "${ANTHROPIC_API_KEY}"}
  house: {kind: openai-compatible, url: "http://127.0.0.1:8000/base/v1"}
models:
  house/small: {tokenizer: llama3, price: {input: 0.10, output: 0.30}}
aliases:
  smart: [anthropic/claude-sonnet-4-5, openai/gpt-4o]
routing:
  default: smart
"#;

/// The credential that clients send; it must never reach a provider.
pub const CLIENT_KEY: &str = "client-credential-4711";

pub fn setup(config: &str) -> Setup {
    Setup::new(config).env("OPENAI_API_KEY", "key-of-openai").env("ANTHROPIC_API_KEY", "key-of-anthropic")
}

pub fn vm() -> Vm {
    let mut vm = setup(CONFIG).start();
    assert!(vm.accepted, "{:?}", vm.log(0));
    vm
}

pub fn chat(body: impl AsRef<[u8]>) -> Exchange {
    Exchange::post("/v1/chat/completions", body).header("authorization", &format!("Bearer {CLIENT_KEY}"))
}

pub fn messages(body: impl AsRef<[u8]>) -> Exchange {
    Exchange::post("/v1/messages", body).header("x-api-key", CLIENT_KEY).header("anthropic-version", "2023-06-01")
}

/// What must hold after every exchange; gives its record.
pub fn record(vm: &mut Vm, outcome: &Outcome) -> Value {
    assert_eq!(vm.metric("conduit_exchanges"), Some(Metric::Gauge(0)), "exchanges left in the table");
    assert!(vm.host().contexts.is_empty());
    assert_eq!(vm.log(4), Vec::<String>::new());
    no_client_credential(outcome);
    parse(outcome.state("conduit.record").expect("one record").as_bytes())
}

pub fn no_client_credential(outcome: &Outcome) {
    for sent in &outcome.sent {
        for (name, value) in sent.request.headers.iter().flat_map(|map| map.pairs()) {
            let value = String::from_utf8_lossy(value);
            assert!(!value.contains(CLIENT_KEY), "{name}: {value} reached {}", sent.provider);
        }
    }
}

#[track_caller]
pub fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(bytes)))
}

/// The events of a stream: name (may be empty) and data.
#[track_caller]
pub fn events(text: &str) -> Vec<(String, String)> {
    assert!(
        text.is_empty() || text.ends_with("\n\n"),
        "the stream is cut: …{:?}",
        &text[text.len().saturating_sub(80)..]
    );
    let mut events = Vec::new();
    for block in text.split("\n\n").filter(|block| !block.is_empty()) {
        let (mut name, mut data) = (String::new(), Vec::new());
        for line in block.lines() {
            match line.split_once(':') {
                Some(("event", value)) => name = value.trim_start().to_owned(),
                Some(("data", value)) => data.push(value.strip_prefix(' ').unwrap_or(value)),
                Some(("", _)) => {}
                _ => panic!("no line of an event: {line:?}"),
            }
        }
        if !name.is_empty() || !data.is_empty() {
            events.push((name, data.join("\n")));
        }
    }
    events
}

/// A streamed answer, put together as an SDK does.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    pub text: String,
    /// Name and arguments of each tool call.
    pub tools: Vec<(String, Value)>,
    pub stop: String,
    pub usage: Value,
    pub error: Value,
}

/// Puts an OpenAI stream together.
#[track_caller]
pub fn openai_stream(text: &str) -> Said {
    let mut said = Said::default();
    let mut tools: Vec<(String, String)> = Vec::new();
    let events = events(text);
    let done = events.iter().position(|(_, data)| data == "[DONE]");
    assert!(done.is_none_or(|at| at + 1 == events.len()), "[DONE] is not the last event");
    for (_, data) in events.iter().filter(|(_, data)| data != "[DONE]") {
        let chunk = parse(data.as_bytes());
        if chunk.get("error").is_some() {
            said.error = chunk["error"].clone();
            continue;
        }
        assert_eq!(chunk["object"], "chat.completion.chunk");
        if chunk["usage"].is_object() {
            said.usage = chunk["usage"].clone();
        }
        let Some(choice) = chunk["choices"].get(0) else { continue };
        said.text.push_str(choice["delta"]["content"].as_str().unwrap_or(""));
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let place = call["index"].as_u64().expect("an index") as usize;
            if place == tools.len() {
                assert!(call["id"].is_string());
                tools.push((call["function"]["name"].as_str().expect("a name").to_owned(), String::new()));
            }
            tools[place].1.push_str(call["function"]["arguments"].as_str().unwrap_or(""));
        }
        if let Some(stop) = choice["finish_reason"].as_str() {
            said.stop = stop.to_owned();
        }
    }
    assert!(done.is_some() || !said.error.is_null(), "neither [DONE] nor an error: {text}");
    said.tools = tools.into_iter().map(|(name, json)| (name, arguments(&json))).collect();
    said
}

fn arguments(json: &str) -> Value {
    if json.is_empty() { Value::Object(Map::new()) } else { parse(json.as_bytes()) }
}

/// Puts an Anthropic stream together.
#[track_caller]
pub fn anthropic_stream(text: &str) -> Said {
    let mut said = Said::default();
    let mut tools: Vec<(u64, String, String)> = Vec::new();
    let (mut started, mut ended) = (false, false);
    for (name, data) in events(text) {
        let event = parse(data.as_bytes());
        assert_eq!(event["type"], name, "an event's name and type differ");
        match name.as_str() {
            "message_start" => {
                started = true;
                said.usage = event["message"]["usage"].clone();
            }
            "content_block_start" if event["content_block"]["type"] == "tool_use" => {
                let block = &event["content_block"];
                let name = block["name"].as_str().expect("a name").to_owned();
                tools.push((event["index"].as_u64().expect("an index"), name, String::new()));
            }
            "content_block_delta" => {
                said.text.push_str(event["delta"]["text"].as_str().unwrap_or(""));
                if let Some(json) = event["delta"]["partial_json"].as_str() {
                    let tool = tools.iter_mut().find(|(index, ..)| event["index"] == *index).expect("an open block");
                    tool.2.push_str(json);
                }
            }
            "message_delta" => {
                said.stop = event["delta"]["stop_reason"].as_str().unwrap_or("").to_owned();
                for (key, value) in event["usage"].as_object().into_iter().flatten() {
                    said.usage[key] = value.clone();
                }
            }
            "message_stop" => ended = true,
            "error" => said.error = event["error"].clone(),
            _ => {}
        }
    }
    assert!(started || !said.error.is_null(), "no message_start: {text}");
    assert!(ended || !said.error.is_null(), "neither message_stop nor an error: {text}");
    said.tools = tools.into_iter().map(|(_, name, json)| (name, arguments(&json))).collect();
    said
}
