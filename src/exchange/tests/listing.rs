//! `GET /v1/models` and the names that errors offer.

use super::*;
use crate::testing::test;
use serde_json::json;

const CONFIG: &str = r#"
version: 1
mock: {address: 127.0.0.1, port: 9}
providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
  anthropic: {api_key: "${ANTHROPIC_API_KEY}"}
  house: {kind: openai-compatible, url: "http://127.0.0.1:8000/base/v1"}
models:
  house/own: {price: {input: 0.10, output: 0.30}}
aliases:
  smart: [anthropic/claude-sonnet-4-5, openai/gpt-4o]
"#;

fn plan() -> Plan {
    let env = |name: &str| (name == "ANTHROPIC_API_KEY").then(|| "k".to_owned());
    load(CONFIG, &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn entry(id: &str, format: Format, health: crate::route::Health<'_>) -> Value {
    let reply = crate::exchange::listing::models(&plan(), None, Some(id), format, T0, health);
    assert_eq!(reply.status, 200);
    serde_json::from_slice(&reply.body).unwrap()
}

#[test]
fn an_entry_says_whether_it_can_be_used_and_what_it_is() {
    let ready = |_: &Target| None;
    assert_eq!(
        entry("anthropic/claude-sonnet-4-5", Format::OpenAiChat, &ready),
        json!({
            "id": "anthropic/claude-sonnet-4-5", "object": "model", "created": 0, "owned_by": "anthropic",
            "status": "READY", "status_reason": null, "context_length": 200_000,
            "pricing": {"input": "0.000003", "cached_input": "0.0000003", "cache_write": "0.00000375",
                "cache_write_1h": "0.000006", "output": "0.000015"},
            "modalities": {"input": ["text", "image"], "output": ["text"]},
        })
    );
    let mocked = entry("openai/gpt-4o", Format::AnthropicMessages, &ready);
    assert_eq!((&mocked["type"], &mocked["status"]), (&json!("model"), &json!("READY")));
    assert_eq!(mocked["status_reason"], "`conduit mock` answers: OPENAI_API_KEY is not set");
    let own = entry("house/own", Format::OpenAiChat, &ready);
    assert_eq!(own["pricing"], json!({"input": "0.0000001", "output": "0.0000003"}));
    assert_eq!((&own["context_length"], own.get("modalities")), (&Value::Null, None), "unknown is unknown");
}

#[test]
fn an_alias_is_ready_while_one_of_its_targets_is() {
    let cooling = |target: &Target| target.name.starts_with("anthropic/").then(|| "in cool-down".to_owned());
    let alias = entry("smart", Format::OpenAiChat, &cooling);
    assert_eq!(alias["status"], "READY");
    assert_eq!(alias["status_reason"], "anthropic/claude-sonnet-4-5: in cool-down");
    assert_eq!(alias["targets"], json!(["anthropic/claude-sonnet-4-5", "openai/gpt-4o"]));
    assert_eq!(alias["context_length"], 128_000);
    let target = entry("anthropic/claude-sonnet-4-5", Format::OpenAiChat, &cooling);
    assert_eq!((&target["status"], &target["status_reason"]), (&json!("NOT READY"), &json!("in cool-down")));
    let down = |_: &Target| Some("down".to_owned());
    assert_eq!(entry("smart", Format::OpenAiChat, &down)["status"], "NOT READY");
}

#[test]
fn errors_offer_names_that_can_be_used_to_people_and_to_programs() {
    let body = r#"{"model":"gpt-9","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let (mut exchange, _) = Exchange::begin(Arc::new(plan()), "1".into(), post(path), false, T0);
        let (status, error) = reply_of(exchange.body(body.as_bytes()));
        assert_eq!(status, 404, "{path}: {error}");
        assert_eq!(error["error"]["suggestions"], json!(["openai/gpt-4o"]), "{path}: {error}");
        assert!(error["error"]["message"].as_str().unwrap().ends_with("; READY: openai/gpt-4o"), "{error}");
    }
    let (mut exchange, _) = Exchange::begin(Arc::new(plan()), "1".into(), post("/v1/chat/completions"), false, T0);
    let (_, error) = reply_of(exchange.body(body.replace("gpt-9", "zzzzzz").as_bytes()));
    assert_eq!(error["error"].get("suggestions"), None);
    assert!(error["error"]["message"].as_str().unwrap().ends_with("GET /v1/models lists what is configured"));
}

#[test]
fn targets_that_cannot_be_reached_have_others_named_in_their_place() {
    let body = r#"{"model":"openai/gpt-4o","messages":[{"role":"user","content":"hi"}]}"#;
    let (mut exchange, _) = Exchange::begin(Arc::new(plan()), "1".into(), post("/v1/chat/completions"), false, T0);
    exchange.body(body.as_bytes());
    let edits = exchange.answer_head(&headers(&[(":status", "503")]), false, ms(9));
    let error: Value = serde_json::from_slice(&edits.body.unwrap()).unwrap();
    assert_eq!(error["error"]["suggestions"], json!(["smart", "anthropic/claude-sonnet-4-5", "house/own"]), "{error}");
    let length = set(&edits.headers, "content-length").unwrap().parse::<usize>().unwrap();
    assert_eq!(length, error.to_string().len());
}
