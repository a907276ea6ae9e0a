//! Usage, as OpenAI and its kin report it.

use super::given;
use crate::usage::{Tokens, Usage};
use serde_json::{Map, Value, json};

/// A whole number from 0, also where it is written as `12.0`.
pub(super) fn whole(value: &Value) -> Option<u64> {
    let exact = |float: f64| float >= 0.0 && float.fract() == 0.0 && float <= 9_007_199_254_740_992.0;
    // The cast is exact: the bound is 2^53 and the fraction is zero.
    value.as_u64().or_else(|| value.as_f64().filter(|float| exact(*float)).map(|float| float as u64))
}

/// Reads a `usage` object. Input includes cached tokens and output includes reasoning tokens, as OpenAI counts
/// (<https://platform.openai.com/docs/api-reference/chat/object>, 2026-11-21); xAI counts reasoning beside
/// `completion_tokens` and only `total_tokens` shows it (<https://docs.x.ai/docs/guides/reasoning>, 2026-11-21), so
/// it is added where the total says so. The Responses names (`input_tokens`, `output_tokens`) are read too.
pub fn read_usage(usage: &Value) -> Usage {
    let count = |names: &[&str]| names.iter().find_map(|name| usage.pointer(name).and_then(whole));
    let input = count(&["/prompt_tokens", "/input_tokens"]);
    let completion = count(&["/completion_tokens", "/output_tokens"]);
    let total = count(&["/total_tokens"]);
    let reasoning = count(&["/completion_tokens_details/reasoning_tokens", "/output_tokens_details/reasoning_tokens"]);
    let output = completion.map(|completion| {
        let sum = input.unwrap_or(0).saturating_add(completion);
        match reasoning {
            Some(reasoning) if reasoning > 0 && total == Some(sum.saturating_add(reasoning)) => {
                completion.saturating_add(reasoning)
            }
            _ => completion,
        }
    });
    Usage {
        input: input.map(Tokens),
        cached_input: count(&[
            "/prompt_tokens_details/cached_tokens",
            "/input_tokens_details/cached_tokens",
            // DeepSeek; Together, Hugging Face; Mistral.
            "/prompt_cache_hit_tokens",
            "/cached_tokens",
            "/num_cached_tokens",
        ])
        .map(Tokens),
        // OpenRouter, OpenAI; Vercel's gateway.
        cache_write: count(&[
            "/prompt_tokens_details/cache_write_tokens",
            "/input_tokens_details/cache_write_tokens",
            "/cache_creation_input_tokens",
        ])
        .map(Tokens),
        cache_write_1h: None,
        output: output.map(Tokens),
        reasoning: reasoning.map(Tokens),
        audio_input: count(&["/prompt_tokens_details/audio_tokens", "/audio_prompt_tokens"]).map(Tokens),
        image_input: None,
        audio_output: count(&["/completion_tokens_details/audio_tokens"]).map(Tokens),
        service_tier: super::text(usage, "service_tier").map(str::to_owned),
    }
}

/// The usage of a whole answer or of a stream's chunk: `usage`, or Groq's `x_groq.usage`, with the tier that stands
/// beside it. Empty where none is reported.
pub(super) fn read_body_usage(body: &Value) -> Usage {
    let reported = given(body, "usage").or_else(|| body.pointer("/x_groq/usage"));
    let mut usage = reported.map(read_usage).unwrap_or_default();
    if !usage.is_empty() && usage.service_tier.is_none() {
        usage.service_tier = super::text(body, "service_tier").map(str::to_owned);
    }
    usage
}

/// A `usage` object; `None` where input or output is not known, because clients take both for numbers.
pub(super) fn write_usage(usage: &Usage) -> Option<Value> {
    if usage.input.is_none() || usage.output.is_none() {
        return None;
    }
    let mut object = Map::new();
    let put = |object: &mut Map<String, Value>, name: &str, tokens: Option<Tokens>| {
        if let Some(Tokens(count)) = tokens {
            object.insert(name.to_owned(), count.into());
        }
    };
    let total = usage.input.zip(usage.output).map(|(input, output)| input.plus(output));
    put(&mut object, "prompt_tokens", usage.input);
    put(&mut object, "completion_tokens", usage.output);
    put(&mut object, "total_tokens", total);
    let details = |name: &str, figures: &[(&str, Option<Tokens>)], object: &mut Map<String, Value>| {
        let known: Map<String, Value> =
            figures.iter().filter_map(|(name, tokens)| Some(((*name).to_owned(), json!(tokens.as_ref()?.0)))).collect();
        if !known.is_empty() {
            object.insert(name.to_owned(), known.into());
        }
    };
    let input = [
        ("cached_tokens", usage.cached_input),
        ("cache_write_tokens", usage.cache_write),
        ("audio_tokens", usage.audio_input),
    ];
    details("prompt_tokens_details", &input, &mut object);
    let output = [("reasoning_tokens", usage.reasoning), ("audio_tokens", usage.audio_output)];
    details("completion_tokens_details", &output, &mut object);
    Some(object.into())
}

/// Clients take a prompt's tokens for a number: where the provider named the answer's only, the gateway's own count of
/// the prompt stands there.
pub(super) fn whole_usage(mut usage: Usage, counted: Option<u64>) -> Usage {
    if usage.input.is_none() && usage.output.is_some() {
        usage.input = counted.map(Tokens);
    }
    usage
}
