//! Anthropic Messages (<https://docs.anthropic.com/en/api/messages>, 2026-11-21).
//!
//! What the canonical form has no word for is kept verbatim: unknown blocks as [`Part::Unknown`](super::canonical::Part),
//! unknown parameters in [`ChatRequest::extra`], unknown members of known blocks and tools in [`ChatRequest::unplaced`].

mod answer;
mod blocks;
mod citations;
mod error;
pub(crate) mod model;
mod params;
mod request;
mod signed;
mod stream_read;
pub(crate) mod stream_write;
mod turns;
mod write;

#[cfg(test)]
mod tests;

use super::canonical::{Answer, ApiError, ChatRequest};
use super::{Incoming, Outgoing, RequestError, Written};
use crate::usage::Usage;
use serde_json::Value;

pub use stream_read::StreamReader;
pub use stream_write::StreamWriter;
pub(super) use turns::takes_id;

/// Reads a request. `max_tokens` is required, as Anthropic requires it.
pub fn read_request(body: &Value) -> Result<ChatRequest, RequestError> {
    request::read(body, true)
}

/// Reads a request to `/v1/messages/count_tokens`, which has no `max_tokens`.
pub fn read_count_request(body: &Value) -> Result<ChatRequest, RequestError> {
    request::read(body, false)
}

/// Writes a request.
///
/// From another format: system and developer turns move to the top-level `system` in their order, turns of one role
/// merge, tool results come first in the turn after their calls, blank text goes (Anthropic rejects it). What this
/// format cannot say is dropped with a note, or refused where the answer would mean something else without it.
pub fn write_request(request: &ChatRequest, outgoing: &Outgoing<'_>) -> Result<Written, RequestError> {
    write::write(request, outgoing)
}

/// Reads a whole answer. An error body under a 2xx status is an `Err`.
pub fn read_answer(body: &[u8]) -> Result<Answer, ApiError> {
    answer::read(body)
}

/// Writes a whole answer: the first choice, the only one that this format has.
pub fn write_answer(answer: &Answer, incoming: &Incoming<'_>) -> Vec<u8> {
    answer::write(answer, incoming)
}

/// Reads an error body. Never fails; what looks like a credential is masked.
pub fn read_error(status: u16, body: &[u8]) -> ApiError {
    error::read(status, body)
}

/// Writes an error body; what looks like a credential is masked.
pub fn write_error(error: &ApiError) -> Vec<u8> {
    error::write(error).to_string().into_bytes()
}

/// Reads a `usage` object into the convention of [`Usage`]: `input` includes both kinds of cached tokens.
pub fn read_usage(usage: &Value) -> Usage {
    answer::Counts::read(usage).usage()
}

/// The `max_tokens` to send where the client gave none: what the model can write, so that nothing is cut that another
/// vendor would not cut (<https://docs.anthropic.com/en/docs/about-claude/models/overview>, 2026-11-21). Models of
/// before 2025 take 4 096 or 8 192, all later ones 32 000 at least.
pub fn default_max_tokens(model: &str) -> u64 {
    match model {
        _ if model.contains("claude-3-5") => 8_192,
        _ if model.contains("claude-3-7") => 32_000,
        _ if model.contains("claude-3-") || model.contains("claude-2") || model.contains("claude-instant") => 4_096,
        _ if model.contains("claude") => 32_000,
        _ => 4_096,
    }
}
