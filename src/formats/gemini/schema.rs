//! Schemas: Google's own subset of OpenAPI's (<https://ai.google.dev/api/caching#Schema>, 2026-11-21) as JSON Schema.

use super::{camel, whole};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What a schema of Google's own kind means as JSON Schema: types in lower case, `nullable` as a type, properties in the
/// order that `propertyOrdering` gives. A schema that is JSON Schema already stays as it is. The parser bounds the depth.
pub(super) fn json_schema(schema: &Value) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    let mut out = Map::new();
    let mut nullable = false;
    let mut ordering = Vec::new();
    for (name, value) in members {
        let name = camel(name);
        let value = match (name.as_str(), value) {
            ("nullable", Value::Bool(null)) => {
                nullable = *null;
                continue;
            }
            ("propertyOrdering", Value::Array(names)) => {
                ordering.clone_from(names);
                continue;
            }
            ("type", Value::String(kind)) if kind == "TYPE_UNSPECIFIED" => continue,
            ("type", Value::String(kind)) => kind.to_ascii_lowercase().into(),
            // Says only that the strings are those of `enum`.
            ("format", Value::String(format)) if format == "enum" => continue,
            ("properties" | "$defs" | "defs", Value::Object(named)) => {
                named.iter().map(|(name, schema)| (name.clone(), json_schema(schema))).collect::<Map<_, _>>().into()
            }
            ("items" | "additionalProperties", value) => json_schema(value),
            ("anyOf" | "oneOf" | "prefixItems", Value::Array(all)) => all.iter().map(json_schema).collect(),
            // 64-bit numbers are strings on Google's wire.
            (limit, Value::String(_)) if limit.starts_with("min") || limit.starts_with("max") => {
                whole(value).map_or_else(|| value.clone(), Value::from)
            }
            _ => value.clone(),
        };
        out.insert(name, value);
    }
    order(&mut out, &ordering);
    if nullable {
        allow_null(&mut out);
    }
    out.into()
}

fn order(schema: &mut Map<String, Value>, names: &[Value]) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    let mut ordered = Map::new();
    for name in names.iter().filter_map(Value::as_str) {
        ordered.extend(properties.shift_remove_entry(name));
    }
    ordered.append(properties);
    *properties = ordered;
}

fn allow_null(schema: &mut Map<String, Value>) {
    if let Some(kind) = schema.get_mut("type").filter(|kind| kind.is_string()) {
        *kind = json!([kind.take(), "null"]);
    } else if let Some(Value::Array(all)) = schema.get_mut("anyOf") {
        all.push(json!({"type": "null"}));
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
}

/// JSON Schema as Google's models understand all of it: they pass over what they do not know, and do not know `const`
/// (<https://ai.google.dev/gemini-api/docs/structured-output#json_schema_support>, 2026-11-21).
pub(super) fn for_google(schema: &Value) -> Value {
    let mut schema = schema.clone();
    name_constants(&mut schema);
    schema
}

fn name_constants(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let constant = members.get("const").filter(|value| value.is_string() || value.is_number()).cloned();
            if let Some(constant) = constant.filter(|_| !members.contains_key("enum")) {
                members.shift_remove("const");
                members.insert("enum".to_owned(), json!([constant]));
            }
            for (name, value) in members.iter_mut() {
                match (name.as_str(), value) {
                    // Here names are the user's, not the schema language's.
                    ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                        named.values_mut().for_each(name_constants);
                    }
                    ("items" | "prefixItems" | "anyOf" | "oneOf" | "allOf" | "additionalProperties", inner) => {
                        name_constants(inner);
                    }
                    _ => {}
                }
            }
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(name_constants),
        _ => {}
    }
}

/// Whether every object in the schema is closed and requires all of its properties: only such a schema can be held
/// strictly by OpenAI.
pub(super) fn is_closed(schema: &Value) -> bool {
    let closed = match schema.get("properties").and_then(Value::as_object) {
        None => true,
        Some(properties) => {
            let required: BTreeSet<&str> = super::items(schema, "required").iter().filter_map(Value::as_str).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn googles_schemas_become_json_schema() {
        let googles = json!({"type": "OBJECT", "propertyOrdering": ["b", "a"], "required": ["a"], "properties": {
            "a": {"type": "STRING", "format": "enum", "enum": ["x"], "nullable": true},
            "b": {"type": "ARRAY", "min_items": "1", "items": {"any_of": [{"type": "INTEGER"}, {"type": "TYPE_UNSPECIFIED"}]}},
            "type": {"type": "NUMBER"}}});
        let expected = json!({"type": "object", "required": ["a"], "properties": {
            "b": {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "integer"}, {}]}},
            "a": {"type": ["string", "null"], "enum": ["x", null]},
            "type": {"type": "number"}}});
        let found = json_schema(&googles);
        assert_eq!(found, expected);
        let properties: Vec<&String> = found["properties"].as_object().unwrap().keys().collect();
        assert_eq!(properties, ["b", "a", "type"]);
        assert_eq!(json_schema(&expected), expected);
        assert!(!is_closed(&found));
        assert!(is_closed(
            &json!({"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": false})
        ));
    }

    #[test]
    fn constants_become_enums_of_one() {
        let given = json!({"anyOf": [{"properties": {"const": {"const": "a"}, "n": {"const": 1, "enum": [1, 2]}}}],
            "$defs": {"x": {"items": {"const": 5}}}, "default": {"const": "kept"}, "const": null});
        let expected = json!({"anyOf": [{"properties": {"const": {"enum": ["a"]}, "n": {"const": 1, "enum": [1, 2]}}}],
            "$defs": {"x": {"items": {"enum": [5]}}}, "default": {"const": "kept"}, "const": null});
        assert_eq!(for_google(&given), expected);
    }
}
