//! The bill: what each answer cost, also the ones that went wrong.

use super::{Mock, ask, with};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn account(mock: &Mock, model: &str) -> Value {
    mock.get("/mock/bill")["models"][model].clone()
}

fn streamed(model: &str) -> Value {
    with(ask(model, "Hi"), json!({"stream": true, "stream_options": {"include_usage": true}}))
}

#[test]
fn an_error_reports_and_bills_what_was_used() {
    let mock = Mock::new();
    let answer = mock.openai(&[], &streamed("gpt-4o+status=500+usage+tokens=7"));
    assert_eq!((answer.status, &answer.json()["usage"]["completion_tokens"]), (500, &json!(7)));
    assert_eq!(account(&mock, "gpt-4o")["completion_tokens"], 7);
    let answer = mock.anthropic(&with(ask("c+status=529+usage+tokens=3", "Hi"), json!({"max_tokens": 9})));
    assert_eq!(answer.json()["usage"]["input_tokens"], account(&mock, "c")["prompt_tokens"]);
    assert_eq!(account(&mock, "c").get("untold"), None);
    mock.openai(&[], &ask("gpt-4o-mini+status=500", "Hi"));
    assert_eq!(account(&mock, "gpt-4o-mini"), Value::Null);
}

#[test]
fn a_stream_is_billed_as_far_as_it_went() {
    let mock = Mock::new();
    let whole = mock.openai(&[], &streamed("whole+tokens=20"));
    let usage = whole.events().pop().unwrap()["usage"].clone();
    assert_eq!((&usage["completion_tokens"], account(&mock, "whole").get("untold")), (&json!(20), None));

    let torn = mock.openai(&[], &streamed("end+tokens=20+cut-end"));
    assert!(!torn.whole && !torn.body.contains("[DONE]"), "{}", torn.body);
    assert_eq!((&account(&mock, "end")["completion_tokens"], account(&mock, "end").get("untold")), (&json!(20), None));

    let said = |answer: &str| answer.matches("word\"").count();
    for (model, faults) in [("cut", "cut=3000"), ("early", "end-early"), ("failed", "error-in-stream")] {
        let answer = mock.openai(&[], &streamed(&format!("{model}+tokens=20+{faults}")));
        let bill = account(&mock, model);
        let spoken = answer.body.lines().filter(|line| line.ends_with('}')).map(said).sum::<usize>();
        assert!(spoken > 2, "{}", answer.body);
        assert_eq!(
            (&bill["completion_tokens"], &bill["untold"]["completion_tokens"]),
            (&json!(spoken), &json!(spoken))
        );
        assert_eq!(bill["prompt_tokens"], usage["prompt_tokens"]);
    }
}

#[test]
fn a_client_that_hangs_up_pays_for_what_was_sent() {
    let mock = Mock::new();
    let body = streamed("gone+tokens=100+drip=20").to_string();
    let mut stream = TcpStream::connect(mock.at).unwrap();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: m\r\nauthorization: Bearer k\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    stream.read_exact(&mut [0; 2_000]).unwrap();
    drop(stream);
    let end = Instant::now() + Duration::from_secs(5);
    while account(&mock, "gone").is_null() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    let bill = account(&mock, "gone");
    let tokens = bill["completion_tokens"].as_u64().unwrap();
    assert!((3..50).contains(&tokens), "{bill}");
    assert_eq!(bill["untold"]["completion_tokens"], tokens);
}

#[test]
fn service_tiers_have_their_own_lines() {
    let mock = Mock::new();
    for tier in ["flex", "auto"] {
        let answer = mock.openai(&[], &with(ask("gpt-5-mini", "Hi"), json!({"service_tier": tier})));
        assert_eq!(answer.json()["service_tier"], if tier == "auto" { "default" } else { tier });
    }
    let bill = account(&mock, "gpt-5-mini");
    assert_eq!((&bill["requests"], &bill["tiers"]["flex"]["requests"]), (&json!(2), &json!(1)));
}
