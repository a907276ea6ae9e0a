//! Whole answers, and what both whole and streamed answers say: usage, stop reasons.

use super::blocks::{self, Object};
use super::{citations, signed};
use crate::formats::Incoming;
use crate::formats::canonical::{Answer, ApiError, Choice, Part, StopReason};
use crate::formats::{Format, canonical};
use crate::usage::{Tokens, Usage};
use serde_json::{Map, Value, json};

/// The members of a `usage` object as Anthropic counts, in which `input_tokens` excludes both cache kinds. Streams
/// report them in pieces, so the sums are taken last.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    tier: Option<String>,
}

impl Counts {
    pub(super) fn read(usage: &Value) -> Self {
        let of = |group: &str, name: &str| usage.get(group).and_then(|g| g.get(name)).and_then(Value::as_u64);
        // Compacting the context beforehand is billed too, but not in the totals
        // (<https://platform.claude.com/docs/en/build-with-claude/compaction>, 2026-11-21).
        let iterations = usage.get("iterations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let compactions = || iterations.iter().filter(|i| i.get("type").is_some_and(|kind| kind == "compaction"));
        let number = |name: &str| {
            let total = usage.get(name).and_then(Value::as_u64)?;
            let before = compactions().filter_map(|iteration| iteration.get(name).and_then(Value::as_u64));
            Some(before.fold(total, u64::saturating_add))
        };
        let short = of("cache_creation", "ephemeral_5m_input_tokens");
        let long = of("cache_creation", "ephemeral_1h_input_tokens");
        let by_lifetime = short.or(long).map(|_| short.unwrap_or(0).saturating_add(long.unwrap_or(0)));
        Self {
            input: number("input_tokens"),
            cache_read: number("cache_read_input_tokens"),
            cache_write: number("cache_creation_input_tokens").or(by_lifetime),
            cache_write_1h: long,
            output: number("output_tokens"),
            thinking: of("output_tokens_details", "thinking_tokens"),
            tier: usage.get("service_tier").and_then(Value::as_str).map(str::to_owned),
        }
    }

    /// Takes over what `newer` knows: later figures are cumulative.
    pub(super) fn merge(&mut self, newer: Counts) {
        self.input = newer.input.or(self.input);
        self.cache_read = newer.cache_read.or(self.cache_read);
        self.cache_write = newer.cache_write.or(self.cache_write);
        self.cache_write_1h = newer.cache_write_1h.or(self.cache_write_1h);
        self.output = newer.output.or(self.output);
        self.thinking = newer.thinking.or(self.thinking);
        self.tier = newer.tier.or(self.tier.take());
    }

    pub(super) fn usage(&self) -> Usage {
        let sum = |input: u64| {
            input.saturating_add(self.cache_read.unwrap_or(0)).saturating_add(self.cache_write.unwrap_or(0))
        };
        Usage {
            input: self.input.map(sum).map(Tokens),
            cached_input: self.cache_read.map(Tokens),
            cache_write: self.cache_write.map(Tokens),
            cache_write_1h: self.cache_write_1h.map(Tokens),
            output: self.output.map(Tokens),
            reasoning: self.thinking.map(Tokens),
            service_tier: self.tier.clone(),
            ..Usage::default()
        }
    }
}

/// The `usage` object of this format. Its `input_tokens` and `output_tokens` must be numbers for clients to parse it:
/// only here, on the wire, is an unknown count written as 0.
pub(super) fn write_usage(usage: &Usage) -> Value {
    let zero = Tokens(0);
    let cached = usage.cached_input.unwrap_or(zero);
    let written = usage.cache_write.unwrap_or(zero);
    let mut out = Map::new();
    out.insert("input_tokens".to_owned(), json!(usage.input.unwrap_or(zero).minus(cached).minus(written)));
    if let Some(written) = usage.cache_write {
        out.insert("cache_creation_input_tokens".to_owned(), json!(written));
    }
    if let Some(cached) = usage.cached_input {
        out.insert("cache_read_input_tokens".to_owned(), json!(cached));
    }
    if let Some(long) = usage.cache_write_1h {
        let lifetimes = json!({"ephemeral_5m_input_tokens": written.minus(long), "ephemeral_1h_input_tokens": long});
        out.insert("cache_creation".to_owned(), lifetimes);
    }
    out.insert("output_tokens".to_owned(), json!(usage.output.unwrap_or(zero)));
    if let Some(reasoning) = usage.reasoning {
        out.insert("output_tokens_details".to_owned(), json!({"thinking_tokens": reasoning}));
    }
    if let Some(tier) = usage.service_tier.as_deref().and_then(service_tier) {
        out.insert("service_tier".to_owned(), json!(tier));
    }
    Value::Object(out)
}

/// This format's word for the tier that served a request. Clients know three.
fn service_tier(word: &str) -> Option<&'static str> {
    match word {
        "standard" | "default" | "auto" | "on_demand" => Some("standard"),
        "priority" => Some("priority"),
        "batch" => Some("batch"),
        _ => None,
    }
}

/// What a `stop_reason` means.
pub(super) fn read_stop(word: &str) -> StopReason {
    match word {
        "end_turn" => StopReason::End,
        // Both say that the answer was cut for want of room.
        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
        "stop_sequence" => StopReason::StopSequence,
        "tool_use" => StopReason::ToolCalls,
        "refusal" => StopReason::Refusal,
        "pause_turn" => StopReason::Pause,
        other => StopReason::Other(other.to_owned()),
    }
}

/// The `stop_reason` to write. OpenAI says `stop` also where the one tool that it was told to call is called, and where
/// it refuses; clients of this format look at the reason, so what was said (`calls`, `refuses`) decides.
pub(super) fn write_stop(stop: Option<&StopReason>, calls: bool, refuses: bool) -> &'static str {
    match stop {
        Some(StopReason::Length) => "max_tokens",
        Some(StopReason::StopSequence) => "stop_sequence",
        Some(StopReason::ToolCalls) => "tool_use",
        Some(StopReason::ContentFilter | StopReason::Refusal) => "refusal",
        Some(StopReason::Pause) => "pause_turn",
        Some(StopReason::End | StopReason::Other(_)) | None if calls => "tool_use",
        Some(StopReason::End | StopReason::Other(_)) | None if refuses => "refusal",
        Some(StopReason::End | StopReason::Other(_)) | None => "end_turn",
    }
}

pub(super) fn read(body: &[u8]) -> Result<Answer, ApiError> {
    let unusable = |what: &str| ApiError::new(502, format!("the provider's answer is not a message: {what}"));
    let value: Value = serde_json::from_slice(body).map_err(|error| unusable(&format!("invalid JSON ({error})")))?;
    let Value::Object(mut members) = value else { return Err(unusable(crate::formats::kind_of(&value))) };
    if members.get("type").is_some_and(|kind| kind == "error") {
        return Err(super::error::inside(&members));
    }
    let content = match members.shift_remove("content") {
        Some(Value::Array(content)) => content,
        _ => return Err(unusable("its `content` is not an array")),
    };
    let read = |(i, block): (usize, &Value)| blocks::read_block(block, &format!("content[{i}]"));
    let parts = content.iter().enumerate().map(read).collect::<Result<Vec<Part>, _>>();
    let mut word = |name: &str| match members.shift_remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let mut parts = parts.map_err(|error| unusable(&error.to_string()))?;
    signed::restore(&mut parts);
    citations::place(&mut parts);
    let choice = Choice {
        parts,
        stop: word("stop_reason").as_deref().map(read_stop),
        stop_sequence: word("stop_sequence"),
        logprobs: None,
    };
    let (id, model) = (word("id"), word("model"));
    let usage = members.shift_remove("usage").map(|usage| Counts::read(&usage).usage()).unwrap_or_default();
    members.shift_remove("type");
    members.shift_remove("role");
    Ok(Answer { id, model, created: None, choices: vec![choice], usage, extra: members })
}

/// Top-level members of an answer that are this format's own; others do not leak into it.
const OWN: [&str; 4] = ["stop_details", "container", "context_management", "diagnostics"];

pub(super) fn write(answer: &Answer, incoming: &Incoming<'_>) -> Vec<u8> {
    let blank = Choice::default();
    let choice = answer.choices.first().unwrap_or(&blank);
    let calls = choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let refuses = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let mut body = head(answer.id.as_deref(), answer.model.as_deref(), incoming);
    body.insert("content".to_owned(), choice.parts.iter().flat_map(write_part).collect());
    body.insert("stop_reason".to_owned(), json!(write_stop(choice.stop.as_ref(), calls, refuses)));
    body.insert("stop_sequence".to_owned(), json!(choice.stop_sequence));
    // The format wants a number: what the gateway counted, where the provider said none.
    let input = answer.usage.input.or(incoming.counted.map(Tokens));
    body.insert("usage".to_owned(), write_usage(&Usage { input, ..answer.usage.clone() }));
    for (name, value) in answer.extra.iter().filter(|(name, _)| OWN.contains(&name.as_str())) {
        body.insert(name.clone(), value.clone());
    }
    Value::Object(body).to_string().into_bytes()
}

/// What a message starts with, whole or streamed.
pub(super) fn head(id: Option<&str>, model: Option<&str>, incoming: &Incoming<'_>) -> Object {
    let id = match id {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ if incoming.id.starts_with("msg_") => incoming.id.to_owned(),
        _ => format!("msg_{}", incoming.id),
    };
    let mut head = Map::new();
    head.insert("id".to_owned(), json!(id));
    head.insert("type".to_owned(), json!("message"));
    head.insert("role".to_owned(), json!("assistant"));
    head.insert("model".to_owned(), json!(model.filter(|m| !m.is_empty()).unwrap_or(incoming.model)));
    head
}

/// The blocks of a part; none where it is empty or has no place here.
fn write_part(part: &Part) -> Vec<Value> {
    let block = match part {
        Part::Text { text, .. } | Part::Refusal(text) if text.is_empty() => None,
        Part::Text { text, citations, .. } => {
            let mut block = json!({"type": "text", "text": text});
            let cited: Vec<Value> = citations.iter().filter_map(citations::write).collect();
            if let Some(block) = block.as_object_mut().filter(|_| !cited.is_empty()) {
                block.insert("citations".to_owned(), cited.into());
            }
            Some(block)
        }
        // What was said aloud, in words.
        Part::Refusal(text) | Part::Audio { transcript: Some(text), .. } => Some(json!({"type": "text", "text": text})),
        Part::ToolCall(call) => {
            let use_ = json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input(call)});
            return signed::block(call).into_iter().chain([use_]).collect();
        }
        Part::Thinking { text, signature } => {
            let signature = signature.as_deref().unwrap_or_default();
            Some(json!({"type": "thinking", "thinking": text, "signature": signature}))
        }
        Part::RedactedThinking { data } => Some(json!({"type": "redacted_thinking", "data": data})),
        Part::Unknown { format: Format::AnthropicMessages, value } => Some(value.clone()),
        Part::Unknown { .. }
        | Part::Audio { .. }
        | Part::Image { .. }
        | Part::Document { .. }
        | Part::ToolResult { .. } => None,
    };
    block.into_iter().collect()
}

/// The `input` of a call. It must be an object for clients to parse it, but a model may write what is none, or not even
/// JSON: then the text is handed over as it is under `_raw`, so that nothing is lost and the tool's own check fails.
fn input(call: &canonical::ToolCall) -> Value {
    let text = call.arguments.trim();
    match serde_json::from_str(if text.is_empty() { "{}" } else { text }) {
        Ok(Value::Object(input)) => Value::Object(input),
        _ => json!({"_raw": call.arguments}),
    }
}
