//! Whole answers, read.

use super::super::Format;
use super::super::canonical::{Answer, ApiError, Choice, Part, StopReason, ToolCall};
use super::super::secrets::mask;
use super::items::arguments;
use super::response::read_logprobs;
use super::usage::read_body_usage;
use super::{characters, citations, error, given, kind, list, reasoning, text, whole};
use serde_json::{Map, Value};

/// Members with a field of their own.
const READ: &[&str] = &["id", "created_at", "model", "output", "usage", "status", "error", "incomplete_details"];

/// The longest piece of a body that a message repeats, in bytes.
const LONGEST: usize = 300;

/// `text`, masked and cut.
pub(super) fn excerpt(text: &str) -> String {
    let text = mask(text);
    match text.get(..text.floor_char_boundary(LONGEST)) {
        Some(head) if head.len() < text.len() => format!("{head}…"),
        _ => text,
    }
}

/// Reads a whole answer. A body that is no response, or one that failed in spite of its 2xx status, is an error.
pub fn read_answer(body: &[u8]) -> Result<Answer, ApiError> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let found = excerpt(&String::from_utf8_lossy(body));
        ApiError::new(502, format!("the provider's answer is not JSON ({error}): {found}"))
    })?;
    if let Some(error) = failure(&value) {
        return Err(error);
    }
    let Some(output) = value.get("output").and_then(Value::as_array) else {
        let found = excerpt(&value.to_string());
        return Err(ApiError::new(502, format!("the provider's answer has no `output`: {found}")));
    };
    let mut reader = Reader::default();
    for item in output {
        reader.item(item);
    }
    let Reader { parts, logprobs, calls, .. } = reader;
    let choice = Choice {
        parts,
        stop: read_stop(&value, calls),
        stop_sequence: None,
        logprobs: (!logprobs.is_empty()).then(|| read_logprobs(&logprobs)),
    };
    let members = value.as_object().into_iter().flatten();
    let extra: Map<String, Value> = members
        .filter(|(name, value)| !READ.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Ok(Answer {
        id: text(&value, "id").map(str::to_owned),
        model: text(&value, "model").map(str::to_owned),
        created: value.get("created_at").and_then(whole),
        choices: vec![choice],
        usage: read_body_usage(&value),
        extra,
    })
}

/// The error of a response that failed.
pub(super) fn failure(response: &Value) -> Option<ApiError> {
    let failed = matches!(text(response, "status"), Some("failed" | "cancelled"));
    (failed || given(response, "error").is_some()).then(|| error::inside(response.get("error").unwrap_or(&Value::Null)))
}

/// Why the model stopped. A response that is not done yet (of work in the background) has not.
pub(super) fn read_stop(response: &Value, calls: bool) -> Option<StopReason> {
    let reason = response.get("incomplete_details").and_then(|details| text(details, "reason"));
    match text(response, "status") {
        Some("incomplete") => Some(match reason {
            Some("max_output_tokens") | None => StopReason::Length,
            Some("content_filter") => StopReason::ContentFilter,
            Some(other) => StopReason::Other(other.to_owned()),
        }),
        Some("queued" | "in_progress") => None,
        _ if calls => Some(StopReason::ToolCalls),
        _ => Some(StopReason::End),
    }
}

#[derive(Default)]
struct Reader {
    parts: Vec<Part>,
    logprobs: Vec<Value>,
    calls: bool,
    /// Characters of text so far.
    length: u64,
    /// The signature of the call that comes next.
    of_call: Option<String>,
}

impl Reader {
    fn item(&mut self, item: &Value) {
        match kind(item) {
            "message" => list(item, "content").iter().for_each(|part| self.content(part)),
            "reasoning" => match reasoning::read(item) {
                reasoning::Read::Part(part) => self.parts.push(part),
                reasoning::Read::OfCall(signature) => self.of_call = Some(signature),
            },
            // A call within a namespace is one of a tool that only this format has.
            "function_call" if given(item, "namespace").is_none() => {
                self.calls = true;
                self.parts.push(Part::ToolCall(ToolCall {
                    id: call_id(item).to_owned(),
                    name: text(item, "name").unwrap_or_default().to_owned(),
                    arguments: arguments(item.get("arguments")),
                    cache: None,
                    signature: self.of_call.take(),
                }));
            }
            _ => self.keep(item),
        }
    }

    fn content(&mut self, part: &Value) {
        match kind(part) {
            "output_text" => {
                let Some(text) = text(part, "text") else { return };
                let citations = citations::read_all(part, self.length);
                self.length = self.length.saturating_add(characters(text));
                self.logprobs.extend(list(part, "logprobs").iter().cloned());
                self.parts.push(Part::Text { text: text.to_owned(), cache: None, citations });
            }
            "refusal" => self.parts.extend(text(part, "refusal").map(|text| Part::Refusal(text.to_owned()))),
            _ => self.keep(part),
        }
    }

    fn keep(&mut self, value: &Value) {
        self.parts.push(Part::Unknown { format: Format::OpenAiResponses, value: value.clone() });
    }
}

/// A call's id; that of its item where the provider gives no other.
pub(super) fn call_id(item: &Value) -> &str {
    text(item, "call_id").or_else(|| text(item, "id")).unwrap_or_default()
}
