//! Writes the conversation: who may speak when, and what each block looks like.

use super::blocks::write_redacted;
use super::media;
use super::model::Family;
use super::write::Draft;
use crate::formats::canonical::{Citation, Message, Part, Role, ToolCall};
use crate::formats::signature::{self, Vendor};
use crate::formats::{Format, RequestError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

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
    // How many of the system blocks stand after every other turn.
    let mut trailing: usize = 0;
    // Instructions that stand apart in the client's format are no message there, so its messages count from the next.
    let first = request.messages.first().is_some_and(|first| first.role == Role::System);
    let apart = first && request.source != Some(Format::OpenAiChat);
    for (i, message) in request.messages.iter().enumerate() {
        if message.name.is_some() {
            draft.note("name");
        }
        let at = match i.checked_sub(usize::from(apart)) {
            Some(i) => format!("messages[{i}]"),
            None => "system".to_owned(),
        };
        let blocks = write_message(draft, message, &at)?;
        match message.role {
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
    if draft.native {
        return Ok(conversation);
    }
    conversation.put_results_first();
    // Instructions alone, or after the model's last turn, are what it shall answer; here only a user's turn says that.
    let asks = match conversation.turns.last() {
        None => trailing,
        Some(turn) if turn.role == "assistant" => trailing,
        Some(_) => 0,
    };
    if asks > 0 {
        let at = conversation.system.len().saturating_sub(asks);
        let blocks = conversation.system.split_off(at);
        conversation.push("user", blocks);
        draft.note("messages.role");
    }
    conversation.trim_end();
    match conversation.turns.first() {
        None => return Err(RequestError::new("messages", "no message has any content; at least one must")),
        // A conversation must begin with the user.
        Some(first) if first.role == "assistant" => {
            conversation.turns.insert(0, Turn { role: "user", blocks: vec![json!({"text": "Continue."})] });
            draft.note("messages");
        }
        Some(_) => {}
    }
    conversation.name_documents();
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

    /// Tool results must come before anything else in the turn that follows the calls; a cache point stays behind its
    /// block.
    fn put_results_first(&mut self) {
        for turn in self.turns.iter_mut().filter(|turn| turn.role == "user") {
            let (mut first, mut rest) = (Vec::new(), Vec::new());
            let mut result = false;
            for block in turn.blocks.drain(..) {
                result = if is(&block, "cachePoint") { result } else { is(&block, "toolResult") };
                if result { first.push(block) } else { rest.push(block) }
            }
            first.extend(rest);
            turn.blocks = first;
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

    /// A document must have text beside it
    /// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html>, 2026-11-21): its name.
    fn name_documents(&mut self) {
        for turn in &mut self.turns {
            if turn.blocks.iter().any(|block| is(block, "text")) {
                continue;
            }
            let names = turn.blocks.iter().filter_map(|block| block.pointer("/document/name")?.as_str());
            let names: Vec<&str> = names.collect();
            if !names.is_empty() {
                let text = names.join(", ");
                turn.blocks.push(json!({"text": text}));
            }
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
            let starts = turn.blocks.first().is_some_and(|block| is(block, "reasoningContent"));
            !starts && turn.blocks.iter().any(|block| is(block, "toolUse"))
        })
    }

    /// The names of the tools that were called or, where only their results are left, whether any were.
    pub fn called(&self) -> (Vec<String>, bool) {
        let mut names: Vec<String> = Vec::new();
        let mut known = BTreeSet::new();
        let mut any = false;
        for block in self.turns.iter().flat_map(|turn| &turn.blocks) {
            any |= is(block, "toolUse") || is(block, "toolResult");
            if let Some(name) = block.pointer("/toolUse/name").and_then(Value::as_str)
                && known.insert(name)
            {
                names.push(name.to_owned());
            }
        }
        (names, any)
    }

    /// The `system` parameter.
    pub fn system(&self, instructions: &[String]) -> Option<Value> {
        let mut blocks = self.system.clone();
        blocks.extend(instructions.iter().map(|text| json!({"text": text})));
        (!blocks.is_empty()).then_some(Value::Array(blocks))
    }

    /// The `messages` parameter.
    pub fn messages(self) -> Value {
        self.turns.into_iter().map(|turn| json!({"role": turn.role, "content": turn.blocks})).collect()
    }
}

fn is(block: &Value, kind: &str) -> bool {
    block.get(kind).is_some()
}

fn write_message(draft: &mut Draft<'_>, message: &Message, path: &str) -> Result<Vec<Value>, RequestError> {
    let instructions = matches!(message.role, Role::System | Role::Developer);
    let mut blocks = Vec::with_capacity(message.parts.len());
    for (j, part) in message.parts.iter().enumerate() {
        let at = || format!("{path}.content[{j}]");
        if instructions && !draft.native && !matches!(part, Part::Text { .. } | Part::Refusal(_)) {
            return Err(RequestError::new(at(), "instructions can only be text for this provider; send text"));
        }
        let at: &dyn Fn() -> String = match part {
            Part::ToolCall(_) if draft.request.source == Some(Format::OpenAiChat) => &|| format!("{path}.tool_calls"),
            _ => &at,
        };
        blocks.extend(write_part(draft, part, at)?);
        // A mark on text that went out because it is blank has nothing to stand behind.
        if let Some(cache) = mark_of(part).filter(|_| !blocks.is_empty()) {
            blocks.extend(cache_point(draft, &cache, draft.model.caches));
        }
    }
    Ok(blocks)
}

fn mark_of(part: &Part) -> Option<Value> {
    match part {
        Part::Text { cache, .. }
        | Part::Image { cache, .. }
        | Part::Document { cache, .. }
        | Part::ToolResult { cache, .. } => cache.clone(),
        Part::ToolCall(call) => serde_json::from_str(call.cache.as_deref()?).ok(),
        _ => None,
    }
}

/// The `cachePoint` that a mark of another format becomes, where the model knows them.
pub(super) fn cache_point(draft: &mut Draft<'_>, cache: &Value, knows: bool) -> Option<Value> {
    if !knows && !draft.native {
        draft.note("cache_control");
        return None;
    }
    let ttl = cache.get("ttl").and_then(Value::as_str);
    let ttl = ttl.filter(|ttl| draft.native || *ttl != "5m");
    Some(match ttl {
        Some(ttl) if draft.native || draft.model.caches_1h => json!({"cachePoint": {"type": "default", "ttl": ttl}}),
        Some(_) => {
            draft.note("cache_control.ttl");
            json!({"cachePoint": {"type": "default"}})
        }
        None => json!({"cachePoint": {"type": "default"}}),
    })
}

/// One block; `None` where the part is blank or has no place here.
fn write_part(draft: &mut Draft<'_>, part: &Part, at: &dyn Fn() -> String) -> Result<Option<Value>, RequestError> {
    Ok(match part {
        // Blank text is refused.
        Part::Text { text, .. } | Part::Refusal(text) if text.trim().is_empty() && !draft.native => None,
        // Sources that this format did not name itself are the client's business.
        Part::Text { text, citations, .. } => {
            let own = |c: &&Citation| matches!(c.verbatim, Some((Format::BedrockConverse, _)));
            let own: Vec<Citation> = citations.iter().filter(own).cloned().collect();
            Some(super::answer::write_text(text, &own))
        }
        Part::Refusal(text) => Some(json!({"text": text})),
        Part::Image { source, detail, .. } => {
            if detail.as_ref().is_some_and(|detail| detail != "auto") {
                draft.note("detail");
            }
            Some(media::image(source, at)?)
        }
        Part::Document { source, name, .. } => Some(media::document(draft, source, name.as_deref(), at)?),
        Part::Audio { format, data, .. } => Some(media::audio(draft, format, data, at)?),
        Part::ToolCall(call) => Some(write_call(draft, call, at)?),
        Part::ToolResult { id, parts, is_error, .. } => {
            let mut content = Vec::with_capacity(parts.len());
            for part in parts {
                content.extend(match part {
                    Part::Unknown { format: Format::AnthropicMessages, value } if is_search_result(value) => {
                        write_part(draft, part, at)?
                    }
                    // What no other provider knows (a reference to a tool) is still text to the model.
                    Part::Unknown { format, value } if *format != Format::BedrockConverse => {
                        Some(json!({"text": value.to_string()}))
                    }
                    part => write_part(draft, part, at)?,
                });
            }
            // No content at all is refused.
            if content.is_empty() {
                let text = if *is_error && !draft.native { "The tool failed." } else { "(empty)" };
                content.push(json!({"text": text}));
            }
            let mut result = json!({"toolUseId": clean_id(draft, id), "content": content});
            if let (Some(status), Some(result)) = (status(draft, *is_error), result.as_object_mut()) {
                result.insert("status".to_owned(), status.into());
            }
            Some(json!({"toolResult": result}))
        }
        Part::Thinking { text, signature } => write_thinking(draft, text, signature.as_deref()),
        Part::RedactedThinking { data } => {
            let ours = signature::of(data).0 == maker(draft) || draft.native;
            if !ours {
                draft.note("thinking");
            }
            ours.then(|| json!({"reasoningContent": {"redactedContent": write_redacted(data)}}))
        }
        Part::Unknown { format: Format::BedrockConverse, value } => Some(value.clone()),
        // Audio as Chat Completions sends it.
        Part::Unknown { format: Format::OpenAiChat, value } if value.get("input_audio").is_some() => {
            let word = |name: &str| value.pointer(&format!("/input_audio/{name}")).and_then(Value::as_str);
            Some(media::audio(draft, word("format").unwrap_or_default(), word("data").unwrap_or_default(), at)?)
        }
        Part::Unknown { format: Format::AnthropicMessages, value } if is_search_result(value) => {
            Some(json!({"searchResult": search_result(value)}))
        }
        Part::Unknown { value, .. } => {
            let kind = value.get("type").and_then(Value::as_str).unwrap_or("without a type");
            let message =
                format!("content of type `{kind}` has no counterpart at this provider; send text, images or files");
            return Err(RequestError::new(at(), message));
        }
    })
}

/// A result's `status`. Models other than Claude and Nova refuse it
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolResultBlock.html>, 2026-11-21); without it a
/// result is a success.
fn status(draft: &mut Draft<'_>, is_error: bool) -> Option<&'static str> {
    let word = if is_error { "error" } else { "success" };
    match draft.model.family {
        Family::Claude | Family::Nova | Family::Nova2 => Some(word),
        _ if draft.native => Some(word),
        Family::Unknown => is_error.then_some(word),
        _ => {
            if is_error {
                draft.note("is_error");
            }
            None
        }
    }
}

fn is_search_result(value: &Value) -> bool {
    value.get("type").is_some_and(|kind| kind == "search_result")
}

/// Anthropic's `search_result` block: the same, but for the types of its blocks.
fn search_result(value: &Value) -> Value {
    let texts = value.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<Value> = texts.iter().filter_map(|block| Some(json!({"text": block.get("text")?}))).collect();
    let mut out = json!({"source": value.get("source"), "title": value.get("title"), "content": texts});
    if let (Some(citations), Some(out)) = (value.get("citations"), out.as_object_mut()) {
        out.insert("citations".to_owned(), citations.clone());
    }
    out
}

/// Who must have signed what the target's model takes back.
fn maker(draft: &Draft<'_>) -> Vendor {
    if matches!(draft.model.family, Family::Claude | Family::Unknown) { Vendor::Anthropic } else { Vendor::Bedrock }
}

/// Reasoning goes back only to whom it came from: unsigned, or signed by another, it is refused.
fn write_thinking(draft: &mut Draft<'_>, text: &str, signature: Option<&str>) -> Option<Value> {
    let own = match signature {
        Some(signature) if draft.native => Some(signature::of(signature).1),
        Some(signature) => signature::by(maker(draft), signature),
        None => None,
    };
    match own {
        Some(signature) => Some(json!({"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}})),
        None if draft.native => Some(json!({"reasoningContent": {"reasoningText": {"text": text}}})),
        None => {
            draft.note("thinking");
            None
        }
    }
}

fn write_call(draft: &Draft<'_>, call: &ToolCall, at: &dyn Fn() -> String) -> Result<Value, RequestError> {
    let wrong = |what: String| {
        let call = format!("the arguments of call `{}` of `{}`", call.id, call.name);
        RequestError::new(at(), format!("{call} must be the JSON text of an object, found {what}"))
    };
    let text = call.arguments.trim();
    let input = match serde_json::from_str::<Value>(if text.is_empty() { "{}" } else { text }) {
        Ok(input) if input.is_object() || draft.native => input,
        Ok(other) => return Err(wrong(crate::formats::kind_of(&other).to_owned())),
        Err(error) => return Err(wrong(format!("invalid JSON ({error})"))),
    };
    Ok(json!({"toolUse": {"toolUseId": clean_id(draft, &call.id), "name": call.name, "input": input}}))
}

/// An id that fits `[a-zA-Z0-9_.:-]{1,64}`, which is required here but not everywhere. A longer one ends in its hash, so
/// that two stay apart and a result still finds its call.
fn clean_id(draft: &Draft<'_>, id: &str) -> String {
    if draft.native {
        return id.to_owned();
    }
    let fits = |c: char| if c.is_ascii_alphanumeric() || "_.:-".contains(c) { c } else { '_' };
    let clean: String = id.chars().map(fits).collect();
    match clean.get(..47) {
        Some(head) if clean.len() > 64 => {
            let hash = Sha256::digest(id).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
            format!("{head}-{hash}")
        }
        _ => clean,
    }
}
