//! Content blocks as they are read, in requests and answers alike, and the small readers of JSON that requests share.

use super::citations;
use crate::formats::canonical::{Part, Source, ToolCall};
use crate::formats::{Format, RequestError};
use serde_json::Value;

pub(super) use crate::formats::members::{Object, given, join, object, optional_text, wrong};

/// The error for a missing member, in Anthropic's words.
pub(super) fn missing(at: impl Into<String>) -> RequestError {
    RequestError::new(at, "Field required")
}

/// A required string.
pub(super) fn text<'a>(object: &'a Object, base: &str, name: &str) -> Result<&'a str, RequestError> {
    optional_text(object, base, name)?.ok_or_else(|| missing(join(base, name)))
}

/// A string or an array of blocks.
pub(super) fn read_content(value: &Value, at: &str) -> Result<Vec<Part>, RequestError> {
    match value {
        Value::String(text) => Ok(vec![Part::Text { text: text.clone(), cache: None, citations: Vec::new() }]),
        Value::Array(blocks) => {
            blocks.iter().enumerate().map(|(i, block)| read_block(block, &format!("{at}[{i}]"))).collect()
        }
        other => Err(wrong(at, "a string or an array of content blocks", other)),
    }
}

/// One block. A kind that the canonical form has no word for is kept verbatim.
pub(super) fn read_block(value: &Value, at: &str) -> Result<Part, RequestError> {
    let block = object(value, at)?;
    let cache = given(block, "cache_control").cloned();
    let unknown = || Part::Unknown { format: Format::AnthropicMessages, value: value.clone() };
    Ok(match text(block, at, "type")? {
        "text" => Part::Text { text: text(block, at, "text")?.to_owned(), cache, citations: citations::read(block) },
        "image" => match read_source(block, at)? {
            Some(source) => Part::Image { source, detail: None, cache },
            None => unknown(),
        },
        "document" => match read_source(block, at)? {
            Some(source) => {
                Part::Document { source, name: optional_text(block, at, "title")?.map(str::to_owned), cache }
            }
            None => unknown(),
        },
        "tool_use" => Part::ToolCall(ToolCall {
            id: text(block, at, "id")?.to_owned(),
            name: text(block, at, "name")?.to_owned(),
            arguments: match given(block, "input") {
                None => "{}".to_owned(),
                Some(input) => Value::to_string(&Value::Object(object(input, &join(at, "input"))?.clone())),
            },
            cache: cache.as_ref().map(Value::to_string),
            signature: None,
        }),
        "tool_result" => Part::ToolResult {
            id: text(block, at, "tool_use_id")?.to_owned(),
            parts: match given(block, "content") {
                None => Vec::new(),
                Some(content) => read_content(content, &join(at, "content"))?,
            },
            is_error: match given(block, "is_error") {
                None => false,
                Some(Value::Bool(failed)) => *failed,
                Some(other) => return Err(wrong(join(at, "is_error"), "a boolean", other)),
            },
            cache,
        },
        "thinking" => Part::Thinking {
            text: text(block, at, "thinking")?.to_owned(),
            // Answers of servers that imitate the format may lack the signature or leave it empty.
            signature: optional_text(block, at, "signature")?.filter(|s| !s.is_empty()).map(str::to_owned),
        },
        "redacted_thinking" => Part::RedactedThinking { data: text(block, at, "data")?.to_owned() },
        _ => unknown(),
    })
}

/// The `source` of an image or document; `None` for kinds that the canonical form has no word for.
fn read_source(block: &Object, at: &str) -> Result<Option<Source>, RequestError> {
    let at = join(at, "source");
    let source = object(given(block, "source").ok_or_else(|| missing(at.as_str()))?, &at)?;
    let owned = |name| text(source, &at, name).map(str::to_owned);
    Ok(match text(source, &at, "type")? {
        "base64" => Some(Source::Base64 { media_type: owned("media_type")?, data: owned("data")? }),
        "url" => Some(Source::Url(owned("url")?)),
        "file" => Some(Source::FileId(owned("file_id")?)),
        "text" => Some(Source::Text(owned("data")?)),
        // A document made of blocks: text stands for itself, anything else stays as it came.
        "content" => match read_content(source.get("content").unwrap_or(&Value::Null), &join(&at, "content"))? {
            parts if parts.iter().all(|part| matches!(part, Part::Text { .. })) => {
                let texts: Vec<&str> = parts
                    .iter()
                    .map(|part| if let Part::Text { text, .. } = part { text.as_str() } else { "" })
                    .collect();
                Some(Source::Text(texts.join("\n")))
            }
            _ => None,
        },
        _ => None,
    })
}
