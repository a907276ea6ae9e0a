//! `invoke`: each maker's own format. Claude, and the embeddings of Titan and Cohere
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html>, 2026-11-21).

use super::rules::malformed;
use super::stream_error;
use crate::cli::mock::anthropic::{claude, hosted};
use crate::cli::mock::eventstream::{EVENT_STREAM, event};
use crate::cli::mock::json::{fields, list, put, text};
use crate::cli::mock::refusal::Refusal;
use crate::cli::mock::reply::{Used, count};
use crate::cli::mock::respond::{Answered, Outcome, Stream};
use crate::cli::mock::server::Asked;
use crate::cli::mock::vector::vector;
use crate::tokens::tokenizer_for;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

pub(super) fn answer(asked: &Asked<'_>, stream: bool) -> Result<Answered, Refusal> {
    match asked.model {
        model if model.contains("anthropic.") => anthropic(asked, stream),
        model if stream && model.contains("embed") => {
            Err(Refusal::bad("The model is unsupported for streaming. Use InvokeModel and try again."))
        }
        model if model.contains("titan-embed") => titan(asked),
        model if model.contains("cohere.embed") => cohere(asked),
        model => {
            Err(Refusal::bad(format!("The mock invokes Claude and the embeddings of Titan and Cohere, not {model}.")))
        }
    }
}

/// Tokens are counted in headers too.
fn counted(answered: Answered, used: Used) -> Answered {
    answered
        .with("x-amzn-bedrock-input-token-count", used.prompt.saturating_sub(used.cached).saturating_sub(used.written))
        .with("x-amzn-bedrock-output-token-count", used.completion)
        .with("x-amzn-bedrock-invocation-latency", 1)
}

fn anthropic(asked: &Asked<'_>, stream: bool) -> Result<Answered, Refusal> {
    for name in ["model", "stream"] {
        if asked.body.get(name).is_some() {
            return Err(malformed(&format!("#: extraneous key [{name}] is not permitted")));
        }
    }
    for name in ["anthropic_version", "max_tokens", "messages"] {
        if asked.body.get(name).is_none() {
            return Err(malformed(&format!("#: required key [{name}] not found")));
        }
    }
    let body = hosted(asked.body, asked.model, "bedrock-2023-05-31")?;
    let mut claude = claude(&body, asked)?;
    let used = claude.used;
    if !stream {
        return Ok(counted(Answered::billed(Outcome::Whole(claude.whole), asked.model, used), used));
    }
    if let Some(last) = claude.end.last_mut() {
        let metrics = json!({
            "inputTokenCount": used.prompt.saturating_sub(used.cached).saturating_sub(used.written),
            "outputTokenCount": used.completion,
            "invocationLatency": 1,
            "firstByteLatency": 1,
            "cacheReadInputTokenCount": used.cached,
            "cacheWriteInputTokenCount": used.written,
        });
        put(last, "amazon-bedrock-invocationMetrics", metrics);
    }
    let chunk = |data: &Value| event("chunk", &json!({"bytes": STANDARD.encode(data.to_string()), "p": "abc"}));
    let all = |events: &[Value]| -> Vec<Bytes> {
        // Bedrock sends no pings.
        events.iter().filter(|event| text(event, "type") != "ping").map(chunk).collect()
    };
    let stream = Stream {
        content_type: EVENT_STREAM,
        events: all(&claude.events),
        end: all(&claude.end),
        error: stream_error(),
    };
    Ok(Answered::billed(Outcome::Stream(stream), asked.model, used)
        .with("x-amzn-bedrock-content-type", "application/json"))
}

fn known(body: &Value, names: &[&str]) -> Result<(), Refusal> {
    match fields(body).find(|(name, _)| !names.contains(&name.as_str())) {
        Some((name, _)) => Err(malformed(&format!("#: extraneous key [{name}] is not permitted"))),
        None => Ok(()),
    }
}

fn titan(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let Asked { body, model, .. } = *asked;
    let newer = model.contains("v2");
    known(body, if newer { &["inputText", "dimensions", "normalize", "embeddingTypes"] } else { &["inputText"] })?;
    let Some(input) = body.get("inputText") else { return Err(malformed("#: required key [inputText] not found")) };
    let Some(input) = input.as_str() else { return Err(malformed("#/inputText: expected type: String")) };
    if input.is_empty() {
        return Err(malformed("expected minLength: 1, actual: 0"));
    }
    let size = match body.get("dimensions").map(Value::as_u64) {
        None if newer => 1_024,
        None => 1_536,
        Some(Some(size @ (256 | 512 | 1_024))) => size,
        Some(_) => return Err(malformed("#/dimensions: not a valid enum value: expected 256, 512 or 1024")),
    };
    let prompt = count(tokenizer_for("bedrock", model), input);
    let vector = vector(input, size);
    let mut whole = json!({"embedding": vector, "inputTextTokenCount": prompt});
    if newer {
        put(&mut whole, "embeddingsByType", json!({"float": vector}));
    }
    let used = Used { prompt, ..Used::default() };
    Ok(counted(Answered::billed(Outcome::Whole(whole), model, used), used))
}

fn cohere(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let Asked { body, model, moment, .. } = *asked;
    let newer = model.contains("v4");
    let mut names = vec!["texts", "images", "input_type", "truncate", "embedding_types"];
    if newer {
        names.extend(["inputs", "max_tokens", "output_dimension"]);
    }
    known(body, &names)?;
    let inputs = ["search_document", "search_query", "classification", "clustering", "image"];
    match body.get("input_type").and_then(Value::as_str) {
        None => return Err(malformed("#: required key [input_type] not found")),
        Some(found) if inputs.contains(&found) => {}
        Some(found) => return Err(malformed(&format!("#/input_type: {found} is not a valid enum value"))),
    }
    if !matches!(text(body, "truncate"), "" | "NONE" | "START" | "END" | "LEFT" | "RIGHT") {
        return Err(malformed(&format!("#/truncate: {} is not a valid enum value", text(body, "truncate"))));
    }
    let texts: Vec<&str> = list(body, "texts").iter().filter_map(Value::as_str).collect();
    if texts.is_empty() || texts.len() != list(body, "texts").len() {
        return Err(malformed("#: required key [texts] not found"));
    }
    if texts.len() > 96 {
        return Err(malformed(&format!("#/texts: expected maximum item count: 96, found: {}", texts.len())));
    }
    let size = body.get("output_dimension").and_then(Value::as_u64).unwrap_or(if newer { 1_536 } else { 1_024 });
    let vectors: Vec<Vec<f32>> = texts.iter().map(|text| vector(text, size.clamp(1, 1_536))).collect();
    let types: Vec<&str> = list(body, "embedding_types").iter().filter_map(Value::as_str).collect();
    if let Some(other) = types.iter().find(|kind| **kind != "float") {
        return Err(Refusal::bad(format!("The mock embeds as float, not as {other}.")));
    }
    let typed = newer || !types.is_empty();
    let whole = json!({
        "id": format!("mock{}", moment.serial),
        "texts": texts,
        "embeddings": if typed { json!({"float": vectors}) } else { json!(vectors) },
        "response_type": if typed { "embeddings_by_type" } else { "embeddings_floats" },
    });
    let tokenizer = tokenizer_for("bedrock", model);
    let prompt = texts.iter().fold(0_u64, |sum, text| sum.saturating_add(count(tokenizer, text)));
    let used = Used { prompt, ..Used::default() };
    Ok(counted(Answered::billed(Outcome::Whole(whole), model, used), used))
}
