//! Reads requests: all but the conversation. What has a word in Chat Completions is kept by that word.

use super::request::wrong;
use super::{camel, items, member, schema, text, thinking, whole};
use crate::formats::RequestError;
use crate::formats::canonical::{ChatRequest, ResponseFormat, Tool, ToolChoice};
use serde_json::{Map, Number, Value, json};

/// Reads one top-level member that is not null.
pub(super) fn read(request: &mut ChatRequest, name: &str, value: &Value) -> Result<(), RequestError> {
    match name {
        "contents" | "systemInstruction" => {}
        // Some endpoints take it in the body too.
        "model" => {
            let model = value.as_str().ok_or_else(|| wrong(name, "a string", value))?;
            model.strip_prefix("models/").unwrap_or(model).clone_into(&mut request.model);
        }
        "generationConfig" => generation(request, value)?,
        "tools" => tools(request, value)?,
        "toolConfig" => tool_config(request, value)?,
        "serviceTier" => {
            let tier = value.as_str().ok_or_else(|| wrong(name, "a string", value))?.to_ascii_lowercase();
            let tier = if tier == "standard" { "default".to_owned() } else { tier };
            request.extra.insert("service_tier".to_owned(), tier.into());
        }
        _ => {
            request.extra.insert(name.to_owned(), value.clone());
        }
    }
    Ok(())
}

fn generation(request: &mut ChatRequest, value: &Value) -> Result<(), RequestError> {
    let Value::Object(members) = value else { return Err(wrong("generationConfig", "an object", value)) };
    let mut rest = Map::new();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        let name = camel(name);
        let at = format!("generationConfig.{name}");
        match name.as_str() {
            "temperature" => request.temperature = Some(number(&at, value)?),
            "topP" => request.top_p = Some(number(&at, value)?),
            "topK" => request.top_k = Some(natural(&at, value)?),
            "maxOutputTokens" => request.max_tokens = Some(natural(&at, value)?),
            "stopSequences" => request.stop = strings(&at, value)?,
            "candidateCount" => keep(request, "n", natural(&at, value)?),
            "seed" => keep(request, "seed", value.clone()),
            "presencePenalty" => keep(request, "presence_penalty", number(&at, value)?),
            "frequencyPenalty" => keep(request, "frequency_penalty", number(&at, value)?),
            "responseLogprobs" => keep(request, "logprobs", value.clone()),
            "logprobs" => keep(request, "top_logprobs", natural(&at, value)?),
            "responseMimeType" | "responseSchema" | "responseJsonSchema" => {}
            "responseModalities" => modalities(request, &at, value)?,
            "thinkingConfig" => {
                let (reasoning, whole) = thinking::read(value);
                request.reasoning = reasoning;
                if !whole {
                    rest.insert(name, value.clone());
                }
            }
            _ => {
                rest.insert(name, value.clone());
            }
        }
    }
    format(request, value, &mut rest);
    if !rest.is_empty() {
        request.extra.insert("generationConfig".to_owned(), rest.into());
    }
    Ok(())
}

fn keep(request: &mut ChatRequest, name: &str, value: impl Into<Value>) {
    request.extra.insert(name.to_owned(), value.into());
}

fn number(at: &str, value: &Value) -> Result<Number, RequestError> {
    value.as_number().cloned().ok_or_else(|| wrong(at, "a number", value))
}

fn natural(at: &str, value: &Value) -> Result<u64, RequestError> {
    whole(value).ok_or_else(|| match value {
        Value::Number(found) => RequestError::new(at, format!("expected a whole number from 0, found {found}")),
        other => wrong(at, "a whole number from 0", other),
    })
}

fn strings(at: &str, value: &Value) -> Result<Vec<String>, RequestError> {
    let items = value.as_array().ok_or_else(|| wrong(at, "an array of strings", value))?;
    let read = |(i, item): (usize, &Value)| {
        item.as_str().map(str::to_owned).ok_or_else(|| wrong(format!("{at}[{i}]"), "a string", item))
    };
    items.iter().enumerate().map(read).collect()
}

/// Text is what comes unasked.
fn modalities(request: &mut ChatRequest, at: &str, value: &Value) -> Result<(), RequestError> {
    let words: Vec<String> = strings(at, value)?.iter().map(|word| word.to_ascii_lowercase()).collect();
    if words.iter().any(|word| word != "text") {
        keep(request, "modalities", words);
    }
    Ok(())
}

/// Structured output. A MIME type that is not JSON's (`text/x.enum`) stays with its schema among the rest.
fn format(request: &mut ChatRequest, generation: &Value, rest: &mut Map<String, Value>) {
    let googles = member(generation, "responseSchema");
    let schema = member(generation, "responseJsonSchema").cloned().or_else(|| googles.map(schema::json_schema));
    match text(generation, "responseMimeType") {
        Some("application/json") => {
            request.response_format = Some(match schema {
                None => ResponseFormat::JsonObject,
                Some(schema) => ResponseFormat::JsonSchema {
                    name: name(&schema),
                    description: None,
                    strict: crate::formats::schema::is_closed(&schema).then_some(true),
                    schema: Some(schema),
                },
            });
        }
        Some("text/plain") => request.response_format = Some(ResponseFormat::Text),
        other => {
            rest.extend(other.map(|kind| ("responseMimeType".to_owned(), kind.into())));
            rest.extend(googles.map(|schema| ("responseSchema".to_owned(), schema.clone())));
        }
    }
}

/// The schema's `title` where OpenAI would accept it as a name (letters, digits, `_`, `-`, at most 64), else `response`.
fn name(schema: &Value) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    let title = text(schema, "title").filter(|title| title.len() <= 64 && title.chars().all(fits));
    title.unwrap_or("response").to_owned()
}

fn blank(name: &str) -> Tool {
    Tool { name: name.to_owned(), description: None, parameters: None, strict: None, cache: None, builtin: None }
}

fn tools(request: &mut ChatRequest, value: &Value) -> Result<(), RequestError> {
    let tools = value.as_array().ok_or_else(|| wrong("tools", "an array", value))?;
    for (i, tool) in tools.iter().enumerate() {
        let at = format!("tools[{i}]");
        let members = tool.as_object().ok_or_else(|| wrong(at.as_str(), "a tool (an object)", tool))?;
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let name = camel(name);
            if name != "functionDeclarations" {
                // What Google itself runs: search, code, maps.
                let builtin = Some(json!({&name: value}));
                request.tools.push(Tool { builtin, ..blank(&name) });
                continue;
            }
            let at = format!("{at}.functionDeclarations");
            let all = value.as_array().ok_or_else(|| wrong(at.as_str(), "an array", value))?;
            for (j, function) in all.iter().enumerate() {
                request.tools.push(declaration(function, &format!("{at}[{j}]"))?);
            }
        }
    }
    Ok(())
}

fn declaration(function: &Value, at: &str) -> Result<Tool, RequestError> {
    let Some(name) = text(function, "name") else {
        return Err(RequestError::new(format!("{at}.name"), "missing or empty; expected the function's name"));
    };
    let googles = member(function, "parameters").map(schema::json_schema);
    Ok(Tool {
        description: member(function, "description").and_then(Value::as_str).map(str::to_owned),
        parameters: member(function, "parametersJsonSchema").cloned().or(googles),
        ..blank(name)
    })
}

/// `toolConfig`. It stays as it is beside its canonical meaning where that says less.
fn tool_config(request: &mut ChatRequest, value: &Value) -> Result<(), RequestError> {
    let Value::Object(members) = value else { return Err(wrong("toolConfig", "an object", value)) };
    let calling = member(value, "functionCallingConfig").unwrap_or(&Value::Null);
    let mut names = items(calling, "allowedFunctionNames").iter().filter_map(Value::as_str);
    let (first, more) = (names.next(), names.next().is_some());
    let mode = text(calling, "mode").map(str::to_ascii_uppercase);
    let choice = match (mode.as_deref(), first) {
        (Some("NONE"), _) => Some(ToolChoice::None),
        (Some("ANY"), None) => Some(ToolChoice::Required),
        (Some("ANY"), Some(name)) if !more => Some(ToolChoice::Named(name.to_owned())),
        (Some("AUTO" | "VALIDATED"), None) => Some(ToolChoice::Auto),
        (Some(mode), Some(_)) => {
            let function = |name: &Value| json!({"type": "function", "function": {"name": name}});
            let tools: Vec<Value> = items(calling, "allowedFunctionNames").iter().map(function).collect();
            let mode = if mode == "ANY" { "required" } else { "auto" };
            let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}});
            request.extra.insert("tool_choice".to_owned(), allowed);
            None
        }
        _ => None,
    };
    let whole = choice.is_some() && mode.as_deref() != Some("VALIDATED");
    request.tool_choice = choice;
    if !whole || members.len() > 1 {
        request.extra.insert("toolConfig".to_owned(), value.clone());
    }
    Ok(())
}
