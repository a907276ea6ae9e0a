//! Whole answers (<https://ai.google.dev/api/generate-content#generatecontentresponse>, 2026-11-21).

use super::grounding::{self, Said};
use super::parts::{self, CallIds};
use super::{error, items, logprobs, member, stop, text, usage};
use crate::formats::canonical::{Answer, ApiError, Choice, Citation, Part, StopReason};
use crate::formats::kind_of;
use crate::formats::secrets::mask;
use serde_json::{Map, Value};

pub(super) fn read(body: &[u8]) -> Result<Answer, ApiError> {
    let unusable = |what: String| ApiError::new(502, format!("the provider's answer cannot be read: {what}"));
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let found = error::cut(&mask(&String::from_utf8_lossy(body)));
        unusable(format!("it is not JSON ({error}): {found}"))
    })?;
    if let Some(error) = error::inside(&value) {
        return Err(error);
    }
    if !value.is_object() {
        return Err(unusable(format!("found {}, expected an object with `candidates`", kind_of(&value))));
    }
    let usage = usage::of_body(&value);
    let id = text(&value, "responseId");
    let candidates = items(&value, "candidates");
    let read = |(i, candidate): (u64, &Value)| choice(candidate, i, id.unwrap_or_default());
    let mut choices: Vec<Choice> = (0..).zip(candidates).map(read).collect();
    if choices.is_empty() {
        match blocked(&value) {
            Some(message) => choices.push(Choice {
                parts: vec![Part::Refusal(message)],
                stop: Some(StopReason::ContentFilter),
                ..Choice::default()
            }),
            None if usage.is_empty() => {
                let found = error::cut(&mask(&value.to_string()));
                return Err(unusable(format!("it has no `candidates`: {found}")));
            }
            // The model said nothing, and that was counted.
            None => choices.push(Choice { stop: Some(StopReason::End), ..Choice::default() }),
        }
    }
    Ok(Answer {
        id: id.map(str::to_owned),
        model: text(&value, "modelVersion").map(str::to_owned),
        created: None,
        choices,
        usage,
        extra: Map::new(),
    })
}

/// Why the prompt was not answered, where it was blocked.
pub(super) fn blocked(body: &Value) -> Option<String> {
    let feedback = member(body, "promptFeedback")?;
    let reason = text(feedback, "blockReason").filter(|reason| *reason != "BLOCK_REASON_UNSPECIFIED")?;
    Some(match text(feedback, "blockReasonMessage") {
        Some(message) => message.to_owned(),
        None => format!("The provider blocked the prompt ({reason})."),
    })
}

fn choice(candidate: &Value, i: u64, id: &str) -> Choice {
    let mut ids = CallIds::new(id, i);
    let mut parts = Vec::new();
    let mut said = Said::default();
    let content = member(candidate, "content").unwrap_or(&Value::Null);
    for (number, part) in (0..).zip(items(content, "parts")) {
        let before = parts.len();
        parts::read(part, &mut ids, &mut parts);
        for part in parts.iter().skip(before) {
            if let Part::Text { text, .. } = part {
                said.push(number, text);
            }
        }
    }
    let word = stop::word(candidate);
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    parts.extend(explained(word.as_deref(), candidate).filter(|_| parts.is_empty()).map(Part::Refusal));
    let cited = grounding::read(member(candidate, "groundingMetadata"), cited(candidate), &said, true);
    attach(cited, &mut parts);
    Choice {
        parts,
        stop: word.map(|word| stop::read(&word, calls)),
        stop_sequence: None,
        logprobs: logprobs::read(candidate),
    }
}

/// What a candidate cites. Older versions of the API call the list `citationSources`.
pub(super) fn cited(candidate: &Value) -> &[Value] {
    let metadata = member(candidate, "citationMetadata").unwrap_or(&Value::Null);
    let cited = items(metadata, "citations");
    if cited.is_empty() { items(metadata, "citationSources") } else { cited }
}

/// The provider's words for why there is no answer: they are all that the client gets then.
pub(super) fn explained(word: Option<&str>, candidate: &Value) -> Option<String> {
    word.filter(|word| !stop::is_plain(word))?;
    text(candidate, "finishMessage").map(str::to_owned)
}

/// Puts each citation on the text that it begins in; one without a place on the last.
fn attach(cited: Vec<Citation>, parts: &mut [Part]) {
    let mut texts: Vec<(u64, &mut Vec<Citation>)> = Vec::new();
    let mut end: u64 = 0;
    for part in parts {
        if let Part::Text { text, citations, .. } = part {
            end = end.saturating_add(u64::try_from(text.chars().count()).unwrap_or(u64::MAX));
            texts.push((end, citations));
        }
    }
    for citation in cited {
        let begins_before = |end: u64| citation.span.is_some_and(|(from, _)| from < end);
        let at = texts.iter().position(|(end, _)| begins_before(*end)).or(texts.len().checked_sub(1));
        if let Some((_, citations)) = at.and_then(|at| texts.get_mut(at)) {
            citations.push(citation);
        }
    }
}
