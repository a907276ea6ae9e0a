//! The response object that an answer comes in, whole or at the beginning and end of a stream. It repeats much of the
//! request, and clients parse all of it.

use super::super::canonical::{Answer, ChatRequest, Message, Part, Reasoning, Role, StopReason};
use super::super::{Format, Incoming};
use super::params::{choice_from_chat, write_choice, write_function, write_text_format};
use super::usage::write_usage;
use super::{given, text};
use crate::usage::Usage;
use serde_json::{Map, Value, json};

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It has not.
    InProgress,
    /// Whole.
    Completed,
    /// Cut, for this reason.
    Incomplete(&'static str),
    /// The provider failed.
    Failed,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Status::InProgress => "in_progress",
            Status::Completed => "completed",
            Status::Incomplete(_) => "incomplete",
            Status::Failed => "failed",
        }
    }

    /// The status that says why the model stopped. An answer that was withheld is cut, unless it refuses in words.
    pub(super) fn of(stop: Option<&StopReason>, refuses: bool) -> Self {
        match stop {
            Some(StopReason::Length) => Status::Incomplete("max_output_tokens"),
            Some(StopReason::Other(word)) if word == "model_context_window_exceeded" => {
                Status::Incomplete("max_output_tokens")
            }
            Some(StopReason::ContentFilter) => Status::Incomplete("content_filter"),
            Some(StopReason::Refusal) if !refuses => Status::Incomplete("content_filter"),
            _ => Status::Completed,
        }
    }

    /// The status of an item that was being said when the answer ended.
    pub(super) fn of_last_item(self) -> &'static str {
        if matches!(self, Status::Completed) { "completed" } else { "incomplete" }
    }
}

/// Members that an answer read from this format brings along and that stand in it as they came.
const OWN: [&str; 28] = [
    "background",
    "completed_at",
    "conversation",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tool_usage",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "frequency_penalty",
    "presence_penalty",
];

/// Tiers that clients know (<https://platform.openai.com/docs/api-reference/responses/object>, 2026-11-21).
pub(super) const TIERS: [&str; 7] = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"];

/// A response without output yet.
#[derive(Debug)]
pub(super) struct Envelope(Map<String, Value>);

impl Envelope {
    /// What is known before the provider has answered.
    pub(super) fn new(incoming: &Incoming<'_>) -> Self {
        let id = match incoming.id {
            id if id.starts_with("resp_") => id.to_owned(),
            id => format!("resp_{id}"),
        };
        let nothing = ChatRequest::default();
        let request = incoming.request.filter(|request| request.source == Some(Format::OpenAiResponses));
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| {
            members.insert(name.to_owned(), value);
        };
        put("id", id.into());
        put("object", "response".into());
        put("created_at", incoming.created.into());
        put("status", Status::InProgress.word().into());
        put("background", false.into());
        put("error", Value::Null);
        put("incomplete_details", Value::Null);
        put("instructions", Value::Null);
        put("max_output_tokens", Value::Null);
        put("max_tool_calls", Value::Null);
        put("model", incoming.model.into());
        put("output", json!([]));
        put("previous_response_id", Value::Null);
        put("service_tier", Value::Null);
        // Nobody keeps it, whatever the client asked for.
        put("store", false.into());
        put("truncation", "disabled".into());
        put("usage", Value::Null);
        put("metadata", json!({}));
        echo(request.unwrap_or(&nothing), &mut put);
        Self(members)
    }

    /// The provider's own id, model and time.
    pub(super) fn name(&mut self, id: Option<&str>, model: Option<&str>, created: Option<u64>) {
        super::put(&mut self.0, "id", id.filter(|id| !id.is_empty()));
        super::put(&mut self.0, "model", model.filter(|model| !model.is_empty()));
        super::put(&mut self.0, "created_at", created);
    }

    /// What an answer says besides, where it was read from this format.
    pub(super) fn extend(&mut self, answer: &Answer) {
        if answer.extra.get("object").is_some_and(|object| object == "response") {
            let own = answer.extra.iter().filter(|(name, _)| OWN.contains(&name.as_str()));
            self.0.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        }
    }

    /// The id that the items' ids are made of.
    pub(super) fn seed(&self) -> String {
        let id = self.0.get("id").and_then(Value::as_str).unwrap_or_default();
        let id = id.strip_prefix("resp_").unwrap_or(id);
        id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect()
    }

    /// The response as it stands.
    pub(super) fn write(&self, status: Status, output: Vec<Value>, usage: &Usage, error: Option<Value>) -> Value {
        let mut members = self.0.clone();
        let mut put = |name: &str, value: Value| {
            members.insert(name.to_owned(), value);
        };
        put("status", status.word().into());
        if let Status::Incomplete(reason) = status {
            put("incomplete_details", json!({ "reason": reason }));
        }
        if let Some(error) = error {
            put("error", error);
        }
        put("output", output.into());
        if status != Status::InProgress {
            put("usage", write_usage(usage));
        }
        match usage.service_tier.as_deref() {
            // Anthropic's word.
            Some("standard") => put("service_tier", "default".into()),
            Some(tier) if TIERS.contains(&tier) => put("service_tier", tier.into()),
            _ => {}
        }
        members.into()
    }
}

/// What the client asked for, or what holds where it did not say.
fn echo(request: &ChatRequest, put: &mut dyn FnMut(&str, Value)) {
    let extra = &request.extra;
    if let [Message { role: Role::System, parts, .. }, _, ..] = request.messages.as_slice()
        && let [Part::Text { text, .. }] = parts.as_slice()
    {
        put("instructions", text.clone().into());
    }
    let or_null = |value: Option<Value>| value.unwrap_or_default();
    put("max_output_tokens", or_null(request.max_tokens.map(Value::from)));
    put("temperature", or_null(request.temperature.clone().map(Value::from)));
    put("top_p", or_null(request.top_p.clone().map(Value::from)));
    put("user", or_null(request.user.clone().map(Value::from)));
    put("parallel_tool_calls", request.parallel_tool_calls.unwrap_or(true).into());
    let tools = request.tools.iter().map(|tool| match &tool.builtin {
        Some(builtin) => builtin.clone(),
        None => write_function(tool, Some(tool.strict.unwrap_or(true))),
    });
    put("tools", tools.collect());
    let other = extra.get("tool_choice").map(choice_from_chat);
    put("tool_choice", request.tool_choice.as_ref().map(write_choice).or(other).unwrap_or_else(|| "auto".into()));
    let mut form = Map::new();
    let format = request.response_format.as_ref().map(write_text_format);
    let format = format.or_else(|| extra.get("response_format").cloned());
    form.insert("format".to_owned(), format.unwrap_or_else(|| json!({"type": "text"})));
    super::put(&mut form, "verbosity", extra.get("verbosity").cloned());
    put("text", form.into());
    let mut reasoning = Map::new();
    let effort = match &request.reasoning {
        Some(Reasoning::Effort(effort)) => Some(effort.as_str()),
        _ => None,
    };
    reasoning.insert("effort".to_owned(), json!(effort));
    reasoning.insert("summary".to_owned(), Value::Null);
    if let Some(Value::Object(rest)) = extra.get("reasoning") {
        reasoning.extend(rest.clone());
    }
    put("reasoning", reasoning.into());
    put("top_logprobs", extra.get("top_logprobs").cloned().unwrap_or_else(|| 0.into()));
    for name in ["metadata", "max_tool_calls", "prompt_cache_key", "safety_identifier", "truncation"] {
        if let Some(value) = extra.get(name) {
            put(name, value.clone());
        }
    }
}

/// An item of what the model says.
pub(super) fn message(id: &str, content: Vec<Value>, status: &str) -> Value {
    json!({"type": "message", "id": id, "status": status, "role": "assistant", "content": content})
}

/// A text in it.
pub(super) fn output_text(text: &str, annotations: Vec<Value>, logprobs: Vec<Value>) -> Value {
    json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs})
}

/// An item of a call.
pub(super) fn function_call(id: &str, call_id: &str, name: &str, arguments: &str, status: &str) -> Value {
    json!({"type": "function_call", "id": id, "call_id": call_id, "name": name, "arguments": arguments, "status": status})
}

/// Log probabilities of Chat Completions, of tokens of the text. Clients want the bytes as numbers.
pub(super) fn write_logprobs(logprobs: &Value) -> Vec<Value> {
    let tokens = given(logprobs, "content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let one = |token: &Value| {
        let word = text(token, "token").unwrap_or_default();
        let bytes = given(token, "bytes").cloned().unwrap_or_else(|| json!(word.as_bytes()));
        json!({"token": word, "bytes": bytes, "logprob": token.get("logprob")})
    };
    let all = tokens.iter().map(|token| {
        let top: Vec<Value> = super::list(token, "top_logprobs").iter().map(one).collect();
        let mut whole = one(token);
        if let Some(whole) = whole.as_object_mut() {
            whole.insert("top_logprobs".to_owned(), top.into());
        }
        whole
    });
    all.collect()
}

/// Log probabilities in the form of Chat Completions, which wants all members to be there.
pub(super) fn read_logprobs(tokens: &[Value]) -> Value {
    let one = |token: &Value| {
        let mut token = token.as_object().cloned().unwrap_or_default();
        token.entry("bytes").or_insert(Value::Null);
        token
    };
    let all = tokens.iter().map(|token| {
        let top: Vec<Value> = super::list(token, "top_logprobs").iter().map(|top| one(top).into()).collect();
        let mut whole = one(token);
        whole.insert("top_logprobs".to_owned(), top.into());
        Value::from(whole)
    });
    json!({"content": all.collect::<Vec<Value>>(), "refusal": null})
}
