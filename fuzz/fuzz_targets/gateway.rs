//! Requests through the gateway: each is answered with an error in the client's format or sent on in the provider's. The
//! first byte of the input says who asks whom.
#![no_main]

use conduit::exchange::{Attempt, Step};
use conduit::formats::Format;
use conduit_fuzz::FORMATS;
use conduit_fuzz::gateway::{NOW, TARGETS, asking, exchange, post};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fn is_error(client: Format, status: u16, body: &[u8]) {
    assert!((400..600).contains(&status), "{status}");
    serde_json::from_slice::<Value>(body).expect("an error is JSON");
    assert!(!client.read_error(status, body).message.is_empty());
}

fuzz_target!(init: conduit_fuzz::gateway::warm(), |data: &[u8]| {
    let Some((who, data)) = data.split_first() else { return };
    let client = FORMATS[usize::from(*who) % FORMATS.len()];
    let (provider, model) = TARGETS[usize::from(*who) / FORMATS.len() % TARGETS.len()];
    let name = format!("{provider}/{model}");
    let mut body = data.to_vec();
    let mut streams = false;
    if let Ok(Value::Object(mut members)) = serde_json::from_slice::<Value>(data) {
        streams = members.get("stream") == Some(&Value::Bool(true));
        if members.contains_key("model") {
            members.insert("model".to_owned(), name.as_str().into());
        }
        body = Value::Object(members).to_string().into_bytes();
    }
    let head = post(&asking(client, &name, streams).0, "application/json");
    let (exchange, step) = exchange(&head, &body);
    match step {
        Step::Wait => panic!("the body has come"),
        Step::Reply(reply) => is_error(client, reply.status, &reply.body),
        Step::Forward(_) => match Attempt::begin(&exchange, 1, None, &head, NOW) {
            Err(error) => is_error(client, error.status, &error.body),
            Ok((attempt, _, wants_body)) => {
                assert!(wants_body);
                match attempt.request_body(&body) {
                    Ok(written) => {
                        serde_json::from_slice::<Value>(&written).expect("what is written is JSON");
                    }
                    Err(error) => is_error(client, error.status, &error.body),
                }
            }
        },
    }
    exchange.borrow_mut().finish("via_upstream", NOW);
});
