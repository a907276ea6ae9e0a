//! What a body costs, known when it is over: a provider bills what it generated until nobody was there to read it.

use super::ledger::Ledger;
use super::reply::{Used, count};
use crate::tokens::Tokenizer;
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What an answer costs.
#[derive(Clone, Debug)]
pub(super) struct Bill {
    pub model: String,
    pub used: Used,
    /// The service tier, where it is not the usual one.
    pub tier: Option<String>,
}

/// Which part of a body is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// A body that was made before its first byte went out: it is billed in full.
    Made,
    /// A stream that says all there is to say.
    Stream,
    /// A stream that stops before its end.
    Torn,
}

/// Bills a body once it was sent, or given up.
pub(super) struct Meter {
    ledger: Arc<Mutex<Ledger>>,
    bill: Option<Bill>,
    extent: Extent,
    /// Whether the whole body reports its usage.
    reports: bool,
    tokenizer: Tokenizer,
    sent: Vec<Bytes>,
}

impl Meter {
    pub fn new(ledger: Arc<Mutex<Ledger>>, bill: Bill, extent: Extent, reports: bool, tokenizer: Tokenizer) -> Self {
        Self { ledger, bill: Some(bill), extent, reports, tokenizer, sent: Vec::new() }
    }

    /// Notes a piece that went out.
    pub fn sent(&mut self, plain: &Bytes) {
        if self.extent != Extent::Made {
            self.sent.push(plain.clone());
        }
    }

    /// Bills a body of which everything went out.
    pub fn finish(&mut self) {
        self.close(true);
    }

    fn close(&mut self, all: bool) {
        let Some(mut bill) = self.bill.take() else { return };
        let mut told = all && self.reports;
        if self.extent != Extent::Made && !(all && self.extent == Extent::Stream) {
            let said = Said::of(&self.sent);
            told = said.usage;
            if !told {
                bill.used = said.cost(bill.used, self.tokenizer);
            }
        }
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).bill(&bill, told);
    }
}

/// A client that went away lets the body go.
impl Drop for Meter {
    fn drop(&mut self) {
        self.close(false);
    }
}

/// What a stream said as far as it went out.
#[derive(Default)]
struct Said {
    /// The texts, choice by choice.
    texts: BTreeMap<u64, String>,
    /// Whether reasoning was shown.
    reasoning: bool,
    /// Whether the final usage was told.
    usage: bool,
}

impl Said {
    fn of(pieces: &[Bytes]) -> Self {
        let mut said = Self::default();
        let text = pieces.iter().map(|piece| String::from_utf8_lossy(piece)).collect::<String>();
        for line in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
            if let Ok(event) = serde_json::from_str::<Value>(line) {
                said.take(&event);
            }
        }
        said
    }

    fn take(&mut self, event: &Value) {
        let mut add = |choice: u64, text: Option<&Value>| {
            if let Some(text) = text.and_then(Value::as_str) {
                self.texts.entry(choice).or_default().push_str(text);
            }
        };
        // OpenAI's Chat Completions.
        for choice in event.get("choices").and_then(Value::as_array).into_iter().flatten() {
            let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
            add(index, choice.pointer("/delta/content"));
            add(index, choice.pointer("/delta/reasoning_content"));
            add(index, choice.pointer("/delta/tool_calls/0/function/name"));
            add(index, choice.pointer("/delta/tool_calls/0/function/arguments"));
            self.reasoning |= choice.pointer("/delta/reasoning_content").is_some();
        }
        // OpenAI's Responses, and Anthropic's Messages.
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind.ends_with(".delta") {
            add(0, event.get("delta"));
            self.reasoning |= kind.contains("reasoning");
        }
        for field in ["text", "thinking", "partial_json"] {
            add(0, event.pointer(&format!("/delta/{field}")));
        }
        self.reasoning |= event.pointer("/delta/thinking").is_some();
        // Gemini's.
        for part in event.pointer("/candidates/0/content/parts").and_then(Value::as_array).into_iter().flatten() {
            add(0, part.get("text"));
        }
        self.usage |= event.pointer("/usage/completion_tokens").is_some()
            || event.pointer("/response/usage/output_tokens").is_some()
            || (kind == "message_delta" && event.pointer("/usage/output_tokens").is_some())
            || (event.pointer("/candidates/0/finishReason").is_some() && event.get("usageMetadata").is_some());
    }

    /// What this much of an answer costs, of what all of it would have.
    fn cost(&self, whole: Used, tokenizer: Tokenizer) -> Used {
        let spoken = self.texts.values().filter(|text| !text.is_empty()).map(|text| count(tokenizer, text));
        let hidden = if self.reasoning { 0 } else { whole.reasoning };
        let completion = spoken.fold(hidden, u64::saturating_add).min(whole.completion);
        Used { completion, reasoning: whole.reasoning.min(completion), ..whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const WHOLE: Used = Used { prompt: 10, cached: 4, written: 0, written_1h: 0, completion: 5, reasoning: 0 };

    fn billed(events: &[&str], all: bool, extent: Extent, reports: bool) -> Value {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let bill = Bill { model: "gpt-4o".into(), used: WHOLE, tier: None };
        let mut meter = Meter::new(Arc::clone(&ledger), bill, extent, reports, Tokenizer::O200k);
        for event in events {
            meter.sent(&Bytes::from((*event).to_owned()));
        }
        if all {
            meter.finish();
        }
        drop(meter);
        let model = &ledger.lock().unwrap().totals()["models"]["gpt-4o"];
        json!([
            model["requests"],
            model["prompt_tokens"],
            model["completion_tokens"],
            model["untold"]["completion_tokens"]
        ])
    }

    #[test]
    fn an_answer_is_billed_once_for_what_was_generated() {
        let first = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word\"}}]}\n\n";
        let second = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"}}]}\n\n";
        let half = "data: {\"choices\":[{\"index\":0,\"delta\":{\"conte";
        let usage = "data: {\"choices\":[],\"usage\":{\"completion_tokens\":5}}\n\n";
        for (events, all, extent, reports, want) in [
            (&[first, second, usage][..], true, Extent::Stream, true, json!([1, 10, 5, null])),
            (&[first, second][..], true, Extent::Stream, false, json!([1, 10, 5, 5])),
            (&[first, second][..], false, Extent::Stream, true, json!([1, 10, 2, 2])),
            (&[first, second, half][..], false, Extent::Stream, true, json!([1, 10, 2, 2])),
            (&[first, usage][..], false, Extent::Stream, true, json!([1, 10, 5, null])),
            (&[first, second][..], true, Extent::Torn, true, json!([1, 10, 2, 2])),
            (&[][..], false, Extent::Stream, true, json!([1, 10, 0, 0])),
            (&[][..], true, Extent::Made, true, json!([1, 10, 5, null])),
            (&[][..], false, Extent::Made, true, json!([1, 10, 5, 5])),
        ] {
            assert_eq!(billed(events, all, extent, reports), want, "{events:?} {all} {extent:?} {reports}");
        }
    }
}
