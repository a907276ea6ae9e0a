mod answers;
mod requests;
mod streams;

// `proptest`, files and the environment are for native tests only.
#[cfg(not(target_family = "wasm"))]
mod hostile;
#[cfg(not(target_family = "wasm"))]
mod peers;
#[cfg(not(target_family = "wasm"))]
mod recordings;

use super::super::canonical::{ChatRequest, StreamEvent};
use super::super::{Incoming, Outgoing, ReadStream as _, WriteStream as _, sse};
use super::{StreamReader, StreamWriter};
use serde_json::Value;

fn outgoing(model: &str) -> Outgoing<'_> {
    Outgoing { model, default_max_tokens: 4096, rejects: &[] }
}

fn incoming() -> Incoming<'static> {
    Incoming { model: "asked", id: "ex1", created: 7, counted: None, include_usage: true, request: None }
}

fn written(request: &ChatRequest, outgoing: &Outgoing<'_>) -> (Value, Vec<String>) {
    let written = super::write_request(request, outgoing).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.dropped)
}

/// The events of a stream whose bytes come in these pieces.
fn read_stream(pieces: &[&[u8]]) -> Vec<StreamEvent> {
    let mut parser = sse::Parser::new(1 << 22);
    let mut reader = StreamReader::default();
    let mut events = Vec::new();
    let mut each = |event: sse::Event<'_>| reader.event(&event, &mut events);
    for piece in pieces {
        parser.push(piece, &mut each).unwrap();
    }
    parser.finish(&mut each).unwrap();
    reader.finish(&mut events);
    events
}

fn write_stream(events: &[StreamEvent], incoming: &Incoming<'_>) -> Vec<u8> {
    let mut writer = StreamWriter::new(incoming);
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    out
}
