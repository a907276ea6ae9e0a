//! Recorded streams of every provider through the built module, whole and byte by byte, to clients of three formats.
//! `CONDUIT_VECTORS` names the folder of the recordings, which are not part of this project.
#![allow(clippy::disallowed_methods)]

use crate::support::*;
use base64::Engine as _;
use conduit_wasm::headers::Headers;
use conduit_wasm::{Answer, Exchange, Vm};
use serde_json::{Value, json};

const CONFIG: &str = r#"
version: 1
providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
  answers: {kind: openai, api: responses, api_key: "${OPENAI_API_KEY}"}
  anthropic: {api_key: "${ANTHROPIC_API_KEY}"}
  gemini: {api_key: "${ANTHROPIC_API_KEY}"}
  bedrock: {api_key: "${ANTHROPIC_API_KEY}", region: us-east-1}
"#;

/// The provider that speaks so, the stream's content type and its bytes.
fn stream(record: &Value) -> Option<(&'static str, &'static str, Vec<u8>)> {
    let response = &record["response"];
    let text = || response["body_text"].as_str().map(|text| text.as_bytes().to_vec());
    let binary = || base64::engine::general_purpose::STANDARD.decode(response["body_base64"].as_str()?).ok();
    Some(match record["api"].as_str()? {
        "chat.completions" => ("openai", "text/event-stream", text()?),
        "responses" => ("answers", "text/event-stream", text()?),
        "messages" => ("anthropic", "text/event-stream", text()?),
        "streamGenerateContent" => ("gemini", "text/event-stream", text()?),
        "converse-stream" => ("bedrock", "application/vnd.amazon.eventstream", binary()?),
        _ => return None,
    })
}

fn clients(target: &str) -> [Exchange; 3] {
    let user = json!([{"role": "user", "content": "hi"}]);
    [
        chat(json!({"model": target, "stream": true, "messages": user}).to_string()),
        messages(json!({"model": target, "stream": true, "max_tokens": 9, "messages": user}).to_string()),
        Exchange::post(
            "/v1/responses",
            json!({"model": target, "stream": true, "store": false, "input": "hi"}).to_string(),
        ),
    ]
}

/// What the client got, without what is new in every exchange.
fn got(vm: &mut Vm, exchange: Exchange, answer: Answer) -> (Vec<(String, Value)>, Value) {
    let outcome = exchange.answer(answer).run(vm);
    let mut record = record(vm, &outcome);
    assert_eq!(outcome.client.status(), 200, "{}", outcome.client.text());
    let events = events(&outcome.client.text()).into_iter().map(|(name, data)| {
        let mut data: Value = serde_json::from_str(&data).unwrap_or(Value::String(data));
        without_ids(&mut data);
        (name, data)
    });
    let events = events.collect();
    (events, json!([record["usage"].take(), record["outcome"].take(), record["cost_usd"].take()]))
}

fn without_ids(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in ["id", "item_id", "created", "created_at", "completed_at", "call_id"] {
                members.remove(name);
            }
            members.values_mut().for_each(without_ids);
        }
        Value::Array(all) => all.iter_mut().for_each(without_ids),
        _ => {}
    }
}

#[test]
fn recorded_streams_mean_the_same_byte_by_byte_for_every_client() {
    let Ok(folder) = std::env::var("CONDUIT_VECTORS") else {
        println!("skipped: CONDUIT_VECTORS is not set");
        return;
    };
    let mut vm = setup(CONFIG).start();
    assert!(vm.accepted, "{:?}", vm.log(0));
    let mut files: Vec<_> =
        std::fs::read_dir(format!("{folder}/recordings")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let mut seen = std::collections::BTreeMap::new();
    for line in files
        .iter()
        .flat_map(|file| std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
    {
        let recorded: Value = serde_json::from_str(&line).unwrap();
        let Some((provider, content_type, bytes)) = stream(&recorded) else { continue };
        // Long ones say no more than short ones of the same vendor, and each byte is a call of the module.
        let count: &mut u32 = seen.entry(provider).or_default();
        if recorded["response"]["status"] != 200 || bytes.len() > 20_000 || *count >= 12 {
            continue;
        }
        *count += 1;
        for client in clients(&format!("{provider}/some-model")) {
            let headers = Headers::new(&[(":status", "200"), ("content-type", content_type)]);
            let answer = Answer::new(provider, headers, &bytes);
            let whole = got(&mut vm, client.clone(), answer.clone());
            assert!(whole.0.len() > 1, "{}", recorded["id"]);
            for size in [1, 7, 1000] {
                let cut = got(&mut vm, client.clone(), answer.clone().parts(size));
                assert_eq!(cut, whole, "{} in pieces of {size}", recorded["id"]);
            }
        }
    }
    assert!(seen.len() == 5 && seen.values().all(|count| *count > 3), "{seen:?}");
}
