//! Anthropic (<https://docs.anthropic.com/en/api/messages>, <https://docs.anthropic.com/en/api/versioning>, 2026-11-21).
//! The same format elsewhere is reached by `url:`: `https://NAME.services.ai.azure.com/anthropic/v1`,
//! `https://api.deepseek.com/anthropic/v1`.

use super::{Ask, Auth, Body, COMPATIBLE, Call, Envelope, Operation, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "anthropic",
    format: Format::AnthropicMessages,
    formats: &[Format::AnthropicMessages],
    url: Some("https://api.anthropic.com/v1"),
    auth: Auth::XApiKey,
    chat_path: "/messages",
    call,
    headers: &[("anthropic-version", "2023-06-01")],
    catalog_id: Some("anthropic"),
    key_variable: "ANTHROPIC_API_KEY",
    stream_options: false,
    ..COMPATIBLE
};

fn call(ask: &Ask<'_>) -> Option<Call> {
    let path = match ask.operation {
        Operation::Chat => "/messages",
        Operation::CountTokens => "/messages/count_tokens",
        Operation::Embeddings | Operation::Pass(_) => return None,
    };
    Some(Call { path: path.to_owned(), body: Body::Chat(Format::AnthropicMessages, Envelope::None) })
}
