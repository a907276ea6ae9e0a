//! What Anthropic refuses, in its words.

use crate::cli::mock::refusal::Refusal;
use hyper::HeaderMap;
use serde_json::{Map, Value};

const KNOWN: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "system",
    "metadata",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
    "thinking",
    "tools",
    "tool_choice",
    "service_tier",
    "container",
    "mcp_servers",
    "context_management",
    "output_config",
    "output_format",
    "cache_control",
    "inference_geo",
    "speed",
    "betas",
];

const BLOCKS: &[&str] = &[
    "text",
    "image",
    "document",
    "thinking",
    "redacted_thinking",
    "tool_use",
    "tool_result",
    "server_tool_use",
    "search_result",
    "container_upload",
    "mcp_tool_use",
    "mcp_tool_result",
    "compaction",
];

fn refuse(path: &str, why: &str) -> Refusal {
    Refusal::bad(format!("{path}: {why}")).at(path)
}

pub(super) fn headers(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key("anthropic-version") {
        Ok(())
    } else {
        Err(refuse("anthropic-version", "header is required"))
    }
}

/// The version that Anthropic's own clients send on every cloud (its Python package 2.11.0, 2026-11-21).
const EVERYWHERE: &str = "2026-10-21";

/// The body of a request to Claude on another's cloud, as Anthropic itself would get it: there the path names the
/// model, and the body the version of the format.
pub(in crate::cli::mock) fn hosted(body: &Value, model: &str, version: &str) -> Result<Value, Refusal> {
    let mut body = body.clone();
    let Some(fields) = body.as_object_mut() else {
        return Err(Refusal::bad("Input should be a valid dictionary or object to extract fields from"));
    };
    match fields.remove("anthropic_version") {
        None => return Err(refuse("anthropic_version", "Field required")),
        Some(found) if found != version && found != EVERYWHERE => {
            return Err(refuse("anthropic_version", &format!("Input should be '{version}'")));
        }
        Some(_) => {}
    }
    fields.remove("anthropic_beta");
    if fields.contains_key("model") {
        return Err(refuse("model", "Extra inputs are not permitted"));
    }
    fields.insert("model".to_owned(), Value::String(model.to_owned()));
    Ok(body)
}

/// Checks a request for a message; counting needs no `max_tokens`.
pub(super) fn messages(body: &Value, answers: bool) -> Result<(), Refusal> {
    let Some(fields) = body.as_object() else {
        return Err(Refusal::bad("Input should be a valid dictionary or object to extract fields from"));
    };
    if let Some(name) = fields.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(refuse(name, "Extra inputs are not permitted"));
    }
    match fields.get("model") {
        None => return Err(refuse("model", "Field required")),
        Some(Value::String(name)) if !name.is_empty() => {}
        Some(Value::String(_)) => return Err(refuse("model", "String should have at least 1 character")),
        Some(_) => return Err(refuse("model", "Input should be a valid string")),
    }
    let limit = match fields.get("max_tokens") {
        None if !answers => 0,
        None => return Err(refuse("max_tokens", "Field required")),
        Some(found) => match found.as_u64() {
            Some(0) => return Err(refuse("max_tokens", "Input should be greater than or equal to 1")),
            Some(limit) => limit,
            None => return Err(refuse("max_tokens", "Input should be a valid integer")),
        },
    };
    match fields.get("temperature").map(Value::as_f64) {
        None => {}
        Some(Some(temperature)) if (0.0..=1.0).contains(&temperature) => {}
        Some(_) => return Err(Refusal::bad("temperature: range: 0..1").at("temperature")),
    }
    match fields.get("system") {
        None | Some(Value::String(_) | Value::Array(_)) => {}
        Some(_) => return Err(refuse("system", "Input should be a valid string")),
    }
    if answers {
        thinking(fields, limit)?;
    }
    tools(fields)?;
    conversation(fields.get("messages"))
}

fn thinking(fields: &Map<String, Value>, limit: u64) -> Result<(), Refusal> {
    let Some(thinking) = fields.get("thinking") else { return Ok(()) };
    if thinking.get("type").and_then(Value::as_str) != Some("enabled") {
        return Ok(());
    }
    let Some(budget) = thinking.get("budget_tokens").and_then(Value::as_u64) else {
        return Err(refuse("thinking.enabled.budget_tokens", "Field required"));
    };
    if budget < 1_024 {
        return Err(refuse("thinking.enabled.budget_tokens", "Input should be greater than or equal to 1024"));
    }
    if budget >= limit {
        return Err(Refusal::bad(
            "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size",
        ));
    }
    if fields.get("temperature").and_then(Value::as_f64).is_some_and(|t| (t - 1.0).abs() > f64::EPSILON) {
        return Err(Refusal::bad("`temperature` may only be set to 1 when thinking is enabled."));
    }
    if fields.contains_key("top_k") {
        return Err(Refusal::bad("`top_k` must be unset when thinking is enabled."));
    }
    let forced = fields.get("tool_choice").and_then(|c| c.get("type")).and_then(Value::as_str);
    if matches!(forced, Some("any" | "tool")) {
        return Err(Refusal::bad("Thinking may not be enabled when tool_choice forces tool use."));
    }
    Ok(())
}

fn tools(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let tools = match fields.get("tools") {
        None => &[],
        Some(Value::Array(tools)) => tools.as_slice(),
        Some(_) => return Err(refuse("tools", "Input should be a valid list")),
    };
    for (at, tool) in tools.iter().enumerate() {
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or("custom");
        if tool.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(refuse(&format!("tools.{at}.{kind}.name"), "Field required"));
        }
        if kind == "function" || tool.get("function").is_some() {
            return Err(refuse(&format!("tools.{at}"), "Input tag 'function' does not match any of the expected tags"));
        }
        if kind == "custom" {
            match tool.get("input_schema") {
                None => return Err(refuse(&format!("tools.{at}.custom.input_schema"), "Field required")),
                Some(schema) if schema.get("type").and_then(Value::as_str) != Some("object") => {
                    return Err(refuse(&format!("tools.{at}.custom.input_schema.type"), "Input should be 'object'"));
                }
                Some(_) => {}
            }
        }
    }
    match fields.get("tool_choice") {
        None => Ok(()),
        Some(Value::Object(_)) if tools.is_empty() => {
            Err(Refusal::bad("tool_choice may only be specified while providing tools"))
        }
        Some(choice) => match choice.get("type").and_then(Value::as_str) {
            Some("auto" | "any" | "none") => Ok(()),
            Some("tool") if choice.get("name").is_some_and(Value::is_string) => Ok(()),
            Some("tool") => Err(refuse("tool_choice.tool.name", "Field required")),
            _ => Err(refuse(
                "tool_choice",
                "Input should be a valid dictionary with 'type': 'auto', 'any', 'tool' or 'none'",
            )),
        },
    }
}

/// Roles, blocks, and that each `tool_use` has its `tool_result` in the next message.
fn conversation(messages: Option<&Value>) -> Result<(), Refusal> {
    let messages = match messages {
        None => return Err(refuse("messages", "Field required")),
        Some(Value::Array(messages)) => messages,
        Some(_) => return Err(refuse("messages", "Input should be a valid list")),
    };
    if messages.is_empty() {
        return Err(refuse("messages", "at least one message is required"));
    }
    // Messages of one role in a row are one turn.
    let mut open: Vec<&str> = Vec::new();
    let (mut before, mut asked_at) = ("user", 0);
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages.{at}");
        let role = match message.get("role").and_then(Value::as_str) {
            None => return Err(refuse(&format!("{path}.role"), "Field required")),
            Some(role @ ("user" | "assistant")) => role,
            Some("system") if changes_tools(message) => continue,
            Some(other) => {
                let why = format!(
                    "messages: Unexpected role \"{other}\". The Messages API accepts a top-level `system` parameter, \
                     not \"system\" as an input message role."
                );
                return Err(Refusal::bad(why));
            }
        };
        let blocks = match message.get("content") {
            None => return Err(refuse(&format!("{path}.content"), "Field required")),
            Some(Value::String(text)) if text.is_empty() && at.saturating_add(1) < messages.len() => {
                return Err(Refusal::bad("messages: text content blocks must be non-empty"));
            }
            Some(Value::String(_)) => &[],
            Some(Value::Array(blocks)) => blocks.as_slice(),
            Some(_) => return Err(refuse(&format!("{path}.content"), "Input should be a valid list")),
        };
        let mut results = Vec::new();
        let mut uses = Vec::new();
        for (n, block) in blocks.iter().enumerate() {
            let id = |name: &str, kind: &str| {
                let found = block.get(name).and_then(Value::as_str);
                found.ok_or_else(|| refuse(&format!("{path}.content.{n}.{kind}.{name}"), "Field required"))
            };
            match block.get("type").and_then(Value::as_str) {
                Some("tool_use") => {
                    uses.push(id("id", "tool_use")?);
                    if !block.get("input").is_some_and(Value::is_object) {
                        let path = format!("{path}.content.{n}.tool_use.input");
                        return Err(refuse(&path, "Input should be a valid dictionary"));
                    }
                }
                Some("tool_result") => results.push(id("tool_use_id", "tool_result")?),
                Some("thinking") => {
                    id("signature", "thinking")?;
                }
                Some("text") => {
                    if id("text", "text")?.is_empty() {
                        return Err(Refusal::bad("messages: text content blocks must be non-empty"));
                    }
                }
                // Each tool of Anthropic's own servers has a result of its own.
                Some(kind) if BLOCKS.contains(&kind) || kind.ends_with("_tool_result") => {}
                Some(kind) => {
                    let why = format!("Input tag '{kind}' found using 'type' does not match any of the expected tags");
                    return Err(refuse(&format!("{path}.content.{n}"), &why));
                }
                None => return Err(refuse(&format!("{path}.content.{n}.type"), "Field required")),
            }
        }
        if let Some(id) = results.iter().find(|id| !open.contains(*id)) {
            let why = format!(
                "unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a \
                 corresponding `tool_use` block in the previous message."
            );
            return Err(refuse(&format!("{path}.content.0"), &why));
        }
        match role {
            "user" => open.retain(|id| !results.contains(id)),
            _ if before == "user" && !open.is_empty() => return Err(unanswered(asked_at, &open)),
            _ => {
                open.extend(uses);
                asked_at = at;
            }
        }
        before = role;
    }
    if open.is_empty() { Ok(()) } else { Err(unanswered(asked_at, &open)) }
}

/// Tools may come and go within a conversation, in messages that say nothing else.
fn changes_tools(message: &Value) -> bool {
    let blocks = message.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let change =
        |block: &Value| matches!(block.get("type").and_then(Value::as_str), Some("tool_addition" | "tool_removal"));
    !blocks.is_empty() && blocks.iter().all(change)
}

fn unanswered(at: usize, ids: &[&str]) -> Refusal {
    let why = format!(
        "`tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have \
         a corresponding `tool_result` block in the next message.",
        ids.join(", ")
    );
    refuse(&format!("messages.{at}"), &why)
}
