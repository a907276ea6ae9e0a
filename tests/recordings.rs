//! Recorded traffic of every provider, driven through: each request that can be expressed in each provider's format,
//! each answer in each client's, streams whole, byte by byte and cut. With `CONDUIT_TRANSLATED` naming a folder, what
//! clients would get is written there, for the vendors' own SDKs to parse (`tests/sdk`).
//!
//! The recordings are not part of this project: `CONDUIT_VECTORS` names their folder; without it there is nothing to do.
#![cfg(not(target_family = "wasm"))]
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use conduit::formats::canonical::{ChatRequest, StreamEvent};
use conduit::formats::{Format, Incoming, Outgoing, eventstream, sse};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;

const ALL: [(Format, &str); 5] = [
    (Format::OpenAiChat, "gpt-4o"),
    (Format::OpenAiResponses, "gpt-5"),
    (Format::AnthropicMessages, "claude-sonnet-4-5"),
    (Format::Gemini, "gemini-2.5-flash"),
    (Format::BedrockConverse, "amazon.nova-pro-v1:0"),
];

/// Formats whose SDK is asked whether it can parse what its client would get.
const CLIENTS: [(Format, &str); 4] = [
    (Format::OpenAiChat, "chat"),
    (Format::OpenAiResponses, "responses"),
    (Format::AnthropicMessages, "messages"),
    (Format::Gemini, "gemini"),
];

struct Recording {
    id: String,
    format: Format,
    status: u64,
    request: Value,
    /// A whole answer's body, or a stream's bytes.
    body: Vec<u8>,
    framing: Option<Framing>,
}

#[derive(Clone, Copy, PartialEq)]
enum Framing {
    Sse,
    Binary,
}

fn recordings() -> Option<Vec<Recording>> {
    let Ok(folder) = std::env::var("CONDUIT_VECTORS") else {
        println!("skipped: CONDUIT_VECTORS is not set");
        return None;
    };
    let mut files: Vec<_> =
        std::fs::read_dir(format!("{folder}/recordings")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            let format = match record["api"].as_str().unwrap_or_default() {
                "chat.completions" => Format::OpenAiChat,
                "responses" => Format::OpenAiResponses,
                "messages" => Format::AnthropicMessages,
                "generateContent" | "streamGenerateContent" => Format::Gemini,
                "converse" | "converse-stream" => Format::BedrockConverse,
                _ => continue,
            };
            let response = &record["response"];
            let (body, framing) = match response["body_kind"].as_str() {
                Some("sse") => (response["body_text"].as_str().unwrap().as_bytes().to_vec(), Some(Framing::Sse)),
                Some("aws-eventstream") => {
                    (STANDARD.decode(response["body_base64"].as_str().unwrap()).unwrap(), Some(Framing::Binary))
                }
                Some("json") if record["api"] != "streamGenerateContent" => {
                    (response["body"].to_string().into_bytes(), None)
                }
                _ => continue,
            };
            let id = record["id"].as_str().unwrap().to_owned();
            let status = response["status"].as_u64().unwrap();
            all.push(Recording { id, format, status, request: record["request"]["body"].clone(), body, framing });
        }
    }
    assert!(all.len() > 500, "only {} recordings", all.len());
    Some(all)
}

fn incoming(request: Option<&ChatRequest>) -> Incoming<'_> {
    Incoming { model: "asked", id: "x1", created: 1, counted: Some(9), include_usage: true, request }
}

/// What a provider's stream means, its bytes coming in these pieces.
fn events(recording: &Recording, pieces: &[&[u8]]) -> Vec<StreamEvent> {
    let mut reader = recording.format.stream_reader();
    let mut out = Vec::new();
    let (mut text, mut binary) = (sse::Parser::new(1 << 24), eventstream::Parser::new(1 << 24));
    for piece in pieces {
        if recording.framing == Some(Framing::Sse) {
            text.push(piece, &mut |event| reader.event(&event, &mut out)).unwrap();
        } else {
            let mut each = |message: eventstream::Message<'_>| {
                let data = String::from_utf8_lossy(message.payload);
                reader.event(&sse::Event { name: message.name, data: &data }, &mut out);
            };
            binary.push(piece, &mut each).unwrap();
        }
    }
    if recording.framing == Some(Framing::Sse) {
        text.finish(&mut |event| reader.event(&event, &mut out)).unwrap();
    }
    reader.finish(&mut out);
    out
}

#[test]
fn every_recorded_request_is_written_for_every_provider_or_refused_by_name() {
    let Some(all) = recordings() else { return };
    let mut wrong = Vec::new();
    let mut refused: BTreeMap<String, u32> = BTreeMap::new();
    let mut written = 0;
    for recording in all.iter().filter(|recording| (200..300).contains(&recording.status)) {
        let request = match recording.format.read_request(&recording.request) {
            Ok(request) => request,
            Err(error) => {
                wrong.push(format!("{}: {:?} took it, but it is not read: {error}", recording.id, recording.format));
                continue;
            }
        };
        for (format, model) in ALL {
            let outgoing = Outgoing { model, default_max_tokens: 4096, rejects: &[] };
            match format.write_request(&request, &outgoing) {
                Ok(body) => {
                    written += 1;
                    let body: Value = serde_json::from_slice(&body.body).unwrap();
                    assert!(body.is_object());
                }
                Err(error) if recording.format == format => {
                    wrong.push(format!("{}: not written in its own format {format:?}: {error}", recording.id));
                }
                Err(error) if error.param.is_empty() => {
                    wrong.push(format!("{} to {format:?}: refused without a name: {error}", recording.id));
                }
                Err(error) => *refused.entry(format!("{format:?}: {}", error.message)).or_default() += 1,
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!("{written} written; refused:");
    refused.iter().for_each(|(why, count)| println!("{count:5} {why}"));
    assert!(written > 2000, "only {written} written");
}

#[test]
fn every_recorded_answer_is_read_with_its_usage_and_written_for_every_client() {
    let Some(all) = recordings() else { return };
    let mut wrong = Vec::new();
    let mut out = translated("answers");
    let mut read = 0;
    for recording in all.iter().filter(|r| r.framing.is_none() && (200..300).contains(&r.status)) {
        let answer = match recording.format.read_answer(&recording.body) {
            Ok(answer) => answer,
            // A recorder's mistake: a stream's text as one JSON string.
            Err(_) if serde_json::from_slice::<Value>(&recording.body).unwrap().is_string() => continue,
            Err(error) => {
                wrong.push(format!("{}: {error:?}", recording.id));
                continue;
            }
        };
        read += 1;
        let json: Value = serde_json::from_slice(&recording.body).unwrap();
        if recording.format.reported_usage(&json).unwrap_or_default() != answer.usage {
            wrong.push(format!("{}: another usage than is reported: {:?}", recording.id, answer.usage));
        }
        // A client of the provider's own format gets the provider's own bytes.
        for (client, name) in CLIENTS.into_iter().filter(|(client, _)| *client != recording.format) {
            let body = String::from_utf8(client.write_answer(&answer, &incoming(None))).unwrap();
            keep(&mut out, json!({"id": recording.id, "client": name, "kind": "answer", "body": body}));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(read > 400, "only {read} read");
}

#[test]
fn every_recorded_stream_means_the_same_however_it_is_cut() {
    let Some(all) = recordings() else { return };
    let mut out = translated("streams");
    let every = std::env::var("CONDUIT_EVERY_CUT").is_ok();
    let mut read = 0;
    for recording in all.iter().filter(|r| r.framing.is_some() && (200..300).contains(&r.status)) {
        let bytes = recording.body.as_slice();
        let whole = events(recording, &[bytes]);
        assert_eq!(whole.last(), Some(&StreamEvent::End), "{}", recording.id);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(events(recording, &single), whole, "{} byte by byte", recording.id);
        // Every place in short streams, some sixty evenly spread ones in long ones; `make cuts` tries every place in all.
        let step = if bytes.len() <= 2_000 || every { 1 } else { (bytes.len() / 60).max(1) };
        for at in (1..bytes.len()).step_by(step) {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(events(recording, &[head, tail]), whole, "{} cut at {at}", recording.id);
        }
        // Torn at any place it ends, and never as if it were whole.
        let finished = |events: &[StreamEvent]| events.iter().any(|e| matches!(e, StreamEvent::Finish { .. }));
        for at in (1..bytes.len()).step_by(step.max(bytes.len() / 20 + 1)) {
            let torn = events(recording, &[&bytes[..at]]);
            assert_eq!(torn.last(), Some(&StreamEvent::End), "{} torn at {at}", recording.id);
            let failed = torn.iter().any(|event| matches!(event, StreamEvent::Error(_)));
            assert!(failed || finished(&torn), "{} torn at {at} looks whole", recording.id);
        }
        read += 1;
        for (client, name) in CLIENTS.into_iter().filter(|(client, _)| *client != recording.format) {
            let mut body = Vec::new();
            let mut writer = client.stream_writer(&incoming(None));
            whole.iter().for_each(|event| writer.write(event, &mut body));
            let body = String::from_utf8(body).unwrap();
            keep(&mut out, json!({"id": recording.id, "client": name, "kind": "stream", "body": body}));
        }
    }
    assert!(read > 100, "only {read} read");
}

#[test]
fn every_recorded_error_is_told_in_every_clients_format() {
    let Some(all) = recordings() else { return };
    let mut out = translated("errors");
    let mut read = 0;
    for recording in all.iter().filter(|recording| recording.status >= 400) {
        let status = u16::try_from(recording.status).unwrap();
        let error = recording.format.read_error(status, &recording.body);
        assert!(!error.message.is_empty() && error.status == status, "{}: {error:?}", recording.id);
        read += 1;
        for (client, name) in CLIENTS {
            let body = String::from_utf8(client.write_error(&error)).unwrap();
            assert!(body.contains(error.message.get(..4).unwrap_or_default()), "{}: {body}", recording.id);
            keep(
                &mut out,
                json!({"id": recording.id, "client": name, "kind": "error", "status": status, "body": body}),
            );
        }
    }
    assert!(read > 15, "only {read} errors");
}

fn translated(name: &str) -> Option<std::fs::File> {
    let folder = std::env::var("CONDUIT_TRANSLATED").ok()?;
    std::fs::create_dir_all(&folder).unwrap();
    Some(std::fs::File::create(format!("{folder}/{name}.jsonl")).unwrap())
}

fn keep(file: &mut Option<std::fs::File>, line: Value) {
    if let Some(file) = file {
        writeln!(file, "{line}").unwrap();
    }
}
