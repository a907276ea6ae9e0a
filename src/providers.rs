//! The providers that Conduit knows: one registry table, one file per provider.
//!
//! A new OpenAI-compatible provider is one file and one line of [`REGISTRY`].

mod anthropic;
mod compatible;
mod glm;
mod groq;
mod openai;
mod xai;

pub use glm::bearer as glm_bearer;

use crate::formats::Format;

/// How a provider wants its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `authorization: Bearer …`
    Bearer,
    /// `x-api-key: …`
    XApiKey,
    /// `authorization: Bearer` with a JWT made from `id.secret`, or the key as it is where it has no such shape.
    GlmJwt,
}

/// A kind of provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name in `conduit.yaml`: the provider's name where it is a known one, else `kind:`.
    pub kind: &'static str,
    /// The format it speaks.
    pub format: Format,
    /// Where it is: origin and base path, without a trailing slash. `None`: the configuration must say `url:`.
    pub url: Option<&'static str>,
    /// How it wants its credential.
    pub auth: Auth,
    /// Path of the chat endpoint below the base path.
    pub chat_path: &'static str,
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
