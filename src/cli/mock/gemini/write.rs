//! Google's answers, whole and in pieces.

use crate::cli::mock::json::put;
use crate::cli::mock::refusal::{Refusal, Vendor};
use crate::cli::mock::reply::{Reply, Stop, Used, pieces};
use crate::cli::mock::respond::{JSON, SSE, Stream};
use crate::cli::mock::server::Asked;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

pub(super) struct Writer<'a> {
    pub said: &'a Reply,
    pub used: Used,
    pub asked: &'a Asked<'a>,
    pub candidates: u64,
    pub shows_thoughts: bool,
}

impl Writer<'_> {
    fn finish_reason(&self) -> &'static str {
        match self.said.stop {
            Stop::Length => "MAX_TOKENS",
            Stop::Blocked => "SAFETY",
            Stop::End | Stop::Tools | Stop::Sequence(_) => "STOP",
        }
    }

    fn signature(&self) -> String {
        STANDARD.encode(format!("mock thought {}", self.asked.moment.serial))
    }

    /// Models that think sign the first of their calls; Gemini 3 signs its text too.
    fn parts(&self) -> Vec<Value> {
        let thinks = self.said.thinking.is_some();
        let mut parts = Vec::new();
        if let Some(thought) = self.said.thinking.as_ref().filter(|_| self.shows_thoughts) {
            parts.push(json!({"text": thought, "thought": true}));
        }
        if !self.said.text.is_empty() {
            let mut part = json!({"text": self.said.text});
            if thinks && self.asked.model.contains("gemini-3") {
                put(&mut part, "thoughtSignature", json!(self.signature()));
            }
            parts.push(part);
        }
        for (at, (name, arguments)) in self.said.calls.iter().enumerate() {
            let mut call = json!({"name": name, "args": arguments});
            // Newer models give their calls ids.
            if self.asked.model.contains("gemini-3") {
                put(&mut call, "id", json!(format!("mock{}{at}", self.asked.moment.serial)));
            }
            let mut part = json!({"functionCall": call});
            if thinks && at == 0 {
                put(&mut part, "thoughtSignature", json!(self.signature()));
            }
            parts.push(part);
        }
        parts
    }

    fn usage(&self, answered: bool) -> Value {
        let used = self.used;
        let details = |tokens: u64| json!([{"modality": "TEXT", "tokenCount": tokens}]);
        let spoken = if answered { used.completion.saturating_sub(used.reasoning) } else { 0 };
        let mut usage = json!({"promptTokenCount": used.prompt});
        if spoken > 0 {
            put(&mut usage, "candidatesTokenCount", json!(spoken));
        }
        let total = used.prompt.saturating_add(spoken).saturating_add(used.reasoning);
        put(&mut usage, "totalTokenCount", json!(total));
        if used.cached > 0 {
            put(&mut usage, "cachedContentTokenCount", json!(used.cached));
            put(&mut usage, "cacheTokensDetails", details(used.cached));
        }
        put(&mut usage, "promptTokensDetails", details(used.prompt));
        if used.reasoning > 0 {
            put(&mut usage, "thoughtsTokenCount", json!(used.reasoning));
        }
        if self.asked.vendor == Vendor::Vertex {
            put(&mut usage, "trafficType", json!("ON_DEMAND"));
        }
        usage
    }

    fn answer(&self, candidates: Value, usage: Value) -> Value {
        let mut whole = json!({});
        if candidates.as_array().is_some_and(|all| !all.is_empty()) {
            put(&mut whole, "candidates", candidates);
        }
        if !self.asked.faults.no_usage {
            put(&mut whole, "usageMetadata", usage);
        }
        put(&mut whole, "modelVersion", json!(self.asked.model));
        put(&mut whole, "responseId", json!(format!("mock{}", self.asked.moment.serial)));
        whole
    }

    /// A candidate; the last piece of a stream says why it ends.
    fn candidate(&self, index: u64, parts: Vec<Value>, ends: bool) -> Value {
        let mut content = json!({"role": "model"});
        if !parts.is_empty() {
            put(&mut content, "parts", Value::Array(parts));
        }
        let mut candidate = json!({"content": content});
        if ends {
            put(&mut candidate, "finishReason", json!(self.finish_reason()));
            if self.said.stop == Stop::Blocked {
                let rating =
                    json!({"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": true});
                put(&mut candidate, "safetyRatings", json!([rating]));
            }
            if self.said.stop == Stop::Tools {
                put(&mut candidate, "finishMessage", json!("Model generated function call(s)."));
            }
        }
        put(&mut candidate, "index", json!(index));
        candidate
    }

    /// A prompt that was blocked has no candidate.
    fn blocked(&self) -> Value {
        let mut whole = self.answer(json!([]), self.usage(false));
        put(&mut whole, "promptFeedback", json!({"blockReason": "PROHIBITED_CONTENT"}));
        whole
    }

    pub fn whole(&self) -> Value {
        if self.asked.faults.prompt_block {
            return self.blocked();
        }
        let candidates: Vec<Value> =
            (0..self.candidates).map(|index| self.candidate(index, self.parts(), true)).collect();
        self.answer(Value::Array(candidates), self.usage(true))
    }

    /// Server-sent events, or one array that arrives in pieces.
    pub fn stream(&self, sse: bool) -> Stream {
        let mut chunks = Vec::new();
        let mut last = Vec::new();
        if self.asked.faults.prompt_block {
            last.push(self.blocked());
        } else {
            for index in 0..self.candidates {
                let mut parts = self.split();
                let end = parts.pop().unwrap_or_default();
                for part in parts {
                    chunks.push(self.answer(json!([self.candidate(index, vec![part], false)]), self.usage(false)));
                }
                let end = if end.is_null() { Vec::new() } else { vec![end] };
                last.push(self.answer(json!([self.candidate(index, end, true)]), self.usage(true)));
            }
        }
        let error = Refusal::new(503, "The model is overloaded. Please try again later.").body(self.asked.vendor, "");
        if sse {
            let event = |chunk: &Value| Bytes::from(format!("data: {chunk}\r\n\r\n"));
            let all = |chunks: &[Value]| chunks.iter().map(event).collect();
            return Stream { content_type: SSE, events: all(&chunks), end: all(&last), error: event(&error) };
        }
        let piece = |at: usize, chunk: &Value| format!("{}{chunk}", if at == 0 { "[" } else { ",\r\n" });
        let events: Vec<Bytes> = chunks.iter().enumerate().map(|(at, chunk)| Bytes::from(piece(at, chunk))).collect();
        let mut end: Vec<Bytes> =
            (chunks.len()..).zip(&last).map(|(at, chunk)| Bytes::from(piece(at, chunk))).collect();
        end.push(Bytes::from_static(b"]"));
        let at = events.len().min(1);
        Stream { content_type: JSON, events, end, error: Bytes::from(format!("{}]", piece(at, &error))) }
    }

    /// The parts with their texts in pieces. Where text is signed, the signature comes last, on an empty text.
    fn split(&self) -> Vec<Value> {
        let mut split = Vec::new();
        for part in self.parts() {
            match part.get("text").and_then(Value::as_str) {
                None => split.push(part),
                Some(text) => {
                    for piece in pieces(text) {
                        let mut one = json!({"text": piece});
                        if let Some(thought) = part.get("thought") {
                            put(&mut one, "thought", thought.clone());
                        }
                        split.push(one);
                    }
                    if let Some(signature) = part.get("thoughtSignature") {
                        split.push(json!({"text": "", "thoughtSignature": signature}));
                    }
                }
            }
        }
        split
    }
}
