//! The conversation. Two things are said differently here than in Anthropic's format: a tool's result is a message of
//! its own, and it holds text only.

use super::super::super::canonical::{ChatRequest, Message, Part, Role};
use super::super::super::{Format, RequestError};
use super::super::parts::{write_audio, write_document, write_image, write_text};
use super::super::{citations, reasoning};
use super::Dropped;
use super::call_ids::Ids;
use serde_json::{Map, Value, json};

pub(super) fn write(
    request: &ChatRequest,
    model: &str,
    native: bool,
    dropped: &mut Dropped,
) -> Result<Vec<Value>, RequestError> {
    let takes = Takes {
        reasoning: takes_reasoning(model),
        call_signatures: native || model.contains("gemini"),
        ids: if native { Ids::native(model) } else { Ids::of(model) },
    };
    // The word is OpenAI's; other servers of this format know `system`, and OpenAI takes that for the same.
    let developer = if native || super::is_openai(model) { "developer" } else { "system" };
    let mut writer = Writer { out: Vec::new(), pending: Vec::new(), native, takes, dropped };
    // Anthropic's `system` is no message there, so its messages count from the next one.
    let offset = usize::from(!native && request.messages.first().is_some_and(|first| first.role == Role::System));
    for (i, message) in request.messages.iter().enumerate() {
        let at = match i.checked_sub(offset) {
            Some(i) => format!("messages[{i}]"),
            None => "system".to_owned(),
        };
        match message.role {
            Role::System => writer.plain("system", message, &at)?,
            Role::Developer => writer.plain(developer, message, &at)?,
            Role::User => writer.user(message, &at)?,
            Role::Assistant if !native && i.checked_sub(1).is_some_and(|i| calls(request.messages.get(i))) => {
                // Said with the message before.
            }
            Role::Assistant => {
                let mut turn = message.clone();
                let mut next = i.saturating_add(1);
                // Anthropic takes several messages of one turn together. Here the results must stand behind their calls
                // at once, so a turn that goes on after a call is one message.
                while !native && calls(request.messages.get(next.saturating_sub(1))) {
                    match request.messages.get(next) {
                        Some(more) if more.role == Role::Assistant => turn.parts.extend(more.parts.iter().cloned()),
                        _ => break,
                    }
                    next = next.saturating_add(1);
                }
                writer.assistant(&turn, &at)?;
            }
        }
    }
    writer.flush();
    let mut out = writer.out;
    if !native {
        put_results_behind_calls(&mut out);
    }
    Ok(out)
}

/// The results must stand directly behind their calls; other formats let instructions or the user speak in between.
fn put_results_behind_calls(out: &mut [Value]) {
    let says = |message: &Value, role: &str| super::super::text(message, "role") == Some(role);
    for turn in out.chunk_by_mut(|_, next| !says(next, "assistant")) {
        if turn.first().is_some_and(|first| first.get("tool_calls").is_some()) {
            turn.sort_by_key(|message| match message {
                message if says(message, "assistant") => 0,
                message if says(message, "tool") => 1,
                _ => 2,
            });
        }
    }
}

/// Whether it is the model's message and calls a tool.
fn calls(message: Option<&Message>) -> bool {
    message.is_some_and(|message| {
        message.role == Role::Assistant && message.parts.iter().any(|part| matches!(part, Part::ToolCall(_)))
    })
}

/// What a target takes back of its own reasoning.
#[derive(Clone, Copy)]
struct Takes {
    /// The words, as `reasoning_content`.
    reasoning: bool,
    /// The signatures of calls.
    call_signatures: bool,
    /// The ids of calls.
    ids: Ids,
}

/// Whether the model wants the reasoning that led to its calls back: in the middle of a turn with tools DeepSeek refuses
/// the request without it (<https://api-docs.deepseek.com/guides/thinking_mode>, 2026-11-21), Kimi, GLM and MiniMax
/// answer worse.
fn takes_reasoning(model: &str) -> bool {
    let name = super::base_name(model);
    ["deepseek", "kimi", "glm-", "minimax"].iter().any(|family| name.starts_with(family))
}

struct Writer<'a> {
    out: Vec<Value>,
    /// Images and documents out of tool results: they go into the next user message, behind the last result of a turn.
    pending: Vec<Value>,
    /// The request was read from this format.
    native: bool,
    takes: Takes,
    dropped: &'a mut Dropped,
}

impl Writer<'_> {
    fn push(&mut self, role: &str, name: Option<&str>, rest: impl IntoIterator<Item = (&'static str, Value)>) {
        let mut message = Map::new();
        message.insert("role".to_owned(), role.into());
        if let Some(name) = name {
            message.insert("name".to_owned(), name.into());
        }
        message.extend(rest.into_iter().map(|(name, value)| (name.to_owned(), value)));
        self.out.push(message.into());
    }

    fn flush(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            self.push("user", None, [("content", content(pending))]);
        }
    }

    fn plain(&mut self, role: &str, message: &Message, at: &str) -> Result<(), RequestError> {
        self.flush();
        let mut parts = Vec::new();
        for (i, part) in message.parts.iter().enumerate() {
            parts.extend(self.part(part, &format!("{at}.content[{i}]"))?);
        }
        self.push(role, message.name.as_deref(), [("content", content(parts))]);
        Ok(())
    }

    fn user(&mut self, message: &Message, at: &str) -> Result<(), RequestError> {
        let mut rest = Vec::new();
        let mut results = false;
        for (i, part) in message.parts.iter().enumerate() {
            let at = format!("{at}.content[{i}]");
            match part {
                Part::ToolResult { id, parts, is_error, cache } => {
                    results = true;
                    self.cache(cache.as_ref());
                    self.result(id, parts, *is_error, message.name.as_deref(), &at)?;
                }
                part => rest.extend(self.part(part, &at)?),
            }
        }
        if results && rest.is_empty() {
            return Ok(());
        }
        let mut parts = std::mem::take(&mut self.pending);
        parts.extend(rest);
        self.push("user", message.name.as_deref(), [("content", content(parts))]);
        Ok(())
    }

    fn result(
        &mut self,
        id: &str,
        parts: &[Part],
        is_error: bool,
        name: Option<&str>,
        at: &str,
    ) -> Result<(), RequestError> {
        let mut texts = Vec::new();
        let mut moved = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            let at = format!("{at}.content[{i}]");
            match part {
                // What no other provider knows (a reference to a tool, a search result) is still text to the model.
                Part::Unknown { format, value } if *format != Format::OpenAiChat => {
                    texts.push(write_text(&value.to_string(), None));
                }
                part => {
                    if let Some(written) = self.part(part, &at)? {
                        let text = written.get("type").and_then(Value::as_str) == Some("text");
                        // A client of this format may know a server that takes more than text.
                        if text || self.native { texts.push(written) } else { moved.push(written) }
                    }
                }
            }
        }
        if !moved.is_empty() {
            let what = format!("[content of the result of tool call {id}]");
            self.pending.push(write_text(&what, None));
            self.pending.append(&mut moved);
            if texts.is_empty() {
                texts.push(write_text("[the content follows in the next user message]", None));
            }
        }
        if is_error {
            // The format has no mark for it; the text says what went wrong, and must say at least that something did.
            self.dropped.note("is_error");
            if texts.is_empty() {
                texts.push(write_text("The tool failed.", None));
            }
        }
        self.push("tool", name, [("tool_call_id", self.takes.ids.fit(id).into()), ("content", content(texts))]);
        Ok(())
    }

    fn assistant(&mut self, message: &Message, at: &str) -> Result<(), RequestError> {
        self.flush();
        let mut parts = Vec::new();
        let mut calls = Vec::new();
        let mut words = String::new();
        let mut rest: Vec<(&'static str, Value)> = Vec::new();
        let mut refusal = String::new();
        let mut annotations: Vec<Value> = Vec::new();
        for (i, part) in message.parts.iter().enumerate() {
            match part {
                Part::ToolCall(call) => {
                    if call.cache.is_some() {
                        self.dropped.note("cache_control");
                    }
                    if call.signature.is_some() && !self.takes.call_signatures {
                        self.dropped.note("thinking");
                    }
                    let mut written = reasoning::write_call(call, self.takes.call_signatures);
                    if let Some(written) = written.as_object_mut() {
                        written.insert("id".to_owned(), self.takes.ids.fit(&call.id).into());
                    }
                    calls.push(written);
                }
                Part::Thinking { .. } | Part::RedactedThinking { .. } if self.native => {}
                Part::Thinking { text, signature: None } if self.takes.reasoning => words.push_str(text),
                Part::Refusal(text) => refusal.push_str(text),
                Part::Audio { id: Some(id), .. } if self.native => rest.push(("audio", json!({"id": id}))),
                // Here the model's own sound is said by an id that only its provider knows.
                Part::Audio { transcript: Some(text), .. } => {
                    self.dropped.note("audio");
                    parts.push(write_text(text, None));
                }
                Part::Audio { .. } => {
                    let message = "this target's format (OpenAI Chat Completions) takes no sound of the model's own; send what it said as text";
                    return Err(RequestError::new(format!("{at}.content[{i}]"), message));
                }
                Part::Unknown { format: Format::OpenAiChat, value } if value.get("id").is_some() => {
                    calls.push(value.clone());
                }
                part => {
                    if let Part::Text { text, citations, .. } = part {
                        let extent = (0, citations::length(text));
                        let own = citations.iter().filter(|_| self.native);
                        annotations.extend(own.filter_map(|citation| citations::write(citation, extent)));
                    }
                    parts.extend(self.part(part, &format!("{at}.content[{i}]"))?);
                }
            }
        }
        let silent = parts.is_empty() && (!calls.is_empty() || !refusal.is_empty() || !rest.is_empty());
        rest.insert(0, ("content", if silent { Value::Null } else { content(parts) }));
        if self.native {
            let mut own = Map::new();
            reasoning::write(&message.parts, &mut own);
            for name in ["reasoning_content", "thinking_blocks"] {
                rest.extend(own.shift_remove(name).map(|value| (name, value)));
            }
        }
        if !words.is_empty() {
            rest.push(("reasoning_content", words.into()));
        }
        if !annotations.is_empty() {
            rest.push(("annotations", annotations.into()));
        }
        if !refusal.is_empty() {
            rest.push(("refusal", refusal.into()));
        }
        if !calls.is_empty() {
            rest.push(("tool_calls", calls.into()));
        }
        self.push("assistant", message.name.as_deref(), rest);
        Ok(())
    }

    /// The cache mark to write: only a client of this format can have meant it for this target.
    fn cache<'p>(&mut self, cache: Option<&'p Value>) -> Option<&'p Value> {
        if cache.is_some() && !self.native {
            self.dropped.note("cache_control");
        }
        cache.filter(|_| self.native)
    }

    /// A content part; nothing for reasoning, which this format does not send back.
    fn part(&mut self, part: &Part, at: &str) -> Result<Option<Value>, RequestError> {
        Ok(match part {
            Part::Text { text, cache, citations } => {
                // What a text rested on is not for the model to read again.
                if !citations.is_empty() && !self.native {
                    self.dropped.note("citations");
                }
                Some(write_text(text, self.cache(cache.as_ref())))
            }
            Part::Image { source, detail, cache } => {
                self.cache(cache.as_ref());
                Some(write_image(source, detail.as_deref(), at)?)
            }
            Part::Document { source, name, cache } => {
                self.cache(cache.as_ref());
                Some(write_document(source, name.as_deref(), self.native, at)?)
            }
            Part::Audio { format, data, .. } => Some(write_audio(format, data, self.native, at)?),
            Part::Refusal(text) => Some(write_text(text, None)),
            Part::Thinking { .. } | Part::RedactedThinking { .. } => {
                self.dropped.note("thinking");
                None
            }
            Part::Unknown { format: Format::OpenAiChat, value } => Some(value.clone()),
            Part::Unknown { value, .. } => {
                let kind = super::super::text(value, "type").unwrap_or("unknown");
                return Err(RequestError::new(
                    at,
                    format!(
                        "content of type `{kind}` has no place in this target's format (OpenAI Chat Completions); remove it or name an Anthropic target"
                    ),
                ));
            }
            Part::ToolCall(_) | Part::ToolResult { .. } => {
                return Err(RequestError::new(at, "a tool call or result stands where neither can be"));
            }
        })
    }
}

/// A message's content: a string where one plain text says it all, else parts.
fn content(mut parts: Vec<Value>) -> Value {
    let plain = |part: &Value| {
        let members = part.as_object()?;
        // Only `type` and `text`: no cache mark to keep.
        if members.len() != 2 { None } else { members.get("text").cloned() }
    };
    match (parts.len(), parts.first().and_then(plain)) {
        (0, _) => "".into(),
        (1, Some(text)) => text,
        _ => std::mem::take(&mut parts).into(),
    }
}
