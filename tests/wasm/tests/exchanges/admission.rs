//! Budgets, limits and consumers on the built module: shared data, ticks, and what the host says of the connection.

use crate::support::*;
use conduit_wasm::state::Status;
use conduit_wasm::{Answer, Exchange, Vm};
use serde_json::{Value, json};

/// A dollar a token: the prompt below is 8, an answer at most 92.
const PRICED: &str = r#"
version: 1
providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
models:
  openai/gpt-4o: {price: {input: 1000000, output: 1000000}}
"#;

fn start(rules: &str) -> Vm {
    let mut vm = setup(&format!("{PRICED}{rules}")).start();
    assert!(vm.accepted, "{:?}", vm.log(0));
    vm
}

fn ask() -> Exchange {
    chat(
        json!({"model": "openai/gpt-4o", "max_tokens": 92, "messages": [{"role": "user", "content": "hi"}]})
            .to_string(),
    )
}

/// An answer of two tokens.
fn answered() -> Exchange {
    let body = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}});
    ask().answer(Answer::json("openai", 200, body.to_string()))
}

#[track_caller]
fn refused(vm: &mut Vm) -> Value {
    let outcome = ask().run(vm);
    assert_eq!(outcome.client.status(), 429, "{}", outcome.client.text());
    assert!(outcome.routed.is_none());
    let record = record(vm, &outcome);
    assert_eq!((&record["outcome"], &record["cost_usd"]), (&json!("refused"), &Value::Null));
    parse(&outcome.client.body())
}

#[test]
fn a_budget_is_spent_to_its_end_and_not_beyond() {
    let mut vm = start("budgets: [{name: day, per: all, period: day, usd: 115}]");
    // 10 are spent each time, and 100 have to fit.
    for spent in [10, 20] {
        let outcome = answered().run(&mut vm);
        assert_eq!(outcome.client.status(), 200, "{}", outcome.client.text());
        assert_eq!(record(&mut vm, &outcome)["cost_usd"], "10", "after {spent}");
    }
    let message = refused(&mut vm)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("budget day is used up: 20 USD spent, 0 USD reserved"), "{message}");
    // The next day has a budget of its own.
    vm.advance_millis(24 * 3_600_000);
    assert_eq!(answered().run(&mut vm).client.status(), 200);
    assert_eq!(vm.host().shared.keys().filter(|key| key.starts_with("conduit.account.")).count(), 1);
}

#[test]
fn every_failure_gives_back_what_was_reserved() {
    let mut vm = start(
        "budgets: [{name: day, per: all, period: day, usd: 100}]\nlimits: [{name: one, per: all, concurrent: 1}]",
    );
    for _ in 0..3 {
        let down = ask().answer(Answer::unreachable("openai")).lenient().run(&mut vm);
        assert_eq!(down.client.status(), 503, "{}", down.client.text());
        let wrong = ask().answer(Answer::json("openai", 500, r#"{"error":{"message":"no"}}"#)).run(&mut vm);
        assert_eq!(wrong.client.status(), 500, "{}", wrong.client.text());
    }
    assert_eq!(answered().run(&mut vm).client.status(), 200);
}

#[test]
fn a_write_that_another_worker_came_before_is_tried_again() {
    let mut vm = start("budgets: [{name: day, per: all, period: day, usd: 1000}]");
    for nth in 1..=4 {
        vm.fault("proxy_set_shared_data", nth, Status::CasMismatch);
    }
    let outcome = answered().run(&mut vm);
    assert_eq!(outcome.client.status(), 200, "{}", outcome.client.text());
    assert_eq!(record(&mut vm, &outcome)["cost_usd"], "10");
}

#[test]
fn the_address_that_envoy_trusts_has_a_limit_of_its_own() {
    let mut vm = start("limits: [{name: net, per: ip, requests_per_minute: 1}]");
    let at = |vm: &mut Vm, address: &str| {
        vm.host().connection.insert(b"source\0address".to_vec(), address.as_bytes().to_vec());
    };
    at(&mut vm, "192.0.2.1:4711");
    assert_eq!(answered().run(&mut vm).client.status(), 200);
    at(&mut vm, "192.0.2.1:4712");
    let message = refused(&mut vm)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("limit net of ip 192.0.2.1 is reached"), "{message}");
    at(&mut vm, "192.0.2.2:4711");
    assert_eq!(answered().run(&mut vm).client.status(), 200);
}

#[test]
fn a_certificate_shows_who_calls() {
    let rules = "consumers: {mesh: {principal: \"spiffe://cluster.local/ns/a/sa/b\", project: web}}";
    let mut vm = start(rules);
    let stranger = ask().run(&mut vm);
    assert_eq!(stranger.client.status(), 401, "{}", stranger.client.text());
    let san = b"spiffe://cluster.local/ns/a/sa/b".to_vec();
    vm.host().connection.insert(b"connection\0uri_san_peer_certificate".to_vec(), san);
    // Without mTLS the name is nobody's word.
    assert_eq!(ask().run(&mut vm).client.status(), 401);
    vm.host().connection.insert(b"connection\0mtls".to_vec(), vec![1]);
    let outcome = answered().run(&mut vm);
    assert_eq!(outcome.client.status(), 200, "{}", outcome.client.text());
    let record = record(&mut vm, &outcome);
    assert_eq!((&record["consumer"], &record["project"]), (&json!("mesh"), &json!("web")));
}

#[test]
fn what_was_spent_before_a_restart_is_spent() {
    let mut vm = setup(&format!("{PRICED}budgets: [{{name: day, per: all, period: day, usd: 115}}]")).start();
    assert_eq!(answered().run(&mut vm).client.status(), 200);
    let clock = vm.host().clock;
    let day = clock / 1_000_000_000 / 86_400 * 86_400;
    let opening = json!([["b \"day\" all=", day, day + 86_400, 115_000_000_000_000_u64, 20_000_000_000_000_u64]]);
    let again = setup(&format!("{PRICED}budgets: [{{name: day, per: all, period: day, usd: 115}}]"));
    let mut vm = again.env("CONDUIT_OPENING", &opening.to_string()).start();
    refused(&mut vm);
}
