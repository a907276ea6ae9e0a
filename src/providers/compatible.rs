//! Any server that speaks OpenAI Chat Completions: llama.cpp, TGI, a gateway of one's own. `url:` says where. What else it
//! serves is for it to say; `api:` names another format than Chat Completions.

use super::{COMPATIBLE, Extra, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "openai-compatible",
    formats: &[Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages],
    key_optional: true,
    call: |ask| super::openai_call(ask, NATIVE, EXTRAS),
    ..COMPATIBLE
};

const NATIVE: &[Format] = &[Format::OpenAiChat];
const EXTRAS: &[Extra] =
    &[Extra::Embeddings, Extra::Completions, Extra::Images, Extra::Audio, Extra::Rerank, Extra::Moderations];
