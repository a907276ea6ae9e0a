//! Writes requests.

use super::blocks::Object;
use super::model::Model;
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
    pub model: Model,
    /// The body so far.
    pub body: Object,
    /// Instructions to add after the client's own.
    pub instructions: Vec<String>,
    /// Names of documents so far: each must be another.
    pub documents: Vec<String>,
    /// What was dropped.
    notes: Vec<String>,
}

impl Draft<'_> {
    /// Notes that a parameter was dropped, once.
    pub fn note(&mut self, name: &str) {
        crate::formats::note(&mut self.notes, name);
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

    /// Sets one of the model's own parameters.
    pub fn set_own(&mut self, name: &str, value: impl Into<Value>) {
        self.set_in("additionalModelRequestFields", name, value);
    }
}

pub(super) fn write(request: &ChatRequest, outgoing: &Outgoing<'_>) -> Result<Written, RequestError> {
    let mut draft = Draft {
        request,
        outgoing,
        native: request.source == Some(Format::BedrockConverse),
        model: Model::of(outgoing.model),
        body: Object::new(),
        instructions: Vec::new(),
        documents: Vec::new(),
        notes: Vec::new(),
    };
    let conversation = turns::write(&mut draft)?;
    params::write(&mut draft, &conversation)?;
    if let Some(system) = conversation.system(&draft.instructions) {
        draft.set("system", system);
    }
    draft.set("messages", conversation.messages());
    for name in outgoing.rejects {
        let inference = draft.body.get_mut("inferenceConfig").and_then(Value::as_object_mut);
        let inner = inference.is_some_and(|config| config.shift_remove(*name).is_some());
        let own = draft.body.get_mut("additionalModelRequestFields").and_then(Value::as_object_mut);
        let own = own.is_some_and(|fields| fields.shift_remove(*name).is_some());
        if draft.body.shift_remove(*name).is_some() || inner || own {
            draft.note(name);
        }
    }
    let Draft { body, notes, .. } = draft;
    Ok(Written { body: Value::Object(body).to_string().into_bytes(), dropped: notes })
}
