//! Writes whole answers, and what whole and streamed answers share.

use super::grounding::{self, Said};
use super::{logprobs, signatures, stop, usage};
use crate::formats::canonical::{Answer, Choice, Part, Source, ToolCall};
use crate::formats::{Format, Incoming};
use serde_json::{Map, Value, json};

pub(super) fn write(answer: &Answer, incoming: &Incoming<'_>) -> Vec<u8> {
    let candidates: Vec<Value> = (0..).zip(&answer.choices).map(|(i, choice)| candidate(choice, i)).collect();
    let mut body = Map::new();
    body.insert("candidates".to_owned(), candidates.into());
    body.extend(usage::write(&answer.usage).map(|usage| ("usageMetadata".to_owned(), usage)));
    let model = answer.model.as_deref().filter(|model| !model.is_empty()).unwrap_or(incoming.model);
    body.insert("modelVersion".to_owned(), model.into());
    let id = answer.id.as_deref().filter(|id| !id.is_empty()).unwrap_or(incoming.id);
    body.insert("responseId".to_owned(), id.into());
    Value::Object(body).to_string().into_bytes()
}

fn candidate(choice: &Choice, i: u64) -> Value {
    let mut parts = Vec::new();
    let mut said = Said::default();
    let mut cited = Vec::new();
    // The signature of the part that comes next.
    let mut pending: Option<&str> = None;
    for part in &choice.parts {
        let mut written = match part {
            Part::Text { text, citations, .. } => {
                said.push(0, text);
                cited.extend(citations.iter().cloned());
                (!text.is_empty()).then(|| json!({"text": text}))
            }
            Part::Refusal(text) => (!text.is_empty()).then(|| json!({"text": text})),
            Part::Thinking { text, signature } if text.is_empty() => {
                pending = signature.as_deref().or(pending);
                None
            }
            Part::Thinking { text, signature } => Some(thought(text, signature.as_deref())),
            Part::RedactedThinking { data } => Some(redacted(data)),
            Part::ToolCall(call) => Some(write_call(call)),
            Part::Audio { format, data, .. } => Some(inline(&format!("audio/{format}"), data)),
            Part::Image { source: Source::Base64 { media_type, data }, .. }
            | Part::Document { source: Source::Base64 { media_type, data }, .. } => Some(inline(media_type, data)),
            Part::Unknown { format: Format::Gemini, value } => Some(value.clone()),
            Part::Image { .. } | Part::Document { .. } | Part::ToolResult { .. } | Part::Unknown { .. } => None,
        };
        if let Some(Value::Object(members)) = &mut written
            && !members.contains_key("thoughtSignature")
            && let Some(signature) = pending.take()
        {
            members.insert("thoughtSignature".to_owned(), signatures::write(signature).into());
        }
        parts.extend(written);
    }
    parts.extend(pending.map(|signature| json!({"text": "", "thoughtSignature": signatures::write(signature)})));
    let mut out = Map::new();
    out.insert("content".to_owned(), json!({"parts": parts, "role": "model"}));
    out.insert("finishReason".to_owned(), stop::write(choice.stop.as_ref()).into());
    out.insert("index".to_owned(), i.into());
    out.extend(grounding::write(&cited, &said).map(|cited| ("citationMetadata".to_owned(), cited)));
    let logprobs = choice.logprobs.as_ref().and_then(logprobs::write);
    out.extend(logprobs.map(|logprobs| ("logprobsResult".to_owned(), logprobs)));
    out.into()
}

/// A part of visible reasoning.
pub(super) fn thought(text: &str, signature: Option<&str>) -> Value {
    match signature {
        Some(signature) => json!({"text": text, "thought": true, "thoughtSignature": signatures::write(signature)}),
        None => json!({"text": text, "thought": true}),
    }
}

/// A part of encrypted reasoning.
pub(super) fn redacted(data: &str) -> Value {
    json!({"text": "", "thought": true, "thoughtSignature": signatures::write_redacted(data)})
}

/// A call. Its arguments must be an object for clients to parse them, but a model may write what is none, or not even
/// JSON: then the text is handed over as it is under `_raw`, so that nothing is lost and the tool's own check fails.
pub(super) fn write_call(call: &ToolCall) -> Value {
    let text = call.arguments.trim();
    let args = match serde_json::from_str(if text.is_empty() { "{}" } else { text }) {
        Ok(args @ Value::Object(_)) => args,
        _ => json!({"_raw": call.arguments}),
    };
    let function = json!({"id": call.id, "name": call.name, "args": args});
    match &call.signature {
        Some(signature) => json!({"functionCall": function, "thoughtSignature": signatures::write(signature)}),
        None => json!({"functionCall": function}),
    }
}

fn inline(media_type: &str, data: &str) -> Value {
    json!({"inlineData": {"mimeType": media_type, "data": data}})
}
