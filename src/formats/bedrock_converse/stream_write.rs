//! Writes streams (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>,
//! 2026-11-21), in binary frames.
//!
//! Blocks of this format come one after the other, while OpenAI's tool calls may come in any order. So blocks stand in
//! a queue: the first is open and its pieces pass through, those behind it wait until it is complete.

use super::answer::{write_billed, write_citation, write_signature, write_stop};
use super::blocks::{Object, write_redacted};
use super::error;
use crate::formats::anthropic_messages::stream_write::Json;
use crate::formats::canonical::{StopReason, StreamEvent};
use crate::formats::eventstream;
use crate::formats::{Incoming, WriteStream};
use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Writes a stream.
#[derive(Debug)]
pub struct StreamWriter {
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
    stopped: bool,
    calls: bool,
    refuses: bool,
}

#[derive(Debug)]
struct Block {
    kind: Kind,
    /// What it starts with; only calls have a start.
    start: Option<Value>,
    /// Deltas that wait.
    deltas: Vec<Value>,
    /// Whether nothing can be added.
    sealed: bool,
}

#[derive(Debug)]
enum Kind {
    Text,
    Thinking,
    /// A tool call of this number, and how far its JSON has come.
    Tool(u64, Json),
}

impl StreamWriter {
    /// A writer for one answer.
    pub fn new(incoming: &Incoming<'_>) -> Self {
        Self {
            counted: incoming.counted,
            started: false,
            done: false,
            usage: Usage::default(),
            queue: VecDeque::new(),
            index: 0,
            stop: None,
            stopped: false,
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
            StreamEvent::Start { usage, .. } => {
                self.usage.merge(usage);
                self.start(out);
            }
            StreamEvent::Text { choice: 0, text } => self.text(json!({"text": text}), out),
            StreamEvent::Refusal { choice: 0, text } => {
                self.refuses = true;
                self.text(json!({"text": text}), out);
            }
            StreamEvent::Citation { choice: 0, citation } => {
                self.text(json!({"citation": write_citation(citation)}), out);
            }
            StreamEvent::Thinking { choice: 0, text } => self.thinking(json!({"text": text}), false, out),
            StreamEvent::Signature { choice: 0, signature } => {
                self.thinking(json!({"signature": write_signature(signature)}), true, out);
            }
            StreamEvent::RedactedThinking { choice: 0, data } => {
                let delta = json!({"reasoningContent": {"redactedContent": write_redacted(data)}});
                self.queue.push_back(Block { kind: Kind::Thinking, start: None, deltas: vec![delta], sealed: true });
                self.advance(out);
            }
            StreamEvent::ToolStart { choice: 0, index, id, name, .. } => {
                self.calls = true;
                let start = Some(json!({"toolUse": {"toolUseId": id, "name": name}}));
                let kind = Kind::Tool(*index, Json::default());
                self.queue.push_back(Block { kind, start, deltas: Vec::new(), sealed: false });
                self.advance(out);
            }
            StreamEvent::ToolArguments { choice: 0, index, json } => self.arguments(*index, json, out),
            StreamEvent::Finish { choice: 0, stop, stop_sequence } => {
                self.stop = Some((stop.clone(), stop_sequence.clone()));
                self.stop(out);
            }
            // It may come before or after the end of the choice, so it is told at the very end.
            StreamEvent::Usage(usage) => self.usage.merge(usage),
            StreamEvent::Error(cause) => {
                // What was said before still counts, also where it waits behind a call that never became whole.
                while self.queue.len() > 1 {
                    self.close(out);
                }
                self.advance(out);
                self.done = true;
                let (kind, payload) = (error::name(cause), json!({"message": error::message(cause)}));
                eventstream::write_exception(&stream_name(kind), payload.to_string().as_bytes(), out);
            }
            StreamEvent::End => {
                self.start(out);
                self.stop(out);
                let input = self.usage.input.or(self.counted.map(Tokens));
                let mut metadata = Object::new();
                write_billed(&Usage { input, ..self.usage.clone() }, &mut metadata);
                emit("metadata", Value::Object(metadata), out);
                self.done = true;
            }
            // This format has one choice, and no word for a sign of life.
            StreamEvent::Ping
            | StreamEvent::Text { .. }
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
    fn start(&mut self, out: &mut Vec<u8>) {
        if !self.started {
            self.started = true;
            emit("messageStart", json!({"role": "assistant"}), out);
        }
    }

    /// Closes all blocks and says why, once.
    fn stop(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        while !self.queue.is_empty() {
            self.close(out);
        }
        if self.stopped {
            return;
        }
        self.stopped = true;
        let (stop, sequence) = self.stop.take().map_or((None, None), |(stop, at)| (Some(stop), at));
        let mut payload = Object::new();
        let reason = write_stop(stop.as_ref(), self.calls, self.refuses);
        payload.insert("stopReason".to_owned(), json!(reason));
        if let Some(sequence) = sequence {
            payload.insert("additionalModelResponseFields".to_owned(), json!({"stop_sequence": sequence}));
        }
        emit("messageStop", Value::Object(payload), out);
    }

    fn text(&mut self, delta: Value, out: &mut Vec<u8>) {
        self.add(delta, |kind| matches!(kind, Kind::Text), Kind::Text, false, out);
    }

    fn thinking(&mut self, delta: Value, last: bool, out: &mut Vec<u8>) {
        let delta = json!({"reasoningContent": delta});
        self.add(delta, |kind| matches!(kind, Kind::Thinking), Kind::Thinking, last, out);
    }

    /// Adds to the last block where it is of the kind and not sealed, else to a new one.
    fn add(&mut self, delta: Value, fits: fn(&Kind) -> bool, kind: Kind, last: bool, out: &mut Vec<u8>) {
        if !self.queue.back().is_some_and(|block| fits(&block.kind) && !block.sealed) {
            self.queue.push_back(Block { kind, start: None, deltas: Vec::new(), sealed: false });
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
                block.deltas.push(json!({"toolUse": {"input": piece}}));
                break;
            }
        }
        self.advance(out);
    }

    /// Writes what can be written: the open block's deltas and, as long as it is complete and another waits, the next.
    fn advance(&mut self, out: &mut Vec<u8>) {
        if self.queue.is_empty() {
            return;
        }
        self.start(out);
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
            emit("contentBlockStop", json!({"contentBlockIndex": self.index}), out);
            self.index = self.index.saturating_add(1);
        }
    }
}

impl Block {
    fn is_complete(&self) -> bool {
        match &self.kind {
            Kind::Tool(_, json) => json.is_whole(),
            Kind::Text | Kind::Thinking => true,
        }
    }

    fn write(&mut self, index: u64, out: &mut Vec<u8>) {
        if let Some(start) = self.start.take() {
            emit("contentBlockStart", json!({"start": start, "contentBlockIndex": index}), out);
        }
        for delta in self.deltas.drain(..) {
            emit("contentBlockDelta", json!({"delta": delta, "contentBlockIndex": index}), out);
        }
    }
}

/// The exceptions that a stream may name; a stream has no word for the others.
fn stream_name(name: &str) -> String {
    match name {
        "ValidationException" | "ThrottlingException" | "InternalServerException" | "ServiceUnavailableException" => {
            let (first, rest) = name.split_at_checked(1).unwrap_or_default();
            format!("{}{rest}", first.to_ascii_lowercase())
        }
        "ModelTimeoutException" => "serviceUnavailableException".to_owned(),
        "ModelErrorException" | "ModelStreamErrorException" => "modelStreamErrorException".to_owned(),
        _ => "validationException".to_owned(),
    }
}

fn emit(name: &str, payload: Value, out: &mut Vec<u8>) {
    eventstream::write(name, payload.to_string().as_bytes(), out);
}
