//! Azure OpenAI (<https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle>,
//! <https://learn.microsoft.com/azure/ai-foundry/openai/reference>, 2026-11-21). `url:` is the resource,
//! `https://NAME.openai.azure.com`; the target's model is the **deployment's** name.
//!
//! Without `api_version:` its v1 paths are used, `/openai/v1/…`, which take the deployment as `model`; with it the dated
//! ones, `/openai/deployments/DEPLOYMENT/…?api-version=…`, in which Responses (from 2025-03-01-preview) stand outside the
//! deployments. The key goes in `api-key`; a token of Microsoft Entra ID, from `bearer:`, in `authorization`. Errors are in
//! OpenAI's shape; the content filter's verdict is in `error.innererror`, and in `content_filter_results` of answers, whose
//! first chunk in a stream has no choice. Versions before 2024-09-01-preview refuse `stream_options`.

use super::path::segment;
use super::{Ask, Auth, Body, COMPATIBLE, Call, Extra, Field, Operation, Spec, openai_call};
use crate::formats::Format;

pub(super) const SPEC: Spec = Spec {
    kind: "azure",
    formats: &[Format::OpenAiChat, Format::OpenAiResponses],
    mock_path: "",
    fields: &[Field::ApiKey, Field::Bearer, Field::ApiVersion],
    auth: Auth::ApiKey,
    chat_path: "/openai/v1/chat/completions",
    call,
    catalog_id: Some("azure"),
    key_variable: "AZURE_OPENAI_API_KEY",
    ..COMPATIBLE
};

const EXTRAS: &[Extra] = &[Extra::Embeddings, Extra::Completions, Extra::Images, Extra::Audio];

/// The first dated version that has Responses. Versions compare as texts.
const FIRST_RESPONSES: &str = "2025-03-01";

fn call(ask: &Ask<'_>) -> Option<Call> {
    let dated = ask.settings.api_version.as_deref();
    let responses = dated.is_none_or(|version| version >= FIRST_RESPONSES);
    let native: &[Format] =
        if responses { &[Format::OpenAiChat, Format::OpenAiResponses] } else { &[Format::OpenAiChat] };
    let call = openai_call(ask, native, EXTRAS)?;
    let Some(version) = dated else {
        return Some(Call { path: format!("/openai/v1{}", call.path), ..call });
    };
    let version = segment(version);
    // What is of no single model stands outside the deployments: files, batches, responses.
    let of_a_model = match ask.operation {
        Operation::Pass(path) => {
            matches!(path.split('/').nth(1), Some("completions" | "images" | "audio")) && !ask.model.is_empty()
        }
        _ => call.body != Body::Chat(Format::OpenAiResponses, super::Envelope::None),
    };
    let place = if of_a_model { format!("/deployments/{}", segment(ask.model)) } else { String::new() };
    let query = if call.path.contains('?') { '&' } else { '?' };
    Some(Call { path: format!("/openai{place}{}{query}api-version={version}", call.path), ..call })
}
