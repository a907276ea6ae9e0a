//! Streams: OpenAI's chunks into the canonical events.

mod calls;

use super::super::canonical::{ApiError, Citation, StopReason, StreamEvent};
use super::super::secrets::mask;
use super::super::{ReadStream, sse};
use super::error::{body_error, cut};
use super::usage::{read_body_usage, whole};
use super::{citations, function_call, given, read_stop, reasoning, text};
use crate::usage::Usage;
use calls::{Calls, Piece};
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads a stream.
#[derive(Debug, Default)]
pub struct StreamReader {
    started: bool,
    ended: bool,
    /// The answer's id: calls without one of their own get theirs from it.
    id: String,
    choices: BTreeMap<u64, Choice>,
    /// The pages that the answer names as its sources: some servers repeat the list in every chunk.
    pages: Vec<Citation>,
}

#[derive(Debug, Default)]
struct Choice {
    calls: Calls,
    finished: bool,
    /// Whether any text was annotated.
    cited: bool,
    /// Whether any reasoning came in words.
    worded: bool,
}

impl ReadStream for StreamReader {
    fn event(&mut self, event: &sse::Event<'_>, out: &mut Vec<StreamEvent>) {
        let data = event.data.trim();
        if self.ended || data.is_empty() {
            return;
        }
        if data == "[DONE]" {
            return self.done(out);
        }
        let chunk = match serde_json::from_str::<Value>(data) {
            Ok(chunk @ Value::Object(_)) => chunk,
            _ if event.name == "error" => return self.fail(ApiError::new(502, cut(&mask(data))), out),
            _ => {
                let found = cut(&mask(data));
                return self
                    .fail(ApiError::new(502, format!("the provider's stream holds no JSON object: {found}")), out);
            }
        };
        if event.name == "error" || given(&chunk, "error").is_some() {
            return self.fail(body_error(None, &chunk), out);
        }
        self.chunk(&chunk, out);
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if self.ended {
            return;
        }
        if !self.choices.is_empty() && self.choices.values().all(|choice| choice.finished) {
            return self.end(out);
        }
        self.fail(ApiError::new(502, "the provider's stream ended before its end"), out);
    }
}

impl StreamReader {
    /// `[DONE]`. A choice that no `finish_reason` ended is over all the same: the provider says so.
    fn done(&mut self, out: &mut Vec<StreamEvent>) {
        if self.choices.is_empty() {
            return self.fail(ApiError::new(502, "the provider's stream ended without an answer"), out);
        }
        let open: Vec<u64> =
            self.choices.iter().filter(|(_, choice)| !choice.finished).map(|(number, _)| *number).collect();
        for number in open {
            self.finish_choice(number, "stop", None, out);
        }
        self.end(out);
    }

    fn end(&mut self, out: &mut Vec<StreamEvent>) {
        self.start(&Value::Null, out);
        self.ended = true;
        out.push(StreamEvent::End);
    }

    fn fail(&mut self, error: ApiError, out: &mut Vec<StreamEvent>) {
        self.start(&Value::Null, out);
        out.push(StreamEvent::Error(error));
        self.end(out);
    }

    fn start(&mut self, chunk: &Value, out: &mut Vec<StreamEvent>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let id = text(chunk, "id").map(str::to_owned);
        self.id = id.clone().unwrap_or_default();
        out.push(StreamEvent::Start {
            id,
            model: text(chunk, "model").map(str::to_owned),
            created: chunk.get("created").and_then(whole),
            usage: Usage::default(),
        });
    }

    fn chunk(&mut self, chunk: &Value, out: &mut Vec<StreamEvent>) {
        let choices = chunk.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let usage = read_body_usage(chunk);
        if choices.is_empty() && usage.is_empty() {
            // Azure opens with the verdict of its content filter, without id or model; others send signs of life.
            out.extend(self.started.then_some(StreamEvent::Ping));
            return;
        }
        self.start(chunk, out);
        let pages = citations::pages(chunk);
        if !pages.is_empty() {
            self.pages = pages;
        }
        for (place, choice) in choices.iter().enumerate() {
            let number = choice.get("index").and_then(whole).or_else(|| u64::try_from(place).ok()).unwrap_or(0);
            self.choice(number, choice, out);
        }
        if !usage.is_empty() {
            out.push(StreamEvent::Usage(usage));
        }
    }

    fn choice(&mut self, number: u64, choice: &Value, out: &mut Vec<StreamEvent>) {
        let state = self.choices.entry(number).or_default();
        // Some servers send one whole message where others send deltas.
        if let Some(delta) = given(choice, "delta").or_else(|| given(choice, "message"))
            && !state.finished
        {
            let cited = citations::read(delta);
            state.cited |= !cited.is_empty();
            reasoning::read_delta(number, delta, &mut state.worded, out);
            read_delta(number, delta, &self.id, &mut state.calls, out);
            out.extend(cited.into_iter().map(|citation| StreamEvent::Citation { choice: number, citation }));
        }
        if let Some(logprobs) = given(choice, "logprobs").filter(|_| !state.finished) {
            out.push(StreamEvent::Logprobs { choice: number, logprobs: logprobs.clone() });
        }
        if let Some(word) = text(choice, "finish_reason") {
            self.finish_choice(number, word, text(choice, "stop_reason"), out);
        }
    }

    /// Ends a choice, once: some servers repeat the reason in a last chunk.
    fn finish_choice(&mut self, number: u64, word: &str, sequence: Option<&str>, out: &mut Vec<StreamEvent>) {
        let state = self.choices.entry(number).or_default();
        if std::mem::replace(&mut state.finished, true) {
            return;
        }
        state.calls.close(number, &self.id, out);
        if !state.cited && number == 0 {
            let pages = std::mem::take(&mut self.pages).into_iter();
            out.extend(pages.map(|citation| StreamEvent::Citation { choice: number, citation }));
        }
        let stop = read_stop(word, !state.calls.is_empty()).unwrap_or(StopReason::End);
        let sequence = sequence.filter(|_| stop == StopReason::End).map(str::to_owned);
        let stop = if sequence.is_some() { StopReason::StopSequence } else { stop };
        out.push(StreamEvent::Finish { choice: number, stop, stop_sequence: sequence });
    }
}

fn read_delta(choice: u64, delta: &Value, answer: &str, calls: &mut Calls, out: &mut Vec<StreamEvent>) {
    match delta.get("content") {
        Some(Value::String(text)) if !text.is_empty() => {
            out.push(StreamEvent::Text { choice, text: text.clone() });
        }
        Some(Value::Array(parts)) => {
            for part in parts {
                if let Some(text) = text(part, "text") {
                    out.push(StreamEvent::Text { choice, text: text.to_owned() });
                } else if let Some(thinking) = reasoning::read_block(part) {
                    reasoning::push(choice, thinking, true, out);
                }
            }
        }
        _ => {}
    }
    if let Some(refusal) = text(delta, "refusal") {
        out.push(StreamEvent::Refusal { choice, text: refusal.to_owned() });
    }
    // Sound has no place in a stream of another format; what is said in it has.
    if let Some(text) = given(delta, "audio").and_then(|audio| text(audio, "transcript")) {
        out.push(StreamEvent::Text { choice, text: text.to_owned() });
    }
    for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let function = call.get("function").unwrap_or(&Value::Null);
        let piece = Piece {
            wire: call.get("index").and_then(whole),
            id: text(call, "id"),
            function,
            signature: reasoning::call_signature(call, delta),
        };
        calls.piece(choice, answer, piece, out);
    }
    if let Some(function) = function_call(delta) {
        // The one call of before there were tools: its pieces belong together.
        calls.piece(choice, answer, Piece { wire: Some(0), id: None, function, signature: None }, out);
    }
}
