//! Tools and how to choose among them, as they are written.

use super::schema::for_google;
use super::write::Draft;
use crate::formats::RequestError;
use crate::formats::canonical::{Tool, ToolChoice};
use serde_json::{Map, Value, json};

pub(super) fn write(draft: &mut Draft<'_>) -> Result<(), RequestError> {
    let request = draft.request;
    let mut declarations = Vec::new();
    let mut tools = Vec::new();
    // All functions stand together, where the first of them stood.
    let mut place = 0;
    for (i, tool) in request.tools.iter().enumerate() {
        match &tool.builtin {
            None => {
                place = if declarations.is_empty() { tools.len() } else { place };
                declarations.push(declaration(draft, tool));
            }
            Some(builtin) if draft.native => tools.push(builtin.clone()),
            Some(builtin) => {
                let kind = builtin.get("type").and_then(Value::as_str).unwrap_or(&tool.name);
                let message = format!("a tool of type `{kind}` has no counterpart at this provider; send functions");
                return Err(RequestError::new(format!("tools[{i}]"), message));
            }
        }
    }
    let functions = !declarations.is_empty();
    if functions {
        tools.insert(place, json!({"functionDeclarations": declarations}));
    }
    if !tools.is_empty() {
        draft.body.insert("tools".to_owned(), tools.into());
    }
    if functions {
        if let Some(config) = choice(draft)? {
            draft.body.insert("toolConfig".to_owned(), json!({"functionCallingConfig": config}));
        }
        if request.parallel_tool_calls == Some(false) {
            draft.note("parallel_tool_calls");
        }
    }
    Ok(())
}

/// `parametersJsonSchema` takes JSON Schema as it is; `parameters` takes a subset of OpenAPI's schemas, without
/// references, unions of types or constants, and would need them rewritten
/// (<https://ai.google.dev/api/caching#FunctionDeclaration>, 2026-11-21).
fn declaration(draft: &mut Draft<'_>, tool: &Tool) -> Value {
    let mut out = Map::new();
    out.insert("name".to_owned(), tool.name.clone().into());
    if let Some(description) = &tool.description {
        out.insert("description".to_owned(), description.clone().into());
    }
    if let Some(schema @ Value::Object(_)) = &tool.parameters {
        out.insert("parametersJsonSchema".to_owned(), for_google(schema));
    }
    if tool.cache.is_some() {
        draft.note("cache_control");
    }
    out.into()
}

/// `functionCallingConfig`. Mode `ANY` holds calls to their schemas; where the model may also answer with words, mode
/// `VALIDATED` does (<https://ai.google.dev/gemini-api/docs/function-calling>, 2026-11-21).
fn choice(draft: &mut Draft<'_>) -> Result<Option<Value>, RequestError> {
    let request = draft.request;
    if draft.native && request.extra.contains_key("toolConfig") {
        return Ok(None);
    }
    let strict = request.tools.iter().any(|tool| tool.strict == Some(true));
    let free = |draft: &mut Draft<'_>| match strict {
        true if draft.abilities.since_2_5 => "VALIDATED",
        true => {
            draft.note("strict");
            "AUTO"
        }
        false => "AUTO",
    };
    let config = match &request.tool_choice {
        Some(ToolChoice::None) => json!({"mode": "NONE"}),
        Some(ToolChoice::Required) => json!({"mode": "ANY"}),
        Some(ToolChoice::Named(name)) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        Some(ToolChoice::Auto) => json!({"mode": free(draft)}),
        None => match request.extra.get("tool_choice") {
            Some(choice) => allowed(draft, choice)?,
            None if strict => json!({"mode": free(draft)}),
            None => return Ok(None),
        },
    };
    Ok(Some(config))
}

/// OpenAI's `{"type": "allowed_tools", "allowed_tools": {"mode", "tools"}}`
/// (<https://platform.openai.com/docs/api-reference/chat/create>, 2026-11-21). Names can be given with modes that hold
/// calls to them.
fn allowed(draft: &Draft<'_>, choice: &Value) -> Result<Value, RequestError> {
    let refuse =
        |what: &str| Err(RequestError::new("tool_choice", format!("{what}; leave it out, or name another model")));
    let Some(allowed) = choice.get("allowed_tools").filter(|allowed| allowed.is_object()) else {
        return refuse("this provider chooses among functions, or must call one or none");
    };
    let name = |tool: &Value| tool.pointer("/function/name").and_then(Value::as_str).map(str::to_owned);
    let tools = allowed.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names: Option<Vec<String>> = tools.iter().map(name).collect();
    let Some(names) = names.filter(|names| !names.is_empty()) else {
        return refuse("this provider can be limited to some functions, not to other tools");
    };
    match allowed.get("mode").and_then(Value::as_str) {
        Some("required") => Ok(json!({"mode": "ANY", "allowedFunctionNames": names})),
        _ if draft.abilities.since_2_5 => Ok(json!({"mode": "VALIDATED", "allowedFunctionNames": names})),
        _ => refuse("this model can be limited to some tools only where it must call one"),
    }
}
