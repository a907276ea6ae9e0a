//! Errors (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors>,
//! 2026-11-21): `{"message": …}`, and the exception's name in `__type` where a body has it (else only in the header
//! `x-amzn-errortype`).

use crate::formats::canonical::{ApiError, ErrorKind};
use crate::formats::secrets::mask;
use serde_json::{Value, json};

/// The longest message kept from a body that is not of this format, in characters.
const LONGEST: usize = 300;

/// Names of exceptions: the kind, the status that goes with it where a stream names it. The first of a kind is the one
/// that is written.
const NAMES: [(&str, ErrorKind, u16); 21] = [
    ("ValidationException", ErrorKind::InvalidRequest, 400),
    ("UnrecognizedClientException", ErrorKind::Authentication, 401),
    ("AccessDeniedException", ErrorKind::Permission, 403),
    ("ResourceNotFoundException", ErrorKind::NotFound, 404),
    ("ThrottlingException", ErrorKind::RateLimit, 429),
    ("InternalServerException", ErrorKind::Server, 500),
    ("ServiceUnavailableException", ErrorKind::Overloaded, 503),
    ("ModelTimeoutException", ErrorKind::Timeout, 408),
    ("ConflictException", ErrorKind::Conflict, 409),
    ("ModelNotReadyException", ErrorKind::Overloaded, 429),
    ("ModelErrorException", ErrorKind::Server, 424),
    ("ModelStreamErrorException", ErrorKind::Server, 424),
    ("ServiceQuotaExceededException", ErrorKind::RateLimit, 400),
    ("ExpiredTokenException", ErrorKind::Authentication, 403),
    ("InvalidSignatureException", ErrorKind::Authentication, 403),
    ("IncompleteSignatureException", ErrorKind::Authentication, 403),
    ("MissingAuthenticationTokenException", ErrorKind::Authentication, 403),
    ("InvalidClientTokenId", ErrorKind::Authentication, 403),
    ("RequestTimeoutException", ErrorKind::Timeout, 408),
    ("InternalFailure", ErrorKind::Server, 500),
    ("ServiceUnavailable", ErrorKind::Overloaded, 503),
];

/// What messages mean that the status does not say: words, the kind, the code.
const MESSAGES: [(&str, Option<ErrorKind>, Option<&str>); 13] = [
    ("input is too long", None, Some("context_length_exceeded")),
    ("prompt is too long", None, Some("context_length_exceeded")),
    ("exceed context limit", None, Some("context_length_exceeded")),
    ("maximum context length", None, Some("context_length_exceeded")),
    ("input tokens exceeded", None, Some("context_length_exceeded")),
    ("model identifier is invalid", None, Some("model_not_found")),
    ("end of its life", None, Some("model_not_found")),
    ("security token", Some(ErrorKind::Authentication), Some("invalid_api_key")),
    ("request signature", Some(ErrorKind::Authentication), Some("invalid_api_key")),
    ("signature expired", Some(ErrorKind::Authentication), Some("invalid_api_key")),
    ("authentication failed", Some(ErrorKind::Authentication), Some("invalid_api_key")),
    ("bearer token", Some(ErrorKind::Authentication), Some("invalid_api_key")),
    ("missing authentication token", Some(ErrorKind::Authentication), Some("invalid_api_key")),
];

pub(super) fn read(status: u16, body: &[u8]) -> ApiError {
    let text = String::from_utf8_lossy(body);
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => of_value(status, "", &value),
        Err(_) => finished(ApiError::new(status, of_text(&text))),
    }
}

/// Whether a body under a 2xx status is an error.
pub(super) fn is_error(value: &Value) -> bool {
    value.get("__type").is_some() || message_of(value).is_some()
}

/// The error in a body or a stream's message that came with a 2xx status: `name` is the exception's, where the message
/// names it. It says itself which status it stands for.
pub(super) fn inside(name: &str, value: &Value) -> ApiError {
    let word = type_of(value).unwrap_or_else(|| name.to_owned());
    let original =
        value.get("originalStatusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let known = NAMES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(&word));
    // What the model's host said is nearer to the cause than Bedrock's own status.
    let status = original.filter(|status| (400..600).contains(status)).or(known.map(|(.., status)| *status));
    // 424 says that another server failed; to the client that is the gateway's upstream.
    let status = status.filter(|status| *status != 424).unwrap_or(502);
    of_value(status, &word, value)
}

fn of_value(status: u16, name: &str, value: &Value) -> ApiError {
    let mut error = ApiError::new(status, message_of(value).unwrap_or_else(|| of_text(&plain(value))));
    let word = type_of(value).or_else(|| (!name.is_empty()).then(|| name.to_owned()));
    if let Some((_, kind, _)) =
        NAMES.iter().find(|(known, ..)| word.as_ref().is_some_and(|w| known.eq_ignore_ascii_case(w)))
    {
        error.kind = *kind;
    } else if status == 424 {
        error.kind = ErrorKind::Server;
    }
    finished(error)
}

/// What the message says beyond the status; the message masked and never empty.
fn finished(mut error: ApiError) -> ApiError {
    let lower = error.message.to_ascii_lowercase();
    if let Some((_, kind, code)) = MESSAGES.iter().find(|(words, ..)| lower.contains(words)) {
        // An expired token is the credential's fault whatever the words of a model's refusal are.
        error.kind = kind.filter(|_| matches!(error.status, 400 | 401 | 403)).unwrap_or(error.kind);
        error.code = code.map(str::to_owned);
    }
    if error.message.is_empty() {
        error.message = format!("the provider answered with status {} and no message", error.status);
    }
    error.message = mask(&error.message);
    error
}

fn message_of(value: &Value) -> Option<String> {
    let named = ["message", "Message", "errorMessage", "originalMessage"].iter().find_map(|name| value.get(*name));
    let inner = || value.get("error").and_then(|error| error.get("message"));
    named.or_else(inner)?.as_str().map(str::to_owned)
}

/// The exception's name: `com.amazon.coral.service#ExpiredTokenException`, `ValidationException:http://…`.
fn type_of(value: &Value) -> Option<String> {
    let word = value.get("__type").or_else(|| value.get("code"))?.as_str()?;
    let word = word.split_once('#').map_or(word, |(_, name)| name);
    Some(word.split_once(':').map_or(word, |(name, _)| name).to_owned())
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) if members.is_empty() => String::new(),
        other => other.to_string(),
    }
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

/// The name of the exception that says this.
pub(super) fn name(error: &ApiError) -> &'static str {
    let known = NAMES.iter().find(|(_, kind, _)| *kind == error.kind);
    // Too large a body is a wrong request here, and money no reason of its own.
    known.map_or(
        if error.kind == ErrorKind::Billing { "AccessDeniedException" } else { "ValidationException" },
        |(name, ..)| name,
    )
}

/// The error object. SDKs read the exception's name from `__type` where the header is missing.
pub(super) fn write(error: &ApiError) -> Value {
    json!({"__type": name(error), "message": mask(&error.message)})
}

/// The message, masked.
pub(super) fn message(error: &ApiError) -> String {
    mask(&error.message)
}
