//! Errors. A request that fails gets the same body as in Chat Completions; a response that fails says so in words of
//! its own, without a status.

use super::super::canonical::{ApiError, ErrorKind};
use super::super::openai_chat;
use super::{given, text};
use serde_json::{Value, json};

/// Reads an error body. Never fails; what looks like a credential is masked.
pub fn read_error(status: u16, body: &[u8]) -> ApiError {
    openai_chat::read_error(status, body)
}

/// Writes an error body; what looks like a credential is masked.
pub fn write_error(error: &ApiError) -> Vec<u8> {
    openai_chat::write_error(error)
}

/// The codes that a failed response may have (<https://platform.openai.com/docs/api-reference/responses/object>,
/// 2026-11-21). Those not named first blame the request.
const CODES: [&str; 21] = [
    "server_error",
    "rate_limit_exceeded",
    "vector_store_timeout",
    "invalid_prompt",
    "data_residency_mismatch",
    "bio_policy",
    "misalignment_policy_violation",
    "invalid_image",
    "invalid_image_format",
    "invalid_base64_image",
    "invalid_image_url",
    "image_too_large",
    "image_too_small",
    "image_parse_error",
    "image_content_policy_violation",
    "invalid_image_mode",
    "image_file_too_large",
    "unsupported_image_media_type",
    "empty_image_file",
    "failed_to_download_image",
    "image_file_not_found",
];

/// The error that a failed response or an `error` event says: `{error: {…}}`, or the members themselves.
pub(super) fn inside(value: &Value) -> ApiError {
    let inner = given(value, "error").unwrap_or(value);
    let code = text(inner, "code").unwrap_or_default();
    let word = text(inner, "type").unwrap_or_default();
    let has = |needle: &str| code.contains(needle) || word.contains(needle);
    let status = if has("rate_limit") || has("insufficient_quota") {
        429
    } else if has("overloaded") || has("unavailable") {
        503
    } else if has("server_error") || code == "vector_store_timeout" {
        500
    } else if CODES.contains(&code) || has("invalid_request") || has("context_length") {
        400
    } else {
        502
    };
    if inner.is_null() {
        return ApiError::new(status, "the provider's response failed and says no more");
    }
    let mut inner = inner.clone();
    // The type of an event is not that of its error.
    if word == "error"
        && let Some(members) = inner.as_object_mut()
    {
        members.shift_remove("type");
    }
    openai_chat::read_error(status, json!({ "error": inner }).to_string().as_bytes())
}

/// The `error` of a failed response: clients know a few codes and no others.
pub(super) fn write_failure(error: &ApiError) -> Value {
    let said = error.code.as_deref().filter(|code| CODES.contains(code));
    let code = said.unwrap_or(match error.kind {
        ErrorKind::RateLimit => "rate_limit_exceeded",
        ErrorKind::InvalidRequest | ErrorKind::TooLarge => "invalid_prompt",
        _ => "server_error",
    });
    json!({"code": code, "message": error.message})
}
