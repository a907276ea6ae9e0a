//! What whole answers hold, looked at without translating them.

use crate::formats::Format;
use crate::formats::canonical::{Answer, StreamEvent};
use crate::formats::events::events_of;
use crate::usage::Usage;
use serde_json::Value;

/// The most bytes of a body that is an error and no list of vectors.
const LONGEST_ERROR: usize = 16 * 1024;

/// Whether a body under a 2xx status is an error instead of vectors.
pub(super) fn says_error(body: &[u8]) -> bool {
    let error = |json: Value| json.get("data").is_none() && json.get("error").is_some_and(|error| !error.is_null());
    body.len() <= LONGEST_ERROR && serde_json::from_slice(body).is_ok_and(error)
}

/// Whether a whole answer holds what one of this format must hold, and no error beside it.
pub(super) fn has_answer(json: &Value, format: Format) -> bool {
    let holds = |name: &str| json.get(name).is_some();
    match format {
        Format::OpenAiChat => holds("choices") && !json.get("error").is_some_and(Value::is_object),
        Format::AnthropicMessages => holds("content"),
        Format::Gemini => holds("candidates") || holds("promptFeedback"),
        Format::OpenAiResponses | Format::BedrockConverse => holds("output"),
    }
}

/// The usage that an error reports: some providers bill what failed. It stands where an answer has it, or in the error.
pub(super) fn billed(body: &[u8], format: Format) -> Option<Usage> {
    let json: Value = serde_json::from_slice(body).ok()?;
    // Google wraps errors of streams in a list.
    let holder = json.get(0).unwrap_or(&json);
    let errors = [Some(holder), holder.get("error"), holder.pointer("/response/error")];
    errors.into_iter().flatten().find_map(|holder| format.reported_usage(holder))
}

/// The text of an answer that reports no usage, for an estimate.
pub(super) fn said(format: Format, body: &[u8]) -> String {
    format.read_answer(body).map_or_else(|_| String::new(), |answer| text_of(&answer))
}

/// What an answer says, calls included.
pub(super) fn text_of(answer: &Answer) -> String {
    let mut text = String::new();
    for event in events_of(answer) {
        match event {
            StreamEvent::Text { text: more, .. }
            | StreamEvent::Thinking { text: more, .. }
            | StreamEvent::Refusal { text: more, .. }
            | StreamEvent::ToolArguments { json: more, .. } => text.push_str(&more),
            _ => {}
        }
    }
    text
}
