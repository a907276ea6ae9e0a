//! Bodies in which anything may stand anywhere: each is read or refused in words, nothing panics.

use super::super::super::canonical::{ApiError, StreamEvent};
use super::super::{read_answer, read_error, read_request, write_answer, write_error, write_request};
use super::{incoming, outgoing, read_stream, write_stream};
use proptest::prelude::*;
use serde_json::{Value, json};

fn request() -> Value {
    json!({"model": "m", "max_tokens": 5, "stop": ["a"], "stream": true, "stream_options": {"include_usage": true},
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:a/b;base64,AA"}},
                {"type": "file", "file": {"file_data": "data:a/b;base64,AA"}}]},
            {"role": "assistant", "content": "x", "thinking_blocks": [{"type": "thinking", "thinking": "y", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"}], "audio": {"id": "a"},
                "annotations": [{"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 1, "url": "u", "title": "t"}}],
                "tool_calls": [{"id": "b", "function": {"name": "f"}, "extra_content": {"google": {"thought_signature": "s"}}}]},
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}]},
            {"role": "assistant", "content": "x", "reasoning": "y", "reasoning_details": [
                {"type": "reasoning.text", "text": "y", "signature": "s", "format": "anthropic-claude-v1"},
                {"type": "reasoning.encrypted", "data": "d", "id": "rs", "format": "openai-responses-v1"}], "function_call": {"name": "f", "arguments": "{}"},
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "x"},
            {"role": "function", "name": "f", "content": "x"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}},
        "reasoning": {"effort": "low"}, "thinking": {"type": "enabled", "budget_tokens": 5}})
}

fn answer() -> Value {
    json!({"id": "i", "created": 1, "model": "m", "error": null, "service_tier": "x", "citations": ["u"], "search_results": [{"url": "u", "title": "t"}], "x_groq": {"usage": {"prompt_tokens": 1}},
        "choices": [{"index": 0, "finish_reason": "stop", "stop_reason": "x", "logprobs": null,
            "delta": {"thinking_blocks": [{"type": "thinking", "thinking": "y", "signature": "s"}], "audio": {"transcript": "x"},
                "annotations": [{"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 1, "url": "u", "title": "t"}}],
                "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "x"}]}], "reasoning": "r",
                "tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}], "function_call": {"name": "f"}},
            "message": {"content": [{"type": "text", "text": "x"}], "refusal": "n", "audio": {"id": "a"},
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 1}}})
}

fn error() -> Value {
    json!({"error": {"message": "m", "type": "t", "param": "p", "code": 5}, "message": "m", "detail": [{"msg": "x"}], "code": "c"})
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
        json!("é\u{0}\u{ffff}"),
        json!([]),
        json!([[]]),
        json!([null, "x", 5, {}]),
        json!({}),
        json!({"type": "text"}),
        json!({"name": "f", "error": {}}),
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
            Ok(request) => {
                let written = write_request(&request, &outgoing("o3")).map(|w| serde_json::from_slice::<Value>(&w.body).is_ok());
                prop_assert_eq!(written, Ok(true));
            }
            Err(error) => prop_assert!(!error.message.is_empty()),
        }
        let answer = spoilt(answer(), &changes);
        let text = answer.to_string();
        match read_answer(text.as_bytes()) {
            Ok(read) => prop_assert!(read_answer(&write_answer(&read, &incoming())).is_ok()),
            Err(error) => prop_assert!((400..600).contains(&error.status) && !error.message.is_empty()),
        }
        let stream = format!("data: {text}\n\ndata: {text}\n\ndata: [DONE]\n\n");
        let events = read_stream(&[stream.as_bytes()]);
        let is_start = matches!(events.first(), Some(StreamEvent::Start { .. }));
        let is_end = matches!(events.last(), Some(StreamEvent::End));
        prop_assert!(is_start && is_end);
        let out = write_stream(&events, &incoming());
        prop_assert!(out.ends_with(b"data: [DONE]\n\n"));
        let error: ApiError = read_error(500, spoilt(error(), &changes).to_string().as_bytes());
        prop_assert!(!error.message.is_empty());
        prop_assert!(serde_json::from_slice::<Value>(&write_error(&error)).is_ok());
    }
}
