//! JSON Schemas as the vendors hold their models to them: each takes a part of the language, and another one.

use super::Format;
use super::canonical::Tool;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Keywords that Anthropic's structured output and strict tools refuse
/// (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs>, 2026-11-21).
const LIMITS: [&str; 11] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// Makes a schema one that a Claude can be held to: every object says that it has no other properties, `oneOf` is
/// `anyOf`, and limits stand in the description, for the model to read. Says whether there were such limits.
pub(super) fn hold_claude(schema: &mut Value) -> bool {
    match schema {
        Value::Object(members) => {
            let named = members.get("properties").is_some_and(Value::is_object);
            if (named || members.get("type").is_some_and(|kind| kind == "object"))
                && !members.contains_key("additionalProperties")
            {
                members.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            let mut moved = say_limits(members);
            if !members.contains_key("anyOf")
                && let Some(all) = members.shift_remove("oneOf")
            {
                members.insert("anyOf".to_owned(), all);
            }
            for (name, value) in members.iter_mut() {
                match name.as_str() {
                    // Here names are the user's, not the schema language's.
                    "properties" | "$defs" | "definitions" => {
                        for schema in value.as_object_mut().into_iter().flat_map(Map::values_mut) {
                            moved |= hold_claude(schema);
                        }
                    }
                    "items" | "anyOf" | "allOf" | "oneOf" => moved |= hold_claude(value),
                    _ => {}
                }
            }
            moved
        }
        Value::Array(schemas) => {
            let mut moved = false;
            for schema in schemas {
                moved |= hold_claude(schema);
            }
            moved
        }
        _ => false,
    }
}

/// Moves the limits of one schema into its description.
fn say_limits(members: &mut Map<String, Value>) -> bool {
    let is_limit = |name: &str, value: &Value| {
        LIMITS.contains(&name) || name == "minItems" && value.as_u64().is_none_or(|least| least > 1)
    };
    let limits = members.iter().filter(|(name, value)| is_limit(name, value));
    let limits: Vec<String> = limits.map(|(name, value)| format!("{name}: {value}")).collect();
    if limits.is_empty() {
        return false;
    }
    members.retain(|name, value| !is_limit(name, value));
    let limits = format!("({})", limits.join(", "));
    let text = match members.get("description").and_then(Value::as_str) {
        Some(text) => format!("{text} {limits}"),
        None => limits,
    };
    members.insert("description".to_owned(), text.into());
    true
}

/// Whether every object in the schema is closed and requires all of its properties: only such a schema can be held
/// strictly by OpenAI (<https://platform.openai.com/docs/guides/structured-outputs>, 2026-11-21).
pub(super) fn is_closed(schema: &Value) -> bool {
    let closed = match schema.get("properties").and_then(Value::as_object) {
        None => true,
        Some(properties) => {
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            let required: BTreeSet<&str> = required.filter_map(Value::as_str).collect();
            let is_required = |name: &String| required.contains(name.as_str());
            schema.get("additionalProperties") == Some(&Value::Bool(false)) && properties.keys().all(is_required)
        }
    };
    closed
        && match schema {
            Value::Object(members) => members.values().all(is_closed),
            Value::Array(items) => items.iter().all(is_closed),
            _ => true,
        }
}

/// A function's parameters as OpenAI takes them from a client of another format: an object's schema must name its
/// `properties`, be there any or none (<https://platform.openai.com/docs/guides/function-calling>, 2026-11-21).
pub(super) fn openai_parameters(tool: &Tool) -> Option<Value> {
    let mut schema = tool.parameters.clone()?;
    if let Some(members) = schema.as_object_mut()
        && members.get("type").is_some_and(|kind| kind == "object")
    {
        members.entry("properties").or_insert_with(|| json!({}));
    }
    Some(schema)
}

/// Whether the tool is strict for OpenAI. Others are strict about optional properties too; OpenAI refuses those.
pub(super) fn openai_strict(tool: &Tool, source: Option<Format>) -> Option<bool> {
    let same_words = matches!(source, Some(Format::OpenAiChat | Format::OpenAiResponses));
    let fits = || same_words || openai_parameters(tool).as_ref().is_none_or(is_closed);
    tool.strict.map(|strict| strict && fits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn a_claude_is_held_to_what_it_takes_and_told_the_rest() {
        let given = json!({
            "type": "object",
            "properties": {
                "age": {"type": "integer", "minimum": 0, "description": "In years."},
                "tags": {"type": "array", "items": {"type": "string", "maxLength": 9}, "minItems": 1, "maxItems": 3},
                "pet": {"oneOf": [{"$ref": "#/$defs/pet"}, {"type": "null"}]},
                // A property of this name is no limit.
                "maximum": {"type": "string", "pattern": "^a"},
            },
            "$defs": {"pet": {"type": "object", "properties": {"id": {"type": "array", "minItems": 2}}}},
        });
        let mut held = given.clone();
        assert!(hold_claude(&mut held));
        let expected = json!({
            "type": "object",
            "properties": {
                "age": {"type": "integer", "description": "In years. (minimum: 0)"},
                "tags": {
                    "type": "array",
                    "items": {"type": "string", "description": "(maxLength: 9)"},
                    "minItems": 1,
                    "description": "(maxItems: 3)",
                },
                "pet": {"anyOf": [{"$ref": "#/$defs/pet"}, {"type": "null"}]},
                "maximum": {"type": "string", "pattern": "^a"},
            },
            "$defs": {"pet": {
                "type": "object",
                "properties": {"id": {"type": "array", "description": "(minItems: 2)"}},
                "additionalProperties": false,
            }},
            "additionalProperties": false,
        });
        assert_eq!(held, expected);
        assert!(!hold_claude(&mut held));
    }
}
