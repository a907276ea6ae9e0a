//! What OpenAI refuses, in its words.

use super::limits;
use crate::cli::mock::refusal::Refusal;
use serde_json::Value;

/// Parameters of other formats that OpenAI does not know. The list is short on purpose: compatible servers take more
/// than OpenAI does.
const FOREIGN: &[&str] = &["system", "stop_sequences", "anthropic_version", "anthropic_beta"];
const ROLES: &[&str] = &["system", "assistant", "user", "function", "tool", "developer"];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(n) if n.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

pub(in crate::cli::mock) fn missing(param: &str) -> Refusal {
    Refusal::bad(format!("Missing required parameter: '{param}'.")).at(param).code("missing_required_parameter")
}

pub(in crate::cli::mock) fn wrong(param: &str, expected: &str, found: &Value) -> Refusal {
    Refusal::bad(format!("Invalid type for '{param}': expected {expected}, but got {} instead.", kind(found)))
        .at(param)
        .code("invalid_type")
}

pub(in crate::cli::mock) fn value(param: &str, message: String) -> Refusal {
    Refusal::bad(message).at(param).code("invalid_value")
}

pub(in crate::cli::mock) fn model(body: &Value) -> Result<(), Refusal> {
    match body.get("model") {
        Some(Value::String(name)) if !name.is_empty() => Ok(()),
        None | Some(Value::Null | Value::String(_)) => Err(Refusal::bad("you must provide a model parameter")),
        Some(other) => Err(wrong("model", "a string", other)),
    }
}

/// Checks a chat request.
pub(super) fn chat(body: &Value, model_name: &str) -> Result<(), Refusal> {
    let Some(fields) = body.as_object() else {
        return Err(Refusal::bad("We could not parse the JSON body of your request: it is not an object."));
    };
    model(body)?;
    if let Some(name) = fields.keys().find(|name| FOREIGN.contains(&name.as_str())) {
        return Err(Refusal::bad(format!("Unrecognized request argument supplied: {name}")).at(name.as_str()));
    }
    let messages = match fields.get("messages") {
        None | Some(Value::Null) => return Err(missing("messages")),
        Some(Value::Array(messages)) if messages.is_empty() => {
            let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
            return Err(Refusal::bad(message).at("messages").code("empty_array"));
        }
        Some(Value::Array(messages)) => messages,
        Some(other) => return Err(wrong("messages", "an array of objects", other)),
    };
    conversation(messages)?;
    for (name, low, high) in [("temperature", 0.0, 2.0), ("top_p", 0.0, 1.0)] {
        match fields.get(name) {
            None | Some(Value::Null) => {}
            Some(found) => {
                let number = found.as_f64().ok_or_else(|| wrong(name, "a decimal", found))?;
                if !(low..=high).contains(&number) {
                    return Err(value(
                        name,
                        format!("Invalid '{name}': expected a value from {low} to {high}, got {number}."),
                    ));
                }
            }
        }
    }
    for name in ["max_tokens", "max_completion_tokens"] {
        match fields.get(name) {
            None | Some(Value::Null) => {}
            Some(found) if found.as_u64().is_none() => return Err(wrong(name, "an integer", found)),
            Some(found) if found.as_u64() == Some(0) => {
                let message =
                    format!("Invalid '{name}': integer below minimum value. Expected a value >= 1, but got 0 instead.");
                return Err(Refusal::bad(message).at(name).code("integer_below_min_value"));
            }
            Some(_) => {}
        }
    }
    match fields.get("stream") {
        None | Some(Value::Null | Value::Bool(_)) => {}
        Some(other) => return Err(wrong("stream", "a boolean", other)),
    }
    let streams = fields.get("stream") == Some(&Value::Bool(true));
    if !streams && fields.get("stream_options").is_some_and(|options| !options.is_null()) {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Refusal::bad(message).at("stream_options"));
    }
    tools(fields.get("tools"))?;
    let offers = fields.get("tools").and_then(Value::as_array).is_some_and(|tools| !tools.is_empty());
    if !offers && fields.get("tool_choice").is_some_and(|choice| !choice.is_null() && choice != "none") {
        let message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.";
        return Err(Refusal::bad(message).at("tool_choice"));
    }
    limits::chat(body, model_name)
}

fn tools(tools: Option<&Value>) -> Result<(), Refusal> {
    let tools = match tools {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(tools)) => tools,
        Some(other) => return Err(wrong("tools", "an array of objects", other)),
    };
    for (at, tool) in tools.iter().enumerate() {
        if tool.get("type").is_none() {
            return Err(missing(&format!("tools[{at}].type")));
        }
        if tool.get("type").and_then(Value::as_str) == Some("function") {
            let function = tool.get("function").ok_or_else(|| missing(&format!("tools[{at}].function")))?;
            if function.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
                return Err(missing(&format!("tools[{at}].function.name")));
            }
        }
    }
    Ok(())
}

/// Roles, contents, and that each tool call has its result right after it.
fn conversation(messages: &[Value]) -> Result<(), Refusal> {
    let mut open: Vec<&str> = Vec::new();
    let unanswered = |open: &[&str]| {
        let message = format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
             'tool_call_id'. The following tool_call_ids did not have response messages: {}",
            open.join(", ")
        );
        Err(Refusal::bad(message).at("messages"))
    };
    let mut after_calls = false;
    for (at, message) in messages.iter().enumerate() {
        let param = format!("messages[{at}]");
        let Some(fields) = message.as_object() else { return Err(wrong(&param, "an object", message)) };
        let role = match fields.get("role") {
            Some(Value::String(role)) => role.as_str(),
            None => return Err(missing(&format!("{param}.role"))),
            Some(other) => return Err(wrong(&format!("{param}.role"), "a string", other)),
        };
        if !ROLES.contains(&role) {
            let names = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'";
            let message = format!("Invalid value: '{role}'. Supported values are: {names}.");
            return Err(value(&format!("{param}.role"), message));
        }
        let calls = fields.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        content(role, fields.get("content"), !calls.is_empty() || fields.contains_key("function_call"), &param)?;
        if role == "tool" {
            let Some(id) = fields.get("tool_call_id").and_then(Value::as_str) else {
                return Err(missing(&format!("{param}.tool_call_id")));
            };
            match open.iter().position(|call| *call == id) {
                Some(found) => {
                    open.remove(found);
                }
                None if after_calls => {}
                None => {
                    let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding \
                                   message with 'tool_calls'.";
                    return Err(Refusal::bad(message).at(format!("{param}.role")));
                }
            }
            continue;
        }
        if !open.is_empty() {
            return unanswered(&open);
        }
        after_calls = !calls.is_empty();
        for (n, call) in calls.iter().enumerate() {
            let id = call.get("id").and_then(Value::as_str);
            open.push(id.ok_or_else(|| missing(&format!("{param}.tool_calls[{n}].id")))?);
            let arguments = call.pointer("/function/arguments");
            if !arguments.is_some_and(Value::is_string) {
                let param = format!("{param}.tool_calls[{n}].function.arguments");
                return Err(wrong(&param, "a string", arguments.unwrap_or(&Value::Null)));
            }
        }
    }
    if open.is_empty() { Ok(()) } else { unanswered(&open) }
}

fn content(role: &str, content: Option<&Value>, has_calls: bool, param: &str) -> Result<(), Refusal> {
    match content {
        Some(Value::String(_)) => Ok(()),
        None | Some(Value::Null) if role == "assistant" && has_calls => Ok(()),
        None | Some(Value::Null) => {
            Err(Refusal::bad(format!("Invalid value for 'content': expected a string, got null. ({param})"))
                .at(format!("{param}.content")))
        }
        Some(Value::Array(parts)) => {
            for (at, part) in parts.iter().enumerate() {
                let param = format!("{param}.content[{at}]");
                let found =
                    part.get("type").and_then(Value::as_str).ok_or_else(|| missing(&format!("{param}.type")))?;
                let known = ["text", "image_url", "input_audio", "file", "refusal", "video_url"];
                if !known.contains(&found) {
                    let names = "'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'";
                    let message = format!("Invalid value: '{found}'. Supported values are: {names}.");
                    return Err(value(&param, message));
                }
                if found == "image_url" && part.pointer("/image_url/url").and_then(Value::as_str).is_none() {
                    return Err(missing(&format!("{param}.image_url.url")));
                }
            }
            Ok(())
        }
        Some(other) => Err(wrong(&format!("{param}.content"), "one of a string or array of objects", other)),
    }
}
