//! Streams: the canonical events into OpenAI's chunks.

use super::super::canonical::StreamEvent;
use super::super::{Incoming, WriteStream};
use super::answer::answer_id;
use super::error::error_value;
use super::usage::write_usage;
use super::write_stop;
use crate::usage::Usage;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Writes a stream. Every chunk says the same id, model and time.
#[derive(Debug)]
pub struct StreamWriter {
    id: String,
    model: String,
    created: u64,
    include_usage: bool,
    usage: Usage,
    /// Choices that have begun.
    begun: BTreeSet<u64>,
    /// Calls that have begun, and whether any of their arguments were sent.
    calls: BTreeMap<(u64, u64), bool>,
    ended: bool,
}

impl StreamWriter {
    /// A writer for one answer.
    pub fn new(incoming: &Incoming<'_>) -> Self {
        Self {
            id: answer_id(None, incoming.id),
            model: incoming.model.to_owned(),
            created: incoming.created,
            include_usage: incoming.include_usage,
            usage: Usage::default(),
            begun: BTreeSet::new(),
            calls: BTreeMap::new(),
            ended: false,
        }
    }

    fn chunk(&self, choices: Value, usage: Option<Value>, out: &mut Vec<u8>) {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if let (Some(usage), Some(chunk)) = (usage, chunk.as_object_mut()) {
            chunk.insert("usage".to_owned(), usage);
        }
        data(&chunk, out);
    }

    fn delta(&mut self, choice: u64, delta: Value, finish: Option<&str>, out: &mut Vec<u8>) {
        if self.begun.insert(choice) {
            self.delta(choice, json!({"role": "assistant", "content": ""}), None, out);
        }
        let choices = json!([{"index": choice, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        self.chunk(choices, None, out);
    }

    fn arguments(&mut self, choice: u64, index: u64, json: &str, out: &mut Vec<u8>) {
        self.calls.insert((choice, index), true);
        self.delta(choice, json!({"tool_calls": [{"index": index, "function": {"arguments": json}}]}), None, out);
    }

    fn finish(&mut self, choice: u64, stop: &super::StopReason, out: &mut Vec<u8>) {
        let mine = |(call, sent): (&(u64, u64), &bool)| (call.0 == choice).then_some((call.1, *sent));
        let calls: Vec<(u64, bool)> = self.calls.iter().filter_map(mine).collect();
        // Clients parse the arguments; a call without any must still be JSON.
        for (index, _) in calls.iter().filter(|(_, sent)| !sent) {
            self.arguments(choice, *index, "{}", out);
        }
        let word = write_stop(Some(stop), !calls.is_empty());
        self.delta(choice, json!({}), Some(word), out);
    }
}

fn data(value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(value.to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}

impl WriteStream for StreamWriter {
    fn write(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            StreamEvent::Start { id, model, created, usage } => {
                if let Some(id) = id.as_deref().filter(|id| !id.is_empty()) {
                    self.id = id.to_owned();
                }
                if let Some(model) = model {
                    self.model.clone_from(model);
                }
                self.created = created.unwrap_or(self.created);
                self.usage.merge(usage);
                self.begun.insert(0);
                self.delta(0, json!({"role": "assistant", "content": ""}), None, out);
            }
            StreamEvent::Text { choice, text } => self.delta(*choice, json!({"content": text}), None, out),
            StreamEvent::Thinking { choice, text } => {
                self.delta(*choice, json!({"reasoning_content": text}), None, out);
            }
            StreamEvent::Refusal { choice, text } => self.delta(*choice, json!({"refusal": text}), None, out),
            StreamEvent::ToolStart { choice, index, id, name, .. } => {
                self.calls.insert((*choice, *index), false);
                let call = json!({
                    "index": index,
                    "id": id,
                    "type": "function",
                    "function": {"name": name, "arguments": ""},
                });
                self.delta(*choice, json!({"tool_calls": [call]}), None, out);
            }
            StreamEvent::ToolArguments { choice, index, json } => self.arguments(*choice, *index, json, out),
            StreamEvent::Finish { choice, stop, .. } => self.finish(*choice, stop, out),
            StreamEvent::Usage(usage) => self.usage.merge(usage),
            StreamEvent::Ping => out.extend_from_slice(b": ping\n\n"),
            StreamEvent::Error(error) => data(&error_value(error), out),
            StreamEvent::End => {
                self.ended = true;
                if let Some(usage) = write_usage(&self.usage).filter(|_| self.include_usage) {
                    self.chunk(json!([]), Some(usage), out);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            // This format has no word for them.
            StreamEvent::Signature { .. }
            | StreamEvent::RedactedThinking { .. }
            | StreamEvent::Citation { .. }
            | StreamEvent::Logprobs { .. } => {}
        }
    }
}
