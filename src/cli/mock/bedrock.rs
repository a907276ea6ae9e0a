//! Bedrock's runtime (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>, 2026-11-21).

mod invoke;
mod rules;

use super::cache::{Piece, settle};
use super::endpoint::Bedrock;
use super::eventstream::{EVENT_STREAM, event, exception};
use super::json::{base64, list, put, text};
use super::refusal::Refusal;
use super::reply::{Ask, Choice, Last, Reply, Stop, Tool, count, pieces, reply};
use super::respond::{Answered, Outcome, Stream};
use super::server::Asked;
use crate::tokens::{Tokenizer, tokenizer_for};
use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

/// `POST /model/ID/ACTION`
pub(super) fn answer(action: Bedrock, asked: &Asked<'_>) -> Result<Answered, Refusal> {
    // A model's id has its maker before a dot; an inference profile or a custom model is named by its ARN.
    if !asked.model.contains('.') && !asked.model.starts_with("arn:aws") {
        return Err(Refusal::bad("The provided model identifier is invalid."));
    }
    match action {
        Bedrock::Converse { stream } => converse(asked, stream),
        Bedrock::Invoke { stream } => invoke::answer(asked, stream),
        Bedrock::Count => count_tokens(asked),
    }
}

fn converse(asked: &Asked<'_>, stream: bool) -> Result<Answered, Refusal> {
    let Asked { body, model, faults, moment, .. } = *asked;
    rules::converse(body, model)?;
    let tokenizer = tokenizer_for("bedrock", model);
    let prompt = prompt(tokenizer, body);
    let mut said = reply(&read(body), faults, tokenizer, total(&prompt));
    settle(model, &prompt, faults, moment, &mut said.usage);
    let writer = Writer { said: &said, asked };
    let outcome = if stream { Outcome::Stream(writer.stream()) } else { Outcome::Whole(writer.whole()) };
    Ok(Answered::billed(outcome, model, said.usage))
}

/// `count-tokens`: of a Converse request, or of the body of an invocation in base64.
fn count_tokens(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let tokenizer = tokenizer_for("bedrock", asked.model);
    let converse = asked.body.pointer("/input/converse");
    let tokens = match (converse, asked.body.pointer("/input/invokeModel/body")) {
        (Some(request), None) => {
            rules::converse(request, asked.model)?;
            total(&prompt(tokenizer, request))
        }
        (None, Some(Value::String(body))) => {
            let bytes = base64(body).ok_or_else(|| rules::malformed("input.invokeModel.body is not base64"))?;
            count(tokenizer, &String::from_utf8_lossy(&bytes))
        }
        _ => return Err(rules::malformed("input must have one of converse and invokeModel")),
    };
    Ok(Answered::free(Outcome::Whole(json!({"inputTokens": tokens}))))
}

/// The kind of a block, its only field, and what it holds.
fn kind(block: &Value) -> (&str, &Value) {
    let mut fields = block.as_object().into_iter().flatten();
    fields.next().map_or(("", &Value::Null), |(name, value)| (name.as_str(), value))
}

/// The texts of a content.
fn text_of(content: &[Value]) -> String {
    let texts = content.iter().filter_map(|block| block.get("text").and_then(Value::as_str));
    texts.collect::<Vec<_>>().join("\n")
}

/// What a tool returned: its texts, and what it gave as JSON.
fn result_of(result: &Value) -> String {
    let told = list(result, "content").iter().filter_map(|block| match kind(block) {
        ("text", said) => said.as_str().map(str::to_owned),
        ("json", data) => Some(data.to_string()),
        _ => None,
    });
    told.collect::<Vec<_>>().join("\n")
}

fn read(body: &Value) -> Ask {
    let last = match list(body, "messages").last() {
        Some(message) if text(message, "role") == "user" => {
            let content = list(message, "content");
            let results: Vec<String> = content.iter().filter_map(|b| b.get("toolResult")).map(result_of).collect();
            if results.is_empty() { Last::User(text_of(content)) } else { Last::ToolResult(results.join("\n")) }
        }
        _ => Last::Other,
    };
    let config = body.get("toolConfig").unwrap_or(&Value::Null);
    let tools = list(config, "tools").iter().filter_map(|tool| tool.get("toolSpec")).map(|spec| {
        let schema = spec.pointer("/inputSchema/json").cloned().unwrap_or_else(|| json!({"type": "object"}));
        Tool { name: text(spec, "name").to_owned(), schema }
    });
    let choice = match config.get("toolChoice").map(kind) {
        Some(("any", _)) => Choice::Any,
        Some(("tool", tool)) => Choice::Named(text(tool, "name").to_owned()),
        _ => Choice::Auto,
    };
    let schema = body.pointer("/outputConfig/textFormat/structure/jsonSchema/schema").and_then(Value::as_str);
    let inference = body.get("inferenceConfig").unwrap_or(&Value::Null);
    let extra = |path: &str| body.pointer(&format!("/additionalModelRequestFields/{path}")).and_then(Value::as_str);
    let reasoning = matches!(extra("thinking/type"), Some("enabled" | "adaptive"))
        || extra("reasoningConfig/type") == Some("enabled")
        || extra("reasoning_config").is_some();
    Ask {
        last,
        tools: tools.collect(),
        choice,
        parallel: body.pointer("/additionalModelRequestFields/tool_choice/disable_parallel_tool_use")
            != Some(&Value::Bool(true)),
        json: schema.map(|schema| serde_json::from_str(schema).unwrap_or_default()),
        reasoning,
        limit: inference.get("maxTokens").and_then(Value::as_u64),
        stops: list(inference, "stopSequences").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

/// The prompt in pieces: tools, system, blocks. A cache point marks the piece before it. A picture costs 1,600.
fn prompt(tokenizer: Tokenizer, body: &Value) -> Vec<Piece> {
    let tools = body.pointer("/toolConfig/tools").and_then(Value::as_array).into_iter().flatten().map(|t| ("tool", t));
    let system = list(body, "system").iter().map(|block| ("system", block));
    let said = list(body, "messages")
        .iter()
        .flat_map(|message| list(message, "content").iter().map(|block| (text(message, "role"), block)));
    let mut all: Vec<Piece> = Vec::new();
    for (role, block) in tools.chain(system).chain(said) {
        let (name, held) = kind(block);
        let plain = held.as_str().map_or_else(|| held.to_string(), str::to_owned);
        let tokens = match name {
            "cachePoint" => {
                if let Some(before) = all.last_mut() {
                    before.marked = true;
                }
                continue;
            }
            "image" | "document" | "video" => 1_600,
            _ => count(tokenizer, &plain),
        };
        all.push(Piece { tokens, text: format!("{role}: {name}: {plain}"), marked: false });
    }
    all
}

fn total(prompt: &[Piece]) -> u64 {
    prompt.iter().fold(3, |sum, piece| sum.saturating_add(piece.tokens))
}

struct Writer<'a> {
    said: &'a Reply,
    asked: &'a Asked<'a>,
}

impl Writer<'_> {
    fn stop_reason(&self) -> &'static str {
        match self.said.stop {
            Stop::End => "end_turn",
            Stop::Length => "max_tokens",
            Stop::Tools => "tool_use",
            Stop::Sequence(_) => "stop_sequence",
            Stop::Blocked => "content_filtered",
        }
    }

    /// `inputTokens` excludes what came from the cache or went to it; `totalTokens` has all.
    fn usage(&self) -> Value {
        let used = self.said.usage;
        json!({
            "inputTokens": used.prompt.saturating_sub(used.cached).saturating_sub(used.written),
            "outputTokens": used.completion,
            "totalTokens": used.prompt.saturating_add(used.completion),
            "cacheReadInputTokens": used.cached,
            "cacheWriteInputTokens": used.written,
        })
    }

    fn signature(&self) -> String {
        STANDARD.encode(format!("mock signature {}", self.asked.moment.serial))
    }

    fn call_id(&self, at: usize) -> String {
        format!("tooluse_mock{}{at}", self.asked.moment.serial)
    }

    /// What a path of `additionalModelResponseFieldPaths` may ask for.
    fn extra(&self) -> Option<Value> {
        let paths = list(self.asked.body, "additionalModelResponseFieldPaths");
        let wanted = paths.iter().any(|path| path == "/stop_sequence");
        let sequence = match &self.said.stop {
            Stop::Sequence(sequence) => json!(sequence),
            _ => Value::Null,
        };
        wanted.then(|| json!({"stop_sequence": sequence}))
    }

    fn whole(&self) -> Value {
        let mut content = Vec::new();
        if let Some(thinking) = &self.said.thinking {
            let said = json!({"text": thinking, "signature": self.signature()});
            content.push(json!({"reasoningContent": {"reasoningText": said}}));
        }
        if !self.said.text.is_empty() {
            content.push(json!({"text": self.said.text}));
        }
        for (at, (name, input)) in self.said.calls.iter().enumerate() {
            content.push(json!({"toolUse": {"toolUseId": self.call_id(at), "name": name, "input": input}}));
        }
        let mut whole = json!({
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": self.stop_reason(),
            "metrics": {"latencyMs": 1},
        });
        if !self.asked.faults.no_usage {
            put(&mut whole, "usage", self.usage());
        }
        if let Some(extra) = self.extra() {
            put(&mut whole, "additionalModelResponseFields", extra);
        }
        whole
    }

    /// Only a tool's block has a start.
    fn stream(&self) -> Stream {
        let mut events = vec![padded("messageStart", json!({"role": "assistant"}))];
        let mut index = 0_usize;
        let mut block = |start: Option<Value>, deltas: Vec<Value>| {
            if let Some(start) = start {
                events.push(padded("contentBlockStart", json!({"contentBlockIndex": index, "start": start})));
            }
            for delta in deltas {
                events.push(padded("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta})));
            }
            events.push(padded("contentBlockStop", json!({"contentBlockIndex": index})));
            index = index.saturating_add(1);
        };
        if let Some(thinking) = &self.said.thinking {
            let mut deltas: Vec<Value> =
                pieces(thinking).iter().map(|piece| json!({"reasoningContent": {"text": piece}})).collect();
            deltas.push(json!({"reasoningContent": {"signature": self.signature()}}));
            block(None, deltas);
        }
        if !self.said.text.is_empty() {
            block(None, pieces(&self.said.text).iter().map(|piece| json!({"text": piece})).collect());
        }
        for (at, (name, input)) in self.said.calls.iter().enumerate() {
            let mut deltas = vec![json!({"toolUse": {"input": ""}})];
            deltas.extend(pieces(&input.to_string()).iter().map(|piece| json!({"toolUse": {"input": piece}})));
            block(Some(json!({"toolUse": {"toolUseId": self.call_id(at), "name": name}})), deltas);
        }
        let mut stop = json!({"stopReason": self.stop_reason()});
        if let Some(extra) = self.extra() {
            put(&mut stop, "additionalModelResponseFields", extra);
        }
        let mut end = vec![padded("messageStop", stop)];
        if !self.asked.faults.no_usage {
            end.push(padded("metadata", json!({"usage": self.usage(), "metrics": {"latencyMs": 1}})));
        }
        Stream { content_type: EVENT_STREAM, events, end, error: stream_error() }
    }
}

/// An event with `p`, the filler by which AWS hides the sizes of tokens.
fn padded(kind: &str, mut payload: Value) -> Bytes {
    let filler: String = ('a'..='z').take(payload.to_string().len().checked_rem(26).unwrap_or(0)).collect();
    put(&mut payload, "p", json!(filler));
    event(kind, &payload)
}

/// The exception that ends a stream that failed.
fn stream_error() -> Bytes {
    let message = "The system encountered an unexpected error during processing. Try your request again.";
    exception("modelStreamErrorException", &json!({"message": message}))
}
