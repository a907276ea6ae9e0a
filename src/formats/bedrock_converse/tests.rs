//! Behaviour of the format, as tables of cases.

mod answers;
mod hostile;
mod requests;
mod streams;

// Files and the environment are for native tests only.
#[cfg(not(target_family = "wasm"))]
mod recordings;

use crate::formats::canonical::StreamEvent;
use crate::formats::{Format, Incoming, Outgoing, ReadStream, WriteStream, bedrock_converse, eventstream, sse};
use serde_json::{Value, json};

pub(super) const INCOMING: Incoming<'static> =
    Incoming { model: "asked", id: "x1", created: 1_700_000_000, counted: None, include_usage: true, request: None };

pub(super) const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

pub(super) fn outgoing(model: &str) -> Outgoing<'_> {
    Outgoing { model, default_max_tokens: 4096, rejects: &[] }
}

/// What a body of another format is here, with what was dropped; or the parameter that is refused.
pub(super) fn written(from: Format, model: &str, body: Value) -> Result<(Value, Vec<String>), String> {
    let request = from.read_request(&body).unwrap();
    match bedrock_converse::write_request(&request, &outgoing(model)) {
        Ok(written) => Ok((serde_json::from_slice(&written.body).unwrap(), written.dropped)),
        Err(error) => Err(error.param),
    }
}

/// A user's question in OpenAI's format, with more members.
pub(super) fn chat(more: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// All events of a stream of messages (name, payload), its end included.
pub(super) fn read_stream(messages: &[(&str, Value)]) -> Vec<StreamEvent> {
    let mut reader = bedrock_converse::StreamReader::default();
    let mut out = Vec::new();
    for (name, payload) in messages {
        reader.event(&sse::Event { name, data: &payload.to_string() }, &mut out);
    }
    reader.finish(&mut out);
    out
}

/// The messages that bytes hold: name, whether it failed, payload.
pub(super) fn messages(bytes: &[u8]) -> Vec<(String, bool, Value)> {
    let mut all = Vec::new();
    let mut parser = eventstream::Parser::new(1 << 20);
    let mut each = |message: eventstream::Message<'_>| {
        all.push((message.name.to_owned(), message.failed, serde_json::from_slice(message.payload).unwrap()));
    };
    parser.push(bytes, &mut each).unwrap();
    parser.finish().unwrap();
    all
}

/// The messages that are written for these events.
pub(super) fn write_stream(events: &[StreamEvent]) -> Vec<(String, bool, Value)> {
    let mut writer = bedrock_converse::StreamWriter::new(&INCOMING);
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    messages(&out)
}
