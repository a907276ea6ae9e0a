//! vLLM (<https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>, 2026-11-21). `url:` says where, with
//! `/v1` at its end. Reasoning comes as `reasoning`, before 0.12 as `reasoning_content`; errors as
//! `{"error": {"message", "type", "param", "code"}}`, before 0.10 without `error` around it. Responses and Anthropic's
//! Messages are newer than its Chat Completions: by `api:`.

use super::{COMPATIBLE, Extra, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "vllm",
    formats: &[Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages],
    key_variable: "VLLM_API_KEY",
    key_optional: true,
    call: |ask| super::openai_call(ask, NATIVE, EXTRAS),
    ..COMPATIBLE
};

const NATIVE: &[Format] = &[Format::OpenAiChat];
const EXTRAS: &[Extra] = &[Extra::Embeddings, Extra::Completions, Extra::Audio, Extra::Rerank];
