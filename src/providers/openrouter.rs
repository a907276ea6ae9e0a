//! OpenRouter (<https://openrouter.ai/docs/api-reference/overview>, 2026-11-21). Models are called `vendor/model`.
//! Reasoning comes as `reasoning` and `reasoning_details`; usage with `cost` in USD; errors as
//! `{"error": {"code": 400, "message": …, "metadata": …}}`, in a stream as a chunk with `error`; comments
//! (`: OPENROUTER PROCESSING`) keep streams alive. Its Responses are a beta, its Messages for Anthropic's SDKs: by `api:`.
//! Its prices differ by the provider behind it, so the catalog has none.

use super::{COMPATIBLE, Extra, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "openrouter",
    formats: &[Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages],
    url: Some("https://openrouter.ai/api/v1"),
    key_variable: "OPENROUTER_API_KEY",
    // Other models to answer in this one's place: whom a request may ask, and at what price, was decided for one.
    rejects: &["models", "route"],
    call: |ask| super::openai_call(ask, NATIVE, EXTRAS),
    ..COMPATIBLE
};

const NATIVE: &[Format] = &[Format::OpenAiChat];
const EXTRAS: &[Extra] = &[Extra::Embeddings, Extra::Completions];
