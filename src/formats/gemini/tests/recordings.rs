//! Recorded exchanges: what is read equals what a plain look at the JSON finds.

use super::super::super::canonical::*;
use super::super::{read_answer, read_error, read_request, read_usage, snake, write_answer};
use super::{incoming, outgoing, read_stream, write_stream, written};
use crate::usage::{Tokens, Usage};
use serde_json::{Value, json};

/// The lines of these files.
fn lines(files: &[&str]) -> Option<Vec<Value>> {
    let Ok(folder) = std::env::var("CONDUIT_VECTORS") else {
        println!("skipped: CONDUIT_VECTORS is not set");
        return None;
    };
    let read = |file: &&str| std::fs::read_to_string(format!("{folder}/{file}.jsonl")).unwrap();
    let lines = files.iter().map(read).collect::<String>();
    Some(lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect())
}

fn records(files: &[&str]) -> Option<Vec<Value>> {
    let files: Vec<String> = files.iter().map(|file| format!("recordings/{file}")).collect();
    lines(&files.iter().map(String::as_str).collect::<Vec<&str>>())
}

const FILES: &[&str] = &["gemini_generate", "vertex_generate"];

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A member in either spelling.
fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    if value[name].is_null() { &value[snake(name)] } else { &value[name] }
}

/// What a turn or an answer says, in the order of its parts; text that follows text is one.
fn said(parts: &Value) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for part in parts.as_array().into_iter().flatten() {
        let kind = if part["thought"] == true { "thought" } else { "text" };
        if let Some(text) = part["text"].as_str() {
            match out.last_mut() {
                Some(last) if last[0] == kind && last[1].is_string() => {
                    last[1] = json!(format!("{}{text}", string(&last[1])))
                }
                _ if text.is_empty() => {}
                _ => out.push(json!([kind, text])),
            }
        }
        let (call, response) = (member(part, "functionCall"), member(part, "functionResponse"));
        if call.is_object() {
            let args = if call["args"].is_null() { json!({}) } else { call["args"].clone() };
            out.push(json!(["call", call["name"], args, member(part, "thoughtSignature")]));
        }
        if response.is_object() {
            let media = response["parts"].as_array().map(|parts| parts.iter().map(blob).collect::<Vec<Value>>());
            out.push(json!(["result", response["name"], response["response"], media]));
        }
        if !blob(part)[1].is_null() {
            out.push(blob(part));
        }
    }
    out
}

fn blob(part: &Value) -> Value {
    let (blob, file) = (member(part, "inlineData"), member(part, "fileData"));
    if file.is_object() {
        return json!(["file", member(file, "fileUri"), member(file, "mimeType")]);
    }
    // Google reads both alphabets; written is the one that every vendor reads.
    let data =
        blob["data"].as_str().map(|data| data.replace('-', "+").replace('_', "/").trim_end_matches('=').to_owned());
    json!(["inline", data, member(blob, "mimeType")])
}

/// A body's turns: role and what is said; turns of one role are one.
fn conversation(body: &Value) -> Vec<(String, Vec<Value>)> {
    let mut out: Vec<(String, Vec<Value>)> = Vec::new();
    let system = member(body, "systemInstruction");
    if system.is_object() {
        out.push(("system".into(), said(&system["parts"])));
    }
    for content in body["contents"].as_array().unwrap() {
        let role = if content["role"] == "model" { "model" } else { "user" };
        match out.last_mut() {
            Some((last, parts)) if last == role => parts.extend(said(&content["parts"])),
            _ => out.push((role.into(), said(&content["parts"]))),
        }
    }
    out.retain(|(_, parts)| !parts.is_empty());
    out
}

#[test]
fn recorded_requests_are_read_and_come_back() {
    let Some(records) = records(FILES) else { return };
    for record in &records {
        let (id, body) = (string(&record["id"]), &record["request"]["body"]);
        let request = read_request(body).unwrap_or_else(|error| panic!("{id}: {error}"));
        let (again, dropped) = written(&request, &outgoing(string(&record["model"])));
        assert_eq!(dropped, Vec::<String>::new(), "{id}");
        assert_eq!(conversation(&again), conversation(body), "{id}");
        // Turns of one role may have become one.
        let flat = |mut request: ChatRequest| {
            let parts: Vec<Part> = request.messages.drain(..).flat_map(|message| message.parts).collect();
            (request, parts)
        };
        assert_eq!(flat(read_request(&again).unwrap()), flat(request), "{id}");
        let before = &body["generationConfig"];
        for (name, value) in before.as_object().into_iter().flatten() {
            let name = super::super::camel(name);
            let spelled = ["responseSchema", "thinkingConfig", "responseModalities"].contains(&name.as_str());
            if !(spelled || name == "candidateCount" && *value == 1) {
                let found = &again["generationConfig"][&name];
                assert!(found == value || value.as_f64().is_some() && found.as_f64() == value.as_f64(), "{id}: {name}");
            }
        }
        for name in ["safetySettings", "labels", "modelArmorConfig", "toolConfig"] {
            // Words of enums are read in any case.
            let plain = |value: &Value| value.to_string().to_lowercase();
            assert_eq!(plain(&again[name]), plain(member(body, name)), "{id}: {name}");
        }
    }
    assert!(records.len() > 100);
}

/// The figures that were recorded against what was read.
fn check_usage(recorded: &Value, usage: &Usage, id: &str) {
    let count = |name: &str| recorded[name].as_u64();
    let sum = |a: Option<u64>, b: Option<u64>| a.map(|a| a + b.unwrap_or(0));
    assert_eq!(usage.input.map(|t| t.0), sum(count("promptTokenCount"), count("toolUsePromptTokenCount")), "{id}");
    assert_eq!(usage.reasoning.map(|t| t.0), count("thoughtsTokenCount"), "{id}");
    if let (Some(total), Some(Tokens(input))) = (count("totalTokenCount"), usage.input) {
        assert_eq!(usage.output, Some(Tokens(total - input)), "{id}");
    }
}

/// What an answer's first choice says, in the shape of [`said`].
fn of_choice(choice: &Choice) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    let mut say = |kind: &str, text: &str| match out.last_mut() {
        Some(last) if last[0] == kind => last[1] = json!(format!("{}{text}", string(&last[1]))),
        _ if text.is_empty() => {}
        _ => out.push(json!([kind, text])),
    };
    let mut calls = Vec::new();
    for part in &choice.parts {
        match part {
            Part::Text { text, .. } => say("text", text),
            Part::Thinking { text, .. } => say("thought", text),
            Part::ToolCall(call) => {
                let signature = call.signature.as_deref().map(|signature| signature.strip_prefix("gemini:").unwrap());
                let args: Value = serde_json::from_str(&call.arguments).unwrap();
                calls.push(json!(["call", call.name, args, signature]));
            }
            Part::Image { source: Source::Base64 { media_type, data }, .. } => {
                calls.push(json!(["inline", data, media_type]));
            }
            Part::Unknown { value, .. } => assert!(value.to_string().contains("ode"), "{value}"),
            Part::Refusal(_) => {}
            other => panic!("{other:?}"),
        }
    }
    out.extend(calls);
    out
}

#[test]
fn recorded_answers_are_read_and_come_back() {
    let Some(records) = records(FILES) else { return };
    let mut seen = 0;
    for record in records.iter().filter(|record| record["response"]["body"].is_object()) {
        let (id, body) = (string(&record["id"]), &record["response"]["body"]);
        let answer = read_answer(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert_eq!(answer.id.as_deref(), body["responseId"].as_str(), "{id}");
        assert_eq!(answer.model.as_deref(), body["modelVersion"].as_str(), "{id}");
        check_usage(&body["usageMetadata"], &answer.usage, id);
        let expected = said(&body["candidates"][0]["content"]["parts"]);
        assert_eq!(of_choice(&answer.choices[0]), expected, "{id}");
        let again = read_answer(&write_answer(&answer, &incoming())).unwrap();
        let explained = answer.choices[0].parts.iter().any(|part| matches!(part, Part::Refusal(_)));
        assert!(explained || of_choice(&again.choices[0]) == expected, "{id}");
        assert_eq!(again.choices[0].stop, answer.choices[0].stop, "{id}");
        assert_eq!(again.usage, Usage { service_tier: None, ..answer.usage }, "{id}");
        seen += 1;
    }
    assert!(seen > 100, "only {seen} answers");
}

/// What a stream says, as a choice.
fn of_events(events: &[StreamEvent]) -> (Choice, Usage) {
    let (mut choice, mut usage) = (Choice::default(), Usage::default());
    for event in events {
        match event {
            StreamEvent::Text { text, .. } => {
                choice.parts.push(Part::Text { text: text.clone(), cache: None, citations: vec![] });
            }
            StreamEvent::Thinking { text, .. } => {
                choice.parts.push(Part::Thinking { text: text.clone(), signature: None });
            }
            StreamEvent::ToolStart { id, name, signature, .. } => choice.parts.push(Part::ToolCall(ToolCall {
                id: id.clone(),
                name: name.clone(),
                signature: signature.clone(),
                ..ToolCall::default()
            })),
            StreamEvent::ToolArguments { json, .. } => match choice.parts.last_mut() {
                Some(Part::ToolCall(call)) => call.arguments.push_str(json),
                other => panic!("{other:?}"),
            },
            StreamEvent::Finish { stop, .. } => choice.stop = Some(stop.clone()),
            StreamEvent::Usage(newer) => usage.merge(newer),
            StreamEvent::Start { .. } | StreamEvent::Signature { .. } | StreamEvent::End => {}
            other => panic!("{other:?}"),
        }
    }
    (choice, usage)
}

#[test]
fn recorded_streams_are_read_whole_and_byte_by_byte() {
    let Some(records) = records(FILES) else { return };
    let mut seen = 0;
    for record in records.iter().filter(|record| record["stream"] == true) {
        let id = string(&record["id"]);
        // Without `alt=sse` the chunks come as an array.
        let text = match &record["response"]["body"] {
            Value::Array(chunks) => chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect(),
            _ => string(&record["response"]["body_text"]).to_owned(),
        };
        let events = read_stream(&[text.as_bytes()]);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(read_stream(&bytes), events, "{id}");
        let chunks: Vec<Value> = text
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
        let parts: Vec<Value> = chunks
            .iter()
            .flat_map(|chunk| chunk["candidates"][0]["content"]["parts"].as_array().cloned().unwrap_or_default())
            .collect();
        let (choice, usage) = of_events(&events);
        assert_eq!(of_choice(&choice), said(&parts.clone().into()), "{id}");
        check_usage(&record["usage"], &usage, id);
        assert!(matches!(choice.stop, Some(StopReason::End | StopReason::ToolCalls | StopReason::Length)), "{id}");
        let (again, counted) = of_events(&read_stream(&[&write_stream(&events, &incoming())]));
        assert_eq!(of_choice(&again), said(&parts.into()), "{id}");
        assert_eq!(counted, Usage { service_tier: None, ..usage }, "{id}");
        seen += 1;
    }
    assert!(seen > 10, "only {seen} streams");
}

#[test]
fn recorded_errors_say_their_message() {
    let Some(records) = records(&["gemini_errors", "vertex_errors"]) else { return };
    for record in &records {
        let body = &record["response"]["body"];
        let status = u16::try_from(record["response"]["status"].as_u64().unwrap()).unwrap();
        let error = read_error(status, body.to_string().as_bytes());
        assert!(error.message.starts_with(string(&body["error"]["message"])), "{error:?}");
        assert_eq!(error.provider_type.as_deref(), body["error"]["status"].as_str());
        let wrong_key = body.to_string().contains("API_KEY_INVALID");
        let kind = if wrong_key { ErrorKind::Authentication } else { ErrorKind::of_status(status) };
        assert_eq!((error.status, error.kind), (status, kind));
    }
    assert!(records.len() > 2);
}

/// Two catalogs' reading of real usage reports.
#[test]
fn usage_reports_are_counted_as_others_count_them() {
    let Some(records) = lines(&["cost/genai_prices_usages_dataset"]) else { return };
    let mut seen = 0;
    for record in records.iter().filter(|record| record["body"]["usageMetadata"].is_object()) {
        let (usage, expected) = (read_usage(&record["body"]["usageMetadata"]), &record["extracted"][0]["usage"]);
        let found = |tokens: Option<Tokens>| tokens.map_or(0, |tokens| tokens.0);
        let count = |name: &str| expected[name].as_u64().unwrap_or(0);
        assert_eq!(found(usage.input), count("input_tokens"), "{record}");
        assert_eq!(found(usage.output), count("output_tokens"), "{record}");
        assert_eq!(found(usage.cached_input), count("cache_read_tokens"), "{record}");
        assert_eq!(found(usage.audio_input), count("input_audio_tokens"), "{record}");
        seen += 1;
    }
    assert!(seen > 50, "only {seen} reports");
}
