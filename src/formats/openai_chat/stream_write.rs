//! Streams: the canonical events into OpenAI's chunks.

use super::super::canonical::{Citation, StreamEvent};
use super::super::{Incoming, WriteStream};
use super::answer::answer_id;
use super::error::error_value;
use super::usage::{whole_usage, write_usage};
use super::{citations, reasoning, write_stop};
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
    counted: Option<u64>,
    usage: Usage,
    /// Choices that have begun.
    begun: BTreeSet<u64>,
    /// Calls that have begun, and whether any of their arguments were sent.
    calls: BTreeMap<(u64, u64), bool>,
    /// How far each choice's lists have come.
    progress: BTreeMap<u64, Progress>,
    ended: bool,
}

/// The lists of a streamed message. Their pieces are numbered: clients put them together by `index`.
#[derive(Debug)]
struct Progress {
    /// The number of the next block of reasoning.
    block: u64,
    /// The words of the block of reasoning at hand, until its signature comes; `None` when they are too many to hold.
    words: Option<String>,
    /// The number of the next annotation.
    annotation: u64,
    /// How many characters of text have been written.
    characters: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { block: 0, words: Some(String::new()), annotation: 0, characters: 0 }
    }
}

/// The longest block of reasoning that is repeated with its signature, in bytes: several times what models write.
const LONGEST_BLOCK: usize = 1 << 21;

impl StreamWriter {
    /// A writer for one answer.
    pub fn new(incoming: &Incoming<'_>) -> Self {
        Self {
            id: answer_id(None, incoming.id),
            model: incoming.model.to_owned(),
            created: incoming.created,
            include_usage: incoming.include_usage,
            counted: incoming.counted,
            usage: Usage::default(),
            begun: BTreeSet::new(),
            calls: BTreeMap::new(),
            progress: BTreeMap::new(),
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
        self.say(choice, delta, Value::Null, finish, out);
    }

    fn say(&mut self, choice: u64, delta: Value, logprobs: Value, finish: Option<&str>, out: &mut Vec<u8>) {
        if self.begun.insert(choice) {
            self.delta(choice, json!({"role": "assistant", "content": ""}), None, out);
        }
        let choices = json!([{"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": finish}]);
        self.chunk(choices, None, out);
    }

    fn thinking(&mut self, choice: u64, text: &str, out: &mut Vec<u8>) {
        let words = &mut self.progress.entry(choice).or_default().words;
        if let Some(known) = words {
            if known.len().saturating_add(text.len()) > LONGEST_BLOCK {
                *words = None;
            } else {
                known.push_str(text);
            }
        }
        self.delta(choice, json!({"reasoning_content": text}), None, out);
    }

    /// Other things are said: what was thought before has no signature.
    fn end_thinking(&mut self, choice: u64) {
        if let Some(progress) = self.progress.get_mut(&choice) {
            progress.words = Some(String::new());
        }
    }

    /// A whole block of reasoning, for the client to send back: the words so far with their signature, or an encrypted
    /// one.
    fn block(&mut self, choice: u64, signature: Option<&str>, data: Option<&str>, out: &mut Vec<u8>) {
        let progress = self.progress.entry(choice).or_default();
        let words = progress.words.replace(String::new());
        let index = progress.block;
        let block = match (signature, data, words) {
            (Some(signature), _, Some(words)) => {
                json!({"index": index, "type": "thinking", "thinking": words, "signature": signature})
            }
            (None, Some(data), _) => json!({"index": index, "type": "redacted_thinking", "data": data}),
            _ => return,
        };
        progress.block = index.saturating_add(1);
        self.delta(choice, json!({"thinking_blocks": [block]}), None, out);
    }

    fn citation(&mut self, choice: u64, citation: &Citation, out: &mut Vec<u8>) {
        let progress = self.progress.entry(choice).or_default();
        let Some(mut annotation) = citations::write(citation, (0, progress.characters)) else { return };
        if let Some(members) = annotation.as_object_mut() {
            members.insert("index".to_owned(), progress.annotation.into());
        }
        progress.annotation = progress.annotation.saturating_add(1);
        self.delta(choice, json!({"annotations": [annotation]}), None, out);
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
            StreamEvent::Text { choice, text } => {
                self.end_thinking(*choice);
                let progress = self.progress.entry(*choice).or_default();
                progress.characters = progress.characters.saturating_add(citations::length(text));
                self.delta(*choice, json!({"content": text}), None, out);
            }
            StreamEvent::Thinking { choice, text } => self.thinking(*choice, text, out),
            StreamEvent::Signature { choice, signature } => self.block(*choice, Some(signature), None, out),
            StreamEvent::RedactedThinking { choice, data } => self.block(*choice, None, Some(data), out),
            StreamEvent::Citation { choice, citation } => self.citation(*choice, citation, out),
            StreamEvent::Logprobs { choice, logprobs } => self.say(*choice, json!({}), logprobs.clone(), None, out),
            StreamEvent::Refusal { choice, text } => self.delta(*choice, json!({"refusal": text}), None, out),
            StreamEvent::ToolStart { choice, index, id, name, signature } => {
                self.end_thinking(*choice);
                self.calls.insert((*choice, *index), false);
                let mut call = json!({
                    "index": index,
                    "id": id,
                    "type": "function",
                    "function": {"name": name, "arguments": ""},
                });
                let extra = signature.as_deref().and_then(reasoning::extra_content);
                if let (Some(extra), Some(call)) = (extra, call.as_object_mut()) {
                    call.insert("extra_content".to_owned(), extra);
                }
                self.delta(*choice, json!({"tool_calls": [call]}), None, out);
            }
            StreamEvent::ToolArguments { choice, index, json } => self.arguments(*choice, *index, json, out),
            StreamEvent::Finish { choice, stop, .. } => self.finish(*choice, stop, out),
            StreamEvent::Usage(usage) => self.usage.merge(usage),
            StreamEvent::Ping => out.extend_from_slice(b": ping\n\n"),
            StreamEvent::Error(error) => data(&error_value(error), out),
            StreamEvent::End => {
                self.ended = true;
                let usage = whole_usage(std::mem::take(&mut self.usage), self.counted);
                if let Some(usage) = write_usage(&usage).filter(|_| self.include_usage) {
                    self.chunk(json!([]), Some(usage), out);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
        }
    }
}
