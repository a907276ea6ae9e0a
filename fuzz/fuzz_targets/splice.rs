//! Edits of a JSON body in place: what is edited is as asked, what is not is as it was.
#![no_main]

use conduit::formats::splice::{Edit, edit};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Members = BTreeMap<String, Box<RawValue>>;

fn apply(value: &mut Value, edit: &Edit<'_>) {
    let members = value.as_object_mut().expect("an object");
    match edit {
        Edit::Set(name, json) => {
            members.insert((*name).to_owned(), serde_json::from_str(json).expect("JSON"));
        }
        Edit::SetIn(name, inner, json) => {
            let object = members.entry(*name).or_insert(Value::Null);
            if !object.is_object() {
                *object = json!({});
            }
            object[*inner] = serde_json::from_str(json).expect("JSON");
        }
        Edit::Remove(name) => {
            members.remove(*name);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let model = Edit::Set("model", "\"m\"".to_owned());
    let usage = Edit::SetIn("stream_options", "include_usage", "true".to_owned());
    let stop = Edit::Remove("stop");
    let edits = [
        vec![],
        vec![model.clone()],
        vec![usage.clone()],
        vec![stop.clone()],
        vec![model.clone(), usage.clone(), stop.clone()],
        vec![stop, usage, Edit::Remove("model"), model, Edit::Remove("stream_options")],
    ];
    let parsed = serde_json::from_slice::<Value>(data);
    for edits in &edits {
        let result = edit(data, edits);
        let Ok(value) = &parsed else { continue };
        if !value.is_object() {
            assert!(result.is_err());
            continue;
        }
        let edited = result.expect("an object can be edited");
        let mut wanted = value.clone();
        edits.iter().for_each(|edit| apply(&mut wanted, edit));
        assert_eq!(serde_json::from_slice::<Value>(&edited).expect("JSON"), wanted);
        assert_eq!(edit(&edited, edits).as_deref(), Ok(edited.as_slice()), "twice is once");
        let raw = |bytes: &[u8]| serde_json::from_slice::<Members>(bytes).expect("an object");
        let (before, after) = (raw(data), raw(&edited));
        for (name, text) in &before {
            if !["model", "stream_options", "stop"].contains(&name.as_str()) {
                assert_eq!(after.get(name).map(|text| text.get()), Some(text.get()));
            }
        }
    }
});
