//! What Google refuses beyond wrong names and types, in its words.

use super::shape::{self, Shape};
use super::{get, part_of, turns};
use crate::cli::mock::json::text;
use crate::cli::mock::refusal::{Refusal, Vendor};
use crate::cli::mock::server::Asked;
use serde_json::Value;
use std::collections::BTreeSet;

fn refuse(message: impl Into<String>) -> Refusal {
    Refusal::bad(message)
}

pub(super) fn shape(asked: &Asked<'_>, shape: &'static Shape) -> Result<(), Refusal> {
    shape::check(asked.body, shape, asked.vendor == Vendor::Vertex)
}

/// Checks a request for content.
pub(super) fn generate(asked: &Asked<'_>) -> Result<(), Refusal> {
    shape(asked, &shape::GENERATE)?;
    let body = asked.body;
    config(body, asked.model)?;
    let names = tools(body)?;
    choice(body, &names)?;
    if let Some(system) = get(body, "systemInstruction") {
        let parts = turns(system, "parts");
        if parts.is_empty() || parts.iter().any(|part| !part.get("text").is_some_and(Value::is_string)) {
            return Err(refuse("Developer instruction should only have text parts"));
        }
    }
    contents(body, asked)
}

fn config(body: &Value, model: &str) -> Result<(), Refusal> {
    let Some(config) = get(body, "generationConfig") else { return Ok(()) };
    let number =
        |name: &str| get(config, name).and_then(|n| n.as_f64().or_else(|| n.as_str().and_then(|t| t.parse().ok())));
    if let Some(t) = number("temperature").filter(|t| !(0.0..=2.0).contains(t)) {
        return Err(refuse(format!(
            "Unable to submit request because it has a temperature value of {t} but the supported range is from 0 \
             (inclusive) to 2.0001 (exclusive). Update the value and try again."
        )));
    }
    if let Some(p) = number("topP").filter(|p| !(0.0..=1.0).contains(p)) {
        return Err(refuse(format!(
            "Unable to submit request because it has a topP value of {p} but the supported range is from 0 (inclusive) \
             to 1.0001 (exclusive). Update the value and try again."
        )));
    }
    if let Some(n) = number("maxOutputTokens").filter(|n| *n < 1.0) {
        return Err(refuse(format!(
            "Unable to submit request because it has a maxOutputTokens value of {n} but the supported range is from 1 \
             (inclusive) to 65537 (exclusive). Update the value and try again."
        )));
    }
    if let Some(n) = number("candidateCount").filter(|n| !(1.0..=8.0).contains(n)) {
        return Err(refuse(format!(
            "Unable to submit request because it has a candidateCount value of {n} but the supported range is from 1 \
             (inclusive) to 8 (inclusive). Update the value and try again."
        )));
    }
    for name in ["presencePenalty", "frequencyPenalty"] {
        if let Some(n) = number(name).filter(|n| !(-2.0..2.0).contains(n)) {
            return Err(refuse(format!(
                "Unable to submit request because it has a {name} value of {n} but the supported range is from -2.0 \
                 (inclusive) to 2.0 (exclusive). Update the value and try again."
            )));
        }
    }
    let stops = get(config, "stopSequences").and_then(Value::as_array).map_or(0, Vec::len);
    if stops > 5 {
        return Err(refuse(format!(
            "Unable to submit request because it has {stops} stop sequences but at most 5 are supported."
        )));
    }
    let schema = get(config, "responseSchema").is_some();
    let json_schema = get(config, "responseJsonSchema").or_else(|| get(config, "_responseJsonSchema")).is_some();
    let mime = get(config, "responseMimeType").and_then(Value::as_str).unwrap_or_default();
    if schema && json_schema {
        return Err(refuse("Only one of response_schema and response_json_schema may be set."));
    }
    if (schema || json_schema) && !matches!(mime, "application/json" | "text/x.enum") {
        return Err(refuse(
            "Response schema is only supported when the response mime type is set to 'application/json' or \
             'text/x.enum'.",
        )
        .at("generation_config.response_schema"));
    }
    if !matches!(mime, "" | "text/plain" | "application/json" | "text/x.enum") {
        return Err(refuse(
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are `text/plain`, \
             `application/json`, `application/xml`, `application/yaml` and `text/x.enum`.\n",
        ));
    }
    if mime == "application/json" && !super::declarations(body).is_empty() && !model.contains("gemini-3") {
        return Err(refuse("Function calling with a response mime type: 'application/json' is unsupported"));
    }
    thinking(config, model)
}

/// <https://ai.google.dev/gemini-api/docs/thinking>, 2026-11-21.
fn thinking(config: &Value, model: &str) -> Result<(), Refusal> {
    let Some(thinking) = get(config, "thinkingConfig") else { return Ok(()) };
    let budget = get(thinking, "thinkingBudget").and_then(Value::as_i64);
    let level = get(thinking, "thinkingLevel").is_some();
    if budget.is_some() && level {
        return Err(refuse("You can only set only one of thinking budget and thinking level."));
    }
    if level && !model.contains("gemini-3") {
        return Err(refuse("Thinking level is not supported for this model."));
    }
    if ["gemini-1", "gemini-2.0"].iter().any(|old| model.contains(old)) {
        return Err(refuse("Unable to submit request because thinking is not supported by this model."));
    }
    let (low, high) = match model {
        m if m.contains("pro") => (128, 32_768),
        m if m.contains("lite") => (512, 24_576),
        _ => (1, 24_576),
    };
    match budget {
        None | Some(-1) => Ok(()),
        Some(0) if !model.contains("pro") => Ok(()),
        Some(0) => Err(refuse("Budget 0 is invalid. This model only works in thinking mode.")),
        Some(n) if (low..=high).contains(&n) => Ok(()),
        Some(n) => {
            Err(refuse(format!("The thinking budget {n} is invalid. Please choose a value between {low} and {high}.")))
        }
    }
}

/// The names of the functions declared.
fn tools(body: &Value) -> Result<BTreeSet<&str>, Refusal> {
    let mut names = BTreeSet::new();
    for (at, function) in super::declarations(body).into_iter().enumerate() {
        let path = format!("GenerateContentRequest.tools[0].function_declarations[{at}]");
        let name = text(function, "name");
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts || name.len() > 128 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c)) {
            return Err(refuse(format!(
                "* {path}.name: Invalid function name. Must start with a letter or an underscore. Must be \
                 alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum \
                 length of 128.\n"
            )));
        }
        if !names.insert(name) {
            return Err(refuse(format!("Duplicate function declaration found: {name}")));
        }
        if get(function, "parameters").is_some() && get(function, "parametersJsonSchema").is_some() {
            return Err(refuse(format!("* {path}: only one of parameters and parameters_json_schema may be set.\n")));
        }
    }
    Ok(names)
}

fn choice(body: &Value, names: &BTreeSet<&str>) -> Result<(), Refusal> {
    let Some(config) = get(body, "toolConfig").and_then(|config| get(config, "functionCallingConfig")) else {
        return Ok(());
    };
    let mode = text(config, "mode").to_ascii_uppercase();
    let allowed = turns(config, "allowedFunctionNames");
    if !allowed.is_empty() && !matches!(mode.as_str(), "ANY" | "VALIDATED") {
        return Err(refuse(
            "Function calling config is set without function_calling_config.mode being ANY: allowed function names \
             should be set only when function calling mode is ANY.",
        ));
    }
    if let Some(name) = allowed.iter().filter_map(|name| name.as_str()).find(|name| !names.contains(name)) {
        return Err(refuse(format!(
            "Function calling config allows '{name}', which is not one of the function declarations."
        )));
    }
    if mode == "ANY" && names.is_empty() {
        return Err(refuse("Function calling mode ANY needs function declarations, and none are set."));
    }
    Ok(())
}

/// Roles, parts, and that calls and responses follow each other.
fn contents(body: &Value, asked: &Asked<'_>) -> Result<(), Refusal> {
    let contents = turns(body, "contents");
    if contents.is_empty() {
        return Err(refuse("* GenerateContentRequest.contents: contents is not specified\n"));
    }
    let mut open: Vec<&str> = Vec::new();
    let mut position = 0_usize;
    let current = contents.iter().rposition(|content| text(content, "role") != "model" && !is_response(content));
    for (at, content) in contents.iter().enumerate() {
        let role = text(content, "role");
        let vertex = asked.vendor == Vendor::Vertex;
        if !(matches!(role, "user" | "model" | "function") || (role.is_empty() && !vertex)) {
            return Err(refuse("Please use a valid role: user, model."));
        }
        let parts = turns(content, "parts");
        if parts.is_empty() {
            return Err(refuse(format!(
                "* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty.\n"
            )));
        }
        let mut calls = Vec::new();
        let mut responses = Vec::new();
        for (n, part) in parts.iter().enumerate() {
            let path = format!("GenerateContentRequest.contents[{at}].parts[{n}]");
            match part_of(part) {
                1 => {}
                0 => {
                    return Err(refuse(format!(
                        "* {path}.data: required oneof field 'data' must have one initialized field\n"
                    )));
                }
                _ => {
                    let what = "oneof field 'data' is already set. Cannot set another";
                    return Err(refuse(format!("Invalid value at 'contents[{at}].parts[{n}]' (oneof), {what}")));
                }
            }
            let named = |kind: &str, part: &'_ Value| {
                let missing = || refuse(format!("* {path}.{kind}.name: Name cannot be empty.\n"));
                if text(part, "name").is_empty() { Err(missing()) } else { Ok(()) }
            };
            if let Some(call) = get(part, "functionCall") {
                named("function_call", call)?;
                if role != "model" {
                    return Err(refuse("Please ensure that function call turn comes from the model role."));
                }
                position = position.saturating_add(1);
                let first = calls.is_empty();
                let unsigned = get(part, "thoughtSignature").is_none_or(|signature| signature == "");
                if first && unsigned && asked.model.contains("gemini-3") && current.is_some_and(|from| at > from) {
                    return Err(refuse(format!(
                        "Function call is missing a thought_signature in functionCall parts. This is required for \
                         tools to work correctly, and missing thought_signature may lead to degraded model \
                         performance. Additional data, function call `default_api:{}` , position {position}. Please \
                         refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
                        text(call, "name")
                    )));
                }
                if get(call, "args").is_some_and(|args| !args.is_object()) {
                    return Err(refuse(format!("Invalid value at 'contents[{at}].parts[{n}].function_call.args'")));
                }
                calls.push(text(call, "name"));
            }
            if let Some(response) = get(part, "functionResponse") {
                named("function_response", response)?;
                if role == "model" {
                    return Err(refuse("Please ensure that function response turn comes from the user role."));
                }
                if !get(response, "response").is_some_and(Value::is_object) {
                    return Err(refuse(format!("* {path}.function_response.response: response must be an object.\n")));
                }
                responses.push(text(response, "name"));
            }
            if let Some(blob) = get(part, "inlineData")
                && get(blob, "mimeType").and_then(Value::as_str).is_none_or(str::is_empty)
            {
                return Err(refuse(format!("* {path}.inline_data.mime_type: mime_type must be specified\n")));
            }
        }
        responses.sort_unstable();
        open.sort_unstable();
        if open.is_empty() && !responses.is_empty() {
            return Err(refuse(
                "Please ensure that function response turn comes immediately after a function call turn.",
            ));
        }
        if responses != open {
            return Err(refuse(
                "Please ensure that the number of function response parts is equal to the number of function call \
                 parts of the function call turn.",
            ));
        }
        let before = at.checked_sub(1).and_then(|before| contents.get(before));
        if !calls.is_empty() && before.is_none_or(|before| text(before, "role") == "model") {
            return Err(refuse(
                "Please ensure that function call turn comes immediately after a user turn or after a function \
                 response turn.",
            ));
        }
        open = calls;
    }
    Ok(())
}

fn is_response(content: &Value) -> bool {
    turns(content, "parts").iter().any(|part| get(part, "functionResponse").is_some())
}
