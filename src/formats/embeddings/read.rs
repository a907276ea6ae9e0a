//! Requests: OpenAI's JSON into the canonical form.

use super::{EmbeddingsRequest, Input};
use crate::formats::{RequestError, kind_of};
use serde_json::Value;

const INPUTS: &str = "a string, an array of strings, an array of token ids or an array of such arrays";

fn wrong(param: impl Into<String>, found: &Value, expected: &str) -> RequestError {
    RequestError::new(param, format!("found {}, expected {expected}", kind_of(found)))
}

/// Reads a request. What the canonical form has no field for stays in `extra`.
pub fn read_request(body: &Value) -> Result<EmbeddingsRequest, RequestError> {
    let Value::Object(members) = body else {
        return Err(wrong("", body, "a JSON object with `model` and `input`"));
    };
    let model = match members.get("model") {
        Some(Value::String(model)) if !model.is_empty() => model.clone(),
        Some(Value::String(_)) => {
            return Err(RequestError::new("model", "found an empty string, expected a model name"));
        }
        Some(other) => return Err(wrong("model", other, "a string, the model's name")),
        None => return Err(RequestError::new("model", "missing; expected a string, the model's name")),
    };
    let mut request = EmbeddingsRequest { model, ..EmbeddingsRequest::default() };
    for (name, value) in members {
        match name.as_str() {
            "model" => {}
            _ if value.is_null() => {}
            "input" => {
                request.several = value.as_array().is_some_and(|all| !all.first().is_some_and(Value::is_number));
                request.input = inputs(value)?;
            }
            "dimensions" => match whole(value).filter(|length| *length > 0) {
                Some(length) => request.dimensions = Some(length),
                None => return Err(RequestError::new(name, format!("found {value}, expected a whole number from 1"))),
            },
            "encoding_format" => match value.as_str() {
                Some(word) => request.encoding_format = Some(word.to_owned()),
                None => return Err(wrong(name, value, "`float` or `base64`")),
            },
            "user" if value.is_string() => request.user = value.as_str().map(str::to_owned),
            _ => {
                request.extra.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(request)
}

fn inputs(value: &Value) -> Result<Vec<Input>, RequestError> {
    match value {
        Value::String(text) => Ok(vec![Input::Text(text.clone())]),
        Value::Object(_) => Ok(vec![Input::Other(value.clone())]),
        Value::Array(all) if all.first().is_some_and(Value::is_number) => Ok(vec![ids("input", all)?]),
        Value::Array(all) => all.iter().enumerate().map(|(index, one)| input(index, one)).collect(),
        other => Err(wrong("input", other, INPUTS)),
    }
}

fn input(index: usize, value: &Value) -> Result<Input, RequestError> {
    let place = format!("input[{index}]");
    match value {
        Value::String(text) => Ok(Input::Text(text.clone())),
        Value::Object(_) => Ok(Input::Other(value.clone())),
        Value::Array(all) => ids(&place, all),
        other => Err(wrong(place, other, "a string or an array of token ids, as the other inputs are")),
    }
}

fn ids(place: &str, all: &[Value]) -> Result<Input, RequestError> {
    let stray = all.iter().enumerate().find(|(_, id)| whole(id).is_none());
    if let Some((index, stray)) = stray {
        let message = format!("found {}, expected a token id, a whole number from 0", shown(stray));
        return Err(RequestError::new(format!("{place}[{index}]"), message));
    }
    Ok(Input::Tokens(u64::try_from(all.len()).unwrap_or(u64::MAX)))
}

/// A number as it is, anything else by its kind.
fn shown(value: &Value) -> String {
    if value.is_number() { value.to_string() } else { kind_of(value).to_owned() }
}

/// A whole number from 0, also where it is written as `12.0`.
pub(super) fn whole(value: &Value) -> Option<u64> {
    let exact = |float: f64| float >= 0.0 && float.fract() == 0.0 && float <= 9_007_199_254_740_992.0;
    // The cast is exact: the bound is 2^53 and the fraction is zero.
    value.as_u64().or_else(|| value.as_f64().filter(|float| exact(*float)).map(|float| float as u64))
}
