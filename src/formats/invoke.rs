//! Anthropic Messages as two clouds wrap it: Bedrock's InvokeModel
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html>, 2026-11-21) and
//! Vertex's rawPredict (<https://docs.anthropic.com/en/api/claude-on-vertex-ai>, 2026-11-21). Both name the model in the
//! path and the version of the API in the body; every other byte of the body stays as it is.

use super::splice::{self, Edit, NotAnObject};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The version that Bedrock wants in the body.
const BEDROCK_VERSION: &str = "bedrock-2023-05-31";
/// The version that Vertex wants in the body.
const VERTEX_VERSION: &str = "vertex-2023-10-16";

/// A Messages body as InvokeModel takes it: without `model` and `stream` (the path says both), with `anthropic_version`
/// where the client gave none, and with the names in `beta` (the client's `anthropic-beta` header) in `anthropic_beta`.
/// `body` must be valid JSON; where it is not an object, says so.
pub fn to_invoke(body: &[u8], beta: Option<&str>) -> Result<Vec<u8>, NotAnObject> {
    let members = members(body)?;
    let mut edits = vec![Edit::Remove("model"), Edit::Remove("stream")];
    edits.extend(version(&members, BEDROCK_VERSION));
    let own = members.get("anthropic_beta").map(|raw| raw.get()).unwrap_or("null");
    let mut names: Vec<String> = serde_json::from_str(own).unwrap_or_default();
    let before = names.len();
    for name in beta.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    if names.len() > before {
        edits.push(Edit::Set("anthropic_beta", Value::from(names).to_string()));
    }
    splice::edit(body, &edits)
}

/// A Messages body as rawPredict and streamRawPredict take it: without `model` (the path says it), with
/// `anthropic_version` where the client gave none. `body` must be valid JSON; where it is not an object, says so.
pub fn to_raw_predict(body: &[u8]) -> Result<Vec<u8>, NotAnObject> {
    let members = members(body)?;
    let mut edits = vec![Edit::Remove("model")];
    edits.extend(version(&members, VERTEX_VERSION));
    splice::edit(body, &edits)
}

type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

fn members(body: &[u8]) -> Result<Members<'_>, NotAnObject> {
    serde_json::from_slice(body).map_err(|_| NotAnObject)
}

fn version(members: &Members<'_>, version: &str) -> Option<Edit<'static>> {
    let given = members.get("anthropic_version").is_some_and(|raw| raw.get() != "null");
    (!given).then(|| Edit::Set("anthropic_version", Value::from(version).to_string()))
}

/// The event in a `chunk` message of InvokeModelWithResponseStream, as JSON text. `None` where the payload is none.
pub fn event_of_chunk(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Chunk<'a> {
        #[serde(borrow)]
        bytes: Cow<'a, str>,
    }
    let chunk: Chunk<'_> = serde_json::from_slice(payload).ok()?;
    String::from_utf8(STANDARD.decode(chunk.bytes.as_bytes()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn invoke(body: &str, beta: Option<&str>) -> String {
        String::from_utf8(to_invoke(body.as_bytes(), beta).unwrap()).unwrap()
    }

    #[test]
    fn bedrock_bodies() {
        let cases = [
            (
                r#"{"model": "claude", "max_tokens": 5,  "messages": []}"#,
                None,
                r#"{"max_tokens": 5,  "messages": [],"anthropic_version":"bedrock-2023-05-31"}"#,
            ),
            (
                r#"{"anthropic_version":"bedrock-x","stream":true,"max_tokens":5}"#,
                Some(""),
                r#"{"anthropic_version":"bedrock-x","max_tokens":5}"#,
            ),
            (
                r#"{"anthropic_version":null,"model":"m"}"#,
                Some("a-1, b-2,,a-1"),
                r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a-1","b-2"]}"#,
            ),
            (
                r#"{"anthropic_beta":["b-2"],"anthropic_version":"v"}"#,
                Some("b-2,c-3"),
                r#"{"anthropic_beta":["b-2","c-3"],"anthropic_version":"v"}"#,
            ),
            (
                r#"{"anthropic_beta":[ "b-2" ],"anthropic_version":"v"}"#,
                Some("b-2"),
                r#"{"anthropic_beta":[ "b-2" ],"anthropic_version":"v"}"#,
            ),
            (r#"{"mod\u0065l":"m","anthropic_version":"v"}"#, None, r#"{"anthropic_version":"v"}"#),
            (r#"{}"#, None, r#"{"anthropic_version":"bedrock-2023-05-31"}"#),
        ];
        for (body, beta, expected) in cases {
            let found = invoke(body, beta);
            assert_eq!(found, expected, "{body}");
            serde_json::from_str::<Value>(&found).unwrap();
        }
        for body in ["", "[]", "null", "{", "\"x\""] {
            assert_eq!(to_invoke(body.as_bytes(), Some("a")), Err(NotAnObject), "{body}");
            assert_eq!(to_raw_predict(body.as_bytes()), Err(NotAnObject), "{body}");
        }
    }

    #[test]
    fn vertex_bodies() {
        let found = to_raw_predict(br#"{"model":"claude","stream":true,"messages":[]}"#).unwrap();
        let expected = r#"{"stream":true,"messages":[],"anthropic_version":"vertex-2023-10-16"}"#;
        assert_eq!(String::from_utf8(found).unwrap(), expected);
    }

    #[test]
    fn chunks() {
        let cases: [(&str, Option<&str>); 7] = [
            (r#"{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"abc"}"#, Some(r#"{"type":"ping"}"#)),
            (r#"{"bytes":"eyJ0eXBlIjoicGluZyJ\u0039"}"#, Some(r#"{"type":"ping"}"#)),
            (r#"{"bytes":"!"}"#, None),
            (r#"{"bytes":"/w=="}"#, None),
            (r#"{"bytes":1}"#, None),
            ("{}", None),
            ("", None),
        ];
        for (payload, expected) in cases {
            assert_eq!(event_of_chunk(payload.as_bytes()).as_deref(), expected, "{payload}");
        }
    }

    /// Files and the environment are for native tests only.
    #[cfg(not(target_family = "wasm"))]
    mod recordings {
        use super::*;
        use crate::formats::{Format, eventstream, sse};

        fn records(file: &str) -> Vec<Value> {
            let Ok(folder) = std::env::var("CONDUIT_VECTORS") else {
                println!("skipped: CONDUIT_VECTORS is not set");
                return Vec::new();
            };
            let text = std::fs::read_to_string(format!("{folder}/recordings/{file}.jsonl")).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }

        #[test]
        fn recorded_bodies_are_what_comes_out() {
            for (file, version) in [("bedrock_invoke", BEDROCK_VERSION), ("vertex_rawpredict", VERTEX_VERSION)] {
                for record in records(file) {
                    let body = &record["request"]["body"];
                    if body["anthropic_version"] != version {
                        continue;
                    }
                    // What a client of the vendor's own API would have sent.
                    let mut sent = body.clone();
                    sent.as_object_mut().unwrap().shift_remove("anthropic_version");
                    sent["model"] = record["model"].clone();
                    let bytes = sent.to_string().into_bytes();
                    let found = if file == "bedrock_invoke" { to_invoke(&bytes, None) } else { to_raw_predict(&bytes) };
                    let found: Value = serde_json::from_slice(&found.unwrap()).unwrap();
                    let mut expected = body.clone();
                    if file == "bedrock_invoke" {
                        expected.as_object_mut().unwrap().shift_remove("stream");
                    }
                    assert_eq!(found, expected, "{}", record["id"]);
                }
            }
        }

        #[test]
        fn recorded_streams_are_anthropics() {
            let mut streams = 0;
            for record in records("bedrock_invoke") {
                let response = &record["response"];
                let ours = record["request"]["body"]["anthropic_version"].is_string();
                if response["body_kind"] != "aws-eventstream" || !ours {
                    continue;
                }
                let bytes = STANDARD.decode(response["body_base64"].as_str().unwrap()).unwrap();
                let mut reader = Format::AnthropicMessages.stream_reader();
                let mut out = Vec::new();
                let mut parser = eventstream::Parser::new(1 << 20);
                parser
                    .push(&bytes, &mut |message| {
                        let data = event_of_chunk(message.payload).unwrap();
                        reader.event(&sse::Event { name: "", data: &data }, &mut out);
                    })
                    .unwrap();
                reader.finish(&mut out);
                let failed = out.iter().any(|e| matches!(e, crate::formats::canonical::StreamEvent::Error(_)));
                assert!(!failed, "{}", record["id"]);
                streams += 1;
            }
            if std::env::var("CONDUIT_VECTORS").is_ok() {
                assert!(streams > 0);
            }
        }
    }
}
