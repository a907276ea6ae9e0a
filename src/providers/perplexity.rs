//! Perplexity's Agent API, in OpenAI's Responses format
//! (<https://docs.perplexity.ai/docs/agent-api/migrate-from-sonar/how-to>, 2026-11-21). Its Chat Completions (Sonar) ended
//! on 2026-09-27. Models are called `vendor/model`, its own `perplexity/sonar`. Usage has a `cost` in USD beside the
//! tokens; errors are in OpenAI's shape.

use super::{COMPATIBLE, Extra, Spec};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "perplexity",
    format: Format::OpenAiResponses,
    formats: &[Format::OpenAiResponses],
    url: Some("https://api.perplexity.ai/v1"),
    chat_path: "/responses",
    catalog_id: Some("perplexity"),
    key_variable: "PERPLEXITY_API_KEY",
    call: |ask| super::openai_call(ask, &[Format::OpenAiResponses], &[Extra::Embeddings]),
    ..COMPATIBLE
};
