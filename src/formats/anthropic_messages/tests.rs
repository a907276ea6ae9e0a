//! Behaviour of the format, as tables of cases.

mod answers;
mod requests;
mod streams;

// Files and the environment are for native tests only.
#[cfg(not(target_family = "wasm"))]
mod recordings;
#[cfg(not(target_family = "wasm"))]
mod round_trip;

use crate::formats::canonical::StreamEvent;
use crate::formats::{Incoming, Outgoing, ReadStream, WriteStream, anthropic_messages, sse};
use serde_json::Value;

pub(super) const INCOMING: Incoming<'static> =
    Incoming { model: "asked", id: "x1", created: 1_700_000_000, counted: None, include_usage: true, request: None };

pub(super) fn outgoing(model: &str) -> Outgoing<'_> {
    Outgoing { model, default_max_tokens: 4096, rejects: &[] }
}

/// A plain splitter of server-sent events, apart from the real parser.
pub(super) fn split(text: &str) -> Vec<(String, String)> {
    let mut events = Vec::new();
    for block in text.replace("\r\n", "\n").split("\n\n").filter(|block| !block.trim().is_empty()) {
        let field = |name: &str| {
            let lines: Vec<&str> = block.lines().filter_map(|l| l.strip_prefix(name)).map(|l| l.trim_start()).collect();
            lines.join("\n")
        };
        events.push((field("event:"), field("data:")));
    }
    events
}

/// All events of a stream's text, its end included.
pub(super) fn read_stream(text: &str) -> Vec<StreamEvent> {
    let mut reader = anthropic_messages::StreamReader::default();
    let mut out = Vec::new();
    for (name, data) in split(text) {
        reader.event(&sse::Event { name: &name, data: &data }, &mut out);
    }
    reader.finish(&mut out);
    out
}

/// The data of every event that is written for these.
pub(super) fn write_stream(events: &[StreamEvent]) -> Vec<Value> {
    let mut writer = anthropic_messages::StreamWriter::new(&INCOMING);
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    let mut all = Vec::new();
    for (name, data) in split(&text) {
        let data: Value = serde_json::from_str(&data).unwrap();
        assert_eq!(data["type"], name.as_str());
        all.push(data);
    }
    all
}
