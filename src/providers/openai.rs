//! OpenAI (<https://platform.openai.com/docs/api-reference/chat>, 2026-11-21). Chat Completions and Responses, each to
//! clients of its own format; all others get Chat Completions.

use super::{COMPATIBLE, Extra, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "openai",
    formats: &[Format::OpenAiChat, Format::OpenAiResponses],
    url: Some("https://api.openai.com/v1"),
    catalog_id: Some("openai"),
    key_variable: "OPENAI_API_KEY",
    call: |ask| super::openai_call(ask, NATIVE, EXTRAS),
    ..COMPATIBLE
};

const NATIVE: &[Format] = &[Format::OpenAiChat, Format::OpenAiResponses];
const EXTRAS: &[Extra] = &[Extra::Embeddings, Extra::Completions, Extra::Images, Extra::Audio, Extra::Moderations];
