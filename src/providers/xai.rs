//! xAI (<https://docs.x.ai/docs/api-reference>, 2026-11-21). Its reasoning models bill reasoning tokens on top of
//! `completion_tokens`; the usage reader adds them. Reasoning comes as `reasoning_content`; errors as
//! `{"code": …, "error": "…"}`, where `error` is a text. Its reasoning models answer 400 to `presence_penalty`,
//! `frequency_penalty` and `stop`, its others do not, so none of them is dropped here.

use super::{COMPATIBLE, Extra, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "xai",
    formats: &[Format::OpenAiChat, Format::OpenAiResponses],
    url: Some("https://api.x.ai/v1"),
    catalog_id: Some("x-ai"),
    key_variable: "XAI_API_KEY",
    call: |ask| super::openai_call(ask, NATIVE, EXTRAS),
    ..COMPATIBLE
};

const NATIVE: &[Format] = &[Format::OpenAiChat, Format::OpenAiResponses];
const EXTRAS: &[Extra] = &[Extra::Embeddings, Extra::Completions, Extra::Images];
