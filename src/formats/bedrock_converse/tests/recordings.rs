//! Real exchanges, from the folder that `CONDUIT_VECTORS` names. They are not part of this repository.
#![cfg(not(target_family = "wasm"))]

use super::{INCOMING, messages, outgoing};
use crate::formats::bedrock_converse::{
    StreamReader, StreamWriter, read_answer, read_error, read_request, read_usage, write_answer, write_request,
};
use crate::formats::canonical::{ErrorKind, StreamEvent};
use crate::formats::{Format, ReadStream, WriteStream, eventstream, sse};
use crate::usage::{Tokens, Usage};
use base64::Engine;
use serde_json::{Value, json};

fn records(file: &str) -> Vec<Value> {
    let Ok(folder) = std::env::var("CONDUIT_VECTORS") else {
        println!("skipped: CONDUIT_VECTORS is not set");
        return Vec::new();
    };
    let text = std::fs::read_to_string(format!("{folder}/{file}.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn converse() -> Vec<Value> {
    records("recordings/bedrock_converse")
}

/// What means the same in one form: what is empty or the default goes, a schema's text is JSON.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut out = serde_json::Map::new();
            for (name, value) in members {
                let value = match (name.as_str(), value) {
                    ("schema", Value::String(text)) => serde_json::from_str(text).unwrap(),
                    ("input" | "json", value) => value.clone(),
                    (_, value) => normal(value),
                };
                let blank =
                    value.as_object().is_some_and(|o| o.is_empty()) || value.as_array().is_some_and(Vec::is_empty);
                let keep = ["input", "auto", "any", "properties", "required", "content"].contains(&name.as_str());
                let default = name == "status" && value == "success";
                if keep || !blank && !default && !value.is_null() {
                    let name = if name == "reasoning_config" { "thinking" } else { name };
                    out.insert(name.to_owned(), value);
                }
            }
            out.into()
        }
        Value::Array(items) => items.iter().map(normal).collect(),
        other => other.clone(),
    }
}

#[test]
fn requests_read_and_write_the_same() {
    for record in converse().iter().chain(&records("recordings/bedrock_errors")) {
        let (id, body) = (&record["id"], &record["request"]["body"]);
        if record["api"] == "invoke" {
            continue;
        }
        let request = read_request(body).unwrap_or_else(|error| panic!("{id}: {error}"));
        let written = write_request(&request, &outgoing(record["model"].as_str().unwrap())).unwrap();
        let written: Value = serde_json::from_slice(&written.body).unwrap();
        assert_eq!(normal(&written), normal(body), "{id}");
    }
}

#[test]
fn answers_are_read_with_their_usage() {
    for record in converse() {
        let (id, body) = (&record["id"], &record["response"]["body"]);
        if record["response"]["body_kind"] != "json" {
            continue;
        }
        let answer = read_answer(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert_eq!(answer.usage, reference_usage(&body["usage"]), "{id}");
        assert!(answer.choices[0].stop.is_some(), "{id}");
        // A client of the same format gets the same message back.
        let written: Value = serde_json::from_slice(&write_answer(&answer, &INCOMING)).unwrap();
        if !body.to_string().contains("citationsContent") {
            let plain = |message: &Value| {
                let blocks = message["content"].as_array().unwrap().iter().filter(|block| block["text"] != "");
                let mut blocks: Vec<Value> = blocks.cloned().collect();
                // A word for what is so without it.
                for block in &mut blocks {
                    if block["toolUse"]["type"] == "tool_use" {
                        block["toolUse"].as_object_mut().unwrap().shift_remove("type");
                    }
                }
                blocks
            };
            assert_eq!(plain(&written["output"]["message"]), plain(&body["output"]["message"]), "{id}");
        }
        // And a client of any other gets something.
        for format in [Format::OpenAiChat, Format::AnthropicMessages] {
            let bytes = format.write_answer(&answer, &INCOMING);
            assert!(serde_json::from_slice::<Value>(&bytes).unwrap().is_object(), "{id}");
        }
    }
}

/// The recorded usage by the documented sums, apart from the code under test.
fn reference_usage(usage: &Value) -> Usage {
    let n = |name: &str| usage[name].as_u64();
    let (read, write) = (n("cacheReadInputTokens"), n("cacheWriteInputTokens"));
    let expected = Usage {
        input: n("inputTokens").map(|input| Tokens(input + read.unwrap_or(0) + write.unwrap_or(0))),
        cached_input: read.map(Tokens),
        cache_write: write.map(Tokens),
        output: n("outputTokens").map(Tokens),
        ..Usage::default()
    };
    assert_eq!(read_usage(usage), expected);
    expected
}

/// All events of a stream's bytes, pushed in these pieces.
fn read(pieces: &[&[u8]]) -> Vec<StreamEvent> {
    let mut parser = eventstream::Parser::new(1 << 20);
    let mut reader = StreamReader::default();
    let mut out = Vec::new();
    for piece in pieces {
        let mut each = |message: eventstream::Message<'_>| {
            let data = std::str::from_utf8(message.payload).unwrap();
            reader.event(&sse::Event { name: message.name, data }, &mut out);
        };
        parser.push(piece, &mut each).unwrap();
    }
    parser.finish().unwrap();
    reader.finish(&mut out);
    out
}

#[test]
fn streams_are_read_whole_and_byte_by_byte() {
    let mut streams = 0;
    for record in converse() {
        let (id, response) = (&record["id"], &record["response"]);
        if response["body_kind"] != "aws-eventstream" {
            continue;
        }
        streams += 1;
        let bytes = decode(&response["body_base64"]);
        let whole = read(&[&bytes]);
        assert!(matches!(whole.last(), Some(StreamEvent::End)), "{id}");
        assert!(!whole.iter().any(|event| matches!(event, StreamEvent::Error(_))), "{id}");
        assert_eq!(read(&bytes.chunks(1).collect::<Vec<&[u8]>>()), whole, "{id}");
        for cut in (0..=bytes.len()).step_by(1 + bytes.len() / 300) {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(read(&[head, tail]), whole, "{id} cut at {cut}");
        }
        let events = response["events"].as_array().unwrap();
        let text = |value: &Value| value["payload"]["delta"]["text"].as_str().unwrap_or_default().to_owned();
        let said: String =
            whole.iter().map(|e| if let StreamEvent::Text { text, .. } = e { text } else { "" }).collect();
        assert_eq!(said, events.iter().map(text).collect::<String>(), "{id}");
        let reported = events.iter().find_map(|event| event["payload"].get("usage")).unwrap();
        let found = whole.iter().find_map(|e| if let StreamEvent::Usage(usage) = e { Some(usage) } else { None });
        assert_eq!(found, Some(&reference_usage(reported)), "{id}");
        // To a client of the same format it says the same.
        let mut writer = StreamWriter::new(&INCOMING);
        let mut out = Vec::new();
        for event in &whole {
            writer.write(event, &mut out);
        }
        let names: Vec<String> = messages(&out).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names.first().map(String::as_str), Some("messageStart"), "{id}");
        assert_eq!(names.last().map(String::as_str), Some("metadata"), "{id}");
        let again = read(&[&out]);
        let pick = |events: &[StreamEvent]| -> Vec<StreamEvent> {
            let kept = |e: &&StreamEvent| !matches!(e, StreamEvent::Finish { .. } | StreamEvent::Citation { .. });
            events.iter().filter(kept).cloned().collect()
        };
        assert_eq!(pick(&again), pick(&whole), "{id}");
    }
    assert!(streams > 0 || std::env::var("CONDUIT_VECTORS").is_err());
}

#[test]
fn errors_are_read() {
    for record in records("recordings/bedrock_errors") {
        let response = &record["response"];
        let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
        let error = read_error(status, response["body"].to_string().as_bytes());
        assert_eq!((error.status, error.message.as_str()), (status, response["body"]["message"].as_str().unwrap()));
        let kind = match status {
            403 if error.message.contains("security token") => ErrorKind::Authentication,
            403 => ErrorKind::Permission,
            _ => ErrorKind::InvalidRequest,
        };
        assert_eq!(error.kind, kind, "{}", record["id"]);
    }
}

/// Another gateway's expectations, by meaning.
#[test]
fn another_gateways_requests() {
    let mut compared = 0;
    for case in records("translation/golden_agentgateway") {
        let from = match case["client_api"].as_str() {
            Some("openai.chat.completions") => Format::OpenAiChat,
            Some("anthropic.messages") => Format::AnthropicMessages,
            _ => continue,
        };
        if case["kind"] != "request" || case["target"] != "bedrock" {
            continue;
        }
        let request = from.read_request(&case["input"]).unwrap();
        let written = write_request(&request, &outgoing(case["input"]["model"].as_str().unwrap())).unwrap();
        let mut found: Value = serde_json::from_slice(&written.body).unwrap();
        let mut expected = case["expected"].clone();
        // It sets a limit where the client set none, and carries a signature beside the message, as no client does.
        for body in [&mut found, &mut expected] {
            body.as_object_mut().unwrap().shift_remove("inferenceConfig");
            let text = body.to_string();
            if text.contains("SIG-replay") {
                body["messages"][1]["content"].as_array_mut().unwrap().remove(0);
            }
        }
        assert_eq!(normal(&found), normal(&expected), "{}", case["case"]);
        compared += 1;
    }
    assert!(compared > 0 || std::env::var("CONDUIT_VECTORS").is_err());
}

/// Another gateway's requests for what OpenAI clients asked: who says what, with which tools.
#[test]
fn another_gateways_requests_for_chat() {
    let mut compared = 0;
    for case in records("translation/peer_litellm_requests") {
        for target in ["bedrock-converse-claude", "bedrock-converse-llama"] {
            let theirs = &case["litellm"][target];
            let Some(path) = theirs["url"].as_str().and_then(|url| url.split("/model/").nth(1)) else { continue };
            let model = path.split('/').next().unwrap().replace("%3A", ":");
            let request = Format::OpenAiChat.read_request(&case["input"]).unwrap();
            // What is refused here, it drops without a word or asks for in another way.
            let Ok(written) = write_request(&request, &outgoing(&model)) else { continue };
            let found: Value = serde_json::from_slice(&written.body).unwrap();
            let (found, expected) = (normal(&found), normal(&theirs["body"]));
            let text = expected.to_string();
            // It keeps instructions in the middle as the user's, retells calls as text where their tools are gone, and
            // forces a tool where the model has no schemas.
            let elsewise = ["Operator note", "[tool call", "json_tool_call"].iter().any(|words| text.contains(words));
            if elsewise || text.contains("sanitised") {
                continue;
            }
            let id = format!("{target} {}", case["recording_id"]);
            assert_eq!(found["messages"], expected["messages"], "{id}");
            assert_eq!(found["system"], expected["system"], "{id}");
            let limits = |body: &Value| {
                let mut limits = body["inferenceConfig"].clone();
                // It raises the limit to a default of its own where the client gave none.
                if case["input"]["max_tokens"].is_null() && case["input"]["max_completion_tokens"].is_null() {
                    limits.as_object_mut().map(|limits| limits.shift_remove("maxTokens"));
                }
                let number = |name: &str| limits[name].as_f64();
                (number("maxTokens"), number("temperature"), number("topP"), limits["stopSequences"].clone())
            };
            assert_eq!(limits(&found), limits(&expected), "{id}");
            // It knows nothing of `functions`.
            if case["input"]["functions"].is_null() {
                let names = |body: &Value| -> Vec<Value> {
                    let tools = body["toolConfig"]["tools"].as_array().cloned().unwrap_or_default();
                    tools.iter().map(|tool| tool["toolSpec"]["name"].clone()).collect()
                };
                assert_eq!(names(&found), names(&expected), "{id}");
            }
            compared += 1;
        }
    }
    assert!(compared > 20 || std::env::var("CONDUIT_VECTORS").is_err());
}

/// Another gateway's expectations of what an OpenAI client is told.
#[test]
fn another_gateways_answers() {
    let mut compared = 0;
    let recordings = converse();
    for case in records("translation/peer_litellm_responses") {
        let Some(record) = recordings.iter().find(|record| record["id"] == case["recording_id"]) else { continue };
        let compares = case["kind"] == "response" && case["client_api"] == "openai.chat.completions";
        if !compares || case["litellm_response"].is_null() {
            continue;
        }
        let id = &record["id"];
        let Ok(answer) = read_answer(record["response"]["body"].to_string().as_bytes()) else { panic!("{id}") };
        let found: Value = serde_json::from_slice(&Format::OpenAiChat.write_answer(&answer, &INCOMING)).unwrap();
        let (found, expected) = (&found["choices"][0], &case["litellm_response"]["choices"][0]);
        let text = |choice: &Value| choice["message"]["content"].as_str().unwrap_or_default().to_owned();
        // It takes out what Nova writes as its thoughts, at the start only; here text stays as the model wrote it.
        let said = text(found);
        let spoken = said.strip_prefix("<thinking>").and_then(|rest| rest.split_once("</thinking>"));
        let spoken = spoken.map_or(said.as_str(), |(_, spoken)| spoken);
        assert!(said == text(expected) || spoken == text(expected), "{id}: {said}");
        // It answers for the client a call of the provider's own tool, which is none of the client's.
        if record["response"]["body"].to_string().contains("server_tool_use") {
            continue;
        }
        let calls = |choice: &Value| -> Vec<(Value, Value)> {
            let calls = choice["message"]["tool_calls"].as_array().cloned().unwrap_or_default();
            let read = |call: &Value| {
                let arguments = call["function"]["arguments"].as_str().unwrap();
                (call["function"]["name"].clone(), serde_json::from_str(arguments).unwrap_or(json!(arguments)))
            };
            calls.iter().map(read).collect()
        };
        assert_eq!(calls(found), calls(expected), "{id}");
        assert_eq!(found["finish_reason"], expected["finish_reason"], "{id}");
        compared += 1;
    }
    assert!(compared > 0 || std::env::var("CONDUIT_VECTORS").is_err());
}

fn decode(value: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap()
}
