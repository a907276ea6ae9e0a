//! Streams: the canonical events into OpenAI's
//! (<https://platform.openai.com/docs/api-reference/responses-streaming>, 2026-11-21).
//!
//! An item is announced, comes in pieces, and is said whole when it is done; the last event holds all of them. Text and
//! reasoning come one after the other; a call stays open until its arguments are whole, because other formats mix the
//! pieces of several.

mod item;

use super::super::canonical::{ApiError, Citation, StopReason, StreamEvent};
use super::super::{Incoming, WriteStream};
use super::error::write_failure;
use super::response::{Envelope, Status, function_call, message, write_logprobs};
use super::{characters, citations, reasoning};
use crate::usage::Usage;
use item::{Content, Item, Kind, at, end_of_part};
use serde_json::{Value, json};

/// Writes a stream. It holds the whole answer, which its last event repeats.
#[derive(Debug)]
pub struct StreamWriter {
    envelope: Envelope,
    /// Of the answer's id: the items' ids are made of it.
    seed: String,
    /// The number of the next event.
    sequence: u64,
    started: bool,
    done: bool,
    usage: Usage,
    items: Vec<Item>,
    /// Characters of text so far.
    length: u64,
    stop: Option<StopReason>,
    refuses: bool,
    failure: Option<ApiError>,
}

impl StreamWriter {
    /// A writer for one answer.
    pub fn new(incoming: &Incoming<'_>) -> Self {
        let envelope = Envelope::new(incoming);
        Self {
            seed: envelope.seed(),
            envelope,
            sequence: 0,
            started: false,
            done: false,
            usage: Usage::default(),
            items: Vec::new(),
            length: 0,
            stop: None,
            refuses: false,
            failure: None,
        }
    }
}

impl WriteStream for StreamWriter {
    fn write(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        if let StreamEvent::Start { id, model, created, usage } = event {
            if !self.started {
                self.envelope.name(id.as_deref(), model.as_deref(), *created);
                self.seed = self.envelope.seed();
            }
            self.usage.merge(usage);
        }
        self.start(out);
        match event {
            StreamEvent::Text { choice: 0, text } => self.say(false, text, out),
            StreamEvent::Refusal { choice: 0, text } => {
                self.refuses = true;
                self.say(true, text, out);
            }
            StreamEvent::Citation { choice: 0, citation } => self.cite(citation, out),
            StreamEvent::Logprobs { choice: 0, logprobs } => self.logprobs(write_logprobs(logprobs), out),
            StreamEvent::Thinking { choice: 0, text } => self.think(text, out),
            StreamEvent::Signature { choice: 0, signature } => self.sign(reasoning::carry(signature), out),
            StreamEvent::RedactedThinking { choice: 0, data } => {
                self.close_open(out);
                self.sign(reasoning::carry_redacted(data), out);
            }
            StreamEvent::ToolStart { choice: 0, index, id, name, signature } => {
                self.close_open(out);
                if let Some(signature) = signature {
                    self.sign(reasoning::carry_of_call(signature), out);
                }
                let kind =
                    Kind::Call { index: *index, call_id: id.clone(), name: name.clone(), arguments: String::new() };
                self.open("fc", kind, out);
            }
            StreamEvent::ToolArguments { choice: 0, index, json } => self.arguments(*index, json, out),
            StreamEvent::Finish { choice: 0, stop, .. } => self.stop = Some(stop.clone()),
            StreamEvent::Usage(usage) => self.usage.merge(usage),
            StreamEvent::Ping => out.extend_from_slice(b": ping\n\n"),
            StreamEvent::Error(error) => self.failure = Some(error.clone()),
            StreamEvent::End => self.end(out),
            // Said above, or of another choice: this format has one.
            _ => {}
        }
    }
}

impl StreamWriter {
    /// One event.
    fn emit(&mut self, name: &str, rest: Value, out: &mut Vec<u8>) {
        let mut event = serde_json::Map::new();
        event.insert("type".to_owned(), name.into());
        event.insert("sequence_number".to_owned(), self.sequence.into());
        if let Value::Object(rest) = rest {
            event.extend(rest);
        }
        self.sequence = self.sequence.saturating_add(1);
        out.extend_from_slice(format!("event: {name}\ndata: {}\n\n", Value::Object(event)).as_bytes());
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        for name in ["response.created", "response.in_progress"] {
            let response = self.envelope.write(Status::InProgress, Vec::new(), &Usage::default(), None);
            self.emit(name, json!({ "response": response }), out);
        }
    }

    /// Where the last item is: its number in the output and its id.
    fn last(&self) -> (usize, String) {
        (self.items.len().saturating_sub(1), self.items.last().map(|item| item.id.clone()).unwrap_or_default())
    }

    /// Announces an item.
    fn open(&mut self, prefix: &str, kind: Kind, out: &mut Vec<u8>) {
        let place = self.items.len();
        let id = format!("{prefix}_{}_{place}", self.seed);
        let item = match &kind {
            Kind::Message { .. } => message(&id, Vec::new(), "in_progress"),
            Kind::Reasoning { .. } => reasoning::write(&id, "", None),
            Kind::Call { call_id, name, .. } => function_call(&id, call_id, name, "", "in_progress"),
        };
        self.items.push(Item { id, kind, whole: None });
        self.emit("response.output_item.added", json!({"output_index": place, "item": item}), out);
    }

    /// Ends what no more can be added to before something else begins: everything but calls that are not whole.
    fn close_open(&mut self, out: &mut Vec<u8>) {
        for place in 0..self.items.len() {
            if self.items.get(place).is_some_and(Item::is_complete) {
                self.close(place, "completed", out);
            }
        }
    }

    /// Ends an item.
    fn close(&mut self, place: usize, status: &str, out: &mut Vec<u8>) {
        let Some(item) = self.items.get_mut(place).filter(|item| item.whole.is_none()) else { return };
        let (events, whole) = item.end(status);
        let id = item.id.clone();
        for (name, rest) in events {
            self.emit(name, at(place, &id, rest), out);
        }
        self.emit("response.output_item.done", json!({"output_index": place, "item": whole}), out);
    }

    /// More text, of the answer or of a refusal.
    fn say(&mut self, refusal: bool, text: &str, out: &mut Vec<u8>) {
        if !matches!(self.items.last(), Some(Item { kind: Kind::Message { .. }, whole: None, .. })) {
            self.close_open(out);
            self.open("msg", Kind::Message { parts: Vec::new(), open: None }, out);
        }
        self.part(refusal, out);
        let (place, id) = self.last();
        let Some((number, content)) = self.content() else { return };
        content.text.push_str(text);
        let long = characters(text);
        content.length = content.length.saturating_add(long);
        let (name, delta) = if refusal {
            ("response.refusal.delta", json!({"content_index": number, "delta": text}))
        } else {
            let delta = json!({"content_index": number, "delta": text, "logprobs": []});
            ("response.output_text.delta", delta)
        };
        if !refusal {
            self.length = self.length.saturating_add(long);
        }
        self.emit(name, at(place, &id, delta), out);
    }

    /// The open part of the open message, with its number.
    fn content(&mut self) -> Option<(usize, &mut Content)> {
        match self.items.last_mut() {
            Some(Item { kind: Kind::Message { parts, open: Some(content) }, whole: None, .. }) => {
                Some((parts.len(), content))
            }
            _ => None,
        }
    }

    /// Sees to it that the open message has an open part of this kind.
    fn part(&mut self, refusal: bool, out: &mut Vec<u8>) {
        let (place, id) = self.last();
        let start = self.length;
        let Some(Item { kind: Kind::Message { parts, open }, .. }) = self.items.last_mut() else { return };
        if open.as_ref().is_some_and(|content| content.refusal == refusal) {
            return;
        }
        let mut events = Vec::new();
        if let Some(content) = open.take() {
            events = end_of_part(&content, parts.len());
            parts.push(content.part());
        }
        let content = Content::new(refusal, start);
        let begin = json!({"content_index": parts.len(), "part": content.part()});
        events.push(("response.content_part.added", begin));
        *open = Some(content);
        for (name, rest) in events {
            self.emit(name, at(place, &id, rest), out);
        }
    }

    fn cite(&mut self, citation: &Citation, out: &mut Vec<u8>) {
        let (place, id) = self.last();
        let Some((number, content)) = self.content().filter(|(_, content)| !content.refusal) else { return };
        let Some(annotation) = citations::write(citation, content.start, content.length) else { return };
        let event = json!({
            "content_index": number,
            "annotation_index": content.annotations.len(),
            "annotation": annotation,
        });
        content.annotations.push(annotation);
        self.emit("response.output_text.annotation.added", at(place, &id, event), out);
    }

    /// Log probabilities come behind the text they belong to: with a piece of no text.
    fn logprobs(&mut self, logprobs: Vec<Value>, out: &mut Vec<u8>) {
        let (place, id) = self.last();
        let Some((number, content)) = self.content().filter(|(_, content)| !content.refusal) else { return };
        let event = json!({"content_index": number, "delta": "", "logprobs": logprobs});
        content.logprobs.extend(logprobs);
        self.emit("response.output_text.delta", at(place, &id, event), out);
    }

    /// The open reasoning item; begun where there is none.
    fn reason(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.items.last(), Some(Item { kind: Kind::Reasoning { .. }, whole: None, .. })) {
            self.close_open(out);
            self.open("rs", Kind::Reasoning { text: String::new(), begun: false, encrypted: None }, out);
        }
    }

    fn think(&mut self, piece: &str, out: &mut Vec<u8>) {
        if piece.is_empty() {
            return;
        }
        self.reason(out);
        let (place, id) = self.last();
        let Some(Item { kind: Kind::Reasoning { text, begun, .. }, .. }) = self.items.last_mut() else { return };
        text.push_str(piece);
        if !std::mem::replace(begun, true) {
            let part = json!({"summary_index": 0, "part": {"type": "summary_text", "text": ""}});
            self.emit("response.reasoning_summary_part.added", at(place, &id, part), out);
        }
        let delta = json!({"summary_index": 0, "delta": piece});
        self.emit("response.reasoning_summary_text.delta", at(place, &id, delta), out);
    }

    /// Ends the reasoning at hand with what its vendor needs to take it back.
    fn sign(&mut self, content: String, out: &mut Vec<u8>) {
        self.reason(out);
        let (place, _) = self.last();
        if let Some(Item { kind: Kind::Reasoning { encrypted, .. }, .. }) = self.items.last_mut() {
            *encrypted = Some(content);
        }
        self.close(place, "completed", out);
    }

    fn arguments(&mut self, call: u64, piece: &str, out: &mut Vec<u8>) {
        let place = self.items.iter().position(|item| match &item.kind {
            Kind::Call { index, .. } => *index == call && item.whole.is_none(),
            _ => false,
        });
        // Pieces for a call that is done already can only be white space after its JSON.
        let Some(place) = place.filter(|_| !piece.is_empty()) else { return };
        let Some(item) = self.items.get_mut(place) else { return };
        if let Kind::Call { arguments, .. } = &mut item.kind {
            arguments.push_str(piece);
        }
        let id = item.id.clone();
        self.emit("response.function_call_arguments.delta", at(place, &id, json!({"delta": piece})), out);
    }

    /// The last event, with the whole response. Where the provider failed an `error` event follows it, because clients
    /// that only gather text look at that alone: OpenAI's own libraries raise it.
    fn end(&mut self, out: &mut Vec<u8>) {
        self.done = true;
        let failure = self.failure.take();
        let status = match &failure {
            Some(_) => Status::Failed,
            None => Status::of(self.stop.as_ref(), self.refuses),
        };
        let last = self.items.len().saturating_sub(1);
        for place in 0..self.items.len() {
            // A call that was cut must not pass for one to be made.
            let whole = place < last && self.items.get(place).is_some_and(Item::is_complete);
            self.close(place, if whole { "completed" } else { status.of_last_item() }, out);
        }
        let output = self.items.iter().filter_map(|item| item.whole.clone()).collect();
        let response = self.envelope.write(status, output, &self.usage, failure.as_ref().map(write_failure));
        self.emit(&format!("response.{}", status.word()), json!({ "response": response }), out);
        if let Some(error) = failure {
            let mut event = json!({"code": error.code, "message": error.message, "param": error.param});
            let body = super::super::openai_chat::write_error(&error);
            if let (Some(event), Ok(Value::Object(body))) = (event.as_object_mut(), serde_json::from_slice(&body)) {
                event.extend(body);
            }
            self.emit("error", event, out);
        }
    }
}
