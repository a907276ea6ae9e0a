//! What a request may use at most at a target.

use super::{Exchange, outgoing};
use crate::config::Target;
use crate::cost::{self, Most, Usd};
use crate::formats::canonical::{ChatRequest, Message, Part};
use crate::formats::{Format, anthropic_messages};
use crate::usage::Tokens;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Output tokens that are reckoned with in token limits where the request sets no limit of its own.
const USUAL_OUTPUT: u64 = 1_024;
/// Output tokens of a model of which nothing is known.
const UNKNOWN_OUTPUT: u64 = 131_072;

/// What a request may use at most.
#[derive(Clone, Debug)]
pub(super) struct Worst {
    /// Prompt tokens by our count.
    pub prompt: u64,
    /// Tokens that a limit reckons with: the prompt by our count, the output as far as it is said.
    pub tokens: u64,
    /// Completion tokens, all choices together, where there is such a thing.
    pub output: Option<u64>,
    /// What it may cost; `None`: the target has no price that tells.
    pub cost: Option<Usd>,
}

/// What the request of an exchange may use at most at a target, with at most `cap` output tokens.
pub(super) fn of(exchange: &Exchange, target: &Target, cap: Option<u64>) -> Worst {
    let count = exchange.counted_at(target);
    let prompt = count.map_or(0, |count| count.tokens.0);
    let most = count.map_or_else(|| unread(exchange, target), |count| count.most.0);
    let request = exchange.request.as_ref();
    let (said, choices) = match request {
        Some(request) => (request.max_tokens.or_else(|| written_limit(exchange, request, target)), choices(request)),
        None => (exchange.passing_limits.0, exchange.passing_limits.1),
    };
    let answers = exchange.endpoint.is_chat() || request.is_none() && exchange.embeddings.is_none();
    let known = target.max_output.or_else(|| target.context.map(|context| context.saturating_sub(prompt).max(1)));
    let lowered = |limit: u64| cap.map_or(limit, |cap| cap.min(limit));
    // A provider does not take a limit above its own; it does not answer with more either.
    let limit = match (said, known) {
        (Some(said), Some(known)) => said.min(known),
        (said, known) => said.or(known).unwrap_or(UNKNOWN_OUTPUT),
    };
    let output = if answers { lowered(limit).saturating_mul(choices) } else { 0 };
    let limited = if answers { lowered(said.unwrap_or(USUAL_OUTPUT)).saturating_mul(choices) } else { 0 };
    let most = if request.is_some_and(grows) { most.max(target.context.unwrap_or(UNKNOWN_OUTPUT)) } else { most };
    let mut worst = Most { input: Tokens(most), output: Tokens(output), ..Most::default() };
    match request {
        Some(request) => {
            let provider = exchange.plan.provider(target.provider);
            let own = provider.map(|provider| outgoing::own_parameters(&request.for_provider, provider));
            let own = own.into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
            look(request, &own, target, &mut worst);
        }
        None if exchange.embeddings.is_none() => {
            worst = Most { audio_input: true, image_input: true, audio_output: true, cache_write: true, ..worst };
        }
        None => {}
    }
    let price = target.price.as_ref().filter(|_| !exchange.endpoint.is_work_for_later());
    let cost = price.and_then(|price| cost::most_at(price, &worst, exchange.began));
    let output = answers.then_some(output);
    Worst { prompt, tokens: prompt.saturating_add(limited), output, cost }
}

/// The limit that translation writes where the target's format demands one and the client said none.
fn written_limit(exchange: &Exchange, request: &ChatRequest, target: &Target) -> Option<u64> {
    /// The most that an effort becomes.
    const LONGEST_THOUGHT: u64 = 8_192;
    let provider = exchange.plan.provider(target.provider)?;
    let written = provider.spec.format == Format::AnthropicMessages && exchange.format != Format::AnthropicMessages;
    let usual = written.then(|| anthropic_messages::default_max_tokens(&target.model))?;
    let thought = request.thinking_budget().unwrap_or(LONGEST_THOUGHT);
    Some(if thought < usual { usual } else { usual.saturating_add(thought) })
}

/// Prompt tokens of a body that nobody read: no tokenizer makes more of a text than it has bytes, and no model takes more
/// than fit.
fn unread(exchange: &Exchange, target: &Target) -> u64 {
    exchange.passed_bytes().min(target.context.unwrap_or(UNKNOWN_OUTPUT))
}

fn choices(request: &ChatRequest) -> u64 {
    let n = ["n", "candidateCount"].iter().filter_map(|name| number(request.extra.get(*name)?));
    n.max().unwrap_or(1).max(1)
}

/// A whole number as lenient providers read it: `2`, `2.0` and `"2"` are the same to them.
pub(super) fn number(value: &Value) -> Option<u64> {
    let lenient = || match value {
        Value::String(text) => text.trim().parse().ok(),
        // Rounded up; what is no number of a u64 saturates.
        Value::Number(number) => number.as_f64().map(|number| number.ceil() as u64),
        _ => None,
    };
    value.as_u64().or_else(lenient)
}

/// Whether the provider adds to the prompt what nobody here sees: what its own tools find, what it stored. No model takes
/// more of that than fits.
pub(super) fn grows(request: &ChatRequest) -> bool {
    const STORED: &[&str] =
        &["previous_response_id", "conversation", "prompt", "web_search_options", "cachedContent", "cached_content"];
    let holds = |members: &Map<String, Value>, name: &str| members.get(name).is_some_and(|value| !value.is_null());
    // Tools for one provider are nowhere counted.
    let mut own = request.for_provider.values().filter_map(Value::as_object);
    STORED.iter().any(|name| holds(&request.extra, name))
        || own.any(|own| STORED.iter().chain(&["tools", "plugins"]).any(|name| holds(own, name)))
        || request.tools.iter().any(|tool| tool.builtin.is_some())
}

/// What of a request may be billed in a way of its own.
fn look(request: &ChatRequest, own: &BTreeMap<&str, &Value>, target: &Target, worst: &mut Most) {
    // What is for this provider only takes the place of what the request says otherwise.
    let said = |name: &str| own.get(name).copied().or_else(|| request.extra.get(name));
    let mut marks = Marks::default();
    request.messages.iter().for_each(|message| marks.message(message));
    request.tools.iter().for_each(|tool| marks.cache(tool.cache.as_ref()));
    marks.cache(said("cache_control"));
    // Claude's cache is written where a request marks what to keep; others write as they like, and where they name a
    // price for it, it may be billed.
    worst.cache_write = marks.marked || !target.model.to_ascii_lowercase().contains("claude");
    worst.cache_write_1h = marks.hour;
    worst.audio_input = marks.audio;
    worst.image_input = marks.image;
    let modalities = said("modalities").and_then(Value::as_array);
    worst.audio_output = modalities.is_some_and(|all| all.iter().any(|one| one == "audio"));
    let tier = said("service_tier").or_else(|| said("serviceTier"));
    worst.service_tier = tier.and_then(Value::as_str).map(str::to_ascii_lowercase);
}

#[derive(Default)]
struct Marks {
    marked: bool,
    hour: bool,
    audio: bool,
    image: bool,
}

impl Marks {
    fn message(&mut self, message: &Message) {
        message.parts.iter().for_each(|part| self.part(part));
    }

    fn cache(&mut self, mark: Option<&Value>) {
        let long = |mark: &Value| mark.get("ttl").and_then(Value::as_str).is_some_and(|ttl| ttl != "5m");
        self.marked |= mark.is_some();
        self.hour |= mark.is_some_and(long);
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Audio { .. } => self.audio = true,
            Part::Image { cache, .. } => {
                self.image = true;
                self.cache(cache.as_ref());
            }
            Part::Document { cache, .. } => {
                self.image = true;
                self.cache(cache.as_ref());
            }
            Part::Text { cache, .. } => self.cache(cache.as_ref()),
            Part::ToolCall(call) => {
                let mark = call.cache.as_deref().and_then(|mark| serde_json::from_str(mark).ok());
                self.cache(mark.as_ref());
            }
            Part::ToolResult { parts, cache, .. } => {
                self.cache(cache.as_ref());
                parts.iter().for_each(|part| self.part(part));
            }
            _ => {}
        }
    }
}
