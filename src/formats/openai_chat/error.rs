//! Errors, read from whatever a provider answers and written as OpenAI does.

use super::super::canonical::{ApiError, ErrorKind};
use super::super::secrets::mask;
use super::{given, text};
use regex::Regex;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The longest message that is made from a body that is not of the format, in bytes.
const LONGEST: usize = 300;

/// Reads an error body: OpenAI's and Groq's `{error: {message, type, param, code}}`, xAI's `{code, error: "…"}`,
/// vLLM's and Mistral's `{object: "error", message, type, code}`, FastAPI's `{detail}`, Google's array of one, plain
/// text, HTML, nothing. What looks like a credential is masked.
pub fn read_error(status: u16, body: &[u8]) -> ApiError {
    match serde_json::from_slice::<Value>(body) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => body_error(Some(status), &value),
        _ => {
            let plain = plain_text(&String::from_utf8_lossy(body));
            if plain.is_empty() {
                return ApiError::new(status, format!("the provider answered with status {status} and said no more"));
            }
            ApiError::new(status, cut(&mask(&plain)))
        }
    }
}

/// The error that a JSON body says. Without a status (an error within a 200) the body's own code gives one, else 502.
pub(super) fn body_error(status: Option<u16>, body: &Value) -> ApiError {
    let body = body.as_array().and_then(|items| items.first()).unwrap_or(body);
    let inner = given(body, "error").filter(|error| error.is_object()).unwrap_or(body);
    let said = |value: &Value| match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Null | Value::String(_) => None,
        other => Some(cut(&other.to_string())),
    };
    // Where the error itself is a string, that string is the message.
    let message = ["message", "error", "detail", "msg"]
        .iter()
        .find_map(|name| inner.get(*name).and_then(said))
        .or_else(|| body.get("error").and_then(said))
        .unwrap_or_else(|| cut(&body.to_string()));
    let word = |name: &str| match inner.get(name).or_else(|| body.get(name)) {
        Some(Value::String(word)) if !word.is_empty() => Some(word.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let (code, provider_type) = (word("code"), word("type"));
    let status = status.unwrap_or_else(|| {
        let numbers = ["code", "status", "status_code"].iter().filter_map(|name| word(name)?.parse().ok());
        let mut fitting = numbers.filter(|status: &u16| (400..600).contains(status));
        fitting.next().unwrap_or_else(|| status_of(provider_type.as_deref(), code.as_deref()))
    });
    ApiError {
        status,
        kind: ErrorKind::of_status(status),
        code,
        param: text(inner, "param").map(str::to_owned),
        message: mask(&message),
        provider_type,
    }
}

/// The status that goes with the words of an error that came without one.
fn status_of(kind: Option<&str>, code: Option<&str>) -> u16 {
    let has = |needle: &str| [kind, code].into_iter().flatten().any(|word| word.contains(needle));
    if has("rate_limit") || has("insufficient_quota") {
        429
    } else if has("overloaded") || has("unavailable") {
        503
    } else if has("context_length") || has("invalid_request") {
        400
    } else {
        502
    }
}

/// A page or text as one line. Markup, scripts and styles go. What is not closed goes on to the end, as in browsers: to
/// look for each end that is missing would take time that grows with the square of the page.
fn plain_text(body: &str) -> String {
    static MARKUP: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?is)<(script|style)(?-u:\b).*?(</(script|style)>|\z)|<!--.*?(-->|\z)|<[a-z!/][^>]*>").ok()
    });
    let bare = match MARKUP.as_ref() {
        Some(markup) => markup.replace_all(body, " "),
        None => body.into(),
    };
    bare.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// `text`, at most [`LONGEST`] bytes of it.
pub(super) fn cut(text: &str) -> String {
    match text.get(..text.floor_char_boundary(LONGEST)) {
        Some(head) if head.len() < text.len() => format!("{head}…"),
        _ => text.to_owned(),
    }
}

/// Writes an error body. The provider's own type word stands where there is one.
pub fn write_error(error: &ApiError) -> Vec<u8> {
    error_value(error).to_string().into_bytes()
}

pub(super) fn error_value(error: &ApiError) -> Value {
    let kind = error.provider_type.as_deref().unwrap_or(type_word(error.kind));
    json!({"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}})
}

/// OpenAI's word for a kind of error (<https://platform.openai.com/docs/guides/error-codes>, 2026-11-21). Its clients
/// go by the status.
fn type_word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::TooLarge => {
            "invalid_request_error"
        }
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::Billing => "insufficient_quota",
        ErrorKind::RateLimit => "rate_limit_error",
        ErrorKind::Timeout => "timeout_error",
        ErrorKind::Server | ErrorKind::Overloaded => "server_error",
    }
}

#[cfg(test)]
mod tests;
