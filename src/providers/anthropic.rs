//! Anthropic (<https://docs.anthropic.com/en/api/messages>, <https://docs.anthropic.com/en/api/versioning>, 2026-11-21).

use super::{Auth, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "anthropic",
    format: Format::AnthropicMessages,
    url: Some("https://api.anthropic.com/v1"),
    auth: Auth::XApiKey,
    chat_path: "/messages",
    headers: &[("anthropic-version", "2023-06-01")],
    rejects: &[],
    catalog_id: Some("anthropic"),
    key_variable: "ANTHROPIC_API_KEY",
    key_optional: false,
    stream_options: false,
};
