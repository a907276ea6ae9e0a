//! Requests: OpenAI's JSON into the canonical form.

use super::super::canonical::{
    ChatRequest, Message, Part, Reasoning, ResponseFormat, Role, Tool, ToolCall, ToolChoice,
};
use super::super::{Format, RequestError};
use super::parts::{cache_mark, read_content};
use super::{arguments, audio, citations, function_call, given, reasoning, text};
use crate::formats::kind_of;
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

fn wrong(param: impl Into<String>, found: &Value, expected: &str) -> RequestError {
    RequestError::new(param, format!("found {}, expected {expected}", kind_of(found)))
}

/// Reads a request. What the canonical form has no field for stays in `extra`.
pub fn read_request(body: &Value) -> Result<ChatRequest, RequestError> {
    let Value::Object(members) = body else {
        return Err(wrong("", body, "a JSON object with `model` and `messages`"));
    };
    let mut request = ChatRequest { source: Some(Format::OpenAiChat), ..ChatRequest::default() };
    request.model = match members.get("model") {
        Some(Value::String(model)) if !model.is_empty() => model.clone(),
        Some(Value::String(_)) => {
            return Err(RequestError::new("model", "found an empty string, expected a model name"));
        }
        Some(other) => return Err(wrong("model", other, "a string, the model's name")),
        None => return Err(RequestError::new("model", "missing; expected a string, the model's name")),
    };
    request.messages = match members.get("messages") {
        Some(Value::Array(messages)) if messages.is_empty() => {
            return Err(RequestError::new("messages", "found an empty array, expected at least one message"));
        }
        Some(Value::Array(messages)) => read_messages(messages)?,
        Some(other) => return Err(wrong("messages", other, "an array of messages")),
        None => return Err(RequestError::new("messages", "missing; expected an array of messages")),
    };
    for (name, value) in members {
        match name.as_str() {
            "model" | "messages" => {}
            "stream" => request.stream = boolean(name, value)?.unwrap_or(false),
            "temperature" => request.temperature = number(name, value)?,
            "top_p" => request.top_p = number(name, value)?,
            "max_completion_tokens" => request.max_tokens = whole(name, value)?.or(request.max_tokens),
            "max_tokens" => {
                let tokens = whole(name, value)?;
                if given(body, "max_completion_tokens").is_none() {
                    request.max_tokens = tokens;
                }
            }
            "stop" => request.stop = stop(value)?,
            "tools" => request.tools.extend(tools(value)?),
            "functions" => request.tools.extend(functions(value)?),
            "parallel_tool_calls" => request.parallel_tool_calls = boolean(name, value)?,
            "tool_choice" | "function_call" => match tool_choice(name, value)? {
                Some(choice) => request.tool_choice = Some(choice),
                None if value.is_null() => {}
                None => keep(&mut request.extra, name, value),
            },
            "stream_options" => {
                request.include_usage = value.get("include_usage").and_then(Value::as_bool).unwrap_or(false);
                let mut rest = value.as_object().cloned().unwrap_or_default();
                rest.shift_remove("include_usage");
                if !rest.is_empty() {
                    keep(&mut request.extra, name, &Value::Object(rest));
                }
            }
            "top_k" if value.as_u64().is_some() => request.top_k = value.as_u64(),
            "user" if value.is_string() => request.user = value.as_str().map(str::to_owned),
            "response_format" => match response_format(value) {
                Some(format) => request.response_format = Some(format),
                None => keep(&mut request.extra, name, value),
            },
            "reasoning_effort" if value.is_string() => {}
            _ => keep(&mut request.extra, name, value),
        }
    }
    request.reasoning = asked_reasoning(body);
    Ok(request)
}

/// Keeps a parameter for providers of the same format. A null says nothing and is left out.
fn keep(extra: &mut Map<String, Value>, name: &str, value: &Value) {
    if !value.is_null() {
        extra.insert(name.to_owned(), value.clone());
    }
}

fn boolean(name: &str, value: &Value) -> Result<Option<bool>, RequestError> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(*value)),
        other => Err(wrong(name, other, "a boolean")),
    }
}

fn number(name: &str, value: &Value) -> Result<Option<Number>, RequestError> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(Some(number.clone())),
        other => Err(wrong(name, other, "a number")),
    }
}

fn whole(name: &str, value: &Value) -> Result<Option<u64>, RequestError> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => match super::usage::whole(value) {
            Some(whole) => Ok(Some(whole)),
            None => Err(RequestError::new(name, format!("found {number}, expected a whole number from 0"))),
        },
        other => Err(wrong(name, other, "a whole number")),
    }
}

fn stop(value: &Value) -> Result<Vec<String>, RequestError> {
    let expected = "a string or an array of strings";
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(stop) => Ok(vec![stop.clone()]),
        Value::Array(stops) => stops
            .iter()
            .enumerate()
            .map(|(i, stop)| {
                stop.as_str().map(str::to_owned).ok_or_else(|| wrong(format!("stop[{i}]"), stop, "a string"))
            })
            .collect(),
        other => Err(wrong("stop", other, expected)),
    }
}

fn array<'a>(name: &str, value: &'a Value) -> Result<&'a [Value], RequestError> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(items) => Ok(items),
        other => Err(wrong(name, other, "an array")),
    }
}

fn tools(value: &Value) -> Result<Vec<Tool>, RequestError> {
    let read = |(i, tool): (usize, &Value)| {
        let at = format!("tools[{i}]");
        if !tool.is_object() {
            return Err(wrong(at, tool, "a tool (an object)"));
        }
        let kind = text(tool, "type").unwrap_or("function");
        if kind == "function" {
            let mut read = function(tool.get("function").unwrap_or(&Value::Null), &format!("{at}.function"))?;
            read.cache = cache_mark(tool);
            return Ok(read);
        }
        let name = tool.get(kind).and_then(|own| text(own, "name")).or_else(|| text(tool, "name")).unwrap_or(kind);
        Ok(Tool { builtin: Some(tool.clone()), ..named(name) })
    };
    array("tools", value)?.iter().enumerate().map(read).collect()
}

/// The `functions` of before there were tools (deprecated, <https://platform.openai.com/docs/api-reference/chat/create>,
/// 2026-11-21).
fn functions(value: &Value) -> Result<Vec<Tool>, RequestError> {
    array("functions", value)?.iter().enumerate().map(|(i, item)| function(item, &format!("functions[{i}]"))).collect()
}

fn function(value: &Value, at: &str) -> Result<Tool, RequestError> {
    if !value.is_object() {
        return Err(wrong(at, value, "an object with the function's `name`"));
    }
    let Some(name) = text(value, "name") else {
        return Err(RequestError::new(format!("{at}.name"), "missing or empty; expected the function's name"));
    };
    Ok(Tool {
        description: value.get("description").and_then(Value::as_str).map(str::to_owned),
        parameters: given(value, "parameters").cloned(),
        strict: value.get("strict").and_then(Value::as_bool),
        ..named(name)
    })
}

fn named(name: &str) -> Tool {
    Tool { name: name.to_owned(), description: None, parameters: None, strict: None, cache: None, builtin: None }
}

/// `None` for null and for choices that the canonical form has no word for (`allowed_tools`, custom tools).
fn tool_choice(name: &str, value: &Value) -> Result<Option<ToolChoice>, RequestError> {
    let expected = "`auto`, `none`, `required` or an object that names a function";
    match value {
        Value::Null => Ok(None),
        Value::String(word) => match word.as_str() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            // `any`: Mistral's word.
            "required" | "any" => Ok(Some(ToolChoice::Required)),
            other => Err(RequestError::new(name, format!("found `{other}`, expected {expected}"))),
        },
        Value::Object(_) => {
            let holder = if name == "function_call" { Some(value) } else { value.get("function") };
            Ok(holder.and_then(|function| text(function, "name")).map(|name| ToolChoice::Named(name.to_owned())))
        }
        other => Err(wrong(name, other, expected)),
    }
}

fn response_format(value: &Value) -> Option<ResponseFormat> {
    match text(value, "type")? {
        "text" => Some(ResponseFormat::Text),
        "json_object" => Some(ResponseFormat::JsonObject),
        "json_schema" => {
            // What is no schema is no format that could be said in other words.
            let schema = given(value, "json_schema").filter(|of| given(of, "schema").is_none_or(Value::is_object))?;
            Some(ResponseFormat::JsonSchema {
                name: text(schema, "name").unwrap_or("response").to_owned(),
                description: text(schema, "description").map(str::to_owned),
                schema: given(schema, "schema").cloned(),
                strict: schema.get("strict").and_then(Value::as_bool),
            })
        }
        _ => None,
    }
}

/// How much reasoning the client asks for: OpenAI's `reasoning_effort`, or the switches of its kin, which stay in
/// `extra` too: OpenRouter's `reasoning`, GLM's and DeepSeek's `thinking`, Qwen's `enable_thinking`.
fn asked_reasoning(body: &Value) -> Option<Reasoning> {
    let switch = |on: bool| if on { Reasoning::Adaptive } else { Reasoning::Off };
    if let Some(effort) = text(body, "reasoning_effort") {
        return Some(Reasoning::Effort(effort.to_owned()));
    }
    if let Some(own) = given(body, "reasoning") {
        if let Some(effort) = text(own, "effort") {
            return Some(Reasoning::Effort(effort.to_owned()));
        }
        if let Some(budget) = own.get("max_tokens").and_then(Value::as_u64) {
            return Some(Reasoning::Budget(budget));
        }
        if let Some(on) = own.get("enabled").and_then(Value::as_bool) {
            return Some(switch(on));
        }
    }
    if let Some(word) = given(body, "thinking").and_then(|thinking| text(thinking, "type")) {
        let budget = body.pointer("/thinking/budget_tokens").and_then(Value::as_u64);
        return Some(budget.filter(|_| word == "enabled").map_or(switch(word != "disabled"), Reasoning::Budget));
    }
    body.get("enable_thinking").and_then(Value::as_bool).map(switch)
}

fn read_messages(messages: &[Value]) -> Result<Vec<Message>, RequestError> {
    let mut legacy = Legacy::default();
    messages.iter().enumerate().map(|(i, message)| read_message(message, i, &mut legacy)).collect()
}

/// Calls in the style of before there were tools carry no id. They get one from their place, and the next answer of
/// that function takes it.
#[derive(Default)]
struct Legacy {
    /// Ids of the calls that have no answer yet, by the function's name.
    open: BTreeMap<String, Vec<String>>,
}

impl Legacy {
    fn call(&mut self, name: &str, message: usize) -> String {
        let id = format!("call_{message}");
        self.open.entry(name.to_owned()).or_default().push(id.clone());
        id
    }

    fn answer(&mut self, name: &str, message: usize) -> String {
        self.open.get_mut(name).and_then(Vec::pop).unwrap_or_else(|| format!("call_{message}"))
    }
}

fn read_message(message: &Value, i: usize, legacy: &mut Legacy) -> Result<Message, RequestError> {
    let at = format!("messages[{i}]");
    if !message.is_object() {
        return Err(wrong(at, message, "a message (an object with `role` and `content`)"));
    }
    let roles = "`system`, `developer`, `user`, `assistant` or `tool`";
    let word = match message.get("role") {
        Some(Value::String(word)) => word.as_str(),
        Some(other) => return Err(wrong(format!("{at}.role"), other, roles)),
        None => return Err(RequestError::new(format!("{at}.role"), format!("missing; expected {roles}"))),
    };
    let role = match word {
        "system" => Role::System,
        "developer" => Role::Developer,
        "assistant" => Role::Assistant,
        "user" | "tool" | "function" => Role::User,
        other => {
            return Err(RequestError::new(format!("{at}.role"), format!("found `{other}`, expected {roles}")));
        }
    };
    let name = text(message, "name").map(str::to_owned);
    let content = message.get("content").unwrap_or(&Value::Null);
    let param = format!("{at}.content");
    let mut parts = read_content(content, &param)?;
    match word {
        "assistant" => parts = assistant(message, parts, i, legacy)?,
        "tool" => {
            let Some(id) = text(message, "tool_call_id") else {
                let param = format!("{at}.tool_call_id");
                return Err(RequestError::new(param, "missing or empty; expected the id of the tool call it answers"));
            };
            parts = vec![result(id.to_owned(), parts)];
        }
        "function" => {
            let id = legacy.answer(name.as_deref().unwrap_or_default(), i);
            parts = vec![result(id, parts)];
        }
        _ if message.get("content").is_none() => {
            return Err(RequestError::new(param, "missing; expected a string or an array of content parts"));
        }
        _ if content.is_null() => return Err(wrong(param, content, "a string or an array of content parts")),
        _ => {}
    }
    // Some providers take the cache mark on the message and mean its last block.
    if let (Some(mark), Some(last)) = (cache_mark(message), parts.last_mut()) {
        put_mark(last, mark);
    }
    Ok(Message { role, name, parts })
}

/// Marks a part for caching, unless it is.
fn put_mark(part: &mut Part, mark: Value) {
    match part {
        Part::Text { cache, .. }
        | Part::Image { cache, .. }
        | Part::Document { cache, .. }
        | Part::ToolResult { cache, .. } => {
            cache.get_or_insert(mark);
        }
        Part::ToolCall(call) => {
            call.cache.get_or_insert_with(|| mark.to_string());
        }
        _ => {}
    }
}

fn result(id: String, mut parts: Vec<Part>) -> Part {
    parts.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
    Part::ToolResult { id, parts, is_error: false, cache: None }
}

/// An assistant turn in the order in which it came to be: reasoning, words, refusal, calls.
fn assistant(message: &Value, content: Vec<Part>, i: usize, legacy: &mut Legacy) -> Result<Vec<Part>, RequestError> {
    let at = format!("messages[{i}]");
    let mut parts = reasoning::read(message);
    parts.extend(content.into_iter().filter(|part| !matches!(part, Part::Text { text, .. } if text.is_empty())));
    if let Some(refusal) = text(message, "refusal") {
        parts.push(Part::Refusal(refusal.to_owned()));
    }
    citations::attach(&mut parts, citations::read(message));
    parts.extend(audio(message));
    if let Some(calls) = given(message, "tool_calls") {
        let param = format!("{at}.tool_calls");
        for (j, call) in array(&param, calls)?.iter().enumerate() {
            parts.push(tool_call(call, message, &format!("{param}[{j}]"))?);
        }
    }
    if let Some(call) = function_call(message) {
        let Some(name) = text(call, "name") else {
            return Err(RequestError::new(format!("{at}.function_call.name"), "missing; expected the function's name"));
        };
        let id = legacy.call(name, i);
        parts.push(Part::ToolCall(ToolCall {
            id,
            name: name.to_owned(),
            arguments: arguments(call.get("arguments")),
            cache: None,
            signature: None,
        }));
    }
    Ok(parts)
}

fn tool_call(call: &Value, message: &Value, at: &str) -> Result<Part, RequestError> {
    if !call.is_object() {
        return Err(wrong(at, call, "a tool call (an object with `id` and `function`)"));
    }
    let Some(id) = text(call, "id") else {
        return Err(RequestError::new(format!("{at}.id"), "missing or empty; expected the call's id"));
    };
    if text(call, "type").is_some_and(|kind| kind != "function") {
        return Ok(Part::Unknown { format: Format::OpenAiChat, value: call.clone() });
    }
    let Some(function) = call.get("function").filter(|function| function.is_object()) else {
        return Err(RequestError::new(format!("{at}.function"), "expected an object with `name` and `arguments`"));
    };
    let Some(name) = text(function, "name") else {
        return Err(RequestError::new(format!("{at}.function.name"), "missing or empty; expected the function's name"));
    };
    Ok(Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments(function.get("arguments")),
        cache: None,
        signature: reasoning::call_signature(call, message),
    }))
}
