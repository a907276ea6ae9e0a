//! What another gateway makes of the same requests and answers: the meaning must be the same where it keeps all of it.

use super::super::super::{Format, ReadStream as _, sse};
use super::super::{StreamReader, snake};
use super::{incoming, outgoing, written};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn lines(file: &str) -> Option<Vec<Value>> {
    let Ok(folder) = std::env::var("CONDUIT_VECTORS") else {
        println!("skipped: CONDUIT_VECTORS is not set");
        return None;
    };
    let text = std::fs::read_to_string(format!("{folder}/{file}.jsonl")).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The same with every name in snake_case, where the names are Google's own.
fn snaked(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let free = ["args", "response", "parameters", "parametersJsonSchema", "responseJsonSchema"];
            let one = |(name, value): (&String, &Value)| {
                let value = if free.contains(&name.as_str()) { value.clone() } else { snaked(value) };
                (snake(name), value)
            };
            members.iter().map(one).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(snaked).collect(),
        other => other.clone(),
    }
}

/// What a request says in words, calls and results; turns of one role are one.
fn said(body: &Value) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    let system = json!({"role": "system", "parts": body["system_instruction"]["parts"]});
    for content in std::iter::once(&system).chain(body["contents"].as_array().unwrap()) {
        for part in content["parts"].as_array().into_iter().flatten() {
            let (call, response) = (&part["function_call"], &part["function_response"]);
            let what = if call.is_object() {
                json!(["call", call["name"], call["args"]])
            } else if response.is_object() {
                // The peer says what a tool answered under another name, and as text also where it is an object.
                let said = &response["response"];
                let plain = [&said["output"], &said["content"]].into_iter().find(|said| said.is_string());
                json!(["result", response["name"], plain.unwrap_or(said)])
            } else if part["inline_data"].is_object() {
                json!(["data", part["inline_data"]["data"]])
            } else if part["text"] == "" {
                continue;
            } else {
                json!(["text", part["text"]])
            };
            out.push(json!([content["role"], what]));
        }
    }
    out
}

#[test]
fn requests_mean_what_a_peer_makes_of_them() {
    let Some(records) = lines("translation/peer_litellm_requests") else { return };
    let mut seen = 0;
    for record in records.iter().filter(|record| record["litellm"]["gemini"]["body"].is_object()) {
        let id = &record["recording_id"];
        let peer = snaked(&record["litellm"]["gemini"]["body"]);
        let request = Format::OpenAiChat.read_request(&record["input"]).unwrap();
        // The peer takes OpenAI's search for Google's.
        if request.extra.contains_key("web_search_options") {
            continue;
        }
        let (body, dropped) = written(&request, &outgoing("gemini-2.5-flash"));
        let ours = snaked(&body);
        // Instructions after the model's last turn are what it shall answer: the peer moves them up.
        if !dropped.contains(&"messages.role".to_owned()) {
            assert_eq!(said(&ours), said(&peer), "{id}");
        }
        let names = |body: &Value| -> Vec<Value> {
            let functions = body["tools"][0]["function_declarations"].as_array().cloned().unwrap_or_default();
            functions.iter().map(|function| json!([function["name"], function["description"]])).collect()
        };
        assert_eq!(names(&ours), names(&peer), "{id}");
        // Unsaid, the mode is `AUTO`.
        let mode = |body: &Value| match body["tool_config"]["function_calling_config"]["mode"].as_str() {
            Some(mode) => mode.to_owned(),
            None => "AUTO".to_owned(),
        };
        // A strict tool is held to its schema here.
        assert!(mode(&ours) == mode(&peer) || mode(&ours) == "VALIDATED", "{id}: {} {}", mode(&ours), mode(&peer));
        let numbers = ["temperature", "top_p", "top_k", "max_output_tokens", "seed", "stop_sequences"];
        for name in numbers {
            assert_eq!(ours["generation_config"][name], peer["generation_config"][name], "{id}: {name}");
        }
        seen += 1;
    }
    assert!(seen > 30, "only {seen} requests");
}

/// What a Chat answer's choice says.
fn chat(message: &Value, finish: &Value) -> Value {
    let calls: Vec<Value> = message["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|call| {
            let arguments = call["function"]["arguments"].as_str().unwrap();
            json!([call["function"]["name"], serde_json::from_str::<Value>(arguments).unwrap()])
        })
        .collect();
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    json!({"text": text("content"), "thinking": text("reasoning_content"), "calls": calls, "finish": finish})
}

fn recorded() -> Option<BTreeMap<String, Value>> {
    let records = lines("recordings/gemini_generate")?;
    Some(records.into_iter().map(|record| (record["id"].as_str().unwrap().to_owned(), record)).collect())
}

#[test]
fn answers_mean_what_a_peer_makes_of_them() {
    let (Some(recorded), Some(peers)) = (recorded(), lines("translation/peer_litellm_responses")) else { return };
    let mut seen = 0;
    for peer in peers.iter().filter(|peer| peer["upstream_api"] == "generateContent" && peer["kind"] == "response") {
        let (id, theirs) = (peer["recording_id"].as_str().unwrap(), &peer["litellm_response"]);
        let Some(record) = recorded.get(id).filter(|_| peer["upstream_status"] == 200) else { continue };
        let answer = super::super::read_answer(record["response"]["body"].to_string().as_bytes()).unwrap();
        let ours: Value = serde_json::from_slice(&Format::OpenAiChat.write_answer(&answer, &incoming())).unwrap();
        let (a, b) = (&ours["choices"][0], &theirs["choices"][0]);
        assert_eq!(chat(&a["message"], &a["finish_reason"]), chat(&b["message"], &b["finish_reason"]), "{id}");
        // What Google's search brought is input, and the total says so; the peer counts it for some tools only.
        let fetched = !record["response"]["body"]["usageMetadata"]["toolUsePromptTokenCount"].is_null();
        for name in ["prompt_tokens", "completion_tokens", "completion_tokens_details"] {
            let count = |body: &Value| match &body["usage"][name] {
                Value::Object(details) => details.get("reasoning_tokens").and_then(Value::as_u64).unwrap_or(0),
                other => other.as_u64().unwrap_or(0),
            };
            assert!(count(&ours) == count(theirs) || name == "prompt_tokens" && fetched, "{id}: {name}");
        }
        seen += 1;
    }
    assert!(seen > 50, "only {seen} answers");
}

/// A Chat stream put together.
fn whole(chunks: &[Value]) -> (Value, Value) {
    let mut message = json!({"content": "", "reasoning_content": "", "tool_calls": []});
    let (mut finish, mut usage) = (Value::Null, Value::Null);
    for chunk in chunks {
        let choice = &chunk["choices"][0];
        for name in ["content", "reasoning_content"] {
            let more = choice["delta"][name].as_str().unwrap_or_default();
            message[name] = json!(format!("{}{more}", message[name].as_str().unwrap()));
        }
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            let calls = message["tool_calls"].as_array_mut().unwrap();
            if at == calls.len() {
                calls.push(call.clone());
            } else {
                let known = calls[at]["function"]["arguments"].as_str().unwrap().to_owned();
                let more = call["function"]["arguments"].as_str().unwrap();
                calls[at]["function"]["arguments"] = json!(format!("{known}{more}"));
            }
        }
        if !choice["finish_reason"].is_null() {
            finish = choice["finish_reason"].clone();
        }
        if chunk["usage"].is_object() {
            usage = chunk["usage"].clone();
        }
    }
    (chat(&message, &finish), usage)
}

#[test]
fn streams_mean_what_a_peer_makes_of_them() {
    let (Some(recorded), Some(peers)) = (recorded(), lines("translation/peer_litellm_responses")) else { return };
    let mut seen = 0;
    for peer in peers.iter().filter(|peer| peer["upstream_api"] == "streamGenerateContent") {
        let id = peer["recording_id"].as_str().unwrap();
        let Some(text) = recorded.get(id).and_then(|record| record["response"]["body_text"].as_str()) else { continue };
        let mut parser = sse::Parser::new(1 << 22);
        let (mut reader, mut events, mut out) = (StreamReader::default(), Vec::new(), Vec::new());
        parser.push(text.as_bytes(), &mut |event| reader.event(&event, &mut events)).unwrap();
        reader.finish(&mut events);
        let mut writer = Format::OpenAiChat.stream_writer(&incoming());
        events.iter().for_each(|event| writer.write(event, &mut out));
        let out = String::from_utf8(out).unwrap();
        let data = out.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
        let ours: Vec<Value> = data.map(|data| serde_json::from_str(data).unwrap()).collect();
        let ((ours, used), (theirs, counted)) = (whole(&ours), whole(peer["litellm_chunks"].as_array().unwrap()));
        assert_eq!(ours, theirs, "{id}");
        assert_eq!(used["prompt_tokens"], counted["prompt_tokens"], "{id}");
        assert_eq!(used["completion_tokens"], counted["completion_tokens"], "{id}");
        seen += 1;
    }
    assert!(seen > 5, "only {seen} streams");
}
