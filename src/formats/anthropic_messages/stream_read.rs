//! Reads streams (<https://docs.anthropic.com/en/docs/build-with-claude/streaming>, 2026-11-21).

use super::answer::{Counts, read_stop};
use super::{citations, error};
use crate::formats::canonical::{ApiError, Citation, StopReason, StreamEvent};
use crate::formats::{ReadStream, sse};
use crate::usage::Usage;
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads a stream.
#[derive(Debug, Default)]
pub struct StreamReader {
    started: bool,
    finished: bool,
    ended: bool,
    counts: Counts,
    /// Tool calls whose block is open, by the block's index.
    calls: BTreeMap<u64, Call>,
    /// How many tool calls have begun.
    begun: u64,
    /// How many characters of text have come.
    characters: u64,
    /// How many had when the text block at hand began.
    block_from: u64,
    /// What the text block at hand rests on: which passage that is shows at its end.
    cited: Vec<Citation>,
}

/// A tool call whose block is open.
#[derive(Debug)]
struct Call {
    index: u64,
    /// The `input` that came with the start; usually empty, the pieces follow.
    input: Option<Value>,
    /// Whether pieces came.
    pieces: bool,
}

impl ReadStream for StreamReader {
    fn event(&mut self, event: &sse::Event<'_>, out: &mut Vec<StreamEvent>) {
        // `[DONE]` belongs to another format, but servers that speak both send it here too.
        if self.ended || event.data.is_empty() || event.data == "[DONE]" {
            return;
        }
        let data: Value = match serde_json::from_str(event.data) {
            Ok(data) => data,
            Err(error) => {
                let message = format!("the provider's stream has an event that is not JSON ({error})");
                return self.fail(ApiError::new(502, message), out);
            }
        };
        let kind = data.get("type").and_then(Value::as_str).unwrap_or(event.name);
        match kind {
            "message_start" => self.start(data.get("message").unwrap_or(&Value::Null), out),
            // A choice that is over says nothing more.
            "content_block_start" | "content_block_delta" if self.finished => {}
            "content_block_start" => self.block_start(&data, out),
            "content_block_delta" => self.block_delta(&data, out),
            "content_block_stop" => {
                self.cite(out);
                if let Some(call) = data.get("index").and_then(Value::as_u64).and_then(|i| self.calls.remove(&i)) {
                    end_call(&call, out);
                }
            }
            "message_delta" => self.message_delta(&data, out),
            "message_stop" => {
                self.open(out);
                if !self.finished {
                    let stop = if self.begun > 0 { StopReason::ToolCalls } else { StopReason::End };
                    self.finish_choice(stop, None, out);
                }
                self.end(out);
            }
            "ping" => {
                self.open(out);
                out.push(StreamEvent::Ping);
            }
            "error" => {
                let members = data.as_object().cloned().unwrap_or_default();
                self.fail(error::inside(&members), out);
            }
            // New kinds of events may come at any time and are to be ignored.
            _ => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if self.ended {
            return;
        }
        if self.finished {
            self.end(out);
        } else {
            self.fail(ApiError::new(502, "the provider's stream ended before its end"), out);
        }
    }
}

impl StreamReader {
    fn start(&mut self, message: &Value, out: &mut Vec<StreamEvent>) {
        if self.started {
            return;
        }
        self.started = true;
        self.counts.merge(Counts::read(message.get("usage").unwrap_or(&Value::Null)));
        let word = |name: &str| message.get(name).and_then(Value::as_str).map(str::to_owned);
        // The output count at the start is a placeholder.
        let usage = Usage { output: None, reasoning: None, ..self.counts.usage() };
        out.push(StreamEvent::Start { id: word("id"), model: word("model"), created: None, usage });
    }

    /// A start for streams that have none.
    fn open(&mut self, out: &mut Vec<StreamEvent>) {
        self.start(&Value::Null, out);
    }

    fn end(&mut self, out: &mut Vec<StreamEvent>) {
        self.ended = true;
        out.push(StreamEvent::End);
    }

    fn fail(&mut self, error: ApiError, out: &mut Vec<StreamEvent>) {
        self.open(out);
        out.push(StreamEvent::Error(error));
        self.end(out);
    }

    fn finish_choice(&mut self, stop: StopReason, stop_sequence: Option<String>, out: &mut Vec<StreamEvent>) {
        self.cite(out);
        for call in std::mem::take(&mut self.calls).into_values() {
            end_call(&call, out);
        }
        self.finished = true;
        out.push(StreamEvent::Finish { choice: 0, stop, stop_sequence });
    }

    /// Says the arguments that came whole with a call's start, once another block goes on: what follows is no part of
    /// that call, even where nobody ends it.
    fn say_whole_inputs(&mut self, data: &Value, out: &mut Vec<StreamEvent>) {
        let here = data.get("index").and_then(Value::as_u64);
        for (_, call) in self.calls.iter_mut().filter(|(at, call)| Some(**at) != here && call.input.is_some()) {
            end_call(call, out);
            call.pieces = true;
        }
    }

    fn block_start(&mut self, data: &Value, out: &mut Vec<StreamEvent>) {
        self.open(out);
        self.say_whole_inputs(data, out);
        let block = data.get("content_block").unwrap_or(&Value::Null);
        let word = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match block.get("type").and_then(Value::as_str) {
            Some("text") => {
                self.cite(out);
                self.block_from = self.characters;
                self.push_text(word("text"), out);
                let listed = block.get("citations").and_then(Value::as_array).into_iter().flatten();
                self.cited.extend(listed.filter_map(citations::read_citation));
            }
            Some("thinking") => {
                push_thinking(word("thinking"), out);
                push_signature(word("signature"), out);
            }
            Some("redacted_thinking") => out.push(StreamEvent::RedactedThinking { choice: 0, data: word("data") }),
            Some("tool_use") => {
                let index = self.begun;
                self.begun = self.begun.saturating_add(1);
                let input = block.get("input").filter(|i| i.as_object().is_some_and(|i| !i.is_empty())).cloned();
                if let Some(at) = data.get("index").and_then(Value::as_u64) {
                    self.calls.insert(at, Call { index, input, pieces: false });
                }
                out.push(StreamEvent::ToolStart {
                    choice: 0,
                    index,
                    id: word("id"),
                    name: word("name"),
                    signature: None,
                });
            }
            // Tools that run at the provider: their calls and results are not the client's to answer.
            _ => {}
        }
    }

    fn block_delta(&mut self, data: &Value, out: &mut Vec<StreamEvent>) {
        self.open(out);
        self.say_whole_inputs(data, out);
        let delta = data.get("delta").unwrap_or(&Value::Null);
        let word = |name: &str| delta.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match delta.get("type").and_then(Value::as_str) {
            Some("text_delta") => self.push_text(word("text"), out),
            Some("citations_delta") => {
                self.cited.extend(delta.get("citation").and_then(citations::read_citation));
            }
            Some("thinking_delta") => push_thinking(word("thinking"), out),
            Some("signature_delta") => push_signature(word("signature"), out),
            Some("input_json_delta") => {
                let json = word("partial_json");
                let call = data.get("index").and_then(Value::as_u64).and_then(|at| self.calls.get_mut(&at));
                if let Some(call) = call.filter(|_| !json.is_empty()) {
                    call.pieces = true;
                    out.push(StreamEvent::ToolArguments { choice: 0, index: call.index, json });
                }
            }
            _ => {}
        }
    }

    fn push_text(&mut self, text: String, out: &mut Vec<StreamEvent>) {
        if !text.is_empty() {
            self.characters = self.characters.saturating_add(citations::length(&text));
            out.push(StreamEvent::Text { choice: 0, text });
        }
    }

    /// Says what the text block at hand rests on.
    fn cite(&mut self, out: &mut Vec<StreamEvent>) {
        let span = Some((self.block_from, self.characters));
        let cited = self.cited.drain(..).map(|citation| Citation { span, ..citation });
        out.extend(cited.map(|citation| StreamEvent::Citation { choice: 0, citation }));
    }

    fn message_delta(&mut self, data: &Value, out: &mut Vec<StreamEvent>) {
        self.open(out);
        let delta = data.get("delta").unwrap_or(&Value::Null);
        let word = |name: &str| delta.get(name).and_then(Value::as_str);
        if let Some(stop) = word("stop_reason").filter(|_| !self.finished) {
            self.finish_choice(read_stop(stop), word("stop_sequence").map(str::to_owned), out);
        }
        if let Some(usage) = data.get("usage").filter(|usage| usage.is_object()) {
            self.counts.merge(Counts::read(usage));
            out.push(StreamEvent::Usage(self.counts.usage()));
        }
    }
}

/// A call without pieces of arguments still has arguments.
fn end_call(call: &Call, out: &mut Vec<StreamEvent>) {
    if !call.pieces {
        let json = call.input.as_ref().map_or_else(|| "{}".to_owned(), Value::to_string);
        out.push(StreamEvent::ToolArguments { choice: 0, index: call.index, json });
    }
}

fn push_thinking(text: String, out: &mut Vec<StreamEvent>) {
    if !text.is_empty() {
        out.push(StreamEvent::Thinking { choice: 0, text });
    }
}

fn push_signature(signature: String, out: &mut Vec<StreamEvent>) {
    if !signature.is_empty() {
        out.push(StreamEvent::Signature { choice: 0, signature });
    }
}
