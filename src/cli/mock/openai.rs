//! The OpenAI format (<https://platform.openai.com/docs/api-reference/chat>, 2026-11-21).

pub(super) mod limits;
mod other;
pub(super) mod rules;

pub(super) use other::{completions, embeddings, models};

use super::faults::Faults;
use super::json::put;
use super::refusal::{Refusal, Vendor};
use super::reply::{Ask, Choice, Last, Reply, Stop, Tool, Used, count, pieces, reply};
use super::respond::{Answered, Outcome, Stream};
use super::server::{Asked, Moment};
use crate::tokens::{Tokenizer, tokenizer_for};
use serde_json::{Value, json};

/// `POST …/chat/completions`
pub(super) fn chat(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let Asked { body, model, faults, moment, vendor, .. } = *asked;
    rules::chat(body, model)?;
    filtered(asked)?;
    let tokenizer = tokenizer_for("openai", model);
    let ask = read(body, model);
    let choices = body.get("n").and_then(Value::as_u64).unwrap_or(1).clamp(1, 8);
    let said = reply(&ask, faults, tokenizer, prompt_tokens(tokenizer, body));
    let used = Used {
        completion: said.usage.completion.saturating_mul(choices),
        reasoning: said.usage.reasoning.saturating_mul(choices),
        ..said.usage
    };
    let writer = Writer { said: &said, used, faults, model, moment, choices, body, azure: vendor == Vendor::Azure };
    let outcome = if body.get("stream").and_then(Value::as_bool).unwrap_or(false) {
        Outcome::Stream(writer.stream())
    } else {
        Outcome::Whole(writer.whole())
    };
    Ok(Answered::billed(outcome, model, used).at(tier(body)))
}

/// The service tier that a request is billed at, where it is not the usual one.
pub(super) fn tier(body: &Value) -> Option<&str> {
    body.get("service_tier").and_then(Value::as_str).filter(|tier| matches!(*tier, "flex" | "priority"))
}

/// Azure refuses a prompt that its filter stops.
pub(super) fn filtered(asked: &Asked<'_>) -> Result<(), Refusal> {
    if asked.vendor != Vendor::Azure || !asked.faults.prompt_block {
        return Ok(());
    }
    let message = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. \
                   Please modify your prompt and retry. To learn more about our content filtering policies please \
                   read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766";
    Err(Refusal::bad(message).at("prompt").code("content_filter"))
}

/// The text of a message's content.
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

fn read(body: &Value, model: &str) -> Ask {
    let list = |name: &str| body.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let last = match list("messages").last() {
        Some(message) => match message.get("role").and_then(Value::as_str) {
            Some("user") => Last::User(text_of(message.get("content"))),
            Some("tool" | "function") => Last::ToolResult(text_of(message.get("content"))),
            _ => Last::Other,
        },
        None => Last::Other,
    };
    let function = |tool: &Value| {
        let function = tool.get("function")?;
        let schema = function.get("parameters").cloned().unwrap_or_else(|| json!({"type": "object"}));
        Some(Tool { name: text(function.get("name")), schema })
    };
    let choice = match body.get("tool_choice") {
        Some(Value::String(word)) if word == "none" => Choice::None,
        Some(Value::String(word)) if word == "required" => Choice::Any,
        Some(Value::Object(named)) => match named.get("function") {
            Some(function) => Choice::Named(text(function.get("name"))),
            None => Choice::Any,
        },
        _ => Choice::Auto,
    };
    let format = body.get("response_format");
    let json = match format.and_then(|f| f.get("type")).and_then(Value::as_str) {
        Some("json_object") => Some(Value::Null),
        Some("json_schema") => Some(format.and_then(|f| f.pointer("/json_schema/schema")).cloned().unwrap_or_default()),
        _ => None,
    };
    let stops = match body.get("stop") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Ask {
        last,
        tools: list("tools").iter().filter_map(function).collect(),
        choice,
        parallel: body.get("parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true),
        json,
        reasoning: reasons(body, model),
        limit: ["max_completion_tokens", "max_tokens"].iter().find_map(|name| body.get(*name)).and_then(Value::as_u64),
        stops,
    }
}

fn reasons(body: &Value, model: &str) -> bool {
    if shows_reasoning(body) {
        return true;
    }
    match body.get("reasoning_effort").and_then(Value::as_str) {
        Some(effort) => !matches!(effort, "none" | "minimal"),
        None => ["o1", "o3", "o4", "gpt-5"].iter().any(|family| model.starts_with(family)),
    }
}

/// Compatible providers show the reasoning where they are asked to; OpenAI itself only counts it.
fn shows_reasoning(body: &Value) -> bool {
    body.pointer("/thinking/type").and_then(Value::as_str) == Some("enabled")
        || body.get("reasoning_format").and_then(Value::as_str) == Some("parsed")
        || body.get("include_reasoning").and_then(Value::as_bool) == Some(true)
}

/// Three tokens a message and three for the reply, besides the texts
/// (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>, 2026-11-21). Tools cost their JSON, images 85.
fn prompt_tokens(tokenizer: Tokenizer, body: &Value) -> u64 {
    let mut total = 3_u64;
    let mut add = |tokens: u64| total = total.saturating_add(tokens);
    for message in body.get("messages").and_then(Value::as_array).into_iter().flatten() {
        add(3);
        for (name, value) in message.as_object().into_iter().flatten() {
            match (name.as_str(), value) {
                (_, Value::String(text)) if !text.is_empty() => add(count(tokenizer, text)),
                ("content", Value::Array(parts)) => {
                    for part in parts {
                        match part.get("text").and_then(Value::as_str) {
                            Some("") => {}
                            Some(text) => add(count(tokenizer, text)),
                            None => add(85),
                        }
                    }
                }
                ("tool_calls", calls) => add(count(tokenizer, &calls.to_string())),
                _ => {}
            }
        }
    }
    if let Some(tools) = body.get("tools") {
        add(count(tokenizer, &tools.to_string()));
    }
    total
}

struct Writer<'a> {
    said: &'a Reply,
    used: Used,
    faults: &'a Faults,
    model: &'a str,
    moment: &'a Moment,
    choices: u64,
    body: &'a Value,
    azure: bool,
}

/// What Azure's filter found in a prompt
/// (<https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-filter>, 2026-11-21).
fn prompt_filter() -> Value {
    json!([{"prompt_index": 0, "content_filter_results": {
        "hate": {"filtered": false, "severity": "safe"},
        "jailbreak": {"detected": false, "filtered": false},
        "self_harm": {"filtered": false, "severity": "safe"},
        "sexual": {"filtered": false, "severity": "safe"},
        "violence": {"filtered": false, "severity": "safe"},
    }}])
}

/// What it found in an answer.
fn answer_filter(blocked: bool) -> Value {
    json!({
        "hate": {"filtered": false, "severity": "safe"},
        "protected_material_code": {"detected": false, "filtered": false},
        "protected_material_text": {"detected": false, "filtered": false},
        "self_harm": {"filtered": false, "severity": "safe"},
        "sexual": {"filtered": false, "severity": "safe"},
        "violence": {"filtered": blocked, "severity": if blocked { "high" } else { "safe" }},
    })
}

impl Writer<'_> {
    fn finish_reason(&self) -> &'static str {
        match self.said.stop {
            Stop::Length => "length",
            Stop::Tools => "tool_calls",
            Stop::Blocked => "content_filter",
            Stop::End | Stop::Sequence(_) => "stop",
        }
    }

    fn call_id(&self, choice: u64, at: usize) -> String {
        format!("call_mock{}{choice}{at}", self.moment.serial)
    }

    fn shown_reasoning(&self) -> Option<&str> {
        self.said.thinking.as_deref().filter(|_| shows_reasoning(self.body))
    }

    fn usage(&self) -> Value {
        json!({
            "prompt_tokens": self.used.prompt,
            "completion_tokens": self.used.completion,
            "total_tokens": self.used.prompt.saturating_add(self.used.completion),
            "prompt_tokens_details": {"cached_tokens": self.used.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.used.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        })
    }

    fn head(&self, object: &str) -> Value {
        json!({
            "id": format!("chatcmpl-mock{}", self.moment.serial),
            "object": object,
            "created": self.moment.created,
            "model": self.model,
            "service_tier": tier(self.body).unwrap_or("default"),
            "system_fingerprint": "fp_mock",
        })
    }

    fn whole(&self) -> Value {
        let choice = |index: u64| {
            let mut message =
                json!({"role": "assistant", "content": self.said.text, "refusal": null, "annotations": []});
            if !self.said.calls.is_empty() {
                let calls = self.said.calls.iter().enumerate().map(|(at, (name, arguments))| {
                    json!({
                        "id": self.call_id(index, at),
                        "type": "function",
                        "function": {"name": name, "arguments": arguments.to_string()},
                    })
                });
                put(&mut message, "content", Value::Null);
                put(&mut message, "tool_calls", calls.collect());
            }
            if let Some(reasoning) = self.shown_reasoning() {
                put(&mut message, "reasoning_content", json!(reasoning));
            }
            let mut choice =
                json!({"index": index, "message": message, "logprobs": null, "finish_reason": self.finish_reason()});
            if self.azure {
                put(&mut choice, "content_filter_results", answer_filter(self.said.stop == Stop::Blocked));
            }
            choice
        };
        let mut whole = self.head("chat.completion");
        put(&mut whole, "choices", (0..self.choices).map(choice).collect());
        if self.azure {
            put(&mut whole, "prompt_filter_results", prompt_filter());
        }
        if !self.faults.no_usage {
            put(&mut whole, "usage", self.usage());
        }
        whole
    }

    fn stream(&self) -> Stream {
        let wants_usage =
            !self.faults.no_usage && self.body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
        let chunk = |choices: Value, usage: Value| {
            let mut chunk = self.head("chat.completion.chunk");
            put(&mut chunk, "choices", choices);
            if wants_usage {
                put(&mut chunk, "usage", usage);
            }
            format!("data: {chunk}\n\n")
        };
        let part = |index: u64, delta: Value, reason: Value| {
            let mut choice = json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": reason});
            if self.azure {
                let spoken = choice.pointer("/delta/content").and_then(Value::as_str).is_some_and(|t| !t.is_empty());
                let blocked = choice.get("finish_reason").and_then(Value::as_str) == Some("content_filter");
                let found = if spoken || blocked { answer_filter(blocked) } else { json!({}) };
                put(&mut choice, "content_filter_results", found);
            }
            chunk(json!([choice]), Value::Null)
        };
        let mut events = Vec::new();
        let mut end = Vec::new();
        if self.azure {
            // Azure says first what it thinks of the prompt, in a chunk that is nothing else.
            let mut first = json!({"choices": [], "created": 0, "id": "", "model": "", "object": ""});
            put(&mut first, "prompt_filter_results", prompt_filter());
            events.push(format!("data: {first}\n\n"));
        }
        for index in 0..self.choices {
            for delta in self.deltas(index) {
                events.push(part(index, delta, Value::Null));
            }
            end.push(part(index, json!({}), json!(self.finish_reason())));
        }
        if wants_usage {
            end.push(chunk(json!([]), self.usage()));
        }
        end.push("data: [DONE]\n\n".to_owned());
        let refusal = Refusal::new(500, "The server had an error while processing your request. Sorry about that!");
        let error = format!("data: {}\n\n", refusal.body(Vendor::OpenAi, ""));
        Stream::sse(events, end, error)
    }

    fn deltas(&self, index: u64) -> Vec<Value> {
        let content = if self.said.calls.is_empty() { json!("") } else { Value::Null };
        let mut deltas = vec![json!({"role": "assistant", "content": content, "refusal": null})];
        for piece in self.shown_reasoning().map(pieces).unwrap_or_default() {
            deltas.push(json!({"reasoning_content": piece}));
        }
        for piece in pieces(&self.said.text) {
            deltas.push(json!({"content": piece}));
        }
        for (at, (name, arguments)) in self.said.calls.iter().enumerate() {
            deltas.push(json!({"tool_calls": [{
                "index": at,
                "id": self.call_id(index, at),
                "type": "function",
                "function": {"name": name, "arguments": ""},
            }]}));
            for piece in pieces(&arguments.to_string()) {
                deltas.push(json!({"tool_calls": [{"index": at, "function": {"arguments": piece}}]}));
            }
        }
        deltas
    }
}
