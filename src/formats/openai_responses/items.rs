//! The conversation of a request: items into turns.

use super::super::canonical::{Message, Part, Role, ToolCall};
use super::super::{Format, RequestError};
use super::parts::read_content;
use super::{given, kind, reasoning, required, text, wrong};
use serde_json::Value;

/// Reads `input`: a string, which is a user's message, or items.
pub(super) fn read(input: &Value, out: &mut Vec<Message>) -> Result<(), RequestError> {
    match input {
        Value::String(text) => {
            let parts = vec![Part::Text { text: text.clone(), cache: None, citations: Vec::new() }];
            out.push(Message { role: Role::User, name: None, parts });
        }
        Value::Array(items) => {
            let mut reader = Reader { out, of_call: None };
            for (i, item) in items.iter().enumerate() {
                reader.item(item, &format!("input[{i}]"))?;
            }
        }
        other => return Err(wrong("input", other, "a string or an array of items")),
    }
    Ok(())
}

struct Reader<'a> {
    out: &'a mut Vec<Message>,
    /// The signature of the call that comes next.
    of_call: Option<String>,
}

impl Reader<'_> {
    fn item(&mut self, item: &Value, at: &str) -> Result<(), RequestError> {
        if !item.is_object() {
            return Err(wrong(at, item, "an item (an object)"));
        }
        match kind(item) {
            // An id alone names an item that OpenAI keeps.
            "" if given(item, "role").is_none() && text(item, "id").is_some() => self.unknown("item_reference", item),
            "message" | "" => self.message(item, at)?,
            "reasoning" => match reasoning::read(item) {
                reasoning::Read::Part(part) => self.assistant(part),
                reasoning::Read::OfCall(signature) => self.of_call = Some(signature),
            },
            // A call within a namespace is one of a tool that only this format has.
            "function_call" if given(item, "namespace").is_none() => {
                let call = read_call(item, at, self.of_call.take())?;
                self.assistant(Part::ToolCall(call));
            }
            "function_call_output" if given(item, "namespace").is_none() => {
                let id = required(item, at, "call_id", "the id of the call that it answers")?.to_owned();
                let at = format!("{at}.output");
                let Some(output) = given(item, "output") else {
                    return Err(RequestError::new(at, "missing; expected a string or an array of content parts"));
                };
                let mut parts = read_content(output, &at)?;
                parts.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
                self.push(Role::User, vec![Part::ToolResult { id, parts, is_error: false, cache: None }]);
            }
            other => self.unknown(other, item),
        }
        Ok(())
    }

    fn push(&mut self, role: Role, parts: Vec<Part>) {
        self.out.push(Message { role, name: None, parts });
    }

    /// Adds to the assistant's turn at hand.
    fn assistant(&mut self, part: Part) {
        match self.out.last_mut() {
            Some(last) if last.role == Role::Assistant => last.parts.push(part),
            _ => self.push(Role::Assistant, vec![part]),
        }
    }

    /// Keeps an item that the canonical form has no word for where it stands.
    fn unknown(&mut self, kind: &str, item: &Value) {
        let part = Part::Unknown { format: Format::OpenAiResponses, value: item.clone() };
        match kind {
            "additional_tools" => self.push(Role::Developer, vec![part]),
            "mcp_approval_response" => self.push(Role::User, vec![part]),
            kind if kind.ends_with("_output") => self.push(Role::User, vec![part]),
            _ => self.assistant(part),
        }
    }

    fn message(&mut self, item: &Value, at: &str) -> Result<(), RequestError> {
        let roles = "`user`, `assistant`, `system` or `developer`";
        let role = match required(item, at, "role", roles)? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            "developer" => Role::Developer,
            other => {
                return Err(RequestError::new(format!("{at}.role"), format!("found `{other}`, expected {roles}")));
            }
        };
        let at = format!("{at}.content");
        let Some(content) = given(item, "content") else {
            return Err(RequestError::new(at, "missing; expected a string or an array of content parts"));
        };
        let mut parts = read_content(content, &at)?;
        if role == Role::Assistant {
            parts.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
            if parts.is_empty() {
                return Ok(());
            }
        }
        // Two messages of the assistant's in a row are two messages; one after its reasoning belongs to it.
        let says = |part: &Part| matches!(part, Part::Text { .. } | Part::Refusal(_));
        match self.out.last_mut() {
            Some(last) if role == Role::Assistant && last.role == role && !last.parts.iter().any(says) => {
                last.parts.extend(parts);
            }
            _ => self.push(role, parts),
        }
        Ok(())
    }
}

/// Arguments of a call as JSON text. Some clients send the object instead of its text; none at all are `{}`.
pub(super) fn arguments(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(Value::String(text)) if text.trim().is_empty() => "{}".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn read_call(item: &Value, at: &str, signature: Option<String>) -> Result<ToolCall, RequestError> {
    Ok(ToolCall {
        id: required(item, at, "call_id", "the call's id")?.to_owned(),
        name: required(item, at, "name", "the function's name")?.to_owned(),
        arguments: arguments(item.get("arguments")),
        cache: None,
        signature,
    })
}
