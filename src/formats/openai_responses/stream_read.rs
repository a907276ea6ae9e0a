//! Streams: OpenAI's events into the canonical ones.
//!
//! Everything is said several times: in pieces, whole when a part is done, again when its item is, and once more in the
//! response at the end. Whichever comes first counts, and what a later one adds is told then: some servers send no
//! pieces.

mod item;

use super::super::canonical::{ApiError, StopReason, StreamEvent};
use super::super::{ReadStream, sse};
use super::answer::{excerpt, failure, read_stop};
use super::usage::read_body_usage;
use super::{error, reasoning};
use super::{given, kind, list, text, whole};
use crate::usage::Usage;
use item::{Item, Shared};
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads a stream.
#[derive(Debug, Default)]
pub struct StreamReader {
    started: bool,
    ended: bool,
    /// Items by their number in the output.
    items: BTreeMap<u64, Item>,
    shared: Shared,
}

impl ReadStream for StreamReader {
    fn event(&mut self, event: &sse::Event<'_>, out: &mut Vec<StreamEvent>) {
        let data = event.data.trim();
        if self.ended || data.is_empty() {
            return;
        }
        if data == "[DONE]" {
            return self.finish(out);
        }
        let value = match serde_json::from_str::<Value>(data) {
            Ok(value @ Value::Object(_)) => value,
            _ if event.name == "error" => return self.fail(ApiError::new(502, excerpt(data)), out),
            _ => {
                let found = excerpt(data);
                let message = format!("the provider's stream holds no JSON object: {found}");
                return self.fail(ApiError::new(502, message), out);
            }
        };
        let name = match kind(&value) {
            "" => event.name,
            name => name,
        };
        if name == "error" || name.is_empty() && given(&value, "error").is_some() {
            return self.fail(error::inside(&value), out);
        }
        self.named(name, &value, out);
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if !self.ended {
            self.fail(ApiError::new(502, "the provider's stream ended before its end"), out);
        }
    }
}

impl StreamReader {
    fn end(&mut self, out: &mut Vec<StreamEvent>) {
        self.start(&Value::Null, out);
        self.ended = true;
        out.push(StreamEvent::End);
    }

    fn fail(&mut self, error: ApiError, out: &mut Vec<StreamEvent>) {
        self.start(&Value::Null, out);
        out.push(StreamEvent::Error(error));
        self.end(out);
    }

    fn start(&mut self, response: &Value, out: &mut Vec<StreamEvent>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        out.push(StreamEvent::Start {
            id: text(response, "id").map(str::to_owned),
            model: text(response, "model").map(str::to_owned),
            created: response.get("created_at").and_then(whole),
            usage: Usage::default(),
        });
    }

    fn named(&mut self, name: &str, event: &Value, out: &mut Vec<StreamEvent>) {
        let Some(name) = name.strip_prefix("response.") else { return };
        let response = event.get("response").unwrap_or(&Value::Null);
        match name {
            "created" | "in_progress" | "queued" => self.start(response, out),
            "completed" | "incomplete" | "failed" | "cancelled" => self.terminal(name, response, out),
            _ => {
                let known = name.starts_with("output_") || name.starts_with("content_part.");
                if known || ["refusal.", "reasoning_", "function_call_"].iter().any(|start| name.starts_with(start)) {
                    self.start(&Value::Null, out);
                    self.piece(name, event, out);
                }
            }
        }
    }

    /// The number of the item that an event belongs to: by its number, its id, or because it is the last one.
    fn place(&self, event: &Value) -> u64 {
        if let Some(place) = event.get("output_index").and_then(whole) {
            return place;
        }
        let id = text(event, "item_id").or_else(|| event.get("item").and_then(|item| text(item, "id")));
        let by_id = id.and_then(|id| self.items.iter().find(|(_, item)| item.id == id));
        let last = self.items.last_key_value();
        match by_id.or(last) {
            Some((_, item)) if by_id.is_none() && event.get("item").is_some() && !item.id.is_empty() => {
                last.map_or(0, |(place, _)| place.saturating_add(1))
            }
            Some((place, _)) => *place,
            None => 0,
        }
    }

    fn piece(&mut self, name: &str, event: &Value, out: &mut Vec<StreamEvent>) {
        let place = self.place(event);
        let number = |name: &str| event.get(name).and_then(whole).unwrap_or(0);
        let word = |name: &str| text(event, name).unwrap_or_default();
        let content = number("content_index");
        let (item, shared) = (self.items.entry(place).or_default(), &mut self.shared);
        if let (true, Some(id)) = (item.id.is_empty(), text(event, "item_id")) {
            id.clone_into(&mut item.id);
        }
        match name {
            "output_item.added" => item.begin(event.get("item").unwrap_or(&Value::Null), shared, out),
            "output_item.done" => item.whole(event.get("item").unwrap_or(&Value::Null), shared, out),
            "content_part.done" => item.part(content, event.get("part").unwrap_or(&Value::Null), shared, out),
            "output_text.delta" => item.text(content, word("delta"), list(event, "logprobs"), shared, out),
            "output_text.done" => item.text_whole(content, word("text"), list(event, "logprobs"), shared, out),
            "output_text.annotation.added" => {
                if let Some(annotation) = given(event, "annotation") {
                    let number = event.get("annotation_index").and_then(whole);
                    item.annotation(content, number, annotation, shared, out);
                }
            }
            "refusal.delta" => item.refusal(content, word("delta"), out),
            "refusal.done" => item.refusal_whole(content, word("refusal"), out),
            "reasoning_summary_text.delta" => item.summary(number("summary_index"), word("delta"), out),
            "reasoning_summary_text.done" => item.summary_whole(number("summary_index"), word("text"), out),
            "reasoning_summary_part.done" => {
                let part = event.get("part").unwrap_or(&Value::Null);
                item.summary_whole(number("summary_index"), text(part, "text").unwrap_or_default(), out);
            }
            "reasoning_text.delta" => item.reasoning(content, word("delta"), out),
            "reasoning_text.done" => item.reasoning_whole(content, word("text"), out),
            "function_call_arguments.delta" => item.arguments(word("delta"), out),
            "function_call_arguments.done" => item.arguments_whole(word("arguments"), out),
            _ => {}
        }
    }

    /// The item that stands at a place of the final output, unless what was streamed there is another one: some servers
    /// leave items out at the end, or name them anew.
    fn item_of(&mut self, place: u64, id: &str) -> Option<(&mut Item, &mut Shared)> {
        let known = self.items.iter().find(|(_, item)| !id.is_empty() && item.id == id).map(|(place, _)| *place);
        let place = known.unwrap_or(place);
        let item = self.items.entry(place).or_default();
        let same = known.is_some() || item.id.is_empty() || id.is_empty();
        same.then_some((item, &mut self.shared))
    }

    fn terminal(&mut self, name: &str, response: &Value, out: &mut Vec<StreamEvent>) {
        self.start(response, out);
        let last = self.items.last_key_value().map_or(0, |(place, _)| *place);
        for (place, whole) in (0_u64..).zip(list(response, "output")) {
            // Reasoning that is not whole by now would stand behind what came of it.
            if place < last && kind(whole) == "reasoning" {
                continue;
            }
            if let Some((item, shared)) = self.item_of(place, text(whole, "id").unwrap_or_default()) {
                item.whole(whole, shared, out);
            }
        }
        for item in self.items.values_mut() {
            item.close(out);
        }
        let usage = read_body_usage(response);
        if !usage.is_empty() {
            out.push(StreamEvent::Usage(usage));
        }
        let failed = matches!(name, "failed" | "cancelled");
        if let Some(error) = failure(response).or_else(|| failed.then(|| error::inside(&Value::Null))) {
            return self.fail(error, out);
        }
        let stop = match (name, read_stop(response, self.shared.calls > 0)) {
            ("incomplete", None | Some(StopReason::End | StopReason::ToolCalls)) => StopReason::Length,
            (_, None) if self.shared.calls > 0 => StopReason::ToolCalls,
            (_, stop) => stop.unwrap_or(StopReason::End),
        };
        out.push(StreamEvent::Finish { choice: 0, stop, stop_sequence: None });
        self.end(out);
    }
}
