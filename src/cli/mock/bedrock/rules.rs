//! What Converse refuses, in its words.

mod conversation;

use super::kind;
use crate::cli::mock::json::{fields, list, text};
use crate::cli::mock::refusal::Refusal;
use serde_json::Value;

const KNOWN: &[&str] = &[
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "promptVariables",
    "additionalModelResponseFieldPaths",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
];
const MOST_CACHE_POINTS: usize = 4;

fn refuse(message: impl Into<String>) -> Refusal {
    Refusal::bad(message)
}

/// JSON that is not of the API's shape.
pub(super) fn malformed(why: &str) -> Refusal {
    refuse(format!("Malformed input request: {why}, please reformat your input and try again."))
}

/// A value that breaks a constraint of the API's model.
fn constraint(value: Option<&str>, path: &str, why: &str) -> Refusal {
    let value = value.map_or_else(|| "Value".to_owned(), |value| format!("Value '{value}'"));
    refuse(format!("1 validation error detected: {value} at '{path}' failed to satisfy constraint: Member must {why}"))
}

fn known(value: &Value, names: &[&str], path: &str) -> Result<(), Refusal> {
    if !value.is_object() {
        return Err(malformed(&format!("#/{path}: expected type: JSONObject, found: {}", name_of(value))));
    }
    match fields(value).find(|(name, _)| !names.contains(&name.as_str())) {
        Some((name, _)) => Err(malformed(&format!("#/{path}: extraneous key [{name}] is not permitted"))),
        None => Ok(()),
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(_) => "Number",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    }
}

/// Checks a Converse request.
pub(super) fn converse(body: &Value, model: &str) -> Result<(), Refusal> {
    known(body, KNOWN, "")?;
    let claude = model.contains("anthropic");
    inference(body)?;
    for (at, block) in each(body, "system")?.iter().enumerate() {
        match kind(block) {
            ("text", said) if said.as_str().is_some_and(|said| !said.trim().is_empty()) => {}
            ("text", _) => {
                return Err(refuse(format!(
                    "The text field in the SystemContentBlock object at system.{at} is blank. Add text to the text field, and try again."
                )));
            }
            ("cachePoint", point) => cache_point(point)?,
            ("guardContent", _) => {}
            (name, _) => return Err(malformed(&format!("#/system/{at}: extraneous key [{name}] is not permitted"))),
        }
    }
    tools(body, model)?;
    if claude {
        thinking(body)?;
    }
    conversation::conversation(body)?;
    let points = serde_json::to_string(body).unwrap_or_default().matches("\"cachePoint\":").count();
    if points > MOST_CACHE_POINTS {
        return Err(refuse(format!(
            "The model returned the following errors: A maximum of {MOST_CACHE_POINTS} blocks with cache_control may be provided. Found {points}."
        )));
    }
    Ok(())
}

/// A list that may be missing, not of another type.
fn each<'v>(body: &'v Value, name: &str) -> Result<&'v [Value], Refusal> {
    match body.get(name) {
        None | Some(Value::Null | Value::Array(_)) => Ok(list(body, name)),
        Some(other) => Err(malformed(&format!("#/{name}: expected type: JSONArray, found: {}", name_of(other)))),
    }
}

fn inference(body: &Value) -> Result<(), Refusal> {
    let Some(config) = body.get("inferenceConfig").filter(|config| !config.is_null()) else { return Ok(()) };
    known(config, &["maxTokens", "temperature", "topP", "stopSequences"], "inferenceConfig")?;
    match config.get("maxTokens") {
        None | Some(Value::Null) => {}
        Some(limit) => match limit.as_i64() {
            Some(1..) => {}
            Some(limit) => {
                let why = "have value greater than or equal to 1";
                return Err(constraint(Some(&limit.to_string()), "inferenceConfig.maxTokens", why));
            }
            None => return Err(malformed("#/inferenceConfig/maxTokens: expected type: Integer")),
        },
    }
    for name in ["temperature", "topP"] {
        let path = format!("inferenceConfig.{name}");
        match config.get(name) {
            None | Some(Value::Null) => {}
            Some(found) => match found.as_f64() {
                Some(n) if n > 1.0 => {
                    return Err(constraint(Some(&n.to_string()), &path, "have value less than or equal to 1"));
                }
                Some(n) if n < 0.0 => {
                    return Err(constraint(Some(&n.to_string()), &path, "have value greater than or equal to 0"));
                }
                Some(_) => {}
                None => return Err(malformed(&format!("#/inferenceConfig/{name}: expected type: Number"))),
            },
        }
    }
    for (at, stop) in each(config, "stopSequences")?.iter().enumerate() {
        if stop.as_str().is_none_or(str::is_empty) {
            let path = format!("inferenceConfig.stopSequences.{}.member", at.saturating_add(1));
            return Err(constraint(stop.as_str(), &path, "have length greater than or equal to 1"));
        }
    }
    Ok(())
}

/// `thinking` of Claude, which Converse only hands on
/// (<https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html>, 2026-11-21).
fn thinking(body: &Value) -> Result<(), Refusal> {
    let extra = body.get("additionalModelRequestFields").unwrap_or(&Value::Null);
    let said = |why: &str| refuse(format!("The model returned the following errors: {why}"));
    for name in ["max_tokens", "temperature", "stop_sequences", "system", "messages", "tools", "model", "stream"] {
        if extra.get(name).is_some() {
            return Err(refuse(format!(
                "The additional field {name} conflicts with an existing field. Remove it from additionalModelRequestFields and try again."
            )));
        }
    }
    if extra.pointer("/thinking/type").and_then(Value::as_str) != Some("enabled") {
        return Ok(());
    }
    let Some(budget) = extra.pointer("/thinking/budget_tokens").and_then(Value::as_u64) else {
        return Err(said("thinking.enabled.budget_tokens: Field required"));
    };
    if budget < 1_024 {
        return Err(said("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"));
    }
    if body.pointer("/inferenceConfig/maxTokens").and_then(Value::as_u64).is_some_and(|limit| limit <= budget) {
        return Err(said("`max_tokens` must be greater than `thinking.budget_tokens`."));
    }
    if body
        .pointer("/inferenceConfig/temperature")
        .and_then(Value::as_f64)
        .is_some_and(|t| (t - 1.0).abs() > f64::EPSILON)
    {
        return Err(said("`temperature` may only be set to 1 when thinking is enabled."));
    }
    if body.pointer("/toolConfig/toolChoice").is_some_and(|choice| kind(choice).0 != "auto") {
        return Err(said("Thinking may not be enabled when tool_choice forces tool use."));
    }
    Ok(())
}

/// The name of a tool, or the id of its use.
fn token(found: &str, path: &str) -> Result<(), Refusal> {
    if found.is_empty() {
        return Err(constraint(Some(""), path, "have length greater than or equal to 1"));
    }
    if found.len() > 64 {
        return Err(constraint(Some(found), path, "have length less than or equal to 64"));
    }
    if !found.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        return Err(constraint(Some(found), path, "satisfy regular expression pattern: [a-zA-Z0-9_-]+"));
    }
    Ok(())
}

fn cache_point(point: &Value) -> Result<(), Refusal> {
    known(point, &["type", "ttl"], "cachePoint")?;
    if text(point, "type") != "default" {
        return Err(constraint(Some(text(point, "type")), "cachePoint.type", "satisfy enum value set: [default]"));
    }
    match point.get("ttl").and_then(Value::as_str) {
        None | Some("5m" | "1h") => Ok(()),
        Some(other) => Err(constraint(Some(other), "cachePoint.ttl", "satisfy enum value set: [5m, 1h]")),
    }
}

fn tools(body: &Value, model: &str) -> Result<(), Refusal> {
    let Some(config) = body.get("toolConfig").filter(|config| !config.is_null()) else { return Ok(()) };
    known(config, &["tools", "toolChoice"], "toolConfig")?;
    let tools = each(config, "tools")?;
    if tools.is_empty() {
        return Err(constraint(Some("[]"), "toolConfig.tools", "have length greater than or equal to 1"));
    }
    let mut names = Vec::new();
    for (at, tool) in tools.iter().enumerate() {
        let spec = match kind(tool) {
            ("toolSpec", spec) => spec,
            ("cachePoint", point) => {
                cache_point(point)?;
                continue;
            }
            ("systemTool", _) => continue,
            (name, _) => {
                return Err(malformed(&format!("#/toolConfig/tools/{at}: extraneous key [{name}] is not permitted")));
            }
        };
        known(spec, &["name", "description", "inputSchema", "strict"], &format!("toolConfig/tools/{at}/toolSpec"))?;
        let path = format!("toolConfig.tools.{}.member.toolSpec", at.saturating_add(1));
        token(text(spec, "name"), &format!("{path}.name"))?;
        if spec.get("description").is_some_and(|d| d.as_str().is_none_or(str::is_empty)) {
            return Err(constraint(Some(""), &format!("{path}.description"), "have length greater than or equal to 1"));
        }
        match spec.pointer("/inputSchema/json") {
            None => return Err(constraint(None, &format!("{path}.inputSchema"), "not be null")),
            Some(schema) if schema.get("type").and_then(Value::as_str) != Some("object") => {
                return Err(refuse(format!(
                    "The value at toolConfig.tools.{at}.toolSpec.inputSchema.json.type must be one of the following: object."
                )));
            }
            Some(_) => {}
        }
        if names.contains(&text(spec, "name")) {
            return Err(refuse("The model returned the following errors: tools: Tool names must be unique."));
        }
        names.push(text(spec, "name"));
    }
    match config.get("toolChoice").map(kind) {
        None | Some(("auto", _)) => Ok(()),
        // https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html, 2026-11-21.
        Some((forced @ ("any" | "tool"), _)) if model.contains("llama") => Err(refuse(format!(
            "This model doesn't support the toolConfig.toolChoice.{forced} field. Remove toolConfig.toolChoice.{forced} and try again."
        ))),
        Some(("any", _)) => Ok(()),
        Some(("tool", tool)) if names.contains(&text(tool, "name")) => Ok(()),
        Some(("tool", tool)) => Err(refuse(format!(
            "The model returned the following errors: Tool '{}' not found in provided tools",
            text(tool, "name")
        ))),
        Some((other, _)) => {
            Err(malformed(&format!("#/toolConfig/toolChoice: extraneous key [{other}] is not permitted")))
        }
    }
}
