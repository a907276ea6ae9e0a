//! Why a candidate ended: `finishReason` (<https://ai.google.dev/api/generate-content#FinishReason>, 2026-11-21).

use super::member;
use crate::formats::canonical::StopReason;
use serde_json::Value;

/// Reasons of safety: the answer was withheld or cut.
const FILTERED: [&str; 11] = [
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
    "JAILBREAK",
];

/// The words that come first in the list: clients may ask for enums as numbers, and recorded answers hold them.
const NUMBERED: [&str; 6] = ["FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER"];

/// A candidate's reason, as a word.
pub(super) fn word(candidate: &Value) -> Option<String> {
    match member(candidate, "finishReason")? {
        Value::String(word) if !word.is_empty() => Some(word.clone()),
        Value::Number(number) => {
            let place = number.as_u64().and_then(|number| usize::try_from(number).ok());
            let word = place.and_then(|place| NUMBERED.get(place));
            Some(word.map_or_else(|| number.to_string(), |word| (*word).to_owned()))
        }
        _ => None,
    }
}

/// What a reason means. Calls come with `STOP`.
pub(super) fn read(word: &str, calls: bool) -> StopReason {
    match word {
        "STOP" | "FINISH_REASON_UNSPECIFIED" if calls => StopReason::ToolCalls,
        "STOP" | "FINISH_REASON_UNSPECIFIED" => StopReason::End,
        "MAX_TOKENS" => StopReason::Length,
        word if FILTERED.contains(&word) => StopReason::ContentFilter,
        other => StopReason::Other(other.to_owned()),
    }
}

/// Whether the model came to an end of its own, so that nothing needs to be explained.
pub(super) fn is_plain(word: &str) -> bool {
    matches!(word, "STOP" | "MAX_TOKENS" | "FINISH_REASON_UNSPECIFIED")
}

/// The reason to write. Clients know only Google's own words, and another vendor's are lower case.
pub(super) fn write(stop: Option<&StopReason>) -> &str {
    match stop {
        Some(StopReason::Length) => "MAX_TOKENS",
        Some(StopReason::ContentFilter | StopReason::Refusal) => "SAFETY",
        Some(StopReason::Other(word)) if word == "model_context_window_exceeded" => "MAX_TOKENS",
        Some(StopReason::Other(word)) if word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') => word,
        Some(StopReason::Other(_) | StopReason::Pause) => "OTHER",
        None | Some(StopReason::End | StopReason::StopSequence | StopReason::ToolCalls) => "STOP",
    }
}
