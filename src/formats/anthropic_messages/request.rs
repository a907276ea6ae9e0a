//! Reads requests.

use super::blocks::{given, join, missing, object, optional_text, read_content, text, wrong};
use super::signed;
use crate::formats::canonical::{ChatRequest, Message, Reasoning, ResponseFormat, Role, Tool, ToolChoice};
use crate::formats::{Format, RequestError};
use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;

pub(super) fn read(body: &Value, with_max_tokens: bool) -> Result<ChatRequest, RequestError> {
    let members = body.as_object().ok_or_else(|| {
        RequestError::new("", format!("the body must be a JSON object, found {}", crate::formats::kind_of(body)))
    })?;
    let mut request = ChatRequest {
        source: Some(Format::AnthropicMessages),
        model: text(members, "", "model")?.to_owned(),
        include_usage: true,
        ..ChatRequest::default()
    };
    if with_max_tokens && given(members, "max_tokens").is_none() {
        return Err(missing("max_tokens"));
    }
    if let Some(system) = given(members, "system") {
        let parts = read_content(system, "system")?;
        request.messages.push(Message { role: Role::System, name: None, parts });
        keep_unplaced_of(system, "system", &mut request.unplaced);
    }
    read_messages(given(members, "messages").ok_or_else(|| missing("messages"))?, &mut request)?;
    for (name, value) in members {
        read_parameter(&mut request, name, value)?;
    }
    Ok(request)
}

fn read_messages(value: &Value, request: &mut ChatRequest) -> Result<(), RequestError> {
    let messages = value.as_array().ok_or_else(|| wrong("messages", "an array", value))?;
    if messages.is_empty() {
        return Err(RequestError::new("messages", "at least one message is required"));
    }
    for (i, value) in messages.iter().enumerate() {
        let at = format!("messages[{i}]");
        let message = object(value, &at)?;
        let role = match text(message, &at, "role")? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            other => {
                let found = format!("expected `user` or `assistant`, found `{other}`");
                return Err(RequestError::new(join(&at, "role"), found));
            }
        };
        let at = join(&at, "content");
        let content = message.get("content").ok_or_else(|| missing(at.as_str()))?;
        let mut parts = read_content(content, &at)?;
        keep_unplaced_of(content, &at, &mut request.unplaced);
        if role == Role::Assistant {
            signed::restore(&mut parts);
        }
        request.messages.push(Message { role, name: None, parts });
    }
    Ok(())
}

/// Keeps what blocks say beyond the canonical form's fields.
fn keep_unplaced_of(content: &Value, at: &str, unplaced: &mut Map<String, Value>) {
    for (i, block) in content.as_array().into_iter().flatten().enumerate() {
        let (at, mark) = (format!("{at}[{i}]"), "cache_control");
        let known: &[&str] = match block.get("type").and_then(Value::as_str) {
            Some("text") => &["type", mark, "text", "citations"],
            Some("image") => &["type", mark, "source"],
            Some("document") => &["type", mark, "source", "title"],
            Some("tool_use") => &["type", mark, "id", "name", "input"],
            Some("tool_result") => &["type", mark, "tool_use_id", "content", "is_error"],
            // Kept whole, or with nothing but what is known.
            _ => continue,
        };
        keep_unplaced(block, &at, known, unplaced);
        if let Some(content) = block.get("content") {
            keep_unplaced_of(content, &join(&at, "content"), unplaced);
        }
    }
}

/// Keeps the members that are not known, but for those that say what holds anyway.
fn keep_unplaced(holder: &Value, at: &str, known: &[&str], unplaced: &mut Map<String, Value>) {
    for (name, value) in holder.as_object().into_iter().flatten() {
        let usual = match name.as_str() {
            "citations" => value.get("enabled") == Some(&Value::Bool(false)),
            "caller" => value.get("type").is_some_and(|kind| kind == "direct"),
            _ => matches!(value, Value::Null | Value::Bool(false)),
        };
        if !usual && !known.contains(&name.as_str()) {
            unplaced.insert(join(at, name), value.clone());
        }
    }
}

/// One top-level member. Known ones that are null count as absent; unknown ones are kept as they are.
fn read_parameter(request: &mut ChatRequest, name: &str, value: &Value) -> Result<(), RequestError> {
    if value.is_null() && KNOWN.contains(&name) {
        return Ok(());
    }
    match name {
        "model" | "system" | "messages" => {}
        "max_tokens" => request.max_tokens = Some(positive(name, value)?),
        "temperature" => request.temperature = Some(number(name, value)?),
        "top_p" => request.top_p = Some(number(name, value)?),
        "top_k" => {
            request.top_k = Some(value.as_u64().ok_or_else(|| wrong(name, "an integer of at least 0", value))?);
        }
        "stop_sequences" => request.stop = read_stop(value)?,
        "stream" => request.stream = value.as_bool().ok_or_else(|| wrong(name, "a boolean", value))?,
        "tools" => {
            request.tools = read_tools(value)?;
            for (i, (tool, read)) in value.as_array().into_iter().flatten().zip(&request.tools).enumerate() {
                if read.builtin.is_none() {
                    let known = ["type", "name", "description", "input_schema", "strict", "cache_control"];
                    keep_unplaced(tool, &format!("tools[{i}]"), &known, &mut request.unplaced);
                }
            }
        }
        "tool_choice" => read_tool_choice(request, value)?,
        "metadata" => {
            let metadata = object(value, name)?;
            request.user = optional_text(metadata, name, "user_id")?.map(str::to_owned);
            if metadata.keys().any(|key| key != "user_id") {
                request.extra.insert(name.to_owned(), value.clone());
            }
        }
        "thinking" => read_thinking(request, value)?,
        // `output_format` is the older name of `output_config.format`, from the feature's beta.
        "output_format" => request.response_format = read_format(value, name)?,
        "output_config" => {
            let config = object(value, name)?;
            if let Some(format) = given(config, "format") {
                request.response_format = read_format(format, "output_config.format")?;
            }
            if config.keys().any(|key| key != "format") || request.response_format.is_none() {
                request.extra.insert(name.to_owned(), value.clone());
            }
        }
        _ => {
            request.extra.insert(name.to_owned(), value.clone());
        }
    }
    // How hard to think is said apart from whether to.
    if let ("thinking" | "output_config", Some(Reasoning::Adaptive)) = (name, &request.reasoning)
        && let Some(effort) = request.extra.get("output_config").and_then(|c| c.get("effort")).and_then(Value::as_str)
    {
        request.reasoning = Some(Reasoning::Effort(if effort == "max" { "xhigh" } else { effort }.to_owned()));
        // The parameter itself stays beside it for a provider of this format.
        request.extra.entry("thinking").or_insert_with(|| serde_json::json!({"type": "adaptive"}));
    }
    Ok(())
}

const KNOWN: [&str; 15] = [
    "model",
    "system",
    "messages",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "stream",
    "tools",
    "tool_choice",
    "metadata",
    "thinking",
    "output_format",
    "output_config",
];

fn positive(at: &str, value: &Value) -> Result<u64, RequestError> {
    value.as_u64().filter(|n| *n > 0).ok_or_else(|| match value {
        Value::Number(n) => RequestError::new(at, format!("expected a positive integer, found {n}")),
        other => wrong(at, "a positive integer", other),
    })
}

fn number(at: &str, value: &Value) -> Result<Number, RequestError> {
    value.as_number().cloned().ok_or_else(|| wrong(at, "a number", value))
}

fn read_stop(value: &Value) -> Result<Vec<String>, RequestError> {
    let items = value.as_array().ok_or_else(|| wrong("stop_sequences", "an array of strings", value))?;
    let read = |(i, item): (usize, &Value)| {
        item.as_str().map(str::to_owned).ok_or_else(|| wrong(format!("stop_sequences[{i}]"), "a string", item))
    };
    items.iter().enumerate().map(read).collect()
}

fn read_tools(value: &Value) -> Result<Vec<Tool>, RequestError> {
    let tools = value.as_array().ok_or_else(|| wrong("tools", "an array", value))?;
    tools.iter().enumerate().map(|(i, tool)| read_tool(tool, &format!("tools[{i}]"))).collect()
}

fn read_tool(value: &Value, at: &str) -> Result<Tool, RequestError> {
    let tool = object(value, at)?;
    let blank =
        Tool { name: String::new(), description: None, parameters: None, strict: None, cache: None, builtin: None };
    if optional_text(tool, at, "type")?.is_some_and(|kind| kind != "custom") {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        return Ok(Tool { name, builtin: Some(value.clone()), ..blank });
    }
    let schema_at = join(at, "input_schema");
    let schema = given(tool, "input_schema").ok_or_else(|| missing(schema_at.as_str()))?;
    object(schema, &schema_at)?;
    Ok(Tool {
        name: text(tool, at, "name")?.to_owned(),
        description: optional_text(tool, at, "description")?.map(str::to_owned),
        parameters: Some(schema.clone()),
        strict: match given(tool, "strict") {
            None => None,
            Some(Value::Bool(strict)) => Some(*strict),
            Some(other) => return Err(wrong(join(at, "strict"), "a boolean", other)),
        },
        cache: given(tool, "cache_control").cloned(),
        ..blank
    })
}

fn read_tool_choice(request: &mut ChatRequest, value: &Value) -> Result<(), RequestError> {
    let at = "tool_choice";
    let choice = object(value, at)?;
    request.tool_choice = Some(match text(choice, at, "type")? {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(text(choice, at, "name")?.to_owned()),
        other => {
            let found = format!("expected `auto`, `any`, `tool` or `none`, found `{other}`");
            return Err(RequestError::new("tool_choice.type", found));
        }
    });
    request.parallel_tool_calls = match given(choice, "disable_parallel_tool_use") {
        None => None,
        Some(Value::Bool(disabled)) => Some(!disabled),
        Some(other) => return Err(wrong("tool_choice.disable_parallel_tool_use", "a boolean", other)),
    };
    Ok(())
}

/// `thinking`. What says more than the canonical form can (`display`, newer types) stays in `extra` beside it.
fn read_thinking(request: &mut ChatRequest, value: &Value) -> Result<(), RequestError> {
    let at = "thinking";
    let thinking = object(value, at)?;
    let (reasoning, known): (_, &[&str]) = match text(thinking, at, "type")? {
        "enabled" => {
            let at = "thinking.budget_tokens";
            let budget = given(thinking, "budget_tokens").ok_or_else(|| missing(at))?;
            (Some(Reasoning::Budget(positive(at, budget)?)), &["type", "budget_tokens"])
        }
        "adaptive" => (Some(Reasoning::Adaptive), &["type"]),
        "disabled" => (Some(Reasoning::Off), &["type"]),
        _ => (None, &[]),
    };
    request.reasoning = reasoning;
    if thinking.keys().any(|key| !known.contains(&key.as_str())) {
        request.extra.insert(at.to_owned(), value.clone());
    }
    Ok(())
}

/// A format of structured output; `None` where it is of a type that is not known (the caller keeps it verbatim).
fn read_format(value: &Value, at: &str) -> Result<Option<ResponseFormat>, RequestError> {
    let format: &Map<String, Value> = object(value, at)?;
    if text(format, at, "type")? != "json_schema" {
        return Err(RequestError::new(join(at, "type"), "expected `json_schema`"));
    }
    let schema_at = join(at, "schema");
    let schema = given(format, "schema").ok_or_else(|| missing(schema_at.as_str()))?;
    object(schema, &schema_at)?;
    // This format has no name for a schema; OpenAI requires one. Here a schema always holds, which OpenAI calls strict,
    // but OpenAI refuses to be strict where a property is optional, which is allowed here.
    Ok(Some(ResponseFormat::JsonSchema {
        name: schema_name(schema),
        description: None,
        schema: Some(schema.clone()),
        strict: all_required(schema).then_some(true),
    }))
}

/// The schema's `title` where OpenAI would accept it as a name (letters, digits, `_`, `-`, at most 64), else `response`.
fn schema_name(schema: &Value) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match schema.get("title").and_then(Value::as_str) {
        Some(title) if !title.is_empty() && title.len() <= 64 && title.chars().all(fits) => title.to_owned(),
        _ => "response".to_owned(),
    }
}

/// Whether every object in the schema is closed and requires all of its properties.
fn all_required(schema: &Value) -> bool {
    let closed = match schema.get("properties").and_then(Value::as_object) {
        None => true,
        Some(properties) => {
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            let required: BTreeSet<&str> = required.filter_map(Value::as_str).collect();
            let is_required = |name: &String| required.contains(name.as_str());
            schema.get("additionalProperties") == Some(&Value::Bool(false)) && properties.keys().all(is_required)
        }
    };
    closed
        && match schema {
            Value::Object(members) => members.values().all(all_required),
            Value::Array(items) => items.iter().all(all_required),
            _ => true,
        }
}
