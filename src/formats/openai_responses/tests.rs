//! Tests through what goes in and comes out.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::string_slice
)]

mod answers;
mod hostile;
mod recordings;
mod requests;
mod streams;
mod written;

use super::*;
use crate::formats::canonical::*;
use crate::formats::{Incoming, Outgoing, ReadStream, RequestError, WriteStream, sse};
use serde_json::{Value, json};

const INCOMING: Incoming<'static> = Incoming {
    model: "asked-model",
    id: "x1",
    created: 1_700_000_000,
    counted: None,
    include_usage: true,
    request: None,
};

fn outgoing(model: &str) -> Outgoing<'_> {
    Outgoing { model, default_max_tokens: 4096, rejects: &[] }
}

/// What a request becomes, and what was dropped.
fn written(request: &ChatRequest, model: &str) -> Result<(Value, Vec<String>), RequestError> {
    let written = write_request(request, &outgoing(model))?;
    Ok((serde_json::from_slice(&written.body).unwrap(), written.dropped))
}

/// The events that a stream's bytes say.
fn read_stream(text: &str) -> Vec<StreamEvent> {
    read_chunks(&[text.as_bytes()])
}

fn read_chunks(chunks: &[&[u8]]) -> Vec<StreamEvent> {
    let (mut parser, mut reader, mut out) = (sse::Parser::new(1 << 22), StreamReader::default(), Vec::new());
    for chunk in chunks {
        parser.push(chunk, &mut |event| reader.event(&event, &mut out)).unwrap();
    }
    parser.finish(&mut |event| reader.event(&event, &mut out)).unwrap();
    reader.finish(&mut out);
    out
}

/// A stream of these events.
fn sse_of(events: &[Value]) -> String {
    events.iter().map(|data| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap())).collect()
}

/// The bytes that say these events.
fn write_stream(events: &[StreamEvent], incoming: &Incoming<'_>) -> String {
    let (mut writer, mut out) = (StreamWriter::new(incoming), Vec::new());
    for event in events {
        writer.write(event, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// The data of each event in a stream, whose names must agree with it.
fn events(text: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut parser = sse::Parser::new(1 << 22);
    let mut take = |event: sse::Event<'_>| {
        let data: Value = serde_json::from_str(event.data).unwrap();
        assert_eq!(data["type"], event.name);
        assert_eq!(data["sequence_number"], all.len());
        all.push(data);
    };
    parser.push(text.as_bytes(), &mut take).unwrap();
    parser.finish(&mut take).unwrap();
    all
}

/// What was said, pieces joined.
fn said(events: &[StreamEvent]) -> Vec<String> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut add = |key: String, text: &str| match out.iter_mut().rev().find(|(known, _)| *known == key) {
        Some((_, sum)) if key.starts_with("arguments") => sum.push_str(text),
        _ => match out.last_mut() {
            Some((last, sum)) if *last == key => sum.push_str(text),
            _ => out.push((key, text.to_owned())),
        },
    };
    for event in events {
        match event {
            StreamEvent::Text { text, .. } => add("text".into(), text),
            StreamEvent::Thinking { text, .. } => add("thinking".into(), text),
            StreamEvent::Refusal { text, .. } => add("refusal".into(), text),
            StreamEvent::Signature { signature, .. } => add("signature".into(), signature),
            StreamEvent::RedactedThinking { data, .. } => add("redacted".into(), data),
            StreamEvent::Citation { citation, .. } => {
                add("citation".into(), &format!("{:?} {:?} {:?}", citation.url, citation.title, citation.span));
            }
            StreamEvent::Logprobs { logprobs, .. } => add("logprobs".into(), &logprobs["content"].to_string()),
            StreamEvent::ToolStart { index, id, name, signature, .. } => {
                add(format!("call {index}"), &format!("{id} {name} {signature:?}"));
                add(format!("arguments {index}"), "");
            }
            StreamEvent::ToolArguments { index, json, .. } => add(format!("arguments {index}"), json),
            StreamEvent::Finish { stop, .. } => add(format!("{stop:?}"), ""),
            StreamEvent::Usage(usage) => add(format!("{usage:?}"), ""),
            StreamEvent::Error(error) => add(format!("{error:?}"), ""),
            StreamEvent::Start { .. } | StreamEvent::Ping | StreamEvent::End => {}
        }
    }
    out.into_iter().map(|(key, text)| format!("{key}: {text}")).collect()
}

fn plain(text: &str) -> Part {
    Part::Text { text: text.into(), cache: None, citations: Vec::new() }
}

fn thinking(text: &str, signature: Option<&str>) -> Part {
    Part::Thinking { text: text.into(), signature: signature.map(str::to_owned) }
}

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        cache: None,
        signature: None,
    })
}

fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::ToolResult { id: id.into(), parts, is_error: false, cache: None }
}

fn turn(role: Role, parts: Vec<Part>) -> Message {
    Message { role, name: None, parts }
}
