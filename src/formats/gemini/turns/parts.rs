//! What each part of a turn looks like.

use super::super::write::Draft;
use super::super::{text, urls};
use crate::formats::canonical::{Part, Source, ToolCall};
use crate::formats::{Format, RequestError, kind_of};
use serde_json::{Map, Value, json};

pub(super) fn note_cache<T>(draft: &mut Draft<'_>, cache: Option<&T>) {
    // Google caches what repeats without being told.
    if cache.is_some() {
        draft.note("cache_control");
    }
}

pub(super) fn write_call(call: &ToolCall, at: &str) -> Result<Value, RequestError> {
    let wrong = |what: String| {
        let call = format!("the arguments of call `{}` of `{}`", call.id, call.name);
        RequestError::new(at, format!("{call} must be the JSON text of an object, found {what}"))
    };
    let text = call.arguments.trim();
    let args = match serde_json::from_str::<Value>(if text.is_empty() { "{}" } else { text }) {
        Ok(args @ Value::Object(_)) => args,
        Ok(other) => return Err(wrong(kind_of(&other).to_owned())),
        Err(error) => return Err(wrong(format!("invalid JSON ({error})"))),
    };
    Ok(json!({"functionCall": {"id": call.id, "name": call.name, "args": args}}))
}

/// A `functionResponse`. Its `response` is an object: what the tool says under `output`, or under `error` where it
/// failed; a tool that answers with an object gives it as it is
/// (<https://ai.google.dev/api/caching#FunctionResponse>, 2026-11-21).
pub(super) fn result(
    draft: &mut Draft<'_>,
    (id, name): (&str, &str),
    parts: &[Part],
    is_error: bool,
    at: &str,
    moved: &mut Vec<Value>,
) -> Result<Value, RequestError> {
    let mut texts = Vec::new();
    let mut inside = Vec::new();
    let mut outside = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        match part {
            // What no other provider knows (a reference to a tool, a search result) is still text to the model.
            Part::Unknown { format, value } if *format != Format::Gemini => texts.push(value.to_string()),
            Part::Text { text, cache, .. } => {
                note_cache(draft, cache.as_ref());
                texts.push(text.clone());
            }
            part => {
                if let Some(written) = content(draft, part, &format!("{at}.content[{i}]"))? {
                    match written.get("text").and_then(Value::as_str) {
                        Some(text) => texts.push(text.to_owned()),
                        None if draft.abilities.since_3 && written.get("inlineData").is_some() => inside.push(written),
                        None => outside.push(written),
                    }
                }
            }
        }
    }
    let mut text = texts.join("\n");
    if !outside.is_empty() {
        moved.push(json!({"text": format!("[content of the result of tool call {id}]")}));
        moved.append(&mut outside);
        if texts.is_empty() {
            "[the content follows in this message]".clone_into(&mut text);
        }
    }
    if is_error && text.is_empty() {
        "The tool failed.".clone_into(&mut text);
    }
    let response = match serde_json::from_str::<Value>(&text) {
        _ if is_error => json!({"error": text}),
        Ok(object @ Value::Object(_)) if is_exact(&object) => object,
        _ => json!({"output": text}),
    };
    let mut written = json!({"id": id, "name": name, "response": response});
    if let Some(members) = written.as_object_mut().filter(|_| !inside.is_empty()) {
        members.insert("parts".to_owned(), inside.into());
    }
    Ok(json!({"functionResponse": written}))
}

/// Whether every number survives: Google reads them as floating point of 64 bits.
fn is_exact(value: &Value) -> bool {
    const LARGEST: u64 = 1 << 53;
    match value {
        Value::Number(number) => number.is_f64() || number.as_i64().is_some_and(|n| n.unsigned_abs() <= LARGEST),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        _ => true,
    }
}

/// A part that is neither call, result nor reasoning; `None` where it is empty.
pub(super) fn content(draft: &mut Draft<'_>, part: &Part, at: &str) -> Result<Option<Value>, RequestError> {
    Ok(match part {
        Part::Text { text, cache, .. } => {
            note_cache(draft, cache.as_ref());
            (!text.is_empty()).then(|| json!({"text": text}))
        }
        Part::Refusal(text) => (!text.is_empty()).then(|| json!({"text": text})),
        Part::Image { source, detail, cache } => {
            note_cache(draft, cache.as_ref());
            if detail.as_ref().is_some_and(|detail| detail != "auto") {
                draft.note("detail");
            }
            Some(media(draft, source, None, at)?)
        }
        Part::Document { source, name, cache } => {
            note_cache(draft, cache.as_ref());
            if name.is_some() {
                draft.note("filename");
            }
            Some(media(draft, source, Some("application/pdf"), at)?)
        }
        Part::Audio { format, data, transcript, .. } => match (data.is_empty(), transcript) {
            (false, _) => Some(inline(&audio_type(format), data)),
            (true, Some(said)) => Some(json!({"text": said})),
            (true, None) => {
                let message = "sound that only another provider holds cannot be sent here; send its data, or its text";
                return Err(RequestError::new(at, message));
            }
        },
        Part::Thinking { .. } | Part::RedactedThinking { .. } => {
            draft.note("thinking");
            None
        }
        Part::Unknown { format: Format::Gemini, value } => Some(value.clone()),
        Part::Unknown { value, .. } => {
            let kind = value.get("type").and_then(Value::as_str).unwrap_or("without a type");
            let sound = value.get("input_audio").filter(|_| kind == "input_audio");
            let member = |name: &str| sound.and_then(|sound| text(sound, name));
            if let (Some(data), Some(format)) = (member("data"), member("format")) {
                return Ok(Some(inline(&audio_type(format), data)));
            }
            let message = format!(
                "content of type `{kind}` has no counterpart at this provider; send text, images, PDF or audio"
            );
            return Err(RequestError::new(at, message));
        }
        Part::ToolCall(_) | Part::ToolResult { .. } => {
            return Err(RequestError::new(at, "a tool call or result stands where neither can be"));
        }
    })
}

fn inline(media_type: &str, data: &str) -> Value {
    json!({"inlineData": {"mimeType": media_type, "data": data}})
}

/// The media type of sound of this format, which may be OpenAI's word for it.
fn audio_type(format: &str) -> String {
    match format {
        "pcm16" => "audio/pcm;rate=24000".to_owned(),
        other => format!("audio/{other}"),
    }
}

/// An image or document. `fallback`: its type where its address does not tell.
fn media(draft: &Draft<'_>, source: &Source, fallback: Option<&str>, at: &str) -> Result<Value, RequestError> {
    let refuse = |message: String| Err(RequestError::new(at, message));
    match source {
        Source::Text(text) => Ok(json!({"text": text})),
        Source::Base64 { media_type, data } => {
            let media_type = if media_type == "image/jpg" { "image/jpeg" } else { media_type };
            Ok(inline(media_type, data))
        }
        Source::FileId(id) => {
            refuse(format!("file `{id}` is in another provider's store; send its content in base64, or a URL"))
        }
        Source::Url(url) => match urls::data_url(url) {
            Some((media_type, data)) => Ok(inline(media_type, data)),
            None if urls::is_googles(url) => Ok(file(url, urls::media_type(url))),
            None if !urls::is_http(url) => {
                refuse("expected an address that begins with https:// or gs://, or a base64 data URL".to_owned())
            }
            None if draft.abilities.since_2_5 || draft.native => Ok(file(url, urls::media_type(url).or(fallback))),
            None => refuse(format!(
                "`{}` does not fetch content by URL; send its bytes in base64, or name a Gemini model from 2.5",
                draft.model
            )),
        },
    }
}

fn file(url: &str, media_type: Option<&str>) -> Value {
    let mut file = Map::new();
    file.extend(media_type.map(|kind| ("mimeType".to_owned(), kind.into())));
    file.insert("fileUri".to_owned(), url.into());
    json!({"fileData": file})
}
