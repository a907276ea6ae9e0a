//! Recorded exchanges: what is read equals what a plain look at the JSON finds.

use super::super::super::canonical::*;
use super::super::{read_answer, read_error, read_request, write_answer};
use super::{incoming, outgoing, read_stream, write_stream, written};
use crate::usage::Usage;
use serde_json::Value;
use std::collections::BTreeMap;

const FILES: &[&str] = &["openai_chat", "groq_chat", "xai_chat", "glm_chat", "other_openai_compatible", "azure_chat"];

fn records(files: &[&str]) -> Option<Vec<Value>> {
    let Ok(folder) = std::env::var("CONDUIT_VECTORS") else {
        println!("skipped: CONDUIT_VECTORS is not set");
        return None;
    };
    let read = |file: &&str| std::fs::read_to_string(format!("{folder}/recordings/{file}.jsonl")).unwrap();
    let lines = files.iter().map(read).collect::<String>();
    let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    Some(records.filter(|record| record["api"] == "chat.completions").collect())
}

/// What an exchange said, per choice.
#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    thinking: String,
    refusal: String,
    /// Name and arguments; ids may be made up.
    calls: Vec<(String, String)>,
    finish: String,
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Adds what a `message` or `delta` says, as an independent reader would.
fn add(said: &mut Said, message: &Value) {
    match &message["content"] {
        Value::String(text) => said.text.push_str(text),
        Value::Array(parts) => {
            for part in parts {
                said.text.push_str(string(&part["text"]));
                for piece in part["thinking"].as_array().into_iter().flatten() {
                    said.thinking.push_str(string(&piece["text"]));
                }
            }
        }
        _ => {}
    }
    let reasoning = string(&message["reasoning_content"]);
    said.thinking.push_str(if reasoning.is_empty() { string(&message["reasoning"]) } else { reasoning });
    said.refusal.push_str(string(&message["refusal"]));
    let legacy = message
        .get("function_call")
        .filter(|call| !string(&call["name"]).is_empty() || !string(&call["arguments"]).is_empty());
    let calls = message["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|call| call.get("function").unwrap_or(&call["custom"]))
        .chain(legacy);
    let numbers = message["tool_calls"].as_array().into_iter().flatten().map(|call| call["index"].as_u64());
    for (call, number) in calls.zip(numbers.chain([Some(0)])) {
        let at = number.map_or(said.calls.len(), |number| usize::try_from(number).unwrap());
        if at >= said.calls.len() {
            said.calls.resize_with(at + 1, Default::default);
        }
        said.calls[at].0.push_str(string(&call["name"]));
        said.calls[at].1.push_str(string(call.get("arguments").unwrap_or(&call["input"])));
    }
}

fn tidy(said: &mut Said) {
    for (_, arguments) in &mut said.calls {
        if arguments.trim().is_empty() {
            *arguments = "{}".to_owned();
        }
    }
    if said.finish == "function_call" || (said.finish == "stop" && !said.calls.is_empty()) {
        said.finish = "tool_calls".to_owned();
    }
}

fn word(stop: &StopReason) -> String {
    match stop {
        StopReason::End | StopReason::StopSequence => "stop".into(),
        StopReason::Length => "length".into(),
        StopReason::ToolCalls => "tool_calls".into(),
        StopReason::ContentFilter => "content_filter".into(),
        StopReason::Other(word) => word.clone(),
        other => panic!("{other:?}"),
    }
}

fn of_parts(choice: &Choice) -> Said {
    let mut said = Said { finish: choice.stop.as_ref().map(word).unwrap_or_default(), ..Said::default() };
    for part in &choice.parts {
        match part {
            Part::Text { text, .. } => said.text.push_str(text),
            Part::Thinking { text, .. } => said.thinking.push_str(text),
            Part::Refusal(text) => said.refusal.push_str(text),
            Part::ToolCall(call) => said.calls.push((call.name.clone(), call.arguments.clone())),
            Part::Unknown { value, .. } if value["type"] == "custom" => {
                let custom = &value["custom"];
                said.calls.push((string(&custom["name"]).to_owned(), string(&custom["input"]).to_owned()));
            }
            Part::Audio { id, transcript, .. } => assert!(id.is_some() && transcript.is_some()),
            // What takes reasoning back, beside its words.
            Part::RedactedThinking { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    said
}

fn of_events(events: &[StreamEvent], id: &str) -> (BTreeMap<u64, Said>, Usage) {
    let mut choices: BTreeMap<u64, Said> = BTreeMap::new();
    let mut usage = Usage::default();
    assert!(matches!(events.first(), Some(StreamEvent::Start { .. })), "{id}");
    assert!(matches!(events.last(), Some(StreamEvent::End)), "{id}");
    for event in &events[1..events.len() - 1] {
        match event {
            StreamEvent::Text { choice, text } => choices.entry(*choice).or_default().text.push_str(text),
            StreamEvent::Thinking { choice, text } => choices.entry(*choice).or_default().thinking.push_str(text),
            StreamEvent::Refusal { choice, text } => choices.entry(*choice).or_default().refusal.push_str(text),
            StreamEvent::ToolStart { choice, index, name, .. } => {
                let calls = &mut choices.entry(*choice).or_default().calls;
                assert_eq!(u64::try_from(calls.len()).unwrap(), *index, "{id}");
                calls.push((name.clone(), String::new()));
            }
            StreamEvent::ToolArguments { choice, index, json } => {
                choices.entry(*choice).or_default().calls[usize::try_from(*index).unwrap()].1.push_str(json);
            }
            StreamEvent::Finish { choice, stop, .. } => choices.entry(*choice).or_default().finish = word(stop),
            StreamEvent::Usage(newer) => usage.merge(newer),
            StreamEvent::Ping
            | StreamEvent::Signature { .. }
            | StreamEvent::RedactedThinking { .. }
            | StreamEvent::Logprobs { .. }
            | StreamEvent::Citation { .. } => {}
            other => panic!("{id}: {other:?}"),
        }
    }
    (choices, usage)
}

/// The recorder's summary against what was read.
fn check_usage(recorded: &Value, usage: &Usage, id: &str) {
    let count = |pointer: &str| recorded.pointer(pointer).and_then(Value::as_u64);
    let found = |tokens: Option<crate::usage::Tokens>| tokens.map(|tokens| tokens.0);
    let reasoning = count("/completion_tokens_details/reasoning_tokens");
    assert_eq!(found(usage.input), count("/prompt_tokens"), "{id}");
    assert_eq!(found(usage.reasoning), reasoning, "{id}");
    if let Some(cached) = count("/prompt_tokens_details/cached_tokens") {
        assert_eq!(found(usage.cached_input), Some(cached), "{id}");
    }
    match (count("/prompt_tokens"), count("/completion_tokens"), count("/total_tokens")) {
        // Whatever a provider counts where, the total is input and output.
        (Some(input), Some(_), Some(total)) => assert_eq!(found(usage.output), Some(total - input), "{id}"),
        (_, output, _) => assert_eq!(found(usage.output), output, "{id}"),
    }
}

#[test]
fn recorded_requests_are_read_and_come_back() {
    let Some(records) = records(FILES) else { return };
    let mut seen = 0;
    for record in &records {
        let (id, body) = (string(&record["id"]), &record["request"]["body"]);
        // One recording holds what a provider refused to read.
        if !body.is_object() || body["messages"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        let request = read_request(body).unwrap_or_else(|error| panic!("{id}: {error}"));
        let (again, _) = written(&request, &outgoing(&request.model));
        assert_eq!(read_request(&again).map(|r| r.messages), Ok(request.messages.clone()), "{id}");
        for (name, value) in body.as_object().unwrap() {
            // Those that have several spellings; they are compared by meaning above and in the other tests.
            let spelled = ["max_tokens", "max_completion_tokens", "stop", "tools", "tool_choice", "messages"];
            let other = ["functions", "function_call", "stream", "stream_options"];
            if !value.is_null() && !spelled.contains(&name.as_str()) && !other.contains(&name.as_str()) {
                assert_eq!(&again[name], value, "{id}: {name}");
            }
        }
        seen += 1;
    }
    assert!(seen > 200, "only {seen} requests");
}

#[test]
fn recorded_answers_are_read_and_come_back() {
    let Some(records) = records(FILES) else { return };
    let mut seen = 0;
    for record in records.iter().filter(|record| record["response"]["body_kind"] == "json") {
        let (id, body) = (string(&record["id"]), &record["response"]["body"]);
        let bytes = body.to_string();
        if record["response"]["status"] != 200 {
            let error = read_error(400, bytes.as_bytes());
            assert!(!error.message.is_empty() && !error.message.starts_with('{'), "{id}: {error:?}");
            continue;
        }
        let answer = read_answer(bytes.as_bytes()).unwrap_or_else(|error| panic!("{id}: {error:?}"));
        check_usage(&record["usage"], &answer.usage, id);
        let wanted = body["choices"].as_array().unwrap().iter().map(|choice| {
            let mut said = Said { finish: string(&choice["finish_reason"]).to_owned(), ..Said::default() };
            add(&mut said, &choice["message"]);
            tidy(&mut said);
            said
        });
        let wanted: Vec<Said> = wanted.collect();
        assert_eq!(answer.choices.iter().map(of_parts).collect::<Vec<_>>(), wanted, "{id}");

        let again = read_answer(&write_answer(&answer, &incoming())).unwrap();
        let mut wanted = wanted;
        // A client is always told why; Snowflake does not say.
        for said in wanted.iter_mut().filter(|said| said.finish.is_empty()) {
            "stop".clone_into(&mut said.finish);
        }
        assert_eq!(again.choices.iter().map(of_parts).collect::<Vec<_>>(), wanted, "{id}");
        assert_eq!((&again.model, again.created), (&answer.model, answer.created), "{id}");
        assert_eq!(again.id.as_deref(), Some(answer.id.as_deref().unwrap_or("chatcmpl-ex1")), "{id}");
        let tier = answer.usage.service_tier.clone();
        assert_eq!(Usage { service_tier: tier, ..again.usage }, answer.usage, "{id}");
        seen += 1;
    }
    assert!(seen > 150, "only {seen} answers");
}

#[test]
fn recorded_streams_are_read_and_come_back() {
    let Some(records) = records(FILES) else { return };
    let mut seen = 0;
    for record in records.iter().filter(|record| record["response"]["body_kind"] == "sse") {
        let (id, body) = (string(&record["id"]), string(&record["response"]["body_text"]));
        let events = read_stream(&[body.as_bytes()]);
        for size in [1, 7, 1000] {
            let pieces: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
            assert!(read_stream(&pieces) == events, "{id}: in pieces of {size}");
        }
        let mut wanted: BTreeMap<u64, Said> = BTreeMap::new();
        for chunk in body.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?).ok()) {
            for choice in chunk["choices"].as_array().into_iter().flatten() {
                let said = wanted.entry(choice["index"].as_u64().unwrap_or(0)).or_default();
                add(said, &choice["delta"]);
                if said.finish.is_empty() {
                    string(&choice["finish_reason"]).clone_into(&mut said.finish);
                }
            }
        }
        wanted.values_mut().for_each(tidy);
        let (said, usage) = of_events(&events, id);
        assert_eq!(said, wanted, "{id}");
        if record["usage"].is_object() {
            check_usage(&record["usage"], &usage, id);
        }
        let again = read_stream(&[&write_stream(&events, &incoming())]);
        let (said, again_usage) = of_events(&again, id);
        assert_eq!(said, wanted, "{id}");
        let tier = usage.service_tier.clone();
        assert_eq!(Usage { service_tier: tier, ..again_usage }, usage, "{id}");
        seen += 1;
    }
    assert!(seen > 50, "only {seen} streams");
}

#[test]
fn recorded_errors_say_their_message() {
    let Some(records) = records(&["openai_errors", "groq_errors", "xai_errors", "azure_errors"]) else { return };
    assert!(!records.is_empty());
    for record in &records {
        let body = &record["response"]["body"];
        let status = u16::try_from(record["response"]["status"].as_u64().unwrap()).unwrap();
        let error = read_error(status, body.to_string().as_bytes());
        let message = body["error"].as_str().unwrap_or_else(|| string(&body["error"]["message"]));
        let words = message.split_once(':').map_or(message, |(head, _)| head);
        assert!(error.message.starts_with(words), "{error:?}");
        assert_eq!((error.status, error.kind), (status, ErrorKind::of_status(status)));
        assert!(!error.message.contains("sk-fake-key"), "{error:?}");
    }
}
