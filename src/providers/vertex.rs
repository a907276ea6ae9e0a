//! Google Cloud's Vertex AI (<https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>,
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude>,
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/maas/call-open-model-apis>, 2026-11-21).
//!
//! | model | asked by |
//! |---|---|
//! | `gemini-…`, `google/…`, `endpoints/ID` | Gemini's format |
//! | `claude-…`, `anthropic/…` | Anthropic's Messages in `rawPredict`, whatever the client speaks |
//! | `meta/llama-…` and others with a publisher | OpenAI's Chat Completions at `endpoints/openapi` |
//!
//! `project:` is needed, `location:` is `global` unless said. The credential is an OAuth access token: from `bearer:`, or
//! fetched by Envoy's `gcp_authn` from the metadata server of the Google machine that it runs on.

use super::gemini::verb;
use super::path::{escaped, segment};
use super::{Ask, Auth, Body, COMPATIBLE, Call, Envelope, Field, Operation, Spec};
use crate::formats::Format;
use crate::formats::embeddings::EmbeddingsFormat;

pub(super) const SPEC: Spec = Spec {
    kind: "vertex",
    format: Format::Gemini,
    formats: &[Format::Gemini, Format::OpenAiChat, Format::AnthropicMessages],
    mock_path: "",
    fields: &[Field::Bearer, Field::Project, Field::Location],
    auth: Auth::GcpAuthn,
    chat_path: "/v1/projects",
    call,
    catalog_id: Some("google"),
    key_variable: "GOOGLE_CLOUD_TOKEN",
    key_optional: true,
    ..COMPATIBLE
};

/// Where models are when `location:` does not say.
const USUAL_LOCATION: &str = "global";

/// The host of a location: one for all, one for each of the two multi-regions, one for each region.
pub fn host(location: Option<&str>) -> String {
    match location.unwrap_or(USUAL_LOCATION) {
        "global" => "aiplatform.googleapis.com".to_owned(),
        multi @ ("us" | "eu") => format!("aiplatform.{multi}.rep.googleapis.com"),
        region => format!("{region}-aiplatform.googleapis.com"),
    }
}

/// Who made a model, and its name there. Publishers without a name of their own in it are told by the model's.
fn publisher(model: &str) -> (&str, &str) {
    match model.split_once('/') {
        Some(pair) => pair,
        None if model.starts_with("claude") => ("anthropic", model),
        None => ("google", model),
    }
}

fn call(ask: &Ask<'_>) -> Option<Call> {
    let location = ask.settings.location.as_deref().unwrap_or(USUAL_LOCATION);
    let project = segment(ask.settings.project.as_deref().unwrap_or_default());
    let place = format!("/v1/projects/{project}/locations/{}", segment(location));
    let (publisher, model) = publisher(ask.model);
    let model = escaped(model, "@");
    let model = match publisher {
        "endpoints" => format!("endpoints/{model}"),
        _ => format!("publishers/{}/models/{model}", segment(publisher)),
    };
    let (path, body) = match ask.operation {
        Operation::Chat => match (ask.settings.api, publisher) {
            // Claude has one way only; `api:` is about the others.
            (Some(Format::AnthropicMessages), _) | (_, "anthropic") => {
                let verb = if ask.stream { "streamRawPredict" } else { "rawPredict" };
                (format!("{model}:{verb}"), Body::Chat(Format::AnthropicMessages, Envelope::RawPredict))
            }
            (Some(Format::Gemini), _) | (None, "google" | "endpoints") => {
                (format!("{model}:{}", verb(ask.stream)), Body::Chat(Format::Gemini, Envelope::None))
            }
            _ => {
                let body = Body::Chat(Format::OpenAiChat, Envelope::None);
                ("endpoints/openapi/chat/completions".to_owned(), body)
            }
        },
        Operation::Embeddings if matches!(publisher, "google" | "endpoints") => {
            (format!("{model}:predict"), Body::Embeddings(EmbeddingsFormat::VertexPredict))
        }
        Operation::Embeddings | Operation::CountTokens | Operation::Pass(_) => return None,
    };
    Some(Call { path: format!("{place}/{path}"), body })
}
