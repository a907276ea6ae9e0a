//! Tools as OpenAI's models read them: TypeScript declarations in a namespace. The form is not documented; it was found
//! by people who compared counts (<https://github.com/hmarr/openai-chat-tokens>, 2026-11-21) and is what OpenAI's
//! `harmony` format documents (<https://github.com/openai/harmony/blob/main/docs/format.md>, 2026-11-21).

use crate::formats::canonical::Tool;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Schemas are nested as deep as JSON parsing allows; below this, types are all `any`.
const DEEPEST: usize = 32;

/// The declarations, and what is known of how well they stand for the real ones.
pub(super) struct Rendered {
    pub(super) text: String,
    /// Tools with parameters none of which has a comment: in `o200k_base` each costs one less than its declaration.
    pub(super) uncommented: u64,
    /// Arrays among parameters: each costs one more than its declaration.
    pub(super) arrays: u64,
    /// Whether every tool is of a kind whose rendering is known to the token: flat parameters of plain types.
    pub(super) plain: bool,
}

pub(super) fn render(tools: &[Tool]) -> Rendered {
    let text = String::from("namespace functions {\n\n");
    let mut out = Rendered { text, uncommented: 0, arrays: 0, plain: true };
    for tool in tools {
        out.tool(tool);
    }
    out.text.push_str("} // namespace functions");
    out
}

impl Rendered {
    fn say(&mut self, pieces: &[&str]) {
        pieces.iter().for_each(|piece| self.text.push_str(piece));
    }

    fn tool(&mut self, tool: &Tool) {
        if let Some(value) = &tool.builtin {
            // A provider's own tool: what the model reads is not known; its declaration stands for it.
            self.plain = false;
            self.say(&[&value.to_string(), "\n\n"]);
            return;
        }
        if let Some(description) = tool.description.as_deref().filter(|text| !text.is_empty()) {
            self.say(&["// ", description.trim_end(), "\n"]);
        }
        let schema = tool.parameters.as_ref().and_then(Value::as_object);
        let Some((schema, properties)) = schema.and_then(|schema| Some((schema, properties(schema)?))) else {
            self.say(&["type ", &tool.name, " = () => any;\n\n"]);
            return;
        };
        let commented = |property: &Value| property.get("description").or(property.get("title")).is_some();
        if !properties.values().any(commented) {
            self.uncommented = self.uncommented.saturating_add(1);
        }
        self.say(&["type ", &tool.name, " = (_: {\n"]);
        if properties.values().any(|property| property.get("title").is_some()) {
            self.title(schema, "");
        }
        self.members(schema, properties, 0);
        self.say(&["}) => any;\n\n"]);
    }

    fn title(&mut self, schema: &Map<String, Value>, indent: &str) {
        if let Some(title) = schema.get("title").and_then(Value::as_str) {
            self.plain = false;
            self.say(&[indent, "// ", title, "\n"]);
        }
    }

    fn members(&mut self, schema: &Map<String, Value>, properties: &Map<String, Value>, depth: usize) {
        let indent = "  ".repeat(depth);
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let required: BTreeSet<&str> = required.filter_map(Value::as_str).collect();
        for (name, property) in properties {
            if let Some(property) = property.as_object() {
                self.title(property, &indent);
                if let Some(description) = property.get("description").and_then(Value::as_str) {
                    self.say(&[&indent, "// ", description, "\n"]);
                }
                self.plain &= property.keys().all(|key| matches!(key.as_str(), "type" | "description" | "enum"));
            }
            let needed = required.contains(name.as_str());
            self.say(&[&indent, name, if needed { ": " } else { "?: " }]);
            self.type_of(property, depth);
            self.say(&[",\n"]);
        }
    }

    fn type_of(&mut self, schema: &Value, depth: usize) {
        let (Some(schema), true) = (schema.as_object(), depth < DEEPEST) else {
            self.plain = false;
            return self.say(&["any"]);
        };
        if let Some(Value::Array(values)) = schema.get("enum") {
            return self.alternatives(values, |out, value| out.say(&[&value.to_string()]));
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => self.say(&["string"]),
            Some("integer" | "number") => self.say(&["number"]),
            Some("boolean") => self.say(&["boolean"]),
            Some("null") => self.say(&["null"]),
            Some("array") => {
                self.plain = false;
                self.arrays = self.arrays.saturating_add(1);
                self.type_of(schema.get("items").unwrap_or(&Value::Null), depth.saturating_add(1));
                self.say(&["[]"]);
            }
            Some("object") => {
                self.plain = false;
                match properties(schema) {
                    Some(members) => {
                        self.say(&["{\n"]);
                        self.members(schema, members, depth.saturating_add(1));
                        self.say(&[&"  ".repeat(depth), "}"]);
                    }
                    None => self.say(&["object"]),
                }
            }
            _ => {
                self.plain = false;
                let Some(Value::Array(kinds)) = schema.get("anyOf").or(schema.get("oneOf")) else {
                    return self.say(&["any"]);
                };
                self.alternatives(kinds, |out, kind| out.type_of(kind, depth.saturating_add(1)));
            }
        }
    }

    fn alternatives(&mut self, values: &[Value], mut each: impl FnMut(&mut Self, &Value)) {
        for (i, value) in values.iter().enumerate() {
            self.say(&[if i > 0 { " | " } else { "" }]);
            each(self, value);
        }
    }
}

fn properties(schema: &Map<String, Value>) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object).filter(|properties| !properties.is_empty())
}
