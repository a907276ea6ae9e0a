//! Streamed answers on their way from a provider's format to the client's.

use super::Ledger;
use super::decoding::Decoder;
use super::frames::{FrameFault, Frames, Framing, first_message};
use super::whole::billed;
use crate::formats::canonical::{ApiError, StopReason, StreamEvent};
use crate::formats::secrets::Credentials;
use crate::formats::splice::{self, Edit};
use crate::formats::{Format, Incoming, ReadStream, WriteStream, sse};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The most bytes of one event. Larger ones end the stream with an error.
const LARGEST_EVENT: usize = 16 * 1024 * 1024;

/// A streamed answer.
pub struct Pipe {
    frames: Frames,
    /// The provider's format.
    spoken: Format,
    reader: Box<dyn ReadStream>,
    writer: Box<dyn WriteStream>,
    how: How,
    /// Bytes of an event that is not whole yet; the client gets events whole or not at all.
    tail: Vec<u8>,
    over: bool,
    /// Whether the client's stream is text, in which a word can be struck.
    text: bool,
    /// The credentials that the request carried: an error may repeat them.
    credentials: Credentials,
    /// It said more than is reserved for: the client's stream is over, the provider's is read for its usage only.
    spent: bool,
    /// The choices that began and are not over.
    open: BTreeSet<u64>,
    /// The provider failed or an event held a credential. It stays so: an event may leave later than it was read.
    tainted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Client and provider share the format: every byte as it comes.
    Verbatim,
    /// They share it, but the client did not ask for the usage that we made the provider send.
    HidingUsage,
    /// They share it, but not the framing: the provider's events stand in another one.
    Reframing,
    /// They do not share it.
    Translating,
}

impl Pipe {
    /// From `spoken`, the provider's format, to `client`.
    pub fn new(spoken: Format, framing: Framing, client: Format, incoming: &Incoming<'_>) -> Self {
        let how = match spoken == client {
            false => How::Translating,
            true if framing == Framing::Chunks => How::Reframing,
            true if client == Format::OpenAiChat && !incoming.include_usage => How::HidingUsage,
            true => How::Verbatim,
        };
        let (reader, writer) = (spoken.stream_reader(), client.stream_writer(incoming));
        let frames = Frames::new(framing, LARGEST_EVENT);
        Self {
            frames,
            spoken,
            reader,
            writer,
            how,
            tail: Vec::new(),
            over: false,
            text: client != Format::BedrockConverse,
            credentials: Credentials::default(),
            spent: false,
            open: BTreeSet::new(),
            tainted: false,
        }
    }

    fn sse(&self) -> bool {
        self.frames.framing() == Framing::Sse
    }

    /// Keeps credentials from the client, should an error repeat them.
    pub fn withholding(self, credentials: Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// Takes bytes from the provider and gives those for the client.
    pub fn push(&mut self, bytes: &[u8], ends: bool, ledger: &mut Ledger) -> Vec<u8> {
        let mut out = Vec::new();
        if self.over {
            return out;
        }
        if self.spent {
            self.read_on(bytes, ledger);
            return out;
        }
        let bound = ledger.allowance.is_some();
        let open = &mut self.open;
        let (reader, writer, how, spoken) = (&mut self.reader, &mut self.writer, self.how, self.spoken);
        let mut events = Vec::new();
        let mut tainted = self.tainted;
        let credentials = &self.credentials;
        let mut parsed = self.frames.push(bytes, &mut |event| {
            // Before anything else masks part of it.
            let struck = credentials.struck(event.data);
            let event = sse::Event { name: event.name, data: struck.as_deref().unwrap_or(event.data) };
            reader.event(&event, &mut events);
            note(&events, ledger);
            if failed(&events)
                && let Some(usage) = billed(event.data.as_bytes(), spoken)
            {
                ledger.usage.merge(&usage);
            }
            tainted |= struck.is_some() || credentials.are_in(event.name) || failed(&events);
            events.iter().for_each(|event| follow(event, open));
            if how != How::Translating && !failed(&events) {
                // The client gets the provider's own start: should an error have to be written, that is no start again.
                // Where it may come to an end of our own, all that is open has to be known.
                let told = events.iter().filter(|event| bound || matches!(event, StreamEvent::Start { .. }));
                told.for_each(|event| writer.write(event, &mut Vec::new()));
            }
            match how {
                How::Verbatim => {}
                How::HidingUsage => repeat_without_usage(&event, &mut out),
                How::Reframing => reframe(&event, &mut out),
                How::Translating => events.iter_mut().for_each(|event| writer.write(foreign(event), &mut out)),
            }
            events.clear();
        });
        if how == How::Verbatim {
            // What ends a server-sent event is three bytes at most, and what was looked at before held none.
            let from = if self.sse() { self.tail.len().saturating_sub(3) } else { 0 };
            self.tail.extend_from_slice(bytes);
            let whole = self.frames.whole(self.tail.get(from..).unwrap_or_default());
            let whole = if whole == 0 { 0 } else { whole.saturating_add(from) };
            out.extend(self.tail.drain(..whole));
            if self.tail.len() > LARGEST_EVENT {
                // The parser keeps nothing of comments and unknown fields; the tail does.
                parsed = Err(FrameFault::TooLarge);
            }
        }
        if out.is_empty() && matches!(how, How::Translating | How::HidingUsage) && self.frames.commented() {
            self.writer.write(&StreamEvent::Ping, &mut out);
        }
        if let Err(fault) = parsed {
            let error = ApiError::new(
                502,
                match fault {
                    FrameFault::TooLarge => "the provider sent an event larger than this gateway takes",
                    FrameFault::Corrupt => "the provider's event stream is corrupt: a checksum or a length is wrong",
                },
            );
            out.extend(self.fail(error, ledger));
        } else if ends {
            self.over = true;
            self.finish(ledger, &mut out);
            tainted = true;
        } else if !self.open.is_empty() && ledger.is_spent() {
            self.spent = true;
            self.end_early(ledger, &mut out);
        }
        self.tainted = tainted;
        // Events leave whole, so that no key is split here.
        if tainted {
            self.withhold(&mut out);
        }
        out
    }

    /// Strikes the credentials from what leaves.
    fn withhold(&mut self, out: &mut Vec<u8>) {
        if self.text {
            if let Some(struck) = self.credentials.struck_bytes(out) {
                *out = struck;
            }
            if let Some(struck) = unescaped(out, &self.credentials) {
                *out = struck;
            }
            return;
        }
        let Some(fine) = fine_messages(out, &self.credentials) else { return };
        // A message cannot be changed without its checksums: another one says what there is to say.
        let error = ApiError::new(502, "the provider reported an error that holds the gateway's credential");
        out.truncate(fine);
        self.over = true;
        self.writer.write(&StreamEvent::Error(error), out);
    }

    /// Ends the client's stream as its format ends one whose output limit is reached.
    fn end_early(&mut self, ledger: &Ledger, out: &mut Vec<u8>) {
        for choice in std::mem::take(&mut self.open) {
            self.writer.write(&StreamEvent::Finish { choice, stop: StopReason::Length, stop_sequence: None }, out);
        }
        let mut usage = ledger.usage.clone();
        usage.output = usage.output.or(Some(ledger.said.tokens().tokens));
        self.writer.write(&StreamEvent::Usage(usage), out);
        self.writer.write(&StreamEvent::End, out);
    }

    /// Reads what the provider says after that: it bills it.
    fn read_on(&mut self, bytes: &[u8], ledger: &mut Ledger) {
        let (reader, mut events) = (&mut self.reader, Vec::new());
        let parsed = self.frames.push(bytes, &mut |event| reader.event(&event, &mut events));
        note(&events, ledger);
        self.over = parsed.is_err();
    }

    /// Ends the stream with an error, where it is not over, and gives what the client gets for that.
    pub fn fail(&mut self, error: ApiError, ledger: &mut Ledger) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.over {
            self.over = true;
            self.end(&[StreamEvent::Error(error), StreamEvent::End], ledger, &mut out);
        }
        out
    }

    /// The provider's bytes are over. An event without its end still counts where it is whole but for that; what was
    /// cut in the middle says nothing.
    fn finish(&mut self, ledger: &mut Ledger, out: &mut Vec<u8>) {
        let (reader, how) = (&mut self.reader, self.how);
        let mut events = Vec::new();
        self.frames.finish(&mut |event| {
            let cut = event.data.trim() != "[DONE]" && serde_json::from_str::<IgnoredAny>(event.data).is_err();
            if cut {
                return;
            }
            let before = events.len();
            reader.event(&event, &mut events);
            if how == How::HidingUsage && !failed(events.get(before..).unwrap_or_default()) {
                repeat_without_usage(&event, out);
            }
        });
        reader.finish(&mut events);
        events.iter_mut().for_each(|event| {
            foreign(event);
        });
        self.end(&events, ledger, out);
    }

    fn end(&mut self, events: &[StreamEvent], ledger: &mut Ledger, out: &mut Vec<u8>) {
        note(events, ledger);
        match self.how {
            How::Translating => events.iter().for_each(|event| self.writer.write(event, out)),
            _ if failed(events) => events
                .iter()
                .filter(|event| matches!(event, StreamEvent::Error(_) | StreamEvent::End))
                .for_each(|event| self.writer.write(event, out)),
            _ => out.append(&mut self.tail),
        }
    }
}

/// Events in whose JSON a credential hides behind escapes, without it; `None`: there are none.
fn unescaped(events: &[u8], credentials: &Credentials) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut found = false;
    let mut each = |event: sse::Event<'_>| {
        let struck = credentials.struck_json(event.data);
        found |= struck.is_some();
        write_event(event.name, struck.as_deref().unwrap_or(event.data).as_bytes(), &mut out);
    };
    let mut parser = sse::Parser::new(LARGEST_EVENT);
    parser.push(events, &mut each).and_then(|()| parser.finish(&mut each)).ok()?;
    found.then_some(out)
}

/// How many bytes of Amazon's messages stand before the first that holds a credential; `None`: none does.
fn fine_messages(messages: &[u8], credentials: &Credentials) -> Option<usize> {
    let mut fine = 0_usize;
    while let Some(rest) = messages.get(fine..).filter(|rest| !rest.is_empty()) {
        let length = first_message(rest).unwrap_or(rest.len());
        if credentials.struck_bytes(rest.get(..length)?).is_some() {
            return Some(fine);
        }
        fine = fine.saturating_add(length);
    }
    None
}

/// An event for a client of another format: the provider's word for a kind of error means nothing there.
fn foreign(event: &mut StreamEvent) -> &StreamEvent {
    if let StreamEvent::Error(error) = event {
        error.provider_type = None;
    }
    event
}

fn failed(events: &[StreamEvent]) -> bool {
    events.iter().any(|event| matches!(event, StreamEvent::Error(_)))
}

/// Follows which choices are open.
fn follow(event: &StreamEvent, open: &mut BTreeSet<u64>) {
    match event {
        StreamEvent::Text { choice, .. }
        | StreamEvent::Thinking { choice, .. }
        | StreamEvent::Refusal { choice, .. }
        | StreamEvent::ToolStart { choice, .. } => {
            open.insert(*choice);
        }
        StreamEvent::Finish { choice, .. } => {
            open.remove(choice);
        }
        _ => {}
    }
}

/// Writes down what events say of usage, and what was said.
fn note(events: &[StreamEvent], ledger: &mut Ledger) {
    for event in events {
        match event {
            StreamEvent::Start { usage, .. } | StreamEvent::Usage(usage) => {
                ledger.usage.merge(usage);
                if usage.output.is_some() {
                    ledger.reported_at = ledger.said.len();
                }
            }
            StreamEvent::Text { text, .. }
            | StreamEvent::Thinking { text, .. }
            | StreamEvent::Refusal { text, .. }
            | StreamEvent::ToolArguments { json: text, .. } => ledger.said.push(text),
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
        let empty = value.get("choices").is_some_and(|c| c.as_array().is_some_and(Vec::is_empty));
        let usage_only = empty && value.get("usage").is_some_and(Value::is_object);
        if usage_only {
            return;
        }
        edited = splice::edit(data, &[Edit::Remove("usage")]);
        if let Ok(edited) = &edited {
            data = edited;
        }
    }
    write_event(event.name, data, out);
}

/// Repeats an event that stood in another framing. The name of Anthropic's events is their type.
fn reframe(event: &sse::Event<'_>, out: &mut Vec<u8>) {
    let value = serde_json::from_str::<Value>(event.data).ok();
    let name = value.as_ref().and_then(|value| value.get("type")).and_then(Value::as_str);
    write_event(name.unwrap_or(event.name), event.data.as_bytes(), out);
}

fn write_event(name: &str, data: &[u8], out: &mut Vec<u8>) {
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
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
    decoder: Option<Decoder>,
}

impl Observer {
    /// For server-sent events, or for anything else.
    pub fn new(events: bool) -> Self {
        Self { parser: events.then(|| sse::Parser::new(LARGEST_EVENT)), decoder: None }
    }

    /// For what is compressed: a copy is read.
    pub(super) fn reading(self, decoder: Option<Decoder>) -> Self {
        Self { decoder, ..self }
    }

    /// For what cannot be read.
    pub fn blind() -> Self {
        Self { parser: None, decoder: None }
    }

    /// Takes bytes on their way.
    pub fn push(&mut self, bytes: &[u8], ends: bool, ledger: &mut Ledger) {
        let Some(parser) = &mut self.parser else { return };
        let plain = match &mut self.decoder {
            Some(decoder) => decoder.copy(bytes).map(Cow::Owned),
            None => Some(Cow::Borrowed(bytes)),
        };
        let Some(bytes) = plain else { return self.parser = None };
        let mut each = |event: sse::Event<'_>| {
            if event.data.contains("\"usage\"")
                && let Ok(value) = serde_json::from_str::<Value>(event.data)
                && let Some(usage) = super::passing::usage_of(&value)
            {
                ledger.usage.merge(&usage);
            }
        };
        let mut parsed = parser.push(&bytes, &mut each);
        if ends && parsed.is_ok() {
            parsed = parser.finish(&mut each);
        }
        if parsed.is_err() {
            self.parser = None;
        }
    }
}
