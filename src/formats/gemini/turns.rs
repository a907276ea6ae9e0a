//! Writes the conversation: who speaks when, and what each part looks like.

use super::urls;
use super::write::Draft;
use crate::formats::canonical::{Message, Part, Role, Source, ToolCall};
use crate::formats::signature::{self, Vendor};
use crate::formats::{Format, RequestError, kind_of};
use serde_json::{Map, Value, json};

/// What stands for the signature of a call that another model made
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>, 2026-11-21).
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// A conversation in this format.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    system: Vec<Value>,
    turns: Vec<Turn>,
    /// Calls so far: id and name.
    calls: Vec<(String, String)>,
}

#[derive(Debug)]
struct Turn {
    role: &'static str,
    parts: Vec<Value>,
}

pub(super) fn write(draft: &mut Draft<'_>) -> Result<Conversation, RequestError> {
    let mut conversation = Conversation::default();
    let request = draft.request;
    // How many of the system's parts stand after every other turn.
    let mut trailing: usize = 0;
    for (i, message) in request.messages.iter().enumerate() {
        if message.name.is_some() {
            draft.note("name");
        }
        let parts = match message.role {
            Role::System | Role::Developer => instructions(draft, message, i)?,
            Role::User => user(draft, &conversation.calls, message, i)?,
            Role::Assistant => model(draft, &mut conversation.calls, message, i)?,
        };
        match message.role {
            Role::System | Role::Developer => {
                trailing = trailing.saturating_add(parts.len());
                conversation.system.extend(parts);
            }
            Role::User | Role::Assistant => {
                trailing = if parts.is_empty() { trailing } else { 0 };
                conversation.push(if message.role == Role::User { "user" } else { "model" }, parts);
            }
        }
    }
    if !draft.native {
        conversation.put_results_first();
    }
    // Instructions alone, or after the model's last turn, are what it shall answer; here only a user's turn says that.
    let asks = match conversation.turns.last() {
        None => trailing.min(1),
        Some(turn) if turn.role == "model" && !draft.native => trailing,
        Some(_) => 0,
    };
    if asks > 0 {
        let at = conversation.system.len().saturating_sub(asks);
        let parts = conversation.system.split_off(at);
        conversation.push("user", parts);
        draft.note("messages.role");
    }
    if conversation.turns.is_empty() {
        return Err(RequestError::new("messages", "no message has any content; at least one must"));
    }
    if draft.abilities.since_3 && !draft.native {
        conversation.sign_current_calls();
    }
    Ok(conversation)
}

impl Conversation {
    /// Adds to the last turn where its role is the same.
    fn push(&mut self, role: &'static str, parts: Vec<Value>) {
        match self.turns.last_mut() {
            _ if parts.is_empty() => {}
            Some(last) if last.role == role => last.parts.extend(parts),
            _ => self.turns.push(Turn { role, parts }),
        }
    }

    /// Tool results come before anything else in the turn that follows the calls.
    fn put_results_first(&mut self) {
        for turn in self.turns.iter_mut().filter(|turn| turn.role == "user") {
            turn.parts.sort_by_key(|part| part.get("functionResponse").is_none());
        }
    }

    /// The first call of each step since the user last spoke must be signed.
    fn sign_current_calls(&mut self) {
        let speaks =
            |turn: &Turn| turn.role == "user" && turn.parts.iter().any(|part| part.get("functionResponse").is_none());
        let current = self.turns.iter().rposition(speaks).unwrap_or(0);
        for turn in self.turns.iter_mut().skip(current).filter(|turn| turn.role == "model") {
            let first = turn.parts.iter_mut().find(|part| part.get("functionCall").is_some());
            if let Some(Value::Object(call)) = first {
                call.entry("thoughtSignature").or_insert_with(|| NO_SIGNATURE.into());
            }
        }
    }

    /// The `systemInstruction`.
    pub fn system(&self, instructions: &[String]) -> Option<Value> {
        let mut parts = self.system.clone();
        parts.extend(instructions.iter().map(|text| json!({"text": text})));
        (!parts.is_empty()).then(|| json!({"parts": parts}))
    }

    /// The `contents`.
    pub fn contents(self) -> Value {
        self.turns.into_iter().map(|turn| json!({"role": turn.role, "parts": turn.parts})).collect()
    }
}

fn instructions(draft: &mut Draft<'_>, message: &Message, i: usize) -> Result<Vec<Value>, RequestError> {
    let mut out = Vec::new();
    for (j, part) in message.parts.iter().enumerate() {
        let text = matches!(part, Part::Text { .. } | Part::Refusal(_));
        if !text && !draft.native {
            let message = "instructions can only be text for this provider; send text";
            return Err(RequestError::new(draft.place(i, j), message));
        }
        out.extend(content(draft, part, &draft.place(i, j))?);
    }
    Ok(out)
}

fn user(
    draft: &mut Draft<'_>,
    calls: &[(String, String)],
    message: &Message,
    i: usize,
) -> Result<Vec<Value>, RequestError> {
    let mut out = Vec::new();
    // What tools returned beside text, for models that take only text from them.
    let mut moved = Vec::new();
    for (j, part) in message.parts.iter().enumerate() {
        let at = draft.place(i, j);
        match part {
            Part::ToolResult { id, parts, is_error, cache } => {
                note_cache(draft, cache.as_ref());
                // The same id twice in a conversation is another model's; the nearest call is meant.
                let name = calls.iter().rev().find(|(call, _)| call == id).map(|(_, name)| name.as_str());
                let Some(name) = name.or(draft.native.then_some(id.as_str())) else {
                    let message = format!(
                        "no earlier message calls a tool with the id `{id}`; this provider needs the tool's name, so send the call too"
                    );
                    return Err(RequestError::new(at, message));
                };
                out.push(result(draft, (id, name), parts, *is_error, &at, &mut moved)?);
            }
            part => out.extend(content(draft, part, &at)?),
        }
    }
    out.append(&mut moved);
    Ok(out)
}

fn model(
    draft: &mut Draft<'_>,
    calls: &mut Vec<(String, String)>,
    message: &Message,
    i: usize,
) -> Result<Vec<Value>, RequestError> {
    let mut out = Vec::new();
    // The signature of what comes next.
    let mut pending: Option<String> = None;
    for (j, part) in message.parts.iter().enumerate() {
        let at = draft.place(i, j);
        match part {
            Part::Thinking { text, signature } => {
                let own = signature.as_deref().and_then(|signature| signature::by(Vendor::Gemini, signature));
                if own.is_none() && !(draft.native && signature.is_none()) {
                    draft.note("thinking");
                    continue;
                }
                if !text.is_empty() {
                    out.push(json!({"text": text, "thought": true}));
                }
                if let Some(before) = own.and_then(|own| pending.replace(own.to_owned())) {
                    out.push(json!({"text": "", "thoughtSignature": before}));
                }
            }
            Part::ToolCall(call) => {
                note_cache(draft, call.cache.as_ref());
                calls.push((call.id.clone(), call.name.clone()));
                let mut written = write_call(call, &at)?;
                let own = call.signature.as_deref().and_then(|signature| signature::by(Vendor::Gemini, signature));
                if own.is_none() && call.signature.is_some() {
                    draft.note("thinking");
                }
                sign(&mut written, own.map(str::to_owned).or_else(|| pending.take()));
                out.push(written);
            }
            part => {
                if let Some(mut written) = content(draft, part, &at)? {
                    sign(&mut written, pending.take());
                    out.push(written);
                }
            }
        }
    }
    // A stream's signature may come after all that it signs, with a part of its own.
    out.extend(pending.map(|signature| json!({"text": "", "thoughtSignature": signature})));
    Ok(out)
}

fn sign(part: &mut Value, signature: Option<String>) {
    if let (Some(part), Some(signature)) = (part.as_object_mut(), signature) {
        part.insert("thoughtSignature".to_owned(), signature.into());
    }
}

fn note_cache<T>(draft: &mut Draft<'_>, cache: Option<&T>) {
    // Google caches what repeats without being told.
    if cache.is_some() {
        draft.note("cache_control");
    }
}

fn write_call(call: &ToolCall, at: &str) -> Result<Value, RequestError> {
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
fn result(
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
fn content(draft: &mut Draft<'_>, part: &Part, at: &str) -> Result<Option<Value>, RequestError> {
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
            let member = |name: &str| sound.and_then(|sound| super::text(sound, name));
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
