//! Reasoning beside the content, and what a provider needs to take it back. OpenAI's own format has neither, so there are
//! conventions:
//!
//! - `reasoning_content` (DeepSeek, GLM, xAI, vLLM) or `reasoning` (Groq, OpenRouter, newer vLLM): the words.
//! - `thinking_blocks` (LiteLLM, <https://docs.litellm.ai/docs/reasoning_content>, 2026-11-21): Anthropic's blocks with
//!   their signatures. This is the one that is written; clients that send assistant messages back as they came send it.
//! - `reasoning_details` (OpenRouter, <https://openrouter.ai/docs/use-cases/reasoning-tokens>, 2026-11-21): the same for
//!   several vendors, told apart by `format`.
//! - `tool_calls[].extra_content.google.thought_signature` (Google's OpenAI-compatible endpoint,
//!   <https://ai.google.dev/gemini-api/docs/thought-signatures>, 2026-11-21): the signature of a call.

use super::super::canonical::{Part, StreamEvent, ToolCall};
use super::super::signature::{self, Vendor};
use super::text;
use serde_json::{Map, Value, json};

/// The words of the reasoning. Where both members are there they say the same.
fn words(message: &Value) -> Option<&str> {
    text(message, "reasoning_content").or_else(|| text(message, "reasoning"))
}

/// The reasoning of a whole message, before anything else that it says.
pub(super) fn read(message: &Value) -> Vec<Part> {
    let mut parts: Vec<Part> = list(message, "thinking_blocks").filter_map(read_block).collect();
    parts.retain(|part| !matches!(part, Part::Thinking { text, signature: None } if text.is_empty()));
    if parts.is_empty() {
        parts = details(message);
    }
    let said = |part: &Part| matches!(part, Part::Thinking { text, .. } if !text.is_empty());
    if let Some(words) = words(message).filter(|_| !parts.iter().any(said)) {
        match parts.first_mut() {
            // OpenAI's encrypted item holds the reasoning, the words are its summary.
            Some(Part::Thinking { text, signature: Some(own) }) if signature::of(own).0 == Vendor::OpenAi => {
                words.clone_into(text);
            }
            _ => parts.insert(0, Part::Thinking { text: words.to_owned(), signature: None }),
        }
    }
    parts
}

fn list<'a>(message: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    message.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// A `thinking` or `redacted_thinking` block: Anthropic's, or Mistral's
/// `{"type": "thinking", "thinking": [{"type": "text", "text": …}]}`
/// (<https://docs.mistral.ai/capabilities/reasoning/>, 2026-11-21).
pub(super) fn read_block(block: &Value) -> Option<Part> {
    if text(block, "type") == Some("redacted_thinking") {
        return text(block, "data").map(|data| Part::RedactedThinking { data: data.to_owned() });
    }
    let signature = text(block, "signature").map(str::to_owned);
    let text = match block.get("thinking") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(pieces)) => pieces.iter().filter_map(|piece| text(piece, "text")).collect(),
        _ if signature.is_some() => String::new(),
        _ => return None,
    };
    Some(Part::Thinking { text, signature })
}

fn details(message: &Value) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for detail in list(message, "reasoning_details") {
        match (text(detail, "type"), text(detail, "text").or_else(|| text(detail, "summary"))) {
            (Some("reasoning.encrypted"), _) => match (redacted(detail), signed(detail), parts.last_mut()) {
                (Some(data), ..) => parts.push(Part::RedactedThinking { data }),
                (_, Some(new), Some(Part::Thinking { signature: signature @ None, .. })) => *signature = Some(new),
                (_, Some(new), _) => parts.push(Part::Thinking { text: String::new(), signature: Some(new) }),
                (_, None, _) => {}
            },
            (Some(_), words) if words.is_some() || signed(detail).is_some() => {
                let text = words.unwrap_or_default().to_owned();
                parts.push(Part::Thinking { text, signature: signed(detail) });
            }
            _ => {}
        }
    }
    parts
}

/// Who signed a detail. Before there was a `format`, all were Anthropic's.
fn vendor(detail: &Value) -> Option<Vendor> {
    match text(detail, "format") {
        None => Some(Vendor::Anthropic),
        Some(format) if format.starts_with("anthropic") => Some(Vendor::Anthropic),
        Some(format) if format.starts_with("google-gemini") => Some(Vendor::Gemini),
        Some(format) if format.contains("openai-responses") => Some(Vendor::OpenAi),
        Some(_) => None,
    }
}

/// The encrypted block of a detail, where it is Anthropic's.
fn redacted(detail: &Value) -> Option<String> {
    let encrypted = text(detail, "type") == Some("reasoning.encrypted") && vendor(detail) == Some(Vendor::Anthropic);
    text(detail, "data").filter(|_| encrypted).map(str::to_owned)
}

/// The signature in a detail. OpenAI's is an encrypted item with its id; Google's with an id belongs to a call.
fn signed(detail: &Value) -> Option<String> {
    let (vendor, id) = (vendor(detail)?, text(detail, "id"));
    match vendor {
        Vendor::OpenAi => {
            text(detail, "data").map(|data| signature::tag(vendor, &signature::join(id.unwrap_or_default(), data)))
        }
        Vendor::Gemini if id.is_some() && text(detail, "data").is_some() => None,
        _ => text(detail, "signature").or_else(|| text(detail, "data")).map(|own| signature::tag(vendor, own)),
    }
}

/// The signature of a call: its own, or that of the message's detail that names it.
pub(super) fn call_signature(call: &Value, message: &Value) -> Option<String> {
    let own = call.pointer("/extra_content/google/thought_signature").and_then(Value::as_str);
    let named = || {
        let id = text(call, "id")?;
        let mine = |detail: &&Value| vendor(detail) == Some(Vendor::Gemini) && text(detail, "id") == Some(id);
        list(message, "reasoning_details").find(mine).and_then(|detail| text(detail, "data"))
    };
    own.filter(|own| !own.is_empty()).or_else(named).map(|own| signature::tag(Vendor::Gemini, own))
}

/// The events that a piece of a stream says about reasoning. `worded`: the choice says its reasoning beside the blocks,
/// which only repeat it.
pub(super) fn read_delta(choice: u64, delta: &Value, worded: &mut bool, out: &mut Vec<StreamEvent>) {
    if let Some(text) = words(delta) {
        *worded = true;
        out.push(StreamEvent::Thinking { choice, text: text.to_owned() });
    }
    let blocks = list(delta, "thinking_blocks").filter_map(read_block);
    let mut parts: Vec<Part> = blocks.collect();
    if parts.is_empty() {
        parts = details(delta);
    }
    for part in parts {
        push(choice, part, !*worded, out);
    }
}

/// The events of a block or a piece of one; `says`: its words have not been said yet.
pub(super) fn push(choice: u64, part: Part, says: bool, out: &mut Vec<StreamEvent>) {
    match part {
        Part::Thinking { text, signature } => {
            if says && !text.is_empty() {
                out.push(StreamEvent::Thinking { choice, text });
            }
            out.extend(signature.map(|signature| StreamEvent::Signature { choice, signature }));
        }
        Part::RedactedThinking { data } => out.push(StreamEvent::RedactedThinking { choice, data }),
        _ => {}
    }
}

/// Writes the members of a message that say its reasoning: the words, and the blocks where any of them is of use only
/// whole.
pub(super) fn write(parts: &[Part], message: &mut Map<String, Value>) {
    let words: String = parts
        .iter()
        .filter_map(|part| if let Part::Thinking { text, .. } = part { Some(text.as_str()) } else { None })
        .collect();
    if !words.is_empty() {
        message.insert("reasoning_content".to_owned(), words.into());
    }
    let opaque =
        |part: &Part| matches!(part, Part::Thinking { signature: Some(_), .. } | Part::RedactedThinking { .. });
    if parts.iter().any(opaque) {
        let blocks = parts.iter().filter_map(|part| match part {
            Part::Thinking { text, signature } => Some(
                json!({"type": "thinking", "thinking": text, "signature": signature.as_deref().unwrap_or_default()}),
            ),
            Part::RedactedThinking { data } => Some(json!({"type": "redacted_thinking", "data": data})),
            _ => None,
        });
        message.insert("thinking_blocks".to_owned(), blocks.collect());
    }
}

/// A call as a message holds it.
pub(super) fn write_call(call: &ToolCall, with_signature: bool) -> Value {
    let mut written = json!({
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    });
    let extra = call.signature.as_deref().filter(|_| with_signature).and_then(extra_content);
    if let (Some(extra), Some(written)) = (extra, written.as_object_mut()) {
        written.insert("extra_content".to_owned(), extra);
    }
    written
}

/// The place of Google's signature in a call.
pub(super) fn extra_content(signature: &str) -> Option<Value> {
    signature::by(Vendor::Gemini, signature).map(|own| json!({"google": {"thought_signature": own}}))
}
