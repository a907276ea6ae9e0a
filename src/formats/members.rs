//! Members of JSON objects, as requests are read.

use super::{RequestError, kind_of};
use serde_json::{Map, Value};

/// A JSON object's members.
pub(in crate::formats) type Object = Map<String, Value>;

/// The error that says what was expected and what was found.
pub(in crate::formats) fn wrong(at: impl Into<String>, expected: &str, found: &Value) -> RequestError {
    RequestError::new(at, format!("expected {expected}, found {}", kind_of(found)))
}

/// `base.name`, or `name` at the top level.
pub(in crate::formats) fn join(base: &str, name: &str) -> String {
    if base.is_empty() { name.to_owned() } else { format!("{base}.{name}") }
}

/// The member, unless it is missing or null.
pub(in crate::formats) fn given<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

/// A string that may be missing or null.
pub(in crate::formats) fn optional_text<'a>(
    object: &'a Object,
    base: &str,
    name: &str,
) -> Result<Option<&'a str>, RequestError> {
    match given(object, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong(join(base, name), "a string", other)),
    }
}

/// A value that must be an object.
pub(in crate::formats) fn object<'a>(value: &'a Value, at: &str) -> Result<&'a Object, RequestError> {
    value.as_object().ok_or_else(|| wrong(at, "an object", value))
}
