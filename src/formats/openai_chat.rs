//! OpenAI Chat Completions (<https://platform.openai.com/docs/api-reference/chat>, 2026-11-21), with the additions of
//! the providers that speak it too: DeepSeek's and GLM's `reasoning_content`, Groq's and OpenRouter's `reasoning`,
//! Mistral's thinking parts, xAI's way to count reasoning.

mod answer;
mod citations;
mod error;
mod parts;
mod reasoning;
mod request_read;
mod request_write;
mod stream_read;
mod stream_write;
mod usage;

pub use answer::{read_answer, write_answer};
pub use error::{read_error, write_error};
pub use request_read::read_request;
pub(super) use request_write::takes_id;
pub use request_write::write_request;
pub use stream_read::StreamReader;
pub use stream_write::StreamWriter;
pub use usage::read_usage;

#[cfg(test)]
mod tests;

use super::canonical::{Part, StopReason};
use serde_json::Value;

/// A member that is there and not null.
fn given<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|member| !member.is_null())
}

/// A member that is a string with at least one character.
fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The call of before there were tools. Some servers (Snowflake's) send every member of a message, the unused ones
/// with empty values: those say nothing.
fn function_call(message: &Value) -> Option<&Value> {
    given(message, "function_call").filter(|call| text(call, "name").is_some() || text(call, "arguments").is_some())
}

/// Spoken output, or in a request the id that stands for it. Empty values say nothing. Its format is the one that was
/// asked for; it does not say so itself.
fn audio(message: &Value) -> Option<Part> {
    let audio = given(message, "audio")?;
    let owned = |name: &str| text(audio, name).map(str::to_owned);
    let (id, data) = (owned("id"), owned("data"));
    (id.is_some() || data.is_some()).then(|| Part::Audio {
        format: String::new(),
        data: data.unwrap_or_default(),
        transcript: owned("transcript"),
        id,
    })
}

/// Arguments of a call as JSON text. Some servers send the object instead of its text; none at all are `{}`.
fn arguments(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(Value::String(text)) if text.trim().is_empty() => "{}".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A `finish_reason`. Calls that come with `stop` are calls all the same: OpenAI says `stop` when the tool was forced
/// (<https://platform.openai.com/docs/guides/function-calling>, 2026-11-21).
fn read_stop(word: &str, calls: bool) -> Option<StopReason> {
    Some(match word {
        "" => return None,
        "stop" if calls => StopReason::ToolCalls,
        "stop" => StopReason::End,
        // `model_length`: Mistral's word for the end of the context window.
        "length" | "model_length" => StopReason::Length,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        // `sensitive`: GLM's word.
        "content_filter" | "sensitive" => StopReason::ContentFilter,
        other => StopReason::Other(other.to_owned()),
    })
}

/// The `finish_reason` that comes nearest. Clients know five words and no others.
fn write_stop(stop: Option<&StopReason>, calls: bool) -> &'static str {
    match stop {
        Some(StopReason::Length) => "length",
        Some(StopReason::ToolCalls) => "tool_calls",
        Some(StopReason::ContentFilter | StopReason::Refusal) => "content_filter",
        Some(StopReason::Other(word)) if word == "model_context_window_exceeded" => "length",
        None | Some(StopReason::End) if calls => "tool_calls",
        None | Some(StopReason::End | StopReason::StopSequence | StopReason::Pause | StopReason::Other(_)) => "stop",
    }
}
