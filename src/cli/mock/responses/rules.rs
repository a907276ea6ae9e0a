//! What OpenAI refuses of a request for a response, in its words.

mod input;

use crate::cli::mock::json::{fields, list, text};
use crate::cli::mock::openai::limits::{answer, function, metadata, range, reasons, whole};
use crate::cli::mock::openai::rules::{missing, model, value, wrong};
use crate::cli::mock::refusal::Refusal;
use crate::cli::mock::server::Asked;
use serde_json::Value;

const KNOWN: &[&str] = &[
    "background",
    "conversation",
    "context_management",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

const INCLUDES: &[&str] = &[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
];

fn unknown(param: &str) -> Refusal {
    Refusal::bad(format!("Unknown parameter: '{param}'.")).at(param).code("unknown_parameter")
}

fn supported(param: &str, found: &str, names: &[&str]) -> Refusal {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let all = match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, [first])) => format!("{first} and {last}"),
        Some((last, rest)) => format!("{}, and {last}", rest.join(", ")),
        None => String::new(),
    };
    value(param, format!("Invalid value: '{found}'. Supported values are: {all}."))
}

/// A word of a few, where it is given.
fn word(body: &Value, name: &str, names: &[&str]) -> Result<(), Refusal> {
    let param = name.trim_start_matches('/').replace('/', ".");
    match body.pointer(&format!("/{}", name.trim_start_matches('/'))) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(found)) if names.contains(&found.as_str()) => Ok(()),
        Some(Value::String(found)) => Err(supported(&param, found, names)),
        Some(other) => Err(wrong(&param, "a string", other)),
    }
}

fn unsupported(param: &str) -> Refusal {
    let message = format!("Unsupported parameter: '{param}' is not supported with this model.");
    Refusal::bad(message).at(param).code("unsupported_parameter")
}

/// Checks a request.
pub(super) fn responses(asked: &Asked<'_>) -> Result<(), Refusal> {
    let body = asked.body;
    let Some(all) = body.as_object() else {
        return Err(Refusal::bad("We could not parse the JSON body of your request: it is not an object."));
    };
    if let Some(name) = all.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(unknown(name));
    }
    model(body)?;
    for name in ["background", "parallel_tool_calls", "store", "stream"] {
        if let Some(other) = body.get(name).filter(|found| !found.is_null() && !found.is_boolean()) {
            return Err(wrong(name, "a boolean", other));
        }
    }
    if body.get("background") == Some(&Value::Bool(true)) {
        return Err(Refusal::bad("The mock answers at once; it has no background.").at("background"));
    }
    if body.get("stream_options").is_some_and(|o| !o.is_null()) && body.get("stream") != Some(&Value::Bool(true)) {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Refusal::bad(message).at("stream_options"));
    }
    if let Some((name, _)) =
        body.get("stream_options").and_then(|o| fields(o).find(|(name, _)| *name != "include_obfuscation"))
    {
        return Err(unknown(&format!("stream_options.{name}")));
    }
    if let Some(other) = body.get("instructions").filter(|found| !found.is_null() && !found.is_string()) {
        return Err(wrong("instructions", "a string", other));
    }
    metadata(body)?;
    word(body, "truncation", &["auto", "disabled"])?;
    word(body, "service_tier", &["auto", "default", "flex", "scale", "priority"])?;
    word(body, "text/verbosity", &["low", "medium", "high"])?;
    word(body, "reasoning/effort", &["none", "minimal", "low", "medium", "high", "xhigh", "max"])?;
    word(body, "reasoning/summary", &["concise", "detailed", "auto"])?;
    numbers(asked)?;
    for (at, name) in list(body, "include").iter().enumerate() {
        match name.as_str() {
            Some(name) if INCLUDES.contains(&name) => {}
            Some(name) => return Err(supported(&format!("include[{at}]"), name, INCLUDES)),
            None => return Err(wrong(&format!("include[{at}]"), "a string", name)),
        }
    }
    let open = previous(asked)?;
    tools(body)?;
    format(body)?;
    match body.get("input") {
        None | Some(Value::Null) if body.get("previous_response_id").is_none() && body.get("prompt").is_none() => {
            let message =
                "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided.";
            Err(Refusal::bad(message).at("input").code("missing_required_parameter"))
        }
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(Value::Array(items)) => input::input(items, &open, asked),
        Some(other) => Err(wrong("input", "one of a string or array of objects", other)),
    }
}

fn numbers(asked: &Asked<'_>) -> Result<(), Refusal> {
    let body = asked.body;
    range(body, "temperature", 0.0, 2.0)?;
    range(body, "top_p", 0.0, 1.0)?;
    whole(body, "max_output_tokens", 16, u64::from(u32::MAX))?;
    whole(body, "top_logprobs", 0, 20)?;
    let given = |name: &str| body.get(name).is_some_and(|found| !found.is_null());
    let effort = body.pointer("/reasoning/effort").and_then(Value::as_str);
    if reasons(asked.model)
        && effort != Some("none")
        && let Some(name) = ["temperature", "top_p"].into_iter().find(|name| given(name))
    {
        return Err(unsupported(name));
    }
    if effort.is_some_and(|effort| effort != "none")
        && ["gpt-4", "gpt-3.5"].iter().any(|old| asked.model.starts_with(old))
    {
        return Err(unsupported("reasoning.effort"));
    }
    Ok(())
}

/// The calls that the response before left open.
fn previous(asked: &Asked<'_>) -> Result<Vec<String>, Refusal> {
    if let Some(id) = asked.body.get("conversation").filter(|found| !found.is_null()) {
        let id = id.as_str().unwrap_or_else(|| text(id, "id"));
        return Err(Refusal::new(404, format!("Conversation with id '{id}' not found.")).at("conversation"));
    }
    match asked.body.get("previous_response_id") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(id)) => asked.moment.ledger().stored(id).ok_or_else(|| {
            let message = format!("Previous response with id '{id}' not found.");
            Refusal::bad(message).at("previous_response_id").code("previous_response_not_found")
        }),
        Some(other) => Err(wrong("previous_response_id", "a string", other)),
    }
}

fn tools(body: &Value) -> Result<(), Refusal> {
    let tools = match body.get("tools") {
        None | Some(Value::Null) => &[],
        Some(Value::Array(tools)) => tools.as_slice(),
        Some(other) => return Err(wrong("tools", "an array of objects", other)),
    };
    for (at, tool) in tools.iter().enumerate() {
        let param = format!("tools[{at}]");
        match tool.get("type").and_then(Value::as_str) {
            None => return Err(missing(&format!("{param}.type"))),
            Some("function") => {
                let known = [
                    "type",
                    "name",
                    "description",
                    "parameters",
                    "strict",
                    "defer_loading",
                    "allowed_callers",
                    "output_schema",
                ];
                if tool.get("name").is_none_or(Value::is_null) {
                    return Err(missing(&format!("{param}.name")));
                }
                if let Some((name, _)) = fields(tool).find(|(name, _)| !known.contains(&name.as_str())) {
                    return Err(unknown(&format!("{param}.{name}")));
                }
                function(tool, &param)?;
            }
            Some(_) => {}
        }
    }
    let names = || tools.iter().map(|tool| text(tool, "name"));
    match body.get("tool_choice") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(word)) if matches!(word.as_str(), "none" | "auto") => Ok(()),
        Some(_) if tools.is_empty() => {
            let message = "Tool choice 'required' must be specified with 'tools' parameter.";
            Err(Refusal::bad(message).at("tool_choice"))
        }
        Some(Value::String(word)) if word == "required" => Ok(()),
        Some(Value::String(other)) => Err(supported("tool_choice", other, &["none", "auto", "required"])),
        Some(choice @ Value::Object(_)) => match text(choice, "type") {
            "" => Err(missing("tool_choice.type")),
            "function" | "custom" if choice.get("name").is_none() => Err(if choice.get("function").is_some() {
                unknown("tool_choice.function")
            } else {
                missing("tool_choice.name")
            }),
            kind @ ("function" | "custom") if !names().any(|name| name == text(choice, "name")) => {
                Err(Refusal::bad(format!("Tool choice '{kind}' not found in 'tools' parameter.")).at("tool_choice"))
            }
            _ => Ok(()),
        },
        Some(other) => Err(wrong("tool_choice", "one of a string or object", other)),
    }
}

fn format(body: &Value) -> Result<(), Refusal> {
    let Some(told) = body.get("text").filter(|told| !told.is_null()) else { return Ok(()) };
    if let Some((name, _)) = fields(told).find(|(name, _)| !matches!(name.as_str(), "format" | "verbosity")) {
        return Err(unknown(&format!("text.{name}")));
    }
    let Some(format) = told.get("format").filter(|format| !format.is_null()) else { return Ok(()) };
    match text(format, "type") {
        "text" => Ok(()),
        "json_schema" if format.get("json_schema").is_some() => Err(unknown("text.format.json_schema")),
        "json_schema" => answer(format, "text.format"),
        "json_object" => {
            let said = format!(
                "{}{}",
                body.get("input").unwrap_or(&Value::Null),
                body.get("instructions").unwrap_or(&Value::Null)
            );
            if said.to_lowercase().contains("json") {
                return Ok(());
            }
            let message = "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'.";
            Err(Refusal::bad(message).at("input"))
        }
        "" => Err(missing("text.format.type")),
        other => Err(supported("text.format.type", other, &["json_object", "json_schema", "text"])),
    }
}
