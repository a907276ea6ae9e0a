//! The providers that Conduit knows: one registry table, one file per provider.
//!
//! A new OpenAI-compatible provider is one file and one line of [`REGISTRY`]. A provider with formats or paths of its own
//! says so in its [`Spec::call`].

mod anthropic;
mod azure;
mod bedrock;
mod cohere;
mod compatible;
mod credentials;
mod deepseek;
mod fireworks;
mod gemini;
mod glm;
mod groq;
mod mistral;
mod ollama;
mod openai;
mod openrouter;
mod path;
mod perplexity;
mod together;
mod vertex;
mod vllm;
mod xai;

pub use bedrock::host as bedrock_host;
pub use credentials::{Jwt, credentials, presented};
pub use vertex::host as vertex_host;

use crate::formats::Format;
use crate::formats::embeddings::EmbeddingsFormat;

/// The header by which an attempt tells Envoy to sign for the provider that it names.
pub const SIGN_HEADER: &str = "x-conduit-sign";

/// The header by which the gateway tells Envoy that a target needs an access token of Google Cloud.
pub const WANTS_GOOGLE_HEADER: &str = "x-conduit-google";

/// The header in which Envoy hands that token over.
pub const GOOGLE_TOKEN_HEADER: &str = "x-conduit-google-token";

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
    /// `authorization: Bearer …` with a token that Envoy fetches from Google's metadata server.
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

impl Auth {
    /// Whether Envoy has the credential, not the configuration.
    pub fn is_envoys(self) -> bool {
        matches!(self, Auth::AwsSigV4 | Auth::GcpAuthn)
    }
}

/// What a provider may serve besides chats and embeddings: the paths of OpenAI's that differ most between providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extra {
    /// `/embeddings`
    Embeddings,
    /// `/completions`, the legacy ones.
    Completions,
    /// `/images/…`
    Images,
    /// `/audio/…`
    Audio,
    /// `/rerank`
    Rerank,
    /// `/moderations`
    Moderations,
}

/// A field of a provider's configuration that not every kind knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `api_key`
    ApiKey,
    /// `bearer`, an OAuth token from the environment.
    Bearer,
    /// `api_version`
    ApiVersion,
    /// `region`
    Region,
    /// `project`
    Project,
    /// `location`
    Location,
}

impl Field {
    /// Every one, in the order in which they are shown.
    pub const ALL: [Field; 6] =
        [Field::ApiKey, Field::Bearer, Field::ApiVersion, Field::Region, Field::Project, Field::Location];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Field::ApiKey => "api_key",
            Field::Bearer => "bearer",
            Field::ApiVersion => "api_version",
            Field::Region => "region",
            Field::Project => "project",
            Field::Location => "location",
        }
    }
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
    /// Every format that it has for chats: what `api:` may name.
    pub formats: &'static [Format],
    /// Where it is: origin and base path, without a trailing slash. `None`: the configuration says it, by `url:` or,
    /// for [`Field::Region`] and [`Field::Location`], by the place.
    pub url: Option<&'static str>,
    /// The base path at `conduit mock`.
    pub mock_path: &'static str,
    /// The fields that it knows besides `kind`, `url` and `api`.
    pub fields: &'static [Field],
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
    /// Body parameters that it calls otherwise: OpenAI's name and its own.
    pub renames: &'static [(&'static str, &'static str)],
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
pub const REGISTRY: &[&Spec] = &[
    &openai::SPEC,
    &anthropic::SPEC,
    &azure::SPEC,
    &gemini::SPEC,
    &vertex::SPEC,
    &bedrock::SPEC,
    &groq::SPEC,
    &xai::SPEC,
    &glm::SPEC,
    &deepseek::SPEC,
    &mistral::SPEC,
    &cohere::SPEC,
    &together::SPEC,
    &fireworks::SPEC,
    &openrouter::SPEC,
    &perplexity::SPEC,
    &ollama::SPEC,
    &vllm::SPEC,
    &compatible::SPEC,
];

/// The kind of that name.
pub fn spec(kind: &str) -> Option<&'static Spec> {
    REGISTRY.iter().find(|spec| spec.kind == kind).copied()
}

/// What most kinds have in common: OpenAI's Chat Completions behind a bearer key. A kind names only what differs.
pub(crate) const COMPATIBLE: Spec = Spec {
    kind: "",
    format: Format::OpenAiChat,
    formats: &[Format::OpenAiChat],
    url: None,
    mock_path: "/v1",
    fields: &[Field::ApiKey],
    auth: Auth::Bearer,
    chat_path: "/chat/completions",
    call: |ask| openai_call(ask, &[Format::OpenAiChat], &[]),
    headers: &[],
    rejects: &[],
    renames: &[],
    catalog_id: None,
    key_variable: "",
    key_optional: false,
    stream_options: true,
};

/// The format of a chat: what `api:` says, else the client's where the provider has it natively, else its main one.
fn spoken(ask: &Ask<'_>, native: &[Format]) -> Option<Format> {
    let own = native.iter().find(|format| **format == ask.client).or_else(|| native.first());
    ask.settings.api.or_else(|| own.copied())
}

/// How a server with OpenAI's paths is asked. `native` are the formats that clients of theirs get untranslated, the
/// main one first; another of its formats must be asked for by `api:`.
fn openai_call(ask: &Ask<'_>, native: &[Format], extras: &[Extra]) -> Option<Call> {
    let (path, body) = match ask.operation {
        Operation::Chat => {
            let format = spoken(ask, native)?;
            let path = match format {
                Format::OpenAiChat => "/chat/completions",
                Format::OpenAiResponses => "/responses",
                Format::AnthropicMessages => "/messages",
                Format::Gemini | Format::BedrockConverse => return None,
            };
            (path, Body::Chat(format, Envelope::None))
        }
        Operation::Embeddings if extras.contains(&Extra::Embeddings) => {
            ("/embeddings", Body::Embeddings(EmbeddingsFormat::OpenAi))
        }
        Operation::Pass(path) if passes(path, extras) => (path, Body::AsItIs),
        Operation::Embeddings | Operation::Pass(_) | Operation::CountTokens => return None,
    };
    Some(Call { path: path.to_owned(), body })
}

/// Whether a path below `/v1` may be asked for. Of paths that are not told apart here the provider is the judge: files,
/// batches, fine-tuning and what is yet to come.
fn passes(path: &str, extras: &[Extra]) -> bool {
    let mut parts = path.split(['/', '?']).skip(1);
    let extra = match parts.next() {
        Some("embeddings") => Extra::Embeddings,
        Some("completions") => Extra::Completions,
        Some("images") => Extra::Images,
        Some("audio") => Extra::Audio,
        Some("rerank") => Extra::Rerank,
        Some("moderations") => Extra::Moderations,
        _ => return true,
    };
    extras.contains(&extra)
}

#[cfg(test)]
mod tests;
