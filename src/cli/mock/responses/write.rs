//! A response, whole and as its events.

use crate::cli::mock::json::{list, put, text};
use crate::cli::mock::reply::{Reply, Stop, pieces};
use crate::cli::mock::respond::{Stream, before_error};
use crate::cli::mock::server::Asked;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

pub(super) struct Writer<'a> {
    pub said: &'a Reply,
    pub asked: &'a Asked<'a>,
}

/// What a request may leave out, with what the answer then says.
fn defaults() -> [(&'static str, Value); 22] {
    [
        ("background", json!(false)),
        ("frequency_penalty", json!(0.0)),
        ("instructions", Value::Null),
        ("max_output_tokens", Value::Null),
        ("max_tool_calls", Value::Null),
        ("metadata", json!({})),
        ("parallel_tool_calls", json!(true)),
        ("presence_penalty", json!(0.0)),
        ("previous_response_id", Value::Null),
        ("prompt_cache_key", Value::Null),
        ("prompt_cache_retention", Value::Null),
        ("reasoning", json!({"effort": null, "summary": null})),
        ("safety_identifier", Value::Null),
        ("service_tier", json!("default")),
        ("store", json!(true)),
        ("temperature", json!(1.0)),
        ("text", json!({"format": {"type": "text"}, "verbosity": "medium"})),
        ("tool_choice", json!("auto")),
        ("tools", json!([])),
        ("top_logprobs", json!(0)),
        ("top_p", json!(1.0)),
        ("truncation", json!("disabled")),
    ]
}

impl Writer<'_> {
    pub fn id(&self, prefix: &str) -> String {
        format!("{prefix}_mock{}", self.asked.moment.serial)
    }

    pub fn call_ids(&self) -> Vec<String> {
        (0..self.said.calls.len()).map(|at| format!("{}{at}", self.id("call"))).collect()
    }

    fn incomplete(&self) -> Option<&'static str> {
        match self.said.stop {
            Stop::Length => Some("max_output_tokens"),
            Stop::Blocked => Some("content_filter"),
            Stop::End | Stop::Tools | Stop::Sequence(_) => None,
        }
    }

    fn usage(&self) -> Value {
        let used = self.said.usage;
        json!({
            "input_tokens": used.prompt,
            "input_tokens_details": {"cached_tokens": used.cached},
            "output_tokens": used.completion,
            "output_tokens_details": {"reasoning_tokens": used.reasoning},
            "total_tokens": used.prompt.saturating_add(used.completion),
        })
    }

    /// The response in that state, with what it says so far.
    fn response(&self, status: &str, output: Value) -> Value {
        let body = self.asked.body;
        let mut response = json!({
            "id": self.id("resp"),
            "object": "response",
            "created_at": self.asked.moment.created,
            "status": status,
            "completed_at": null,
            "error": null,
            "incomplete_details": null,
            "model": self.asked.model,
            "output": output,
            "usage": null,
            "user": null,
        });
        for (name, usual) in defaults() {
            let given = body.get(name).filter(|given| !given.is_null() && **given != "auto" || name == "tool_choice");
            put(&mut response, name, given.filter(|given| !given.is_null()).cloned().unwrap_or(usual));
        }
        // A text's format is always told.
        if let Some(told) = response.get_mut("text").filter(|told| told.get("format").is_none()) {
            put(told, "format", json!({"type": "text"}));
        }
        let done = !matches!(status, "in_progress");
        let told = !self.asked.faults.no_usage && (status != "failed" || self.asked.faults.usage);
        if done && told {
            put(&mut response, "usage", self.usage());
        }
        if status == "completed" {
            put(&mut response, "completed_at", json!(self.asked.moment.created));
        }
        if status == "incomplete" {
            put(&mut response, "incomplete_details", json!({"reason": self.incomplete()}));
        }
        response
    }

    fn status(&self) -> &'static str {
        if self.incomplete().is_some() { "incomplete" } else { "completed" }
    }

    /// The items of the answer: reasoning, then text or calls.
    fn items(&self) -> Vec<Value> {
        let mut items = Vec::new();
        if let Some(thinking) = &self.said.thinking {
            let body = self.asked.body;
            let wants = body.pointer("/reasoning/summary").is_some_and(|summary| !summary.is_null());
            let summary = if wants { json!([{"type": "summary_text", "text": thinking}]) } else { json!([]) };
            let mut item = json!({"id": self.id("rs"), "type": "reasoning", "summary": summary});
            if list(body, "include").iter().any(|name| name == "reasoning.encrypted_content") {
                let hidden = URL_SAFE.encode(format!("mock reasoning {}", self.asked.moment.serial));
                put(&mut item, "encrypted_content", json!(format!("gAAAA{hidden}")));
            }
            items.push(item);
        }
        if self.said.calls.is_empty() && !(self.said.text.is_empty() && self.incomplete().is_some()) {
            items.push(json!({
                "id": self.id("msg"),
                "type": "message",
                "status": self.status(),
                "role": "assistant",
                "content": [{"type": "output_text", "text": self.said.text, "annotations": [], "logprobs": []}],
            }));
        }
        for ((name, arguments), call) in self.said.calls.iter().zip(self.call_ids()) {
            items.push(json!({
                "id": call.replacen("call", "fc", 1),
                "type": "function_call",
                "status": "completed",
                "call_id": call,
                "name": name,
                "arguments": arguments.to_string(),
            }));
        }
        items
    }

    pub fn whole(&self) -> Value {
        self.response(self.status(), Value::Array(self.items()))
    }

    pub fn stream(&self) -> Stream {
        let mut events = Vec::new();
        for kind in ["response.created", "response.in_progress"] {
            events.push(json!({"type": kind, "response": self.response("in_progress", json!([]))}));
        }
        for (at, item) in self.items().iter().enumerate() {
            match text(item, "type") {
                "reasoning" => reasoning(&mut events, at, item),
                "message" => message(&mut events, at, item),
                _ => call(&mut events, at, item),
            }
        }
        let end = json!({"type": format!("response.{}", self.status()), "response": self.whole()});
        let mut failed = self.response("failed", json!([]));
        let message = "The server had an error while processing your request. Sorry about that!";
        put(&mut failed, "error", json!({"code": "server_error", "message": message}));
        let mut error = json!({"type": "response.failed", "response": failed});
        put(&mut error, "sequence_number", json!(before_error(events.len())));
        events.push(end);
        let mut lines: Vec<String> = Vec::new();
        for (number, mut event) in events.into_iter().enumerate() {
            put(&mut event, "sequence_number", json!(number));
            lines.push(line(&event));
        }
        let end = lines.pop().into_iter().collect();
        Stream::sse(lines, end, line(&error))
    }
}

fn line(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", text(event, "type"))
}

/// An item as it begins.
fn added(at: usize, item: &Value, field: &str, empty: Value) -> Value {
    let mut item = item.clone();
    put(&mut item, field, empty);
    if item.get("status").is_some() {
        put(&mut item, "status", json!("in_progress"));
    }
    json!({"type": "response.output_item.added", "output_index": at, "item": item})
}

fn done(at: usize, item: &Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": at, "item": item})
}

fn reasoning(events: &mut Vec<Value>, at: usize, item: &Value) {
    events.push(added(at, item, "summary", json!([])));
    for (n, part) in list(item, "summary").iter().enumerate() {
        let mut push = |kind: &str, field: &str, value: Value| {
            let mut event = json!({"type": format!("response.{kind}"), "item_id": item.get("id"), "output_index": at, "summary_index": n});
            put(&mut event, field, value);
            events.push(event);
        };
        push("reasoning_summary_part.added", "part", json!({"type": "summary_text", "text": ""}));
        for piece in pieces(text(part, "text")) {
            push("reasoning_summary_text.delta", "delta", json!(piece));
        }
        push("reasoning_summary_text.done", "text", json!(text(part, "text")));
        push("reasoning_summary_part.done", "part", part.clone());
    }
    events.push(done(at, item));
}

fn message(events: &mut Vec<Value>, at: usize, item: &Value) {
    events.push(added(at, item, "content", json!([])));
    for (n, part) in list(item, "content").iter().enumerate() {
        let mut push = |kind: &str, fields: &[(&str, Value)]| {
            let mut event = json!({"type": format!("response.{kind}"), "item_id": item.get("id"), "output_index": at, "content_index": n});
            for (name, value) in fields {
                put(&mut event, name, value.clone());
            }
            events.push(event);
        };
        let mut empty = part.clone();
        put(&mut empty, "text", json!(""));
        push("content_part.added", &[("part", empty)]);
        for piece in pieces(text(part, "text")) {
            push("output_text.delta", &[("delta", json!(piece)), ("logprobs", json!([]))]);
        }
        push("output_text.done", &[("text", json!(text(part, "text"))), ("logprobs", json!([]))]);
        push("content_part.done", &[("part", part.clone())]);
    }
    events.push(done(at, item));
}

fn call(events: &mut Vec<Value>, at: usize, item: &Value) {
    events.push(added(at, item, "arguments", json!("")));
    let mut push = |kind: &str, field: &str, value: &str| {
        let mut event = json!({"type": format!("response.function_call_arguments.{kind}"), "item_id": item.get("id"), "output_index": at});
        put(&mut event, field, json!(value));
        if kind == "done" {
            put(&mut event, "name", json!(text(item, "name")));
        }
        events.push(event);
    };
    let arguments = text(item, "arguments");
    for piece in pieces(arguments) {
        push("delta", "delta", &piece);
    }
    push("done", "arguments", arguments);
    events.push(done(at, item));
}
