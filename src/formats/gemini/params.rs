//! Everything of a request but conversation, tools and thinking, as it is written.

use super::schema::for_google;
use super::write::Draft;
use crate::formats::canonical::ResponseFormat;
use crate::formats::{Format, RequestError};
use serde_json::{Map, Value, json};

/// The most stop sequences and candidates (<https://ai.google.dev/api/generate-content#generationconfig>, 2026-11-21).
const MOST_STOPS: usize = 5;
const MOST_CANDIDATES: u64 = 8;

/// Google's own top-level parameters: whoever names one means this provider.
const OWN: [&str; 5] = ["cachedContent", "safetySettings", "labels", "modelArmorConfig", "toolConfig"];

pub(super) fn write(draft: &mut Draft<'_>) -> Result<(), RequestError> {
    let request = draft.request;
    // What the canonical form has no field for; a client of another format that says it means this provider.
    if let Some(Value::Object(rest)) = request.extra.get("generationConfig") {
        draft.generation.clone_from(rest);
    }
    write_sampling(draft)?;
    write_format(draft)?;
    write_extra(draft)?;
    if request.user.is_some() {
        draft.note("user");
    }
    Ok(())
}

fn write_sampling(draft: &mut Draft<'_>) -> Result<(), RequestError> {
    let request = draft.request;
    let mut put = |name: &str, value: Option<Value>| {
        draft.generation.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("temperature", request.temperature.clone().map(Value::Number));
    put("topP", request.top_p.clone().map(Value::Number));
    put("topK", request.top_k.map(Value::from));
    put("maxOutputTokens", request.max_tokens.map(Value::from));
    let stop: Vec<&String> = request.stop.iter().filter(|stop| !stop.is_empty()).collect();
    if stop.len() > MOST_STOPS {
        let name = if request.source == Some(Format::AnthropicMessages) { "stop_sequences" } else { "stop" };
        let found = stop.len();
        let message = format!("found {found} stop sequences, this provider takes at most {MOST_STOPS}; send fewer");
        return Err(RequestError::new(name, message));
    }
    put("stopSequences", (!stop.is_empty()).then(|| json!(stop)));
    if stop.len() < request.stop.len() {
        draft.note("stop");
    }
    Ok(())
}

/// `responseMimeType` and `responseJsonSchema`, which takes JSON Schema as it is, where `responseSchema` takes a subset of
/// OpenAPI's (<https://ai.google.dev/gemini-api/docs/structured-output>, 2026-11-21).
///
/// Before Gemini 3 a schema and tools exclude each other ("Function calling with a response mime type:
/// 'application/json' is unsupported"): then an instruction asks for JSON, with a note, unless the client insists on a
/// strict schema.
fn write_format(draft: &mut Draft<'_>) -> Result<(), RequestError> {
    let (schema, description, strict) = match &draft.request.response_format {
        // Text is what comes unasked.
        None | Some(ResponseFormat::Text) => return Ok(()),
        Some(ResponseFormat::JsonObject) => (None, None, None),
        Some(ResponseFormat::JsonSchema { schema, description, strict, .. }) => {
            (schema.as_ref(), description.as_ref(), *strict)
        }
    };
    if !draft.native && !draft.abilities.since_3 && !draft.request.tools.is_empty() {
        if strict == Some(true) {
            let message = format!(
                "`{}` cannot be held to a schema while it has tools; leave out `strict` or the tools, or name a Gemini 3 model",
                draft.model
            );
            return Err(RequestError::new("response_format.json_schema.strict", message));
        }
        let mut text = "When you answer rather than call a tool, answer with one valid JSON object and nothing else: \
                        no prose, no code fence."
            .to_owned();
        if let Some(schema) = schema {
            text.push_str(" It must match this JSON Schema: ");
            text.push_str(&schema.to_string());
        }
        draft.instructions.push(text);
        draft.note("response_format");
        return Ok(());
    }
    draft.generation.insert("responseMimeType".to_owned(), "application/json".into());
    if let Some(mut schema) = schema.map(for_google) {
        if let (Some(members), Some(description)) = (schema.as_object_mut(), description) {
            members.entry("description").or_insert_with(|| description.clone().into());
        }
        draft.generation.insert("responseJsonSchema".to_owned(), schema);
    }
    Ok(())
}

/// Parameters beyond the canonical ones. Those without which the answer would mean something else are refused where they
/// cannot be said; those that only steer are noted; those that say what holds anyway are passed over.
fn write_extra(draft: &mut Draft<'_>) -> Result<(), RequestError> {
    let request = draft.request;
    for (name, value) in &request.extra {
        let refuse = |what: &str| Err(RequestError::new(name, format!("{what}; leave it out, or name another model")));
        let mut put = |name: &str, value: Value| {
            draft.generation.insert(name.to_owned(), value);
        };
        let number = value.as_f64();
        match name.as_str() {
            _ if value.is_null() || *value == Value::Bool(false) => {}
            "generationConfig" if value.is_object() => {}
            own if OWN.contains(&own) => {
                draft.body.insert(own.to_owned(), value.clone());
            }
            "cached_content" | "safety_settings" => {
                draft.body.insert(super::camel(name), value.clone());
            }
            "n" if value.as_u64() == Some(1) && !draft.native => {}
            "n" if value.as_u64().is_some_and(|n| (1..=MOST_CANDIDATES).contains(&n)) => {
                put("candidateCount", value.clone());
            }
            "n" => return refuse(&format!("this provider gives at most {MOST_CANDIDATES} choices, found {value}")),
            "seed" if value.as_i64().is_some_and(|seed| i32::try_from(seed).is_ok()) => put("seed", value.clone()),
            "frequency_penalty" | "presence_penalty" if number == Some(0.0) && !draft.native => {}
            "frequency_penalty" if number.is_some() => put("frequencyPenalty", value.clone()),
            "presence_penalty" if number.is_some() => put("presencePenalty", value.clone()),
            "logprobs" => put("responseLogprobs", true.into()),
            "top_logprobs" if request.extra.get("logprobs") != Some(&Value::Bool(true)) => {}
            "top_logprobs" => put("logprobs", value.clone()),
            "logit_bias" if value.as_object().is_none_or(|bias| !bias.is_empty()) => {
                return refuse("this provider cannot bias tokens");
            }
            "logit_bias" | "stream_options" => {}
            "modalities" => modalities(&mut draft.generation, value)?,
            "audio" => speech(&mut draft.generation, value)?,
            "service_tier" => match value.as_str() {
                Some("auto") => {}
                Some("default" | "standard") => {
                    draft.body.insert("serviceTier".to_owned(), "standard".into());
                }
                Some(tier @ ("flex" | "priority")) => {
                    draft.body.insert("serviceTier".to_owned(), tier.into());
                }
                _ => draft.note(name),
            },
            "functions" | "function_call" => return refuse("this provider knows `tools` only"),
            "tool_choice" if !request.tools.is_empty() => {}
            "response_format" => return refuse("this provider's output follows a JSON Schema or nothing"),
            "web_search_options" => return refuse("this provider's web search is asked for in another way"),
            "mcp_servers" if value.as_array().is_none_or(|servers| !servers.is_empty()) => {
                return refuse("this provider has no MCP servers");
            }
            // Said again in the canonical form.
            "thinking" | "reasoning" | "enable_thinking" if request.reasoning.is_some() => {}
            "output_config" if says_effort_alone(value) && request.reasoning.is_some() => {}
            _ => draft.note(name),
        }
    }
    Ok(())
}

fn says_effort_alone(config: &Value) -> bool {
    config.as_object().is_some_and(|members| members.keys().all(|name| name == "effort" || name == "format"))
}

/// OpenAI's `modalities`. A model of Google's speaks or writes, not both; speech comes with no text but its own.
fn modalities(generation: &mut Map<String, Value>, value: &Value) -> Result<(), RequestError> {
    let words: Vec<String> =
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_ascii_uppercase).collect();
    if let Some(unknown) = words.iter().find(|word| !matches!(word.as_str(), "TEXT" | "AUDIO" | "IMAGE")) {
        let message = format!("found `{}`, this provider answers with text, audio or image", unknown.to_lowercase());
        return Err(RequestError::new("modalities", message));
    }
    let audio = words.iter().any(|word| word == "AUDIO");
    let words: Vec<String> = words.into_iter().filter(|word| !(audio && word == "TEXT")).collect();
    if words.iter().any(|word| word != "TEXT") {
        generation.insert("responseModalities".to_owned(), words.into());
    }
    Ok(())
}

/// OpenAI's `audio: {voice, format}`. Google's speech is raw PCM of 24 kHz, which OpenAI calls `pcm16`
/// (<https://ai.google.dev/gemini-api/docs/speech-generation>, 2026-11-21).
fn speech(generation: &mut Map<String, Value>, value: &Value) -> Result<(), RequestError> {
    let format = super::text(value, "format").unwrap_or("wav");
    if format != "pcm16" {
        let message = format!("found `{format}`, this provider speaks raw PCM only; ask for `pcm16`");
        return Err(RequestError::new("audio.format", message));
    }
    if let Some(voice) = super::text(value, "voice") {
        let speech = json!({"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}});
        generation.insert("speechConfig".to_owned(), speech);
    }
    Ok(())
}
