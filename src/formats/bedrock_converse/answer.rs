//! Whole answers, and what both whole and streamed answers say: usage, stop reasons, sources.

use super::blocks::{self, Object};
use crate::formats::canonical::{Answer, ApiError, Choice, Citation, Part, StopReason, ToolCall};
use crate::formats::signature;
use crate::formats::{Format, Incoming};
use crate::usage::{Tokens, Usage};
use serde_json::{Map, Value, json};

/// A `usage` object. `inputTokens` excludes both kinds of cached tokens
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html>, 2026-11-21).
pub(super) fn read_usage(usage: &Value) -> Usage {
    let number = |name: &str| usage.get(name).and_then(Value::as_u64);
    // Older answers have the same figure under another name.
    let cached = number("cacheReadInputTokens").or_else(|| number("cacheReadInputTokenCount"));
    let lifetimes = usage.get("cacheDetails").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of = |ttl: &str| {
        let matching = lifetimes.iter().filter(|detail| ttl.is_empty() || detail.get("ttl").is_some_and(|t| t == ttl));
        let mut counts = matching.filter_map(|detail| detail.get("inputTokens").and_then(Value::as_u64)).peekable();
        counts.peek().is_some().then(|| counts.fold(0, u64::saturating_add))
    };
    let written = number("cacheWriteInputTokens").or_else(|| number("cacheWriteInputTokenCount")).or_else(|| of(""));
    let sum = |input: u64| input.saturating_add(cached.unwrap_or(0)).saturating_add(written.unwrap_or(0));
    Usage {
        input: number("inputTokens").map(sum).map(Tokens),
        cached_input: cached.map(Tokens),
        cache_write: written.map(Tokens),
        cache_write_1h: of("1h").map(Tokens),
        output: number("outputTokens").map(Tokens),
        ..Usage::default()
    }
}

/// Usage and the tier that was billed, as they stand side by side in an answer and in a stream's last event.
pub(super) fn read_billed(holder: &Value) -> Usage {
    let service_tier = holder.pointer("/serviceTier/type").and_then(Value::as_str).map(str::to_owned);
    Usage { service_tier, ..read_usage(holder.get("usage").unwrap_or(&Value::Null)) }
}

/// The `usage` object of this format. Its counts must be numbers for clients to parse it: only here, on the wire, is an
/// unknown count written as 0.
fn write_usage(usage: &Usage) -> Value {
    let zero = Tokens(0);
    let (cached, written) = (usage.cached_input.unwrap_or(zero), usage.cache_write.unwrap_or(zero));
    let (input, output) = (usage.input.unwrap_or(zero), usage.output.unwrap_or(zero));
    let mut out = Map::new();
    out.insert("inputTokens".to_owned(), json!(input.minus(cached).minus(written)));
    out.insert("outputTokens".to_owned(), json!(output));
    out.insert("totalTokens".to_owned(), json!(input.plus(output)));
    if let Some(cached) = usage.cached_input {
        out.insert("cacheReadInputTokens".to_owned(), json!(cached));
    }
    if let Some(written) = usage.cache_write {
        out.insert("cacheWriteInputTokens".to_owned(), json!(written));
    }
    if let Some(long) = usage.cache_write_1h {
        let lifetimes = [("5m", written.minus(long)), ("1h", long)];
        let details: Value = lifetimes.iter().map(|(ttl, tokens)| json!({"ttl": ttl, "inputTokens": tokens})).collect();
        out.insert("cacheDetails".to_owned(), details);
    }
    Value::Object(out)
}

/// Puts usage, the billed tier and the metrics (which clients expect; how long the provider took is not known here)
/// beside each other.
pub(super) fn write_billed(usage: &Usage, out: &mut Object) {
    out.insert("usage".to_owned(), write_usage(usage));
    out.insert("metrics".to_owned(), json!({"latencyMs": 0}));
    if let Some(tier) = usage.service_tier.as_deref() {
        let tier = if tier == "standard" { "default" } else { tier };
        if ["default", "priority", "flex", "reserved"].contains(&tier) {
            out.insert("serviceTier".to_owned(), json!({"type": tier}));
        }
    }
}

/// What a `stopReason` means.
pub(super) fn read_stop(word: &str) -> StopReason {
    match word {
        "end_turn" => StopReason::End,
        // Both say that the answer was cut for want of room.
        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
        "stop_sequence" => StopReason::StopSequence,
        "tool_use" => StopReason::ToolCalls,
        "guardrail_intervened" | "content_filtered" => StopReason::ContentFilter,
        "refusal" => StopReason::Refusal,
        "pause_turn" => StopReason::Pause,
        other => StopReason::Other(other.to_owned()),
    }
}

/// The `stopReason` to write. What was said decides where the reason says nothing of it.
pub(super) fn write_stop(stop: Option<&StopReason>, calls: bool, refuses: bool) -> &str {
    match stop {
        Some(StopReason::Length) => "max_tokens",
        Some(StopReason::StopSequence) => "stop_sequence",
        Some(StopReason::ToolCalls) => "tool_use",
        Some(StopReason::ContentFilter | StopReason::Refusal) => "content_filtered",
        Some(StopReason::Other(word)) if word.starts_with("malformed_") => word,
        Some(StopReason::End | StopReason::Pause | StopReason::Other(_)) | None if calls => "tool_use",
        Some(StopReason::End | StopReason::Pause | StopReason::Other(_)) | None if refuses => "content_filtered",
        Some(StopReason::End | StopReason::Pause | StopReason::Other(_)) | None => "end_turn",
    }
}

/// Which stop sequence was met, where the client asked for the model's own word on it.
pub(super) fn read_stop_sequence(holder: &Value) -> Option<String> {
    let fields = holder.get("additionalModelResponseFields")?;
    let word = fields.get("stop_sequence").or_else(|| fields.pointer("/delta/stop_sequence"))?;
    word.as_str().map(str::to_owned)
}

pub(super) fn read(body: &[u8]) -> Result<Answer, ApiError> {
    let unusable = |what: &str| ApiError::new(502, format!("the provider's answer is not a message: {what}"));
    let value: Value = serde_json::from_slice(body).map_err(|error| unusable(&format!("invalid JSON ({error})")))?;
    if !value.is_object() {
        return Err(unusable(crate::formats::kind_of(&value)));
    }
    let Some(content) = value.pointer("/output/message/content").filter(|content| content.is_array()) else {
        if value.get("output").is_none() && super::error::is_error(&value) {
            return Err(super::error::inside("", &value));
        }
        return Err(unusable("its `output.message.content` is not an array"));
    };
    let parts = blocks::read_content(content, "output.message.content");
    let choice = Choice {
        parts: parts.map_err(|error| unusable(&error.to_string()))?,
        stop: value.get("stopReason").and_then(Value::as_str).map(read_stop),
        stop_sequence: read_stop_sequence(&value),
        logprobs: None,
    };
    let usage = read_billed(&value);
    let extra = match value {
        Value::Object(members) => members.into_iter().filter(|(name, _)| OWN.contains(&name.as_str())).collect(),
        _ => Map::new(),
    };
    Ok(Answer { id: None, model: None, created: None, choices: vec![choice], usage, extra })
}

/// Top-level members of an answer that are this format's own; others do not leak into it.
const OWN: [&str; 3] = ["additionalModelResponseFields", "trace", "performanceConfig"];

pub(super) fn write(answer: &Answer, incoming: &Incoming<'_>) -> Vec<u8> {
    let blank = Choice::default();
    let choice = answer.choices.first().unwrap_or(&blank);
    let calls = choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let refuses = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let content: Vec<Value> = choice.parts.iter().filter_map(write_part).collect();
    let mut body = Map::new();
    body.insert("output".to_owned(), json!({"message": {"role": "assistant", "content": content}}));
    body.insert("stopReason".to_owned(), json!(write_stop(choice.stop.as_ref(), calls, refuses)));
    // The format wants a number: what the gateway counted, where the provider said none.
    let input = answer.usage.input.or(incoming.counted.map(Tokens));
    write_billed(&Usage { input, ..answer.usage.clone() }, &mut body);
    if let Some(sequence) = &choice.stop_sequence {
        body.insert("additionalModelResponseFields".to_owned(), json!({"stop_sequence": sequence}));
    }
    for (name, value) in answer.extra.iter().filter(|(name, _)| OWN.contains(&name.as_str())) {
        body.insert(name.clone(), value.clone());
    }
    Value::Object(body).to_string().into_bytes()
}

fn write_part(part: &Part) -> Option<Value> {
    match part {
        Part::Text { text, citations, .. } if text.is_empty() && citations.is_empty() => None,
        Part::Text { text, citations, .. } => Some(write_text(text, citations)),
        Part::Refusal(text) if text.is_empty() => None,
        Part::Refusal(text) => Some(json!({"text": text})),
        Part::ToolCall(call) => {
            Some(json!({"toolUse": {"toolUseId": call.id, "name": call.name, "input": input(call)}}))
        }
        Part::Thinking { text, signature } => {
            let mut inner = json!({"text": text});
            if let (Some(signature), Some(inner)) = (signature, inner.as_object_mut()) {
                inner.insert("signature".to_owned(), json!(write_signature(signature)));
            }
            Some(json!({"reasoningContent": {"reasoningText": inner}}))
        }
        Part::RedactedThinking { data } => {
            Some(json!({"reasoningContent": {"redactedContent": blocks::write_redacted(data)}}))
        }
        Part::Unknown { format: Format::BedrockConverse, value } => Some(value.clone()),
        Part::Unknown { .. }
        | Part::Audio { .. }
        | Part::Image { .. }
        | Part::Document { .. }
        | Part::ToolResult { .. } => None,
    }
}

/// A signature as a client of this format holds it: bare where a model on Bedrock made it, else with its maker's name,
/// by which it finds back.
pub(super) fn write_signature(signature: &str) -> &str {
    signature::by(signature::Vendor::Bedrock, signature).unwrap_or(signature)
}

/// Text, with its sources where it has any.
pub(super) fn write_text(text: &str, citations: &[Citation]) -> Value {
    if citations.is_empty() {
        return json!({"text": text});
    }
    let citations: Vec<Value> = citations.iter().map(write_citation).collect();
    json!({"citationsContent": {"content": [{"text": text}], "citations": citations}})
}

/// One source.
pub(super) fn write_citation(citation: &Citation) -> Value {
    if let Some((Format::BedrockConverse, value)) = &citation.verbatim {
        return value.clone();
    }
    let mut out = Map::new();
    if let Some(title) = &citation.title {
        out.insert("title".to_owned(), json!(title));
    }
    if let Some(text) = &citation.cited_text {
        out.insert("sourceContent".to_owned(), json!([{"text": text}]));
    }
    if let Some(url) = &citation.url {
        out.insert("location".to_owned(), json!({"web": {"url": url}}));
    }
    Value::Object(out)
}

/// The `input` of a call. It must be an object, but a model may write what is none, or not even JSON: then the text is
/// handed over as it is under `_raw`, so that nothing is lost and the tool's own check fails.
fn input(call: &ToolCall) -> Value {
    let text = call.arguments.trim();
    match serde_json::from_str(if text.is_empty() { "{}" } else { text }) {
        Ok(Value::Object(input)) => Value::Object(input),
        _ => json!({"_raw": call.arguments}),
    }
}
