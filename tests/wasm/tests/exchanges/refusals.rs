//! What the gateway answers itself: its own errors in the client's format, health, models.

use crate::support::*;
use conduit_wasm::{Ending, Exchange};
use serde_json::{Value, json};

/// The message of an error in the format of that path's clients; panics where it is not of that format.
#[track_caller]
pub fn message(path: &str, body: &[u8]) -> String {
    let error = parse(body);
    if path.starts_with("/v1/messages") {
        assert_eq!(error["type"], "error", "{error}");
        assert!(error["error"]["type"].is_string(), "{error}");
    } else {
        for field in ["type", "param", "code"] {
            assert!(error["error"].get(field).is_some(), "no error.{field}: {error}");
        }
    }
    error["error"]["message"].as_str().expect("error.message").to_owned()
}

const PATHS: [&str; 2] = ["/v1/chat/completions", "/v1/messages"];

#[test]
fn a_request_that_cannot_be_used_is_refused_in_the_clients_format() {
    let mut vm = vm();
    let big = "x".repeat(20_000);
    let big = json!({"model": "smart", "max_tokens": 1, "messages": [{"role": "user", "content": big}]}).to_string();
    let cases: [(&str, u16, &[&str]); 10] = [
        (r#"{"model":"smart","messages":["#, 400, &["line 1", "JSON"]),
        ("{\"model\":\"smart\",\n\"messages\":[}]", 400, &["line 2"]),
        ("\u{feff}nonsense", 400, &["JSON"]),
        (r#""a string""#, 400, &["object"]),
        ("[]", 400, &["object"]),
        (r#"{"messages":[{"role":"user","content":"hi"}],"max_tokens":1}"#, 400, &["model"]),
        (r#"{"model":"smart","max_tokens":1}"#, 400, &["messages"]),
        (r#"{"model":7,"max_tokens":1,"messages":[]}"#, 400, &["model"]),
        (r#"{"model":"smrat","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"#, 404, &["smrat", "smart"]),
        (&big, 413, &["16384", "max_body"]),
    ];
    for path in PATHS {
        for (body, status, words) in cases {
            for size in [body.len(), 1000, 7] {
                for ending in [Ending::WithLast, Ending::Empty, Ending::Trailers] {
                    for length in [true, false] {
                        let mut exchange = Exchange::post(path, body).parts(size).ending(ending);
                        if !length {
                            exchange = exchange.without("content-length");
                        }
                        let outcome = exchange.run(&mut vm);
                        let record = record(&mut vm, &outcome);
                        let what = &body[..body.len().min(60)];
                        assert_eq!(outcome.client.status(), status, "{path} {what}: {}", outcome.client.text());
                        assert!(outcome.client.ended && !outcome.reset);
                        assert_eq!(outcome.client.header("content-type").as_deref(), Some("application/json"));
                        let message = message(path, &outcome.client.body());
                        for word in words {
                            assert!(message.contains(word), "{path} {what}: {word:?} is not in {message:?}");
                        }
                        assert!(outcome.routed.is_none(), "{path} {what}: it went on to the router");
                        assert_eq!((&record["outcome"], &record["status"]), (&json!("refused"), &json!(status)));
                    }
                }
            }
        }
    }
}

#[test]
fn an_endpoint_without_a_body_and_one_that_there_is_not() {
    let mut vm = vm();
    for (exchange, status, words) in [
        (Exchange::get("/v1/chat/completions"), 405, "POST"),
        (Exchange::post("/v1/chat/completions", ""), 400, "body"),
        (Exchange::post("/v1/messages", "").ending(Ending::Empty), 400, "JSON"),
        (Exchange::get("/nothing/here"), 404, "/nothing/here"),
    ] {
        let outcome = exchange.run(&mut vm);
        record(&mut vm, &outcome);
        assert_eq!(outcome.client.status(), status);
        assert!(outcome.client.text().contains(words), "{}", outcome.client.text());
    }
    let health = Exchange::get("/health").run(&mut vm);
    assert_eq!(health.client.status(), 200);
    assert_eq!(health.state("conduit.record"), None, "health checks are not recorded");
}

#[test]
fn models_are_listed_in_both_clients_shapes() {
    let mut vm = vm();
    for version in [None, Some("2023-06-01")] {
        let mut exchange = Exchange::get("/v1/models?limit=5");
        if let Some(version) = version {
            exchange = exchange.header("anthropic-version", version);
        }
        let outcome = exchange.run(&mut vm);
        record(&mut vm, &outcome);
        let list = parse(&outcome.client.body());
        let ids: Vec<&str> = list["data"].as_array().unwrap().iter().filter_map(|m| m["id"].as_str()).collect();
        for id in ["smart", "house/small"] {
            assert!(ids.contains(&id), "{id} is not in {ids:?}");
        }
        assert_eq!(list.get("object") == Some(&Value::from("list")), version.is_none());
        assert_eq!(list.get("has_more").is_some(), version.is_some());
    }
}

#[test]
fn what_the_target_cannot_do_is_refused_with_its_reason() {
    let mut vm = vm();
    let body = json!({"model": "anthropic/claude-sonnet-4-5", "n": 2, "messages": [{"role": "user", "content": "hi"}]});
    for size in [10, 1000] {
        let exchange = chat(body.to_string()).parts(size);
        let outcome = exchange.run(&mut vm);
        record(&mut vm, &outcome);
        assert!(outcome.sent.iter().all(|sent| !sent.request.ended), "it was sent nevertheless");
        assert_eq!(outcome.client.status(), 400, "{}", outcome.client.text());
        let message = message("/v1/chat/completions", &outcome.client.body());
        assert!(!message.contains("could not be reached"), "{message}");
    }
}
