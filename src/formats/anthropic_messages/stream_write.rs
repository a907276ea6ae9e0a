//! Writes streams (<https://docs.anthropic.com/en/docs/build-with-claude/streaming>, 2026-11-21).
//!
//! Blocks of this format come one after the other, while OpenAI's tool calls may come in any order. So blocks stand in
//! a queue: the first is open and its pieces pass through, those behind it wait until it is complete.

use super::answer::{head, write_stop, write_usage};
use super::{citations, error, signed};
use crate::formats::canonical::{Citation, StopReason, StreamEvent};
use crate::formats::{Incoming, WriteStream};
use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Writes a stream.
#[derive(Debug)]
pub struct StreamWriter {
    /// The gateway's own id and model name, for providers that give none.
    id: String,
    model: String,
    /// Prompt tokens as the gateway counted them, until the provider says.
    counted: Option<u64>,
    started: bool,
    done: bool,
    usage: Usage,
    /// The open block, then those that wait.
    queue: VecDeque<Block>,
    /// The number of the first block in the queue.
    index: u64,
    stop: Option<(StopReason, Option<String>)>,
    calls: bool,
    refuses: bool,
}

#[derive(Debug)]
struct Block {
    kind: Kind,
    /// The `content_block` that it starts with.
    start: Value,
    /// Deltas that wait.
    deltas: Vec<Value>,
    open: bool,
    /// Whether nothing can be added.
    sealed: bool,
}

#[derive(Debug)]
enum Kind {
    Text,
    Thinking,
    Redacted,
    /// A tool call of this number, and how far its JSON has come.
    Tool(u64, Json),
}

impl StreamWriter {
    /// A writer for one answer.
    pub fn new(incoming: &Incoming<'_>) -> Self {
        Self {
            id: incoming.id.to_owned(),
            model: incoming.model.to_owned(),
            counted: incoming.counted,
            started: false,
            done: false,
            usage: Usage::default(),
            queue: VecDeque::new(),
            index: 0,
            stop: None,
            calls: false,
            refuses: false,
        }
    }
}

impl WriteStream for StreamWriter {
    fn write(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        match event {
            StreamEvent::Start { id, model, usage, .. } => {
                self.usage.merge(usage);
                self.start(id.as_deref(), model.as_deref(), out);
            }
            StreamEvent::Text { choice: 0, text } => self.text(text, out),
            StreamEvent::Refusal { choice: 0, text } => {
                self.refuses = true;
                self.text(text, out);
            }
            StreamEvent::Thinking { choice: 0, text } => {
                self.thinking(json!({"type": "thinking_delta", "thinking": text}), false, out);
            }
            StreamEvent::Signature { choice: 0, signature } => {
                self.thinking(json!({"type": "signature_delta", "signature": signature}), true, out);
            }
            StreamEvent::RedactedThinking { choice: 0, data } => {
                let start = json!({"type": "redacted_thinking", "data": data});
                self.queue.push_back(Block::new(Kind::Redacted, start));
                self.advance(out);
            }
            StreamEvent::Citation { choice: 0, citation } => self.citation(citation, out),
            StreamEvent::ToolStart { choice: 0, index, id, name, signature } => {
                self.calls = true;
                if let Some(carrier) = signed::carrier(id, signature.as_deref()) {
                    self.seal();
                    self.thinking(json!({"type": "signature_delta", "signature": carrier}), true, out);
                }
                let start = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                self.queue.push_back(Block::new(Kind::Tool(*index, Json::default()), start));
                self.advance(out);
            }
            StreamEvent::ToolArguments { choice: 0, index, json } => self.arguments(*index, json, out),
            StreamEvent::Finish { choice: 0, stop, stop_sequence } => {
                self.stop = Some((stop.clone(), stop_sequence.clone()));
                self.close_all(out);
            }
            // Usage may come before or after the end of the choice, so it is told at the very end.
            StreamEvent::Usage(usage) => self.usage.merge(usage),
            // Clients take `message_start` for the first event; before it a comment keeps the connection.
            StreamEvent::Ping if self.started => emit("ping", json!({}), out),
            StreamEvent::Ping => out.extend_from_slice(b": ping\n\n"),
            StreamEvent::Error(cause) => {
                // What was said before still counts, also where it waits behind a call that never became whole.
                while self.queue.len() > 1 {
                    self.close(out);
                }
                self.advance(out);
                self.done = true;
                emit("error", error::write(cause), out);
            }
            StreamEvent::End => {
                self.start(None, None, out);
                self.close_all(out);
                let (stop, sequence) = self.stop.take().map_or((None, None), |(stop, at)| (Some(stop), at));
                let reason = write_stop(stop.as_ref(), self.calls, self.refuses);
                let delta = json!({"stop_reason": reason, "stop_sequence": sequence});
                emit("message_delta", json!({"delta": delta, "usage": self.usage()}), out);
                emit("message_stop", json!({}), out);
                self.done = true;
            }
            // This format has one choice and no probabilities.
            StreamEvent::Text { .. }
            | StreamEvent::Refusal { .. }
            | StreamEvent::Thinking { .. }
            | StreamEvent::Signature { .. }
            | StreamEvent::RedactedThinking { .. }
            | StreamEvent::ToolStart { .. }
            | StreamEvent::ToolArguments { .. }
            | StreamEvent::Citation { .. }
            | StreamEvent::Logprobs { .. }
            | StreamEvent::Finish { .. } => {}
        }
    }
}

impl StreamWriter {
    fn start(&mut self, id: Option<&str>, model: Option<&str>, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        let own = Incoming {
            id: &self.id,
            model: &self.model,
            created: 0,
            counted: None,
            include_usage: true,
            request: None,
        };
        let mut message = head(id, model, &own);
        message.insert("content".to_owned(), json!([]));
        message.insert("stop_reason".to_owned(), Value::Null);
        message.insert("stop_sequence".to_owned(), Value::Null);
        // Clients show this figure while the stream runs; the provider's own comes with `message_delta`.
        message.insert("usage".to_owned(), self.usage());
        emit("message_start", json!({"message": message}), out);
    }

    /// Usage as known so far. The format wants a number for the input: what the gateway counted, until the provider says.
    fn usage(&self) -> Value {
        let input = self.usage.input.or(self.counted.map(Tokens));
        write_usage(&Usage { input, ..self.usage.clone() })
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if !matches!(self.queue.back(), Some(Block { kind: Kind::Text, sealed: false, .. })) {
            self.queue.push_back(Block::new(Kind::Text, json!({"type": "text", "text": ""})));
        }
        if let Some(block) = self.queue.back_mut() {
            block.deltas.push(json!({"type": "text_delta", "text": text}));
        }
        self.advance(out);
    }

    /// Nothing is added to the last block any more.
    fn seal(&mut self) {
        if let Some(block) = self.queue.back_mut() {
            block.sealed = true;
        }
    }

    /// A citation goes to the text before it, and text after it to a block of its own: here a citation is of all that its
    /// block says.
    fn citation(&mut self, citation: &Citation, out: &mut Vec<u8>) {
        let text = self.queue.iter_mut().rfind(|block| matches!(block.kind, Kind::Text));
        if let (Some(block), Some(citation)) = (text, citations::write(citation)) {
            block.deltas.push(json!({"type": "citations_delta", "citation": citation}));
            block.sealed = true;
        }
        self.advance(out);
    }

    fn thinking(&mut self, delta: Value, last: bool, out: &mut Vec<u8>) {
        if !matches!(self.queue.back(), Some(Block { kind: Kind::Thinking, sealed: false, .. })) {
            let start = json!({"type": "thinking", "thinking": "", "signature": ""});
            self.queue.push_back(Block::new(Kind::Thinking, start));
        }
        if let Some(block) = self.queue.back_mut() {
            block.deltas.push(delta);
            block.sealed = last;
        }
        self.advance(out);
    }

    /// Pieces for a call that is closed already can only be white space after its JSON.
    fn arguments(&mut self, call: u64, piece: &str, out: &mut Vec<u8>) {
        for block in &mut self.queue {
            if let Kind::Tool(index, json) = &mut block.kind
                && *index == call
            {
                json.take(piece);
                block.deltas.push(json!({"type": "input_json_delta", "partial_json": piece}));
                break;
            }
        }
        self.advance(out);
    }

    /// Writes what can be written: the open block's deltas and, as long as it is complete and another waits, the next.
    fn advance(&mut self, out: &mut Vec<u8>) {
        self.start(None, None, out);
        loop {
            let more = self.queue.len() > 1;
            let Some(block) = self.queue.front_mut() else { return };
            block.write(self.index, out);
            if !(more && block.is_complete()) {
                return;
            }
            self.close(out);
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some(mut block) = self.queue.pop_front() {
            block.write(self.index, out);
            emit("content_block_stop", json!({"index": self.index}), out);
            self.index = self.index.saturating_add(1);
        }
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        self.start(None, None, out);
        while !self.queue.is_empty() {
            self.close(out);
        }
    }
}

impl Block {
    fn new(kind: Kind, start: Value) -> Self {
        Self { kind, start, deltas: Vec::new(), open: false, sealed: false }
    }

    fn is_complete(&self) -> bool {
        match &self.kind {
            Kind::Tool(_, json) => json.is_whole(),
            Kind::Text | Kind::Thinking | Kind::Redacted => true,
        }
    }

    fn write(&mut self, index: u64, out: &mut Vec<u8>) {
        if !self.open {
            self.open = true;
            emit("content_block_start", json!({"index": index, "content_block": self.start.take()}), out);
        }
        for delta in self.deltas.drain(..) {
            emit("content_block_delta", json!({"index": index, "delta": delta}), out);
        }
    }
}

/// Tells when JSON text that comes in pieces is a whole object (or array).
#[derive(Debug, Default)]
pub(crate) struct Json {
    depth: u64,
    begun: bool,
    in_string: bool,
    escaped: bool,
}

impl Json {
    /// Takes the next piece.
    pub(crate) fn take(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => {
                    self.begun = true;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether all of it was taken.
    pub(crate) fn is_whole(&self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }
}

/// One event; `type` goes first unless the data has one.
fn emit(name: &str, data: Value, out: &mut Vec<u8>) {
    let mut whole = serde_json::Map::new();
    whole.insert("type".to_owned(), json!(name));
    if let Value::Object(members) = data {
        whole.extend(members);
    }
    out.extend_from_slice(format!("event: {name}\ndata: {}\n\n", Value::Object(whole)).as_bytes());
}
