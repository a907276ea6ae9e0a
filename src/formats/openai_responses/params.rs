//! Parameters of a request that are more than a number or a word: tools, the choice among them, the form of the text.

use super::super::RequestError;
use super::super::canonical::{ResponseFormat, Tool, ToolChoice};
use super::{given, kind, list, required, text, wrong};
use serde_json::{Map, Value, json};

pub(super) fn tools(value: &Value) -> Result<Vec<Tool>, RequestError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(tools) => {
            tools.iter().enumerate().map(|(i, tool)| read_tool(tool, &format!("tools[{i}]"))).collect()
        }
        other => Err(wrong("tools", other, "an array of tools")),
    }
}

fn read_tool(tool: &Value, at: &str) -> Result<Tool, RequestError> {
    if !tool.is_object() {
        return Err(wrong(at, tool, "a tool (an object)"));
    }
    let blank = |name: &str| Tool {
        name: name.to_owned(),
        description: None,
        parameters: None,
        strict: None,
        cache: None,
        builtin: None,
    };
    let kind = required(tool, at, "type", "such as `function`")?;
    if kind != "function" {
        return Ok(Tool { builtin: Some(tool.clone()), ..blank(text(tool, "name").unwrap_or(kind)) });
    }
    Ok(Tool {
        description: tool.get("description").and_then(Value::as_str).map(str::to_owned),
        parameters: given(tool, "parameters").cloned(),
        strict: match given(tool, "strict") {
            None => None,
            Some(Value::Bool(strict)) => Some(*strict),
            Some(other) => return Err(wrong(format!("{at}.strict"), other, "a boolean")),
        },
        ..blank(required(tool, at, "name", "the function's name")?)
    })
}

/// What a `tool_choice` says.
pub(super) enum Choice {
    /// What the canonical form knows.
    Known(ToolChoice),
    /// Anything else, in the words of Chat Completions where that has any.
    Other(Value),
}

pub(super) fn tool_choice(value: &Value) -> Result<Option<Choice>, RequestError> {
    let expected = "`auto`, `none`, `required` or an object such as `{\"type\": \"function\", \"name\": …}`";
    Ok(Some(Choice::Known(match value {
        Value::Null => return Ok(None),
        Value::String(word) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            other => return Err(RequestError::new("tool_choice", format!("found `{other}`, expected {expected}"))),
        },
        Value::Object(_) => match required(value, "tool_choice", "type", "such as `function`")? {
            "function" => ToolChoice::Named(required(value, "tool_choice", "name", "the function's name")?.to_owned()),
            "allowed_tools" => return Ok(Some(Choice::Other(allowed_to_chat(value)))),
            _ => return Ok(Some(Choice::Other(value.clone()))),
        },
        other => return Err(wrong("tool_choice", other, expected)),
    })))
}

/// `allowed_tools` is nested once more in Chat Completions, and so are the functions in it.
fn allowed_to_chat(value: &Value) -> Value {
    let tools = list(value, "tools").iter().map(|tool| match text(tool, "name") {
        Some(name) if kind(tool) == "function" => json!({"type": "function", "function": {"name": name}}),
        _ => tool.clone(),
    });
    let tools: Vec<Value> = tools.collect();
    json!({"type": "allowed_tools", "allowed_tools": {"mode": value.get("mode"), "tools": tools}})
}

/// The choice as this format says it, where it can: [`Choice::Other`] and what came from Chat Completions.
pub(super) fn choice_from_chat(value: &Value) -> Value {
    let Some(allowed) = given(value, "allowed_tools").filter(|_| kind(value) == "allowed_tools") else {
        return value.clone();
    };
    let tools = list(allowed, "tools").iter().map(|tool| match tool.get("function").and_then(|f| text(f, "name")) {
        Some(name) => json!({"type": "function", "name": name}),
        None => tool.clone(),
    });
    let tools: Vec<Value> = tools.collect();
    json!({"type": "allowed_tools", "mode": allowed.get("mode"), "tools": tools})
}

/// What `text.format` asks for; `None` for kinds that the canonical form has no word for.
pub(super) fn text_format(value: &Value) -> Result<Option<ResponseFormat>, RequestError> {
    let at = "text.format";
    if !value.is_object() {
        return Err(wrong(at, value, "an object such as `{\"type\": \"text\"}`"));
    }
    Ok(match required(value, at, "type", "`text`, `json_object` or `json_schema`")? {
        "text" => Some(ResponseFormat::Text),
        "json_object" => Some(ResponseFormat::JsonObject),
        "json_schema" => match value.get("schema") {
            Some(schema @ Value::Object(_)) => Some(ResponseFormat::JsonSchema {
                name: text(value, "name").unwrap_or("response").to_owned(),
                description: text(value, "description").map(str::to_owned),
                schema: Some(schema.clone()),
                strict: value.get("strict").and_then(Value::as_bool),
            }),
            None | Some(Value::Null) => {
                return Err(RequestError::new("text.format.schema", "missing; expected a JSON Schema (an object)"));
            }
            Some(other) => return Err(wrong("text.format.schema", other, "a JSON Schema (an object)")),
        },
        _ => None,
    })
}

/// `text.format` for a form of output.
pub(super) fn write_text_format(format: &ResponseFormat) -> Value {
    match format {
        ResponseFormat::Text => json!({"type": "text"}),
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { name, description, schema, strict } => {
            let mut format = Map::new();
            format.insert("type".to_owned(), "json_schema".into());
            format.insert("name".to_owned(), if name.is_empty() { "response" } else { name }.into());
            super::put(&mut format, "description", description.clone());
            format.insert("schema".to_owned(), schema.clone().unwrap_or_else(|| json!({"type": "object"})));
            super::put(&mut format, "strict", *strict);
            format.into()
        }
    }
}

/// `tool_choice` for a choice.
pub(super) fn write_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => json!({"type": "function", "name": name}),
    }
}

/// A function. Where `strict` is not said this format takes it for true, every other one for false
/// (<https://platform.openai.com/docs/guides/function-calling>, 2026-11-21), so it is said.
pub(super) fn write_function(tool: &Tool, strict: Option<bool>) -> Value {
    let mut function = Map::new();
    function.insert("type".to_owned(), "function".into());
    function.insert("name".to_owned(), tool.name.clone().into());
    super::put(&mut function, "description", tool.description.clone());
    function.insert("parameters".to_owned(), tool.parameters.clone().unwrap_or_default());
    super::put(&mut function, "strict", strict);
    function.into()
}
