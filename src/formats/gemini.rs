//! Gemini `generateContent` and `streamGenerateContent`, on AI Studio (<https://ai.google.dev/api/generate-content>,
//! 2026-11-21) and Vertex (<https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>,
//! 2026-11-21).
//!
//! The model stands in the path, and so does whether to stream: a body says neither. Names are read in lowerCamelCase
//! and in snake_case, as Google reads them, and written in lowerCamelCase.
//!
//! Lost on the way through the canonical form are a candidate's `safetyRatings` and `avgLogprobs`, a grounding's search
//! entry point, and a part's `videoMetadata` and `mediaResolution`; where both sides speak this format the bytes are
//! edited in place and nothing is lost.

mod answer;
mod answer_write;
mod error;
mod grounding;
mod logprobs;
mod model;
mod params;
mod parts;
mod request;
mod request_params;
mod schema;
mod signatures;
mod stop;
mod stream_read;
mod stream_write;
mod thinking;
mod tools;
mod turns;
mod urls;
mod usage;
mod write;

#[cfg(test)]
mod tests;

use super::canonical::{Answer, ApiError, ChatRequest};
use super::{Incoming, Outgoing, RequestError, Written};
use crate::usage::Usage;
use serde_json::Value;

pub use stream_read::StreamReader;
pub use stream_write::StreamWriter;

/// Reads a request. Its `model` stays empty: the caller knows it from the path, and from there also whether the answer
/// shall be streamed.
pub fn read_request(body: &Value) -> Result<ChatRequest, RequestError> {
    request::read(body)
}

/// Writes a request, without model and `stream`.
///
/// From another format: system and developer turns become `systemInstruction` in their order, turns of one role merge,
/// tool results come first in the turn after their calls and take the name of the call with their id, empty text goes
/// (Google rejects it). What this format cannot say is dropped with a note, or refused where the answer would mean
/// something else without it.
pub fn write_request(request: &ChatRequest, outgoing: &Outgoing<'_>) -> Result<Written, RequestError> {
    write::write(request, outgoing)
}

/// Reads a whole answer. An error body under a 2xx status is an `Err`. A prompt that was blocked is an answer: one
/// choice that says so.
pub fn read_answer(body: &[u8]) -> Result<Answer, ApiError> {
    answer::read(body)
}

/// Writes a whole answer.
pub fn write_answer(answer: &Answer, incoming: &Incoming<'_>) -> Vec<u8> {
    answer_write::write(answer, incoming)
}

/// Reads an error body, also one that is wrapped in an array. Never fails; what looks like a credential is masked.
pub fn read_error(status: u16, body: &[u8]) -> ApiError {
    error::read(status, body)
}

/// Writes an error body; what looks like a credential is masked.
pub fn write_error(error: &ApiError) -> Vec<u8> {
    error::write(error).to_string().into_bytes()
}

/// Reads a `usageMetadata` object into the convention of [`Usage`]: the results of Google's own tools are input, thoughts
/// are output.
pub fn read_usage(usage: &Value) -> Usage {
    usage::read(usage)
}

/// A member by its name in lowerCamelCase or, where that is missing, in snake_case. Null counts as missing.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let given = |name: &str| value.get(name).filter(|member| !member.is_null());
    given(name).or_else(|| {
        let has_two_words = name.bytes().any(|byte| byte.is_ascii_uppercase());
        has_two_words.then(|| given(&snake(name))).flatten()
    })
}

/// A member that is a string with at least one character.
fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    member(value, name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The items of a member that is an array; none where it is missing or no array.
fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    member(value, name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A member that is a whole number from 0. Google writes 64-bit numbers as strings.
fn count(value: &Value, name: &str) -> Option<u64> {
    whole(member(value, name)?)
}

/// A whole number from 0, also where it is written as `40.0` or as a string.
fn whole(value: &Value) -> Option<u64> {
    let exact = |float: f64| float >= 0.0 && float.fract() == 0.0 && float <= 9_007_199_254_740_992.0;
    match value {
        Value::String(digits) => digits.parse().ok(),
        // The cast is exact: the bound is 2^53 and the fraction is zero.
        number => number.as_u64().or_else(|| number.as_f64().filter(|float| exact(*float)).map(|float| float as u64)),
    }
}

/// `thoughtSignature` as `thought_signature`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len().saturating_add(4));
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// `thought_signature` as `thoughtSignature`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}
