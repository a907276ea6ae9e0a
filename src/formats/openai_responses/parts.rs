//! Content parts of messages and of tool results.

use super::super::canonical::{Part, Source};
use super::super::{Format, RequestError};
use super::{citations, given, kind, put, required, text, wrong};
use serde_json::{Map, Value, json};

/// Reads `content` or `output`: a string or parts. Text of the model's own and text for it read the same.
pub(super) fn read_content(content: &Value, at: &str) -> Result<Vec<Part>, RequestError> {
    match content {
        Value::String(text) => Ok(vec![plain(text)]),
        Value::Array(parts) => {
            parts.iter().enumerate().map(|(i, part)| read_part(part, &format!("{at}[{i}]"))).collect()
        }
        other => Err(wrong(at, other, "a string or an array of content parts")),
    }
}

fn plain(text: &str) -> Part {
    Part::Text { text: text.to_owned(), cache: None, citations: Vec::new() }
}

/// Items that would mean something else if they were taken out of the message that they stand in.
const ITEMS: [&str; 5] = ["message", "reasoning", "function_call", "function_call_output", "item_reference"];

/// Reads one part. A part of an unknown type is kept as it is.
fn read_part(part: &Value, at: &str) -> Result<Part, RequestError> {
    if !part.is_object() {
        return Err(wrong(at, part, "a content part (an object)"));
    }
    let string = |name: &str| match part.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        None => Err(RequestError::new(format!("{at}.{name}"), "missing; expected a string")),
        Some(other) => Err(wrong(format!("{at}.{name}"), other, "a string")),
    };
    Ok(match required(part, at, "type", "such as `input_text`")? {
        "input_text" | "text" => {
            Part::Text { text: string("text")?, cache: read_breakpoint(part), citations: Vec::new() }
        }
        "output_text" => Part::Text { text: string("text")?, cache: None, citations: citations::read_all(part, 0) },
        "refusal" => Part::Refusal(string("refusal")?),
        "input_image" => {
            let address = given(part, "image_url");
            let url = address.and_then(|url| url.as_str().or_else(|| text(url, "url")));
            let source = match (url, text(part, "file_id")) {
                (Some(url), _) => data_url(url).unwrap_or_else(|| Source::Url(url.to_owned())),
                (None, Some(id)) => Source::FileId(id.to_owned()),
                (None, None) => {
                    let expected = "expected a string `image_url` (http, https or data URL) or `file_id`";
                    return Err(RequestError::new(format!("{at}.image_url"), expected));
                }
            };
            Part::Image { source, detail: text(part, "detail").map(str::to_owned), cache: read_breakpoint(part) }
        }
        "input_file" => {
            let source = match (text(part, "file_data"), text(part, "file_url"), text(part, "file_id")) {
                (Some(data), ..) => data_url(data).unwrap_or_else(|| Source::Base64 {
                    media_type: "application/pdf".to_owned(),
                    data: data.to_owned(),
                }),
                (None, Some(url), _) => Source::Url(url.to_owned()),
                (None, None, Some(id)) => Source::FileId(id.to_owned()),
                (None, None, None) => {
                    return Err(RequestError::new(at, "expected a string `file_data`, `file_url` or `file_id`"));
                }
            };
            Part::Document { source, name: text(part, "filename").map(str::to_owned), cache: read_breakpoint(part) }
        }
        "input_audio" => {
            let audio = part.get("input_audio").unwrap_or(&Value::Null);
            let at = format!("{at}.input_audio");
            Part::Audio {
                format: required(audio, &at, "format", "such as `wav`")?.to_owned(),
                data: required(audio, &at, "data", "base64")?.to_owned(),
                transcript: None,
                id: None,
            }
        }
        kind if ITEMS.contains(&kind) => {
            let message = format!(
                "found `{kind}`, the type of an item; expected that of a content part, such as `input_text`; items stand in `input`"
            );
            return Err(RequestError::new(format!("{at}.type"), message));
        }
        _ => Part::Unknown { format: Format::OpenAiResponses, value: part.clone() },
    })
}

/// `prompt_cache_breakpoint` as the mark that the canonical form knows. The longer of the two lifetimes is the longer of
/// Anthropic's.
fn read_breakpoint(part: &Value) -> Option<Value> {
    let mark = given(part, "prompt_cache_breakpoint")?;
    Some(match text(mark, "ttl") {
        Some("12h") => json!({"type": "ephemeral", "ttl": "1h"}),
        _ => json!({"type": "ephemeral"}),
    })
}

fn write_breakpoint(cache: &Value) -> Value {
    match text(cache, "ttl") {
        Some("1h") => json!({"mode": "explicit", "ttl": "12h"}),
        _ => json!({"mode": "explicit"}),
    }
}

/// The bytes in a base64 data URL.
fn data_url(url: &str) -> Option<Source> {
    let (scheme, rest) = url.split_at_checked(5)?;
    let (head, data) = rest.split_once(',')?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let mut parameters = head.split(';');
    let media_type = parameters.next().filter(|kind| !kind.is_empty()).unwrap_or("text/plain");
    parameters
        .any(|parameter| parameter.trim().eq_ignore_ascii_case("base64"))
        .then(|| Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() })
}

/// Writes parts for the model to read.
pub(super) struct PartWriter<'a> {
    /// The request was read from this format: cache marks are its own.
    pub native: bool,
    /// File ids in the request are those of OpenAI's store.
    pub own_files: bool,
    /// Takes the names of what is left out.
    pub note: &'a mut dyn FnMut(&str),
}

impl PartWriter<'_> {
    fn marked(&mut self, kind: &str, cache: Option<&Value>, rest: impl FnOnce(&mut Map<String, Value>)) -> Value {
        let mut part = Map::new();
        part.insert("type".to_owned(), kind.into());
        rest(&mut part);
        match cache {
            Some(mark) if self.native => put(&mut part, "prompt_cache_breakpoint", Some(write_breakpoint(mark))),
            Some(_) => (self.note)("cache_control"),
            None => {}
        }
        part.into()
    }

    /// One part; nothing for reasoning, which is no content here.
    pub(super) fn write(&mut self, part: &Part, at: &str) -> Result<Option<Value>, RequestError> {
        Ok(Some(match part {
            Part::Text { text, cache, .. } => self.text(text, cache.as_ref()),
            Part::Refusal(text) => self.text(text, None),
            Part::Image { source, detail, cache } => self.image(source, detail.as_deref(), cache.as_ref(), at)?,
            Part::Document { source, name, cache } => self.document(source, name.as_deref(), cache.as_ref(), at)?,
            Part::Audio { format, data, .. } => {
                json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})
            }
            Part::Unknown { format: Format::OpenAiResponses, value } => value.clone(),
            Part::Unknown { value, .. } => {
                // Google's and Amazon's parts are named by their one member.
                let first = value.as_object().and_then(|members| members.keys().next()).map(String::as_str);
                let what = format!(
                    "content of type `{}` has no place in this target's format (OpenAI Responses); remove it or name another model",
                    text(value, "type").or(first).unwrap_or("unknown"),
                );
                return Err(RequestError::new(at, what));
            }
            Part::Thinking { .. } | Part::RedactedThinking { .. } => {
                (self.note)("thinking");
                return Ok(None);
            }
            Part::ToolCall(_) | Part::ToolResult { .. } => {
                return Err(RequestError::new(at, "a tool call or result stands where neither can be"));
            }
        }))
    }

    fn text(&mut self, text: &str, cache: Option<&Value>) -> Value {
        self.marked("input_text", cache, |part| put(part, "text", Some(text)))
    }

    fn image(
        &mut self,
        source: &Source,
        detail: Option<&str>,
        cache: Option<&Value>,
        at: &str,
    ) -> Result<Value, RequestError> {
        let (name, value) = match source {
            Source::Url(url) => ("image_url", url.clone()),
            Source::Base64 { media_type, data } => ("image_url", format!("data:{media_type};base64,{data}")),
            Source::FileId(id) if self.own_files => ("file_id", id.clone()),
            Source::FileId(_) => return Err(foreign_file(at)),
            Source::Text(text) => return Ok(self.text(text, cache)),
        };
        // OpenAI's schema wants the detail said; `auto` is what holds without it.
        let detail = detail.or(if self.native { None } else { Some("auto") });
        Ok(self.marked("input_image", cache, |part| {
            put(part, name, Some(value));
            put(part, "detail", detail);
        }))
    }

    fn document(
        &mut self,
        source: &Source,
        filename: Option<&str>,
        cache: Option<&Value>,
        at: &str,
    ) -> Result<Value, RequestError> {
        let (name, value, filename) = match source {
            Source::Text(text) => return Ok(self.text(text, cache)),
            // The name goes with the bytes (<https://platform.openai.com/docs/guides/pdf-files>, 2026-11-21); beside an
            // address or an id it is refused.
            Source::Base64 { media_type, data } => {
                let filename = filename.unwrap_or("document.pdf");
                ("file_data", format!("data:{media_type};base64,{data}"), Some(filename))
            }
            Source::Url(url) => ("file_url", url.clone(), filename.filter(|_| self.native)),
            Source::FileId(id) if self.own_files => ("file_id", id.clone(), filename.filter(|_| self.native)),
            Source::FileId(_) => return Err(foreign_file(at)),
        };
        Ok(self.marked("input_file", cache, |part| {
            put(part, "filename", filename);
            put(part, name, Some(value));
        }))
    }
}

fn foreign_file(at: &str) -> RequestError {
    RequestError::new(
        at,
        "the file is in another provider's store, which this target cannot read; send its bytes as base64",
    )
}

/// Content: a string where one plain text says it all, else parts.
pub(super) fn content(mut parts: Vec<Value>) -> Value {
    let plain = |part: &mut Value| {
        let bare = matches!(kind(part), "input_text" | "output_text")
            && part.as_object().is_some_and(|members| members.len() == 2);
        part.get_mut("text").filter(|_| bare).map(Value::take)
    };
    match parts.as_mut_slice() {
        [only] => match plain(only) {
            Some(text) => text,
            None => parts.into(),
        },
        _ => parts.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn an_item_within_a_message_is_a_mistake_and_other_unknown_parts_are_kept() {
        for kind in ITEMS {
            let error = read_content(&json!([{"type": kind, "output": "x"}]), "input[0].content").unwrap_err();
            assert_eq!(error.param, "input[0].content[0].type");
            assert!(error.message.contains(kind), "{error}");
        }
        let unknown = json!({"type": "input_video", "video_url": "https://a/b"});
        let kept = Part::Unknown { format: Format::OpenAiResponses, value: unknown.clone() };
        assert_eq!(read_content(&json!([unknown]), "input[0].content").unwrap(), [kept]);
    }
}
