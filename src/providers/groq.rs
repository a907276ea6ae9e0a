//! Groq (<https://console.groq.com/docs/openai>, 2026-11-21). It answers 400 to `logprobs`, `logit_bias`,
//! `top_logprobs` and `messages[].name`, and to `n` other than 1. Its streams report usage under `x_groq` too; reasoning
//! comes as `reasoning`, errors in OpenAI's shape. Its Responses are a beta without `store`, `include`, `truncation` and
//! `previous_response_id`, so clients of that format are translated unless `api: responses` asks for it. It serves audio,
//! no embeddings, images or legacy completions.

use super::{COMPATIBLE, Extra, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "groq",
    formats: &[Format::OpenAiChat, Format::OpenAiResponses],
    url: Some("https://api.groq.com/openai/v1"),
    rejects: &["logprobs", "logit_bias", "top_logprobs"],
    catalog_id: Some("groq"),
    key_variable: "GROQ_API_KEY",
    call: |ask| super::openai_call(ask, &[Format::OpenAiChat], &[Extra::Audio]),
    ..COMPATIBLE
};
