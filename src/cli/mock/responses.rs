//! OpenAI's Responses (<https://platform.openai.com/docs/api-reference/responses>, 2026-11-21).

mod rules;
mod write;

use super::json::{list, text};
use super::openai::{filtered, limits::reasons, tier};
use super::refusal::Refusal;
use super::reply::{Ask, Choice, Last, Stop, Tool, count, reply};
use super::respond::{Answered, Outcome};
use super::server::Asked;
use crate::tokens::{Tokenizer, tokenizer_for};
use serde_json::{Value, json};
use write::Writer;

/// `POST …/responses`
pub(super) fn responses(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let Asked { body, model, faults, moment, .. } = *asked;
    rules::responses(asked)?;
    filtered(asked)?;
    let tokenizer = tokenizer_for("openai", model);
    let said = reply(&read(body, model), faults, tokenizer, prompt_tokens(tokenizer, body));
    let writer = Writer { said: &said, asked };
    if body.get("store") != Some(&Value::Bool(false)) {
        let calls = if said.stop == Stop::Tools { writer.call_ids() } else { Vec::new() };
        moment.ledger().store(writer.id("resp"), calls);
    }
    let streams = body.get("stream") == Some(&Value::Bool(true));
    let outcome = if streams { Outcome::Stream(writer.stream()) } else { Outcome::Whole(writer.whole()) };
    Ok(Answered::billed(outcome, model, said.usage).at(tier(body)))
}

/// The kind of an input item; a message need not say that it is one.
fn kind(item: &Value) -> &str {
    match item.get("type").and_then(Value::as_str) {
        Some(kind) => kind,
        None if item.get("role").is_some() => "message",
        None => "",
    }
}

/// The text of a content: a string, or its parts.
fn text_of(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str));
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn last(body: &Value) -> Last {
    if let Some(said) = body.get("input").and_then(Value::as_str) {
        return Last::User(said.to_owned());
    }
    let input = list(body, "input");
    let results: Vec<&Value> = input.iter().rev().take_while(|item| kind(item).ends_with("_call_output")).collect();
    if !results.is_empty() {
        let told = results.iter().rev().map(|item| text_of(item.get("output")));
        return Last::ToolResult(told.collect::<Vec<_>>().join("\n"));
    }
    match input.last() {
        Some(item) if kind(item) == "message" && text(item, "role") == "user" => {
            Last::User(text_of(item.get("content")))
        }
        _ => Last::Other,
    }
}

fn read(body: &Value, model: &str) -> Ask {
    let tools = list(body, "tools").iter().filter(|tool| matches!(text(tool, "type"), "function" | "custom"));
    let tool = |tool: &Value| {
        let schema = tool.get("parameters").filter(|schema| schema.is_object()).cloned();
        Tool { name: text(tool, "name").to_owned(), schema: schema.unwrap_or_else(|| json!({"type": "object"})) }
    };
    let choice = match body.get("tool_choice") {
        Some(Value::String(word)) if word == "none" => Choice::None,
        Some(Value::String(word)) if word == "required" => Choice::Any,
        Some(choice @ Value::Object(_)) => match text(choice, "type") {
            "allowed_tools" if text(choice, "mode") == "required" => Choice::Any,
            "allowed_tools" => Choice::Auto,
            _ => Choice::Named(text(choice, "name").to_owned()),
        },
        _ => Choice::Auto,
    };
    let format = body.pointer("/text/format").unwrap_or(&Value::Null);
    Ask {
        last: last(body),
        tools: tools.map(tool).collect(),
        choice,
        parallel: body.get("parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true),
        json: match text(format, "type") {
            "json_object" => Some(Value::Null),
            "json_schema" => Some(format.get("schema").cloned().unwrap_or_default()),
            _ => None,
        },
        reasoning: match body.pointer("/reasoning/effort").and_then(Value::as_str) {
            Some(effort) => !matches!(effort, "none" | "minimal"),
            None => reasons(model),
        },
        limit: body.get("max_output_tokens").and_then(Value::as_u64),
        stops: Vec::new(),
    }
}

/// As in a chat: three tokens a message and three for the reply, besides the texts. Tools cost their JSON, images 85.
fn prompt_tokens(tokenizer: Tokenizer, body: &Value) -> u64 {
    let text_tokens = |text: &str| if text.is_empty() { 0 } else { count(tokenizer, text) };
    let mut total = 3_u64;
    let mut add = |tokens: u64| total = total.saturating_add(tokens);
    if let Some(said) = body.get("instructions").and_then(Value::as_str) {
        add(text_tokens(said).saturating_add(3));
    }
    if let Some(said) = body.get("input").and_then(Value::as_str) {
        add(text_tokens(said).saturating_add(4));
    }
    for item in list(body, "input") {
        add(3);
        match kind(item) {
            "message" => {
                add(text_tokens(text(item, "role")));
                add(text_tokens(item.get("content").and_then(Value::as_str).unwrap_or_default()));
                for part in list(item, "content") {
                    add(part.get("text").and_then(Value::as_str).map_or(85, text_tokens));
                }
            }
            "reasoning" => {}
            "function_call" => {
                add(text_tokens(text(item, "name")).saturating_add(text_tokens(text(item, "arguments"))))
            }
            _ => add(text_tokens(&text_of(item.get("output")))),
        }
    }
    if let Some(tools) = body.get("tools").filter(|tools| !tools.is_null()) {
        add(text_tokens(&tools.to_string()));
    }
    total
}
