//! Writes everything of a request but the conversation.

use super::model::Thinking;
use super::turns::Conversation;
use super::write::Draft;
use crate::formats::canonical::{Reasoning, ResponseFormat, Tool, ToolChoice};
use crate::formats::{RequestError, schema};
use serde_json::{Map, Value, json};

/// The smallest thinking budget (<https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>, 2026-11-21).
const LEAST_BUDGET: u64 = 1024;

pub(super) fn write(draft: &mut Draft<'_>, conversation: &Conversation) -> Result<(), RequestError> {
    let request = draft.request;
    if draft.native {
        for (name, value) in &request.extra {
            draft.set(name, value.clone());
        }
    } else {
        check_extra(draft)?;
    }
    crate::formats::some_output(request)?;
    draft.set("max_tokens", request.max_tokens.unwrap_or(draft.outgoing.default_max_tokens));
    write_format(draft)?;
    write_tools(draft)?;
    let thinks = write_thinking(draft, conversation);
    write_sampling(draft, thinks);
    let stop: Vec<Value> = request.stop.iter().filter(|s| !s.trim().is_empty()).map(|s| json!(s)).collect();
    if stop.len() < request.stop.len() {
        draft.note("stop");
    }
    if !stop.is_empty() {
        draft.set("stop_sequences", stop);
    }
    let safety_id = request.extra.get("safety_identifier").and_then(Value::as_str).filter(|_| !draft.native);
    if let Some(user) = request.user.as_deref().or(safety_id) {
        draft.set_in("metadata", "user_id", user);
    }
    if request.stream {
        draft.set("stream", true);
    }
    Ok(())
}

/// Parameters of other formats. Those without which the answer would mean something else are refused; those that only
/// steer are noted; those that say what holds anyway are passed over.
fn check_extra(draft: &mut Draft<'_>) -> Result<(), RequestError> {
    let request = draft.request;
    request.refuse_server_state()?;
    request.unplaced_names().for_each(|name| draft.note(name));
    for (name, value) in &request.extra {
        let refuse = |what: &str| Err(RequestError::new(name, format!("{what}; leave it out, or name another model")));
        let zero = value.as_f64() == Some(0.0);
        match name.as_str() {
            _ if value.is_null() || *value == Value::Bool(false) => {}
            "n" if value.as_u64() == Some(1) => {}
            "n" => return refuse(&format!("this provider gives one choice, {value} were asked for")),
            "logprobs" => return refuse("this provider reports no log probabilities"),
            "top_logprobs" if !zero => return refuse("this provider reports no log probabilities"),
            "logit_bias" if value.as_object().is_none_or(|bias| !bias.is_empty()) => {
                return refuse("this provider cannot bias tokens");
            }
            "modalities" if value.as_array().is_some_and(|all| all.iter().any(|one| one != "text")) => {
                return refuse("this provider answers with text only");
            }
            "audio" => return refuse("this provider answers with text only"),
            "functions" | "function_call" => return refuse("this provider knows `tools` only"),
            "tool_choice" if allowed(value).is_some() => {}
            "tool_choice" => return refuse("this provider chooses among all tools, or must call one or none"),
            "response_format" => return refuse("this provider's output follows a JSON Schema or nothing"),
            // Said again in the canonical form.
            "thinking" | "reasoning" | "enable_thinking" if request.reasoning.is_some() => {}
            "web_search_options" => return refuse("this provider's web search is asked for in another way"),
            "top_logprobs" | "logit_bias" | "modalities" | "stream_options" => {}
            // The end user's name, which has a place here.
            "safety_identifier" if value.is_string() && request.user.is_none() => {}
            // What is asked for here without a word: the account's priority capacity, where it has any.
            "service_tier" if value == "auto" || value == "priority" => {}
            "service_tier" if value == "default" => draft.set("service_tier", "standard_only"),
            "truncation" if value == "disabled" => {}
            "frequency_penalty" | "presence_penalty" if zero => {}
            _ => draft.note(name),
        }
    }
    Ok(())
}

fn write_sampling(draft: &mut Draft<'_>, thinks: bool) {
    let request = draft.request;
    let (mut temperature, mut top_p, mut top_k) = (request.temperature.clone(), request.top_p.clone(), request.top_k);
    if !draft.native {
        let is_one = |n: &serde_json::Number| n.as_f64() == Some(1.0);
        if temperature.as_ref().and_then(|t| t.as_f64()).is_some_and(|t| t > 1.0) {
            temperature = Some(1.into());
            draft.note("temperature");
        }
        // A default can be left out unsaid.
        if thinks || !draft.abilities.sampling {
            if temperature.take().is_some_and(|t| !is_one(&t)) {
                draft.note("temperature");
            }
            let fits = |p: &serde_json::Number| draft.abilities.sampling && p.as_f64().is_some_and(|p| p >= 0.95);
            if top_p.as_ref().is_some_and(|p| !fits(p)) && top_p.take().is_some_and(|p| !is_one(&p)) {
                draft.note("top_p");
            }
            if top_k.take().is_some() {
                draft.note("top_k");
            }
        }
        if !draft.abilities.both
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
        draft.set("temperature", Value::Number(temperature));
    }
    if let Some(top_p) = top_p {
        draft.set("top_p", Value::Number(top_p));
    }
    if let Some(top_k) = top_k {
        draft.set("top_k", top_k);
    }
}

/// `thinking` and `output_config.effort`; says whether the model thinks.
///
/// An effort becomes a budget (`low` 1024, `medium` 2048, `high` 4096, `xhigh` 8192 tokens) or, for models that choose
/// theirs, adaptive thinking of that effort. `none` and `minimal` ask for nothing. What the client allows as
/// `max_tokens` includes the thinking in both formats, so a budget that does not fit under it shrinks.
fn write_thinking(draft: &mut Draft<'_>, conversation: &Conversation) -> bool {
    let reasoning = match &draft.request.reasoning {
        None => return false,
        // The client's own words came with `extra`.
        Some(_) if draft.native && draft.body.contains_key("thinking") => return true,
        Some(reasoning) => reasoning,
    };
    let ability = draft.abilities.thinking;
    let asked = match reasoning {
        Reasoning::Off if draft.native || ability == Thinking::Adaptive => {
            draft.set("thinking", json!({"type": "disabled"}));
            return false;
        }
        // Models that take budgets do not think unasked.
        Reasoning::Off => return false,
        Reasoning::Budget(tokens) if draft.native => Some((json!({"type": "enabled", "budget_tokens": tokens}), None)),
        Reasoning::Adaptive if draft.native => Some((json!({"type": "adaptive"}), None)),
        Reasoning::Effort(effort) if effort == "none" || effort == "minimal" => return false,
        _ if refuses_thinking(draft, conversation) => None,
        Reasoning::Adaptive if ability == Thinking::Adaptive => Some((json!({"type": "adaptive"}), None)),
        reasoning if ability == Thinking::Adaptive => {
            let effort = match reasoning {
                Reasoning::Effort(effort) if effort == "xhigh" && !draft.abilities.xhigh => "high",
                Reasoning::Effort(effort) => effort,
                Reasoning::Budget(..2048) => "low",
                Reasoning::Budget(..4096) | Reasoning::Adaptive | Reasoning::Off => "medium",
                Reasoning::Budget(_) => "high",
            };
            Some((json!({"type": "adaptive"}), Some(effort.to_owned())))
        }
        reasoning => {
            let budget = match reasoning {
                Reasoning::Budget(tokens) => *tokens,
                Reasoning::Effort(effort) => match effort.as_str() {
                    "low" => LEAST_BUDGET,
                    "medium" => 2048,
                    "xhigh" => 8192,
                    _ => 4096,
                },
                Reasoning::Adaptive | Reasoning::Off => 2048,
            };
            fit_budget(draft, budget).map(|tokens| (json!({"type": "enabled", "budget_tokens": tokens}), None))
        }
    };
    let Some((thinking, effort)) = asked else {
        draft.note(if matches!(reasoning, Reasoning::Effort(_)) { "reasoning_effort" } else { "thinking" });
        return false;
    };
    draft.set("thinking", thinking);
    if let Some(effort) = effort {
        draft.set_in("output_config", "effort", effort);
    }
    true
}

/// Whether thinking would be refused: by the model, with a forced call, after an assistant turn to go on from, or in the
/// middle of calls whose thinking is not there.
fn refuses_thinking(draft: &Draft<'_>, conversation: &Conversation) -> bool {
    let forced = matches!(draft.request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    let common = forced || conversation.ends_with_assistant();
    match draft.abilities.thinking {
        Thinking::No => true,
        Thinking::Budget => common || conversation.calls_without_thinking(),
        Thinking::Adaptive => common,
    }
}

/// The budget, below `max_tokens`; `None` where none fits. Where the client set no limit, the answer gets its default
/// room beside the thinking.
fn fit_budget(draft: &mut Draft<'_>, budget: u64) -> Option<u64> {
    let budget = budget.max(LEAST_BUDGET);
    match draft.request.max_tokens {
        Some(limit) => Some(budget.min(limit.saturating_sub(1))).filter(|budget| *budget >= LEAST_BUDGET),
        None => {
            if draft.outgoing.default_max_tokens <= budget {
                draft.set("max_tokens", budget.saturating_add(draft.outgoing.default_max_tokens));
            }
            Some(budget)
        }
    }
}

/// `output_config.format`. This format has no wordless JSON mode, and older models have no schemas either: those get an
/// instruction instead, with a note, unless the client insists on a strict schema.
fn write_format(draft: &mut Draft<'_>) -> Result<(), RequestError> {
    let request = draft.request;
    let (schema, strict) = match &request.response_format {
        None | Some(ResponseFormat::Text) => return Ok(()),
        Some(ResponseFormat::JsonObject) => (None, None),
        Some(ResponseFormat::JsonSchema { schema, strict, .. }) => (schema.as_ref(), *strict),
    };
    match schema {
        Some(schema) if draft.native || draft.abilities.structured => {
            let mut schema = schema.clone();
            if !draft.native && schema::hold_claude(&mut schema) {
                draft.note("response_format.schema");
            }
            let format = json!({"type": "json_schema", "schema": schema});
            draft.set_in("output_config", "format", format);
        }
        Some(_) if strict == Some(true) => {
            let message = format!("`{}` cannot be held to a schema; leave out `strict`", draft.outgoing.model);
            return Err(RequestError::new("response_format.json_schema.strict", message));
        }
        schema => {
            let mut text = "Answer with one valid JSON object and nothing else: no prose, no code fence.".to_owned();
            if let Some(schema) = schema {
                text.push_str(" It must match this JSON Schema: ");
                text.push_str(&schema.to_string());
            }
            draft.instructions.push(text);
            draft.note("response_format");
        }
    }
    Ok(())
}

/// The names in a `tool_choice` of OpenAI's type `allowed_tools`, and whether one of them must be called
/// (<https://platform.openai.com/docs/guides/function-calling>, 2026-11-21).
fn allowed(choice: &Value) -> Option<(Vec<&str>, bool)> {
    if choice.get("type")? != "allowed_tools" {
        return None;
    }
    // Responses has no inner object.
    let inner = choice.get("allowed_tools").unwrap_or(choice);
    let names = inner.get("tools")?.as_array()?.iter();
    let names = names.map(|tool| tool.get("function").unwrap_or(tool).get("name")?.as_str());
    Some((names.collect::<Option<Vec<&str>>>()?, inner.get("mode").is_some_and(|mode| mode == "required")))
}

fn write_tools(draft: &mut Draft<'_>) -> Result<(), RequestError> {
    let request = draft.request;
    // To allow some of the tools is to give only those.
    let allowed = request.extra.get("tool_choice").filter(|_| !draft.native).and_then(allowed);
    let mut tools = Vec::with_capacity(request.tools.len());
    for (i, tool) in request.tools.iter().enumerate() {
        if allowed.as_ref().is_none_or(|(names, _)| names.contains(&tool.name.as_str())) {
            tools.push(write_tool(draft, tool, i)?);
        }
    }
    if tools.is_empty() {
        return Ok(());
    }
    draft.set("tools", tools);
    let serial = request.parallel_tool_calls.map(|parallel| !parallel);
    let mut choice = match &request.tool_choice {
        None if allowed.is_some_and(|(_, must)| must) => json!({"type": "any"}),
        None if serial == Some(true) => json!({"type": "auto"}),
        None => return Ok(()),
        Some(ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::Required) => json!({"type": "any"}),
        Some(ToolChoice::Named(name)) => json!({"type": "tool", "name": name}),
        Some(ToolChoice::None) => json!({"type": "none"}),
    };
    let says = serial == Some(true) || draft.native && serial.is_some();
    if let Some(members) = choice.as_object_mut().filter(|_| says && request.tool_choice != Some(ToolChoice::None)) {
        members.insert("disable_parallel_tool_use".to_owned(), json!(serial));
    }
    draft.set("tool_choice", choice);
    Ok(())
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
    let mut out = Map::new();
    out.insert("name".to_owned(), json!(tool.name));
    if let Some(description) = &tool.description {
        out.insert("description".to_owned(), json!(description));
    }
    let mut parameters = tool.parameters.clone().unwrap_or_default();
    if !draft.native && draft.abilities.structured && tool.strict == Some(true) && schema::hold_claude(&mut parameters)
    {
        draft.note("tools.parameters");
    }
    let mut schema = match parameters {
        Value::Object(schema) => schema,
        _ => Map::new(),
    };
    // The schema must say that it is an object's.
    if !draft.native && !schema.contains_key("type") {
        schema.insert("type".to_owned(), json!("object"));
    }
    if !draft.native && schema.len() == 1 {
        schema.insert("properties".to_owned(), json!({}));
    }
    out.insert("input_schema".to_owned(), Value::Object(schema));
    match tool.strict {
        Some(strict) if draft.native || strict && draft.abilities.structured => {
            out.insert("strict".to_owned(), json!(strict));
        }
        Some(true) => draft.note("strict"),
        _ => {}
    }
    if let Some(cache) = &tool.cache {
        out.insert("cache_control".to_owned(), cache.clone());
    }
    if draft.native {
        draft.restore(&format!("tools[{i}]"), &mut out);
    }
    Ok(Value::Object(out))
}
