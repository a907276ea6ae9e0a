//! Whole answers, read and written.

use super::super::canonical::{Answer, ApiError, Choice, Part, StopReason, ToolCall};
use super::super::secrets::mask;
use super::super::{Format, Incoming};
use super::error::{body_error, cut};
use super::parts::read_content;
use super::usage::{read_body_usage, whole_usage, write_usage};
use super::{arguments, audio, citations, function_call, given, read_stop, reasoning, text, write_stop};
use serde_json::{Map, Value, json};

/// Top-level members with a field of their own, or that only their provider understands.
const READ: &[&str] = &["id", "object", "created", "model", "choices", "usage", "x_groq"];

/// Top-level members that are this format's own and go back into an answer.
const WRITTEN: &[&str] = &["service_tier", "system_fingerprint"];

/// Reads a whole answer. A body that is no answer, or that says `error` in spite of its 2xx status, is an error.
pub fn read_answer(body: &[u8]) -> Result<Answer, ApiError> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let found = cut(&mask(&String::from_utf8_lossy(body)));
        ApiError::new(502, format!("the provider's answer is not JSON ({error}): {found}"))
    })?;
    if given(&value, "error").is_some() && given(&value, "choices").is_none() {
        return Err(body_error(None, &value));
    }
    let Some(choices) = value.get("choices").and_then(Value::as_array) else {
        let found = cut(&mask(&value.to_string()));
        return Err(ApiError::new(502, format!("the provider's answer has no `choices`: {found}")));
    };
    let mut choices = choices.iter().map(read_choice).collect::<Result<Vec<Choice>, ApiError>>()?;
    let pages = citations::pages(&value);
    if let Some(first) = choices.first_mut().filter(|_| !pages.is_empty())
        && !first.parts.iter().any(|part| matches!(part, Part::Text { citations, .. } if !citations.is_empty()))
    {
        citations::attach(&mut first.parts, pages);
    }
    let extra: Map<String, Value> = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| !READ.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Ok(Answer {
        id: text(&value, "id").map(str::to_owned),
        model: text(&value, "model").map(str::to_owned),
        created: value.get("created").and_then(super::usage::whole),
        choices,
        usage: read_body_usage(&value),
        extra,
    })
}

fn read_choice(choice: &Value) -> Result<Choice, ApiError> {
    let message = choice.get("message").unwrap_or(&Value::Null);
    let mut parts = reasoning::read(message);
    let content = read_content(message.get("content").unwrap_or(&Value::Null), "choices[].message.content")
        .map_err(|error| ApiError::new(502, format!("the provider's answer cannot be read: {error}")))?;
    parts.extend(content.into_iter().filter(|part| !matches!(part, Part::Text { text, .. } if text.is_empty())));
    if let Some(refusal) = text(message, "refusal") {
        parts.push(Part::Refusal(refusal.to_owned()));
    }
    citations::attach(&mut parts, citations::read(message));
    parts.extend(audio(message));
    let called = parts.len();
    let listed = message.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
    for (i, call) in listed.enumerate() {
        parts.push(read_call(call, message, i));
    }
    if let Some(call) = function_call(message) {
        parts.push(read_call(&json!({"function": call}), message, 0));
    }
    let calls = parts.len() > called;
    let mut stop = choice.get("finish_reason").and_then(Value::as_str).and_then(|word| read_stop(word, calls));
    // vLLM says which stop string it met (<https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>,
    // 2026-11-21); a number there is a token.
    let stop_sequence = text(choice, "stop_reason").filter(|_| stop == Some(StopReason::End)).map(str::to_owned);
    if stop_sequence.is_some() {
        stop = Some(StopReason::StopSequence);
    }
    Ok(Choice { parts, stop, stop_sequence, logprobs: given(choice, "logprobs").cloned() })
}

fn read_call(call: &Value, message: &Value, i: usize) -> Part {
    let Some(function) = call.get("function") else {
        return Part::Unknown { format: Format::OpenAiChat, value: call.clone() };
    };
    Part::ToolCall(ToolCall {
        id: text(call, "id").map_or_else(|| format!("call_{i}"), str::to_owned),
        name: text(function, "name").unwrap_or_default().to_owned(),
        arguments: arguments(function.get("arguments")),
        cache: None,
        signature: reasoning::call_signature(call, message),
    })
}

/// The id to report: the provider's, or the exchange's own with OpenAI's prefix.
pub(super) fn answer_id(id: Option<&str>, incoming: &str) -> String {
    match id {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ if incoming.starts_with("chatcmpl-") => incoming.to_owned(),
        _ => format!("chatcmpl-{incoming}"),
    }
}

/// OpenAI's word for the tier that served a request, where it has one.
pub(super) fn service_tier(word: &str) -> Option<&str> {
    match word {
        "standard" => Some("default"),
        "auto" | "default" | "flex" | "scale" | "priority" => Some(word),
        _ => None,
    }
}

/// Writes a whole answer.
pub fn write_answer(answer: &Answer, incoming: &Incoming<'_>) -> Vec<u8> {
    let created = answer.created.unwrap_or(incoming.created);
    let choices: Vec<Value> =
        answer.choices.iter().enumerate().map(|(i, choice)| write_choice(choice, i, created)).collect();
    let mut body = json!({
        "id": answer_id(answer.id.as_deref(), incoming.id),
        "object": "chat.completion",
        "created": created,
        "model": answer.model.as_deref().unwrap_or(incoming.model),
        "choices": choices,
    });
    if let Some(body) = body.as_object_mut() {
        if let Some(usage) = write_usage(&whole_usage(answer.usage.clone(), incoming.counted)) {
            body.insert("usage".to_owned(), usage);
        }
        for name in WRITTEN {
            if let Some(value) = answer.extra.get(*name) {
                body.insert((*name).to_owned(), value.clone());
            }
        }
        if let Some(tier) = answer.usage.service_tier.as_deref().and_then(service_tier) {
            body.entry("service_tier").or_insert_with(|| tier.into());
        }
    }
    body.to_string().into_bytes()
}

fn write_choice(choice: &Choice, i: usize, created: u64) -> Value {
    let mut content = String::new();
    let mut refusal = String::new();
    let mut calls = Vec::new();
    let mut annotations = Vec::new();
    let mut spoken = None;
    for part in &choice.parts {
        match part {
            Part::Text { text, citations, .. } => {
                let start = citations::length(&content);
                content.push_str(text);
                let extent = (start, start.saturating_add(citations::length(text)));
                annotations.extend(citations.iter().filter_map(|citation| citations::write(citation, extent)));
            }
            Part::Refusal(text) => refusal.push_str(text),
            Part::ToolCall(call) => calls.push(reasoning::write_call(call, true)),
            Part::Audio { data, transcript, id, .. } => {
                // Sound that no server keeps cannot be referred to later: it has expired as it comes.
                spoken = Some(json!({
                    "id": id.as_deref().unwrap_or_default(),
                    "data": data,
                    "transcript": transcript.as_deref().unwrap_or_default(),
                    "expires_at": created,
                }));
            }
            Part::Unknown { format: Format::OpenAiChat, value } if value.get("id").is_some() => {
                calls.push(value.clone());
            }
            // Reasoning stands beside the content; of the rest nothing has a place in this format.
            Part::Thinking { .. }
            | Part::RedactedThinking { .. }
            | Part::Unknown { .. }
            | Part::Image { .. }
            | Part::Document { .. }
            | Part::ToolResult { .. } => {}
        }
    }
    let silent = content.is_empty() && (!calls.is_empty() || !refusal.is_empty() || spoken.is_some());
    let finish = write_stop(choice.stop.as_ref(), !calls.is_empty());
    let or_null = |text: String| if text.is_empty() { Value::Null } else { text.into() };
    let mut message = json!({
        "role": "assistant",
        "content": if silent { Value::Null } else { content.into() },
        "refusal": or_null(refusal),
    });
    if let Some(message) = message.as_object_mut() {
        reasoning::write(&choice.parts, message);
        if !annotations.is_empty() {
            message.insert("annotations".to_owned(), annotations.into());
        }
        if !calls.is_empty() {
            message.insert("tool_calls".to_owned(), calls.into());
        }
        if let Some(spoken) = spoken {
            message.insert("audio".to_owned(), spoken);
        }
    }
    json!({"index": i, "message": message, "logprobs": choice.logprobs, "finish_reason": finish})
}
