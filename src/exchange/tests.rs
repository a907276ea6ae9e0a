//! The path, driven without a host: what each step asks for, and what stands in the record.

mod admission;
mod billed;
mod chains;
mod consumers;
mod cooldown;
// The encoders are native only.
#[cfg(not(target_family = "wasm"))]
mod decoding;
mod embeddings;
mod leaks;
mod listing;
mod passing;
mod providers;
mod reach;

use super::*;
use crate::config::load;
use crate::report::Outcome;
use crate::testing::test;
use std::cell::RefCell;
use std::rc::Rc;

const CONFIG: &str = r#"
version: 1
max_body: 4KiB
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

fn plan() -> Arc<Plan> {
    let env = |name: &str| Some(format!("secret-of-{name}"));
    Arc::new(load(CONFIG, &env).unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    Headers::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
}

fn post(path: &str) -> Headers {
    headers(&[
        (":method", "POST"),
        (":path", path),
        (":authority", "gateway"),
        ("content-type", "application/json"),
        ("authorization", "Bearer client-key"),
        ("x-request-id", "r-1"),
        ("x-conduit-project", "web"),
    ])
}

const T0: Time = Time(1_700_000_000_000_000_000);
fn ms(n: u64) -> Time {
    Time(T0.0 + n * 1_000_000)
}

/// An exchange whose body has been routed.
fn routed(path: &str, body: &str) -> (Rc<RefCell<Exchange>>, Step) {
    let (mut exchange, step) = Exchange::begin(plan(), "7-abc".into(), post(path), false, T0);
    assert_eq!(step, Step::Wait);
    let step = exchange.body(body.as_bytes());
    (Rc::new(RefCell::new(exchange)), step)
}

fn set<'a>(edits: &'a HeaderEdits, name: &str) -> Option<&'a str> {
    edits.set.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

fn reply_of(step: Step) -> (u16, Value) {
    let Step::Reply(reply) = step else { panic!("not a reply: {step:?}") };
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

#[test]
fn a_chain_is_sent_to_its_cluster_with_one_retry_per_further_target() {
    let (_, step) = routed("/v1/chat/completions", r#"{"model":"smart","messages":[{"role":"user","content":"hi"}]}"#);
    let Step::Forward(edits) = step else { panic!("{step:?}") };
    assert!(set(&edits, CLUSTER_HEADER).unwrap().starts_with("conduit.chain."));
    assert_eq!(set(&edits, "x-envoy-max-retries"), Some("1"));
}

#[test]
fn an_attempt_in_the_clients_format_keeps_every_byte_but_the_models() {
    let body = r#"{ "messages" : [ {"role":"user","content":"hi\u00e9","x":1.50} ],"model":"house/small" , "zzz": {"k":[1 , 2]}}"#;
    let (exchange, _) = routed("/v1/chat/completions", body);
    let (attempt, edits, wants) =
        Attempt::begin(&exchange, 1, Some("house"), &post("/v1/chat/completions"), T0).unwrap();
    assert!(wants);
    assert_eq!(set(&edits, ":path"), Some("/base/v1/chat/completions"));
    assert_eq!(set(&edits, ":authority"), Some("127.0.0.1:8000"));
    assert_eq!(set(&edits, "authorization"), None);
    assert!(edits.remove.contains(&"authorization".to_owned()), "the client's credential never leaves");
    let sent = attempt.request_body(body.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(sent).unwrap(), body.replace("house/small", "small"));
}

#[test]
fn the_providers_credential_takes_the_place_of_the_clients() {
    let body = r#"{"model":"smart","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, _) = routed("/v1/messages", body);
    let (_, edits, _) = Attempt::begin(&exchange, 1, Some("anthropic"), &post("/v1/messages"), T0).unwrap();
    assert_eq!(set(&edits, "x-api-key"), Some("secret-of-ANTHROPIC_API_KEY"));
    assert_eq!(set(&edits, "anthropic-version"), Some("2023-06-01"));
    assert!(edits.remove.contains(&"authorization".to_owned()));
    let (_, edits, _) = Attempt::begin(&exchange, 2, Some("openai"), &post("/v1/messages"), T0).unwrap();
    assert_eq!(set(&edits, "authorization"), Some("Bearer secret-of-OPENAI_API_KEY"));
    assert_eq!(set(&edits, "x-api-key"), None);
}

#[test]
fn headers_that_one_attempt_takes_off_for_its_format_are_back_for_the_next() {
    let body = r#"{"model":"smart","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, _) = routed("/v1/messages", body);
    let mut sent = vec![(":path", "/v1/messages"), ("anthropic-version", "2024-01-01"), ("anthropic-beta", "b")];
    let (_, edits, _) = Attempt::begin(&exchange, 1, Some("openai"), &headers(&sent), T0).unwrap();
    assert_eq!(edits.remove, ["anthropic-version", "anthropic-beta"]);
    sent.truncate(1);
    sent.push(("authorization", "Bearer secret-of-OPENAI_API_KEY"));
    let (_, edits, _) = Attempt::begin(&exchange, 2, Some("anthropic"), &headers(&sent), T0).unwrap();
    assert_eq!(set(&edits, "anthropic-version"), Some("2024-01-01"));
    assert_eq!(set(&edits, "anthropic-beta"), Some("b"));
    assert_eq!(edits.remove, ["authorization"], "one provider's credential is not for another");
}

#[test]
fn a_skipped_sub_cluster_does_not_shift_the_targets() {
    let body = r#"{"model":"smart","messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, _) = routed("/v1/chat/completions", body);
    let (attempt, ..) = Attempt::begin(&exchange, 1, Some("openai"), &post("/v1/chat/completions"), T0).unwrap();
    assert_eq!(attempt.target_name(), "openai/gpt-4o");
}

#[test]
fn usage_is_asked_of_the_provider_and_hidden_from_a_client_that_did_not_ask() {
    let body = r#"{"model":"openai/gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, _) = routed("/v1/chat/completions", body);
    let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("openai"), &post("/v1/chat/completions"), T0).unwrap();
    let sent: Value = serde_json::from_slice(&attempt.request_body(body.as_bytes()).unwrap()).unwrap();
    assert_eq!(sent["stream_options"]["include_usage"], true);
    let head = headers(&[(":status", "200"), ("content-type", "text/event-stream")]);
    assert!(matches!(attempt.answer_head(&head, false, ms(5)), AnswerHead::Stream(_)));
    let chunks = concat!(
        "data: {\"id\":\"c\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"ab\"}}],\"usage\":null}\n\n",
        "data: {\"id\":\"c\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
        "data: {\"id\":\"c\",\"model\":\"gpt-4o\",\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":1,\"total_tokens\":9}}\n\n",
        "data: [DONE]\n\n",
    );
    let mut seen = Vec::new();
    for byte in chunks.as_bytes() {
        seen.extend(attempt.answer_piece(&[*byte], false).unwrap());
    }
    seen.extend(attempt.answer_piece(&[], true).unwrap());
    let seen = String::from_utf8(seen).unwrap();
    assert!(!seen.contains("usage"), "{seen}");
    assert_eq!(seen.matches("data: ").count(), 3);
    assert!(seen.ends_with("data: [DONE]\n\n"));
    assert_eq!(exchange.borrow().ledger().usage.input, Some(Tokens(8)));
}

#[test]
fn a_stream_that_ends_early_ends_with_the_formats_error_event() {
    for (path, provider, model, begin, want) in [
        (
            "/v1/chat/completions",
            "openai",
            "openai/gpt-4o",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"cho",
            "\"error\"",
        ),
        (
            "/v1/messages",
            "anthropic",
            "anthropic/claude-sonnet-4-5",
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3}}}\n\n",
            "event: error",
        ),
        (
            "/v1/messages",
            "openai",
            "openai/gpt-4o",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n",
            "event: error",
        ),
        ("/v1/chat/completions", "anthropic", "anthropic/claude-sonnet-4-5", "", "\"error\""),
    ] {
        let body = format!(
            r#"{{"model":"{model}","max_tokens":9,"stream":true,"messages":[{{"role":"user","content":"hi"}}]}}"#
        );
        let (exchange, _) = routed(path, &body);
        let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some(provider), &post(path), T0).unwrap();
        attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(1));
        let mut seen = attempt.answer_piece(begin.as_bytes(), false).unwrap();
        seen.extend(attempt.answer_piece(&[], true).unwrap());
        let seen = String::from_utf8(seen).unwrap();
        assert!(seen.contains(want), "{path} {provider}: {seen}");
        assert!(exchange.borrow().ledger().cut);
        let mut exchange = exchange.borrow_mut();
        exchange.answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "1")]), false, ms(2));
        exchange.answer_body(10, true, ms(3));
        assert_eq!(exchange.finish("via_upstream", ms(4)).outcome, Outcome::Cut);
    }
}

#[test]
fn a_whole_answer_is_translated_priced_and_recorded() {
    let body = r#"{"model":"smart","messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, _) = routed("/v1/chat/completions", body);
    let (mut first, ..) =
        Attempt::begin(&exchange, 1, Some("anthropic"), &post("/v1/chat/completions"), ms(10)).unwrap();
    assert_eq!(first.answer_head(&headers(&[(":status", "529")]), false, ms(30)), AnswerHead::Hold);
    first.answer_whole(br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
    let (mut second, ..) = Attempt::begin(&exchange, 2, Some("openai"), &post("/v1/chat/completions"), ms(40)).unwrap();
    let head = headers(&[(":status", "200"), ("content-type", "application/json"), ("set-cookie", "a=b")]);
    assert_eq!(second.answer_head(&head, false, ms(90)), AnswerHead::Hold);
    let answer = br#"{"id":"x","object":"chat.completion","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}"#;
    let (edits, instead) = second.answer_whole(answer);
    assert_eq!(instead, None, "the same format passes as it came");
    assert!(edits.remove.contains(&"set-cookie".to_owned()));
    let mut exchange = exchange.borrow_mut();
    let edits = exchange.answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "2")]), false, ms(91));
    assert_eq!(edits.body, None);
    // gpt-4o: 2.50 USD per million in, 10.00 out: 8 × 2 500 000 + 2 × 10 000 000 picodollars.
    for (name, want) in [
        ("x-conduit-target", "openai/gpt-4o"),
        ("x-conduit-reason", "alias:smart"),
        ("x-conduit-attempts", "2"),
        ("x-conduit-tokens", "8"),
        ("x-conduit-cost-usd", "0.00004"),
    ] {
        assert_eq!(set(&edits.headers, name), Some(want), "{name}");
    }
    exchange.answer_body(300, true, ms(92));
    let record = serde_json::to_value(exchange.finish("via_upstream", ms(93))).unwrap();
    assert_eq!(record["cost_picodollars"], 40_000_000);
    assert_eq!(record["project"], "web");
    assert_eq!(record["outcome"], "ok");
    assert_eq!(
        record["attempts"][0],
        serde_json::json!({"target": "anthropic/claude-sonnet-4-5", "status": 529, "ms": 20})
    );
    assert_eq!(record["attempts"][1], serde_json::json!({"target": "openai/gpt-4o", "status": 200, "ms": 50}));
    assert_eq!(record["usage"]["prompt_tokens"], 8);
    assert_eq!(record["usage"]["cached_tokens"], Value::Null, "unknown is unknown, not 0");
    assert_eq!(record["duration_ms"], 93);
}

#[test]
fn errors_come_in_the_clients_format() {
    let model = |path: &str, body: &str| reply_of(routed(path, body).1);
    let (status, body) = model("/v1/chat/completions", r#"{"model":"gpt-4o","messages":[}"#);
    assert_eq!((status, body["error"]["type"].as_str()), (400, Some("invalid_request_error")));
    assert!(body["error"]["message"].as_str().unwrap().contains("column"), "{body}");
    let (status, body) = model("/v1/messages", "nope");
    assert_eq!(
        (status, body["type"].as_str(), body["error"]["type"].as_str()),
        (400, Some("error"), Some("invalid_request_error"))
    );
    let (status, body) =
        model("/v1/chat/completions", r#"{"model":"smrt","messages":[{"role":"user","content":"x"}]}"#);
    assert_eq!((status, body["error"]["code"].as_str()), (404, Some("model_not_found")));
    assert!(body["error"]["message"].as_str().unwrap().contains("smart"), "{body}");
    let (status, body) = model("/v1/messages", &format!("\"{}\"", "x".repeat(5000)));
    assert_eq!((status, body["error"]["type"].as_str()), (413, Some("request_too_large")));
}

#[test]
fn envoys_own_failure_is_told_in_the_clients_format() {
    let body = r#"{"model":"smart","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, _) = routed("/v1/messages", body);
    Attempt::begin(&exchange, 1, Some("anthropic"), &post("/v1/messages"), ms(1)).unwrap();
    let mut exchange = exchange.borrow_mut();
    let edits = exchange.answer_head(&headers(&[(":status", "503"), ("content-type", "text/plain")]), false, ms(9));
    let body: Value = serde_json::from_slice(&edits.body.unwrap()).unwrap();
    assert_eq!(body["error"]["type"], "overloaded_error");
    assert!(body["error"]["message"].as_str().unwrap().contains("anthropic/claude-sonnet-4-5"));
    exchange.answer_body(9, true, ms(10));
    let record = exchange.finish("upstream_reset_before_response_started{connection_failure}", ms(11));
    assert_eq!(record.outcome, Outcome::Unreachable);
    assert_eq!(record.attempts[0].status, None);
    assert_eq!(record.cost_picodollars, None);
}

#[test]
fn a_client_that_hangs_up_is_billed_for_what_was_said() {
    let body = r#"{"model":"openai/gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, _) = routed("/v1/chat/completions", body);
    let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("openai"), &post("/v1/chat/completions"), T0).unwrap();
    attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(1));
    attempt.answer_piece(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one two three\"}}]}\n\n", false);
    let mut exchange = exchange.borrow_mut();
    exchange.answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "1")]), false, ms(2));
    exchange.answer_body(60, false, ms(3));
    let record = exchange.finish("downstream_remote_disconnect", ms(4));
    assert_eq!(record.outcome, Outcome::ClientGone);
    assert_eq!(record.usage.completion_tokens, Some(Tokens(3)));
    assert_eq!(record.usage.known, Some("estimated"));
    assert_eq!(record.usage.prompt_tokens, Some(Tokens(8)));
    assert!(record.cost_picodollars.is_some());
}

#[test]
fn models_are_listed_in_both_shapes() {
    let get = |path: &str, extra: &[(&str, &str)]| {
        let mut pairs = vec![(":method", "GET"), (":path", path)];
        pairs.extend_from_slice(extra);
        reply_of(Exchange::begin(plan(), "1".into(), headers(&pairs), true, T0).1)
    };
    let (status, body) = get("/v1/models", &[]);
    assert_eq!((status, body["object"].as_str()), (200, Some("list")));
    let ids: Vec<&str> = body["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["auto", "smart", "house/small", "anthropic/claude-sonnet-4-5", "openai/gpt-4o"]);
    let (_, body) = get("/v1/models", &[("anthropic-version", "2023-06-01")]);
    assert_eq!(body["data"][1]["type"], "model");
    assert_eq!(body["first_id"], "auto");
    assert_eq!(get("/v1/models/openai%2Fgpt-4o", &[]).1["id"], "openai/gpt-4o");
    assert_eq!(get("/v1/models/nope", &[]).0, 404);
    assert_eq!(get("/health", &[]).0, 200);
    assert_eq!(get("/nothing", &[]).0, 404);
    assert_eq!(get("/v1/messages", &[]).0, 405);
}

#[test]
fn other_paths_pass_to_the_provider_that_the_model_names() {
    let path = "/v1/embeddings?x=1&key=secret";
    let body = r#"{"model":"house/embed","input":"a"}"#;
    let (exchange, step) = routed(path, body);
    let Step::Forward(edits) = step else { panic!("{step:?}") };
    assert_eq!(set(&edits, CLUSTER_HEADER), Some("conduit.provider.house"));
    let (mut attempt, edits, wants) = Attempt::begin(&exchange, 1, Some("house"), &post(path), T0).unwrap();
    assert!(wants);
    assert_eq!(set(&edits, ":path"), Some("/base/v1/embeddings?x=1"));
    assert_eq!(attempt.request_body(body.as_bytes()).unwrap(), br#"{"model":"embed","input":"a"}"#);
    attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "application/json")]), false, ms(1));
    let (_, instead) =
        attempt.answer_whole(br#"{"object":"list","data":[],"usage":{"prompt_tokens":4,"total_tokens":4}}"#);
    assert_eq!(instead, None);
    assert_eq!(exchange.borrow().ledger().usage.input, Some(Tokens(4)));
}

#[test]
fn tokens_of_another_vocabulary_are_said_to_be_estimated() {
    let body = r#"{"model":"anthropic/claude-sonnet-4-5","messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, _) = routed("/v1/chat/completions", body);
    let mut exchange = exchange.borrow_mut();
    let edits = exchange.answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "1")]), false, ms(1));
    assert_eq!(set(&edits.headers, "x-conduit-tokens-known"), Some("estimated"));
}

const STREAMED: &str = r#"{"model":"openai/gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

#[test]
fn a_stream_that_is_over_with_its_headers_fails_so_that_the_next_target_is_tried() {
    let (exchange, _) = routed("/v1/chat/completions", STREAMED);
    let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("openai"), &post("/v1/chat/completions"), T0).unwrap();
    let head = headers(&[(":status", "200"), ("content-type", "text/event-stream")]);
    assert_eq!(attempt.answer_head(&head, true, ms(1)), AnswerHead::Hold);
    let (edits, _) = attempt.answer_whole(b"");
    assert_eq!(set(&edits, ":status"), Some("502"));
    assert_eq!(exchange.borrow().ledger().tried[0].status, Some(502));
}

#[test]
fn what_never_ends_a_line_is_not_kept_for_ever() {
    let (exchange, _) = routed("/v1/messages", &STREAMED.replace("openai/gpt-4o\"", "anthropic/c\",\"max_tokens\":9"));
    let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("anthropic"), &post("/v1/messages"), T0).unwrap();
    attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(1));
    let mut seen = attempt.answer_piece(b":", false).unwrap();
    for _ in 0..40 {
        seen.extend(attempt.answer_piece(&[b'x'; 1 << 20], false).unwrap());
    }
    let seen = String::from_utf8(seen).unwrap();
    assert!(seen.matches("event: error").count() == 1 && seen.len() < 1000, "{} bytes", seen.len());
    assert!(exchange.borrow().ledger().cut);
}

#[test]
fn a_provider_that_echoes_the_gateways_key_does_not_tell_the_client() {
    let body = r#"{"model":"openai/gpt-4o","messages":[{"role":"user","content":"hi"}]}"#;
    for (path, status) in [("/v1/chat/completions", "401"), ("/v1/embeddings", "500")] {
        let (exchange, _) = routed(path, body);
        let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("openai"), &post(path), T0).unwrap();
        attempt.answer_head(&headers(&[(":status", status), ("content-type", "application/json")]), false, ms(1));
        let said = |key: &str| format!(r#"{{"error":{{"message":"bad key {key}","x":"{key}"}}}}"#);
        let (_, instead) = attempt.answer_whole(said("secret-of-OPENAI_API_KEY").as_bytes());
        assert_eq!(instead.map(|body| String::from_utf8(body).unwrap()), Some(said("***")), "{path}");
    }
}

#[test]
fn what_a_targets_format_cannot_say_is_the_gateways_refusal() {
    let body = r#"{"model":"anthropic/claude-sonnet-4-5","n":2,"messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, step) = routed("/v1/chat/completions", body);
    let (status, said) = reply_of(step);
    assert_eq!((status, &said["error"]["param"]), (400, &Value::from("n")));
    assert_eq!(exchange.borrow_mut().finish("conduit", ms(3)).outcome, Outcome::Refused);
    // In a chain the next target is asked.
    let body = body.replace("anthropic/claude-sonnet-4-5", "smart");
    let (exchange, step) = routed("/v1/chat/completions", &body);
    let Step::Forward(edits) = step else { panic!("{step:?}") };
    assert_eq!(set(&edits, CLUSTER_HEADER), Some("conduit.provider.openai"));
    assert_eq!(set(&edits, "x-envoy-max-retries"), Some("0"));
    let targets: Vec<String> = exchange.borrow().decision().unwrap().targets.iter().map(|t| t.name.clone()).collect();
    assert_eq!(targets, ["openai/gpt-4o"]);
}

#[test]
fn a_request_that_never_was_whole_is_not_the_providers_fault() {
    for (status, want) in [("408", 408), ("413", 413), ("400", 400)] {
        let (mut exchange, _) = Exchange::begin(plan(), "1".into(), post("/v1/chat/completions"), false, T0);
        let edits = exchange.answer_head(&headers(&[(":status", status)]), false, ms(2));
        let body: Value = serde_json::from_slice(&edits.body.unwrap()).unwrap();
        assert_eq!(set(&edits.headers, ":status"), Some(status));
        assert!(body["error"]["message"].as_str().unwrap().starts_with("the request"), "{body}");
        exchange.answer_body(10, true, ms(3));
        let record = exchange.finish("request_overall_timeout", ms(3));
        assert_eq!((record.outcome, record.status), (Outcome::Refused, Some(want)));
    }
}

#[test]
fn no_label_of_a_metric_is_empty() {
    let get = headers(&[(":method", "GET"), (":path", "/v1/files")]);
    let (mut exchange, step) = Exchange::begin(plan(), "1".into(), get, true, T0);
    assert!(matches!(step, Step::Forward(_)), "{step:?}");
    exchange.answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "1")]), true, ms(2));
    exchange.answer_ended();
    let record = exchange.finish("via_upstream", ms(3));
    let samples = crate::report::metrics::samples(&record, &mut crate::report::metrics::KnownModels::default());
    assert!(samples.len() > 1);
    for sample in samples {
        assert!(!sample.name.contains("=;") && !sample.name.ends_with(['=', '/']), "{}", sample.name);
    }
}

#[test]
fn a_client_that_hangs_up_before_the_first_word_is_billed_for_the_prompt() {
    let body = r#"{"model":"anthropic/claude-sonnet-4-5","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, _) = routed("/v1/messages", body);
    let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("anthropic"), &post("/v1/messages"), T0).unwrap();
    attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(1));
    let start = concat!(
        "event: message_start\n",
        "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":1000,\"output_tokens\":1}}}\n\n"
    );
    attempt.answer_piece(start.as_bytes(), false);
    let mut exchange = exchange.borrow_mut();
    exchange.answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "1")]), false, ms(2));
    let record = exchange.finish("downstream_remote_disconnect", ms(4));
    assert_eq!((record.usage.prompt_tokens, record.usage.known), (Some(Tokens(1000)), Some("estimated")));
    // 3 USD per million in.
    assert_eq!(record.cost_picodollars, Some(3_000_000_000));
}

#[test]
fn a_header_in_two_lines_is_put_back_whole() {
    let body = r#"{"model":"smart","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, _) = routed("/v1/messages", body);
    let sent = [(":path", "/v1/messages"), ("anthropic-beta", "b"), ("anthropic-beta", "c")];
    Attempt::begin(&exchange, 1, Some("openai"), &headers(&sent), T0).unwrap();
    let (_, edits, _) = Attempt::begin(&exchange, 2, Some("anthropic"), &headers(&sent[..1]), T0).unwrap();
    assert_eq!(set(&edits, "anthropic-beta"), Some("b, c"));
}

#[test]
fn a_provider_that_repeats_its_key_does_not_tell_it_to_the_client() {
    let key = "secret-of-OPENAI_API_KEY";
    let chat = |stream: bool| {
        let body = format!(
            r#"{{"model":"openai/gpt-4o","stream":{stream},"stream_options":{{"include_usage":true}},"messages":[{{"role":"user","content":"hi"}}]}}"#
        );
        let (exchange, _) = routed("/v1/chat/completions", &body);
        Attempt::begin(&exchange, 1, Some("openai"), &post("/v1/chat/completions"), T0).unwrap().0
    };
    let head = |status: &str, kind: &str| headers(&[(":status", status), ("content-type", kind), ("x-debug", key)]);

    let mut whole = chat(false);
    assert_eq!(whole.answer_head(&head("401", "application/json"), false, ms(1)), AnswerHead::Hold);
    let refused = format!(r#"{{"error":{{"message":"bad key: {key}","param":"{key}"}}}}"#);
    let (edits, body) = whole.answer_whole(refused.as_bytes());
    assert!(edits.remove.contains(&"x-debug".to_owned()));
    assert_eq!(String::from_utf8(body.unwrap()).unwrap(), r#"{"error":{"message":"bad key: ***","param":"***"}}"#);

    let mut stream = chat(true);
    let AnswerHead::Stream(edits) = stream.answer_head(&head("200", "text/event-stream"), false, ms(1)) else {
        panic!("not a stream")
    };
    assert!(edits.remove.contains(&"x-debug".to_owned()));
    let mut out = Vec::new();
    let event = format!("data: {refused}\n\n");
    for piece in event.as_bytes().chunks(7) {
        out.extend(stream.answer_piece(piece, false).unwrap());
    }
    out.extend(stream.answer_piece(&[], true).unwrap());
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("***") && !out.contains(key), "{out}");
}

#[test]
fn what_is_no_answer_is_an_error_that_the_next_target_is_tried_after() {
    for (path, target, provider) in [
        ("/v1/chat/completions", "openai/gpt-4o", "openai"),
        ("/v1/messages", "openai/gpt-4o", "openai"),
        ("/v1/messages", "anthropic/claude-sonnet-4-5", "anthropic"),
    ] {
        for (status, encoding, answer, want) in [
            ("200", "identity", "<html>busy</html>", Some("502")),
            ("200", "identity", "", Some("502")),
            ("302", "identity", "{}", Some("502")),
            ("418", "identity", r#"{"type":"error","error":{"type":"x","message":"no"}}"#, None),
        ] {
            let body =
                format!(r#"{{"model":"{target}","max_tokens":5,"messages":[{{"role":"user","content":"hi"}}]}}"#);
            let (exchange, _) = routed(path, &body);
            let mut attempt = Attempt::begin(&exchange, 1, Some(provider), &post(path), T0).unwrap().0;
            let head = headers(&[
                (":status", status),
                ("content-type", "application/json"),
                ("content-encoding", encoding),
                ("location", "http://elsewhere/"),
            ]);
            attempt.answer_head(&head, false, ms(1));
            let (edits, sent) = attempt.answer_whole(answer.as_bytes());
            assert_eq!(set(&edits, ":status"), want, "{path} {target} {status} {answer}");
            if want.is_some() {
                assert!(edits.remove.contains(&"location".to_owned()));
                let sent: Value = serde_json::from_slice(&sent.unwrap()).unwrap();
                assert!(sent["error"]["message"].is_string(), "{sent}");
            }
        }
    }
}

#[test]
fn an_answer_in_an_unknown_encoding_reaches_a_client_of_the_same_format() {
    let body = r#"{"model":"openai/gpt-4o","messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, _) = routed("/v1/chat/completions", body);
    let mut attempt = Attempt::begin(&exchange, 1, Some("openai"), &post("/v1/chat/completions"), T0).unwrap().0;
    let head = headers(&[(":status", "200"), ("content-type", "application/json"), ("content-encoding", "compress")]);
    attempt.answer_head(&head, false, ms(1));
    let (edits, sent) = attempt.answer_whole(b"\x1f\x8b\x08\x00");
    assert_eq!((set(&edits, ":status"), sent), (None, None));
}

#[test]
fn rules_that_read_content_are_not_for_what_passes_unread() {
    let text = CONFIG.to_owned()
        + r#"
  rules:
    - {name: small, when: {field: tokens, op: "<", value: 1000}, target: openai/gpt-4o}
    - {name: not this, when: {not: {field: message, op: contains, value: x}}, target: openai/gpt-4o}
    - {name: team, when: {field: project, op: "=", value: web}, target: openai/gpt-4o-mini}
"#;
    let env = |name: &str| Some(format!("secret-of-{name}"));
    let plan = Arc::new(load(&text, &env).unwrap());
    for (path, project, want) in [
        ("/v1/embeddings", "other", "house/embed"),
        ("/v1/embeddings", "web", "openai/gpt-4o-mini"),
        ("/v1/chat/completions", "other", "openai/gpt-4o"),
    ] {
        let head = headers(&[
            (":method", "POST"),
            (":path", path),
            ("content-type", "application/json"),
            ("x-conduit-project", project),
        ]);
        let (mut exchange, _) = Exchange::begin(Arc::clone(&plan), "1".into(), head, false, T0);
        exchange.body(br#"{"model":"house/embed","input":"a","messages":[{"role":"user","content":"hi"}]}"#);
        assert_eq!(exchange.decision().unwrap().targets[0].name, want, "{path} {project}");
    }
}

#[test]
fn an_answer_without_usage_is_estimated_and_told_in_numbers_where_the_format_wants_them() {
    let body = r#"{"model":"openai/gpt-4o","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let (exchange, _) = routed("/v1/messages", body);
    let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("openai"), &post("/v1/messages"), T0).unwrap();
    attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "application/json")]), false, ms(1));
    let answer = br#"{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"one two three"},"finish_reason":"stop"}]}"#;
    let (_, sent) = attempt.answer_whole(answer);
    let sent: Value = serde_json::from_slice(&sent.unwrap()).unwrap();
    assert_eq!(sent["usage"], serde_json::json!({"input_tokens": 8, "output_tokens": 3}));
    let mut exchange = exchange.borrow_mut();
    exchange.answer_head(&headers(&[(":status", "200"), (ANSWERED_HEADER, "1")]), false, ms(2));
    exchange.answer_body(9, true, ms(3));
    let usage = exchange.finish("via_upstream", ms(4)).usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (Some(Tokens(8)), Some(Tokens(3))));
    assert_eq!(usage.known, Some("estimated"));
}

#[test]
fn a_key_of_odd_characters_is_struck_whole_from_translated_streams() {
    let env = |_: &str| Some("house/+key=12345".to_owned());
    let plan = Arc::new(load(CONFIG, &env).unwrap());
    let body = r#"{"model":"openai/gpt-4o","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let (mut exchange, _) = Exchange::begin(plan, "1".into(), post("/v1/messages"), false, T0);
    exchange.body(body.as_bytes());
    let exchange = Rc::new(RefCell::new(exchange));
    let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some("openai"), &post("/v1/messages"), T0).unwrap();
    attempt.answer_head(&headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, ms(1));
    let event = b"data: {\"error\":{\"message\":\"bad api key: house/+key=12345\"}}\n\n";
    let out = String::from_utf8(attempt.answer_piece(event, true).unwrap()).unwrap();
    assert!(out.contains("event: error") && !out.contains("12345"), "{out}");
}
