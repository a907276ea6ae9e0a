//! A value that satisfies a JSON Schema, for tool arguments and structured answers.

use serde_json::{Map, Value, json};

const DEEPEST: usize = 16;

/// A value of that schema; what the schema does not say is made up.
pub(super) fn sample(schema: &Value) -> Value {
    at("", schema, schema, 0)
}

fn at(name: &str, schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    let deeper = depth.saturating_add(1);
    if let Some(fixed) = schema.get("const") {
        return fixed.clone();
    }
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|all| all.first()) {
        return first.clone();
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let found = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return found.map(|schema| at(name, schema, root, deeper)).unwrap_or(Value::Null);
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(all) = schema.get(choice).and_then(Value::as_array) {
            let useful = all.iter().find(|s| s.get("type").and_then(Value::as_str) != Some("null"));
            return useful.map(|schema| at(name, schema, root, deeper)).unwrap_or(Value::Null);
        }
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        let mut merged = Map::new();
        for part in all {
            match at(name, part, root, deeper) {
                Value::Object(fields) => merged.extend(fields),
                other => return other,
            }
        }
        return Value::Object(merged);
    }
    match kind(schema) {
        "object" => object(schema, root, deeper),
        "array" => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 8);
            Value::Array((0..least).map(|_| at(name, items, root, deeper)).collect())
        }
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => json!(word(name, schema)),
    }
}

fn kind(schema: &Value) -> &str {
    let named = match schema.get("type") {
        Some(Value::String(one)) => Some(one.as_str()),
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).find(|t| *t != "null"),
        _ => None,
    };
    named.unwrap_or(if schema.get("properties").is_some() {
        "object"
    } else if schema.get("items").is_some() {
        "array"
    } else {
        "string"
    })
}

fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return json!({}) };
    let required: Option<Vec<&str>> =
        schema.get("required").and_then(Value::as_array).map(|all| all.iter().filter_map(Value::as_str).collect());
    let wanted = |name: &str| required.as_ref().is_none_or(|required| required.contains(&name));
    let fields = properties.iter().filter(|(name, _)| wanted(name));
    Value::Object(fields.map(|(name, schema)| (name.clone(), at(name, schema, root, depth))).collect())
}

fn word(name: &str, schema: &Value) -> String {
    let by_format = match schema.get("format").and_then(Value::as_str) {
        Some("date") => Some("2026-01-31"),
        Some("date-time") => Some("2026-01-31T12:00:00Z"),
        Some("email") => Some("ada@example.com"),
        Some("uri" | "url") => Some("https://example.com/"),
        Some("uuid") => Some("7d444840-9dc0-41d1-b245-5ffdce74fad2"),
        _ => None,
    };
    let lower = name.to_lowercase();
    let by_name = [
        ("city", "Paris"),
        ("location", "Paris"),
        ("country", "France"),
        ("unit", "celsius"),
        ("date", "2026-01-31"),
        ("email", "ada@example.com"),
        ("name", "Ada"),
        ("participant", "Ada"),
        ("url", "https://example.com/"),
        ("query", "conduit"),
    ];
    let near = || by_name.iter().find(|(part, _)| lower.contains(part)).map(|(_, word)| *word);
    let mut text = by_format.or_else(near).unwrap_or("sample").to_owned();
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(1_000);
    while u64::try_from(text.chars().count()).unwrap_or(u64::MAX) < least {
        text.push('x');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_fit_their_schemas() {
        for (schema, want) in [
            (
                json!({"type": "object", "properties": {"city": {"type": "string"}, "n": {"type": "integer"}}, "required": ["city"]}),
                json!({"city": "Paris"}),
            ),
            (json!({"properties": {"a": {"type": ["null", "integer"], "minimum": 3}}}), json!({"a": 3})),
            (json!({"type": "array", "items": {"enum": ["red", "blue"]}, "minItems": 2}), json!(["red", "red"])),
            (json!({"$ref": "#/$defs/x", "$defs": {"x": {"type": "boolean"}}}), json!(true)),
            (json!({"anyOf": [{"type": "null"}, {"type": "number"}]}), json!(1)),
            (
                json!({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}),
                json!({"a": 1, "b": 2}),
            ),
            (json!({"type": "string", "minLength": 8}), json!("samplexx")),
            (json!(true), json!("sample")),
        ] {
            assert_eq!(sample(&schema), want, "{schema}");
        }
    }

    #[test]
    fn a_schema_of_itself_ends() {
        let schema = json!({"$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"});
        assert!(sample(&schema).is_object());
        assert_eq!(sample(&json!({"$ref": "#"})), Value::Null);
    }
}
