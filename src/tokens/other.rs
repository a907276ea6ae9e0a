//! Prompt tokens of models that are not OpenAI's own: the text by the model's vocabulary or a ratio, and what its chat
//! template adds.

use super::{Tokenizer, Total, Vocabulary, images, media, openai, scaled, text_slack, wide};
use crate::formats::canonical::{ChatRequest, Message, Part, ResponseFormat, Role, Source, ToolChoice};
use crate::usage::Count;
use serde_json::Value;

/// What a chat template adds, in tokens.
struct Template {
    once: u64,
    per_message: u64,
    per_system_message: u64,
    /// For having tools at all; and further where one of them must be called.
    tools: (u64, u64),
    /// For a call together with its result.
    per_call: u64,
    /// For a JSON schema of the answer; `None`: the schema is not part of the prompt.
    schema: Option<u64>,
    /// For 1000 characters of a signed call's signature, which stands for the reasoning before it.
    signature: u64,
    /// An image of unknown size, the most that any may cost, and pixels for a token where they count.
    image: (u64, u64, Option<u64>),
    /// Whether reported counts of text requests agree to the token.
    exact: bool,
}

/// For an image at a provider whose rule is not known: about one megapixel.
const IMAGE: (u64, u64, Option<u64>) = (1_400, 3_500, None);

const PLAIN: Template = Template {
    once: 3,
    per_message: 4,
    per_system_message: 4,
    tools: (20, 0),
    per_call: 12,
    schema: Some(20),
    signature: 0,
    image: IMAGE,
    exact: false,
};

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
            Template {
                per_system_message: 0,
                tools,
                per_call: 45,
                schema: Some(150),
                // https://platform.claude.com/docs/en/build-with-claude/vision#evaluate-image-size, 2026-11-21.
                image: (1_400, 1_600, Some(750)),
                ..PLAIN
            }
        }
        // Reported counts are of the texts alone. Since version 3 signatures count, and images take more.
        Tokenizer::Ratio(_) if name.contains("gemini") => {
            let old = ["gemini-1", "gemini-2"].iter().any(|start| name.contains(start));
            let bare =
                Template { once: 1, per_message: 0, per_system_message: 0, tools: (0, 0), schema: None, ..PLAIN };
            let (signature, image) = if old { (0, (258, 2_600, None)) } else { (215, (1_090, 2_600, None)) };
            Template { signature, image, ..bare }
        }
        // Amazon's models bring a system prompt with tools, Nova 2 one without them too.
        Tokenizer::Ratio(_) if name.contains("nova-2") => {
            Template { once: 46, per_message: 1, per_system_message: 0, tools: (840, 0), ..PLAIN }
        }
        Tokenizer::Ratio(_) if name.contains("nova-") => {
            Template { once: 0, per_message: 0, per_system_message: 0, tools: (400, 0), ..PLAIN }
        }
        // xAI puts a system prompt of its own before each conversation.
        Tokenizer::Ratio(_) if name.contains("grok-code") => Template { once: 196, ..PLAIN },
        Tokenizer::Ratio(_) if name.contains("grok-4.") => Template { once: 187, ..PLAIN },
        Tokenizer::Ratio(_) if name.contains("grok") => Template { once: 148, ..PLAIN },
        Tokenizer::Ratio(_) if name.contains("deepseek") => Template { once: 30, tools: (200, 0), ..PLAIN },
        Tokenizer::Ratio(_) if name.contains("qwen") => Template { once: 6, tools: (145, 0), ..PLAIN },
        // The harmony format's system message.
        _ if name.starts_with("gpt-oss") => Template { once: 67, schema: Some(90), ..PLAIN },
        _ => PLAIN,
    }
}

/// By how much the estimate of a text in JSON may be short, in thousandths: how it is rendered is not known.
const JSON: u32 = 350;

/// By how much what a template adds may be short: at all, and for each turn, tool or call.
const AROUND: u64 = 16;
const EACH: u64 = 8;

pub(super) fn count(vocabulary: &Vocabulary, tokenizer: Tokenizer, name: &str, request: &ChatRequest) -> Count {
    let template = template(tokenizer, name);
    let ratio = if let Tokenizer::Ratio(ratio) = tokenizer { Some(ratio) } else { None };
    let total = Total::new(template.exact);
    let mut counter = Counter { vocabulary, ratio, template, total };
    let (exact, once) = (counter.template.exact, counter.template.once);
    counter.total.add(once);
    if !exact {
        counter.total.doubt(scaled(once, 300).saturating_add(AROUND));
    }
    request.messages.iter().for_each(|message| counter.message(message));
    counter.tools(request);
    if name.contains("claude") && cites(request) {
        // Claude is told at length how to cite.
        counter.total.estimate(560, 200);
    }
    counter.total.count()
}

/// Whether the answer shall cite what documents or findings of a search say.
fn cites(request: &ChatRequest) -> bool {
    fn asks(part: &Part) -> bool {
        match part {
            Part::Unknown { value, .. } => value.pointer("/citations/enabled") == Some(&Value::Bool(true)),
            Part::ToolResult { parts, .. } => parts.iter().any(asks),
            _ => false,
        }
    }
    request
        .unplaced
        .iter()
        .any(|(path, value)| path.ends_with(".citations") && value.get("enabled") == Some(&Value::Bool(true)))
        || request.messages.iter().flat_map(|message| &message.parts).any(asks)
}

struct Counter<'a> {
    vocabulary: &'a Vocabulary,
    /// In thousandths; `None`: the vocabulary is the model's own.
    ratio: Option<u32>,
    template: Template,
    total: Total,
}

impl Counter<'_> {
    fn text(&mut self, text: &str) {
        let tokens = self.vocabulary.text(text);
        match self.ratio {
            None => self.total.add(tokens),
            Some(ratio) => {
                let tokens = scaled(tokens, ratio);
                self.total.estimate(tokens, text_slack(tokens, wide(text)));
            }
        }
    }

    fn json(&mut self, value: &Value) {
        // Schemas are rendered in fewer tokens than their JSON has: a fifth less where it was seen.
        let tokens = scaled(scaled(self.vocabulary.text(&value.to_string()), self.ratio.unwrap_or(1_000)), 800);
        self.total.estimate(tokens, scaled(tokens, JSON).saturating_add(EACH));
    }

    fn message(&mut self, message: &Message) {
        self.total.add(match message.role {
            Role::System | Role::Developer => self.template.per_system_message,
            Role::User | Role::Assistant => self.template.per_message,
        });
        // What a template makes of names and of earlier answers' reasoning differs by server.
        if !self.total.exact || message.role == Role::Assistant || message.name.is_some() {
            self.total.doubt(EACH);
        }
        message.parts.iter().for_each(|part| self.part(part));
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => self.text(text),
            Part::Thinking { text, .. } => {
                self.total.doubt(EACH);
                self.text(text);
            }
            Part::RedactedThinking { data } => {
                let tokens = length(data) / 4;
                self.total.estimate(tokens, tokens);
            }
            Part::Audio { data, .. } => {
                let (tokens, more) = media::audio(data);
                self.total.estimate(tokens, more);
            }
            Part::Image { source, .. } => self.image(source),
            Part::Document { source: Source::Text(text), .. } => {
                self.total.doubt(EACH);
                self.text(text);
            }
            Part::Document { source, .. } => {
                let (tokens, more) = media::document(source);
                self.total.estimate(tokens, more);
            }
            Part::ToolCall(call) => {
                self.total.estimate(self.template.per_call, scaled(self.template.per_call, 500).saturating_add(EACH));
                self.text(&call.name);
                self.text(&call.arguments);
                if let Some(signature) = &call.signature {
                    let tokens = length(signature).saturating_mul(self.template.signature).div_ceil(1_000);
                    let sealed = if tokens > 0 { length(signature) / 4 } else { length(signature) / 10 };
                    self.total.estimate(tokens, sealed.saturating_sub(tokens));
                }
            }
            Part::ToolResult { parts, .. } => {
                self.total.doubt(EACH);
                parts.iter().for_each(|part| self.part(part));
            }
            Part::Unknown { value, .. } => match media::unknown(value) {
                Some((tokens, more)) => self.total.estimate(tokens, more),
                None => self.json(value),
            },
        }
    }

    fn image(&mut self, source: &Source) {
        let (unseen, most, pixels) = self.template.image;
        let counted = pixels.and_then(|per_token| images::pixels(source)?.checked_div(per_token));
        match counted {
            Some(tokens) if tokens < most => self.total.estimate(tokens, scaled(tokens, 250).saturating_add(AROUND)),
            Some(_) => self.total.estimate(most, scaled(most, 250)),
            None => self.total.estimate(unseen, most.saturating_sub(unseen)),
        }
    }

    fn tools(&mut self, request: &ChatRequest) {
        if !request.tools.is_empty() {
            let (base, forced) = self.template.tools;
            let must = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
            let base = if must { base.saturating_add(forced) } else { base };
            self.total.estimate(base, scaled(base, 150).saturating_add(AROUND));
        }
        for tool in &request.tools {
            self.text(&tool.name);
            self.text(tool.description.as_deref().unwrap_or_default());
            if let Some(schema) = tool.parameters.as_ref().or(tool.builtin.as_ref()) {
                self.json(schema);
            }
            if tool.builtin.is_some() {
                self.total.doubt(openai::BUILTIN);
            }
        }
        if let Some(ResponseFormat::JsonSchema { schema, .. }) = &request.response_format {
            let Some(around) = self.template.schema else { return self.total.doubt(AROUND) };
            self.total.estimate(around, around);
            schema.iter().for_each(|schema| self.json(schema));
        }
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
