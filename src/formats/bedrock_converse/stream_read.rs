//! Reads streams (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>, 2026-11-21).

use super::answer::{read_billed, read_stop, read_stop_sequence};
use super::blocks::{read_citation, read_redacted, read_signature};
use super::error;
use crate::formats::canonical::{ApiError, StopReason, StreamEvent};
use crate::formats::{ReadStream, sse};
use crate::usage::Usage;
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads a stream. An event's name is the message's `:event-type`, `:exception-type` or `:error-code`, its data the
/// payload.
#[derive(Debug, Default)]
pub struct StreamReader {
    started: bool,
    finished: bool,
    ended: bool,
    /// Tool calls whose block is open, by the block's index.
    calls: BTreeMap<u64, Call>,
    /// How many tool calls have begun.
    begun: u64,
}

/// A tool call whose block is open.
#[derive(Debug)]
struct Call {
    index: u64,
    /// Whether pieces of arguments came.
    pieces: bool,
}

impl ReadStream for StreamReader {
    fn event(&mut self, event: &sse::Event<'_>, out: &mut Vec<StreamEvent>) {
        if self.ended {
            return;
        }
        let failed = is_failure(event.name);
        let data: Value = match serde_json::from_str(event.data) {
            Ok(data) => data,
            // What failed may say so in words alone.
            Err(_) if failed => Value::String(event.data.to_owned()),
            Err(_) if event.data.is_empty() => Value::Null,
            Err(error) => {
                let message = format!("the provider's stream has an event that is not JSON ({error})");
                return self.fail(ApiError::new(502, message), out);
            }
        };
        match event.name {
            "messageStart" => self.open(out),
            // A choice that is over says nothing more.
            "contentBlockStart" | "contentBlockDelta" | "contentBlockStop" if self.finished => {}
            "contentBlockStart" => self.block_start(&data, out),
            "contentBlockDelta" => self.block_delta(&data, out),
            "contentBlockStop" => {
                if let Some(call) = index_of(&data).and_then(|at| self.calls.remove(&at)) {
                    end_call(&call, out);
                }
            }
            "messageStop" if self.finished => {}
            "messageStop" => {
                self.open(out);
                let word = data.get("stopReason").and_then(Value::as_str);
                let spoken = if self.begun > 0 { StopReason::ToolCalls } else { StopReason::End };
                self.finish_choice(word.map_or(spoken, read_stop), read_stop_sequence(&data), out);
            }
            "metadata" => {
                self.open(out);
                let usage = read_billed(&data);
                if !usage.is_empty() {
                    out.push(StreamEvent::Usage(usage));
                }
                // It is the last message, and nothing is gained by waiting for the connection to close.
                if self.finished {
                    self.end(out);
                }
            }
            name if failed => self.fail(error::inside(name, &data), out),
            // New kinds of events may come at any time and are to be ignored, unless they say that something failed.
            name if error::is_error(&data) => self.fail(error::inside(name, &data), out),
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

/// Whether a message of this name says that something failed.
fn is_failure(name: &str) -> bool {
    ["Exception", "Error", "Failure", "Fault"].iter().any(|end| name.ends_with(end))
}

fn index_of(data: &Value) -> Option<u64> {
    data.get("contentBlockIndex").and_then(Value::as_u64)
}

impl StreamReader {
    /// The start, once; also for streams that have none.
    fn open(&mut self, out: &mut Vec<StreamEvent>) {
        if !self.started {
            self.started = true;
            out.push(StreamEvent::Start { id: None, model: None, created: None, usage: Usage::default() });
        }
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
        for call in std::mem::take(&mut self.calls).into_values() {
            end_call(&call, out);
        }
        self.finished = true;
        out.push(StreamEvent::Finish { choice: 0, stop, stop_sequence });
    }

    fn block_start(&mut self, data: &Value, out: &mut Vec<StreamEvent>) {
        self.open(out);
        let Some(call) = data.pointer("/start/toolUse") else { return };
        let word = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        // Tools that run at the provider: their calls and results are not the client's to answer.
        if word("type") == "server_tool_use" {
            return;
        }
        let index = self.begun;
        self.begun = self.begun.saturating_add(1);
        if let Some(at) = index_of(data) {
            self.calls.insert(at, Call { index, pieces: false });
        }
        let (id, name) = (word("toolUseId"), word("name"));
        out.push(StreamEvent::ToolStart { choice: 0, index, id, name, signature: None });
    }

    fn block_delta(&mut self, data: &Value, out: &mut Vec<StreamEvent>) {
        self.open(out);
        let delta = data.get("delta").unwrap_or(&Value::Null);
        let word = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        if let Some(text) = word(delta, "text") {
            out.push(StreamEvent::Text { choice: 0, text });
        }
        if let Some(reasoning) = delta.get("reasoningContent") {
            if let Some(text) = word(reasoning, "text") {
                out.push(StreamEvent::Thinking { choice: 0, text });
            }
            if let Some(signature) = word(reasoning, "signature") {
                out.push(StreamEvent::Signature { choice: 0, signature: read_signature(&signature) });
            }
            if let Some(data) = word(reasoning, "redactedContent") {
                out.push(StreamEvent::RedactedThinking { choice: 0, data: read_redacted(&data) });
            }
        }
        if let Some(json) = delta.get("toolUse").and_then(|call| word(call, "input"))
            && let Some(call) = index_of(data).and_then(|at| self.calls.get_mut(&at))
        {
            call.pieces = true;
            out.push(StreamEvent::ToolArguments { choice: 0, index: call.index, json });
        }
        if let Some(citation) = delta.get("citation") {
            out.push(StreamEvent::Citation { choice: 0, citation: read_citation(citation) });
        }
    }
}

/// A call without pieces of arguments still has arguments.
fn end_call(call: &Call, out: &mut Vec<StreamEvent>) {
    if !call.pieces {
        out.push(StreamEvent::ToolArguments { choice: 0, index: call.index, json: "{}".to_owned() });
    }
}
