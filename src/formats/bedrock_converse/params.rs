//! Writes everything of a request but the conversation.

use super::model::Family;
use super::reasoning::{self, Asked};
use super::turns::{Conversation, cache_point};
use super::write::Draft;
use crate::formats::canonical::{ResponseFormat, Tool, ToolChoice};
use crate::formats::schema::hold_claude;
use crate::formats::{Format, RequestError};
use serde_json::{Map, Number, Value, json};
use std::collections::BTreeMap;

/// This format's own parameters: a client of another format that names one means it.
const OWN: [&str; 7] = [
    "guardrailConfig",
    "performanceConfig",
    "requestMetadata",
    "serviceTier",
    "promptVariables",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
];

pub(super) fn write(draft: &mut Draft<'_>, conversation: &Conversation) -> Result<(), RequestError> {
    let request = draft.request;
    for (name, value) in &request.extra {
        if draft.native || OWN.contains(&name.as_str()) {
            draft.set(name, value.clone());
        }
    }
    if !draft.native {
        check_extra(draft)?;
    }
    write_format(draft)?;
    write_tools(draft, conversation)?;
    let asked = reasoning::write(draft, conversation);
    crate::formats::some_output(request)?;
    if let Some(limit) = request.max_tokens {
        draft.set_in("inferenceConfig", "maxTokens", limit);
    }
    write_sampling(draft, asked);
    let keep = |stop: &&String| draft.native || !stop.trim().is_empty();
    let stop: Vec<Value> = request.stop.iter().filter(keep).map(|s| json!(s)).collect();
    if stop.len() < request.stop.len() {
        draft.note("stop");
    }
    if !stop.is_empty() {
        draft.set_in("inferenceConfig", "stopSequences", stop);
        // Clients of Anthropic's format are told which one was met; a whole Claude answer says so when asked.
        let asks = request.source == Some(Format::AnthropicMessages) && draft.model.family == Family::Claude;
        if asks && !request.stream && !draft.body.contains_key("additionalModelResponseFieldPaths") {
            draft.set("additionalModelResponseFieldPaths", json!(["/stop_sequence"]));
        }
    }
    if request.user.is_some() {
        draft.note("user");
    }
    Ok(())
}

/// Parameters of other formats. Those without which the answer would mean something else are refused; those that only
/// steer are noted; those that say what holds anyway are passed over.
fn check_extra(draft: &mut Draft<'_>) -> Result<(), RequestError> {
    let request = draft.request;
    for (name, value) in &request.extra {
        let refuse = |what: &str| Err(RequestError::new(name, format!("{what}; leave it out, or name another model")));
        let zero = value.as_f64() == Some(0.0);
        let blank = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
        match name.as_str() {
            // Said with nothing in it, it is said all the same.
            "web_search_options" => return refuse("this provider's web search is asked for in another way"),
            _ if value.is_null() || *value == Value::Bool(false) || blank => {}
            _ if OWN.contains(&name.as_str()) => {}
            "n" if value.as_u64() == Some(1) => {}
            "n" => return refuse(&format!("this provider gives one choice, {value} were asked for")),
            "logprobs" => return refuse("this provider reports no log probabilities"),
            "top_logprobs" if !zero => return refuse("this provider reports no log probabilities"),
            "logit_bias" => return refuse("this provider cannot bias tokens"),
            "modalities" if value.as_array().is_some_and(|all| all.iter().any(|one| one != "text")) => {
                return refuse("this provider answers with text only");
            }
            "audio" => return refuse("this provider answers with text only"),
            "functions" | "function_call" => return refuse("this provider knows `tools` only"),
            "tool_choice" => return refuse("this provider chooses among all tools, or must call one"),
            "response_format" => return refuse("this provider's output follows a JSON Schema or nothing"),
            "mcp_servers" => return refuse("this provider's format has no MCP servers"),
            // Said again in the canonical form.
            "thinking" | "reasoning" | "enable_thinking" | "output_config" if request.reasoning.is_some() => {}
            // How much a Claude shall say; apart from thinking.
            "output_config" if draft.model.family == Family::Claude => {
                if let Some(effort) = value.get("effort") {
                    draft.set_own(name, json!({"effort": effort}));
                }
            }
            "top_logprobs" | "modalities" | "stream_options" => {}
            "frequency_penalty" | "presence_penalty" if zero => {}
            "anthropic_beta" if draft.model.family == Family::Claude => draft.set_own(name, value.clone()),
            "service_tier" => write_tier(draft, value),
            "metadata" => write_metadata(draft, value),
            _ => draft.note(name),
        }
    }
    Ok(())
}

/// `serviceTier.type` (<https://docs.aws.amazon.com/bedrock/latest/userguide/service-tiers-inference.html>, 2026-11-21).
fn write_tier(draft: &mut Draft<'_>, value: &Value) {
    match value.as_str() {
        // What holds without a word.
        Some("auto") => {}
        Some("default" | "standard_only" | "standard") => draft.set("serviceTier", json!({"type": "default"})),
        Some(tier @ ("priority" | "flex" | "reserved")) => draft.set("serviceTier", json!({"type": tier})),
        _ => draft.note("service_tier"),
    }
}

/// `requestMetadata`: at most 16 pairs of text of some characters
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>, 2026-11-21). It marks the call in
/// the invocation log; what does not fit is left out.
fn write_metadata(draft: &mut Draft<'_>, value: &Value) {
    let fits = |text: &str| {
        let char_fits = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":_@$#=/+,-.".contains(c);
        text.len() <= 256 && text.chars().all(char_fits)
    };
    let mut kept = Map::new();
    let mut lost = value.as_object().is_none();
    for (key, value) in value.as_object().into_iter().flatten() {
        // Named apart, as the request's user.
        if key == "user_id" {
            continue;
        }
        match value.as_str() {
            Some(text) if kept.len() < 16 && !key.is_empty() && fits(key) && fits(text) => {
                kept.insert(key.clone(), json!(text));
            }
            _ => lost = true,
        }
    }
    if lost {
        draft.note("metadata");
    }
    if !kept.is_empty() {
        draft.set("requestMetadata", kept);
    }
}

fn write_sampling(draft: &mut Draft<'_>, asked: Asked) {
    let request = draft.request;
    let (mut temperature, mut top_p, mut top_k) = (request.temperature.clone(), request.top_p.clone(), request.top_k);
    if !draft.native {
        let claude = draft.model.family == Family::Claude;
        let abilities = draft.model.claude;
        let sampling = !claude || abilities.sampling;
        let is_one = |n: &Number| n.as_f64() == Some(1.0);
        if temperature.as_ref().and_then(|t| t.as_f64()).is_some_and(|t| t > 1.0) {
            temperature = Some(1.into());
            draft.note("temperature");
        }
        // A default can be left out unsaid.
        if asked.thinks || asked.high || !sampling {
            if temperature.take().is_some_and(|t| !is_one(&t)) {
                draft.note("temperature");
            }
            let fits = |p: &Number| sampling && !asked.high && p.as_f64().is_some_and(|p| p >= 0.95);
            if top_p.as_ref().is_some_and(|p| !fits(p)) && top_p.take().is_some_and(|p| !is_one(&p)) {
                draft.note("top_p");
            }
            if top_k.take().is_some() {
                draft.note("top_k");
            }
        }
        if claude
            && !abilities.both
            && let (Some(t), Some(p)) = (&temperature, &top_p)
        {
            if is_one(t) && !is_one(p) {
                temperature = None;
            } else {
                if !is_one(p) {
                    draft.note("top_p");
                }
                top_p = None;
            }
        }
    }
    if let Some(temperature) = temperature {
        draft.set_in("inferenceConfig", "temperature", Value::Number(temperature));
    }
    if let Some(top_p) = top_p {
        draft.set_in("inferenceConfig", "topP", Value::Number(top_p));
    }
    if let Some(top_k) = top_k {
        match draft.model.family {
            Family::Nova | Family::Nova2 => draft.set_own("inferenceConfig", json!({"topK": top_k})),
            Family::Cohere => draft.set_own("k", top_k),
            Family::Titan | Family::Llama | Family::OpenAi | Family::GptOss if !draft.native => draft.note("top_k"),
            _ => draft.set_own("top_k", top_k),
        }
    }
}

/// `outputConfig.textFormat`. This format has no wordless JSON mode, and some models have no schemas either: those get an
/// instruction instead, with a note, unless the client insists on a strict schema.
fn write_format(draft: &mut Draft<'_>) -> Result<(), RequestError> {
    let request = draft.request;
    let format = match &request.response_format {
        None | Some(ResponseFormat::Text) => return Ok(()),
        Some(ResponseFormat::JsonObject) => None,
        Some(ResponseFormat::JsonSchema { name, description, schema: Some(schema), strict }) => {
            Some((name, description, schema, *strict))
        }
        Some(ResponseFormat::JsonSchema { schema: None, .. }) => None,
    };
    let mut text = "Answer with one valid JSON object and nothing else: no prose, no code fence.".to_owned();
    match format {
        Some((name, description, schema, _)) if draft.native || draft.model.structured => {
            let mut schema = schema.clone();
            if !draft.native && hold_claude(&mut schema) {
                draft.note("response_format.schema");
            }
            let mut inner = Map::new();
            inner.insert("schema".to_owned(), json!(schema.to_string()));
            inner.insert("name".to_owned(), json!(name));
            if let Some(description) = description {
                inner.insert("description".to_owned(), json!(description));
            }
            let format = json!({"type": "json_schema", "structure": {"jsonSchema": inner}});
            draft.set_in("outputConfig", "textFormat", format);
            return Ok(());
        }
        Some((.., Some(true))) => {
            let message = format!("`{}` cannot be held to a schema; leave out `strict`", draft.outgoing.model);
            return Err(RequestError::new("response_format.json_schema.strict", message));
        }
        Some((_, _, schema, _)) => {
            text.push_str(" It must match this JSON Schema: ");
            text.push_str(&schema.to_string());
        }
        None => {}
    }
    draft.instructions.push(text);
    draft.note("response_format");
    Ok(())
}

/// What stands for a tool that may not be called now, but was before: a history of calls is refused without its tools.
const WITHDRAWN: &str = "Not available now. Do not call it.";

fn write_tools(draft: &mut Draft<'_>, conversation: &Conversation) -> Result<(), RequestError> {
    let request = draft.request;
    let none = request.tool_choice == Some(ToolChoice::None);
    if !draft.native && (none || request.tools.is_empty()) {
        let (mut names, any) = conversation.called();
        if names.is_empty() && any {
            names.push("withdrawn".to_owned());
        }
        // Of tools of one name the first counts.
        let tools = request.tools.iter().rev();
        let parameters: BTreeMap<&str, Option<&Value>> =
            tools.map(|tool| (tool.name.as_str(), tool.parameters.as_ref())).collect();
        let spec = |name: &String| {
            let known = parameters.get(name.as_str()).copied().flatten();
            json!({"toolSpec": {"name": name, "description": WITHDRAWN, "inputSchema": {"json": schema(known)}}})
        };
        let tools: Vec<Value> = names.iter().map(spec).collect();
        if !tools.is_empty() {
            draft.set("toolConfig", json!({"tools": tools}));
        }
        return Ok(());
    }
    let mut tools = Vec::with_capacity(request.tools.len());
    for (i, tool) in request.tools.iter().enumerate() {
        tools.push(write_tool(draft, tool, i)?);
        if let Some(cache) = &tool.cache {
            tools.extend(cache_point(draft, cache, draft.model.caches_tools));
        }
    }
    if tools.is_empty() {
        return Ok(());
    }
    draft.set_in("toolConfig", "tools", tools);
    let (choice, word) = match &request.tool_choice {
        None | Some(ToolChoice::None) => (None, "auto"),
        Some(ToolChoice::Auto) => (Some(json!({"auto": {}})), "auto"),
        Some(ToolChoice::Required) => (Some(json!({"any": {}})), "any"),
        Some(ToolChoice::Named(name)) => (Some(json!({"tool": {"name": name}})), "tool"),
    };
    if let Some(choice) = choice {
        draft.set_in("toolConfig", "toolChoice", choice);
    }
    if request.parallel_tool_calls == Some(false) {
        // Claude's own switch.
        if draft.model.family == Family::Claude && draft.model.claude.structured {
            let mut own = json!({"type": word, "disable_parallel_tool_use": true});
            if let (Some(ToolChoice::Named(name)), Some(own)) = (&request.tool_choice, own.as_object_mut()) {
                own.insert("name".to_owned(), json!(name));
            }
            draft.set_own("tool_choice", own);
        } else {
            draft.note("parallel_tool_calls");
        }
    }
    Ok(())
}

/// The schema must say that it is an object's.
fn schema(parameters: Option<&Value>) -> Value {
    let mut schema = match parameters {
        Some(Value::Object(schema)) => schema.clone(),
        _ => Map::new(),
    };
    if !schema.contains_key("type") {
        schema.insert("type".to_owned(), json!("object"));
    }
    if schema.len() == 1 {
        schema.insert("properties".to_owned(), json!({}));
    }
    Value::Object(schema)
}

fn write_tool(draft: &mut Draft<'_>, tool: &Tool, i: usize) -> Result<Value, RequestError> {
    if let Some(builtin) = &tool.builtin {
        if draft.native {
            return Ok(builtin.clone());
        }
        let kind = builtin.get("type").and_then(Value::as_str).unwrap_or("without a type");
        let message = format!("a tool of type `{kind}` has no counterpart at this provider; send functions");
        return Err(RequestError::new(format!("tools[{i}]"), message));
    }
    let mut spec = Map::new();
    spec.insert("name".to_owned(), json!(tool.name));
    // An empty description is refused.
    if let Some(description) = tool.description.as_ref().filter(|text| draft.native || !text.trim().is_empty()) {
        spec.insert("description".to_owned(), json!(description));
    }
    let parameters = match &tool.parameters {
        Some(parameters) if draft.native => parameters.clone(),
        parameters => {
            let mut schema = schema(parameters.as_ref());
            // Nova takes these at the top of a schema, and nothing else
            // (<https://docs.aws.amazon.com/nova/latest/userguide/tool-use-definition.html>, 2026-11-21).
            if let (Family::Nova, Some(members)) = (draft.model.family, schema.as_object_mut()) {
                members.retain(|name, _| {
                    ["type", "properties", "required", "$defs", "definitions"].contains(&name.as_str())
                });
            }
            // The models that take `strict` take it with the same limits as for the form of the text.
            if draft.model.structured && tool.strict == Some(true) && hold_claude(&mut schema) {
                draft.note("tools.parameters");
            }
            schema
        }
    };
    spec.insert("inputSchema".to_owned(), json!({"json": parameters}));
    match tool.strict {
        Some(strict) if draft.native || strict && draft.model.structured => {
            spec.insert("strict".to_owned(), json!(strict));
        }
        Some(true) => draft.note("strict"),
        _ => {}
    }
    Ok(json!({"toolSpec": spec}))
}
