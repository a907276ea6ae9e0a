//! Fireworks AI (<https://docs.fireworks.ai/tools-sdks/openai-compatibility>, 2026-11-21). Models are called
//! `accounts/fireworks/models/…`. Reasoning comes as `reasoning_content`, errors in OpenAI's shape; streams report usage
//! in their last chunk whether asked or not. Responses by `api: responses`.

use super::{COMPATIBLE, Extra, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "fireworks",
    formats: &[Format::OpenAiChat, Format::OpenAiResponses],
    url: Some("https://api.fireworks.ai/inference/v1"),
    catalog_id: Some("fireworks"),
    key_variable: "FIREWORKS_API_KEY",
    call: |ask| super::openai_call(ask, NATIVE, EXTRAS),
    ..COMPATIBLE
};

const NATIVE: &[Format] = &[Format::OpenAiChat];
const EXTRAS: &[Extra] = &[Extra::Embeddings, Extra::Completions, Extra::Audio, Extra::Rerank];
