//! The messages of Google's API and a check of JSON against them, as its JSON reader does it: a name that no message
//! has is refused (<https://ai.google.dev/api/generate-content>, 2026-11-21).

use crate::cli::mock::json::any_base64;
use crate::cli::mock::refusal::Refusal;
use serde_json::Value;

pub(super) struct Shape {
    fields: &'static [Field],
}

struct Field {
    name: &'static str,
    kind: Kind,
    many: bool,
    /// Vertex has it, AI Studio has not.
    vertex: bool,
}

enum Kind {
    Text,
    Whole,
    Number,
    Flag,
    Bytes,
    Any,
    /// One of these names, in any case.
    One(&'static str, &'static [&'static str]),
    Is(&'static Shape),
}

use Kind::{Any, Bytes, Flag, Is, Number, One, Text, Whole};

const fn one(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, many: false, vertex: false }
}

const fn many(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, many: true, vertex: false }
}

const fn vertex(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, many: false, vertex: true }
}

pub(super) static GENERATE: Shape = Shape {
    fields: &[
        one("model", Text),
        many("contents", Is(&CONTENT)),
        one("systemInstruction", Is(&CONTENT)),
        many("tools", Is(&TOOL)),
        one("toolConfig", Is(&TOOL_CONFIG)),
        many("safetySettings", Is(&SAFETY)),
        one("generationConfig", Is(&CONFIG)),
        one("cachedContent", Text),
        one("serviceTier", Text),
        one("store", Flag),
        vertex("labels", Any),
        vertex("modelArmorConfig", Any),
    ],
};

pub(super) static COUNT: Shape = Shape {
    fields: &[
        one("model", Text),
        many("contents", Is(&CONTENT)),
        one("generateContentRequest", Is(&GENERATE)),
        vertex("systemInstruction", Is(&CONTENT)),
        Field { name: "tools", kind: Is(&TOOL), many: true, vertex: true },
        vertex("generationConfig", Is(&CONFIG)),
    ],
};

pub(super) static EMBED: Shape = Shape {
    fields: &[
        one("model", Text),
        one("content", Is(&CONTENT)),
        one("taskType", Text),
        one("title", Text),
        one("outputDimensionality", Whole),
        one("autoTruncate", Flag),
        one("embedContentConfig", Any),
    ],
};

pub(super) static EMBED_BATCH: Shape = Shape { fields: &[many("requests", Is(&EMBED))] };

pub(super) static CONTENT: Shape = Shape { fields: &[many("parts", Is(&PART)), one("role", Text)] };

static PART: Shape = Shape {
    fields: &[
        one("text", Text),
        one("inlineData", Is(&BLOB)),
        one("fileData", Is(&FILE)),
        one("functionCall", Is(&CALL)),
        one("functionResponse", Is(&RESPONSE)),
        one("executableCode", Any),
        one("codeExecutionResult", Any),
        one("toolCall", Any),
        one("toolResponse", Any),
        one("thought", Flag),
        one("thoughtSignature", Bytes),
        one("partMetadata", Any),
        one("videoMetadata", Any),
        one("mediaResolution", Any),
    ],
};

static BLOB: Shape = Shape { fields: &[one("mimeType", Text), one("data", Bytes), vertex("displayName", Text)] };
static FILE: Shape = Shape { fields: &[one("mimeType", Text), one("fileUri", Text), vertex("displayName", Text)] };
static CALL: Shape = Shape { fields: &[one("id", Text), one("name", Text), one("args", Any)] };
static RESPONSE: Shape = Shape {
    fields: &[
        one("id", Text),
        one("name", Text),
        one("response", Any),
        many("parts", Any),
        one("willContinue", Flag),
        one("scheduling", Text),
    ],
};

static TOOL: Shape = Shape {
    fields: &[
        many("functionDeclarations", Is(&DECLARATION)),
        one("googleSearch", Any),
        one("googleSearchRetrieval", Any),
        one("codeExecution", Any),
        one("urlContext", Any),
        one("computerUse", Any),
        one("fileSearch", Any),
        one("googleMaps", Any),
        many("mcpServers", Any),
        vertex("retrieval", Any),
        vertex("enterpriseWebSearch", Any),
    ],
};

static DECLARATION: Shape = Shape {
    fields: &[
        one("name", Text),
        one("description", Text),
        one("behavior", Text),
        one("parameters", Is(&SCHEMA)),
        one("parametersJsonSchema", Any),
        one("response", Is(&SCHEMA)),
        one("responseJsonSchema", Any),
    ],
};

static TOOL_CONFIG: Shape = Shape {
    fields: &[
        one("functionCallingConfig", Is(&CALLING)),
        one("retrievalConfig", Any),
        one("includeServerSideToolInvocations", Flag),
    ],
};

static CALLING: Shape = Shape {
    fields: &[
        one(
            "mode",
            One(
                "type.googleapis.com/google.ai.generativelanguage.v1beta.FunctionCallingConfig.Mode",
                &["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"],
            ),
        ),
        many("allowedFunctionNames", Text),
        vertex("streamFunctionCallArguments", Flag),
    ],
};

static SAFETY: Shape = Shape { fields: &[one("category", Text), one("threshold", Text), vertex("method", Text)] };

static CONFIG: Shape = Shape {
    fields: &[
        many("stopSequences", Text),
        one("responseMimeType", Text),
        one("responseSchema", Is(&SCHEMA)),
        one("responseJsonSchema", Any),
        one("_responseJsonSchema", Any),
        many("responseModalities", Text),
        one("candidateCount", Whole),
        one("maxOutputTokens", Whole),
        one("temperature", Number),
        one("topP", Number),
        one("topK", Number),
        one("seed", Whole),
        one("presencePenalty", Number),
        one("frequencyPenalty", Number),
        one("responseLogprobs", Flag),
        one("logprobs", Whole),
        one("enableEnhancedCivicAnswers", Flag),
        one("speechConfig", Any),
        one("thinkingConfig", Is(&THINKING)),
        one("imageConfig", Any),
        one("mediaResolution", Text),
        vertex("audioTimestamp", Flag),
        vertex("routingConfig", Any),
        vertex("modelSelectionConfig", Any),
    ],
};

static THINKING: Shape = Shape {
    fields: &[
        one("includeThoughts", Flag),
        one("thinkingBudget", Whole),
        one(
            "thinkingLevel",
            One(
                "type.googleapis.com/google.ai.generativelanguage.v1beta.ThinkingConfig.ThinkingLevel",
                &["THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH"],
            ),
        ),
    ],
};

/// <https://ai.google.dev/api/caching#Schema>, 2026-11-21: a part of OpenAPI's, with no `additionalProperties`, `$ref`
/// or `const`.
static SCHEMA: Shape = Shape {
    fields: &[
        one(
            "type",
            One(
                "type.googleapis.com/google.ai.generativelanguage.v1beta.Type",
                &["TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"],
            ),
        ),
        one("format", Text),
        one("title", Text),
        one("description", Text),
        one("nullable", Flag),
        many("enum", Text),
        one("maxItems", Whole),
        one("minItems", Whole),
        // A map: each of its values is a schema.
        one("properties", Any),
        many("required", Text),
        one("minProperties", Whole),
        one("maxProperties", Whole),
        one("minLength", Whole),
        one("maxLength", Whole),
        one("pattern", Text),
        one("example", Any),
        many("anyOf", Is(&SCHEMA)),
        many("propertyOrdering", Text),
        one("default", Any),
        one("items", Is(&SCHEMA)),
        one("minimum", Number),
        one("maximum", Number),
        vertex("additionalProperties", Any),
        vertex("ref", Text),
        vertex("defs", Any),
    ],
};

const DEEPEST: usize = 100;

/// Checks a whole request.
pub(super) fn check(body: &Value, shape: &'static Shape, on_vertex: bool) -> Result<(), Refusal> {
    Checker { on_vertex }.message(body, shape, "", 0)
}

struct Checker {
    on_vertex: bool,
}

fn refuse(path: &str, what: String) -> Refusal {
    Refusal::bad(what).at(path)
}

fn invalid(path: &str, kind: &str, found: &Value) -> Refusal {
    refuse(path, format!("Invalid value at '{path}' ({kind}), {found}"))
}

/// `snake_case`, as the messages' own names are written.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

impl Checker {
    fn message(&self, value: &Value, shape: &'static Shape, path: &str, depth: usize) -> Result<(), Refusal> {
        let Some(fields) = value.as_object() else {
            return Err(match path {
                "" => Refusal::bad("Invalid JSON payload received. Expected an object."),
                _ => refuse(path, format!("Invalid value at '{path}', {value}")),
            });
        };
        if depth > DEEPEST {
            return Err(refuse(path, "Message too deep. Max recursion depth reached.".to_owned()));
        }
        for (name, value) in fields {
            let fits = |field: &&Field| {
                (!field.vertex || self.on_vertex) && (field.name == name || snake(field.name) == *name)
            };
            let Some(field) = shape.fields.iter().find(fits) else {
                let at = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
                let what = format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field.");
                return Err(refuse(path, what));
            };
            let proper = snake(field.name);
            let path = if path.is_empty() { proper } else { format!("{path}.{proper}") };
            if value.is_null() {
                continue;
            }
            let depth = depth.saturating_add(1);
            match (field.many, value) {
                (true, Value::Array(all)) => {
                    for (at, one) in all.iter().enumerate() {
                        self.value(one, &field.kind, &format!("{path}[{at}]"), depth)?;
                    }
                }
                // A message alone stands for a list of one.
                (true, Value::Object(_)) => self.value(value, &field.kind, &format!("{path}[0]"), depth)?,
                (true, other) => return Err(invalid(&path, "repeated field", other)),
                (false, Value::Array(_)) if !matches!(field.kind, Any) => {
                    let what = format!(
                        "Invalid JSON payload received. Unknown name \"{name}\" at '{path}': Proto field is not repeating, cannot start list."
                    );
                    return Err(refuse(&path, what));
                }
                (false, _) if std::ptr::eq(shape, &SCHEMA) && field.name == "properties" => {
                    let Some(named) = value.as_object() else { return Err(invalid(&path, "map", value)) };
                    for (key, schema) in named {
                        self.value(schema, &Is(&SCHEMA), &format!("{path}[{key}].value"), depth)?;
                    }
                }
                (false, _) => self.value(value, &field.kind, &path, depth)?,
            }
        }
        Ok(())
    }

    fn value(&self, value: &Value, kind: &Kind, path: &str, depth: usize) -> Result<(), Refusal> {
        let number = || value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        match kind {
            Any => Ok(()),
            Is(shape) => self.message(value, shape, path, depth),
            Text if value.is_string() => Ok(()),
            Text => Err(invalid(path, "TYPE_STRING", value)),
            Flag if value.is_boolean() => Ok(()),
            Flag => Err(invalid(path, "TYPE_BOOL", value)),
            Number if number().is_some() => Ok(()),
            Number => Err(invalid(path, "TYPE_FLOAT", value)),
            Whole if number().is_some_and(|n| n.fract() == 0.0 && n.abs() <= f64::from(i32::MAX)) => Ok(()),
            Whole => Err(invalid(path, "TYPE_INT32", value)),
            Bytes => match value.as_str() {
                None => Err(invalid(path, "TYPE_BYTES", value)),
                Some(text) if any_base64(text).is_none() => {
                    let shown: String = text.chars().take(40).collect();
                    let what =
                        format!("Invalid value at '{path}' (TYPE_BYTES), Base64 decoding failed for \"{shown}\"");
                    Err(refuse(path, what))
                }
                Some(_) => Ok(()),
            },
            One(name, all) => match value.as_str() {
                Some(found) if all.iter().any(|known| known.eq_ignore_ascii_case(found)) => Ok(()),
                // A number is as good as its name.
                None if value.as_u64().is_some_and(|n| usize::try_from(n).is_ok_and(|n| n < all.len())) => Ok(()),
                _ => Err(invalid(path, name, value)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_types_are_checked_all_the_way_down() {
        let text = json!([{"role": "user", "parts": [{"text": "Hi"}]}]);
        for (body, want) in [
            (json!({"contents": text}), None),
            (json!({"contents": {"parts": {"text": "Hi"}}, "generation_config": {"top_p": 1}}), None),
            (json!({"contents": text, "generationConfig": {"maxOutputTokens": "12", "temperature": null}}), None),
            (json!({"contents": text, "messages": []}), Some("Unknown name \"messages\": Cannot find field.")),
            (
                json!({"generationConfig": {"stop": []}}),
                Some("Unknown name \"stop\" at 'generation_config': Cannot find"),
            ),
            (json!({"contents": [{"parts": [{"type": "text"}]}]}), Some("\"type\" at 'contents[0].parts[0]'")),
            (
                json!({"tools": [{"functionDeclarations": [{"parameters": {"properties": {"a": {"additionalProperties": false}}}}]}]}),
                Some("\"additionalProperties\" at 'tools[0].function_declarations[0].parameters.properties[a].value'"),
            ),
            (json!({"labels": {}}), Some("\"labels\"")),
            (json!({"contents": "Hi"}), Some("Invalid value at 'contents' (repeated field)")),
            (json!({"generationConfig": []}), Some("Proto field is not repeating")),
            (
                json!({"generationConfig": {"maxOutputTokens": 1.5}}),
                Some("'generation_config.max_output_tokens' (TYPE_INT32), 1.5"),
            ),
            (
                json!({"toolConfig": {"functionCallingConfig": {"mode": "required"}}}),
                Some("FunctionCallingConfig.Mode), \"required\""),
            ),
            (json!({"toolConfig": {"functionCallingConfig": {"mode": "any"}}}), None),
            (json!({"toolConfig": {"functionCallingConfig": {"mode": 2}}}), None),
            (json!({"toolConfig": {"functionCallingConfig": {"mode": 9}}}), Some("FunctionCallingConfig.Mode), 9")),
            (json!({"contents": [{"parts": [{"inlineData": {"data": "-_8="}}]}]}), None),
            (json!({"contents": [{"parts": [{"inlineData": {"data": "?"}}]}]}), Some("Base64 decoding failed")),
            (json!([]), Some("Expected an object")),
        ] {
            let found = check(&body, &GENERATE, false).err().map(|refusal| refusal.message);
            assert_eq!(found.is_some(), want.is_some(), "{body}: {found:?}");
            assert!(found.clone().unwrap_or_default().contains(want.unwrap_or_default()), "{body}: {found:?}");
        }
        assert_eq!(check(&json!({"labels": {"a": "b"}}), &GENERATE, true), Ok(()));
    }
}
