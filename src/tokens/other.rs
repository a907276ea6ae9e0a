//! Prompt tokens of models that are not OpenAI's own: the text by the model's vocabulary or a ratio, and what its chat
//! template adds.

use super::{Tokenizer, Total, Vocabulary, scaled};
use crate::formats::canonical::{ChatRequest, Message, Part, ResponseFormat, Role, ToolChoice};
use crate::usage::Count;
use serde_json::Value;

/// A piece of sound of unknown length.
pub(super) const AUDIO: u64 = 500;

/// For a document that cannot be read here: some ten pages.
pub(super) const DOCUMENT: u64 = 10_000;

/// For an image at a provider whose rule is not known: about one megapixel
/// (<https://platform.claude.com/docs/en/build-with-claude/vision#evaluate-image-size>, 2026-11-21: width × height / 750).
const IMAGE: u64 = 1_400;

/// What a chat template adds, in tokens.
struct Template {
    once: u64,
    per_message: u64,
    per_system_message: u64,
    /// For having tools at all; and further where one of them must be called.
    tools: (u64, u64),
    /// For a call together with its result.
    per_call: u64,
    /// For a JSON schema of the answer.
    schema: u64,
    /// Whether reported counts of text requests agree to the token.
    exact: bool,
}

const PLAIN: Template =
    Template { once: 3, per_message: 4, per_system_message: 4, tools: (20, 0), per_call: 12, schema: 20, exact: false };

fn template(tokenizer: Tokenizer, name: &str) -> Template {
    match tokenizer {
        // <|begin_of_text|>, then per message a header of three, a blank line and <|eot_id|>, then the answer's header.
        // Llama 3.1 and later begin with a system turn that tells the date.
        Tokenizer::Llama3 => {
            let first = ["llama3-", "llama-3-", "meta-llama-3-"].iter().any(|start| name.starts_with(start));
            Template {
                once: if first { 5 } else { 30 },
                per_message: 5,
                per_system_message: 5,
                tools: (600, 0),
                exact: first,
                ..PLAIN
            }
        }
        // [gMASK] <sop> … <|assistant|> and a line break; per message its role.
        Tokenizer::Glm => Template {
            once: 4,
            per_message: 1,
            per_system_message: 1,
            tools: (150, 0),
            exact: name.starts_with("glm-4"),
            ..PLAIN
        },
        Tokenizer::Ratio(_) if name.contains("claude") => {
            // The system prompt that comes with tools is documented per model
            // (https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#pricing, 2026-11-21); what is
            // reported lies above it for Claude 4.5 and later.
            let tools = if name.contains("claude-3") || name.contains("-4-2") { (370, 60) } else { (525, 105) };
            Template { once: 3, per_message: 4, per_system_message: 0, tools, per_call: 45, schema: 150, exact: false }
        }
        // xAI puts a system prompt of its own before each conversation.
        Tokenizer::Ratio(_) if name.contains("grok-code") => Template { once: 196, ..PLAIN },
        Tokenizer::Ratio(_) if name.contains("grok") => Template { once: 148, ..PLAIN },
        // The harmony format's system message.
        _ if name.starts_with("gpt-oss") => Template { once: 67, schema: 90, ..PLAIN },
        _ => PLAIN,
    }
}

pub(super) fn count(vocabulary: Vocabulary, tokenizer: Tokenizer, name: &str, request: &ChatRequest) -> Count {
    let template = template(tokenizer, name);
    let ratio = if let Tokenizer::Ratio(ratio) = tokenizer { ratio } else { 1_000 };
    let mut counter = Counter { vocabulary, ratio, template, total: Total { tokens: 0, exact: true } };
    counter.total.exact = counter.template.exact;
    counter.total.add(counter.template.once);
    request.messages.iter().for_each(|message| counter.message(message));
    counter.tools(request);
    counter.total.count()
}

struct Counter {
    vocabulary: Vocabulary,
    ratio: u32,
    template: Template,
    total: Total,
}

impl Counter {
    fn text(&mut self, text: &str) {
        self.total.add(scaled(self.vocabulary.text(text), self.ratio));
    }

    fn json(&mut self, value: &Value) {
        self.total.exact = false;
        // Schemas are rendered in fewer tokens than their JSON has: a fifth less where it was seen.
        let tokens = self.vocabulary.text(&value.to_string());
        self.total.add(scaled(scaled(tokens, self.ratio), 800));
    }

    fn message(&mut self, message: &Message) {
        self.total.add(match message.role {
            Role::System | Role::Developer => self.template.per_system_message,
            Role::User | Role::Assistant => self.template.per_message,
        });
        // What a template makes of names and of earlier answers' reasoning differs by server.
        self.total.exact &= message.role != Role::Assistant && message.name.is_none();
        message.parts.iter().for_each(|part| self.part(part));
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => self.text(text),
            Part::Thinking { text, .. } => {
                self.total.exact = false;
                self.text(text);
            }
            Part::RedactedThinking { data } => self.total.estimate(u64::try_from(data.len() / 4).unwrap_or(u64::MAX)),
            Part::Audio { .. } => self.total.estimate(AUDIO),
            Part::Image { .. } => self.total.estimate(IMAGE),
            Part::Document { .. } => self.total.estimate(DOCUMENT),
            Part::ToolCall(call) => {
                self.total.estimate(self.template.per_call);
                self.text(&call.name);
                self.text(&call.arguments);
            }
            Part::ToolResult { parts, .. } => {
                self.total.exact = false;
                parts.iter().for_each(|part| self.part(part));
            }
            Part::Unknown { value, .. } => match media(value) {
                Some(tokens) => self.total.estimate(tokens),
                None => self.json(value),
            },
        }
    }

    fn tools(&mut self, request: &ChatRequest) {
        if !request.tools.is_empty() {
            let (base, forced) = self.template.tools;
            let must = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
            self.total.estimate(if must { base.saturating_add(forced) } else { base });
        }
        for tool in &request.tools {
            self.text(&tool.name);
            self.text(tool.description.as_deref().unwrap_or_default());
            if let Some(schema) = tool.parameters.as_ref().or(tool.builtin.as_ref()) {
                self.json(schema);
            }
        }
        if let Some(ResponseFormat::JsonSchema { schema, .. }) = &request.response_format {
            self.total.estimate(self.template.schema);
            schema.iter().for_each(|schema| self.json(schema));
        }
    }
}

/// What a part of audio, video or a file may cost; its bytes are no text and must not be counted as such.
pub(super) fn media(part: &Value) -> Option<u64> {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
    let kinds = [("audio", AUDIO), ("video", 5_000), ("image", IMAGE), ("file", DOCUMENT), ("document", DOCUMENT)];
    kinds.iter().find(|(word, _)| kind.contains(word)).map(|(_, tokens)| *tokens)
}
