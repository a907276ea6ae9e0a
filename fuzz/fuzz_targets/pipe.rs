//! Streams through a whole attempt: whatever a provider sends, the client gets one well-formed answer in its format, the
//! same however the bytes were cut. The first byte of the input says who asks whom.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use conduit::exchange::{AnswerHead, Attempt, Step};
use conduit::formats::canonical::StreamEvent;
use conduit::formats::{Format, eventstream, sse};
use conduit_fuzz::gateway::{NOW, TARGETS, asking, exchange, headers, post};
use conduit_fuzz::{FORMATS, check_events, pieces, read_binary, read_stream};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

/// What the client gets.
fn sent(client: Format, target: usize, pieces: &[&[u8]]) -> Vec<u8> {
    let (provider, model) = TARGETS[target % TARGETS.len()];
    let (path, body) = asking(client, &format!("{provider}/{model}"), true);
    let head = post(&path, "application/json");
    let (exchange, step) = exchange(&head, body.as_bytes());
    let Step::Forward(_) = step else { panic!("{step:?}") };
    let (mut attempt, ..) = Attempt::begin(&exchange, 1, Some(provider), &head, NOW).expect("there is a target");
    attempt.request_body(body.as_bytes()).expect("the request can be written");
    let content_type = if provider == "bedrock" { "application/vnd.amazon.eventstream" } else { "text/event-stream" };
    let answer = attempt.answer_head(&headers(&[(":status", "200"), ("content-type", content_type)]), false, NOW);
    assert!(matches!(answer, AnswerHead::Stream(_)), "{answer:?}");
    let mut out = Vec::new();
    for piece in pieces {
        out.extend(attempt.answer_piece(piece, false).expect("a stream is read"));
    }
    out.extend(attempt.answer_piece(&[], true).expect("a stream is read"));
    let mut exchange = exchange.borrow_mut();
    exchange.answer_head(&headers(&[(":status", "200"), ("x-conduit-answered", "1")]), false, NOW);
    exchange.answer_body(out.len(), true, NOW);
    exchange.finish("via_upstream", NOW);
    out
}

/// The input's events in the provider's framing. Checksums are beyond a fuzzer, so that it writes server-sent events.
fn framed(target: usize, data: &[u8]) -> Vec<u8> {
    let (provider, model) = TARGETS[target % TARGETS.len()];
    if provider != "bedrock" {
        return data.to_vec();
    }
    let mut out = Vec::new();
    let mut each = |event: sse::Event<'_>| {
        if !model.starts_with("anthropic") {
            match event.name.ends_with("Exception") {
                true => eventstream::write_exception(event.name, event.data.as_bytes(), &mut out),
                false => eventstream::write(event.name, event.data.as_bytes(), &mut out),
            }
        } else if event.name.ends_with("Exception") {
            eventstream::write_exception(event.name, event.data.as_bytes(), &mut out);
        } else {
            let chunk = json!({"bytes": STANDARD.encode(event.data)}).to_string();
            eventstream::write("chunk", chunk.as_bytes(), &mut out);
        }
    };
    let mut parser = sse::Parser::new(1 << 20);
    if parser.push(data, &mut each).is_ok() {
        let _ = parser.finish(&mut each);
    }
    out
}

fn understood(client: Format, bytes: &[u8]) -> Vec<StreamEvent> {
    let events = if client == Format::BedrockConverse { read_binary(bytes) } else { read_stream(client, &[bytes]) };
    let mut events = events.expect("events stay small");
    // A sign of life is sent where nothing else was to send: that depends on the pieces.
    events.retain(|event| *event != StreamEvent::Ping);
    events
}

fuzz_target!(init: conduit_fuzz::gateway::warm(), |data: &[u8]| {
    let Some((who, data)) = data.split_first() else { return };
    let (client, target) = (FORMATS[usize::from(*who) % FORMATS.len()], usize::from(*who) / FORMATS.len());
    let bytes = framed(target, data);
    let whole = sent(client, target, &[&bytes]);
    let events = understood(client, &whole);
    check_events(&events);
    assert!(!whole.is_empty());
    let cuts = pieces(&bytes);
    let cut = sent(client, target, &cuts[bytes.len() % cuts.len()]);
    if cut != whole {
        assert_eq!(understood(client, &cut), events);
    }
});
