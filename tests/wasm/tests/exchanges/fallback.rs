//! Chains: a fresh translation for each attempt, one answer, the last error in the client's format.

use crate::answers::{ANTHROPIC_ANSWER, OPENAI_ANSWER, anthropic_sse, openai_sse, usage};
use crate::refusals::message;
use crate::support::*;
use conduit_wasm::{Answer, Ending, Exchange};
use serde_json::{Value, json};

const BODY: &str = r#"{"model":"smart","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#;

fn overloaded() -> Answer {
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    Answer::json("anthropic", 529, body)
}

type Client = fn(&str) -> Exchange;

fn both() -> [(&'static str, Client); 2] {
    [("/v1/chat/completions", |body| chat(body)), ("/v1/messages", |body| messages(body))]
}

#[test]
fn the_second_attempt_is_translated_afresh() {
    let mut vm = vm();
    let failures: [(&str, Answer, Value); 6] = [
        ("529", overloaded(), json!(529)),
        ("529 in pieces", overloaded().parts(3).ending(Ending::Empty), json!(529)),
        ("429 without a body", Answer::json("anthropic", 429, ""), json!(429)),
        ("500 of HTML", Answer::json("anthropic", 500, "<html>").header("x", "y"), json!(500)),
        ("unreachable", Answer::unreachable("anthropic"), Value::Null),
        ("too slow", Answer::timeout("anthropic"), Value::Null),
    ];
    for (path, client) in both() {
        for (what, failure, status) in &failures {
            let exchange = client(BODY).answer(failure.clone()).answer(Answer::json("openai", 200, OPENAI_ANSWER));
            let outcome = exchange.run(&mut vm);
            let record = record(&mut vm, &outcome);
            assert_eq!(outcome.client.status(), 200, "{path} after {what}: {}", outcome.client.text());
            assert!(outcome.client.text().contains("Grüß dich"));
            assert_eq!(outcome.client.header("x-conduit-attempts").as_deref(), Some("2"));
            assert_eq!(outcome.client.header("x-conduit-target").as_deref(), Some("openai/gpt-4o"));
            let [first, second] = &outcome.sent[..] else { panic!("two attempts") };
            assert_eq!(first.request.header("x-api-key").as_deref(), Some("key-of-anthropic"));
            assert_eq!(parse(&first.request.body())["model"], "claude-sonnet-4-5");
            assert_eq!(second.request.header("authorization").as_deref(), Some("Bearer key-of-openai"));
            assert_eq!(second.request.header("x-api-key"), None);
            let sent = parse(&second.request.body());
            assert_eq!((&sent["model"], &sent["messages"][0]["content"]), (&json!("gpt-4o"), &json!("hi")));
            let attempts = record["attempts"].as_array().unwrap();
            assert_eq!((attempts.len(), &attempts[0]["status"], &attempts[1]["status"]), (2, status, &json!(200)));
            assert_eq!((&record["outcome"], &record["target"]), (&json!("ok"), &json!("openai/gpt-4o")));
            assert_eq!(usage(&record), (Some(10), Some(4)), "of the answer, not of the failure");
        }
    }
}

#[test]
fn a_stream_after_a_failure_is_the_second_providers() {
    let mut vm = vm();
    let body = BODY.replacen('{', r#"{"stream":true,"#, 1);
    for size in [1, 10, 1000] {
        let answer = Answer::sse("openai", openai_sse()).parts(size);
        let outcome = chat(&body).answer(overloaded()).answer(answer.clone()).run(&mut vm);
        assert_eq!(openai_stream(&outcome.client.text()).text, "Grüß dich 👋");
        assert_eq!(usage(&record(&mut vm, &outcome)), (Some(21), Some(12)));
        let outcome = messages(&body).answer(overloaded()).answer(answer).run(&mut vm);
        assert_eq!(anthropic_stream(&outcome.client.text()).text, "Grüß dich 👋");
        assert_eq!(usage(&record(&mut vm, &outcome)), (Some(21), Some(12)));
    }
}

#[test]
fn when_all_fail_the_client_gets_the_last_error_in_its_format() {
    let mut vm = vm();
    let openai_error =
        r#"{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
    for (path, client) in both() {
        for (last, status, words, outcome_word) in [
            (Answer::json("openai", 429, openai_error), 429, "Rate limit reached", "provider_error"),
            (Answer::unreachable("openai"), 503, "could not be reached", "unreachable"),
            (Answer::timeout("openai"), 504, "in time", "timeout"),
        ] {
            let outcome = client(BODY).answer(overloaded()).answer(last).run(&mut vm);
            let record = record(&mut vm, &outcome);
            assert_eq!(outcome.client.status(), status, "{}", outcome.client.text());
            let message = message(path, &outcome.client.body());
            assert!(message.contains(words), "{path}: {message}");
            assert_eq!(record["outcome"], outcome_word);
            assert_eq!(record["attempts"].as_array().map(Vec::len), Some(2));
        }
    }
}

#[test]
fn the_router_has_nothing_to_try() {
    let mut vm = vm();
    for (path, client) in both() {
        for (status, text) in [(503, "no healthy upstream"), (503, ""), (404, "")] {
            let outcome = client(BODY).router(status, text).run(&mut vm);
            record(&mut vm, &outcome);
            assert!(outcome.client.status() >= 500, "{}", outcome.client.status());
            if !text.is_empty() {
                message(path, &outcome.client.body());
            }
        }
    }
}

#[test]
fn an_error_of_whatever_shape_reaches_the_client_in_its_format() {
    let mut vm = vm();
    let bodies: [&[u8]; 8] = [
        br#"{"error":{"message":"Invalid value","type":"invalid_request_error","param":"temperature","code":null}}"#,
        br#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: too large"},"request_id":"r"}"#,
        br#"{"error":"just text"}"#,
        br#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#,
        b"<html><body>Bad Gateway</body></html>",
        b"\xff\xfe not text",
        b"",
        b"{",
    ];
    for (path, client) in both() {
        for (provider, model) in [("openai", "openai/gpt-4o"), ("anthropic", "anthropic/claude-sonnet-4-5")] {
            for stream in [false, true] {
                let request = json!({"model": model, "max_tokens": 5, "stream": stream, "messages": [{"role": "user", "content": "hi"}]});
                for (status, body) in
                    [400, 401, 403, 404, 413, 422, 429, 500, 529].into_iter().zip(bodies.iter().cycle())
                {
                    for size in [1, 1000] {
                        let answer = Answer::json(provider, status, body).parts(size);
                        let outcome = client(&request.to_string()).answer(answer).run(&mut vm);
                        let record = record(&mut vm, &outcome);
                        assert_eq!(outcome.client.status(), status);
                        // In the client's own format a provider's error goes through as it is.
                        let error = parse(&outcome.client.body());
                        let message = error["error"]["message"].as_str().expect("an error without a message");
                        assert!(!message.is_empty());
                        assert!(path != "/v1/messages" || error["type"] == "error", "{error}");
                        assert_eq!(record["outcome"], "provider_error");
                        assert_eq!(record["attempts"][0]["status"], status);
                    }
                }
            }
        }
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_an_error_not_a_lie() {
    let mut vm = vm();
    for body in [&b"not json"[..], b"{}", b"[]", b"\xff", b""] {
        let request = r#"{"model":"openai/gpt-4o","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
        let outcome = messages(request).answer(Answer::json("openai", 200, body)).run(&mut vm);
        record(&mut vm, &outcome);
        assert!(outcome.client.status() >= 500, "{body:?} became {}", outcome.client.text());
        message("/v1/messages", &outcome.client.body());
    }
}

#[test]
fn an_anthropic_answer_after_anothers_failure_counts_once() {
    let mut vm = vm();
    let config =
        CONFIG.replace("[anthropic/claude-sonnet-4-5, openai/gpt-4o]", "[openai/gpt-4o, anthropic/claude-sonnet-4-5]");
    let mut reversed = setup(&config).start();
    let failed = Answer::sse("openai", openai_sse());
    let body = BODY.replacen('{', r#"{"stream":true,"#, 1);
    // A first provider that answers is not tried again.
    let outcome = chat(&body).answer(failed).run(&mut reversed);
    assert_eq!(outcome.sent.len(), 1);
    let outcome = chat(&body)
        .answer(Answer::json("openai", 500, "{}"))
        .answer(Answer::sse("anthropic", anthropic_sse()))
        .run(&mut reversed);
    assert_eq!(usage(&record(&mut reversed, &outcome)), (Some(21), Some(12)));
    let outcome = chat(BODY).answer(Answer::json("anthropic", 200, ANTHROPIC_ANSWER)).run(&mut vm);
    assert_eq!(outcome.sent[0].provider, "anthropic");
    assert_eq!(usage(&record(&mut vm, &outcome)), (Some(13), Some(3)));
}

#[test]
fn a_target_whose_provider_said_when_to_come_back_is_left_alone_by_the_next_request() {
    let mut vm = vm();
    let whole = || Answer::json("openai", 200, OPENAI_ANSWER);
    let first = chat(BODY).answer(overloaded().header("retry-after", "30")).answer(whole()).run(&mut vm);
    assert_eq!(first.client.header("x-conduit-attempts").as_deref(), Some("2"));
    let second = chat(BODY).answer(whole()).run(&mut vm);
    assert_eq!(second.client.header("x-conduit-attempts").as_deref(), Some("1"));
    assert_eq!(second.client.header("x-conduit-target").as_deref(), Some("openai/gpt-4o"));
    let listed = Exchange::get("/v1/models/anthropic/claude-sonnet-4-5").run(&mut vm);
    assert_eq!(parse(&listed.client.body())["status"], "NOT READY");
}
