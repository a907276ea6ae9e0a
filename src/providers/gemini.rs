//! Google's Gemini API (<https://ai.google.dev/api/generate-content>, <https://ai.google.dev/api/embeddings>,
//! 2026-11-21). The key goes in `x-goog-api-key`. A stream is asked for by the path, in server-sent events by `alt=sse`.
//! Usage is in `usageMetadata`; reasoning in parts with `thought: true`; errors are
//! `{"error": {"code", "message", "status", "details"}}`, in some answers inside a list.

use super::path::escaped;
use super::{Ask, Auth, Body, COMPATIBLE, Call, Envelope, Operation, Spec};
use crate::formats::Format;
use crate::formats::embeddings::EmbeddingsFormat;

pub(super) const SPEC: Spec = Spec {
    kind: "gemini",
    format: Format::Gemini,
    formats: &[Format::Gemini],
    url: Some("https://generativelanguage.googleapis.com/v1beta"),
    mock_path: "/v1beta",
    auth: Auth::XGoogApiKey,
    chat_path: "/models",
    call,
    catalog_id: Some("google"),
    key_variable: "GEMINI_API_KEY",
    stream_options: false,
    ..COMPATIBLE
};

fn call(ask: &Ask<'_>) -> Option<Call> {
    let (verb, body) = match ask.operation {
        Operation::Chat => (verb(ask.stream), Body::Chat(Format::Gemini, Envelope::None)),
        Operation::Embeddings => ("batchEmbedContents", Body::Embeddings(EmbeddingsFormat::Gemini)),
        Operation::CountTokens | Operation::Pass(_) => return None,
    };
    // Tuned models have a full name.
    let name = match ask.model.split_once('/') {
        Some((place @ ("models" | "tunedModels"), name)) => format!("{place}/{}", escaped(name, "@")),
        _ => format!("models/{}", escaped(ask.model, "@")),
    };
    Some(Call { path: format!("/{name}:{verb}"), body })
}

/// What is asked of a model that speaks Gemini's format.
pub(super) fn verb(stream: bool) -> &'static str {
    if stream { "streamGenerateContent?alt=sse" } else { "generateContent" }
}
