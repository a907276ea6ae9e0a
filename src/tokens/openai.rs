//! The prompt tokens of OpenAI's models: the text, and what their chat template adds.
//!
//! The overheads of messages and names are OpenAI's own
//! (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>, 2026-11-21). Those of tools and calls
//! were found by comparing counts with reported usage, to which they are equal wherever a count is called exact. Reasoning models differ in that the reply costs one less, an
//! earlier answer two more (`<|channel|>final`) and tools a longer preamble.

use super::{Total, Vocabulary, images, media, tools};
use crate::formats::Format;
use crate::formats::canonical::{ChatRequest, Message, Part, ResponseFormat, Role, Source, ToolCall, ToolChoice};
use crate::usage::Count;
use serde_json::Value;

/// How far off the rendering of tools and schemas whose form is not known may be, in thousandths, and the tokens around.
const UNSURE: u32 = 300;
const FRAME: u64 = 48;

/// For a conversation that the provider keeps.
const STORED: u64 = 4_000;

/// For a tool of the provider's own: its prompt is not public.
pub(super) const BUILTIN: u64 = 3_000;

/// Whether a model's name (in lower case, without owner) is one of OpenAI's own.
pub(super) fn is_openai(name: &str) -> bool {
    let gpt = name.starts_with("gpt-") && !name.starts_with("gpt-oss");
    let named = ["chatgpt-", "computer-use-", "codex-"].iter().any(|prefix| name.starts_with(prefix));
    gpt || named || is_o_series(name)
}

fn is_o_series(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next() == Some(b'o')
        && bytes.next().is_some_and(|b| b.is_ascii_digit())
        && matches!(bytes.next(), None | Some(b'-'))
}

fn is_gpt_5(name: &str) -> bool {
    name.strip_prefix("gpt-").is_some_and(|rest| rest.starts_with(|c: char| ('5'..='9').contains(&c)))
}

pub(super) fn count(vocabulary: &Vocabulary, model: &str, request: &ChatRequest) -> Count {
    let (gpt_5, o_series) = (is_gpt_5(model), is_o_series(model));
    let mut counter = Counter {
        vocabulary,
        model,
        reasons: gpt_5 || o_series || model.starts_with("codex-"),
        o_series,
        responses: request.source == Some(Format::OpenAiResponses),
        total: Total::new(true),
    };
    counter.total.add(if counter.reasons { 2 } else { 3 });
    request.messages.iter().for_each(|message| counter.message(message));
    counter.tools(request);
    if let Some(format) = &request.response_format {
        counter.response_format(format, with_system(request));
    }
    for (name, value) in &request.extra {
        match name.as_str() {
            "functions" => {
                let declared = vocabulary.text(&value.to_string());
                counter.total.estimate(declared, super::scaled(declared, UNSURE).saturating_add(FRAME));
            }
            "audio" | "prediction" | "web_search_options" | "verbosity" => counter.total.doubt(FRAME),
            // What they stand for is in the provider's store: nobody here can know how long it is.
            "previous_response_id" | "conversation" | "prompt" if !value.is_null() => counter.total.doubt(STORED),
            _ => {}
        }
    }
    counter.total.count()
}

/// Tools and schemas are appended to a system message where there is one, else they get one of their own.
fn with_system(request: &ChatRequest) -> bool {
    request.messages.iter().any(|message| matches!(message.role, Role::System | Role::Developer))
}

struct Counter<'a> {
    vocabulary: &'a Vocabulary,
    model: &'a str,
    reasons: bool,
    o_series: bool,
    /// Asked through the Responses API.
    responses: bool,
    total: Total,
}

impl Counter<'_> {
    /// A message's frame and its role, which is one token.
    fn frame(&mut self) {
        self.total.add(4);
    }

    fn text(&mut self, text: &str) {
        self.total.add(self.vocabulary.text(text));
    }

    fn message(&mut self, message: &Message) {
        let is_own = |part: &&Part| !matches!(part, Part::ToolCall(_) | Part::ToolResult { .. });
        let is_said = |part: &Part| !matches!(part, Part::Text { text, .. } if text.is_empty());
        let calls: Vec<&ToolCall> =
            message.parts.iter().filter_map(|p| if let Part::ToolCall(c) = p { Some(c) } else { None }).collect();
        let results = message.parts.iter().any(|part| matches!(part, Part::ToolResult { .. }));
        // A turn that only calls or only answers calls has no frame of its own besides theirs.
        if message.parts.iter().filter(is_own).any(is_said) || (calls.is_empty() && !results) {
            self.frame();
            self.name(message);
            if message.role == Role::Assistant && self.reasons {
                self.total.add(2);
                if self.o_series {
                    self.total.doubt(4);
                }
            }
        }
        for part in &message.parts {
            self.part(part);
        }
        match calls.as_slice() {
            [] => {}
            [call] => self.call(call),
            calls => self.parallel_calls(calls),
        }
    }

    /// A name costs itself and one more; one that equals the role is left out of the template but for one token.
    fn name(&mut self, message: &Message) {
        let Some(name) = &message.name else { return };
        let role = match message.role {
            Role::System => "system",
            Role::Developer => "developer",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        if name != role {
            self.text(name);
        }
        self.total.add(1);
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => self.text(text),
            Part::Image { source, detail, .. } => {
                let (tokens, more, known) = images::tokens(self.model, source, detail.as_deref());
                self.total.add(tokens);
                // Reported counts confirm tiles of one model and patches of another; the rest is the documentation's.
                if !(known && (self.model.starts_with("gpt-4o") || self.model.starts_with("gpt-5-nano"))) {
                    self.total.doubt(more);
                }
            }
            Part::ToolResult { parts, .. } => {
                self.frame();
                parts.iter().for_each(|part| self.part(part));
            }
            // Counted with its turn.
            Part::ToolCall(_) => {}
            // Sent to OpenAI by its own Responses only, sealed. What was sealed is longer than its text.
            Part::Thinking { signature, .. } if self.responses => {
                let sealed = signature.as_ref().map_or(0, String::len) / 6;
                self.total.doubt(u64::try_from(sealed).unwrap_or(u64::MAX).saturating_add(FRAME));
            }
            Part::RedactedThinking { data } if self.responses => {
                self.total.doubt(u64::try_from(data.len() / 6).unwrap_or(u64::MAX).saturating_add(FRAME));
            }
            Part::Thinking { .. } | Part::RedactedThinking { .. } => {}
            Part::Audio { data, .. } => {
                let (tokens, more) = media::audio(data);
                self.total.estimate(tokens, more);
            }
            Part::Document { source, .. } => match source {
                Source::Text(text) => {
                    self.text(text);
                    self.total.doubt(FRAME);
                }
                source => {
                    let (tokens, more) = media::document(source);
                    self.total.estimate(tokens, more);
                }
            },
            Part::Unknown { value, .. } => {
                let (tokens, more) = media::unknown(value).unwrap_or_else(|| {
                    let tokens = self.vocabulary.text(&value.to_string());
                    (tokens, super::scaled(tokens, UNSURE).saturating_add(FRAME))
                });
                self.total.estimate(tokens, more);
            }
        }
    }

    /// One call: its arguments as compact JSON, and the function's name once as the recipient and once as the author
    /// of the result.
    fn call(&mut self, call: &ToolCall) {
        self.frame();
        self.text(&compact(&call.arguments));
        self.text(&call.name);
        self.text(&format!("functions.{}", call.name));
        self.total.add(match (self.responses, self.reasons) {
            (_, false) => 4,
            (false, true) => 10,
            (true, true) => 11,
        });
        // Through Responses calls were seen to cost up to two less, or one more.
        if self.o_series || self.responses {
            self.total.doubt(8);
        }
    }

    /// Several calls go to `multi_tool_use.parallel` as one JSON document.
    fn parallel_calls(&mut self, calls: &[&ToolCall]) {
        self.frame();
        let mut tokens: u64 = if self.reasons { 20 } else { 8 };
        for call in calls {
            let name = format!("functions.{}", call.name);
            let own = format!("{{\"recipient_name\":\"{name}\",\"parameters\":{}}},", compact(&call.arguments));
            tokens = tokens.saturating_add(self.vocabulary.text(&own)).saturating_add(self.vocabulary.text(&name));
        }
        self.total.estimate(tokens, super::scaled(tokens, UNSURE));
    }

    fn tools(&mut self, request: &ChatRequest) {
        if request.tools.is_empty() {
            return;
        }
        let rendered = tools::render(&request.tools);
        let old = self.model.starts_with("gpt-4-") || self.model == "gpt-4" || self.model.starts_with("gpt-3");
        let declared = self.vocabulary.text(&rendered.text);
        self.total.add(declared);
        self.total.add(match (self.responses, self.reasons) {
            (true, true) => 9,
            (true, false) => 3,
            (false, true) => 90,
            (false, false) if with_system(request) => 5,
            (false, false) => 9,
        });
        if self.o_series {
            self.total.doubt(FRAME);
        }
        self.total.add(rendered.arrays);
        if !rendered.plain {
            self.total.doubt(super::scaled(declared, UNSURE).saturating_add(FRAME));
        }
        let builtin = request.tools.iter().filter(|tool| tool.builtin.is_some()).count();
        if builtin > 0 {
            self.total.doubt(u64::try_from(builtin).unwrap_or(u64::MAX).saturating_mul(BUILTIN));
        }
        if !old {
            self.total.less(rendered.uncommented);
        }
        match &request.tool_choice {
            Some(ToolChoice::None) => self.total.estimate(1, FRAME),
            Some(ToolChoice::Named(name)) => self.total.estimate(self.vocabulary.text(name).saturating_add(4), FRAME),
            Some(ToolChoice::Required) if self.reasons && !self.responses => self.total.add(1),
            Some(ToolChoice::Auto | ToolChoice::Required) | None => {}
        }
    }

    fn response_format(&mut self, format: &ResponseFormat, with_system: bool) {
        match format {
            ResponseFormat::Text => {}
            ResponseFormat::JsonObject => self.total.estimate(0, FRAME),
            ResponseFormat::JsonSchema { schema, .. } => {
                let schema = schema.as_ref().map_or(0, |schema| self.vocabulary.text(&schema.to_string()));
                // Six of seven reported counts; the seventh, a schema that is not strict, was 17 more.
                let schema = schema.saturating_sub(if with_system { 6 } else { 2 });
                self.total.estimate(schema, super::scaled(schema, UNSURE).saturating_add(FRAME));
            }
        }
    }
}

/// JSON text without its white space; anything else as it is.
fn compact(text: &str) -> String {
    serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |value| value.to_string())
}
