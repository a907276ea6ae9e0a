//! What OpenAI demands of a schema that it shall follow strictly
//! (<https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>, 2026-11-21).

use super::json::list;
use serde_json::Value;

const DEEPEST: usize = 32;

/// Why `schema` cannot be followed strictly, in OpenAI's words.
pub(super) fn mistake(schema: &Value) -> Option<String> {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        let found = schema.get("type").map_or_else(|| "None".to_owned(), |kind| kind.to_string());
        return Some(format!("schema must be a JSON Schema of 'type: \"object\"', got 'type: {found}'."));
    }
    at(schema, &mut Vec::new())
}

fn at(schema: &Value, path: &mut Vec<String>) -> Option<String> {
    if path.len() > DEEPEST {
        return None;
    }
    let context = || format!("In context=({}), ", path.join(", "));
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Some(format!("{}'additionalProperties' is required to be supplied and to be false.", context()));
        }
        let required = list(schema, "required");
        if let Some(name) = properties.keys().find(|name| !required.iter().any(|r| r.as_str() == Some(name.as_str()))) {
            return Some(format!(
                "{}'required' is required to be supplied and to be an array including every key in properties. \
                 Missing '{name}'.",
                context()
            ));
        }
    }
    let named = ["properties", "$defs", "definitions"].into_iter().flat_map(|group| {
        let all = schema.get(group).and_then(Value::as_object);
        all.into_iter().flatten().map(move |(name, schema)| (vec![group, name.as_str()], schema))
    });
    let items = schema.get("items").map(|items| (vec!["items"], items));
    let choices = list(schema, "anyOf").iter().map(|choice| (vec!["anyOf"], choice));
    for (steps, inner) in named.chain(items).chain(choices) {
        let before = path.len();
        path.extend(steps.into_iter().map(|step| format!("'{step}'")));
        let found = at(inner, path);
        path.truncate(before);
        if found.is_some() {
            return found;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_object_must_be_closed_and_complete() {
        let inner = json!({"type": "object", "properties": {"b": {}}, "required": ["b"]});
        for (schema, want) in [
            (json!({"type": "object", "properties": {}, "additionalProperties": false}), None),
            (json!({"type": "array"}), Some("got 'type: \"array\"'")),
            (json!({"type": "object", "properties": {"a": {}}}), Some("In context=(), 'additionalProperties'")),
            (
                json!({"type": "object", "properties": {"a": {}}, "additionalProperties": false, "required": []}),
                Some("Missing 'a'"),
            ),
            (
                json!({"type": "object", "properties": {"a": {"items": inner}}, "required": ["a"], "additionalProperties": false}),
                Some("In context=('properties', 'a', 'items'), 'additionalProperties'"),
            ),
        ] {
            let found = mistake(&schema);
            assert_eq!(found.is_some(), want.is_some(), "{schema}: {found:?}");
            assert!(found.unwrap_or_default().contains(want.unwrap_or_default()), "{schema}");
        }
    }
}
