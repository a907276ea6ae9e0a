//! Mistral (<https://docs.mistral.ai/api/endpoint/chat>, 2026-11-21). It answers 422 (`extra_forbidden`) to parameters
//! that it does not know, `stream_options` among them: its streams always end with usage. Some it calls otherwise.
//! Reasoning comes as parts of type `thinking` in `content`; cached tokens as `num_cached_tokens` or in
//! `prompt_tokens_details`; errors as `{"object": "error", "message": …}` or `{"detail": …}`.

use super::{COMPATIBLE, Extra, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "mistral",
    url: Some("https://api.mistral.ai/v1"),
    rejects: &[
        "stream_options",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "user",
        "store",
        "service_tier",
        "modalities",
        "audio",
        "verbosity",
        "safety_identifier",
        "prompt_cache_retention",
        "web_search_options",
    ],
    renames: &[("max_completion_tokens", "max_tokens"), ("seed", "random_seed")],
    catalog_id: Some("mistral"),
    key_variable: "MISTRAL_API_KEY",
    stream_options: false,
    call: |ask| super::openai_call(ask, NATIVE, EXTRAS),
    ..COMPATIBLE
};

const NATIVE: &[Format] = &[Format::OpenAiChat];
const EXTRAS: &[Extra] = &[Extra::Embeddings, Extra::Moderations, Extra::Audio];
