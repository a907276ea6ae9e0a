//! Reads streams: each event is a whole `GenerateContentResponse` with what is new.
//!
//! Older models give a `finishReason` with every chunk, so a choice ends only with the stream.

use super::answer::{blocked, cited, explained};
use super::grounding::{self, Said};
use super::parts::{self, CallIds};
use super::{error, items, logprobs, member, stop, text, usage, whole};
use crate::formats::canonical::{ApiError, Part, StreamEvent};
use crate::formats::secrets::mask;
use crate::formats::{ReadStream, kind_of, sse};
use crate::usage::Usage;
use serde_json::Value;
use std::collections::BTreeMap;

/// The most citations that are kept of a choice.
const MOST_CITATIONS: usize = 1000;

/// Reads a stream.
#[derive(Debug, Default)]
pub struct StreamReader {
    started: bool,
    ended: bool,
    /// The answer's id: calls without one of their own get theirs from it.
    id: String,
    choices: BTreeMap<u64, Choice>,
}

#[derive(Debug, Default)]
struct Choice {
    ids: CallIds,
    /// How many calls it made.
    calls: u64,
    /// Something was said, or called.
    spoke: bool,
    said: Said,
    /// The last reason, and what the provider said to it.
    stop: Option<String>,
    message: Option<String>,
    grounding: Option<Value>,
    cited: Vec<Value>,
}

impl ReadStream for StreamReader {
    fn event(&mut self, event: &sse::Event<'_>, out: &mut Vec<StreamEvent>) {
        let data = event.data.trim();
        if self.ended || data.is_empty() || data == "[DONE]" {
            return;
        }
        let chunk = match serde_json::from_str::<Value>(data) {
            Ok(chunk) => chunk,
            Err(_) => {
                let found = error::cut(&mask(data));
                let error = ApiError::new(502, format!("the provider's stream holds what is not JSON: {found}"));
                return self.fail(error, out);
            }
        };
        if let Some(error) = error::inside(&chunk) {
            return self.fail(error, out);
        }
        if !chunk.is_object() {
            let found = format!("the provider's stream holds {} where an object was expected", kind_of(&chunk));
            return self.fail(ApiError::new(502, found), out);
        }
        self.chunk(&chunk, out);
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if self.ended {
            return;
        }
        if self.choices.is_empty() || self.choices.values().any(|choice| choice.stop.is_none()) {
            let message = "the provider's stream ended before its answer was complete";
            return self.fail(ApiError::new(502, message), out);
        }
        for (number, choice) in std::mem::take(&mut self.choices) {
            choice.end(number, out);
        }
        self.ended = true;
        out.push(StreamEvent::End);
    }
}

impl StreamReader {
    fn start(&mut self, chunk: &Value, out: &mut Vec<StreamEvent>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let id = text(chunk, "responseId").map(str::to_owned);
        self.id = id.clone().unwrap_or_default();
        let model = text(chunk, "modelVersion").map(str::to_owned);
        out.push(StreamEvent::Start { id, model, created: None, usage: Usage::default() });
    }

    fn fail(&mut self, error: ApiError, out: &mut Vec<StreamEvent>) {
        self.start(&Value::Null, out);
        self.ended = true;
        out.push(StreamEvent::Error(error));
        out.push(StreamEvent::End);
    }

    fn chunk(&mut self, chunk: &Value, out: &mut Vec<StreamEvent>) {
        let candidates = items(chunk, "candidates");
        let usage = usage::of_body(chunk);
        let blocked = blocked(chunk).filter(|_| candidates.is_empty());
        if candidates.is_empty() && usage.is_empty() && blocked.is_none() {
            out.extend(self.started.then_some(StreamEvent::Ping));
            return;
        }
        self.start(chunk, out);
        for (place, candidate) in (0..).zip(candidates) {
            let number = member(candidate, "index").and_then(whole).unwrap_or(place);
            self.choice(number).take(number, candidate, out);
        }
        if let Some(message) = blocked {
            let choice = self.choice(0);
            choice.stop = Some("SAFETY".to_owned());
            choice.message = Some(message);
        }
        if !usage.is_empty() {
            out.push(StreamEvent::Usage(usage));
        }
    }

    fn choice(&mut self, number: u64) -> &mut Choice {
        let id = &self.id;
        self.choices.entry(number).or_insert_with(|| Choice { ids: CallIds::new(id, number), ..Choice::default() })
    }
}

impl Choice {
    fn take(&mut self, choice: u64, candidate: &Value, out: &mut Vec<StreamEvent>) {
        let content = member(candidate, "content").unwrap_or(&Value::Null);
        for part in items(content, "parts") {
            let mut read = Vec::new();
            parts::read(part, &mut self.ids, &mut read);
            for part in read {
                self.spoke = true;
                self.part(choice, part, out);
            }
        }
        if let Some(logprobs) = logprobs::read(candidate) {
            out.push(StreamEvent::Logprobs { choice, logprobs });
        }
        if let Some(grounding) = member(candidate, "groundingMetadata") {
            self.grounding = Some(grounding.clone());
        }
        let room = MOST_CITATIONS.saturating_sub(self.cited.len());
        self.cited.extend(cited(candidate).iter().take(room).cloned());
        if let Some(word) = stop::word(candidate) {
            self.message = explained(Some(&word), candidate);
            self.stop = Some(word);
        }
    }

    fn part(&mut self, choice: u64, part: Part, out: &mut Vec<StreamEvent>) {
        match part {
            Part::Text { text, .. } => {
                self.said.push(0, &text);
                out.push(StreamEvent::Text { choice, text });
            }
            Part::Thinking { text, signature } => {
                if !text.is_empty() {
                    out.push(StreamEvent::Thinking { choice, text });
                }
                out.extend(signature.map(|signature| StreamEvent::Signature { choice, signature }));
            }
            Part::RedactedThinking { data } => out.push(StreamEvent::RedactedThinking { choice, data }),
            Part::ToolCall(call) => {
                let index = self.calls;
                self.calls = index.saturating_add(1);
                let (id, name, signature) = (call.id, call.name, call.signature);
                out.push(StreamEvent::ToolStart { choice, index, id, name, signature });
                out.push(StreamEvent::ToolArguments { choice, index, json: call.arguments });
            }
            // Streams have no event for media, nor for code that Google ran itself.
            Part::Audio { .. }
            | Part::Image { .. }
            | Part::Document { .. }
            | Part::ToolResult { .. }
            | Part::Refusal(_)
            | Part::Unknown { .. } => {}
        }
    }

    fn end(self, choice: u64, out: &mut Vec<StreamEvent>) {
        if let Some(text) = self.message.filter(|_| !self.spoke) {
            out.push(StreamEvent::Refusal { choice, text });
        }
        for citation in grounding::read(self.grounding.as_ref(), &self.cited, &self.said, false) {
            out.push(StreamEvent::Citation { choice, citation });
        }
        let stop = stop::read(self.stop.as_deref().unwrap_or_default(), self.calls > 0);
        out.push(StreamEvent::Finish { choice, stop, stop_sequence: None });
    }
}
