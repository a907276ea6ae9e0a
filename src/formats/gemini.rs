//! Gemini `generateContent` (<https://ai.google.dev/api/generate-content>, 2026-11-21).

use super::canonical::{Answer, ApiError, ChatRequest, StreamEvent};
use super::{Incoming, Outgoing, ReadStream, RequestError, WriteStream, Written, sse};
use crate::usage::Usage;
use serde_json::Value;

/// Reads a request.
pub fn read_request(_body: &Value) -> Result<ChatRequest, RequestError> {
    Err(RequestError::new("", "not written yet"))
}

/// Writes a request.
pub fn write_request(_request: &ChatRequest, _outgoing: &Outgoing<'_>) -> Result<Written, RequestError> {
    Err(RequestError::new("", "not written yet"))
}

/// Reads a whole answer. An error body under a 2xx status is an `Err`.
pub fn read_answer(_body: &[u8]) -> Result<Answer, ApiError> {
    Err(ApiError::new(502, "not written yet"))
}

/// Writes a whole answer.
pub fn write_answer(_answer: &Answer, _incoming: &Incoming<'_>) -> Vec<u8> {
    Vec::new()
}

/// Reads an error body. Never fails; what looks like a credential is masked.
pub fn read_error(status: u16, _body: &[u8]) -> ApiError {
    ApiError::new(status, "not written yet")
}

/// Writes an error body; what looks like a credential is masked.
pub fn write_error(_error: &ApiError) -> Vec<u8> {
    Vec::new()
}

/// Reads what an answer reports of its usage.
pub fn read_usage(_usage: &Value) -> Usage {
    Usage::default()
}

/// Reads a stream.
#[derive(Debug, Default)]
pub struct StreamReader {}

impl ReadStream for StreamReader {
    fn event(&mut self, _event: &sse::Event<'_>, _out: &mut Vec<StreamEvent>) {}
    fn finish(&mut self, _out: &mut Vec<StreamEvent>) {}
}

/// Writes a stream.
#[derive(Debug)]
pub struct StreamWriter {}

impl StreamWriter {
    /// A writer for one answer.
    pub fn new(_incoming: &Incoming<'_>) -> Self {
        Self {}
    }
}

impl WriteStream for StreamWriter {
    fn write(&mut self, _event: &StreamEvent, _out: &mut Vec<u8>) {}
}
