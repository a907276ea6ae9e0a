//! What Converse refuses, in its words.

use super::kind;
use crate::cli::mock::json::{base64, fields, list, text};
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
const MOST_IMAGES: usize = 20;
const MOST_DOCUMENTS: usize = 5;

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
    conversation(body)?;
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

/// Roles that alternate, blocks in their place, and a result for each use of a tool.
fn conversation(body: &Value) -> Result<(), Refusal> {
    let messages = each(body, "messages")?;
    if messages.is_empty() {
        return Err(refuse(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        ));
    }
    let mut before = "assistant";
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        known(message, &["role", "content"], &format!("messages/{at}"))?;
        let role = text(message, "role");
        if !matches!(role, "user" | "assistant") {
            let path = format!("messages.{}.member.role", at.saturating_add(1));
            return Err(constraint(Some(role), &path, "satisfy enum value set: [user, assistant]"));
        }
        if role == before {
            return Err(refuse(if at == 0 {
                "A conversation must start with a user message. Try again with a conversation that starts with a user message."
            } else {
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again."
            }));
        }
        before = role;
        let content = each(message, "content")?;
        if content.is_empty() {
            return Err(refuse(format!(
                "The content field in the Message object at messages.{at} is empty. Add a ContentBlock object to the content field and try again."
            )));
        }
        let mut seen = Seen::default();
        for (n, one) in content.iter().enumerate() {
            block(one, role, &format!("messages.{at}.content.{n}"), &mut seen)?;
        }
        if (!seen.uses.is_empty() || !seen.results.is_empty()) && body.get("toolConfig").is_none_or(Value::is_null) {
            return Err(refuse(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
            ));
        }
        if seen.documents > 0 && !seen.text {
            return Err(refuse(format!(
                "The content field in the Message object at messages.{at} has a document, and must also have a text block. Add a text block and try again."
            )));
        }
        if seen.images > MOST_IMAGES || seen.documents > MOST_DOCUMENTS {
            return Err(refuse(format!(
                "The content field in the Message object at messages.{at} has too many images or documents: up to {MOST_IMAGES} and {MOST_DOCUMENTS} are allowed."
            )));
        }
        if seen.results.len() > open.len() {
            return Err(refuse(format!(
                "The number of toolResult blocks at messages.{at}.content exceeds the number of toolUse blocks of previous turn."
            )));
        }
        let missing: Vec<&str> = open.iter().filter(|id| !seen.results.contains(id)).copied().collect();
        if !missing.is_empty() {
            return Err(refuse(format!(
                "Expected toolResult blocks at messages.{at}.content for the following Ids: {}, but found: {}",
                missing.join(", "),
                seen.results.join(", ")
            )));
        }
        open = seen.uses;
    }
    if open.is_empty() {
        return Ok(());
    }
    Err(refuse(format!(
        "Expected toolResult blocks at messages.{}.content for the following Ids: {}",
        messages.len(),
        open.join(", ")
    )))
}

/// What the blocks of one message are.
#[derive(Default)]
struct Seen<'v> {
    text: bool,
    images: usize,
    documents: usize,
    uses: Vec<&'v str>,
    results: Vec<&'v str>,
}

fn block<'v>(block: &'v Value, role: &str, path: &str, seen: &mut Seen<'v>) -> Result<(), Refusal> {
    let only = fields(block).count();
    if only != 1 {
        return Err(malformed(&format!(
            "#/{}: a ContentBlock must have exactly one member set, found {only}",
            path.replace('.', "/")
        )));
    }
    let (name, held) = kind(block);
    let belongs = |to: &str| {
        if role == to {
            return Ok(());
        }
        Err(refuse(format!(
            "The {role} role can't have a {name} block at {path}. Move it to a message of the {to} role and try again."
        )))
    };
    match name {
        "text" => {
            if held.as_str().is_none_or(|said| said.trim().is_empty()) {
                return Err(refuse(format!(
                    "The text field in the ContentBlock object at {path} is blank. Add text to the text field, and try again."
                )));
            }
            seen.text = true;
        }
        "image" => {
            belongs("user")?;
            seen.images = seen.images.saturating_add(1);
            media(held, &["png", "jpeg", "gif", "webp"], &["format", "source"], path)?;
        }
        "document" => {
            belongs("user")?;
            seen.documents = seen.documents.saturating_add(1);
            media(
                held,
                &["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"],
                &["format", "name", "source", "context", "citations"],
                path,
            )?;
            document_name(text(held, "name"))?;
        }
        "video" => belongs("user")?,
        "toolUse" => {
            belongs("assistant")?;
            known(held, &["toolUseId", "name", "input", "type"], path)?;
            token(text(held, "toolUseId"), &format!("{path}.toolUse.toolUseId"))?;
            token(text(held, "name"), &format!("{path}.toolUse.name"))?;
            if !held.get("input").is_some_and(Value::is_object) {
                return Err(refuse(format!(
                    "The format of the value at {path}.toolUse.input is invalid. Provide a json object for the field and try again."
                )));
            }
            if seen.uses.contains(&text(held, "toolUseId")) {
                return Err(refuse(format!(
                    "The content at {path} has a toolUseId that is used twice: {}",
                    text(held, "toolUseId")
                )));
            }
            seen.uses.push(text(held, "toolUseId"));
        }
        "toolResult" => {
            belongs("user")?;
            known(held, &["toolUseId", "content", "status", "type"], path)?;
            token(text(held, "toolUseId"), &format!("{path}.toolResult.toolUseId"))?;
            if !matches!(
                held.get("status").map_or("success", |status| status.as_str().unwrap_or_default()),
                "success" | "error"
            ) {
                return Err(constraint(
                    Some(text(held, "status")),
                    &format!("{path}.toolResult.status"),
                    "satisfy enum value set: [success, error]",
                ));
            }
            for inner in each(held, "content")? {
                match kind(inner) {
                    ("json", data) if data.is_object() => {}
                    ("json", _) => {
                        return Err(refuse(format!(
                            "The format of the value at {path}.toolResult.content.json is invalid. Provide a json object for the field and try again."
                        )));
                    }
                    ("image", image) => media(image, &["png", "jpeg", "gif", "webp"], &["format", "source"], path)?,
                    ("text" | "document" | "video" | "searchResult", _) => {}
                    (other, _) => {
                        return Err(malformed(&format!(
                            "#/{path}/toolResult/content: extraneous key [{other}] is not permitted"
                        )));
                    }
                }
            }
            seen.results.push(text(held, "toolUseId"));
        }
        "reasoningContent" => {
            belongs("assistant")?;
            match kind(held) {
                ("reasoningText", said) if said.get("text").is_some_and(Value::is_string) => {}
                ("redactedContent", Value::String(bytes)) if base64(bytes).is_some() => {}
                _ => {
                    return Err(malformed(&format!(
                        "#/{path}/reasoningContent: expected reasoningText with text, or redactedContent in base64"
                    )));
                }
            }
        }
        "cachePoint" => cache_point(held)?,
        "guardContent" | "searchResult" | "citationsContent" => {}
        other => {
            return Err(malformed(&format!("#/{}: extraneous key [{other}] is not permitted", path.replace('.', "/"))));
        }
    }
    Ok(())
}

/// A picture or a document: its format and one source.
fn media(held: &Value, formats: &[&str], names: &[&str], path: &str) -> Result<(), Refusal> {
    known(held, names, path)?;
    let format = text(held, "format");
    if !formats.contains(&format) {
        return Err(constraint(
            Some(format),
            &format!("{path}.format"),
            &format!("satisfy enum value set: [{}]", formats.join(", ")),
        ));
    }
    match held.get("source").map(kind) {
        Some(("bytes", Value::String(bytes))) => match base64(bytes) {
            Some(bytes) if !bytes.is_empty() => Ok(()),
            Some(_) => {
                Err(constraint(Some(""), &format!("{path}.source.bytes"), "have length greater than or equal to 1"))
            }
            None => Err(malformed(&format!("#/{path}/source/bytes: not valid base64"))),
        },
        Some(("s3Location" | "text" | "content", _)) => Ok(()),
        Some((other, _)) => Err(malformed(&format!("#/{path}/source: extraneous key [{other}] is not permitted"))),
        None => Err(constraint(None, &format!("{path}.source"), "not be null")),
    }
}

fn document_name(name: &str) -> Result<(), Refusal> {
    let known = |c: char| c.is_ascii_alphanumeric() || c.is_whitespace() || matches!(c, '-' | '(' | ')' | '[' | ']');
    let double = name.chars().zip(name.chars().skip(1)).any(|(a, b)| a.is_whitespace() && b.is_whitespace());
    if name.is_empty() || name.len() > 200 || double || !name.chars().all(known) {
        return Err(refuse(
            "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character.",
        ));
    }
    Ok(())
}
