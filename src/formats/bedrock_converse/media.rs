//! Writes images, documents and audio. Bedrock takes bytes, or a place in Amazon S3; it fetches no URLs.

use super::blocks::DOCUMENTS;
use super::model::Family;
use super::write::Draft;
use crate::formats::RequestError;
use crate::formats::canonical::Source;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The formats of images (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ImageBlock.html>,
/// 2026-11-21).
const IMAGES: [&str; 4] = ["png", "jpeg", "gif", "webp"];

/// The formats of audio (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_AudioBlock.html>,
/// 2026-11-21).
const AUDIO: [&str; 15] =
    ["mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga", "pcm", "webm"];

/// Bytes and their media type, or a place in S3.
enum Bytes<'a> {
    Inline { media_type: &'a str, data: &'a str },
    S3(&'a str),
    Text(&'a str),
}

fn bytes<'a>(source: &'a Source, what: &str, at: &dyn Fn() -> String) -> Result<Bytes<'a>, RequestError> {
    let wrong = |message: String| Err(RequestError::new(at(), message));
    match source {
        Source::Base64 { media_type, data } => Ok(Bytes::Inline { media_type, data }),
        Source::Text(text) => Ok(Bytes::Text(text)),
        Source::FileId(id) => wrong(format!("file `{id}` is in another provider's store; send the {what} in base64")),
        Source::Url(url) if url.starts_with("s3://") => Ok(Bytes::S3(url)),
        Source::Url(url) => match url.strip_prefix("data:").map(|rest| rest.split_once(";base64,")) {
            Some(Some((media_type, data))) => Ok(Bytes::Inline { media_type, data }),
            Some(None) => wrong("the data URL is not in base64; expected `data:<media type>;base64,<data>`".into()),
            None => wrong(format!(
                "Bedrock fetches no URLs; send the {what} in base64 (a data URL), or as `s3://bucket/key`"
            )),
        },
    }
}

/// An image.
pub(super) fn image(source: &Source, at: &dyn Fn() -> String) -> Result<Value, RequestError> {
    let (format, source) = match bytes(source, "image", at)? {
        Bytes::Inline { media_type, data } => {
            let format = media_type.strip_prefix("image/").unwrap_or(media_type);
            (format, json!({"bytes": data}))
        }
        Bytes::S3(uri) => {
            (uri.rsplit_once('.').map_or("", |(_, extension)| extension), json!({"s3Location": {"uri": uri}}))
        }
        Bytes::Text(_) => return Err(RequestError::new(at(), "text is no image; send the image in base64")),
    };
    let format = format.to_ascii_lowercase();
    let format = if format == "jpg" { "jpeg" } else { &format };
    if !IMAGES.contains(&format) {
        let message = format!("an image of type `{format}` cannot be sent here; expected one of {}", IMAGES.join(", "));
        return Err(RequestError::new(at(), message));
    }
    Ok(json!({"image": {"format": format, "source": source}}))
}

/// A document.
pub(super) fn document(
    draft: &mut Draft<'_>,
    source: &Source,
    name: Option<&str>,
    at: &dyn Fn() -> String,
) -> Result<Value, RequestError> {
    let extension = |name: &str| {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase())?;
        DOCUMENTS.iter().find(|(known, _)| *known == extension).map(|(known, _)| *known)
    };
    let by_name = || name.and_then(extension);
    let (format, source) = match bytes(source, "document", at)? {
        Bytes::Inline { media_type, data } => {
            let kind = media_type.split(';').next().unwrap_or(media_type).trim();
            let known = DOCUMENTS.iter().find(|(_, known)| *known == kind).map(|(format, _)| *format);
            let textual = kind.starts_with("text/") || kind == "application/json";
            let Some(format) = known.or_else(by_name).or(textual.then_some("txt")) else {
                let formats: Vec<&str> = DOCUMENTS.iter().map(|(format, _)| *format).collect();
                let message =
                    format!("a file of type `{kind}` cannot be sent here; expected one of {}", formats.join(", "));
                return Err(RequestError::new(at(), message));
            };
            (format, json!({"bytes": data}))
        }
        Bytes::S3(uri) => {
            let Some(format) = extension(uri).or_else(by_name) else {
                let message = format!("the format of `{uri}` is unknown; name the file with its extension");
                return Err(RequestError::new(at(), message));
            };
            (format, json!({"s3Location": {"uri": uri}}))
        }
        Bytes::Text(text) => ("txt", json!({"bytes": STANDARD.encode(text)})),
    };
    let name = if draft.native { name.unwrap_or("document").to_owned() } else { document_name(draft, name) };
    Ok(json!({"document": {"format": format, "name": name, "source": source}}))
}

/// A name of letters, digits, single spaces, hyphens, parentheses and square brackets, at most 200, that no other
/// document has (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html>, 2026-11-21).
fn document_name(draft: &mut Draft<'_>, name: Option<&str>) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || "-()[]".contains(c) { c } else { ' ' };
    let spaced: String = name.unwrap_or_default().chars().map(fits).collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let base: String = words.join(" ").chars().take(190).collect();
    let base = if base.trim().is_empty() { "document" } else { base.trim() };
    let mut found = base.to_owned();
    let mut number: u32 = 2;
    while draft.documents.contains(&found) {
        found = format!("{base} {number}");
        number = number.saturating_add(1);
    }
    draft.documents.push(found.clone());
    found
}

/// Audio, for models that may take it.
pub(super) fn audio(
    draft: &Draft<'_>,
    format: &str,
    data: &str,
    at: &dyn Fn() -> String,
) -> Result<Value, RequestError> {
    if !draft.native && !draft.model.audio {
        let what = if draft.model.family == Family::Claude { "Claude" } else { "this model" };
        return Err(RequestError::new(at(), format!("{what} takes no audio; send text, or name another model")));
    }
    if !AUDIO.contains(&format) {
        let message = format!("audio of type `{format}` cannot be sent here; expected one of {}", AUDIO.join(", "));
        return Err(RequestError::new(at(), message));
    }
    Ok(json!({"audio": {"format": format, "source": {"bytes": data}}}))
}
