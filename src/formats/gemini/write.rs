//! Writes requests.

use super::model::{Abilities, abilities};
use super::{params, thinking, tools, turns};
use crate::formats::canonical::{ChatRequest, Role};
use crate::formats::{Format, Outgoing, RequestError, Written};
use serde_json::{Map, Value};

/// A request on its way into the format.
pub(super) struct Draft<'a> {
    /// What to write.
    pub request: &'a ChatRequest,
    /// Whether it was read from this format: then the client means what it says, and nothing is adapted.
    pub native: bool,
    /// What the target's model accepts.
    pub abilities: Abilities,
    /// The target's model.
    pub model: &'a str,
    /// The body but for the conversation.
    pub body: Map<String, Value>,
    /// Its `generationConfig`.
    pub generation: Map<String, Value>,
    /// Instructions to add after the client's own.
    pub instructions: Vec<String>,
    /// What was dropped.
    notes: Vec<String>,
}

impl Draft<'_> {
    /// Notes that a parameter was dropped, once.
    pub fn note(&mut self, name: &str) {
        crate::formats::note(&mut self.notes, name);
    }

    /// Where a part stands in the client's own body.
    pub fn place(&self, message: usize, part: usize) -> String {
        let leads = self.request.messages.first().is_some_and(|first| first.role == Role::System);
        let (turns, parts) = if self.native { ("contents", "parts") } else { ("messages", "content") };
        // The instructions of these formats are no message there, so their messages count from the next one.
        let apart = self.native || self.request.source == Some(Format::AnthropicMessages);
        match message.checked_sub(usize::from(apart && leads)) {
            Some(message) => format!("{turns}[{message}].{parts}[{part}]"),
            None => format!("system[{part}]"),
        }
    }
}

pub(super) fn write(request: &ChatRequest, outgoing: &Outgoing<'_>) -> Result<Written, RequestError> {
    let mut draft = Draft {
        request,
        native: request.source == Some(Format::Gemini),
        abilities: abilities(outgoing.model),
        model: outgoing.model,
        body: Map::new(),
        generation: Map::new(),
        instructions: Vec::new(),
        notes: Vec::new(),
    };
    let conversation = turns::write(&mut draft)?;
    tools::write(&mut draft)?;
    params::write(&mut draft)?;
    if !draft.generation.contains_key("thinkingConfig") {
        thinking::write(&mut draft);
    }
    let mut body = Map::new();
    let system = conversation.system(&draft.instructions);
    body.insert("contents".to_owned(), conversation.contents());
    body.extend(system.map(|system| ("systemInstruction".to_owned(), system)));
    body.append(&mut draft.body);
    for name in outgoing.rejects {
        if body.shift_remove(*name).is_some() || draft.generation.shift_remove(*name).is_some() {
            draft.note(name);
        }
    }
    if !draft.generation.is_empty() {
        body.insert("generationConfig".to_owned(), draft.generation.into());
    }
    Ok(Written { body: Value::Object(body).to_string().into_bytes(), dropped: draft.notes })
}
