//! What models take and give, where their vendor's own list leaves no doubt; others are left out. By the beginning of
//! the model's name, behind a vendor's (`us.anthropic.`, `openai/`).
//!
//! <https://platform.openai.com/docs/models>, <https://docs.claude.com/en/docs/about-claude/models/overview>,
//! <https://ai.google.dev/gemini-api/docs/models>, <https://docs.x.ai/docs/models>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html>, 2026-11-21.

type Kinds = &'static [&'static str];

const TEXT: Kinds = &["text"];
const SEEING: Kinds = &["text", "image"];
const ALL: Kinds = &["text", "image", "audio", "video"];
const SPEECH: Kinds = &["audio"];
const VECTORS: Kinds = &["embedding"];

/// Words that make another kind of model of a family's member.
const APART: &[&str] =
    &["audio", "realtime", "transcribe", "tts", "image", "live", "embed", "search", "deep-research", "3-5-haiku"];

/// Beginnings, words of [`APART`] that are allowed, what goes in, what comes out. The first that fits counts.
const MODELS: &[(&[&str], &[&str], Kinds, Kinds)] = &[
    (&["text-embedding-", "gemini-embedding-001", "titan-embed-text", "mistral-embed"], &["embed"], TEXT, VECTORS),
    (&["whisper-"], &[], SPEECH, TEXT),
    (&["gpt-4o-transcribe", "gpt-4o-mini-transcribe"], &["transcribe"], SPEECH, TEXT),
    (&["tts-1", "gpt-4o-mini-tts"], &["tts"], TEXT, SPEECH),
    (&["gpt-4o-audio", "gpt-4o-mini-audio", "gpt-audio"], &["audio"], &["text", "audio"], &["text", "audio"]),
    (&["dall-e-3"], &[], TEXT, &["image"]),
    (&["gpt-image-"], &["image"], SEEING, &["image"]),
    (&["gpt-3.5-turbo", "gpt-oss-", "o1-mini", "o1-preview", "o3-mini"], &[], TEXT, TEXT),
    (&["gpt-4o", "gpt-4.1", "gpt-5", "o1", "o3", "o4-mini"], &[], SEEING, TEXT),
    (&["claude-2", "claude-instant"], &[], TEXT, TEXT),
    (&["claude-3-", "claude-opus-", "claude-sonnet-", "claude-haiku-"], &[], SEEING, TEXT),
    (&["gemini-2.0-flash", "gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-pro"], &[], ALL, TEXT),
    (&["grok-3"], &[], TEXT, TEXT),
    (&["grok-4"], &[], SEEING, TEXT),
    (&["nova-micro"], &[], TEXT, TEXT),
    (&["nova-lite", "nova-pro"], &[], &["text", "image", "video"], TEXT),
    (&["llama-3.1-", "llama-3.3-", "llama3-1-", "llama3-3-"], &[], TEXT, TEXT),
];

/// What goes into a model and what comes out, where it is certain.
pub(super) fn of(model: &str) -> Option<(Kinds, Kinds)> {
    let model = model.to_ascii_lowercase();
    let name = model.rsplit('/').next().unwrap_or(&model);
    let begins = |start: &&&str| {
        // `us.anthropic.claude-…`: dots also stand within names (`gpt-4.1`), so that only what begins behind one counts.
        name.starts_with(**start)
            || name.split_once('.').is_some_and(|(_, rest)| {
                rest.starts_with(**start) || rest.split_once('.').is_some_and(|(_, rest)| rest.starts_with(**start))
            })
    };
    let (_, _, input, output) = MODELS.iter().find(|(starts, allowed, ..)| {
        let apart = APART.iter().any(|word| name.contains(word) && !allowed.contains(word));
        !apart && starts.iter().any(|start| begins(&start))
    })?;
    Some((input, output))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn modalities_are_told_where_they_are_certain() {
        for (model, want) in [
            ("gpt-4o", Some((SEEING, TEXT))),
            ("GPT-4o-2024-08-06", Some((SEEING, TEXT))),
            ("gpt-4o-audio-preview", Some((&["text", "audio"][..], &["text", "audio"][..]))),
            ("gpt-4o-realtime-preview", None),
            ("gpt-4o-transcribe", Some((SPEECH, TEXT))),
            ("gpt-4o-mini-tts", Some((TEXT, SPEECH))),
            ("gpt-4.1-mini", Some((SEEING, TEXT))),
            ("o3-mini", Some((TEXT, TEXT))),
            ("text-embedding-3-small", Some((TEXT, VECTORS))),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Some((SEEING, TEXT))),
            ("amazon.titan-embed-text-v2:0", Some((TEXT, VECTORS))),
            ("amazon.nova-micro-v1:0", Some((TEXT, TEXT))),
            ("openai/gpt-oss-120b", Some((TEXT, TEXT))),
            ("gemini-2.5-flash", Some((ALL, TEXT))),
            ("gemini-2.5-flash-image", None),
            ("gemini-2.5-flash-preview-tts", None),
            ("meta-llama/llama-3.3-70b", Some((TEXT, TEXT))),
            ("house-model", None),
            ("", None),
        ] {
            assert_eq!(of(model), want, "{model}");
        }
    }
}
