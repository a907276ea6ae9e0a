//! Cohere, by its endpoint for OpenAI's SDKs (<https://docs.cohere.com/docs/compatibility-api>, 2026-11-21). It has no
//! place for the parameters below, and refuses `stream_options`
//! (<https://strandsagents.com/docs/user-guide/concepts/model-providers/cohere/>, 2026-11-21): its streams end with usage.
//! Errors are `{"message": …}`. It serves embeddings here; its rerank is another API.

use super::{COMPATIBLE, Extra, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "cohere",
    url: Some("https://api.cohere.ai/compatibility/v1"),
    rejects: &[
        "stream_options",
        "store",
        "metadata",
        "logit_bias",
        "top_logprobs",
        "n",
        "modalities",
        "prediction",
        "audio",
        "service_tier",
        "parallel_tool_calls",
    ],
    renames: &[("max_completion_tokens", "max_tokens")],
    catalog_id: Some("cohere"),
    key_variable: "COHERE_API_KEY",
    stream_options: false,
    call: |ask| super::openai_call(ask, &[Format::OpenAiChat], &[Extra::Embeddings]),
    ..COMPATIBLE
};
