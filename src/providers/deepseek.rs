//! DeepSeek (<https://api-docs.deepseek.com/api/create-chat-completion>, 2026-11-21). Reasoning comes as
//! `reasoning_content`; cached tokens as `prompt_cache_hit_tokens` beside OpenAI's `prompt_tokens_details`; errors in
//! OpenAI's shape. What its reasoning models do not know (`temperature`, penalties) they ignore. `/responses` exists
//! (seen in recorded traffic) but its reference does not describe it, so it takes `api: responses` to be asked. Its
//! endpoint in Anthropic's format is another base: `kind: anthropic, url: https://api.deepseek.com/anthropic/v1`.

use super::{COMPATIBLE, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "deepseek",
    formats: &[Format::OpenAiChat, Format::OpenAiResponses],
    url: Some("https://api.deepseek.com"),
    catalog_id: Some("deepseek"),
    key_variable: "DEEPSEEK_API_KEY",
    call: |ask| super::openai_call(ask, &[Format::OpenAiChat], &[]),
    ..COMPATIBLE
};
