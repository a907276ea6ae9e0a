//! Writes streams: each event is a `GenerateContentResponse` with what is new; the last says why each candidate ended and
//! what was used.

use super::answer_write::{redacted, thought, write_call};
use super::grounding::{self, Said};
use super::{error, logprobs, signatures, stop, usage};
use crate::formats::canonical::{ApiError, Citation, StopReason, StreamEvent, ToolCall};
use crate::formats::{Incoming, WriteStream};
use crate::usage::Usage;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};

/// The most bytes of arguments that wait for their end.
const MOST_WAITING: usize = 16 << 20;

/// Writes a stream.
#[derive(Debug)]
pub struct StreamWriter {
    id: String,
    model: String,
    usage: Usage,
    choices: BTreeMap<u64, Choice>,
    /// Bytes of arguments that wait.
    waiting: usize,
    ended: bool,
}

#[derive(Debug, Default)]
struct Choice {
    /// Calls are whole in this format, so they wait until they are, in their order.
    calls: VecDeque<(u64, ToolCall)>,
    said: Said,
    cited: Vec<Citation>,
    stop: Option<StopReason>,
}

impl StreamWriter {
    /// A writer for one answer.
    pub fn new(incoming: &Incoming<'_>) -> Self {
        Self {
            id: incoming.id.to_owned(),
            model: incoming.model.to_owned(),
            usage: Usage::default(),
            choices: BTreeMap::from([(0, Choice::default())]),
            waiting: 0,
            ended: false,
        }
    }

    fn choice(&mut self, number: u64) -> &mut Choice {
        self.choices.entry(number).or_default()
    }

    fn chunk(&self, candidates: Value, usage: Option<Value>, out: &mut Vec<u8>) {
        let mut chunk = Map::new();
        chunk.insert("candidates".to_owned(), candidates);
        chunk.extend(usage.map(|usage| ("usageMetadata".to_owned(), usage)));
        chunk.insert("modelVersion".to_owned(), self.model.clone().into());
        chunk.insert("responseId".to_owned(), self.id.clone().into());
        data(&chunk.into(), out);
    }

    /// A chunk with one part. What waits came before it.
    fn part(&mut self, choice: u64, part: Value, out: &mut Vec<u8>) {
        self.flush(choice, out);
        self.raw_part(choice, part, out);
    }

    fn raw_part(&self, choice: u64, part: Value, out: &mut Vec<u8>) {
        let content = json!({"parts": [part], "role": "model"});
        self.chunk(json!([{"content": content, "index": choice}]), None, out);
    }

    /// Writes all calls that wait.
    fn flush(&mut self, choice: u64, out: &mut Vec<u8>) {
        for (_, call) in std::mem::take(&mut self.choice(choice).calls) {
            self.waiting = self.waiting.saturating_sub(call.arguments.len());
            self.raw_part(choice, write_call(&call), out);
        }
    }

    fn arguments(&mut self, choice: u64, index: u64, json: &str, out: &mut Vec<u8>) {
        self.waiting = self.waiting.saturating_add(json.len());
        if self.waiting > MOST_WAITING {
            return self.fail(&ApiError::new(502, "a tool call of the provider's is too large"), out);
        }
        let mut calls = self.choice(choice).calls.iter_mut();
        if let Some((_, call)) = calls.find(|(known, _)| *known == index) {
            call.arguments.push_str(json);
        }
    }

    fn fail(&mut self, cause: &ApiError, out: &mut Vec<u8>) {
        self.ended = true;
        data(&error::write(cause), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let numbers: Vec<u64> = self.choices.keys().copied().collect();
        for number in numbers {
            self.flush(number, out);
        }
        self.ended = true;
        let last = |(number, choice): (&u64, &Choice)| {
            let mut candidate = Map::new();
            // Clients look for content in every candidate.
            candidate.insert("content".to_owned(), json!({"parts": [{"text": ""}], "role": "model"}));
            candidate.insert("finishReason".to_owned(), stop::write(choice.stop.as_ref()).into());
            candidate.insert("index".to_owned(), (*number).into());
            let cited = grounding::write(&choice.cited, &choice.said);
            candidate.extend(cited.map(|cited| ("citationMetadata".to_owned(), cited)));
            Value::Object(candidate)
        };
        let candidates = self.choices.iter().map(last).collect();
        self.chunk(candidates, usage::write(&self.usage), out);
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
            StreamEvent::Start { id, model, usage, .. } => {
                let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
                self.id = given(id).unwrap_or_else(|| std::mem::take(&mut self.id));
                self.model = given(model).unwrap_or_else(|| std::mem::take(&mut self.model));
                self.usage.merge(usage);
            }
            StreamEvent::Text { choice, text } => {
                self.choice(*choice).said.push(0, text);
                self.part(*choice, json!({"text": text}), out);
            }
            StreamEvent::Refusal { choice, text } => self.part(*choice, json!({"text": text}), out),
            StreamEvent::Thinking { text, .. } if text.is_empty() => {}
            StreamEvent::Thinking { choice, text } => self.part(*choice, thought(text, None), out),
            StreamEvent::Signature { choice, signature } => {
                self.part(*choice, json!({"text": "", "thoughtSignature": signatures::write(signature)}), out);
            }
            StreamEvent::RedactedThinking { choice, data } => self.part(*choice, redacted(data), out),
            StreamEvent::ToolStart { choice, index, id, name, signature } => {
                let call = ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                    cache: None,
                    signature: signature.clone(),
                };
                self.choice(*choice).calls.push_back((*index, call));
            }
            StreamEvent::ToolArguments { choice, index, json } => self.arguments(*choice, *index, json, out),
            StreamEvent::Citation { choice, citation } => self.choice(*choice).cited.push(citation.clone()),
            StreamEvent::Logprobs { choice, logprobs } => {
                if let Some(result) = logprobs::write(logprobs) {
                    self.chunk(json!([{"index": choice, "logprobsResult": result}]), None, out);
                }
            }
            StreamEvent::Finish { choice, stop, .. } => {
                self.choice(*choice).stop = Some(stop.clone());
                self.flush(*choice, out);
            }
            StreamEvent::Usage(usage) => self.usage.merge(usage),
            // Google's own JavaScript client reads nothing that begins with anything but `data:`.
            StreamEvent::Ping => {}
            StreamEvent::Error(error) => self.fail(error, out),
            StreamEvent::End => self.end(out),
        }
    }
}
