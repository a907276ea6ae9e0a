//! What a request may use at most at a target.

use super::{Exchange, outgoing, own_parameters};
use crate::config::Target;
use crate::cost::{self, Most, Usd};
use crate::formats::Format;
use crate::formats::canonical::{ChatRequest, Message, Part};
use crate::usage::{Count, Tokens};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Output tokens that are reckoned with in token limits where the request sets no limit of its own.
const USUAL_OUTPUT: u64 = 1_024;
/// Output tokens of a model of which nothing is known.
const UNKNOWN_OUTPUT: u64 = 131_072;

/// Members that name what the provider stored and adds to the prompt.
const STORED: &[&str] = &["previous_response_id", "conversation", "cachedContent", "cached_content"];

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
    counted(exchange, target, exchange.counted_at(target), cap)
}

/// The same where its prompt is counted already.
pub(super) fn counted(exchange: &Exchange, target: &Target, count: Option<Count>, cap: Option<u64>) -> Worst {
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
    let output = output.saturating_add(request.map_or(0, predicted));
    let limited = if answers { lowered(said.unwrap_or(USUAL_OUTPUT)).saturating_mul(choices) } else { 0 };
    let most = if request.is_some_and(grows) { most.max(target.context.unwrap_or(UNKNOWN_OUTPUT)) } else { most };
    // What is said to one provider only may take the place of the prompt.
    let own = exchange.for_provider().into_iter().flat_map(|own| own.values());
    let most = own.fold(most, |sum, own| sum.saturating_add(length(own)));
    let mut worst = Most { input: Tokens(most), output: Tokens(output), ..Most::default() };
    match request {
        Some(request) => {
            let provider = exchange.plan.provider(target.provider);
            let own = provider.map(|provider| own_parameters::own_parameters(&request.for_provider, provider));
            let own = own.into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
            look(request, &own, target, &mut worst);
        }
        None if exchange.embeddings.is_none() => {
            worst = Most { audio_input: true, image_input: true, audio_output: true, cache_write: true, ..worst };
        }
        None => {}
    }
    let hidden = exchange.is_unseen() || exchange.endpoint.is_work_for_later();
    let price = target.price.as_ref().filter(|_| !hidden);
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
    let usual = written.then(|| outgoing::default_max_tokens(target))?;
    let thought = request.thinking_budget().unwrap_or(LONGEST_THOUGHT);
    Some(if thought < usual { usual } else { usual.saturating_add(thought) })
}

/// Prompt tokens of a body that nobody read: no tokenizer makes more of a text than it has bytes, and no model takes more
/// than fit.
fn unread(exchange: &Exchange, target: &Target) -> u64 {
    let most = target.context.unwrap_or(UNKNOWN_OUTPUT);
    if exchange.passing_grows { most } else { exchange.passed_bytes().min(most) }
}

/// The output limit, and how many answers there are to it at most, of a body that passes unread.
pub(super) fn passing(json: &Value) -> (Option<u64>, u64) {
    let limits = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
    // Which of them a provider looks at is its own affair.
    let limit = limits.iter().filter_map(|name| whole(json.get(*name)?)).max();
    // Each prompt of a list is answered; a list of numbers is one prompt's tokens.
    let prompts = json.get("prompt").and_then(Value::as_array).filter(|all| !all.first().is_some_and(Value::is_number));
    let prompts = prompts.map_or(1, |all| u64::try_from(all.len()).unwrap_or(u64::MAX).max(1));
    (limit, answers(|name| json.get(name)).saturating_mul(prompts))
}

/// Whether the prompt of a body that passes unread is more than its bytes.
pub(super) fn passing_grows(json: &Value) -> bool {
    STORED.iter().any(|name| json.get(*name).is_some_and(|value| !value.is_null()))
}

/// How many answers are asked for.
fn answers<'a>(member: impl Fn(&'static str) -> Option<&'a Value>) -> u64 {
    ["n", "candidateCount", "best_of"].into_iter().filter_map(|name| whole(member(name)?)).max().unwrap_or(1).max(1)
}

/// A number, also where it is written as `3.0` or `"3"`, which some providers read.
fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::String(digits) => digits.trim().parse().ok(),
        // The cast goes to the nearest number that there is.
        number => number.as_u64().or_else(|| number.as_f64().map(|float| float.ceil() as u64)),
    }
}

/// Output tokens that are billed though they are no part of the answer: those of a prediction that it does not take. No
/// tokenizer makes more of a text than it has bytes
/// (<https://platform.openai.com/docs/guides/predicted-outputs>, 2026-11-21).
fn predicted(request: &ChatRequest) -> u64 {
    request.extra.get("prediction").map_or(0, length)
}

/// The bytes of a value as JSON.
fn length(value: &Value) -> u64 {
    u64::try_from(value.to_string().len()).unwrap_or(u64::MAX)
}

fn choices(request: &ChatRequest) -> u64 {
    answers(|name| request.extra.get(name))
}

/// Whether the provider adds to the prompt what nobody here sees: what its own tools find, what it stored. No model takes
/// more of that than fits.
pub(super) fn grows(request: &ChatRequest) -> bool {
    let holds = |members: &Map<String, Value>, name: &str| members.get(name).is_some_and(|value| !value.is_null());
    let own = || request.for_provider.values().filter_map(Value::as_object);
    let mut names = STORED.iter().chain(&["prompt", "web_search_options"]);
    names.any(|name| holds(&request.extra, name) || own().any(|own| holds(own, name)))
        // Tools for one provider are nowhere counted.
        || own().any(|own| ["tools", "plugins"].iter().any(|name| holds(own, name)))
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
    // Amazon's is an object.
    let tier = tier.map(|tier| tier.get("type").unwrap_or(tier));
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
