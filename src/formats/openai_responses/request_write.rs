//! Requests: the canonical form into OpenAI's JSON.

use super::super::canonical::{ChatRequest, Citation, Message, Part, Role, ToolCall};
use super::super::{Format, Outgoing, RequestError, Written};
use super::model::{Effort, least_effort};
use super::params_write::Params;
use super::parts::{PartWriter, content};
use super::{citations, kind, reasoning};
use serde_json::{Map, Value, json};

/// Names of what was left out, each once, in the order of its finding.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    pub(super) fn note(&mut self, name: &str) {
        super::super::note(&mut self.0, name);
    }
}

/// Writes a request. Nothing is stored at the provider (`store: false`), so a model that reasons is asked for its
/// reasoning in encrypted form. Parameters of another format that have no place here are dropped with a note; what would
/// change the meaning (stop sequences, a provider's own tools, content that cannot be said) is an error.
pub fn write_request(request: &ChatRequest, outgoing: &Outgoing<'_>) -> Result<Written, RequestError> {
    let native = request.source == Some(Format::OpenAiResponses);
    let mut notes = Notes::default();
    let mut body = Map::new();
    body.insert("model".to_owned(), outgoing.model.into());
    let mut conversation = Conversation { request, native, input: Vec::new(), notes: &mut notes };
    let instructions = conversation.write()?;
    let input = conversation.input;
    super::put(&mut body, "instructions", instructions);
    if !input.is_empty() || !native {
        body.insert("input".to_owned(), input.into());
    }
    let params = Params {
        request,
        native,
        effort: Effort::of(outgoing.model),
        least: least_effort(outgoing.model),
        body: &mut body,
        notes: &mut notes,
        text: Map::new(),
        reasoning: Map::new(),
        include: Vec::new(),
    };
    params.write()?;
    for name in outgoing.rejects {
        if body.shift_remove(*name).is_some() {
            notes.note(name);
        }
    }
    Ok(Written { body: Value::Object(body).to_string().into_bytes(), dropped: notes.0 })
}

struct Conversation<'a> {
    request: &'a ChatRequest,
    native: bool,
    input: Vec<Value>,
    notes: &'a mut Notes,
}

impl Conversation<'_> {
    /// Fills `input`; gives back the `instructions`: a first system turn that is one text, with others after it.
    fn write(&mut self) -> Result<Option<String>, RequestError> {
        let mut messages = self.request.messages.as_slice();
        // Anthropic's `system` is no message there, so its messages count from the next one.
        let apart = self.request.source == Some(Format::AnthropicMessages)
            && messages.first().is_some_and(|first| first.role == Role::System);
        let mut instructions = None;
        let mut skipped: usize = 0;
        if let [Message { role: Role::System, name: None, parts }, rest @ ..] = messages
            && let ([Part::Text { text, cache, .. }], false) = (parts.as_slice(), rest.is_empty())
            && (cache.is_none() || !self.native)
        {
            if cache.is_some() {
                self.notes.note("cache_control");
            }
            instructions = Some(text.clone()).filter(|text| !text.is_empty());
            messages = rest;
            skipped = 1;
        }
        for (i, message) in messages.iter().enumerate() {
            let at = match i.saturating_add(skipped).checked_sub(usize::from(apart)) {
                Some(i) => format!("messages[{i}]"),
                None => "system".to_owned(),
            };
            self.message(message, &at)?;
        }
        if !self.native {
            self.drop_idle_reasoning();
        }
        if self.input.is_empty() && !self.native {
            return Err(RequestError::new("messages", "no message has any content; at least one must"));
        }
        Ok(instructions)
    }

    /// Reasoning is refused without the message or the call that it led to: of a turn that was broken off, or whose other
    /// items were another model's.
    fn drop_idle_reasoning(&mut self) {
        let mut led = false;
        let mut kept: Vec<Value> = Vec::with_capacity(self.input.len());
        for item in std::mem::take(&mut self.input).into_iter().rev() {
            if kind(&item) == "reasoning" {
                if !led {
                    self.notes.note("thinking");
                    continue;
                }
            } else {
                led = kind(&item) == "function_call" || item.get("role").is_some_and(|role| role == "assistant");
            }
            kept.push(item);
        }
        kept.reverse();
        self.input = kept;
    }

    fn message(&mut self, message: &Message, at: &str) -> Result<(), RequestError> {
        if message.name.is_some() {
            self.notes.note("name");
        }
        let role = match message.role {
            Role::System => "system",
            Role::Developer => "developer",
            Role::User => "user",
            Role::Assistant => return self.assistant(message, at),
        };
        let mut said = Vec::new();
        for (i, part) in message.parts.iter().enumerate() {
            let at = format!("{at}.content[{i}]");
            match part {
                Part::ToolResult { id, parts, is_error, cache } => {
                    self.say(role, &mut said);
                    if cache.is_some() {
                        self.notes.note("cache_control");
                    }
                    self.result(id, parts, *is_error, &at)?;
                }
                Part::Unknown { format: Format::OpenAiResponses, value } if is_item(value) => {
                    self.say(role, &mut said);
                    self.input.push(value.clone());
                }
                part => said.extend(self.part(part, &at)?),
            }
        }
        self.say(role, &mut said);
        Ok(())
    }

    /// One message of what was said so far.
    fn say(&mut self, role: &str, said: &mut Vec<Value>) {
        if !said.is_empty() {
            self.input.push(json!({"role": role, "content": content(std::mem::take(said))}));
        }
    }

    fn part(&mut self, part: &Part, at: &str) -> Result<Option<Value>, RequestError> {
        let chat = self.request.source == Some(Format::OpenAiChat);
        let note = &mut |name: &str| self.notes.note(name);
        PartWriter { native: self.native, own_files: self.native || chat, note }.write(part, at)
    }

    fn result(&mut self, id: &str, parts: &[Part], is_error: bool, at: &str) -> Result<(), RequestError> {
        let mut output = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            output.extend(match part {
                // What no other provider knows (a reference to a tool, a search result) is still text to the model.
                Part::Unknown { format, value } if *format != Format::OpenAiResponses => {
                    Some(json!({"type": "input_text", "text": value.to_string()}))
                }
                part => self.part(part, &format!("{at}.content[{i}]"))?,
            });
        }
        if is_error {
            // The format has no mark for it; the text says what went wrong, and must say at least that something did.
            self.notes.note("is_error");
            if output.is_empty() {
                output.push(json!({"type": "input_text", "text": "The tool failed."}));
            }
        }
        let output = if output.is_empty() { "".into() } else { content(output) };
        self.input.push(json!({"type": "function_call_output", "call_id": call_id(id), "output": output}));
        Ok(())
    }

    fn assistant(&mut self, message: &Message, at: &str) -> Result<(), RequestError> {
        let mut said = Vec::new();
        for (i, part) in message.parts.iter().enumerate() {
            let item = match part {
                Part::Text { text, .. } if text.is_empty() => continue,
                Part::Text { text, cache, citations } => {
                    said.push(self.own_text(text, cache.is_some(), citations));
                    continue;
                }
                // What was said aloud, in words.
                Part::Audio { transcript: Some(text), .. } => {
                    self.notes.note("audio");
                    said.push(self.own_text(text, false, &[]));
                    continue;
                }
                Part::Refusal(text) => {
                    said.push(json!({"type": "refusal", "refusal": text}));
                    continue;
                }
                Part::Thinking { text, signature } => match self.reasoning(text, signature.as_deref()) {
                    Some(item) => item,
                    None => continue,
                },
                Part::RedactedThinking { .. } => {
                    self.notes.note("thinking");
                    continue;
                }
                Part::ToolCall(call) => self.call(call),
                Part::Unknown { format: Format::OpenAiResponses, value } => value.clone(),
                part => {
                    let at = format!("{at}.content[{i}]");
                    if let Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } = part {
                        return Err(RequestError::new(at, "an assistant's turn holds text only here; send text"));
                    }
                    match self.part(part, &at)? {
                        Some(item) => item,
                        None => continue,
                    }
                }
            };
            self.say("assistant", &mut said);
            self.input.push(item);
        }
        self.say("assistant", &mut said);
        Ok(())
    }

    /// A text of the model's own. What it rested on is not for another model to read again, and only what is sent to a
    /// model can be marked for caching.
    fn own_text(&mut self, text: &str, marked: bool, cited: &[Citation]) -> Value {
        if marked {
            self.notes.note("cache_control");
        }
        let mut part = json!({"type": "output_text", "text": text});
        if !self.native && !cited.is_empty() {
            self.notes.note("citations");
        }
        let long = super::characters(text);
        let own = cited.iter().filter(|_| self.native);
        let annotations: Vec<Value> = own.filter_map(|citation| citations::write(citation, 0, long)).collect();
        if let Some(part) = part.as_object_mut() {
            super::put(part, "annotations", Some(annotations).filter(|annotations| !annotations.is_empty()));
        }
        part
    }

    /// A reasoning item, where it is OpenAI's own and can be taken back: without its encrypted content only by who keeps
    /// the items at OpenAI.
    fn reasoning(&mut self, visible: &str, signature: Option<&str>) -> Option<Value> {
        match signature.and_then(reasoning::own) {
            Some((id, encrypted)) if self.native || !encrypted.is_empty() => {
                Some(reasoning::write(id, visible, Some(encrypted).filter(|encrypted| !encrypted.is_empty())))
            }
            _ => {
                self.notes.note("thinking");
                None
            }
        }
    }

    fn call(&mut self, call: &ToolCall) -> Value {
        if call.cache.is_some() {
            self.notes.note("cache_control");
        }
        if call.signature.is_some() {
            self.notes.note("thinking");
        }
        json!({
            "type": "function_call",
            "call_id": call_id(&call.id),
            "name": call.name,
            "arguments": call.arguments,
        })
    }
}

/// Whether a value that was kept stood among the items, not within a message.
fn is_item(value: &Value) -> bool {
    let kind = kind(value);
    kind.is_empty() || !kind.starts_with("input_")
}

/// Whether an id is one that this format takes.
pub fn takes_id(id: &str) -> bool {
    id == call_id(id)
}

/// A call's id of at most 64 characters: longer ones are refused
/// (<https://platform.openai.com/docs/api-reference/responses/create>, 2026-11-21). A longer one keeps its beginning,
/// with a number made of the whole (FNV-1a) behind it.
fn call_id(id: &str) -> String {
    if id.chars().count() <= 64 {
        return id.to_owned();
    }
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let head: String = id.chars().take(47).collect();
    format!("{head}_{hash:016x}")
}
