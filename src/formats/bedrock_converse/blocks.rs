//! Content blocks as they are read, in requests and answers alike, and the small readers of JSON that requests share.

use crate::formats::canonical::{Citation, Part, Source, ToolCall};
use crate::formats::signature::{self, Vendor};
use crate::formats::{Format, RequestError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub(super) use crate::formats::members::{Object, given, join, object, optional_text, wrong};

/// The error for a missing member.
pub(super) fn missing(at: impl Into<String>) -> RequestError {
    RequestError::new(at, "missing; it is required")
}

/// A required string.
pub(super) fn text<'a>(object: &'a Object, base: &str, name: &str) -> Result<&'a str, RequestError> {
    optional_text(object, base, name)?.ok_or_else(|| missing(join(base, name)))
}

/// A value that must be an array.
pub(super) fn array<'a>(value: &'a Value, at: &str) -> Result<&'a [Value], RequestError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| wrong(at, "an array", value))
}

/// Blocks in their order. A `cachePoint` becomes the mark of the part before it, where that can carry one.
pub(super) fn read_content(value: &Value, at: &str) -> Result<Vec<Part>, RequestError> {
    let mut parts: Vec<Part> = Vec::new();
    for (i, value) in array(value, at)?.iter().enumerate() {
        let at = format!("{at}[{i}]");
        let block = object(value, &at)?;
        if let Some(point) = given(block, "cachePoint")
            && parts.last_mut().is_some_and(|part| mark(part, point))
        {
            continue;
        }
        if let Some(cited) = given(block, "citationsContent") {
            read_cited(cited, &mut parts);
            continue;
        }
        parts.push(read_block(block, value, &at)?);
    }
    Ok(parts)
}

/// A `cachePoint` as other formats mark it.
pub(super) fn cache_of(point: &Value) -> Value {
    match point.get("ttl").and_then(Value::as_str) {
        Some(ttl) => json!({"type": "ephemeral", "ttl": ttl}),
        None => json!({"type": "ephemeral"}),
    }
}

/// Marks a part as the end of what is cached; says whether it could.
fn mark(part: &mut Part, point: &Value) -> bool {
    match part {
        Part::Text { cache, .. }
        | Part::Image { cache, .. }
        | Part::Document { cache, .. }
        | Part::ToolResult { cache, .. }
            if cache.is_none() =>
        {
            *cache = Some(cache_of(point));
            true
        }
        Part::ToolCall(call) if call.cache.is_none() => {
            call.cache = Some(cache_of(point).to_string());
            true
        }
        _ => false,
    }
}

/// Text with its sources. Some models send the sources alone, behind the text.
fn read_cited(cited: &Value, parts: &mut Vec<Part>) {
    let list = |name: &str| cited.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text: String = list("content").iter().filter_map(|c| c.get("text").and_then(Value::as_str)).collect();
    let sources: Vec<Citation> = list("citations").iter().map(read_citation).collect();
    match parts.last_mut() {
        Some(Part::Text { citations, .. }) if text.is_empty() => citations.extend(sources),
        _ => parts.push(Part::Text { text, cache: None, citations: sources }),
    }
}

/// One source.
pub(super) fn read_citation(value: &Value) -> Citation {
    let word = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let passages = value.get("sourceContent").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let cited: Vec<&str> = passages.iter().filter_map(|p| p.get("text").and_then(Value::as_str)).collect();
    let web = value.pointer("/location/web/url").and_then(Value::as_str).map(str::to_owned);
    Citation {
        url: web.or_else(|| word("source").filter(|source| source.starts_with("http"))),
        title: word("title"),
        cited_text: (!cited.is_empty()).then(|| cited.join("\n")),
        span: None,
        verbatim: Some((Format::BedrockConverse, value.clone())),
    }
}

/// One block. A kind that the canonical form has no word for is kept verbatim.
fn read_block(block: &Object, value: &Value, at: &str) -> Result<Part, RequestError> {
    let unknown = || Part::Unknown { format: Format::BedrockConverse, value: value.clone() };
    let part = if block.contains_key("text") {
        Some(Part::Text { text: text(block, at, "text")?.to_owned(), cache: None, citations: Vec::new() })
    } else if let Some(inner) = given(block, "image") {
        read_source(object(inner, &join(at, "image"))?, &join(at, "image"), "image/")?.map(|source| Part::Image {
            source,
            detail: None,
            cache: None,
        })
    } else if let Some(inner) = given(block, "document") {
        let at = join(at, "document");
        let document = object(inner, &at)?;
        let name = optional_text(document, &at, "name")?.map(str::to_owned);
        read_source(document, &at, "")?.map(|source| Part::Document { source, name, cache: None })
    } else if let Some(inner) = given(block, "audio") {
        let at = join(at, "audio");
        let audio = object(inner, &at)?;
        let format = text(audio, &at, "format")?.to_owned();
        let bytes = audio.get("source").and_then(|s| s.get("bytes")).and_then(Value::as_str);
        bytes.map(|data| Part::Audio { format, data: data.to_owned(), transcript: None, id: None })
    } else if let Some(inner) = given(block, "toolUse") {
        read_call(object(inner, &join(at, "toolUse"))?, &join(at, "toolUse"))?
    } else if let Some(inner) = given(block, "toolResult") {
        read_result(object(inner, &join(at, "toolResult"))?, &join(at, "toolResult"))?
    } else if let Some(inner) = given(block, "reasoningContent") {
        read_reasoning(inner)
    } else {
        None
    };
    Ok(part.unwrap_or_else(unknown))
}

/// A call; `None` for one of Bedrock's own tools, which is not the client's to answer.
fn read_call(call: &Object, at: &str) -> Result<Option<Part>, RequestError> {
    if given(call, "type").is_some_and(|kind| kind == "server_tool_use") {
        return Ok(None);
    }
    Ok(Some(Part::ToolCall(ToolCall {
        id: text(call, at, "toolUseId")?.to_owned(),
        name: text(call, at, "name")?.to_owned(),
        arguments: match given(call, "input") {
            None => "{}".to_owned(),
            Some(input) => input.to_string(),
        },
        cache: None,
        signature: None,
    })))
}

/// A result; `None` for that of one of Bedrock's own tools.
fn read_result(result: &Object, at: &str) -> Result<Option<Part>, RequestError> {
    if given(result, "type").is_some() {
        return Ok(None);
    }
    let mut parts = Vec::new();
    if let Some(content) = given(result, "content") {
        let at = join(at, "content");
        for (i, value) in array(content, &at)?.iter().enumerate() {
            let at = format!("{at}[{i}]");
            let block = object(value, &at)?;
            parts.push(match block.get("json") {
                Some(json) => Part::Text { text: json.to_string(), cache: None, citations: Vec::new() },
                None => read_block(block, value, &at)?,
            });
        }
    }
    let id = text(result, at, "toolUseId")?.to_owned();
    let is_error = optional_text(result, at, "status")? == Some("error");
    Ok(Some(Part::ToolResult { id, parts, is_error, cache: None }))
}

fn read_reasoning(inner: &Value) -> Option<Part> {
    if let Some(reasoning) = inner.get("reasoningText") {
        let word = |name: &str| reasoning.get(name).and_then(Value::as_str).unwrap_or_default();
        let signature = Some(word("signature")).filter(|s| !s.is_empty()).map(read_signature);
        return Some(Part::Thinking { text: word("text").to_owned(), signature });
    }
    let data = inner.get("redactedContent").and_then(Value::as_str)?;
    Some(Part::RedactedThinking { data: read_redacted(data) })
}

/// A signature in the canonical form. Nothing here names its maker; but Claude's all begin with one byte (18, the first
/// field of their encoding), so any other long opaque text is another model's.
pub(super) fn read_signature(signature: &str) -> String {
    let opaque = STANDARD.decode(signature).ok().filter(|bytes| bytes.len() >= 32);
    let vendor = match opaque {
        Some(bytes) if bytes.first() != Some(&18) => Vendor::Bedrock,
        _ => Vendor::Anthropic,
    };
    signature::tag(vendor, signature)
}

/// Encrypted reasoning in the canonical form. What Anthropic's own API gives as text is bytes here, in base64.
pub(super) fn read_redacted(data: &str) -> String {
    let text = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match text {
        Some(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => text,
        _ => signature::tag(Vendor::Bedrock, data),
    }
}

/// The `redactedContent` of what [`read_redacted`] gave, or of another client's Anthropic text.
pub(super) fn write_redacted(data: &str) -> String {
    match signature::of(data) {
        (Vendor::Bedrock, opaque) => opaque.to_owned(),
        (_, text) => STANDARD.encode(text),
    }
}

/// The formats of documents and what other formats call them.
pub(super) const DOCUMENTS: [(&str, &str); 9] = [
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
];

/// The `source` of an image (`kind` is then `image/`) or document; `None` for kinds that the canonical form has no word
/// for, such as a place in another account's bucket.
fn read_source(block: &Object, at: &str, kind: &str) -> Result<Option<Source>, RequestError> {
    let format = optional_text(block, at, "format")?.unwrap_or("txt");
    let at = join(at, "source");
    let source = object(given(block, "source").ok_or_else(|| missing(at.as_str()))?, &at)?;
    if let Some(data) = optional_text(source, &at, "bytes")? {
        let known = DOCUMENTS.iter().find(|(known, _)| kind.is_empty() && *known == format);
        let media_type = known.map_or_else(|| format!("{kind}{format}"), |(_, media_type)| (*media_type).to_owned());
        return Ok(Some(Source::Base64 { media_type, data: data.to_owned() }));
    }
    if let Some(text) = optional_text(source, &at, "text")? {
        return Ok(Some(Source::Text(text.to_owned())));
    }
    if let Some(place) = given(source, "s3Location").and_then(Value::as_object).filter(|place| place.len() == 1) {
        return Ok(optional_text(place, &at, "uri")?.map(|uri| Source::Url(uri.to_owned())));
    }
    let passages = given(source, "content").and_then(Value::as_array);
    Ok(passages.map(|passages| {
        let texts: Vec<&str> = passages.iter().filter_map(|p| p.get("text").and_then(Value::as_str)).collect();
        Source::Text(texts.join("\n"))
    }))
}
