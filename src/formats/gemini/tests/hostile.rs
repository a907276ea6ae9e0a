//! Bodies in which anything may stand anywhere: each is read or refused in words, nothing panics.

use super::super::super::canonical::{ApiError, StreamEvent};
use super::super::{read_answer, read_error, read_request, write_answer, write_error, write_request};
use super::{incoming, outgoing, read_stream, write_stream};
use proptest::prelude::*;
use serde_json::{Value, json};

fn request() -> Value {
    json!({"systemInstruction": {"parts": [{"text": "x"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "x"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}, {"fileData": {"fileUri": "https://x/a.png"}}]},
            {"role": "model", "parts": [{"text": "t", "thought": true, "thoughtSignature": "AA=="}, {"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "x"}, "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA"}}]}}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "nullable": true, "properties": {"a": {"type": "STRING"}}, "propertyOrdering": ["a"]}}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"temperature": 1, "topK": 5, "stopSequences": ["a"], "responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"},
            "thinkingConfig": {"thinkingBudget": 5, "includeThoughts": true}, "responseModalities": ["TEXT"], "candidateCount": 2}})
}

fn answer() -> Value {
    json!({"responseId": "r", "modelVersion": "m", "promptFeedback": {"blockReason": "SAFETY"},
        "candidates": [{"index": 0, "finishReason": "STOP", "finishMessage": "x",
            "content": {"role": "model", "parts": [{"text": "t", "thought": true}, {"text": "é", "thoughtSignature": "AA=="},
                {"functionCall": {"name": "f", "args": {"a": 1}}}, {"inlineData": {"mimeType": "audio/wav", "data": "AA"}}]},
            "groundingMetadata": {"groundingChunks": [{"web": {"uri": "u", "title": "t"}}],
                "groundingSupports": [{"segment": {"startIndex": 1, "endIndex": 2}, "groundingChunkIndices": [0]}]},
            "citationMetadata": {"citations": [{"startIndex": 0, "endIndex": 2, "uri": "u"}]},
            "logprobsResult": {"chosenCandidates": [{"token": "x", "logProbability": -1}], "topCandidates": [{"candidates": [{"token": "x"}]}]}}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3, "thoughtsTokenCount": 1,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 1}]}})
}

fn error() -> Value {
    json!([{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT", "details": [{"reason": "r", "fieldViolations": [{"field": "f", "description": "d"}], "retryDelay": "1s"}]}}])
}

fn anything() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("text"),
        json!("data:,"),
        json!("gemini:\u{0}\u{ffff}é"),
        json!([]),
        json!([[]]),
        json!([null, "x", 5, {}]),
        json!({}),
        json!({"text": 5}),
        json!({"name": "f", "parts": [{}], "error": {}}),
    ])
}

/// Puts `new` at the `place`-th node of the tree, in the order of a walk.
fn replace(value: &mut Value, place: &mut usize, new: &Value) {
    if *place == 0 {
        *value = new.clone();
    }
    *place = place.wrapping_sub(1);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, place, new)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, place, new)),
        _ => {}
    }
}

fn spoilt(mut value: Value, changes: &[(usize, Value)]) -> Value {
    for (place, new) in changes {
        replace(&mut value, &mut place.clone(), new);
    }
    value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_panics(changes in prop::collection::vec((0_usize..90, anything()), 1..4)) {
        match read_request(&spoilt(request(), &changes)) {
            Ok(request) => match write_request(&request, &outgoing("gemini-3-pro-preview")) {
                Ok(written) => prop_assert!(serde_json::from_slice::<Value>(&written.body).is_ok()),
                Err(error) => prop_assert!(!error.message.is_empty()),
            },
            Err(error) => prop_assert!(!error.message.is_empty()),
        }
        let answer = spoilt(answer(), &changes);
        let text = answer.to_string();
        match read_answer(text.as_bytes()) {
            Ok(read) => prop_assert!(read_answer(&write_answer(&read, &incoming())).is_ok()),
            Err(error) => prop_assert!((400..600).contains(&error.status) && !error.message.is_empty()),
        }
        let stream = format!("data: {text}\n\ndata: {text}\n\n");
        let events = read_stream(&[stream.as_bytes()]);
        let is_start = matches!(events.first(), Some(StreamEvent::Start { .. }));
        let is_end = matches!(events.last(), Some(StreamEvent::End));
        prop_assert!(is_start && is_end);
        let out = read_stream(&[&write_stream(&events, &incoming())]);
        prop_assert!(matches!(out.last(), Some(StreamEvent::End)));
        let error: ApiError = read_error(500, spoilt(error(), &changes).to_string().as_bytes());
        prop_assert!(!error.message.is_empty());
        prop_assert!(serde_json::from_slice::<Value>(&write_error(&error)).is_ok());
    }
}
