//! Log probabilities: `logprobsResult` (<https://ai.google.dev/api/generate-content#LogprobsResult>, 2026-11-21) and
//! OpenAI's form of them, which is the canonical one.

use super::{items, member};
use serde_json::{Map, Value, json};

pub(super) fn read(candidate: &Value) -> Option<Value> {
    let result = member(candidate, "logprobsResult")?;
    let chosen = items(result, "chosenCandidates");
    if chosen.is_empty() {
        return None;
    }
    let mut tops = items(result, "topCandidates").iter();
    let content: Vec<Value> = chosen
        .iter()
        .map(|one| {
            let mut token = token(one);
            let top = tops.next().map(|top| items(top, "candidates")).unwrap_or_default();
            token.insert("top_logprobs".to_owned(), top.iter().map(|one| Value::Object(self::token(one))).collect());
            Value::Object(token)
        })
        .collect();
    Some(json!({"content": content, "refusal": null}))
}

fn token(one: &Value) -> Map<String, Value> {
    let token = member(one, "token").and_then(Value::as_str).unwrap_or_default();
    let mut out = Map::new();
    out.insert("token".to_owned(), token.into());
    // A probability of one has the logarithm zero, which Google leaves out.
    out.insert("logprob".to_owned(), member(one, "logProbability").cloned().unwrap_or_else(|| json!(0.0)));
    out.insert("bytes".to_owned(), json!(token.as_bytes()));
    out
}

pub(super) fn write(logprobs: &Value) -> Option<Value> {
    let content = items(logprobs, "content");
    if content.is_empty() {
        return None;
    }
    let one = |token: &Value| {
        json!({
            "token": token.get("token").cloned().unwrap_or_default(),
            "logProbability": token.get("logprob").cloned().unwrap_or_default(),
        })
    };
    let chosen: Vec<Value> = content.iter().map(one).collect();
    let top = |token: &Value| {
        let all: Vec<Value> = items(token, "top_logprobs").iter().map(one).collect();
        json!({"candidates": all})
    };
    let tops: Vec<Value> = content.iter().map(top).collect();
    Some(json!({"chosenCandidates": chosen, "topCandidates": tops}))
}
