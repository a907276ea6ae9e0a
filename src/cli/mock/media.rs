//! Pictures, audio and reranking: endpoints that a gateway only passes on
//! (<https://platform.openai.com/docs/api-reference/images>, <https://docs.cohere.com/reference/rerank>,
//! <https://jina.ai/reranker>, 2026-11-21).

use super::json::{list, put, text};
use super::openai::limits::whole;
use super::openai::rules::{missing, model, value, wrong};
use super::refusal::Refusal;
use super::reply::{Used, count};
use super::respond::{Answered, Outcome};
use super::server::Asked;
use crate::tokens::tokenizer_for;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A picture of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn required<'v>(body: &'v Value, name: &str) -> Result<&'v str, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Err(missing(name)),
        Some(Value::String(found)) => Ok(found),
        Some(other) => Err(wrong(name, "a string", other)),
    }
}

/// `POST …/images/generations`
pub(super) fn images(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let body = asked.body;
    model(body)?;
    let prompt = required(body, "prompt")?;
    whole(body, "n", 1, 10)?;
    if body.get("stream") == Some(&Value::Bool(true)) {
        return Err(value("stream", "The mock streams no pictures.".to_owned()));
    }
    let count_of = body.get("n").and_then(Value::as_u64).unwrap_or(1);
    // The newer models answer in base64 only, and report what they used.
    let newer = asked.model.contains("gpt-image");
    if newer && body.get("response_format").is_some() {
        return Err(Refusal::bad("Unknown parameter: 'response_format'.")
            .at("response_format")
            .code("unknown_parameter"));
    }
    let encoded = newer || text(body, "response_format") == "b64_json";
    let picture = if encoded {
        json!({"b64_json": PIXEL})
    } else {
        json!({"url": "https://example.com/mock.png", "revised_prompt": prompt})
    };
    let mut whole =
        json!({"created": asked.moment.created, "data": (0..count_of).map(|_| picture.clone()).collect::<Vec<_>>()});
    let tokens = count(tokenizer_for("openai", asked.model), prompt);
    let completion = count_of.saturating_mul(272);
    if newer && !asked.faults.no_usage {
        put(
            &mut whole,
            "usage",
            json!({
                "input_tokens": tokens,
                "input_tokens_details": {"text_tokens": tokens, "image_tokens": 0},
                "output_tokens": completion,
                "total_tokens": tokens.saturating_add(completion),
            }),
        );
    }
    let used = if newer { Used { prompt: tokens, completion, ..Used::default() } } else { Used::default() };
    Ok(Answered::billed(Outcome::Whole(whole), asked.model, used))
}

const MOST_SPOKEN: usize = 4_096;

/// `POST …/audio/speech`: bytes that say what was asked, in no codec.
pub(super) fn speech(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let body = asked.body;
    model(body)?;
    let input = required(body, "input")?;
    if body.get("voice").is_none_or(Value::is_null) {
        return Err(missing("voice"));
    }
    if input.chars().count() > MOST_SPOKEN {
        let message = format!(
            "Invalid 'input': string too long. Expected a string with maximum length {MOST_SPOKEN}, but got a string with length {} instead.",
            input.chars().count()
        );
        return Err(Refusal::bad(message).at("input").code("string_above_max_length"));
    }
    let content_type = match text(body, "response_format") {
        "" | "mp3" => "audio/mpeg",
        "opus" => "audio/opus",
        "aac" => "audio/aac",
        "flac" => "audio/flac",
        "wav" => "audio/wav",
        "pcm" => "audio/pcm",
        other => {
            let names = "'mp3', 'opus', 'aac', 'flac', 'wav', and 'pcm'";
            return Err(value("response_format", format!("Invalid value: '{other}'. Supported values are: {names}.")));
        }
    };
    let mut sound = b"ID3\x04\x00\x00\x00\x00\x00\x00\xff\xfb\x90\x00".to_vec();
    sound.extend(input.as_bytes());
    let used = Used { prompt: count(tokenizer_for("openai", asked.model), input), ..Used::default() };
    Ok(Answered::billed(Outcome::Raw(content_type, Bytes::from(sound)), asked.model, used))
}

/// `POST …/audio/transcriptions` and `…/translations`: names the file. A second of sound is 1,000 bytes.
pub(super) fn transcriptions(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let body = asked.body;
    model(body)?;
    let Some(file) = body.get("file").filter(|file| file.is_object()) else { return Err(missing("file")) };
    let bytes = file.get("bytes").and_then(Value::as_u64).unwrap_or(0);
    let seconds = bytes.div_ceil(1_000);
    let said = match &asked.faults.text {
        Some(text) => text.clone(),
        None => format!("The file {} has {bytes} bytes.", text(file, "filename")),
    };
    let completion = count(tokenizer_for("openai", asked.model), &said);
    let whisper = asked.model.contains("whisper");
    let used = match whisper {
        true => Used::default(),
        false => Used { prompt: seconds.saturating_mul(10), completion, ..Used::default() },
    };
    let usage = match whisper {
        true => json!({"type": "duration", "seconds": seconds}),
        false => json!({
            "type": "tokens",
            "input_tokens": used.prompt,
            "input_token_details": {"text_tokens": 0, "audio_tokens": used.prompt},
            "output_tokens": completion,
            "total_tokens": used.prompt.saturating_add(completion),
        }),
    };
    let mut whole = json!({"text": said});
    match text(body, "response_format") {
        "" | "json" => {}
        "text" => {
            let raw = Outcome::Raw("text/plain; charset=utf-8", Bytes::from(format!("{said}\n")));
            return Ok(Answered::billed(raw, asked.model, used));
        }
        "verbose_json" if whisper => {
            put(&mut whole, "task", json!("transcribe"));
            put(&mut whole, "language", json!("english"));
            put(&mut whole, "duration", json!(seconds));
            put(&mut whole, "segments", json!([]));
        }
        other => {
            let message = format!(
                "response_format '{other}' is not compatible with model '{}'. Use 'json' or 'text' instead.",
                asked.model
            );
            return Err(value("response_format", message));
        }
    }
    if !asked.faults.no_usage {
        put(&mut whole, "usage", usage);
    }
    Ok(Answered::billed(Outcome::Whole(whole), asked.model, used))
}

/// `POST …/rerank`: by the share of the query's words that a document has.
pub(super) fn rerank(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let body = asked.body;
    let invalid = |why: &str| Refusal::bad(format!("invalid request: {why}"));
    if text(body, "model").is_empty() {
        return Err(invalid("model is required"));
    }
    let query = body.get("query").and_then(Value::as_str).ok_or_else(|| invalid("query is required"))?;
    let documents: Vec<&str> =
        list(body, "documents").iter().filter_map(|one| one.as_str().or_else(|| one.get("text")?.as_str())).collect();
    if documents.is_empty() || documents.len() != list(body, "documents").len() {
        return Err(invalid("list of documents must not be empty, and each must be a text"));
    }
    let most = match body.get("top_n") {
        None | Some(Value::Null) => documents.len(),
        Some(found) => {
            let found = found.as_u64().filter(|n| *n > 0).ok_or_else(|| invalid("top_n must be greater than 0"))?;
            usize::try_from(found).unwrap_or(usize::MAX)
        }
    };
    let words = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
    };
    let wanted = words(query);
    let score = |document: &str| {
        let (found, all) = (words(document).intersection(&wanted).count(), wanted.len().max(1));
        u32::try_from(found.saturating_mul(1_000).checked_div(all).unwrap_or(0)).map_or(0.0, |n| f64::from(n) / 1_000.0)
    };
    let mut ranked: Vec<(usize, f64, &str)> =
        documents.iter().enumerate().map(|(at, one)| (at, score(one), *one)).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let jina = asked.model.contains("jina");
    let returns = body.get("return_documents").and_then(Value::as_bool).unwrap_or(jina);
    let results: Vec<Value> = ranked
        .into_iter()
        .take(most)
        .map(|(index, score, document)| {
            let mut result = json!({"index": index, "relevance_score": score});
            if returns {
                put(&mut result, "document", json!({"text": document}));
            }
            result
        })
        .collect();
    let tokenizer = tokenizer_for("cohere", asked.model);
    let read = documents.iter().fold(count(tokenizer, query), |sum, one| sum.saturating_add(count(tokenizer, one)));
    let mut whole = json!({"results": results});
    match (jina, asked.faults.no_usage) {
        (true, no_usage) => {
            put(&mut whole, "model", json!(asked.model));
            if !no_usage {
                put(&mut whole, "usage", json!({"total_tokens": read}));
            }
        }
        (false, no_usage) => {
            put(&mut whole, "id", json!(asked.moment.request_id()));
            let mut meta = json!({"api_version": {"version": "2"}});
            if !no_usage {
                put(&mut meta, "billed_units", json!({"search_units": documents.len().div_ceil(100)}));
            }
            put(&mut whole, "meta", meta);
        }
    }
    let used = if jina { Used { prompt: read, ..Used::default() } } else { Used::default() };
    Ok(Answered::billed(Outcome::Whole(whole), asked.model, used))
}
