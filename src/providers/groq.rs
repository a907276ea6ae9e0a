//! Groq (<https://console.groq.com/docs/openai>, 2026-11-21). It answers 400 to `logprobs`, `logit_bias`,
//! `top_logprobs` and `messages[].name`, and to `n` other than 1. Its streams report usage under `x_groq` too.

use super::{Auth, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "groq",
    format: Format::OpenAiChat,
    url: Some("https://api.groq.com/openai/v1"),
    auth: Auth::Bearer,
    chat_path: "/chat/completions",
    call: super::compatible_call,
    headers: &[],
    rejects: &["logprobs", "logit_bias", "top_logprobs"],
    catalog_id: Some("groq"),
    key_variable: "GROQ_API_KEY",
    key_optional: false,
    stream_options: true,
};
