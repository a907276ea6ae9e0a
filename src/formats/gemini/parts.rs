//! Parts as they are read, in requests and answers alike.

use super::{member, signatures, text, urls};
use crate::formats::Format;
use crate::formats::canonical::{Part, Source, ToolCall};
use serde_json::Value;

/// Ids for calls that came without one. They name the answer, so that no two calls of a conversation share one.
#[derive(Debug, Default)]
pub(super) struct CallIds {
    stem: String,
    next: u64,
}

impl CallIds {
    /// Ids for a candidate of the answer of this id. OpenAI takes at most 40 characters, Anthropic only letters, digits,
    /// `_` and `-`.
    pub(super) fn new(answer: &str, candidate: u64) -> Self {
        let fits = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let mut stem = "call".to_owned();
        let answer: String = answer.chars().filter(fits).take(28).collect();
        if !answer.is_empty() {
            stem = format!("{stem}_{answer}");
        }
        if candidate > 0 {
            stem = format!("{stem}_{candidate}");
        }
        Self { stem, next: 0 }
    }

    /// The next one.
    pub(super) fn make(&mut self) -> String {
        let id = format!("{}_{}", self.stem, self.next);
        self.next = self.next.saturating_add(1);
        id
    }
}

/// Reads one part onto `out`. A signature on text stands before it, on unsigned reasoning where that comes last. A part
/// of a kind that the canonical form has no word for is kept as it is.
pub(super) fn read(part: &Value, ids: &mut CallIds, out: &mut Vec<Part>) {
    let signed = text(part, "thoughtSignature").map(signatures::read);
    if let Some(call) = member(part, "functionCall").filter(|call| text(call, "name").is_some()) {
        let signature = signed.and_then(|signed| match signed {
            signatures::Signed::Signature(signature) => Some(signature),
            signatures::Signed::Redacted(_) => None,
        });
        out.push(Part::ToolCall(ToolCall {
            id: text(call, "id").map_or_else(|| ids.make(), str::to_owned),
            name: text(call, "name").unwrap_or_default().to_owned(),
            arguments: member(call, "args").map_or_else(|| "{}".to_owned(), Value::to_string),
            cache: None,
            signature,
        }));
        return;
    }
    if let Some(Value::String(words)) = member(part, "text") {
        if member(part, "thought") == Some(&Value::Bool(true)) {
            think(words, out);
        }
        if let Some(signed) = signed {
            signatures::push(signed, out);
        }
        if member(part, "thought") != Some(&Value::Bool(true)) && !words.is_empty() {
            out.push(Part::Text { text: words.clone(), cache: None, citations: Vec::new() });
        }
        return;
    }
    if let Some(signed) = signed {
        signatures::push(signed, out);
    }
    out.extend(media(part).or_else(|| is_said(part).then(|| unknown(part))));
}

/// Reasoning goes on where unsigned reasoning stands last: streams cut it anywhere.
fn think(words: &str, out: &mut Vec<Part>) {
    match out.last_mut() {
        _ if words.is_empty() => {}
        Some(Part::Thinking { text, signature: None }) => text.push_str(words),
        _ => out.push(Part::Thinking { text: words.to_owned(), signature: None }),
    }
}

/// Whether there is more to the part than marks.
fn is_said(part: &Value) -> bool {
    let marks = ["thought", "thoughtSignature", "thought_signature", "text"];
    part.as_object().is_some_and(|members| members.keys().any(|name| !marks.contains(&name.as_str())))
}

fn unknown(part: &Value) -> Part {
    Part::Unknown { format: Format::Gemini, value: part.clone() }
}

/// Google reads base64 in both alphabets, padded or not, and its SDK writes the one for URLs; other vendors read the
/// usual one only.
fn usual_base64(data: &str) -> String {
    let mut usual = data.replace('-', "+").replace('_', "/");
    while !usual.len().is_multiple_of(4) {
        usual.push('=');
    }
    usual
}

/// An image, a document or sound. Video has no canonical word, nor has what only Google can fetch.
pub(super) fn media(part: &Value) -> Option<Part> {
    let (source, media_type, name) = if let Some(blob) = member(part, "inlineData") {
        let (media_type, data) = (text(blob, "mimeType")?, usual_base64(member(blob, "data")?.as_str()?));
        if let Some(format) = media_type.strip_prefix("audio/") {
            return Some(Part::Audio { format: format.to_owned(), data, transcript: None, id: None });
        }
        let source = Source::Base64 { media_type: media_type.to_owned(), data };
        (source, media_type, text(blob, "displayName"))
    } else {
        let file = member(part, "fileData")?;
        let url = text(file, "fileUri").filter(|url| urls::is_http(url) && !urls::is_googles(url))?;
        let media_type = text(file, "mimeType").or_else(|| urls::media_type(url))?;
        (Source::Url(url.to_owned()), media_type, text(file, "displayName"))
    };
    match media_type.split('/').next().unwrap_or_default() {
        "image" => Some(Part::Image { source, detail: None, cache: None }),
        "video" | "audio" => None,
        _ => Some(Part::Document { source, name: name.map(str::to_owned), cache: None }),
    }
}
