//! The prompt tokens of OpenAI's models: the text, and what their chat template adds.
//!
//! The overheads of messages and names are OpenAI's own
//! (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>, 2026-11-21). Those of tools and calls
//! were found by comparing counts with reported usage, to which they are equal wherever a count is called exact. Reasoning models differ in that the reply costs one less, an
//! earlier answer two more (`<|channel|>final`) and tools a longer preamble.

use super::{Total, Vocabulary, images, tools};
use crate::formats::canonical::{ChatRequest, Message, Part, ResponseFormat, Role, ToolCall, ToolChoice};
use crate::usage::Count;
use serde_json::Value;

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

pub(super) fn count(vocabulary: Vocabulary, model: &str, request: &ChatRequest) -> Count {
    let (gpt_5, o_series) = (is_gpt_5(model), is_o_series(model));
    let mut counter = Counter {
        vocabulary,
        model,
        reasons: gpt_5 || o_series || model.starts_with("codex-"),
        o_series,
        total: Total { tokens: 0, exact: true },
    };
    counter.total.add(if counter.reasons { 2 } else { 3 });
    request.messages.iter().for_each(|message| counter.message(message));
    counter.tools(request);
    if let Some(format) = &request.response_format {
        counter.response_format(format, with_system(request));
    }
    if request
        .extra
        .keys()
        .any(|key| matches!(key.as_str(), "functions" | "audio" | "web_search_options" | "prediction"))
    {
        let declared = request.extra.get("functions").map_or(0, |value| vocabulary.text(&value.to_string()));
        counter.total.estimate(declared);
    }
    counter.total.count()
}

/// Tools and schemas are appended to a system message where there is one, else they get one of their own.
fn with_system(request: &ChatRequest) -> bool {
    request.messages.iter().any(|message| matches!(message.role, Role::System | Role::Developer))
}

struct Counter<'a> {
    vocabulary: Vocabulary,
    model: &'a str,
    reasons: bool,
    o_series: bool,
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
                self.total.exact &= !self.o_series;
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
                let (tokens, known) = images::tokens(self.model, source, detail.as_deref());
                self.total.add(tokens);
                // Reported counts confirm tiles of one model and patches of another; the rest is the documentation's.
                self.total.exact &= known && (self.model.starts_with("gpt-4o") || self.model.starts_with("gpt-5-nano"));
            }
            Part::ToolResult { parts, .. } => {
                self.frame();
                parts.iter().for_each(|part| self.part(part));
            }
            // Counted with its turn.
            Part::ToolCall(_) => {}
            // Not sent to OpenAI.
            Part::Thinking { .. } | Part::RedactedThinking { .. } => {}
            Part::Audio { .. } => self.total.estimate(super::other::AUDIO),
            Part::Document { .. } => self.total.estimate(super::other::DOCUMENT),
            Part::Unknown { value, .. } => {
                let tokens = super::other::media(value).unwrap_or_else(|| self.vocabulary.text(&value.to_string()));
                self.total.estimate(tokens);
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
        self.total.add(if self.reasons { 10 } else { 4 });
        self.total.exact &= !self.o_series;
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
        self.total.estimate(tokens);
    }

    fn tools(&mut self, request: &ChatRequest) {
        if request.tools.is_empty() {
            return;
        }
        let rendered = tools::render(&request.tools);
        let old = self.model.starts_with("gpt-4-") || self.model == "gpt-4" || self.model.starts_with("gpt-3");
        self.text(&rendered.text);
        if self.reasons {
            self.total.add(90);
            self.total.exact &= !self.o_series;
        } else {
            self.total.add(if with_system(request) { 5 } else { 9 });
        }
        self.total.add(rendered.arrays);
        self.total.exact &= rendered.plain;
        if !old {
            self.total.less(rendered.uncommented);
        }
        match &request.tool_choice {
            Some(ToolChoice::None) => self.total.estimate(1),
            Some(ToolChoice::Named(name)) => self.total.estimate(self.vocabulary.text(name).saturating_add(4)),
            Some(ToolChoice::Required) if self.reasons => self.total.add(1),
            Some(ToolChoice::Auto | ToolChoice::Required) | None => {}
        }
    }

    fn response_format(&mut self, format: &ResponseFormat, with_system: bool) {
        match format {
            ResponseFormat::Text => {}
            ResponseFormat::JsonObject => self.total.estimate(0),
            ResponseFormat::JsonSchema { schema, .. } => {
                let schema = schema.as_ref().map_or(0, |schema| self.vocabulary.text(&schema.to_string()));
                // Six of seven reported counts; the seventh, a schema that is not strict, was 17 more.
                self.total.estimate(schema.saturating_sub(if with_system { 6 } else { 2 }));
            }
        }
    }
}

/// JSON text without its white space; anything else as it is.
fn compact(text: &str) -> String {
    serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |value| value.to_string())
}
