//! Whole answers, written.

use super::super::canonical::{Answer, Choice, Part};
use super::super::{Format, Incoming};
use super::response::{Envelope, Status, function_call, message, output_text, write_logprobs};
use super::{characters, citations, kind, reasoning};
use serde_json::{Value, json};

/// Writes a whole answer: the first choice, the only one that this format has.
pub fn write_answer(answer: &Answer, incoming: &Incoming<'_>) -> Vec<u8> {
    let mut envelope = Envelope::new(incoming);
    envelope.name(answer.id.as_deref(), answer.model.as_deref(), answer.created);
    envelope.extend(answer);
    let nothing = Choice::default();
    let choice = answer.choices.first().unwrap_or(&nothing);
    let refuses = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let status = Status::of(choice.stop.as_ref(), refuses);
    let mut writer = Writer {
        seed: envelope.seed(),
        logprobs: choice.logprobs.as_ref().map(write_logprobs).unwrap_or_default(),
        ..Writer::default()
    };
    for part in &choice.parts {
        writer.part(part);
    }
    let output = writer.finish(status);
    envelope.write(status, output, &answer.usage, None).to_string().into_bytes()
}

#[derive(Default)]
struct Writer {
    seed: String,
    output: Vec<Value>,
    /// Content of the message at hand.
    said: Vec<Value>,
    /// Characters of text so far.
    length: u64,
    /// Of all tokens; the first text takes them.
    logprobs: Vec<Value>,
}

impl Writer {
    fn id(&self, prefix: &str) -> String {
        format!("{prefix}_{}_{}", self.seed, self.output.len())
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) if text.is_empty() => {}
            Part::Text { text, citations, .. } => {
                let long = characters(text);
                let cited = citations.iter().filter_map(|one| citations::write(one, self.length, long)).collect();
                self.length = self.length.saturating_add(long);
                self.said.push(output_text(text, cited, std::mem::take(&mut self.logprobs)));
            }
            Part::Refusal(text) => self.said.push(json!({"type": "refusal", "refusal": text})),
            Part::Thinking { text, signature } => {
                if let Some((id, encrypted)) = signature.as_deref().and_then(reasoning::own) {
                    let own = Some(id).filter(|id| !id.is_empty());
                    self.reasoning(own, text, Some(encrypted).filter(|encrypted| !encrypted.is_empty()));
                } else {
                    self.reasoning(None, text, signature.as_deref().map(reasoning::carry).as_deref());
                }
            }
            Part::RedactedThinking { data } => self.reasoning(None, "", Some(&reasoning::carry_redacted(data))),
            Part::ToolCall(call) => {
                if let Some(signature) = &call.signature {
                    self.reasoning(None, "", Some(&reasoning::carry_of_call(signature)));
                }
                self.say("completed");
                let item = function_call(&self.id("fc"), &call.id, &call.name, &call.arguments, "completed");
                self.output.push(item);
            }
            Part::Unknown { format: Format::OpenAiResponses, value } if kind(value).ends_with("_text") => {
                self.said.push(value.clone());
            }
            Part::Unknown { format: Format::OpenAiResponses, value } => {
                self.say("completed");
                self.output.push(value.clone());
            }
            // Nothing that a client of this format has a place for.
            Part::Unknown { .. }
            | Part::Audio { .. }
            | Part::Image { .. }
            | Part::Document { .. }
            | Part::ToolResult { .. } => {}
        }
    }

    fn reasoning(&mut self, id: Option<&str>, visible: &str, encrypted: Option<&str>) {
        self.say("completed");
        let id = id.map_or_else(|| self.id("rs"), str::to_owned);
        self.output.push(reasoning::write(&id, visible, encrypted));
    }

    /// Ends the message at hand.
    fn say(&mut self, status: &str) {
        if !self.said.is_empty() {
            let item = message(&self.id("msg"), std::mem::take(&mut self.said), status);
            self.output.push(item);
        }
    }

    fn finish(mut self, status: Status) -> Vec<Value> {
        self.say(status.of_last_item());
        self.output
    }
}
