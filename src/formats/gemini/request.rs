//! Reads requests: the conversation.

use super::parts::{self, CallIds};
use super::{member, request_params, text};
use crate::formats::canonical::{ChatRequest, Message, Part, Role};
use crate::formats::{Format, RequestError, kind_of};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// The error that says what was expected and what was found.
pub(super) fn wrong(at: impl Into<String>, expected: &str, found: &Value) -> RequestError {
    RequestError::new(at, format!("expected {expected}, found {}", kind_of(found)))
}

pub(super) fn read(body: &Value) -> Result<ChatRequest, RequestError> {
    let members = body.as_object().ok_or_else(|| wrong("", "a JSON object with `contents`", body))?;
    let mut request = ChatRequest { source: Some(Format::Gemini), include_usage: true, ..ChatRequest::default() };
    let mut calls = Calls::default();
    if let Some(system) = member(body, "systemInstruction") {
        let parts = match system {
            Value::String(words) => vec![Part::Text { text: words.clone(), cache: None, citations: Vec::new() }],
            system => calls.parts(system, 0, "systemInstruction")?,
        };
        request.messages.push(Message { role: Role::System, name: None, parts });
    }
    let contents =
        member(body, "contents").ok_or_else(|| RequestError::new("contents", "missing; expected an array of turns"))?;
    // One turn alone may stand without its array.
    let contents = match contents {
        Value::Array(contents) => contents.as_slice(),
        one @ Value::Object(_) => std::slice::from_ref(one),
        other => return Err(wrong("contents", "an array of turns", other)),
    };
    if contents.is_empty() {
        return Err(RequestError::new("contents", "found an empty array, expected at least one turn"));
    }
    for (i, content) in contents.iter().enumerate() {
        let at = format!("contents[{i}]");
        if !content.is_object() {
            return Err(wrong(at, "a turn (an object with `role` and `parts`)", content));
        }
        let role = match member(content, "role") {
            None => Role::User,
            Some(Value::String(role)) if role == "model" => Role::Assistant,
            // `function` is the older role of results.
            Some(Value::String(role)) if role == "user" || role == "function" || role.is_empty() => Role::User,
            Some(other) => {
                let found = other.as_str().unwrap_or(kind_of(other));
                let message = format!("expected `user` or `model`, found `{found}`");
                return Err(RequestError::new(format!("{at}.role"), message));
            }
        };
        let mut parts = calls.parts(content, i, &at)?;
        if role == Role::Assistant {
            join_texts(&mut parts);
        }
        request.messages.push(Message { role, name: None, parts });
    }
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        request_params::read(&mut request, &super::camel(name), value)?;
    }
    Ok(request)
}

/// Clients keep a streamed turn as the pieces in which it came.
fn join_texts(parts: &mut Vec<Part>) {
    let mut joined: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts.drain(..) {
        match (joined.last_mut(), part) {
            (Some(Part::Text { text: before, .. }), Part::Text { text, .. }) => before.push_str(&text),
            (_, part) => joined.push(part),
        }
    }
    *parts = joined;
}

/// Calls that no result has answered yet: id and name. Both calls and results may come without ids; then a result answers
/// the first open call of its name.
#[derive(Default)]
struct Calls {
    /// Their ids in their order; `None`: it is answered.
    open: Vec<Option<String>>,
    by_id: BTreeMap<String, VecDeque<usize>>,
    by_name: BTreeMap<String, VecDeque<usize>>,
}

/// The first of these calls that is open, which is then answered.
fn answer(open: &mut [Option<String>], calls: Option<&mut VecDeque<usize>>) -> Option<String> {
    let calls = calls?;
    while let Some(at) = calls.pop_front() {
        if let Some(id) = open.get_mut(at).and_then(Option::take) {
            return Some(id);
        }
    }
    None
}

impl Calls {
    fn call(&mut self, id: &str, name: &str) {
        let at = self.open.len();
        self.open.push(Some(id.to_owned()));
        self.by_id.entry(id.to_owned()).or_default().push_back(at);
        self.by_name.entry(name.to_owned()).or_default().push_back(at);
    }

    fn parts(&mut self, content: &Value, turn: usize, at: &str) -> Result<Vec<Part>, RequestError> {
        let at = format!("{at}.parts");
        let given: &[Value] = match member(content, "parts") {
            None => &[],
            Some(Value::Array(parts)) => parts,
            Some(one @ Value::Object(_)) => std::slice::from_ref(one),
            Some(other) => return Err(wrong(at, "an array of parts", other)),
        };
        let mut ids = CallIds::new(&format!("t{turn}"), 0);
        let mut out = Vec::new();
        for (j, part) in given.iter().enumerate() {
            let at = format!("{at}[{j}]");
            if !part.is_object() {
                return Err(wrong(at, "a part (an object)", part));
            }
            if let Some(response) = member(part, "functionResponse") {
                out.push(self.result(response, &format!("{at}.functionResponse"))?);
                continue;
            }
            check(part, &at)?;
            let before = out.len();
            parts::read(part, &mut ids, &mut out);
            for part in out.iter().skip(before) {
                if let Part::ToolCall(call) = part {
                    self.call(&call.id, &call.name);
                }
            }
        }
        Ok(out)
    }

    fn result(&mut self, response: &Value, at: &str) -> Result<Part, RequestError> {
        let Some(name) = text(response, "name") else {
            return Err(RequestError::new(format!("{at}.name"), "missing or empty; expected the function's name"));
        };
        let answered = match text(response, "id") {
            Some(id) => answer(&mut self.open, self.by_id.get_mut(id)),
            None => answer(&mut self.open, self.by_name.get_mut(name)),
        };
        let id = answered.unwrap_or_else(|| text(response, "id").unwrap_or(name).to_owned());
        let (said, is_error) = match member(response, "response") {
            None => (String::new(), false),
            Some(Value::Object(members)) => match (members.get("output"), members.get("error")) {
                (Some(Value::String(output)), None) if members.len() == 1 => (output.clone(), false),
                (None, Some(Value::String(error))) if members.len() == 1 => (error.clone(), true),
                _ => (Value::Object(members.clone()).to_string(), false),
            },
            Some(other) => return Err(wrong(format!("{at}.response"), "an object", other)),
        };
        let mut parts = Vec::new();
        if !said.is_empty() {
            parts.push(Part::Text { text: said, cache: None, citations: Vec::new() });
        }
        for part in super::items(response, "parts") {
            let unknown = || Part::Unknown { format: Format::Gemini, value: part.clone() };
            parts.push(parts::media(part).unwrap_or_else(unknown));
        }
        Ok(Part::ToolResult { id, parts, is_error, cache: None })
    }
}

/// Refuses parts whose members are of types that would be lost.
fn check(part: &Value, at: &str) -> Result<(), RequestError> {
    if let Some(words) = member(part, "text").filter(|words| !words.is_string()) {
        return Err(wrong(format!("{at}.text"), "a string", words));
    }
    if let Some(signature) = member(part, "thoughtSignature").filter(|signature| !signature.is_string()) {
        return Err(wrong(format!("{at}.thoughtSignature"), "a string (base64)", signature));
    }
    let Some(call) = member(part, "functionCall") else { return Ok(()) };
    let at = format!("{at}.functionCall");
    if text(call, "name").is_none() {
        return Err(RequestError::new(format!("{at}.name"), "missing or empty; expected the function's name"));
    }
    match member(call, "args") {
        None | Some(Value::Object(_)) => Ok(()),
        Some(other) => Err(wrong(format!("{at}.args"), "an object", other)),
    }
}
