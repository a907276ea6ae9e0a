//! Requests: OpenAI's JSON into the canonical form.

use super::super::canonical::{ChatRequest, Message, Part, Reasoning, Role};
use super::super::{Format, RequestError};
use super::params::{Choice, text_format, tool_choice, tools};
use super::{given, items, kind, text, whole, wrong};
use serde_json::{Map, Number, Value};

/// What asks OpenAI for log probabilities.
pub(super) const LOGPROBS: &str = "message.output_text.logprobs";

/// Parameters that name what OpenAI keeps.
const STATE: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

/// Reads a request. `instructions` become a first system turn. Parameters that the canonical form has no field for are
/// in `extra`, by their name in Chat Completions where that format has them: `verbosity`, `logprobs`, `top_logprobs`,
/// `tool_choice` (of allowed tools), `response_format` (of an unknown kind); the rest by their own name, such as
/// `include` and what is left of `reasoning` without the effort.
pub fn read_request(body: &Value) -> Result<ChatRequest, RequestError> {
    let Value::Object(members) = body else {
        return Err(wrong("", body, "a JSON object with `model` and `input`"));
    };
    let mut request =
        ChatRequest { source: Some(Format::OpenAiResponses), include_usage: true, ..ChatRequest::default() };
    request.model = match members.get("model") {
        Some(Value::String(model)) if !model.is_empty() => model.clone(),
        Some(Value::String(_)) => {
            return Err(RequestError::new("model", "found an empty string, expected a model name"));
        }
        Some(other) => return Err(wrong("model", other, "a string, the model's name")),
        None => return Err(RequestError::new("model", "missing; expected a string, the model's name")),
    };
    match given(body, "instructions") {
        None => {}
        Some(Value::String(text)) => {
            let parts = vec![Part::Text { text: text.clone(), cache: None, citations: Vec::new() }];
            let said = Message { role: Role::System, name: None, parts };
            request.messages.extend(Some(said).filter(|_| !text.is_empty()));
        }
        Some(other) => return Err(wrong("instructions", other, "a string")),
    }
    match given(body, "input") {
        Some(Value::Array(items)) if items.is_empty() && !keeps_state(body) => {
            return Err(RequestError::new("input", "found an empty array, expected at least one item"));
        }
        Some(input) => items::read(input, &mut request.messages)?,
        None if keeps_state(body) => {}
        None => return Err(RequestError::new("input", "missing; expected a string or an array of items")),
    }
    for (name, value) in members {
        read_parameter(&mut request, name, value)?;
    }
    Ok(request)
}

/// Whether the conversation, or part of it, is kept at OpenAI.
fn keeps_state(body: &Value) -> bool {
    STATE.iter().any(|name| given(body, name).is_some())
}

fn read_parameter(request: &mut ChatRequest, name: &str, value: &Value) -> Result<(), RequestError> {
    if value.is_null() {
        return Ok(());
    }
    match name {
        "model" | "input" | "instructions" => {}
        "stream" => request.stream = boolean(name, value)?,
        "background" if boolean(name, value)? => keep(request, name, value),
        "background" => {}
        "temperature" => request.temperature = Some(number(name, value)?),
        "top_p" => request.top_p = Some(number(name, value)?),
        "max_output_tokens" => {
            let Some(tokens) = whole(value) else { return Err(wrong(name, value, "a whole number from 0")) };
            request.max_tokens = Some(tokens);
        }
        "tools" => {
            request.tools = tools(value)?;
            keep_unplaced(request, value);
        }
        "tool_choice" => match tool_choice(value)? {
            Some(Choice::Known(choice)) => request.tool_choice = Some(choice),
            Some(Choice::Other(choice)) => keep(request, name, &choice),
            None => {}
        },
        "parallel_tool_calls" => request.parallel_tool_calls = Some(boolean(name, value)?),
        "user" if value.is_string() => request.user = value.as_str().map(str::to_owned),
        "text" => read_text(request, value)?,
        "reasoning" => {
            let rest = object(name, value)?;
            request.reasoning = text(value, "effort").map(|effort| Reasoning::Effort(effort.to_owned()));
            keep_rest(request, name, rest, "effort");
        }
        "include" => {
            let Value::Array(all) = value else { return Err(wrong(name, value, "an array of strings")) };
            let rest: Vec<Value> = all.iter().filter(|one| one.as_str() != Some(LOGPROBS)).cloned().collect();
            if rest.len() < all.len() {
                keep(request, "logprobs", &Value::Bool(true));
            }
            if !rest.is_empty() {
                keep(request, name, &rest.into());
            }
        }
        "top_logprobs" => match whole(value) {
            // What it is without being said.
            Some(0) => {}
            Some(_) => {
                // Chat Completions takes it together with `logprobs` only.
                keep(request, "logprobs", &Value::Bool(true));
                keep(request, name, value);
            }
            None => return Err(wrong(name, value, "a whole number from 0")),
        },
        _ => keep(request, name, value),
    }
    Ok(())
}

/// Keeps what functions say beyond the canonical form's fields.
fn keep_unplaced(request: &mut ChatRequest, tools: &Value) {
    let known = ["type", "name", "description", "parameters", "strict"];
    for (i, tool) in tools.as_array().into_iter().flatten().enumerate().filter(|(_, tool)| kind(tool) == "function") {
        for (name, value) in tool.as_object().into_iter().flatten() {
            if !known.contains(&name.as_str()) && !matches!(value, Value::Null | Value::Bool(false)) {
                request.unplaced.insert(format!("tools[{i}].{name}"), value.clone());
            }
        }
    }
}

fn keep(request: &mut ChatRequest, name: &str, value: &Value) {
    request.extra.insert(name.to_owned(), value.clone());
}

/// Keeps what is left of an object without the member that was understood.
fn keep_rest(request: &mut ChatRequest, name: &str, object: &Map<String, Value>, understood: &str) {
    let rest = object.iter().filter(|(name, value)| *name != understood && !value.is_null());
    let rest: Map<String, Value> = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
    if !rest.is_empty() {
        keep(request, name, &rest.into());
    }
}

/// `text`: the form of the output and how many words to make.
fn read_text(request: &mut ChatRequest, value: &Value) -> Result<(), RequestError> {
    let mut rest = Map::new();
    for (name, value) in object("text", value)? {
        match name.as_str() {
            _ if value.is_null() => {}
            "format" => match text_format(value)? {
                Some(format) => request.response_format = Some(format),
                None => keep(request, "response_format", value),
            },
            "verbosity" => keep(request, name, value),
            // By its bare name it would be another parameter.
            _ => {
                rest.insert(name.clone(), value.clone());
            }
        }
    }
    if !rest.is_empty() {
        keep(request, "text", &rest.into());
    }
    Ok(())
}

fn object<'a>(name: &str, value: &'a Value) -> Result<&'a Map<String, Value>, RequestError> {
    value.as_object().ok_or_else(|| wrong(name, value, "an object"))
}

fn boolean(name: &str, value: &Value) -> Result<bool, RequestError> {
    value.as_bool().ok_or_else(|| wrong(name, value, "a boolean"))
}

fn number(name: &str, value: &Value) -> Result<Number, RequestError> {
    value.as_number().cloned().ok_or_else(|| wrong(name, value, "a number"))
}

/// Refuses a request of this format that depends on what OpenAI keeps: a conversation or an answer of before, a stored
/// prompt, work in the background, an item named by its id. Nobody else can answer it.
pub fn stateful(request: &ChatRequest) -> Result<(), RequestError> {
    if request.source != Some(Format::OpenAiResponses) {
        return Ok(());
    }
    request.refuse_server_state()?;
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        if let Part::Unknown { format: Format::OpenAiResponses, value } = part
            && matches!(kind(value), "item_reference" | "")
        {
            let id = text(value, "id").unwrap_or_default();
            let message = format!("item `{id}` is kept at OpenAI, which this target is not; send the item itself");
            return Err(RequestError::new("input", message));
        }
    }
    Ok(())
}
