//! The items of a request's input.

use super::{supported, unknown};
use crate::cli::mock::json::{fields, list, text};
use crate::cli::mock::openai::limits;
use crate::cli::mock::openai::rules::{missing, value, wrong};
use crate::cli::mock::refusal::Refusal;
use crate::cli::mock::responses::kind;
use crate::cli::mock::server::Asked;
use serde_json::Value;

/// Items that the mock looks into, each with its fields and how its id begins.
const ITEMS: &[(&str, &str, &[&str])] = &[
    ("message", "msg", &["type", "id", "role", "content", "status", "phase"]),
    ("function_call", "fc", &["type", "id", "call_id", "name", "arguments", "status", "namespace", "caller"]),
    ("function_call_output", "fc", &["type", "id", "call_id", "output", "status", "caller"]),
    ("custom_tool_call", "ctc", &["type", "id", "call_id", "name", "input", "status", "namespace", "caller"]),
    ("custom_tool_call_output", "ctc", &["type", "id", "call_id", "output", "status", "caller"]),
    ("reasoning", "rs", &["type", "id", "summary", "content", "encrypted_content", "status"]),
];

/// Items that it only lets pass.
const OTHER_ITEMS: &[&str] = &[
    "item_reference",
    "web_search_call",
    "file_search_call",
    "computer_call",
    "computer_call_output",
    "code_interpreter_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "tool_search_call",
    "tool_search_output",
    "additional_tools",
    "compaction",
];

/// Items, and that each call has its output.
pub(super) fn input(items: &[Value], before: &[String], asked: &Asked<'_>) -> Result<(), Refusal> {
    let mut open: Vec<&str> = before.iter().map(String::as_str).collect();
    for (at, item) in items.iter().enumerate() {
        let param = format!("input[{at}]");
        if !item.is_object() {
            return Err(wrong(&param, "an object", item));
        }
        let found = kind(item);
        let Some((_, prefix, known)) = ITEMS.iter().find(|(name, _, _)| *name == found) else {
            if OTHER_ITEMS.contains(&found) {
                continue;
            }
            if found.is_empty() {
                return Err(missing(&format!("{param}.type")));
            }
            let names: Vec<&str> = ITEMS.iter().map(|(name, _, _)| *name).chain(OTHER_ITEMS.iter().copied()).collect();
            return Err(supported(&param, found, &names));
        };
        if let Some((name, _)) = fields(item).find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(unknown(&format!("{param}.{name}")));
        }
        if let Some(id) = item.get("id").and_then(Value::as_str).filter(|id| !id.starts_with(prefix)) {
            let message = format!("Invalid '{param}.id': '{id}'. Expected an ID that begins with '{prefix}'.");
            return Err(value(&format!("{param}.id"), message));
        }
        match found {
            "message" => message(item, &param)?,
            "reasoning" => reasoning(items, at, item, asked)?,
            "function_call" | "custom_tool_call" => {
                limits::name(&format!("{param}.name"), text(item, "name"))?;
                let field = if found == "function_call" { "arguments" } else { "input" };
                let given = item.get(field).ok_or_else(|| missing(&format!("{param}.{field}")))?;
                if !given.is_string() {
                    return Err(wrong(&format!("{param}.{field}"), "a string", given));
                }
                open.push(call_id(item, &param)?);
            }
            _ => {
                let id = call_id(item, &param)?;
                match item.get("output") {
                    None => return Err(missing(&format!("{param}.output"))),
                    Some(Value::String(_)) => {}
                    Some(Value::Array(_)) => parts(
                        list(item, "output"),
                        &["input_text", "input_image", "input_file"],
                        &format!("{param}.output"),
                    )?,
                    Some(other) => {
                        return Err(wrong(&format!("{param}.output"), "one of an array of objects or string", other));
                    }
                }
                let Some(place) = open.iter().position(|call| *call == id) else {
                    let message = format!("No tool call found for function call output with call_id {id}.");
                    return Err(Refusal::bad(message).at("input"));
                };
                open.remove(place);
            }
        }
    }
    match open.first() {
        None => Ok(()),
        Some(id) => Err(Refusal::bad(format!("No tool output found for function call {id}.")).at("input")),
    }
}

fn call_id<'v>(item: &'v Value, param: &str) -> Result<&'v str, Refusal> {
    let param = format!("{param}.call_id");
    match item.get("call_id") {
        None => Err(missing(&param)),
        Some(Value::String(id)) if id.is_empty() => {
            let message = format!(
                "Invalid '{param}': empty string. Expected a string with minimum length 1, but got an empty string instead."
            );
            Err(Refusal::bad(message).at(param).code("empty_string"))
        }
        Some(Value::String(id)) if id.len() > 64 => {
            let message = format!(
                "Invalid '{param}': string too long. Expected a string with maximum length 64, but got a string with length {} instead.",
                id.len()
            );
            Err(Refusal::bad(message).at(param).code("string_above_max_length"))
        }
        Some(Value::String(id)) => Ok(id),
        Some(other) => Err(wrong(&param, "a string", other)),
    }
}

fn message(item: &Value, param: &str) -> Result<(), Refusal> {
    let role = match item.get("role") {
        Some(Value::String(role)) => role.as_str(),
        None => return Err(missing(&format!("{param}.role"))),
        Some(other) => return Err(wrong(&format!("{param}.role"), "a string", other)),
    };
    let roles = ["assistant", "system", "developer", "user"];
    if !roles.contains(&role) {
        return Err(supported(&format!("{param}.role"), role, &roles));
    }
    let kinds: &[&str] = match role {
        "assistant" => &["output_text", "refusal"],
        _ => &["input_text", "input_image", "input_file", "input_audio"],
    };
    match item.get("content") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(all)) => parts(all, kinds, &format!("{param}.content")),
        None => Err(missing(&format!("{param}.content"))),
        Some(other) => Err(wrong(&format!("{param}.content"), "one of an array of objects or string", other)),
    }
}

fn parts(all: &[Value], kinds: &[&str], param: &str) -> Result<(), Refusal> {
    for (at, part) in all.iter().enumerate() {
        let param = format!("{param}[{at}]");
        let Some(kind) = part.get("type").and_then(Value::as_str) else {
            return Err(missing(&format!("{param}.type")));
        };
        if !kinds.contains(&kind) {
            return Err(supported(&param, kind, kinds));
        }
        let given = |name: &str| part.get(name).is_some_and(Value::is_string);
        let needed: &[&str] = match kind {
            "input_text" | "output_text" => &["text"],
            "refusal" => &["refusal"],
            "input_image" => &["image_url", "file_id"],
            "input_file" => &["file_data", "file_id", "file_url"],
            _ => &[],
        };
        if let Some(first) = needed.first().filter(|_| !needed.iter().any(|name| given(name))) {
            // The chat format has an object here.
            return Err(match part.get(*first) {
                Some(other) => wrong(&format!("{param}.{first}"), "a string", other),
                None => missing(&format!("{param}.{first}")),
            });
        }
    }
    Ok(())
}

/// Reasoning is followed by what it led to; what was not stored comes with its content.
fn reasoning(items: &[Value], at: usize, item: &Value, asked: &Asked<'_>) -> Result<(), Refusal> {
    let param = format!("input[{at}]");
    match item.get("summary") {
        Some(Value::Array(all)) => parts(all, &["summary_text"], &format!("{param}.summary"))?,
        None => return Err(missing(&format!("{param}.summary"))),
        Some(other) => return Err(wrong(&format!("{param}.summary"), "an array of objects", other)),
    }
    let id = text(item, "id");
    match item.get("encrypted_content").and_then(Value::as_str) {
        // The sealed text of OpenAI begins so, and so does the mock's; other servers seal in their own ways.
        Some(sealed) if sealed.starts_with("gAAAA") || asked.model.contains("grok") => {}
        Some(sealed) => {
            let start: String = sealed.chars().take(4).collect();
            let message = format!(
                "The encrypted content {start}... could not be verified. Reason: Encrypted content could not be decrypted or parsed."
            );
            return Err(Refusal::bad(message).code("invalid_encrypted_content"));
        }
        None if asked.moment.ledger().stored(&id.replacen("rs_", "resp_", 1)).is_some() => {}
        None => {
            let message = format!(
                "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this item from your input."
            );
            return Err(Refusal::new(404, message).at("input"));
        }
    }
    let next = at.checked_add(1).and_then(|next| items.get(next));
    let follows = next.is_some_and(|next| match kind(next) {
        "message" => text(next, "role") == "assistant",
        kind => !kind.ends_with("_output"),
    });
    if follows {
        return Ok(());
    }
    let message = format!("Item '{id}' of type 'reasoning' was provided without its required following item.");
    Err(Refusal::bad(message).at("input"))
}
