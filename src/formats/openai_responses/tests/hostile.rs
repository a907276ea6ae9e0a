//! Input that nobody should send.

use super::*;
use crate::testing::test;

fn shapes() -> Vec<Value> {
    let mut shapes =
        vec![json!(null), json!(true), json!(-1), json!(1.5), json!(u64::MAX), json!(""), json!("x"), json!([])];
    shapes.extend([
        json!([null]),
        json!([[]]),
        json!({}),
        json!({"type": "x"}),
        json!({"type": null, "id": "i"}),
        json!("é\u{0}\u{10FFFF}"),
    ]);
    shapes
}

/// Each value inside `value`, one after the other, replaced by each shape.
fn mutations(value: &Value, out: &mut Vec<Value>) {
    fn places(value: &Value, path: &str, all: &mut Vec<String>) {
        all.push(path.to_owned());
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| places(value, &format!("{path}/{name}"), all))
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(i, value)| places(value, &format!("{path}/{i}"), all))
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    places(value, "", &mut all);
    for place in all {
        for shape in shapes() {
            let mut mutated = value.clone();
            *mutated.pointer_mut(&place).unwrap() = shape;
            out.push(mutated);
        }
    }
}

#[test]
fn no_request_breaks_it() {
    let body = json!({
        "model": "m", "instructions": "S",
        "input": [
            {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"}]},
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "openai:999:x"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "t"}]}
        ],
        "tools": [{"type": "function", "name": "f", "parameters": {}}],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
        "reasoning": {"effort": "low"}, "include": ["x"], "top_logprobs": 2
    });
    let mut all = Vec::new();
    mutations(&body, &mut all);
    let mut read = 0;
    for body in all {
        let Ok(request) = read_request(&body) else { continue };
        read += 1;
        let _ = stateful(&request);
        let Ok((again, _)) = written(&request, "m") else { continue };
        // What was written is a request.
        assert!(read_request(&again).is_ok(), "{body}\n{again}");
        let incoming = Incoming { request: Some(&request), ..INCOMING };
        assert!(serde_json::from_slice::<Value>(&write_answer(&Answer::default(), &incoming)).is_ok());
    }
    assert!(read > 100);
}

#[test]
fn no_answer_or_stream_breaks_it() {
    let response = json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
        "output": [
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "g"},
            {"type": "message", "id": "msg", "content": [{"type": "output_text", "text": "é", "logprobs": [{"token": "t", "logprob": 0.5, "top_logprobs": [{}]}],
                "annotations": [{"type": "url_citation", "url": "u", "title": "t", "start_index": 9, "end_index": 3}]}]},
            {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}"}
        ],
        "usage": {"input_tokens": 1, "output_tokens": 2}, "incomplete_details": {"reason": "x"}
    });
    let mut all = Vec::new();
    mutations(&response, &mut all);
    for response in all {
        if let Ok(answer) = read_answer(response.to_string().as_bytes()) {
            let body = write_answer(&answer, &INCOMING);
            assert!(read_answer(&body).is_ok(), "{response}");
        }
        let mut events = vec![json!({"type": "response.created", "response": response})];
        for (place, item) in response["output"].as_array().cloned().unwrap_or_default().into_iter().enumerate() {
            events.push(json!({"type": "response.output_item.added", "output_index": place, "item": item}));
            events.push(json!({"type": "response.output_text.delta", "output_index": item, "content_index": place, "delta": item}));
            events.push(
                json!({"type": "response.output_text.annotation.added", "annotation": item, "annotation_index": item}),
            );
            events.push(json!({"type": "response.output_item.done", "output_index": item, "item": item}));
        }
        events.push(json!({"type": "response.completed", "response": response}));
        let read = read_stream(&sse_of(&events));
        assert!(matches!(read.first(), Some(StreamEvent::Start { .. })), "{response}");
        assert_eq!(read.iter().filter(|event| matches!(event, StreamEvent::End)).count(), 1);
        let written = write_stream(&read, &INCOMING);
        assert!(matches!(
            super::events(&written).last().unwrap()["type"].as_str(),
            Some("response.completed" | "response.incomplete" | "error")
        ));
    }
    for data in ["", "null", "[]", "{", "{\"type\":1}", "\u{0}"] {
        let read = read_stream(&format!("data: {data}\n\n"));
        assert!(matches!(read[read.len() - 2..], [StreamEvent::Error(_), StreamEvent::End]), "{data}");
    }
}
