//! Streamed answers on their way from a provider's format to the client's.

use super::Ledger;
use super::attempt::usage_of;
use crate::formats::canonical::{Answer, ApiError, Part, StopReason, StreamEvent};
use crate::formats::splice::{self, Edit};
use crate::formats::{Format, Incoming, ReadStream, WriteStream, sse};
use serde_json::Value;

/// The most bytes of one event. Larger ones end the stream with an error.
const LARGEST_EVENT: usize = 16 * 1024 * 1024;
/// The most bytes of streamed text that are kept for an estimate.
const MOST_SAID: usize = 4 * 1024 * 1024;

/// A streamed answer.
pub struct Pipe {
    parser: sse::Parser,
    reader: Box<dyn ReadStream>,
    writer: Box<dyn WriteStream>,
    how: How,
    over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Client and provider share the format: every byte as it comes.
    Verbatim,
    /// They share it, but the client did not ask for the usage that we made the provider send.
    HidingUsage,
    /// They do not share it.
    Translating,
}

impl Pipe {
    /// For a client and a provider that share `format`.
    pub fn same(format: Format, incoming: &Incoming<'_>, hide_usage: bool) -> Self {
        let how = if hide_usage { How::HidingUsage } else { How::Verbatim };
        Self::new(format, format, incoming, how)
    }

    /// From `spoken`, the provider's format, to `client`.
    pub fn translate(spoken: Format, client: Format, incoming: &Incoming<'_>) -> Self {
        Self::new(spoken, client, incoming, How::Translating)
    }

    fn new(spoken: Format, client: Format, incoming: &Incoming<'_>, how: How) -> Self {
        let (reader, writer) = (spoken.stream_reader(), client.stream_writer(incoming));
        Self { parser: sse::Parser::new(LARGEST_EVENT), reader, writer, how, over: false }
    }

    /// Whether bytes pass as they come.
    pub fn is_verbatim(&self) -> bool {
        self.how == How::Verbatim
    }

    /// Takes bytes from the provider and gives those for the client.
    pub fn push(&mut self, bytes: &[u8], ends: bool, ledger: &mut Ledger) -> Vec<u8> {
        let mut out = Vec::with_capacity(if self.is_verbatim() { bytes.len() } else { 0 });
        if self.over {
            return out;
        }
        if self.how == How::Verbatim {
            out.extend_from_slice(bytes);
        }
        let (reader, writer, how) = (&mut self.reader, &mut self.writer, self.how);
        let mut events = Vec::new();
        let mut each = |event: sse::Event<'_>| {
            reader.event(&event, &mut events);
            note(&events, ledger);
            match how {
                How::Verbatim => {}
                How::HidingUsage => repeat_without_usage(&event, &mut out),
                How::Translating => events.iter().for_each(|event| writer.write(event, &mut out)),
            }
            events.clear();
        };
        let mut parsed = self.parser.push(bytes, &mut each);
        if ends && parsed.is_ok() {
            parsed = self.parser.finish(&mut each);
        }
        if parsed.is_err() {
            self.over = true;
            let error = ApiError::new(502, "the provider sent an event larger than this gateway takes");
            events = vec![StreamEvent::Error(error), StreamEvent::End];
            self.end(&events, ledger, &mut out);
        } else if ends {
            self.over = true;
            self.reader.finish(&mut events);
            self.end(&events, ledger, &mut out);
        }
        out
    }

    /// The provider's bytes are over; `events` is what its reader still has to say.
    fn end(&mut self, events: &[StreamEvent], ledger: &mut Ledger, out: &mut Vec<u8>) {
        note(events, ledger);
        let failed = events.iter().any(|event| matches!(event, StreamEvent::Error(_)));
        if self.how == How::Translating {
            events.iter().for_each(|event| self.writer.write(event, out));
        } else if failed {
            // A shared format passed as it came, perhaps up to the middle of an event: that one is closed first.
            out.extend_from_slice(b"\n\n");
            events
                .iter()
                .filter(|event| matches!(event, StreamEvent::Error(_) | StreamEvent::End))
                .for_each(|event| self.writer.write(event, out));
        }
    }
}

/// Writes down what events say of usage, and what was said.
fn note(events: &[StreamEvent], ledger: &mut Ledger) {
    for event in events {
        match event {
            StreamEvent::Start { usage, .. } | StreamEvent::Usage(usage) => ledger.usage.merge(usage),
            StreamEvent::Text { text, .. }
            | StreamEvent::Thinking { text, .. }
            | StreamEvent::Refusal { text, .. }
            | StreamEvent::ToolArguments { json: text, .. }
                if ledger.said.len() < MOST_SAID =>
            {
                ledger.said.push_str(text);
            }
            StreamEvent::Finish { .. } => ledger.finished = true,
            StreamEvent::Error(_) => ledger.cut = true,
            _ => {}
        }
    }
}

/// Repeats an OpenAI event, without the usage that the client did not ask for.
fn repeat_without_usage(event: &sse::Event<'_>, out: &mut Vec<u8>) {
    let mut data = event.data.as_bytes();
    let edited;
    if event.data.contains("\"usage\"")
        && let Ok(value) = serde_json::from_str::<Value>(event.data)
        && value.get("usage").is_some()
    {
        let usage_only = value.get("choices").is_some_and(|c| c.as_array().is_some_and(Vec::is_empty));
        if usage_only {
            return;
        }
        edited = splice::edit(data, &[Edit::Remove("usage")]);
        if let Ok(edited) = &edited {
            data = edited;
        }
    }
    if !event.name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.name.as_bytes());
        out.push(b'\n');
    }
    for line in data.split(|byte| *byte == b'\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// Watches a stream that passes untouched for the usage that it reports.
pub struct Observer {
    parser: Option<sse::Parser>,
}

impl Observer {
    /// For server-sent events, or for anything else.
    pub fn new(events: bool) -> Self {
        Self { parser: events.then(|| sse::Parser::new(LARGEST_EVENT)) }
    }

    /// For what cannot be read.
    pub fn blind() -> Self {
        Self { parser: None }
    }

    /// Takes bytes on their way.
    pub fn push(&mut self, bytes: &[u8], ends: bool, ledger: &mut Ledger) {
        let Some(parser) = &mut self.parser else { return };
        let mut each = |event: sse::Event<'_>| {
            if event.data.contains("\"usage\"")
                && let Ok(value) = serde_json::from_str::<Value>(event.data)
                && let Some(usage) = usage_of(&value, Format::OpenAiChat)
            {
                ledger.usage.merge(&usage);
            }
        };
        let mut parsed = parser.push(bytes, &mut each);
        if ends && parsed.is_ok() {
            parsed = parser.finish(&mut each);
        }
        if parsed.is_err() {
            self.parser = None;
        }
    }
}

/// A whole answer as the events that would have streamed it.
pub fn events_of(answer: &Answer) -> Vec<StreamEvent> {
    let mut events = vec![StreamEvent::Start {
        id: answer.id.clone(),
        model: answer.model.clone(),
        created: answer.created,
        usage: answer.usage.clone(),
    }];
    for (choice, said) in (0_u64..).zip(&answer.choices) {
        let mut index = 0_u64;
        for part in &said.parts {
            match part {
                Part::Text { text, .. } if !text.is_empty() => {
                    events.push(StreamEvent::Text { choice, text: text.clone() })
                }
                Part::Refusal(text) => events.push(StreamEvent::Refusal { choice, text: text.clone() }),
                Part::Thinking { text, signature } => {
                    events.push(StreamEvent::Thinking { choice, text: text.clone() });
                    if let Some(signature) = signature {
                        events.push(StreamEvent::Signature { choice, signature: signature.clone() });
                    }
                }
                Part::RedactedThinking { data } => {
                    events.push(StreamEvent::RedactedThinking { choice, data: data.clone() });
                }
                Part::ToolCall(call) => {
                    let (id, name) = (call.id.clone(), call.name.clone());
                    events.push(StreamEvent::ToolStart { choice, index, id, name });
                    let json = call.arguments.clone();
                    events.push(StreamEvent::ToolArguments { choice, index, json });
                    index = index.saturating_add(1);
                }
                _ => {}
            }
        }
        let stop = said.stop.clone().unwrap_or(StopReason::End);
        events.push(StreamEvent::Finish { choice, stop, stop_sequence: said.stop_sequence.clone() });
    }
    events.push(StreamEvent::Usage(answer.usage.clone()));
    events.push(StreamEvent::End);
    events
}
