//! Real exchanges, from the folder that `CONDUIT_VECTORS` names. They are not part of this repository.
#![cfg(not(target_family = "wasm"))]

use super::*;
use crate::formats::Format;
use crate::usage::{Tokens, Usage};

const FILES: [&str; 3] = ["openai_responses", "azure_responses", "xai_responses"];

fn records(files: &[&str]) -> Vec<Value> {
    let Ok(folder) = std::env::var("CONDUIT_VECTORS") else {
        println!("skipped: CONDUIT_VECTORS is not set");
        return Vec::new();
    };
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(format!("{folder}/recordings/{file}.jsonl")).unwrap();
        all.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    assert!(!all.is_empty());
    all
}

/// The recorded usage by the documented names, apart from the code under test.
fn reference_usage(usage: &Value, tier: &Value) -> Usage {
    let n = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).map(Tokens);
    Usage {
        input: n("/input_tokens"),
        cached_input: n("/input_tokens_details/cached_tokens"),
        cache_write: n("/input_tokens_details/cache_write_tokens"),
        output: n("/output_tokens"),
        reasoning: n("/output_tokens_details/reasoning_tokens"),
        service_tier: tier.as_str().filter(|_| usage.is_object()).map(str::to_owned),
        ..Usage::default()
    }
}

#[test]
fn requests_read_and_write_stably() {
    for record in records(&FILES) {
        let (id, body) = (&record["id"], &record["request"]["body"]);
        let request = read_request(body).unwrap_or_else(|error| panic!("{id}: {error}"));
        let (again, dropped) = written(&request, &request.model).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(dropped, Vec::<String>::new(), "{id}");
        let reread = read_request(&again).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(reread, request, "{id}");
        for (name, value) in body.as_object().unwrap() {
            let same = match name.as_str() {
                // A first system message is the instructions; a message of no words says nothing.
                "input" => value.as_array().is_none_or(|items| {
                    let moved = usize::from(again["instructions"].is_string() && !body["instructions"].is_string());
                    let silent =
                        items.iter().filter(|item| item["role"] == "assistant" && item["content"] == "").count();
                    again[name].as_array().unwrap().len() + moved + silent == items.len()
                }),
                "tools" => again[name].as_array().map_or(0, Vec::len) == value.as_array().unwrap().len(),
                "stream" | "background" if *value == false => true,
                "include" if *value == json!([]) => true,
                "instructions" if *value == "" => true,
                "reasoning" => value.as_object().unwrap().iter().all(|(n, v)| v.is_null() || again[name][n] == *v),
                _ => value.is_null() || again[name] == *value,
            };
            assert!(same, "{id}: {name}: {value} became {}", again[name]);
        }
    }
}

#[test]
fn answers_read_with_their_usage() {
    for record in records(&FILES) {
        let body = &record["response"]["body"];
        let Some(output) = body["output"].as_array() else { continue };
        let id = &record["id"];
        let answer = read_answer(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert_eq!(answer.usage, reference_usage(&record["usage"], &body["service_tier"]), "{id}");
        let mut parts = 0;
        for item in output {
            parts += if item["type"] == "message" { item["content"].as_array().unwrap().len() } else { 1 };
        }
        assert_eq!(answer.choices[0].parts.len(), parts, "{id}");
        let again = write_answer(&answer, &INCOMING);
        let reread = read_answer(&again).unwrap();
        assert_eq!((&reread.choices[0].parts, &reread.id), (&answer.choices[0].parts, &answer.id), "{id}");
        let written: Value = serde_json::from_slice(&again).unwrap();
        for (name, value) in body.as_object().unwrap() {
            if ["tools", "tool_choice", "temperature", "text", "metadata", "instructions", "model"]
                .contains(&name.as_str())
            {
                assert_eq!((name, &written[name]), (name, value), "{id}");
            }
        }
        // Nothing is lost to the clients of other formats either, nor does anything break.
        for format in [Format::OpenAiChat, Format::AnthropicMessages] {
            let body = format.write_answer(&answer, &INCOMING);
            let text = String::from_utf8(body.clone()).unwrap();
            let there = format.read_answer(&body).unwrap_or_else(|error| panic!("{id}: {error:?}: {text}"));
            let calls = |answer: &Answer| {
                answer.choices[0].parts.iter().filter(|part| matches!(part, Part::ToolCall(_))).count()
            };
            assert_eq!(calls(&there), calls(&answer), "{id}");
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
        assert_eq!(events.iter().filter(|event| matches!(event, StreamEvent::Finish { .. })).count(), 1, "{id}");
        assert!(!events.iter().any(|event| matches!(event, StreamEvent::Error(_))), "{id}");
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(read_chunks(&bytes), events, "{id}");
        // The last event says what the whole stream said.
        let last = text.rsplit("data: ").find_map(|data| serde_json::from_str::<Value>(data.trim()).ok()).unwrap();
        let answer = read_answer(last["response"].to_string().as_bytes()).unwrap();
        // The encrypted content is another one each time that it is said.
        let signed = |signature: &str| reasoning::own(signature).map(|(id, _)| id.to_owned()).unwrap_or_default();
        let words = |part: &Part| match part {
            Part::Text { text, .. } => text.clone(),
            Part::ToolCall(call) => format!("{} {} {}", call.id, call.name, call.arguments),
            Part::Thinking { text, signature } => format!("{text}{}", signed(signature.as_deref().unwrap_or_default())),
            _ => String::new(),
        };
        let whole: String = answer.choices[0].parts.iter().map(words).collect();
        let mut streamed = String::new();
        for event in &events {
            match event {
                StreamEvent::Text { text, .. } | StreamEvent::Thinking { text, .. } => streamed.push_str(text),
                StreamEvent::Signature { signature, .. } => streamed.push_str(&signed(signature)),
                StreamEvent::ToolStart { id, name, .. } => streamed.push_str(&format!("{id} {name} ")),
                StreamEvent::ToolArguments { json, .. } => streamed.push_str(json),
                StreamEvent::Usage(usage) => {
                    let expected = reference_usage(&record["usage"], &last["response"]["service_tier"]);
                    assert_eq!(*usage, expected, "{id}");
                }
                _ => {}
            }
        }
        assert_eq!(streamed, whole, "{id}");
        // Written and read again it says the same, but for the reasoning's own ids.
        let again = read_stream(&write_stream(&events, &INCOMING));
        let kept = |events: &[StreamEvent]| {
            said(events).into_iter().filter(|said| !said.starts_with("Usage")).collect::<Vec<_>>()
        };
        assert_eq!(kept(&again), kept(&events), "{id}");
    }
}

#[test]
fn fixtures_read() {
    let mut read = 0;
    for record in records(&["responses_only_fixtures"]) {
        let case = &record["case"];
        if record["api"] != "responses" {
            continue;
        }
        if let Some(chunks) = record["chunks"].as_array() {
            let text: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
            let events = read_stream(&text);
            let ended = chunks
                .iter()
                .any(|chunk| chunk["type"] == "response.completed" || chunk["type"] == "response.incomplete");
            let failed = events.iter().any(|event| matches!(event, StreamEvent::Error(_)));
            assert_eq!(failed, !ended, "{case}");
            read += 1;
        } else if record["body"]["output"].is_array() {
            let answer = read_answer(record["body"].to_string().as_bytes()).unwrap_or_else(|e| panic!("{case}: {e:?}"));
            assert!(!answer.usage.is_empty(), "{case}");
            read += 1;
        }
    }
    assert!(read > 0 || std::env::var("CONDUIT_VECTORS").is_err());
}
