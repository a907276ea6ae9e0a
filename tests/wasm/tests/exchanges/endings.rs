//! Exchanges that end early, and many of them: each leaves one record and nothing else.

use crate::answers::{OPENAI_ANSWER, anthropic_sse, openai_sse, usage};
use crate::support::*;
use conduit_wasm::stream::Stream;
use conduit_wasm::{Answer, Ending, Exchange, Teardown};
use serde_json::{Value, json};

fn streaming(model: &str) -> String {
    json!({"model": model, "stream": true, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
        .to_string()
}

/// Both client formats at both providers: the request, the provider, its whole stream.
fn all() -> Vec<(Exchange, &'static str, String)> {
    let mut all = Vec::new();
    for (provider, model, sse) in
        [("openai", "openai/gpt-4o", openai_sse()), ("anthropic", "anthropic/claude-sonnet-4-5", anthropic_sse())]
    {
        for exchange in [chat(streaming(model)), messages(streaming(model))] {
            all.push((exchange, provider, sse.clone()));
        }
    }
    all
}

#[test]
fn a_client_that_hangs_up_leaves_one_record_with_an_estimate() {
    let mut vm = vm();
    for (exchange, provider, sse) in all() {
        // All but the end: the texts are out, the usage is not.
        let seen = sse.find("dich").unwrap() + 20;
        for size in [1, 50, 10_000] {
            for teardown in [Teardown::GatewayFirst, Teardown::UpstreamFirst] {
                let cut = Answer::sse(provider, &sse.as_bytes()[..seen]).parts(size).ending(Ending::HangUp);
                let outcome = exchange.clone().teardown(teardown).answer(cut).run(&mut vm);
                let record = record(&mut vm, &outcome);
                assert_eq!(record["outcome"], "client_gone", "{record}");
                let (input, output) = usage(&record);
                assert!(input.is_some_and(|n| n > 0) && output.is_some_and(|n| n > 0), "{record}");
                assert_eq!(record["attempts"][0]["status"], 200);
            }
        }
    }
}

#[test]
fn a_client_that_hangs_up_before_anything_came() {
    let mut vm = vm();
    let body = streaming("smart");
    for part in [0, 1, body.len() / 2] {
        let outcome = chat(&body.as_bytes()[..part]).ending(Ending::HangUp).run(&mut vm);
        let record_ = record(&mut vm, &outcome);
        assert_eq!(record_["outcome"], "client_gone", "{record_}");
        assert!(outcome.sent.is_empty());
    }
    // After the request went out, before the answer's headers.
    let mut stream = Stream::begin(&mut vm, Teardown::default(), true);
    for frame in chat(&body).frames() {
        stream.client_sends(&mut vm, frame);
    }
    stream.attempt(&mut vm, "anthropic");
    stream.end(&mut vm);
    let record_ = parse(&stream.filter_state["conduit.record"]);
    assert_eq!((&record_["outcome"], &record_["attempts"][0]["status"]), (&json!("client_gone"), &Value::Null));
    assert_eq!(vm.metric("conduit_exchanges"), Some(conduit_wasm::state::Metric::Gauge(0)));
}

#[test]
fn a_provider_that_dies_mid_stream() {
    let mut vm = vm();
    for (exchange, provider, sse) in all() {
        let seen = sse.find("dich").unwrap() + 20;
        // The connection breaks: Envoy resets the client's stream, nothing can be added.
        let cut = Answer::sse(provider, &sse.as_bytes()[..seen]).parts(30).ending(Ending::Reset);
        let outcome = exchange.clone().answer(cut).run(&mut vm);
        let record_ = record(&mut vm, &outcome);
        assert!(outcome.reset);
        assert_eq!(record_["outcome"], "cut", "{record_}");
        assert!(usage(&record_).1.is_some_and(|n| n > 0), "{record_}");

        // The answer ends as if it were whole: the client is told that it is not.
        let early = Answer::sse(provider, &sse.as_bytes()[..seen]).parts(30);
        for ending in [Ending::WithLast, Ending::Empty, Ending::Trailers] {
            let outcome = exchange.clone().answer(early.clone().ending(ending)).run(&mut vm);
            let record_ = record(&mut vm, &outcome);
            let text = outcome.client.text();
            if ending == Ending::Trailers {
                // Trailers leave no place for an error event: the stream must at least not look whole.
                assert!(outcome.reset, "the client takes it for whole: {text}");
                assert_eq!(record_["outcome"], "cut", "{record_}");
                continue;
            }
            let said =
                if text.contains("chat.completion.chunk") { openai_stream(&text) } else { anthropic_stream(&text) };
            assert!(said.text.starts_with("Grüß"), "{text}");
            assert!(!said.error.is_null(), "{ending:?}: no error event at the end of {text}");
            assert_eq!(record_["outcome"], "cut", "{record_}");
        }

        // Nothing but headers.
        let nothing = Answer::sse(provider, "").ending(Ending::Empty);
        let outcome = exchange.clone().answer(nothing).run(&mut vm);
        let text = outcome.client.text();
        assert!(text.contains("error"), "an empty stream became {text:?}");
        record(&mut vm, &outcome);
    }
}

#[test]
fn an_error_event_in_a_stream_reaches_the_client_in_its_format() {
    let mut vm = vm();
    let cases = [
        (
            "openai",
            "openai/gpt-4o",
            "data: {\"error\":{\"message\":\"server had an error\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n",
        ),
        (
            "anthropic",
            "anthropic/claude-sonnet-4-5",
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
        ),
    ];
    for (provider, model, event) in cases {
        let whole = if provider == "openai" { openai_sse() } else { anthropic_sse() };
        let seen = whole.find("dich").unwrap();
        let seen = seen + whole[seen..].find("\n\n").unwrap() + 2;
        let sse = format!("{}{event}", &whole[..seen]);
        for size in [1, 9, 10_000] {
            let outcome = chat(streaming(model)).answer(Answer::sse(provider, &sse).parts(size)).run(&mut vm);
            let said = openai_stream(&outcome.client.text());
            assert!(said.error["message"].is_string(), "{}", outcome.client.text());
            assert_eq!(record(&mut vm, &outcome)["outcome"], "cut");
            let outcome = messages(streaming(model)).answer(Answer::sse(provider, &sse).parts(size)).run(&mut vm);
            let said = anthropic_stream(&outcome.client.text());
            assert!(said.error["type"].is_string(), "{}", outcome.client.text());
            assert_eq!(record(&mut vm, &outcome)["outcome"], "cut");
        }
    }
}

#[test]
fn two_exchanges_at_once_do_not_mix() {
    let mut vm = vm();
    let frames = |model: &str, text: &str| {
        let body = json!({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": text}]});
        chat(body.to_string()).parts(11).frames()
    };
    let (mut a, mut b) =
        (Stream::begin(&mut vm, Teardown::default(), true), Stream::begin(&mut vm, Teardown::default(), true));
    let (of_a, of_b) = (frames("smart", "first"), frames("openai/gpt-4o", "second"));
    for place in 0..of_a.len().max(of_b.len()) {
        of_a.get(place).cloned().into_iter().for_each(|frame| a.client_sends(&mut vm, frame));
        of_b.get(place).cloned().into_iter().for_each(|frame| b.client_sends(&mut vm, frame));
    }
    a.attempt(&mut vm, "anthropic");
    b.attempt(&mut vm, "openai");
    assert!(a.sent[0].request.text().contains("first") && b.sent[0].request.text().contains("second"));
    assert_eq!(parse(&a.sent[0].request.body())["model"], "claude-sonnet-4-5");
    assert_eq!(parse(&b.sent[0].request.body())["model"], "gpt-4o");
    for frame in Answer::json("openai", 200, OPENAI_ANSWER).frames() {
        b.provider_sends(&mut vm, frame, false);
    }
    b.end(&mut vm);
    a.provider_reset(&mut vm, 503, "gone");
    a.end(&mut vm);
    assert_eq!((a.client.status(), b.client.status()), (503, 200));
    assert_eq!(parse(&b.filter_state["conduit.record"])["target"], "openai/gpt-4o");
    assert_eq!(parse(&a.filter_state["conduit.record"])["outcome"], "unreachable");
}

#[test]
fn many_exchanges_leave_nothing_behind() {
    let mut vm = vm();
    let mut settled = 0;
    let mut metrics = 0;
    for round in 0..40 {
        for (exchange, provider, sse) in all() {
            let outcome = exchange.clone().answer(Answer::sse(provider, &sse)).run(&mut vm);
            record(&mut vm, &outcome);
            let cut = Answer::sse(provider, &sse.as_bytes()[..sse.len() / 2]).ending(Ending::HangUp);
            let outcome = exchange.answer(cut).run(&mut vm);
            record(&mut vm, &outcome);
        }
        let bad = chat(format!("{{\"model\":\"unknown-{round}\",\"messages\":[]}}")).run(&mut vm);
        record(&mut vm, &bad);
        if round == 9 {
            settled = vm.memory_size();
            metrics = vm.host().metrics.len();
        }
    }
    assert_eq!(vm.memory_size(), settled, "the module's memory grew");
    assert_eq!(vm.host().metrics.len(), metrics, "a defined metric is never freed");
}
