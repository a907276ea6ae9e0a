//! Together AI (<https://docs.together.ai/docs/openai-api-compatibility>, 2026-11-21). Reasoning comes as `reasoning`
//! (older models: `<think>` in the text), cached tokens as `usage.cached_tokens`, errors in OpenAI's shape.

use super::{COMPATIBLE, Extra, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "together",
    url: Some("https://api.together.ai/v1"),
    catalog_id: Some("together"),
    key_variable: "TOGETHER_API_KEY",
    call: |ask| super::openai_call(ask, NATIVE, EXTRAS),
    ..COMPATIBLE
};

const NATIVE: &[Format] = &[Format::OpenAiChat];
const EXTRAS: &[Extra] = &[Extra::Embeddings, Extra::Completions, Extra::Images, Extra::Audio, Extra::Rerank];
