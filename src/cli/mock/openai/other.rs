//! OpenAI's smaller endpoints: legacy completions, embeddings, models.

use super::rules;
use crate::cli::mock::json::put;
use crate::cli::mock::refusal::{Refusal, Vendor};
use crate::cli::mock::reply::{Ask, Last, Stop, Used, count, pieces, reply};
use crate::cli::mock::respond::{Answered, Outcome, Stream};
use crate::cli::mock::server::Asked;
use crate::cli::mock::vector::vector;
use crate::tokens::tokenizer_for;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// `POST …/completions`
pub(in crate::cli::mock) fn completions(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let Asked { body, model, faults, moment, .. } = *asked;
    rules::model(body)?;
    let prompt = match body.get("prompt") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(all)) => all.iter().map(|part| part.as_str().unwrap_or("?")).collect::<Vec<_>>().join("\n"),
        None | Some(Value::Null) => "<|endoftext|>".to_owned(),
        Some(other) => return Err(rules::wrong("prompt", "a string or an array", other)),
    };
    let tokenizer = tokenizer_for("openai", model);
    let prompt_tokens = count(tokenizer, &prompt);
    let limit = body.get("max_tokens").and_then(Value::as_u64);
    let ask = Ask { last: Last::User(prompt), limit, ..Ask::default() };
    let said = reply(&ask, faults, tokenizer, prompt_tokens);
    let reason = if said.stop == Stop::Length { "length" } else { "stop" };
    let usage = json!({
        "prompt_tokens": said.usage.prompt,
        "completion_tokens": said.usage.completion,
        "total_tokens": said.usage.prompt.saturating_add(said.usage.completion),
    });
    let part = |text: &str, reason: Value| {
        json!({
            "id": format!("cmpl-mock{}", moment.serial),
            "object": "text_completion",
            "created": moment.created,
            "model": model,
            "choices": [{"text": text, "index": 0, "logprobs": null, "finish_reason": reason}],
        })
    };
    if body.get("stream") != Some(&Value::Bool(true)) {
        let mut whole = part(&said.text, json!(reason));
        if !faults.no_usage {
            put(&mut whole, "usage", usage);
        }
        return Ok(Answered::billed(Outcome::Whole(whole), model, said.usage));
    }
    let line = |value: &Value| format!("data: {value}\n\n");
    let mut end = vec![line(&part("", json!(reason)))];
    if !faults.no_usage && body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true)) {
        let mut last = part("", Value::Null);
        put(&mut last, "choices", json!([]));
        put(&mut last, "usage", usage);
        end.push(line(&last));
    }
    end.push("data: [DONE]\n\n".to_owned());
    let events = pieces(&said.text).iter().map(|piece| line(&part(piece, Value::Null))).collect();
    let error = line(&Refusal::of_status(500).body(Vendor::OpenAi, ""));
    Ok(Answered::billed(Outcome::Stream(Stream::sse(events, end, error)), model, said.usage))
}

const MOST_DIMENSIONS: u64 = 4_096;

/// `POST …/embeddings`
pub(in crate::cli::mock) fn embeddings(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let Asked { body, model, .. } = *asked;
    rules::model(body)?;
    let inputs: Vec<String> = match body.get("input") {
        None | Some(Value::Null) => return Err(rules::missing("input")),
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(all)) if all.iter().all(Value::is_number) => vec![body["input"].to_string()],
        Some(Value::Array(all)) => {
            all.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect()
        }
        Some(other) => return Err(rules::wrong("input", "a string or an array", other)),
    };
    let tokenizer = tokenizer_for("openai", model);
    let prompt = inputs.iter().fold(0_u64, |sum, text| sum.saturating_add(count(tokenizer, text)));
    let size = body.get("dimensions").and_then(Value::as_u64).unwrap_or(1_536).clamp(1, MOST_DIMENSIONS);
    let encoded = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let entry = |(index, text): (usize, &String)| {
        let vector = vector(text, size);
        let embedding = if encoded {
            json!(STANDARD.encode(vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<Value> = inputs.iter().enumerate().map(entry).collect();
    let whole = json!({
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": prompt, "total_tokens": prompt},
    });
    Ok(Answered::billed(Outcome::Whole(whole), model, Used { prompt, ..Used::default() }))
}

const MODELS: &[&str] = &["gpt-4o", "gpt-4o-mini", "o3", "llama-3.3-70b-versatile", "text-embedding-3-small"];

/// `GET …/models` and `GET …/models/ID`
pub(in crate::cli::mock) fn models(id: Option<&str>) -> Result<Value, Refusal> {
    let show = |id: &str| json!({"id": id, "object": "model", "created": 1_715_367_049, "owned_by": "conduit-mock"});
    match id {
        None => Ok(json!({"object": "list", "data": MODELS.iter().map(|id| show(id)).collect::<Vec<_>>()})),
        Some(id) if MODELS.contains(&id) => Ok(show(id)),
        Some(id) => {
            let message = format!("The model '{id}' does not exist");
            Err(Refusal::new(404, message).at("model").code("model_not_found"))
        }
    }
}
