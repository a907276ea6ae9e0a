//! One item of a stream that is written.

use super::super::reasoning;
use super::super::response::{function_call, message, output_text};
use serde_json::{Value, json};

/// Events about an item, by name.
pub(super) type Events = Vec<(&'static str, Value)>;

#[derive(Debug)]
pub(super) struct Item {
    pub id: String,
    pub kind: Kind,
    /// As its last event says it; `None` while it is open.
    pub whole: Option<Value>,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// The parts that are whole, and the one that is open.
    Message { parts: Vec<Value>, open: Option<Content> },
    /// The text, whether a summary has begun, and what `encrypted_content` will hold.
    Reasoning { text: String, begun: bool, encrypted: Option<String> },
    /// A call of this number.
    Call { index: u64, call_id: String, name: String, arguments: String },
}

#[derive(Debug)]
pub(super) struct Content {
    pub refusal: bool,
    pub text: String,
    /// Where it begins in the answer's text, and how long it is, in characters.
    pub start: u64,
    pub length: u64,
    pub annotations: Vec<Value>,
    pub logprobs: Vec<Value>,
}

impl Content {
    /// A part without anything in it.
    pub(super) fn new(refusal: bool, start: u64) -> Self {
        Self { refusal, text: String::new(), start, length: 0, annotations: Vec::new(), logprobs: Vec::new() }
    }

    /// As the format says it.
    pub(super) fn part(&self) -> Value {
        if self.refusal {
            json!({"type": "refusal", "refusal": self.text})
        } else {
            output_text(&self.text, self.annotations.clone(), self.logprobs.clone())
        }
    }
}

impl Item {
    /// Whether nothing need be added to it: a call's arguments may be whole or not.
    pub(super) fn is_complete(&self) -> bool {
        match &self.kind {
            Kind::Call { arguments, .. } => serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok(),
            Kind::Message { .. } | Kind::Reasoning { .. } => true,
        }
    }

    /// Ends it: the events that say so, and the whole item.
    pub(super) fn end(&mut self, status: &str) -> (Events, Value) {
        let mut events = Vec::new();
        let whole = match &mut self.kind {
            Kind::Message { parts, open } => {
                if let Some(content) = open.take() {
                    events = end_of_part(&content, parts.len());
                    parts.push(content.part());
                }
                message(&self.id, parts.clone(), status)
            }
            Kind::Reasoning { text, begun, encrypted } => {
                if *begun {
                    let part = json!({"type": "summary_text", "text": text});
                    events = vec![
                        ("response.reasoning_summary_text.done", json!({"summary_index": 0, "text": text})),
                        ("response.reasoning_summary_part.done", json!({"summary_index": 0, "part": part})),
                    ];
                }
                reasoning::write(&self.id, text, encrypted.as_deref())
            }
            Kind::Call { call_id, name, arguments, .. } => {
                // Clients parse the arguments; a call without any must still be JSON.
                if arguments.trim().is_empty() && status == "completed" {
                    "{}".clone_into(arguments);
                    events.push(("response.function_call_arguments.delta", json!({"delta": "{}"})));
                }
                events.push(("response.function_call_arguments.done", json!({"name": name, "arguments": arguments})));
                function_call(&self.id, call_id, name, arguments, status)
            }
        };
        self.whole = Some(whole.clone());
        (events, whole)
    }
}

/// An event about the item at `place`.
pub(super) fn at(place: usize, id: &str, rest: Value) -> Value {
    let mut event = json!({"item_id": id, "output_index": place});
    if let (Some(event), Value::Object(rest)) = (event.as_object_mut(), rest) {
        event.extend(rest);
    }
    event
}

/// The events that end a content part.
pub(super) fn end_of_part(content: &Content, number: usize) -> Events {
    let done = if content.refusal {
        ("response.refusal.done", json!({"content_index": number, "refusal": content.text}))
    } else {
        let done = json!({"content_index": number, "text": content.text, "logprobs": content.logprobs});
        ("response.output_text.done", done)
    };
    vec![done, ("response.content_part.done", json!({"content_index": number, "part": content.part()}))]
}
