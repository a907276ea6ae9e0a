//! Usage: `usageMetadata` (<https://ai.google.dev/api/generate-content#UsageMetadata>, 2026-11-21).

use super::{count, items, member, text};
use crate::usage::{Tokens, Usage};
use serde_json::{Map, Value, json};

/// Reads `usageMetadata`. What Google's own tools fetched is input; thoughts stand beside `candidatesTokenCount` and are
/// output. Counts of zero are often left out: where the total tells them, they are known.
pub(super) fn read(usage: &Value) -> Usage {
    let total = count(usage, "totalTokenCount");
    let prompt = count(usage, "promptTokenCount");
    let tools = count(usage, "toolUsePromptTokenCount");
    let candidates = count(usage, "candidatesTokenCount");
    let thoughts = count(usage, "thoughtsTokenCount");
    let input = prompt.map(|prompt| prompt.saturating_add(tools.unwrap_or(0)));
    let rest = |known: Option<u64>| total?.checked_sub(known?);
    let output = match candidates {
        // Some models of Vertex count the thoughts in; the total shows it.
        Some(candidates) if rest(input) == Some(candidates) => Some(candidates),
        Some(candidates) => Some(candidates.saturating_add(thoughts.unwrap_or(0))),
        None => rest(input),
    };
    Usage {
        input: input.or_else(|| rest(output)).map(Tokens),
        cached_input: count(usage, "cachedContentTokenCount").map(Tokens),
        output: output.map(Tokens),
        reasoning: thoughts.map(Tokens),
        audio_input: audio(usage, "promptTokensDetails"),
        image_input: None,
        audio_output: audio(usage, "candidatesTokensDetails"),
        service_tier: tier(usage),
        ..Usage::default()
    }
}

/// The usage of a whole answer or of a chunk; empty where none is reported.
pub(super) fn of_body(body: &Value) -> Usage {
    member(body, "usageMetadata").map(read).unwrap_or_default()
}

fn audio(usage: &Value, details: &str) -> Option<Tokens> {
    let is_audio = |detail: &&Value| match member(detail, "modality") {
        Some(Value::String(modality)) => modality == "AUDIO",
        // Clients may ask for enums as numbers.
        Some(other) => other.as_u64() == Some(4),
        None => false,
    };
    let mut counts = items(usage, details).iter().filter(is_audio).filter_map(|detail| count(detail, "tokenCount"));
    let first = counts.next()?;
    Some(Tokens(counts.fold(first, u64::saturating_add)))
}

/// AI Studio names the tier, Vertex the kind of traffic.
fn tier(usage: &Value) -> Option<String> {
    if let Some(tier) = text(usage, "serviceTier") {
        return Some(tier.to_ascii_lowercase());
    }
    let traffic = text(usage, "trafficType").filter(|traffic| *traffic != "TRAFFIC_TYPE_UNSPECIFIED")?;
    Some(match traffic.strip_prefix("ON_DEMAND") {
        Some("") => "standard".to_owned(),
        Some(tier) => tier.trim_start_matches('_').to_ascii_lowercase(),
        None => traffic.to_ascii_lowercase(),
    })
}

/// A `usageMetadata` object with what is known; `None` where nothing is.
pub(super) fn write(usage: &Usage) -> Option<Value> {
    if usage.input.is_none() && usage.output.is_none() {
        return None;
    }
    let mut out = Map::new();
    let mut put = |name: &str, tokens: Option<Tokens>| {
        if let Some(Tokens(count)) = tokens {
            out.insert(name.to_owned(), count.into());
        }
    };
    let spoken = usage.output.map(|output| output.minus(usage.reasoning.unwrap_or_default()));
    put("promptTokenCount", usage.input);
    put("cachedContentTokenCount", usage.cached_input);
    put("candidatesTokenCount", spoken);
    put("thoughtsTokenCount", usage.reasoning);
    put("totalTokenCount", usage.input.zip(usage.output).map(|(input, output)| input.plus(output)));
    let details = [("promptTokensDetails", usage.audio_input), ("candidatesTokensDetails", usage.audio_output)];
    for (name, tokens) in details {
        if let Some(tokens) = tokens {
            out.insert(name.to_owned(), json!([{"modality": "AUDIO", "tokenCount": tokens}]));
        }
    }
    Some(out.into())
}
