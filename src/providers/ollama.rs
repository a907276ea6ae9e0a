//! Ollama (<https://docs.ollama.com/api/openai-compatibility>, 2026-11-21), on this machine unless `url:` says otherwise.
//! It wants no key (<https://ollama.com/v1> does). What it does not know it ignores. Reasoning comes as `reasoning`,
//! errors in OpenAI's shape. Responses and Anthropic's Messages are newer than its Chat Completions: by `api:`.

use super::{COMPATIBLE, Extra, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "ollama",
    formats: &[Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages],
    url: Some("http://127.0.0.1:11434/v1"),
    key_variable: "OLLAMA_API_KEY",
    key_optional: true,
    call: |ask| super::openai_call(ask, NATIVE, EXTRAS),
    ..COMPATIBLE
};

const NATIVE: &[Format] = &[Format::OpenAiChat];
const EXTRAS: &[Extra] = &[Extra::Embeddings, Extra::Completions, Extra::Images, Extra::Audio];
