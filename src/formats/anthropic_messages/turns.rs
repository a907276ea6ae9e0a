//! Writes the conversation: who may speak when, and what each block looks like.

use super::blocks::Object;
use super::citations;
use super::write::Draft;
use crate::formats::canonical::{Message, Part, Role, Source, ToolCall};
use crate::formats::signature::{self, Vendor};
use crate::formats::{Format, RequestError};
use base64::Engine;
use serde_json::{Value, json};

/// A conversation in this format.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    system: Vec<Value>,
    turns: Vec<Turn>,
}

#[derive(Debug)]
struct Turn {
    role: &'static str,
    blocks: Vec<Value>,
}

pub(super) fn write(draft: &mut Draft<'_>) -> Result<Conversation, RequestError> {
    let mut conversation = Conversation::default();
    let request = draft.request;
    let offset = usize::from(draft.native && request.messages.first().is_some_and(|first| first.role == Role::System));
    // How many of the system blocks stand after every other turn.
    let mut trailing: usize = 0;
    for (i, message) in request.messages.iter().enumerate() {
        if message.name.is_some() {
            draft.note("name");
        }
        // The paths of a request of this format: its `system` is no message.
        let place = match i.checked_sub(offset) {
            Some(i) => format!("messages[{i}].content"),
            None => "system".to_owned(),
        };
        let blocks = write_message(draft, message, &place)?;
        match message.role {
            // Newer models take system turns between others; only who speaks this format can know whether one does.
            Role::System | Role::Developer if !draft.native || conversation.turns.is_empty() => {
                trailing = trailing.saturating_add(blocks.len());
                conversation.system.extend(blocks);
            }
            Role::System | Role::Developer => conversation.push("system", blocks),
            Role::User | Role::Assistant => {
                trailing = if blocks.is_empty() { trailing } else { 0 };
                conversation.push(if message.role == Role::User { "user" } else { "assistant" }, blocks);
            }
        }
    }
    if !draft.native {
        conversation.put_results_first();
    }
    // Instructions alone, or after the model's last turn, are what it shall answer; here only a user's turn says that.
    // (Moved to the top they would leave the model to go on from its own words.)
    let asks = match conversation.turns.last() {
        None => trailing.min(1),
        Some(turn) if turn.role == "assistant" && !draft.native => trailing,
        Some(_) => 0,
    };
    if asks > 0 {
        let at = conversation.system.len().saturating_sub(asks);
        let blocks = conversation.system.split_off(at);
        conversation.push("user", blocks);
        draft.note("messages.role");
    }
    conversation.trim_end();
    if conversation.turns.is_empty() {
        return Err(RequestError::new("messages", "no message has any content; at least one must"));
    }
    Ok(conversation)
}

impl Conversation {
    /// Adds to the last turn where its role is the same.
    fn push(&mut self, role: &'static str, blocks: Vec<Value>) {
        match self.turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(last) if last.role == role => last.blocks.extend(blocks),
            _ => self.turns.push(Turn { role, blocks }),
        }
    }

    /// Tool results must come before anything else in the turn that follows the calls.
    fn put_results_first(&mut self) {
        for turn in self.turns.iter_mut().filter(|turn| turn.role == "user") {
            turn.blocks.sort_by_key(|block| !is(block, "tool_result"));
        }
    }

    /// White space at the end of a last assistant turn is refused.
    fn trim_end(&mut self) {
        if let Some(turn) = self.turns.last_mut().filter(|turn| turn.role == "assistant")
            && let Some(Value::Object(block)) = turn.blocks.last_mut()
            && let Some(Value::String(text)) = block.get_mut("text")
        {
            text.truncate(text.trim_end().len());
        }
    }

    /// Whether the model shall go on from an assistant turn.
    pub fn ends_with_assistant(&self) -> bool {
        self.turns.last().is_some_and(|turn| turn.role == "assistant")
    }

    /// Whether the last assistant turn calls tools without the thinking that led to it: with a thinking budget, that is
    /// refused.
    pub fn calls_without_thinking(&self) -> bool {
        self.turns.iter().rev().find(|turn| turn.role == "assistant").is_some_and(|turn| {
            let starts = turn.blocks.first().is_some_and(|b| is(b, "thinking") || is(b, "redacted_thinking"));
            !starts && turn.blocks.iter().any(|block| is(block, "tool_use"))
        })
    }

    /// The `system` parameter: a string where that says it all.
    pub fn system(&self, instructions: &[String]) -> Option<Value> {
        let mut blocks = self.system.clone();
        blocks.extend(instructions.iter().map(|text| json!({"type": "text", "text": text})));
        (!blocks.is_empty()).then(|| plain(blocks))
    }

    /// The `messages` parameter.
    pub fn messages(self) -> Value {
        let write = |turn: Turn| json!({"role": turn.role, "content": plain(turn.blocks)});
        self.turns.into_iter().map(write).collect()
    }
}

/// Blocks, or the text where they are one plain text.
fn plain(mut blocks: Vec<Value>) -> Value {
    let is_plain = |block: &Value| is(block, "text") && block.as_object().is_some_and(|members| members.len() == 2);
    if blocks.len() == 1
        && let Some(text) = blocks.first_mut().filter(|block| is_plain(block)).and_then(|block| block.get_mut("text"))
    {
        return text.take();
    }
    Value::Array(blocks)
}

fn is(block: &Value, kind: &str) -> bool {
    block.get("type").is_some_and(|value| value == kind)
}

fn write_message(draft: &mut Draft<'_>, message: &Message, place: &str) -> Result<Vec<Value>, RequestError> {
    let instructions = matches!(message.role, Role::System | Role::Developer);
    let mut blocks = Vec::with_capacity(message.parts.len());
    for (j, part) in message.parts.iter().enumerate() {
        let at = match part {
            Part::ToolCall(_) if !draft.native => place.replace(".content", ".tool_calls"),
            _ => format!("{place}[{j}]"),
        };
        if instructions && !draft.native && !matches!(part, Part::Text { .. } | Part::Refusal(_)) {
            return Err(RequestError::new(at, "instructions can only be text for this provider; send text"));
        }
        blocks.extend(write_block(draft, part, &at)?);
    }
    Ok(blocks)
}

/// One block with all that the client said of it; `None` where the part is blank or has no place here.
fn write_block(draft: &mut Draft<'_>, part: &Part, at: &str) -> Result<Option<Value>, RequestError> {
    let mut block = write_part(draft, part, &|| at.to_owned())?;
    if let Some(Value::Object(block)) = block.as_mut().filter(|_| draft.native) {
        draft.restore(at, block);
    }
    Ok(block)
}

/// The block of a part.
fn write_part(draft: &mut Draft<'_>, part: &Part, at: &dyn Fn() -> String) -> Result<Option<Value>, RequestError> {
    Ok(match part {
        // Blank text is refused.
        Part::Text { text, .. } | Part::Refusal(text) if text.trim().is_empty() => None,
        Part::Text { text, cache, citations } => {
            let mut block = json!({"type": "text", "text": text});
            let cited: Vec<Value> = citations.iter().filter_map(citations::write_back).collect();
            if cited.len() < citations.len() {
                draft.note("citations");
            }
            put(&mut block, "citations", (!cited.is_empty()).then(|| cited.into()));
            Some(with_cache(block, cache.as_ref()))
        }
        Part::Refusal(text) => Some(json!({"type": "text", "text": text})),
        Part::Image { source, detail, cache } => {
            if detail.as_ref().is_some_and(|detail| detail != "auto") {
                draft.note("detail");
            }
            let source = write_source(draft, source, false, at)?;
            Some(with_cache(json!({"type": "image", "source": source}), cache.as_ref()))
        }
        Part::Document { source, name, cache } => {
            let source = write_source(draft, source, true, at)?;
            let mut block = json!({"type": "document", "source": source});
            put(&mut block, "title", name.clone().map(Value::String));
            Some(with_cache(block, cache.as_ref()))
        }
        Part::Audio { .. } => {
            return Err(RequestError::new(at(), "this provider takes no audio; send text, or name another model"));
        }
        Part::ToolCall(call) => {
            if call.signature.is_some() {
                draft.note("thinking");
            }
            Some(write_call(call, at)?)
        }
        Part::ToolResult { id, parts, is_error, cache } => {
            let mut block = json!({"type": "tool_result", "tool_use_id": clean_id(id)});
            let content = write_result(draft, parts, at)?;
            // A result that failed must say something.
            let blank = |content: &Value| content.as_array().is_some_and(Vec::is_empty) || content == "";
            let silent = *is_error && !draft.native && content.as_ref().is_none_or(blank);
            put(&mut block, "content", if silent { Some(json!("The tool failed.")) } else { content });
            put(&mut block, "is_error", is_error.then_some(Value::Bool(true)));
            Some(with_cache(block, cache.as_ref()))
        }
        // Anthropic takes its own reasoning only.
        Part::Thinking { text, signature } => {
            let own = signature.as_deref().and_then(|signature| signature::by(Vendor::Anthropic, signature));
            if own.is_none() {
                draft.note("thinking");
            }
            own.map(|own| json!({"type": "thinking", "thinking": text, "signature": own}))
        }
        Part::RedactedThinking { data } => {
            let own = signature::by(Vendor::Anthropic, data);
            if own.is_none() {
                draft.note("thinking");
            }
            own.map(|own| json!({"type": "redacted_thinking", "data": own}))
        }
        Part::Unknown { format: Format::AnthropicMessages, value } => Some(value.clone()),
        Part::Unknown { value, .. } => {
            let kind = value.get("type").and_then(Value::as_str).unwrap_or("without a type");
            let message = match kind {
                "input_audio" => "`input_audio`: this provider takes no audio; send text, or name another model".into(),
                _ => format!("content of type `{kind}` has no counterpart at this provider; send text, images or PDF"),
            };
            return Err(RequestError::new(at(), message));
        }
    })
}

fn write_call(call: &ToolCall, at: &dyn Fn() -> String) -> Result<Value, RequestError> {
    let wrong = |what: String| {
        let call = format!("the arguments of call `{}` of `{}`", call.id, call.name);
        RequestError::new(at(), format!("{call} must be the JSON text of an object, found {what}"))
    };
    let text = call.arguments.trim();
    let input = match serde_json::from_str::<Value>(if text.is_empty() { "{}" } else { text }) {
        Ok(Value::Object(input)) => Value::Object(input),
        Ok(other) => return Err(wrong(crate::formats::kind_of(&other).to_owned())),
        Err(error) => return Err(wrong(format!("invalid JSON ({error})"))),
    };
    let block = json!({"type": "tool_use", "id": clean_id(&call.id), "name": call.name, "input": input});
    let cache = call.cache.as_deref().and_then(|text| serde_json::from_str(text).ok());
    Ok(with_cache(block, cache.as_ref()))
}

fn write_result(draft: &mut Draft<'_>, parts: &[Part], at: &dyn Fn() -> String) -> Result<Option<Value>, RequestError> {
    Ok(match parts {
        [] => None,
        [Part::Text { text, cache: None, citations }] if citations.is_empty() => Some(Value::String(text.clone())),
        parts => {
            let mut blocks = Vec::with_capacity(parts.len());
            for (i, part) in parts.iter().enumerate() {
                blocks.extend(write_block(draft, part, &format!("{}.content[{i}]", at()))?);
            }
            Some(Value::Array(blocks))
        }
    })
}

fn write_source(
    draft: &Draft<'_>,
    source: &Source,
    document: bool,
    at: &dyn Fn() -> String,
) -> Result<Value, RequestError> {
    let wrong = |message: String| Err(RequestError::new(at(), message));
    match source {
        Source::Url(url) => match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
            Some((media_type, data)) => {
                let source = Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() };
                write_source(draft, &source, document, at)
            }
            None if url.starts_with("data:") => {
                wrong("the data URL is not in base64; expected `data:<media type>;base64,<data>`".into())
            }
            None => Ok(json!({"type": "url", "url": url})),
        },
        Source::Base64 { media_type, data } => {
            let media_type = if media_type == "image/jpg" { "image/jpeg" } else { media_type };
            if document && !draft.native && media_type != "application/pdf" {
                return match text_of(media_type, data) {
                    Some(text) => Ok(json!({"type": "text", "media_type": "text/plain", "data": text})),
                    None => wrong(format!("a file of type `{media_type}` cannot be sent here; send PDF or UTF-8 text")),
                };
            }
            Ok(json!({"type": "base64", "media_type": media_type, "data": data}))
        }
        Source::FileId(id) if draft.native => Ok(json!({"type": "file", "file_id": id})),
        Source::FileId(id) => {
            wrong(format!("file `{id}` is in another provider's store; send its content in base64, or a URL"))
        }
        Source::Text(text) => Ok(json!({"type": "text", "media_type": "text/plain", "data": text})),
    }
}

/// The text of a text file.
fn text_of(media_type: &str, data: &str) -> Option<String> {
    let textual = media_type.starts_with("text/") || media_type == "application/json";
    let bytes = textual.then(|| base64::engine::general_purpose::STANDARD.decode(data).ok()).flatten()?;
    String::from_utf8(bytes).ok()
}

/// Whether an id is one that this format takes.
pub fn takes_id(id: &str) -> bool {
    id == clean_id(id)
}

/// An id that fits `^[a-zA-Z0-9_-]+$`, which is required here but not everywhere.
fn clean_id(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect()
}

fn with_cache(mut block: Value, cache: Option<&Value>) -> Value {
    put(&mut block, "cache_control", cache.cloned());
    block
}

fn put(block: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(members), Some(value)) = (block.as_object_mut(), value) {
        let members: &mut Object = members;
        members.insert(name.to_owned(), value);
    }
}
