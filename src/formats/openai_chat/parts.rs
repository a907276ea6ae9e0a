//! Pieces of a message's content, shared by requests and answers.

use super::super::canonical::{Part, Source};
use super::super::{Format, RequestError};
use super::{given, text};
use crate::formats::kind_of;
use serde_json::{Value, json};

/// Reads `content`: a string, parts, or null (no parts).
pub(super) fn read_content(content: &Value, at: &str) -> Result<Vec<Part>, RequestError> {
    match content {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![Part::Text { text: text.clone(), cache: None, citations: Vec::new() }]),
        Value::Array(parts) => {
            parts.iter().enumerate().map(|(i, part)| read_part(part, &format!("{at}[{i}]"))).collect()
        }
        other => Err(RequestError::new(
            at,
            format!("found {}, expected a string or an array of content parts", kind_of(other)),
        )),
    }
}

/// Reads one content part. A part of an unknown type is kept as it is.
fn read_part(part: &Value, at: &str) -> Result<Part, RequestError> {
    if let Value::String(text) = part {
        return Ok(Part::Text { text: text.clone(), cache: None, citations: Vec::new() });
    }
    if !part.is_object() {
        return Err(RequestError::new(at, format!("found {}, expected a content part (an object)", kind_of(part))));
    }
    let Some(kind) = part.get("type").and_then(Value::as_str) else {
        return Err(RequestError::new(format!("{at}.type"), "missing; expected a string such as `text`"));
    };
    let cache = cache_mark(part);
    let string = |name: &str| match part.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => {
            Err(RequestError::new(format!("{at}.{name}"), format!("found {}, expected a string", kind_of(other))))
        }
        None => Err(RequestError::new(format!("{at}.{name}"), "missing; expected a string")),
    };
    Ok(match kind {
        "text" => Part::Text { text: string("text")?, cache, citations: Vec::new() },
        "refusal" => Part::Refusal(string("refusal")?),
        "image_url" => {
            let image = part.get("image_url").unwrap_or(&Value::Null);
            // Some clients put the URL where the object belongs, and most servers take it.
            let Some(url) = image.as_str().or_else(|| image.get("url").and_then(Value::as_str)) else {
                let param = format!("{at}.image_url");
                return Err(RequestError::new(
                    param,
                    "expected an object with a string `url` (http, https or data URL)",
                ));
            };
            let detail = text(image, "detail").map(str::to_owned);
            let source = data_url(url).unwrap_or_else(|| Source::Url(url.to_owned()));
            Part::Image { source, detail, cache }
        }
        "file" => {
            let file = part.get("file").unwrap_or(&Value::Null);
            let name = text(file, "filename").map(str::to_owned);
            let source = match (text(file, "file_id"), text(file, "file_data")) {
                (Some(id), _) => Source::FileId(id.to_owned()),
                (None, Some(data)) => data_url(data).unwrap_or_else(|| Source::Base64 {
                    media_type: "application/pdf".to_owned(),
                    data: data.to_owned(),
                }),
                (None, None) => {
                    let param = format!("{at}.file");
                    return Err(RequestError::new(param, "expected an object with a string `file_data` or `file_id`"));
                }
            };
            Part::Document { source, name, cache }
        }
        "input_audio" => {
            let sound = part.get("input_audio").unwrap_or(&Value::Null);
            let (Some(data), Some(format)) = (text(sound, "data"), text(sound, "format")) else {
                let param = format!("{at}.input_audio");
                return Err(RequestError::new(param, "expected an object with strings `data` (base64) and `format`"));
            };
            Part::Audio { format: format.to_owned(), data: data.to_owned(), transcript: None, id: None }
        }
        "thinking" | "redacted_thinking" => match super::reasoning::read_block(part) {
            Some(thinking) => thinking,
            None => Part::Unknown { format: Format::OpenAiChat, value: part.clone() },
        },
        _ => Part::Unknown { format: Format::OpenAiChat, value: part.clone() },
    })
}

/// The cache mark of a part, tool or message: `cache_control`, as OpenRouter and LiteLLM take it from Anthropic, or OpenAI's
/// `prompt_cache_breakpoint`, which says the same (<https://platform.openai.com/docs/guides/prompt-caching>, 2026-11-21).
pub(super) fn cache_mark(holder: &Value) -> Option<Value> {
    let own = given(holder, "cache_control").cloned();
    own.or_else(|| given(holder, "prompt_cache_breakpoint").map(|_| json!({"type": "ephemeral"})))
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

/// A text part, with its cache mark where `keep_cache`.
pub(super) fn write_text(text: &str, cache: Option<&Value>) -> Value {
    let mut part = json!({"type": "text", "text": text});
    if let (Some(cache), Some(part)) = (cache, part.as_object_mut()) {
        part.insert("cache_control".to_owned(), cache.clone());
    }
    part
}

/// An image part. `own_files`: file ids are this provider's own.
pub(super) fn write_image(source: &Source, detail: Option<&str>, at: &str) -> Result<Value, RequestError> {
    let url = match source {
        Source::Url(url) => url.clone(),
        Source::Base64 { media_type, data } => format!("data:{media_type};base64,{data}"),
        Source::FileId(_) => {
            return Err(RequestError::new(
                at,
                "this target's format (OpenAI Chat Completions) takes images as URL or bytes, not from a file store; send the image itself",
            ));
        }
        Source::Text(text) => return Ok(write_text(text, None)),
    };
    let mut image = json!({"url": url});
    if let (Some(detail), Some(image)) = (detail, image.as_object_mut()) {
        image.insert("detail".to_owned(), detail.into());
    }
    Ok(json!({"type": "image_url", "image_url": image}))
}

/// A part of sound. OpenAI takes two formats; a client of this format may know a server that takes more.
pub(super) fn write_audio(format: &str, data: &str, native: bool, at: &str) -> Result<Value, RequestError> {
    let name = match format.split(';').next().unwrap_or(format) {
        "mpeg" | "mpga" | "x-mp3" => "mp3",
        "x-wav" | "wave" | "vnd.wave" => "wav",
        _ => format,
    };
    if data.is_empty() || !native && !matches!(name, "mp3" | "wav") {
        let message = format!(
            "this target's format (OpenAI Chat Completions) takes wav and mp3, found `{format}`; convert the sound"
        );
        return Err(RequestError::new(at, message));
    }
    Ok(json!({"type": "input_audio", "input_audio": {"data": data, "format": name}}))
}

/// A document part. `own_files`: file ids in the request are those of an OpenAI-compatible provider.
pub(super) fn write_document(
    source: &Source,
    name: Option<&str>,
    own_files: bool,
    at: &str,
) -> Result<Value, RequestError> {
    match source {
        Source::Text(text) => Ok(write_text(text, None)),
        Source::Base64 { media_type, data } => {
            // OpenAI wants a name with the bytes (<https://platform.openai.com/docs/guides/pdf-files>, 2026-11-21).
            let name = name.unwrap_or("document.pdf");
            let data = format!("data:{media_type};base64,{data}");
            Ok(json!({"type": "file", "file": {"filename": name, "file_data": data}}))
        }
        Source::FileId(id) if own_files => {
            let mut file = json!({"file_id": id});
            if let (Some(name), Some(file)) = (name, file.as_object_mut()) {
                file.insert("filename".to_owned(), name.into());
            }
            Ok(json!({"type": "file", "file": file}))
        }
        Source::FileId(_) => Err(RequestError::new(
            at,
            "the document is in another provider's file store, which this target cannot read; send its bytes as base64",
        )),
        Source::Url(_) => Err(RequestError::new(
            at,
            "this target's format (OpenAI Chat Completions) takes documents as bytes, not as a URL; send the document as base64",
        )),
    }
}
