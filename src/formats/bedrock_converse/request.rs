//! Reads requests.

use super::blocks::{Object, array, cache_of, given, join, missing, object, optional_text, read_content, text, wrong};
use crate::formats::canonical::{ChatRequest, Message, Reasoning, ResponseFormat, Role, Tool, ToolChoice};
use crate::formats::{Format, RequestError};
use serde_json::{Number, Value};

pub(super) fn read(body: &Value) -> Result<ChatRequest, RequestError> {
    let members = body.as_object().ok_or_else(|| {
        RequestError::new("", format!("the body must be a JSON object, found {}", crate::formats::kind_of(body)))
    })?;
    let mut request =
        ChatRequest { source: Some(Format::BedrockConverse), include_usage: true, ..ChatRequest::default() };
    if let Some(system) = given(members, "system") {
        let parts = read_content(system, "system")?;
        if !parts.is_empty() {
            request.messages.push(Message { role: Role::System, name: None, parts });
        }
    }
    read_messages(given(members, "messages").ok_or_else(|| missing("messages"))?, &mut request.messages)?;
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "system" | "messages" => {}
            "inferenceConfig" => read_inference(&mut request, object(value, name)?)?,
            "toolConfig" => read_tools(&mut request, object(value, name)?)?,
            "outputConfig" => read_output(&mut request, object(value, name)?)?,
            "additionalModelRequestFields" => read_additional(&mut request, object(value, name)?),
            _ => {
                request.extra.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(request)
}

fn read_messages(value: &Value, out: &mut Vec<Message>) -> Result<(), RequestError> {
    let messages = array(value, "messages")?;
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
        let parts = read_content(given(message, "content").ok_or_else(|| missing(at.as_str()))?, &at)?;
        out.push(Message { role, name: None, parts });
    }
    Ok(())
}

fn read_inference(request: &mut ChatRequest, config: &Object) -> Result<(), RequestError> {
    let number = |name: &str| -> Result<Option<Number>, RequestError> {
        given(config, name)
            .map(|value| value.as_number().cloned().ok_or_else(|| wrong(at(name), "a number", value)))
            .transpose()
    };
    request.temperature = number("temperature")?;
    request.top_p = number("topP")?;
    if let Some(value) = given(config, "maxTokens") {
        let tokens = value.as_u64().filter(|n| *n > 0);
        request.max_tokens = Some(tokens.ok_or_else(|| match value {
            Value::Number(n) => RequestError::new(at("maxTokens"), format!("expected a positive integer, found {n}")),
            other => wrong(at("maxTokens"), "a positive integer", other),
        })?);
    }
    if let Some(value) = given(config, "stopSequences") {
        let at = at("stopSequences");
        for (i, item) in array(value, &at)?.iter().enumerate() {
            let stop = item.as_str().ok_or_else(|| wrong(format!("{at}[{i}]"), "a string", item))?;
            request.stop.push(stop.to_owned());
        }
    }
    Ok(())
}

fn at(name: &str) -> String {
    format!("inferenceConfig.{name}")
}

fn read_tools(request: &mut ChatRequest, config: &Object) -> Result<(), RequestError> {
    let at = "toolConfig.tools";
    let tools = given(config, "tools").map(|tools| array(tools, at)).transpose()?.unwrap_or_default();
    for (i, value) in tools.iter().enumerate() {
        let at = format!("{at}[{i}]");
        let tool = object(value, &at)?;
        if let (Some(point), Some(Tool { cache: cache @ None, builtin: None, .. })) =
            (given(tool, "cachePoint"), request.tools.last_mut())
        {
            *cache = Some(cache_of(point));
            continue;
        }
        request.tools.push(read_tool(tool, value, &at)?);
    }
    let Some(choice) = given(config, "toolChoice") else { return Ok(()) };
    let at = "toolConfig.toolChoice";
    let choice = object(choice, at)?;
    request.tool_choice = Some(if choice.contains_key("auto") {
        ToolChoice::Auto
    } else if choice.contains_key("any") {
        ToolChoice::Required
    } else if let Some(tool) = given(choice, "tool") {
        let at = join(at, "tool");
        ToolChoice::Named(text(object(tool, &at)?, &at, "name")?.to_owned())
    } else {
        return Err(RequestError::new(at, "expected one of `auto`, `any`, `tool`"));
    });
    Ok(())
}

fn read_tool(tool: &Object, value: &Value, at: &str) -> Result<Tool, RequestError> {
    let blank =
        Tool { name: String::new(), description: None, parameters: None, strict: None, cache: None, builtin: None };
    let Some(spec) = given(tool, "toolSpec") else {
        let name = value.pointer("/systemTool/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        return Ok(Tool { name, builtin: Some(value.clone()), ..blank });
    };
    let at = join(at, "toolSpec");
    let spec = object(spec, &at)?;
    let schema_at = join(&at, "inputSchema.json");
    let schema = given(spec, "inputSchema").and_then(|schema| schema.get("json"));
    let schema = schema.ok_or_else(|| missing(schema_at.as_str()))?;
    object(schema, &schema_at)?;
    Ok(Tool {
        name: text(spec, &at, "name")?.to_owned(),
        description: optional_text(spec, &at, "description")?.map(str::to_owned),
        parameters: Some(schema.clone()),
        strict: match given(spec, "strict") {
            None => None,
            Some(Value::Bool(strict)) => Some(*strict),
            Some(other) => return Err(wrong(join(&at, "strict"), "a boolean", other)),
        },
        ..blank
    })
}

/// `outputConfig`. The schema is JSON text here.
fn read_output(request: &mut ChatRequest, config: &Object) -> Result<(), RequestError> {
    let mut rest = config.clone();
    if let Some(format) = given(config, "textFormat") {
        let at = "outputConfig.textFormat.structure.jsonSchema";
        let found = format.pointer("/structure/jsonSchema").ok_or_else(|| missing(at))?;
        let found = object(found, at)?;
        let schema = text(found, at, "schema")?;
        let schema = serde_json::from_str(schema)
            .map_err(|error| RequestError::new(join(at, "schema"), format!("must be the text of JSON ({error})")))?;
        request.response_format = Some(ResponseFormat::JsonSchema {
            name: optional_text(found, at, "name")?.unwrap_or("response").to_owned(),
            description: optional_text(found, at, "description")?.map(str::to_owned),
            schema: Some(schema),
            strict: None,
        });
        rest.shift_remove("textFormat");
    }
    if let Some(Value::String(effort)) = rest.get("effort") {
        request.reasoning = Some(Reasoning::Effort(effort.clone()));
        rest.shift_remove("effort");
    }
    if !rest.is_empty() {
        request.extra.insert("outputConfig".to_owned(), Value::Object(rest));
    }
    Ok(())
}

/// `additionalModelRequestFields`: a model's own parameters. Those that all formats have a word for move out of it.
fn read_additional(request: &mut ChatRequest, fields: &Object) {
    let mut rest = fields.clone();
    let effort = |value: Option<&Value>| value.and_then(Value::as_str).map(|word| Reasoning::Effort(word.to_owned()));
    for name in ["thinking", "reasoning_config"] {
        let Some(thinking) = fields.get(name).and_then(Value::as_object) else { continue };
        let kind = thinking.get("type").and_then(Value::as_str);
        let budget = thinking.get("budget_tokens").and_then(Value::as_u64);
        let (found, known) = match (kind, budget) {
            (Some("enabled"), Some(budget)) => (Reasoning::Budget(budget), 2),
            (Some("adaptive"), None) => (Reasoning::Adaptive, 1),
            (Some("disabled"), None) => (Reasoning::Off, 1),
            _ => continue,
        };
        request.reasoning = Some(found);
        if thinking.len() == known {
            rest.shift_remove(name);
        }
    }
    if let Some(word) = effort(fields.get("output_config").and_then(|config| config.get("effort"))) {
        request.reasoning = Some(word);
        if let Some(Value::Object(config)) = rest.get_mut("output_config") {
            config.shift_remove("effort");
            if config.is_empty() {
                rest.shift_remove("output_config");
            }
        }
    }
    if let Some(config) = fields.get("reasoningConfig").and_then(Value::as_object) {
        let word = effort(config.get("maxReasoningEffort"));
        let on = config.get("type").is_some_and(|kind| kind == "enabled");
        request.reasoning = if on { word.or(Some(Reasoning::Adaptive)) } else { Some(Reasoning::Off) };
        rest.shift_remove("reasoningConfig");
    }
    if let Some(word) = effort(fields.get("reasoning_effort")) {
        request.reasoning = Some(word);
        rest.shift_remove("reasoning_effort");
    }
    if let Some(word) = effort(fields.get("reasoning").and_then(|reasoning| reasoning.get("effort"))) {
        request.reasoning = Some(word);
        rest.shift_remove("reasoning");
    }
    for name in ["top_k", "k"] {
        if let Some(top_k) = fields.get(name).and_then(Value::as_u64) {
            request.top_k = Some(top_k);
            rest.shift_remove(name);
        }
    }
    if let Some(config) = fields.get("inferenceConfig").and_then(Value::as_object).filter(|config| config.len() == 1)
        && let Some(top_k) = config.get("topK").and_then(Value::as_u64)
    {
        request.top_k = Some(top_k);
        rest.shift_remove("inferenceConfig");
    }
    if !rest.is_empty() {
        request.extra.insert("additionalModelRequestFields".to_owned(), Value::Object(rest));
    }
}
