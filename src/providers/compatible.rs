//! Any server that speaks OpenAI Chat Completions: vLLM, llama.cpp, TGI, a gateway of one's own. `url:` says where.

use super::{Auth, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "openai-compatible",
    format: Format::OpenAiChat,
    url: None,
    auth: Auth::Bearer,
    chat_path: "/chat/completions",
    call: super::compatible_call,
    headers: &[],
    rejects: &[],
    catalog_id: None,
    key_variable: "",
    key_optional: true,
    stream_options: true,
};
