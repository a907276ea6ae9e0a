//! Real exchanges, from the folder that `CONDUIT_VECTORS` names. They are not part of this repository.
#![cfg(not(target_family = "wasm"))]

use super::{INCOMING, outgoing, read_stream, split, write_stream};
use crate::formats::anthropic_messages::{
    read_answer, read_count_request, read_error, read_request, read_usage, write_answer, write_request,
};
use crate::formats::canonical::StreamEvent;
use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};

/// Every record of these files whose request is of this format.
fn records(files: &[&str]) -> Vec<Value> {
    let Ok(folder) = std::env::var("CONDUIT_VECTORS") else {
        println!("skipped: CONDUIT_VECTORS is not set");
        return Vec::new();
    };
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(format!("{folder}/recordings/{file}.jsonl")).unwrap();
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            let body = &record["request"]["body"];
            if body["messages"].is_array() && !body["inferenceConfig"].is_object() && !body["schemaVersion"].is_string()
            {
                all.push(record);
            }
        }
    }
    assert!(!all.is_empty());
    all
}

const FILES: [&str; 4] = ["anthropic_messages", "anthropic_misc", "vertex_rawpredict", "bedrock_invoke"];

#[test]
fn requests_read_and_write_stably() {
    for record in records(&FILES) {
        let id = &record["id"];
        let mut body = record["request"]["body"].clone();
        // Clouds name the model in the path.
        if !body["model"].is_string() {
            body["model"] = record["model"].clone();
        }
        let read = if record["api"] == "count_tokens" { read_count_request } else { read_request };
        let request = read(&body).unwrap_or_else(|error| panic!("{id}: {error}"));
        let written = write_request(&request, &outgoing(&request.model)).unwrap_or_else(|e| panic!("{id}: {e}"));
        assert_eq!(written.dropped, Vec::<String>::new(), "{id}");
        let again: Value = serde_json::from_slice(&written.body).unwrap();
        let reread = read_request(&again).unwrap_or_else(|error| panic!("{id}: {error}"));
        let rewritten = write_request(&reread, &outgoing(&request.model)).unwrap();
        assert_eq!(String::from_utf8(rewritten.body), String::from_utf8(written.body), "{id}");
        // Nothing that has a place was lost: every parameter of the client's is there.
        for (name, value) in body.as_object().unwrap() {
            let (name, value) = match name.as_str() {
                "output_format" => ("output_config", json!({"format": value})),
                name => (name, value.clone()),
            };
            match name {
                "messages" | "system" => {}
                "tools" => {
                    assert_eq!(again[name].as_array().map(Vec::len).unwrap_or(0), value.as_array().unwrap().len())
                }
                "stream" if value == false => {}
                "tool_choice" if body["tools"].as_array().is_none_or(Vec::is_empty) => {}
                "stop_sequences" if value == json!([]) => {}
                _ if value.is_null() => {}
                _ => assert_eq!(again[name], value, "{id}: {name}"),
            }
        }
    }
}

#[test]
fn answers_read_with_their_usage() {
    for record in records(&FILES) {
        let response = &record["response"];
        let body = &response["body"];
        if body["type"] != "message" {
            continue;
        }
        let id = &record["id"];
        let answer = read_answer(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert_eq!(answer.usage, reference_usage(&record["usage"]), "{id}");
        assert_eq!(answer.choices[0].parts.len(), body["content"].as_array().unwrap().len(), "{id}");
        let again = read_answer(&write_answer(&answer, &INCOMING)).unwrap();
        assert_eq!((&again.choices, &again.id), (&answer.choices, &answer.id), "{id}");
        // On this wire an unknown count must be written as 0.
        if body["usage"]["input_tokens"].is_u64() {
            assert_eq!(again.usage, answer.usage, "{id}");
        }
    }
}

#[test]
fn streams_read_whole_and_write_back() {
    for record in records(&FILES) {
        let Some(text) = record["response"]["body_text"].as_str() else { continue };
        let id = &record["id"];
        let events = read_stream(text);
        assert!(matches!(events.first(), Some(StreamEvent::Start { .. })), "{id}");
        assert_eq!(events.iter().filter(|e| matches!(e, StreamEvent::End)).count(), 1, "{id}");
        assert!(matches!(events.last(), Some(StreamEvent::End)), "{id}");
        assert_eq!(events.iter().filter(|e| matches!(e, StreamEvent::Finish { .. })).count(), 1, "{id}: {events:?}");
        assert!(!events.iter().any(|e| matches!(e, StreamEvent::Error(_))), "{id}: {events:?}");
        let mut usage = Usage::default();
        for event in &events {
            if let StreamEvent::Start { usage: newer, .. } | StreamEvent::Usage(newer) = event {
                usage.merge(newer);
            }
        }
        assert_eq!(usage, reference_usage(&record["usage"]), "{id}");
        // Text, arguments and reasons survive being written and read again.
        let again: String = write_stream(&events)
            .iter()
            .map(|data| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap()))
            .collect();
        assert_eq!(said(&read_stream(&again)), said(&events), "{id}");
        // Cut anywhere before its end, the stream ends with an error.
        let all = split(text);
        let stop = all.iter().position(|(_, data)| data.contains("\"message_delta\"")).unwrap();
        for cut in 0..stop {
            let part: String = all[..cut].iter().map(|(n, d)| format!("event: {n}\ndata: {d}\n\n")).collect();
            let events = read_stream(&part);
            let tail = &events[events.len() - 2..];
            assert!(matches!(tail, [StreamEvent::Error(e), StreamEvent::End] if e.status == 502), "{id} at {cut}");
        }
    }
}

#[test]
fn errors_read() {
    for record in records(&["anthropic_errors"]) {
        let status = u16::try_from(record["response"]["status"].as_u64().unwrap()).unwrap();
        let body = &record["response"]["body"];
        let error = read_error(status, body.to_string().as_bytes());
        assert_eq!(error.message, body["error"]["message"].as_str().unwrap());
        assert_eq!(error.provider_type.as_deref(), body["error"]["type"].as_str());
    }
}

/// What was said, pieces joined.
fn said(events: &[StreamEvent]) -> Vec<String> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut add = |key: String, text: &str| match out.last_mut() {
        Some((last, sum)) if *last == key => sum.push_str(text),
        _ => out.push((key, text.to_owned())),
    };
    for event in events {
        match event {
            StreamEvent::Text { text, .. } => add("text".into(), text),
            StreamEvent::Thinking { text, .. } => add("thinking".into(), text),
            StreamEvent::Signature { signature, .. } => add("signature".into(), signature),
            StreamEvent::ToolStart { index, id, name, .. } => add(format!("call {index}"), &format!("{id} {name}")),
            StreamEvent::ToolArguments { index, json, .. } => add(format!("arguments {index}"), json),
            StreamEvent::Finish { stop, .. } => add(format!("{stop:?}"), ""),
            _ => {}
        }
    }
    out.into_iter().map(|(key, text)| format!("{key}: {text}")).collect()
}

/// The recorded usage by the documented sums, apart from the code under test.
fn reference_usage(usage: &Value) -> Usage {
    let iterations = usage["iterations"].as_array().cloned().unwrap_or_default();
    let n = |pointer: &str| {
        let of = |usage: &Value| usage.pointer(pointer).and_then(Value::as_u64);
        let compactions = iterations.iter().filter(|i| i["type"] == "compaction").filter_map(of).sum::<u64>();
        of(usage).map(|total| total + compactions)
    };
    let (read, write) = (n("/cache_read_input_tokens"), n("/cache_creation_input_tokens"));
    let expected = Usage {
        input: n("/input_tokens").map(|input| Tokens(input + read.unwrap_or(0) + write.unwrap_or(0))),
        cached_input: read.map(Tokens),
        cache_write: write.map(Tokens),
        cache_write_1h: n("/cache_creation/ephemeral_1h_input_tokens").map(Tokens),
        output: n("/output_tokens").map(Tokens),
        reasoning: n("/output_tokens_details/thinking_tokens").map(Tokens),
        service_tier: usage["service_tier"].as_str().map(str::to_owned),
        ..Usage::default()
    };
    assert_eq!(read_usage(usage), expected);
    expected
}
