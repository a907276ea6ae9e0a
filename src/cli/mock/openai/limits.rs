//! OpenAI's limits on the numbers, names and schemas of a request, in its words.

use super::rules::{missing, value, wrong};
use crate::cli::mock::json::{list, text};
use crate::cli::mock::refusal::Refusal;
use crate::cli::mock::strict;
use serde_json::Value;

/// The families that always reason: they take no sampling parameters and no `max_tokens`.
const REASONING: &[&str] = &["o1", "o3", "o4", "gpt-5"];

/// Whether a model of OpenAI reasons; `gpt-5-chat` does not.
pub(in crate::cli::mock) fn reasons(model: &str) -> bool {
    REASONING.iter().any(|family| model.starts_with(family)) && !model.contains("chat")
}

/// A number within its range, where it is given.
pub(in crate::cli::mock) fn range(body: &Value, name: &str, low: f64, high: f64) -> Result<(), Refusal> {
    let Some(found) = body.get(name).filter(|found| !found.is_null()) else { return Ok(()) };
    let number = found.as_f64().ok_or_else(|| wrong(name, "a decimal", found))?;
    let (bound, side, code) = match number {
        n if n < low => (low, ("below minimum", ">="), "decimal_below_min_value"),
        n if n > high => (high, ("above maximum", "<="), "decimal_above_max_value"),
        _ => return Ok(()),
    };
    let message = format!(
        "Invalid '{name}': decimal {} value. Expected a value {} {bound}, but got {number} instead.",
        side.0, side.1
    );
    Err(Refusal::bad(message).at(name).code(code))
}

/// A whole number within its range, where it is given.
pub(in crate::cli::mock) fn whole(body: &Value, name: &str, low: u64, high: u64) -> Result<(), Refusal> {
    let Some(found) = body.get(name).filter(|found| !found.is_null()) else { return Ok(()) };
    let number = found.as_i64().ok_or_else(|| wrong(name, "an integer", found))?;
    let (bound, side, code) = match u64::try_from(number) {
        Ok(n) if n > high => (high, ("above maximum", "<="), "integer_above_max_value"),
        Ok(n) if n >= low => return Ok(()),
        _ => (low, ("below minimum", ">="), "integer_below_min_value"),
    };
    let message = format!(
        "Invalid '{name}': integer {} value. Expected a value {} {bound}, but got {number} instead.",
        side.0, side.1
    );
    Err(Refusal::bad(message).at(name).code(code))
}

/// The name of a function or of a schema.
pub(in crate::cli::mock) fn name(param: &str, found: &str) -> Result<(), Refusal> {
    if found.len() > 64 {
        let message = format!(
            "Invalid '{param}': string too long. Expected a string with maximum length 64, but got a string with length {} instead.",
            found.len()
        );
        return Err(Refusal::bad(message).at(param).code("string_above_max_length"));
    }
    if found.is_empty() || !found.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        let message = format!(
            "Invalid '{param}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        );
        return Err(value(param, message));
    }
    Ok(())
}

/// A function whose schema shall be followed strictly.
pub(in crate::cli::mock) fn function(tool: &Value, param: &str) -> Result<(), Refusal> {
    name(&format!("{param}.name"), text(tool, "name"))?;
    let schema = tool.get("parameters").filter(|schema| !schema.is_null());
    if let Some(schema) = schema.filter(|schema| !schema.is_object()) {
        return Err(wrong(&format!("{param}.parameters"), "an object", schema));
    }
    let strict = tool.get("strict") == Some(&Value::Bool(true));
    let wrong = schema.filter(|_| strict).and_then(strict::mistake);
    match wrong {
        None => Ok(()),
        Some(why) => {
            let message = format!("Invalid schema for function '{}': {why}", text(tool, "name"));
            Err(Refusal::bad(message).at(format!("{param}.parameters")).code("invalid_function_parameters"))
        }
    }
}

/// A schema for an answer: its name, and strictness where it is asked for.
pub(in crate::cli::mock) fn answer(format: &Value, param: &str) -> Result<(), Refusal> {
    if !format.get("name").is_some_and(Value::is_string) {
        return Err(missing(&format!("{param}.name")));
    }
    name(&format!("{param}.name"), text(format, "name"))?;
    let schema = format.get("schema").ok_or_else(|| missing(&format!("{param}.schema")))?;
    let strict = format.get("strict") == Some(&Value::Bool(true));
    match strict.then(|| strict::mistake(schema)).flatten() {
        None => Ok(()),
        Some(why) => {
            let message = format!("Invalid schema for response_format '{}': {why}", text(format, "name"));
            Err(Refusal::bad(message).at(param).code("invalid_json_schema"))
        }
    }
}

/// Up to 16 pairs of short texts.
pub(in crate::cli::mock) fn metadata(body: &Value) -> Result<(), Refusal> {
    let Some(found) = body.get("metadata").filter(|found| !found.is_null()) else { return Ok(()) };
    let Some(pairs) = found.as_object() else { return Err(wrong("metadata", "an object", found)) };
    if pairs.len() > 16 {
        let message = format!(
            "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object with {} properties instead.",
            pairs.len()
        );
        return Err(Refusal::bad(message).at("metadata").code("object_above_max_properties"));
    }
    for (key, found) in pairs {
        if !found.is_string() {
            return Err(wrong(&format!("metadata.{key}"), "a string", found));
        }
    }
    Ok(())
}

/// The limits of a chat request.
pub(super) fn chat(body: &Value, model: &str) -> Result<(), Refusal> {
    for name in ["presence_penalty", "frequency_penalty"] {
        range(body, name, -2.0, 2.0)?;
    }
    whole(body, "n", 1, 128)?;
    whole(body, "top_logprobs", 0, 20)?;
    if body.get("top_logprobs").is_some_and(|n| !n.is_null()) && body.get("logprobs") != Some(&Value::Bool(true)) {
        let message = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.";
        return Err(Refusal::bad(message).at("top_logprobs"));
    }
    metadata(body)?;
    match body.get("stop") {
        None | Some(Value::Null | Value::String(_)) => {}
        Some(Value::Array(all)) if all.len() > 4 => {
            let message = format!(
                "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length {} instead.",
                all.len()
            );
            return Err(Refusal::bad(message).at("stop").code("array_above_max_length"));
        }
        Some(Value::Array(all)) if all.iter().all(Value::is_string) => {}
        Some(other) => return Err(wrong("stop", "one of a string or array of strings", other)),
    }
    if reasons(model) {
        if body.get("max_tokens").is_some_and(|n| !n.is_null()) {
            let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
            return Err(Refusal::bad(message).at("max_tokens").code("unsupported_parameter"));
        }
        let one = |n: f64| (n - 1.0).abs() < f64::EPSILON;
        if let Some(t) = body.get("temperature").and_then(Value::as_f64).filter(|t| !one(*t)) {
            let message = format!(
                "Unsupported value: 'temperature' does not support {t} with this model. Only the default (1) value is supported."
            );
            return Err(Refusal::bad(message).at("temperature").code("unsupported_value"));
        }
    }
    for (at, tool) in list(body, "tools").iter().enumerate() {
        if let Some(inner) = tool.get("function") {
            function(inner, &format!("tools[{at}].function"))?;
        }
    }
    if let Some(named) = body.pointer("/tool_choice/function/name").and_then(Value::as_str)
        && !list(body, "tools").iter().any(|tool| tool.pointer("/function/name").and_then(Value::as_str) == Some(named))
    {
        let message = format!("Tool choice '{named}' not found in 'tools' parameter.");
        return Err(Refusal::bad(message).at("tool_choice"));
    }
    let Some(format) = body.get("response_format").filter(|format| !format.is_null()) else { return Ok(()) };
    match format.get("type").and_then(Value::as_str) {
        Some("text") => Ok(()),
        Some("json_schema") => match format.get("json_schema") {
            Some(schema) => answer(schema, "response_format"),
            None => Err(missing("response_format.json_schema")),
        },
        Some("json_object") => {
            let said = list(body, "messages").iter().filter_map(|message| message.get("content"));
            if said.map(Value::to_string).any(|text| text.to_lowercase().contains("json")) {
                return Ok(());
            }
            let message =
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
            Err(Refusal::bad(message).at("messages"))
        }
        Some(other) => {
            let message =
                format!("Invalid value: '{other}'. Supported values are: 'json_object', 'json_schema', and 'text'.");
            Err(value("response_format.type", message))
        }
        None => Err(missing("response_format.type")),
    }
}
