//! Amazon Bedrock's Converse and ConverseStream
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>, 2026-11-21).
//!
//! The model stands in the path, not in the body. A stream is a binary event stream ([`eventstream`](super::eventstream)):
//! its reader takes each message as an event whose name is the message's `:event-type` or `:exception-type` and whose data
//! is the payload; its writer writes whole frames.
//!
//! Lost on the way through the canonical form are a document's `citations` and `context`, and that a tool's result was
//! `json` (it becomes the JSON text). Blocks that it has no word for (`guardContent`, `video`, `searchResult`, calls of
//! Bedrock's own tools…) are kept verbatim.

mod answer;
mod blocks;
mod error;
mod media;
mod model;
mod params;
mod reasoning;
mod request;
mod stream_read;
mod stream_write;
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

/// Reads a request. Its `model` is empty and `stream` is false: the path says both.
pub fn read_request(body: &Value) -> Result<ChatRequest, RequestError> {
    request::read(body)
}

/// Writes a request.
///
/// From another format: instructions move to `system` in their order, turns of one role merge, tool results come first
/// in the turn after their calls, blank text goes, cache marks become `cachePoint` blocks where the model knows them. A
/// history of calls needs `toolConfig`, so tools that the client no longer offers are named there as not available.
/// What this format cannot say is dropped with a note, or refused where the answer would mean something else without it.
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
    answer::read_usage(usage)
}
