//! OpenAI Responses (<https://platform.openai.com/docs/api-reference/responses>, 2026-11-21), used without OpenAI's
//! memory: each request holds the whole conversation.
//!
//! A conversation is a list of items here: what the model says, each of its calls and each of its thoughts are items of
//! their own. In the canonical form an assistant's items in a row are one turn.

mod answer;
mod answer_write;
mod citations;
mod error;
mod items;
mod model;
mod params;
mod params_write;
mod parts;
mod reasoning;
mod request_read;
mod request_write;
mod response;
mod stream_read;
mod stream_write;
mod usage;

pub(super) use model::least_effort;

pub use answer::read_answer;
pub use answer_write::write_answer;
pub use error::{read_error, write_error};
pub use request_read::{read_request, stateful};
pub(super) use request_write::takes_id;
pub use request_write::write_request;
pub use stream_read::StreamReader;
pub use stream_write::StreamWriter;
pub use usage::read_usage;

#[cfg(test)]
mod tests;

use super::RequestError;
use super::kind_of;
use serde_json::{Map, Value};

/// A member that is there and not null.
fn given<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|member| !member.is_null())
}

/// A member that is a string with at least one character.
fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// What kind of item, part or event it says it is; empty where it does not say.
fn kind(value: &Value) -> &str {
    text(value, "type").unwrap_or_default()
}

/// A list; nothing where it is missing or something else.
fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A whole number from 0, also where it is written as `12.0`.
fn whole(value: &Value) -> Option<u64> {
    let exact = |float: f64| float >= 0.0 && float.fract() == 0.0 && float <= 9_007_199_254_740_992.0;
    // The cast is exact: the bound is 2^53 and the fraction is zero.
    value.as_u64().or_else(|| value.as_f64().filter(|float| exact(*float)).map(|float| float as u64))
}

/// The error that says what was found and what was expected.
fn wrong(at: impl Into<String>, found: &Value, expected: &str) -> RequestError {
    RequestError::new(at, format!("found {}, expected {expected}", kind_of(found)))
}

/// A string that must be there.
fn required<'a>(value: &'a Value, at: &str, name: &str, expected: &str) -> Result<&'a str, RequestError> {
    match value.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(Value::String(_)) => {
            Err(RequestError::new(format!("{at}.{name}"), format!("found an empty string, expected {expected}")))
        }
        None | Some(Value::Null) => {
            Err(RequestError::new(format!("{at}.{name}"), format!("missing; expected a string, {expected}")))
        }
        Some(other) => Err(wrong(format!("{at}.{name}"), other, &format!("a string, {expected}"))),
    }
}

/// Sets a member where there is a value.
fn put(object: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value.into());
    }
}

/// How many characters (Unicode scalar values).
fn characters(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}
