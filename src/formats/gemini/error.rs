//! Errors: Google's `{error: {code, message, status, details}}` (<https://cloud.google.com/apis/design/errors>,
//! 2026-11-21). AI Studio's streams and Vertex wrap them in an array of one.

use super::{items, member, text};
use crate::formats::canonical::{ApiError, ErrorKind};
use crate::formats::secrets::mask;
use serde_json::{Map, Value, json};

/// The longest message kept from a body that is not of this format, in bytes.
const LONGEST: usize = 300;

/// Google's words, what they mean and the status that goes with them. For a kind, the first is written.
const WORDS: [(&str, ErrorKind, u16); 17] = [
    ("INVALID_ARGUMENT", ErrorKind::InvalidRequest, 400),
    ("FAILED_PRECONDITION", ErrorKind::InvalidRequest, 400),
    ("OUT_OF_RANGE", ErrorKind::InvalidRequest, 400),
    ("CANCELLED", ErrorKind::InvalidRequest, 499),
    ("FAILED_PRECONDITION", ErrorKind::Billing, 402),
    ("INVALID_ARGUMENT", ErrorKind::TooLarge, 413),
    ("UNAUTHENTICATED", ErrorKind::Authentication, 401),
    ("PERMISSION_DENIED", ErrorKind::Permission, 403),
    ("NOT_FOUND", ErrorKind::NotFound, 404),
    ("ABORTED", ErrorKind::Conflict, 409),
    ("ALREADY_EXISTS", ErrorKind::Conflict, 409),
    ("RESOURCE_EXHAUSTED", ErrorKind::RateLimit, 429),
    ("INTERNAL", ErrorKind::Server, 500),
    ("UNKNOWN", ErrorKind::Server, 500),
    ("DATA_LOSS", ErrorKind::Server, 500),
    ("UNAVAILABLE", ErrorKind::Overloaded, 503),
    ("DEADLINE_EXCEEDED", ErrorKind::Timeout, 504),
];

pub(super) fn read(status: u16, body: &[u8]) -> ApiError {
    let text = String::from_utf8_lossy(body);
    let mut error = match serde_json::from_str::<Value>(&text) {
        Ok(value) => of_value(status, unwrapped(&value)),
        Err(_) => ApiError::new(status, of_text(&text)),
    };
    if error.message.is_empty() {
        error.message = format!("the provider answered with status {status} and no message");
    }
    error.message = mask(&error.message);
    error
}

/// The error in a body or chunk that came with a 2xx status; `None` where it holds none. Its own code is the status.
pub(super) fn inside(body: &Value) -> Option<ApiError> {
    let body = unwrapped(body);
    let inner = member(body, "error")?;
    let code = member(inner, "code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let word = text(inner, "status").and_then(|word| WORDS.iter().find(|(known, ..)| *known == word));
    let status = code.filter(|code| (400..600).contains(code)).or(word.map(|(.., status)| *status)).unwrap_or(502);
    Some(read(status, body.to_string().as_bytes()))
}

fn unwrapped(value: &Value) -> &Value {
    value.as_array().and_then(|items| items.first()).unwrap_or(value)
}

fn of_value(status: u16, value: &Value) -> ApiError {
    let owned = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let inner = member(value, "error");
    let message = owned(inner.and_then(|inner| member(inner, "message")))
        .or_else(|| owned(inner))
        .or_else(|| owned(member(value, "message")))
        .or_else(|| owned(Some(value)))
        .unwrap_or_else(|| of_text(&value.to_string()));
    let mut error = ApiError::new(status, message);
    let Some(inner) = inner else { return error };
    let word = text(inner, "status");
    if let Some((_, kind, _)) = word.and_then(|word| WORDS.iter().find(|(known, ..)| *known == word)) {
        error.kind = *kind;
    }
    error.provider_type = word.map(str::to_owned);
    for detail in items(inner, "details") {
        error.code = error.code.or_else(|| text(detail, "reason").map(str::to_owned));
        for violation in items(detail, "fieldViolations") {
            error.param = error.param.or_else(|| text(violation, "field").map(str::to_owned));
            if let Some(what) = text(violation, "description").filter(|what| !error.message.contains(what)) {
                error.message = format!("{} ({what})", error.message);
            }
        }
        if let Some(delay) = text(detail, "retryDelay").filter(|_| !error.message.contains("retry in")) {
            error.message = format!("{} Please retry in {delay}.", error.message);
        }
    }
    match error.code.as_deref() {
        // Google says that a wrong key is an invalid argument.
        Some("API_KEY_INVALID" | "API_KEY_EXPIRED") => error.kind = ErrorKind::Authentication,
        None if error.message.contains("exceeds the maximum number of tokens") => {
            error.code = Some("context_length_exceeded".to_owned());
        }
        _ => {}
    }
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
    let line = inner.split_whitespace().collect::<Vec<&str>>().join(" ");
    cut(&line)
}

/// `text`, at most [`LONGEST`] bytes of it.
pub(super) fn cut(text: &str) -> String {
    match text.get(..text.floor_char_boundary(LONGEST)) {
        Some(head) if head.len() < text.len() => format!("{head}…"),
        _ => text.to_owned(),
    }
}

/// The error object, as a body or a chunk. Google's own word stands where there is one.
pub(super) fn write(error: &ApiError) -> Value {
    let known = |word: &&str| WORDS.iter().any(|(known, ..)| known == word);
    let own = error.provider_type.as_deref().filter(known);
    let word = own.or(WORDS.iter().find(|(_, kind, _)| *kind == error.kind).map(|(word, ..)| *word));
    let mut out = Map::new();
    out.insert("code".to_owned(), error.status.into());
    out.insert("message".to_owned(), mask(&error.message).into());
    out.insert("status".to_owned(), word.unwrap_or("UNKNOWN").into());
    let mut details = Vec::new();
    if let Some(reason) = &error.code {
        details.push(json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": mask(reason)}));
    }
    if let Some(field) = &error.param {
        let violations = json!([{"field": field, "description": mask(&error.message)}]);
        details.push(json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}));
    }
    if !details.is_empty() {
        out.insert("details".to_owned(), details.into());
    }
    json!({"error": out})
}
