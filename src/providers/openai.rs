//! OpenAI (<https://platform.openai.com/docs/api-reference/chat>, 2026-11-21).

use super::{Auth, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "openai",
    format: Format::OpenAiChat,
    url: Some("https://api.openai.com/v1"),
    auth: Auth::Bearer,
    chat_path: "/chat/completions",
    call: super::responses_too,
    headers: &[],
    rejects: &[],
    catalog_id: Some("openai"),
    key_variable: "OPENAI_API_KEY",
    key_optional: false,
    stream_options: true,
};
