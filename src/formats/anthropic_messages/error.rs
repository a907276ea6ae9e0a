//! Errors (<https://docs.anthropic.com/en/api/errors>, 2026-11-21).

use super::blocks::Object;
use crate::formats::canonical::{ApiError, ErrorKind};
use crate::formats::secrets::mask;
use serde_json::{Value, json};

/// The longest message kept from a body that is not of this format, in characters.
const LONGEST: usize = 300;

/// This format's words: the word, the kind, the status that goes with it.
const WORDS: [(&str, ErrorKind, u16); 10] = [
    ("invalid_request_error", ErrorKind::InvalidRequest, 400),
    ("authentication_error", ErrorKind::Authentication, 401),
    ("billing_error", ErrorKind::Billing, 402),
    ("permission_error", ErrorKind::Permission, 403),
    ("not_found_error", ErrorKind::NotFound, 404),
    ("request_too_large", ErrorKind::TooLarge, 413),
    ("rate_limit_error", ErrorKind::RateLimit, 429),
    ("api_error", ErrorKind::Server, 500),
    ("timeout_error", ErrorKind::Timeout, 504),
    ("overloaded_error", ErrorKind::Overloaded, 529),
];

pub(super) fn read(status: u16, body: &[u8]) -> ApiError {
    let text = String::from_utf8_lossy(body);
    let mut error = match serde_json::from_str::<Value>(&text) {
        // Some gateways in between wrap the error in an array.
        Ok(Value::Array(mut items)) if items.len() == 1 => of_value(status, &items.pop().unwrap_or_default()),
        Ok(value) => of_value(status, &value),
        Err(_) => ApiError::new(status, of_text(&text)),
    };
    if error.message.is_empty() {
        error.message = format!("the provider answered with status {status} and no message");
    }
    error.message = mask(&error.message);
    error
}

/// The error in a body or event that came with a 2xx status; its own word says which status it stands for.
pub(super) fn inside(body: &Object) -> ApiError {
    let word = body.get("error").and_then(|e| e.get("type")).and_then(Value::as_str).unwrap_or_default();
    let status = WORDS.iter().find(|(known, ..)| *known == word).map_or(502, |(.., status)| *status);
    read(status, Value::Object(body.clone()).to_string().as_bytes())
}

fn of_value(status: u16, value: &Value) -> ApiError {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let inner = value.get("error");
    let message = text(inner.and_then(|e| e.get("message")))
        .or_else(|| text(inner))
        .or_else(|| text(value.get("message")))
        .or_else(|| text(value.get("detail")))
        .or_else(|| text(Some(value)));
    // A message in the format's own place is kept whole: it is for people and may be long for a reason.
    let message = message.unwrap_or_else(|| of_text(&value.to_string()));
    let word = text(inner.and_then(|e| e.get("type")));
    let mut error = ApiError::new(status, message);
    if let Some((_, kind, _)) = WORDS.iter().find(|(known, ..)| word.as_deref() == Some(known)) {
        error.kind = *kind;
    }
    let details = inner.and_then(|e| e.get("details"));
    error.code = text(details.and_then(|d| d.get("error_code"))).or_else(|| text(inner.and_then(|e| e.get("code"))));
    error.param = text(inner.and_then(|e| e.get("param")));
    error.provider_type = word;
    error
}

/// One short line of what is no error object: of a page, its title.
fn of_text(text: &str) -> String {
    let text = text.trim();
    let inner = if text.starts_with('<') {
        let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        title.map_or("the provider answered with a page instead of an error", |(title, _)| title)
    } else {
        text
    };
    let words: Vec<&str> = inner.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// The error object, as a body or the data of an `error` event. The kind chooses the word: other formats use some of the
/// same words more broadly (OpenAI calls a wrong key an `invalid_request_error`).
pub(super) fn write(error: &ApiError) -> Value {
    let word = WORDS.iter().find(|(_, kind, _)| *kind == error.kind).map(|(word, ..)| *word);
    // Only `Conflict` has no word of its own here.
    let word = word.unwrap_or("invalid_request_error");
    json!({"type": "error", "error": {"type": word, "message": mask(&error.message)}})
}
