//! Anthropic's bodies in the clouds' envelopes: what is not the envelope's stays as it was, byte for byte.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use conduit::formats::invoke::{event_of_chunk, to_invoke, to_raw_predict};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Members = BTreeMap<String, Box<RawValue>>;

/// `None`: a value that passes as it is says something that is no value here, such as a number out of range.
fn check(data: &[u8], written: &[u8], takes: &[&str], puts: &[&str]) -> Option<Value> {
    let raw = |bytes: &[u8]| serde_json::from_slice::<Members>(bytes).expect("an object");
    let (before, after) = (raw(data), raw(written));
    for (name, text) in &before {
        let name = name.as_str();
        if takes.contains(&name) {
            assert!(!after.contains_key(name), "{name}");
        } else if !puts.contains(&name) {
            assert_eq!(after.get(name).map(|text| text.get()), Some(text.get()));
        }
    }
    assert!(after.keys().all(|name| before.contains_key(name) || puts.contains(&name.as_str())));
    let value: Value = serde_json::from_slice(written).ok()?;
    let given = before.get("anthropic_version").map(|raw| raw.get()).filter(|raw| *raw != "null");
    assert!(given.is_none_or(|given| after["anthropic_version"].get() == given));
    assert!(!value["anthropic_version"].is_null());
    Some(value)
}

fuzz_target!(|data: &[u8]| {
    let is_object = serde_json::from_slice::<Members>(data).is_ok();
    for beta in [None, Some("a-1, b-2,,a-1")] {
        match to_invoke(data, beta) {
            Ok(written) => {
                let value = check(data, &written, &["model", "stream"], &["anthropic_version", "anthropic_beta"]);
                if let Some(value) = value {
                    let names = value["anthropic_beta"].as_array().cloned().unwrap_or_default();
                    let known = |name: &str| names.iter().any(|known| known == name);
                    assert!(beta.is_none() || (known("a-1") && known("b-2")));
                }
                assert_eq!(to_invoke(&written, beta).ok(), Some(written), "twice is once");
            }
            Err(_) => assert!(!is_object),
        }
    }
    match to_raw_predict(data) {
        Ok(written) => {
            check(data, &written, &["model"], &["anthropic_version"]);
            assert_eq!(to_raw_predict(&written).ok(), Some(written), "twice is once");
        }
        Err(_) => assert!(!is_object),
    }
    let _ = event_of_chunk(data);
    let chunk = json!({"p": "abc", "bytes": STANDARD.encode(data)}).to_string();
    assert_eq!(event_of_chunk(chunk.as_bytes()).as_deref(), std::str::from_utf8(data).ok());
});
