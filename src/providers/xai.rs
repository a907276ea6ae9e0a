//! xAI (<https://docs.x.ai/docs/api-reference>, 2026-11-21). Its reasoning models bill reasoning tokens on top of
//! `completion_tokens`; the usage reader adds them.

use super::{Auth, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "xai",
    format: Format::OpenAiChat,
    url: Some("https://api.x.ai/v1"),
    auth: Auth::Bearer,
    chat_path: "/chat/completions",
    call: super::responses_too,
    headers: &[],
    rejects: &[],
    catalog_id: Some("x-ai"),
    key_variable: "XAI_API_KEY",
    key_optional: false,
    stream_options: true,
};
