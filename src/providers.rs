//! The providers that Conduit knows: one registry table, one file per provider.
//!
//! A new OpenAI-compatible provider is one file and one line of [`REGISTRY`]. A provider with formats or paths of its own
//! says so in its [`Spec::call`].

mod anthropic;
mod compatible;
mod glm;
mod groq;
mod openai;
mod xai;

pub use glm::bearer as glm_bearer;

use crate::formats::Format;
use crate::formats::embeddings::EmbeddingsFormat;

/// How a provider wants its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `authorization: Bearer …`
    Bearer,
    /// `x-api-key: …`
    XApiKey,
    /// `api-key: …`, Azure's.
    ApiKey,
    /// `x-goog-api-key: …`
    XGoogApiKey,
    /// `authorization: Bearer` with a JWT made from `id.secret`, or the key as it is where it has no such shape.
    GlmJwt,
    /// None from here: Envoy signs the attempt for AWS, Signature Version 4.
    AwsSigV4,
    /// None from here: Envoy fetches a token from Google's metadata server.
    GcpAuthn,
}

/// What is asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// A chat, in any format.
    Chat,
    /// Anthropic's count of a prompt's tokens.
    CountTokens,
    /// Embeddings, in OpenAI's format.
    Embeddings,
    /// What passes unread: the path below `/v1`, such as `/images/generations`.
    Pass(&'a str),
}

/// What a provider's configuration says besides address and credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `api:`, the format that every client is translated to; `None`: the client's own where the provider has it.
    pub api: Option<Format>,
    /// Azure's `api-version`; `None`: its v1 paths, which need none.
    pub api_version: Option<String>,
    /// AWS region.
    pub region: Option<String>,
    /// Google Cloud project.
    pub project: Option<String>,
    /// Google Cloud location.
    pub location: Option<String>,
}

/// A question to [`Spec::call`].
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// What is asked.
    pub operation: Operation<'a>,
    /// The client's format.
    pub client: Format,
    /// The model name that the provider knows.
    pub model: &'a str,
    /// Whether the answer shall be streamed.
    pub stream: bool,
    /// The provider's settings.
    pub settings: &'a Settings,
}

/// How a provider is asked: where, and in which words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The path below the base path, with its query where it needs one.
    pub path: String,
    /// What the body says.
    pub body: Body,
}

/// What a request's body says to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// A chat.
    Chat(Format, Envelope),
    /// Embeddings.
    Embeddings(EmbeddingsFormat),
    /// What the client said, but for the model's name.
    AsItIs,
}

/// What stands around a chat's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// Nothing.
    None,
    /// Anthropic's format in Bedrock's InvokeModel: the model in the path, a version in the body, streamed answers in
    /// Amazon's event stream.
    Invoke,
    /// Anthropic's format in Vertex's rawPredict: the model in the path, a version in the body.
    RawPredict,
}

/// A kind of provider.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its name in `conduit.yaml`: the provider's name where it is a known one, else `kind:`.
    pub kind: &'static str,
    /// Its main format: what clients are translated to whose own it does not have.
    pub format: Format,
    /// Where it is: origin and base path, without a trailing slash. `None`: the configuration must say `url:`.
    pub url: Option<&'static str>,
    /// How it wants its credential.
    pub auth: Auth,
    /// Path of the chat endpoint below the base path.
    pub chat_path: &'static str,
    /// How it is asked; `None` where it does not serve the operation.
    pub call: fn(&Ask<'_>) -> Option<Call>,
    /// Headers that each request needs.
    pub headers: &'static [(&'static str, &'static str)],
    /// Body parameters that it rejects.
    pub rejects: &'static [&'static str],
    /// Its id in the price catalog.
    pub catalog_id: Option<&'static str>,
    /// The environment variable that usually holds its key.
    pub key_variable: &'static str,
    /// Whether it can be used without a credential.
    pub key_optional: bool,
    /// Whether it takes `stream_options.include_usage`.
    pub stream_options: bool,
}

/// Every kind, in the order in which they are shown.
pub const REGISTRY: &[&Spec] =
    &[&openai::SPEC, &anthropic::SPEC, &groq::SPEC, &xai::SPEC, &glm::SPEC, &compatible::SPEC];

/// The kind of that name.
pub fn spec(kind: &str) -> Option<&'static Spec> {
    REGISTRY.iter().find(|spec| spec.kind == kind).copied()
}

/// How most servers that speak OpenAI's Chat Completions are asked: OpenAI's paths, one format.
fn compatible_call(ask: &Ask<'_>) -> Option<Call> {
    let chat = |format, path: &str| Call { path: path.to_owned(), body: Body::Chat(format, Envelope::None) };
    Some(match ask.operation {
        Operation::Chat => chat(Format::OpenAiChat, "/chat/completions"),
        Operation::Embeddings => {
            Call { path: "/embeddings".to_owned(), body: Body::Embeddings(EmbeddingsFormat::OpenAi) }
        }
        Operation::Pass(path) => Call { path: path.to_owned(), body: Body::AsItIs },
        Operation::CountTokens => return None,
    })
}

/// The same for servers that speak OpenAI's Responses too: clients of that format are not translated.
fn responses_too(ask: &Ask<'_>) -> Option<Call> {
    let wanted = ask.settings.api.unwrap_or(ask.client);
    if ask.operation == Operation::Chat && wanted == Format::OpenAiResponses {
        let body = Body::Chat(Format::OpenAiResponses, Envelope::None);
        return Some(Call { path: "/responses".to_owned(), body });
    }
    compatible_call(ask)
}
