//! Writes the conversation: who speaks when, and what each part looks like.

mod parts;

use super::write::Draft;
use crate::formats::RequestError;
use crate::formats::canonical::{Message, Part, Role};
use crate::formats::signature::{self, Vendor};
use parts::{content, note_cache, result, write_call};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What stands for the signature of a call that another model made
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>, 2026-11-21).
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// A conversation in this format.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    system: Vec<Value>,
    turns: Vec<Turn>,
    /// Names of the calls so far by their ids. The same id twice in a conversation is another model's; the nearest call is
    /// meant.
    calls: BTreeMap<String, String>,
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

    /// The first call of each step since the user last spoke must be signed. What stands beside results (an agent's
    /// reminders, a picture that a tool returned) may not count as the user's, and a signature too many is harmless.
    fn sign_current_calls(&mut self) {
        let speaks =
            |turn: &Turn| turn.role == "user" && turn.parts.iter().all(|part| part.get("functionResponse").is_none());
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
    calls: &BTreeMap<String, String>,
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
                let name = calls.get(id).map(String::as_str);
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
    calls: &mut BTreeMap<String, String>,
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
                calls.insert(call.id.clone(), call.name.clone());
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
