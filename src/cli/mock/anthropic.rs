//! The Anthropic format (<https://docs.anthropic.com/en/api/messages>, 2026-11-21).

mod rules;

pub(super) use rules::hosted;

use super::cache::{Piece, settle};
use super::faults::Faults;
use super::json::{list, text};
use super::refusal::{Refusal, Vendor};
use super::reply::{Ask, Choice, Last, Reply, Stop, Tool, Used, count, pieces, reply};
use super::respond::{Answered, Outcome, Stream};
use super::server::{Asked, Moment};
use crate::tokens::{Tokenizer, tokenizer_for};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// `POST …/messages`
pub(super) fn messages(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    rules::headers(asked.headers)?;
    let claude = claude(asked.body, asked)?;
    Ok(claude.answer(asked))
}

/// Vertex's `:rawPredict` and `:streamRawPredict`: the model is in the path, the version in the body
/// (<https://docs.claude.com/en/api/claude-on-vertex-ai>, 2026-11-21).
pub(super) fn raw_predict(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    if asked.model == "count-tokens" {
        // Counting has a model's place in the path, and the model in the body.
        let mut body = asked.body.clone();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("anthropic_version");
        }
        rules::messages(&body, false)?;
        let tokens = prompt_tokens(tokenizer_for("anthropic", text(&body, "model")), &body);
        return Ok(Answered::free(Outcome::Whole(json!({"input_tokens": tokens}))));
    }
    let body = rules::hosted(asked.body, asked.model, "vertex-2023-10-16")?;
    let claude = claude(&body, asked)?;
    Ok(claude.answer(asked))
}

/// `POST …/messages/count_tokens`
pub(super) fn count_tokens(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    rules::headers(asked.headers)?;
    rules::messages(asked.body, false)?;
    let tokens = prompt_tokens(tokenizer_for("anthropic", asked.model), asked.body);
    Ok(Answered::free(Outcome::Whole(json!({"input_tokens": tokens}))))
}

/// What Claude says, wherever it runs.
pub(super) struct Claude {
    pub whole: Value,
    pub events: Vec<Value>,
    pub end: Vec<Value>,
    pub used: Used,
    pub streams: bool,
}

impl Claude {
    fn answer(self, asked: &Asked<'_>) -> Answered {
        let used = self.used;
        let outcome = if self.streams {
            let refusal = Refusal::of_status(529);
            let error = event(&refusal.body(Vendor::Anthropic, &asked.moment.request_id()));
            let lines = |all: &[Value]| all.iter().map(event).collect();
            Outcome::Stream(Stream::sse(lines(&self.events), lines(&self.end), error))
        } else {
            Outcome::Whole(self.whole)
        };
        Answered::billed(outcome, asked.model, used)
    }
}

/// Checks a request as Anthropic writes it, and answers it.
pub(super) fn claude(body: &Value, asked: &Asked<'_>) -> Result<Claude, Refusal> {
    let Asked { model, faults, moment, .. } = *asked;
    rules::messages(body, true)?;
    let tokenizer = tokenizer_for("anthropic", model);
    let mut said = reply(&read(body), faults, tokenizer, prompt_tokens(tokenizer, body));
    settle(model, &prompt(tokenizer, body), faults, moment, &mut said.usage);
    let long = long_cache(body);
    said.usage.written_1h = if long { said.usage.written } else { 0 };
    let writer = Writer { said: &said, faults, model, moment, long };
    let (events, end) = writer.stream();
    let streams = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    Ok(Claude { whole: writer.whole(), events, end, used: said.usage, streams })
}

/// The prompt in pieces: tools, system, the blocks of the messages.
fn prompt(tokenizer: Tokenizer, body: &Value) -> Vec<Piece> {
    let piece = |role: &str, block: &Value| {
        let mut bare = block.clone();
        let marked = bare.as_object_mut().is_some_and(|fields| fields.remove("cache_control").is_some());
        let text =
            bare.get("text").or(Some(&bare)).and_then(Value::as_str).map_or_else(|| bare.to_string(), str::to_owned);
        Piece { tokens: count(tokenizer, &text), text: format!("{role}: {text}"), marked }
    };
    let content = |role: &str, content: Option<&Value>| -> Vec<Piece> {
        match content {
            Some(Value::Array(blocks)) => blocks.iter().map(|block| piece(role, block)).collect(),
            Some(text) => vec![piece(role, text)],
            None => Vec::new(),
        }
    };
    let mut all: Vec<Piece> = list(body, "tools").iter().map(|tool| piece("tool", tool)).collect();
    all.extend(content("system", body.get("system")));
    for message in list(body, "messages") {
        all.extend(content(text(message, "role"), message.get("content")));
    }
    if body.get("cache_control").is_some_and(|mark| !mark.is_null())
        && let Some(last) = all.last_mut()
    {
        last.marked = true;
    }
    all
}

/// Whether a breakpoint asks for an hour.
fn long_cache(body: &Value) -> bool {
    let of = |block: &Value| block.pointer("/cache_control/ttl").and_then(Value::as_str) == Some("1h");
    let any = |all: &[Value]| all.iter().any(of);
    any(list(body, "tools"))
        || any(list(body, "system"))
        || list(body, "messages").iter().any(|m| any(list(m, "content")))
}

const MODELS: &[(&str, &str)] = &[("claude-sonnet-4-5", "Claude Sonnet 4.5"), ("claude-haiku-4-5", "Claude Haiku 4.5")];

/// `GET …/models` and `GET …/models/ID`
pub(super) fn models(id: Option<&str>) -> Result<Value, Refusal> {
    let show = |(id, name): &(&str, &str)| json!({"type": "model", "id": id, "display_name": name, "created_at": "2025-09-29T00:00:00Z"});
    match id {
        None => Ok(json!({
            "data": MODELS.iter().map(show).collect::<Vec<_>>(),
            "has_more": false,
            "first_id": MODELS.first().map(|(id, _)| id),
            "last_id": MODELS.last().map(|(id, _)| id),
        })),
        Some(wanted) => {
            let found = MODELS.iter().find(|(id, _)| *id == wanted);
            found.map(show).ok_or_else(|| Refusal::new(404, format!("model: {wanted}")))
        }
    }
}

fn blocks(content: Option<&Value>) -> &[Value] {
    content.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The text of a content: a string, or its text blocks.
fn text_of(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        _ => {
            let texts = blocks(content).iter().filter_map(|block| block.get("text").and_then(Value::as_str));
            texts.collect::<Vec<_>>().join("\n")
        }
    }
}

fn read(body: &Value) -> Ask {
    let list = |name: &str| list(body, name);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let last = match list("messages").last() {
        Some(message) if message.get("role").and_then(Value::as_str) == Some("user") => {
            let content = message.get("content");
            let results: Vec<String> = blocks(content)
                .iter()
                .filter(|block| block.get("type").and_then(Value::as_str) == Some("tool_result"))
                .map(|block| text_of(block.get("content")))
                .collect();
            if results.is_empty() { Last::User(text_of(content)) } else { Last::ToolResult(results.join("\n")) }
        }
        _ => Last::Other,
    };
    let tool = |tool: &Value| {
        let schema = tool.get("input_schema").cloned().unwrap_or_else(|| json!({"type": "object"}));
        Tool { name: text(tool.get("name")), schema }
    };
    let choice = match body.pointer("/tool_choice/type").and_then(Value::as_str) {
        Some("none") => Choice::None,
        Some("any") => Choice::Any,
        Some("tool") => Choice::Named(text(body.pointer("/tool_choice/name"))),
        _ => Choice::Auto,
    };
    let format = body.pointer("/output_config/format").or_else(|| body.get("output_format"));
    let thinking = body.pointer("/thinking/type").and_then(Value::as_str);
    Ask {
        last,
        tools: list("tools").iter().map(tool).collect(),
        choice,
        parallel: body.pointer("/tool_choice/disable_parallel_tool_use") != Some(&Value::Bool(true)),
        json: format.map(|format| format.get("schema").cloned().unwrap_or_default()),
        reasoning: matches!(thinking, Some("enabled" | "adaptive")),
        limit: body.get("max_tokens").and_then(Value::as_u64),
        stops: list("stop_sequences").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

/// The texts, three tokens a message and three more; a tool costs its JSON, an image 1,600. Claude's own count is not
/// public; what matters is that the number is stable.
fn prompt_tokens(tokenizer: Tokenizer, body: &Value) -> u64 {
    let mut total = 3_u64;
    let mut add = |tokens: u64| total = total.saturating_add(tokens);
    let text = |text: &str| if text.is_empty() { 0 } else { count(tokenizer, text) };
    add(text(&text_of(body.get("system"))));
    for message in body.get("messages").and_then(Value::as_array).into_iter().flatten() {
        add(3);
        let content = message.get("content");
        if let Some(plain) = content.and_then(Value::as_str) {
            add(text(plain));
        }
        for block in blocks(content) {
            match block.get("type").and_then(Value::as_str) {
                Some("text") => add(text(block.get("text").and_then(Value::as_str).unwrap_or_default())),
                Some("image" | "document") => add(1_600),
                _ => add(text(&block.to_string())),
            }
        }
    }
    if let Some(tools) = body.get("tools") {
        add(text(&tools.to_string()));
    }
    total
}

struct Writer<'a> {
    said: &'a Reply,
    faults: &'a Faults,
    model: &'a str,
    moment: &'a Moment,
    /// What is written to the cache stays for an hour.
    long: bool,
}

impl Writer<'_> {
    fn stop(&self) -> (Value, Value) {
        match &self.said.stop {
            Stop::End => (json!("end_turn"), Value::Null),
            Stop::Length => (json!("max_tokens"), Value::Null),
            Stop::Tools => (json!("tool_use"), Value::Null),
            Stop::Blocked => (json!("refusal"), Value::Null),
            Stop::Sequence(sequence) => (json!("stop_sequence"), json!(sequence)),
        }
    }

    /// `input_tokens` excludes what came from the cache or went to it.
    fn usage(&self, output: u64) -> Value {
        let used = self.said.usage;
        let (short, long) = if self.long { (0, used.written) } else { (used.written, 0) };
        json!({
            "input_tokens": used.prompt.saturating_sub(used.cached).saturating_sub(used.written),
            "cache_creation_input_tokens": used.written,
            "cache_read_input_tokens": used.cached,
            "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
            "output_tokens": output,
            "service_tier": "standard",
        })
    }

    fn signature(&self) -> String {
        STANDARD.encode(format!("mock signature {}", self.moment.serial))
    }

    fn call_id(&self, at: usize) -> String {
        format!("toolu_mock{}{at}", self.moment.serial)
    }

    fn message(&self, content: Value, stop: (Value, Value), usage: Value) -> Value {
        let mut message = json!({
            "id": format!("msg_mock{}", self.moment.serial),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop.0,
            "stop_sequence": stop.1,
        });
        if let Some(fields) = message.as_object_mut().filter(|_| !self.faults.no_usage) {
            fields.insert("usage".to_owned(), usage);
        }
        message
    }

    fn whole(&self) -> Value {
        let mut content = Vec::new();
        if let Some(thinking) = &self.said.thinking {
            content.push(json!({"type": "thinking", "thinking": thinking, "signature": self.signature()}));
        }
        if !self.said.text.is_empty() {
            content.push(json!({"type": "text", "text": self.said.text}));
        }
        for (at, (name, input)) in self.said.calls.iter().enumerate() {
            content.push(json!({"type": "tool_use", "id": self.call_id(at), "name": name, "input": input}));
        }
        self.message(Value::Array(content), self.stop(), self.usage(self.said.usage.completion))
    }

    /// The events, and the last of them.
    fn stream(&self) -> (Vec<Value>, Vec<Value>) {
        let start = self.message(json!([]), (Value::Null, Value::Null), self.usage(1));
        let mut events = vec![json!({"type": "message_start", "message": start})];
        let mut index = 0_usize;
        let mut block = |start: Value, deltas: Vec<Value>| {
            events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
            if index == 0 {
                events.push(json!({"type": "ping"}));
            }
            for delta in deltas {
                events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
            }
            events.push(json!({"type": "content_block_stop", "index": index}));
            index = index.saturating_add(1);
        };
        let each = |text: &str, kind: &str, field: &str| -> Vec<Value> {
            pieces(text).iter().map(|piece| json!({"type": kind, field: piece})).collect()
        };
        if let Some(thinking) = &self.said.thinking {
            let mut deltas = each(thinking, "thinking_delta", "thinking");
            deltas.push(json!({"type": "signature_delta", "signature": self.signature()}));
            block(json!({"type": "thinking", "thinking": "", "signature": ""}), deltas);
        }
        if !self.said.text.is_empty() {
            block(json!({"type": "text", "text": ""}), each(&self.said.text, "text_delta", "text"));
        }
        for (at, (name, input)) in self.said.calls.iter().enumerate() {
            let mut deltas = vec![json!({"type": "input_json_delta", "partial_json": ""})];
            deltas.extend(each(&input.to_string(), "input_json_delta", "partial_json"));
            block(json!({"type": "tool_use", "id": self.call_id(at), "name": name, "input": {}}), deltas);
        }
        let (reason, sequence) = self.stop();
        let mut last = json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": sequence}});
        if let Some(fields) = last.as_object_mut().filter(|_| !self.faults.no_usage) {
            fields.insert("usage".to_owned(), json!({"output_tokens": self.said.usage.completion}));
        }
        (events, vec![last, json!({"type": "message_stop"})])
    }
}

/// A server-sent event named by its `type`.
fn event(data: &Value) -> String {
    let name = data.get("type").and_then(Value::as_str).unwrap_or("error");
    format!("event: {name}\ndata: {data}\n\n")
}
