//! Writes requests.

use super::blocks::Object;
use super::model::{Abilities, abilities};
use super::{params, turns};
use crate::formats::canonical::ChatRequest;
use crate::formats::{Format, Outgoing, RequestError, Written};
use serde_json::Value;

/// A request on its way into the format.
pub(super) struct Draft<'a> {
    /// What to write.
    pub request: &'a ChatRequest,
    /// What the target needs.
    pub outgoing: &'a Outgoing<'a>,
    /// Whether it was read from this format: then the client means what it says, and nothing is adapted.
    pub native: bool,
    /// What the target's model accepts.
    pub abilities: Abilities,
    /// The body so far.
    pub body: Object,
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

    /// Puts back what the canonical form had no field for, at this path of a request of this format.
    pub fn restore(&self, at: &str, holder: &mut Object) {
        for (path, value) in &self.request.unplaced {
            let name = path.strip_prefix(at).and_then(|rest| rest.strip_prefix('.'));
            if let Some(name) = name.filter(|name| !name.contains(['.', '['])) {
                holder.insert(name.to_owned(), value.clone());
            }
        }
    }

    /// Sets a member of the body.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.body.insert(name.to_owned(), value.into());
    }

    /// Sets a member of the object under a member of the body, made where it is missing.
    pub fn set_in(&mut self, name: &str, inner: &str, value: impl Into<Value>) {
        let mut members = match self.body.get_mut(name).map(Value::take) {
            Some(Value::Object(members)) => members,
            _ => Object::new(),
        };
        members.insert(inner.to_owned(), value.into());
        self.set(name, members);
    }
}

pub(super) fn write(request: &ChatRequest, outgoing: &Outgoing<'_>) -> Result<Written, RequestError> {
    let mut draft = Draft {
        request,
        outgoing,
        native: request.source == Some(Format::AnthropicMessages),
        abilities: abilities(outgoing.model),
        body: Object::new(),
        instructions: Vec::new(),
        notes: Vec::new(),
    };
    draft.set("model", outgoing.model);
    let conversation = turns::write(&mut draft)?;
    params::write(&mut draft, &conversation)?;
    let system = conversation.system(&draft.instructions);
    if let Some(system) = system {
        draft.set("system", system);
    }
    draft.set("messages", conversation.messages());
    for name in outgoing.rejects {
        if draft.body.shift_remove(*name).is_some() {
            draft.note(name);
        }
    }
    let Draft { body, notes, .. } = draft;
    Ok(Written { body: Value::Object(body).to_string().into_bytes(), dropped: notes })
}
