//! What cannot be counted here: sound, documents and parts of kinds that are not known. Each as an estimate and how many
//! tokens more it may be, for the size of the file bounds both from above and below only loosely.

use crate::formats::canonical::Source;
use serde_json::Value;

/// Bytes of base64 for one token of sound: at OpenAI ten tokens a second (a user's message,
/// <https://platform.openai.com/docs/guides/realtime-costs>, 2026-11-21), in WAV of 24 kHz 64 kB of base64 a second.
const SOUND: usize = 6_400;

/// In a compressed format a second is some 2 kB, and other vendors count up to 32 tokens for it.
const COMPRESSED_SOUND: usize = 80;

/// A page of a PDF as text and as an image (<https://platform.claude.com/docs/en/build-with-claude/pdf-support>,
/// 2026-11-21: 1,500 to 3,000 tokens of text a page), and what such a page takes at least in base64.
const PAGE: (u64, usize) = (1_500, 40_000);

/// For a document that lies elsewhere: some ten pages, and at most a hundred.
const ELSEWHERE: (u64, u64) = (10_000, 90_000);

/// Sound of this many bytes of base64.
pub(super) fn audio(data: &str) -> (u64, u64) {
    let tokens = number(data.len().div_ceil(SOUND)).max(32);
    (tokens, number(data.len().div_ceil(COMPRESSED_SOUND)).max(128))
}

/// A document that is no plain text.
pub(super) fn document(source: &Source) -> (u64, u64) {
    let data = match source {
        Source::Base64 { data, .. } => data,
        Source::Url(url) if url.starts_with("data:") => url,
        Source::Url(_) | Source::FileId(_) => return ELSEWHERE,
        // Counted as text where it stands.
        Source::Text(_) => return (0, 0),
    };
    let pages = number(data.len().div_ceil(PAGE.1));
    (
        pages.saturating_mul(PAGE.0),
        pages.saturating_mul(PAGE.0).saturating_add(number(data.len() / 8)).saturating_add(2_000),
    )
}

/// What a part of audio, video or a file may cost; its bytes are no text and must not be counted as such.
pub(super) fn unknown(part: &Value) -> Option<(u64, u64)> {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
    let kinds = [
        ("audio", (500, 2_000)),
        ("video", (5_000, 50_000)),
        ("image", (1_400, 3_500)),
        ("file", ELSEWHERE),
        ("document", ELSEWHERE),
    ];
    kinds.iter().find(|(word, _)| kind.contains(word)).map(|(_, cost)| *cost)
}

fn number(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
