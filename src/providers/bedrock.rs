//! Amazon Bedrock (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html>, 2026-11-21).
//!
//! Every model is asked by Converse, but for Claude by a client of Anthropic's format: that one is not translated, its
//! words stand in InvokeModel. The target's model is a model's id, an inference profile's (`us.anthropic.claude-…`) or an
//! ARN of either; as one segment of the path all but unreserved characters of it are escaped, as AWS's own clients do.
//!
//! A Bedrock API key goes in as a bearer token. Without one, Envoy signs with the credentials of its own environment
//! (Signature Version 4). Streams are in Amazon's binary framing; usage is in the last frame, `metadata`; errors are
//! `{"message": …}` with the kind in the header `x-amzn-errortype`.

use super::path::segment;
use super::{Ask, Auth, Body, COMPATIBLE, Call, Envelope, Field, Operation, Spec};
use crate::formats::Format;
use crate::formats::embeddings::EmbeddingsFormat;

pub(super) const SPEC: Spec = Spec {
    kind: "bedrock",
    format: Format::BedrockConverse,
    formats: &[Format::BedrockConverse, Format::AnthropicMessages],
    mock_path: "",
    fields: &[Field::ApiKey, Field::Region],
    auth: Auth::AwsSigV4,
    chat_path: "/model",
    call,
    catalog_id: Some("aws"),
    key_variable: "AWS_BEARER_TOKEN_BEDROCK",
    key_optional: true,
    stream_options: false,
    ..COMPATIBLE
};

/// The host of a region.
pub fn host(region: &str) -> String {
    let end = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("bedrock-runtime.{region}.amazonaws.com{end}")
}

fn call(ask: &Ask<'_>) -> Option<Call> {
    let model = ask.model;
    let (verb, body) = match ask.operation {
        Operation::Chat => {
            let claude = model.contains("anthropic.claude") && ask.client == Format::AnthropicMessages;
            let usual = if claude { Format::AnthropicMessages } else { Format::BedrockConverse };
            match (ask.settings.api.unwrap_or(usual), ask.stream) {
                (Format::AnthropicMessages, stream) => {
                    let verb = if stream { "invoke-with-response-stream" } else { "invoke" };
                    (verb, Body::Chat(Format::AnthropicMessages, Envelope::Invoke))
                }
                (_, stream) => {
                    let verb = if stream { "converse-stream" } else { "converse" };
                    (verb, Body::Chat(Format::BedrockConverse, Envelope::None))
                }
            }
        }
        Operation::Embeddings if model.contains("titan-embed-text") => {
            ("invoke", Body::Embeddings(EmbeddingsFormat::Titan))
        }
        Operation::Embeddings if model.contains("cohere.embed") => {
            ("invoke", Body::Embeddings(EmbeddingsFormat::CohereOnBedrock))
        }
        Operation::Embeddings | Operation::CountTokens | Operation::Pass(_) => return None,
    };
    Some(Call { path: format!("/model/{}/{verb}", segment(model)), body })
}
