//! A host call that fails costs at most the exchange at hand: no trap, no loop, no leak, and the next one is served.

use crate::answers::{ANTHROPIC_ANSWER, OPENAI_ANSWER, openai_sse};
use crate::support::*;
use conduit_wasm::state::Metric;
use conduit_wasm::{Answer, Exchange, Status, Vm};
use serde_json::json;

fn exchanges() -> Vec<(&'static str, Exchange)> {
    let body = |model: &str, stream: bool| {
        json!({"model": model, "stream": stream, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
            .to_string()
    };
    vec![
        (
            "same format",
            chat(body("openai/gpt-4o", false)).answer(Answer::json("openai", 200, OPENAI_ANSWER).parts(20)),
        ),
        (
            "translated stream",
            messages(body("openai/gpt-4o", true)).answer(Answer::sse("openai", openai_sse()).parts(200)),
        ),
        (
            "fallback",
            chat(body("smart", false)).answer(Answer::json("anthropic", 529, "{}")).answer(Answer::json(
                "openai",
                200,
                OPENAI_ANSWER,
            )),
        ),
        ("unreachable", messages(body("smart", false)).answer(Answer::unreachable("anthropic"))),
        ("refused", chat("{")),
    ]
}

/// Host calls that `exchange` makes, and how often.
fn calls(vm: &mut Vm, exchange: &Exchange) -> Vec<(String, u64)> {
    vm.host().calls.clear();
    exchange.run(vm);
    vm.host().calls.clone().into_iter().collect()
}

#[test]
fn any_host_call_may_fail_in_any_exchange() {
    let mut vm = vm();
    let mut tried = 0;
    for (what, exchange) in exchanges() {
        for (call, count) in calls(&mut vm, &exchange) {
            // Beyond some, more calls of a kind are of the same place.
            for nth in (0..=count).take(40) {
                for status in [Status::NotFound, Status::BadArgument, Status::InternalFailure] {
                    tried += 1;
                    vm.fault(&call, nth, status);
                    let outcome = exchange.clone().lenient().run(&mut vm);
                    vm.host().faults.clear();
                    for sent in &outcome.sent {
                        for (name, value) in sent.request.headers.iter().flat_map(|map| map.pairs()) {
                            let value = String::from_utf8_lossy(value);
                            assert!(
                                !value.contains(CLIENT_KEY),
                                "{what}, {call} ({nth}) fails with {status:?}: the client's {name} reached {}",
                                sent.provider
                            );
                        }
                    }
                    assert!(vm.host().contexts.is_empty());
                }
            }
        }
    }
    assert!(tried > 200, "only {tried} failures were tried");
    // Where a metric could not be changed, the gauge is off; the exchanges themselves are gone.
    if let Some(Metric::Gauge(_)) = vm.metric("conduit_exchanges") {
        vm.host().metrics.insert("conduit_exchanges".into(), Metric::Gauge(0));
    }
    let body = json!({"model": "smart", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}).to_string();
    let outcome = chat(body).answer(Answer::json("anthropic", 200, ANTHROPIC_ANSWER)).run(&mut vm);
    assert_eq!(outcome.client.status(), 200);
    assert_eq!(record(&mut vm, &outcome)["outcome"], "ok");
}

#[test]
fn any_host_call_may_fail_at_the_start() {
    let names =
        ["proxy_get_property", "proxy_get_buffer_bytes", "proxy_log", "proxy_get_log_level", "proxy_define_metric"];
    for call in names {
        for status in [Status::NotFound, Status::BadArgument, Status::InternalFailure] {
            // It may refuse the configuration then; it may not trap.
            let vm = setup(CONFIG).fault(call, 1, status).start();
            drop(vm);
        }
    }
}

#[test]
fn a_clock_that_stands_or_goes_back_does_no_harm() {
    let exchange = || {
        let body = json!({"model": "openai/gpt-4o", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
        chat(body.to_string()).answer(Answer::json("openai", 200, OPENAI_ANSWER).parts(10))
    };
    for tick in [0, u64::MAX - 1_000_000, 1 << 62] {
        let mut vm = setup(CONFIG).clock(1_795_000_000_000_000_000, 0).start();
        vm.set_tick(tick);
        let outcome = exchange().run(&mut vm);
        assert_eq!(record(&mut vm, &outcome)["outcome"], "ok");
    }
}
