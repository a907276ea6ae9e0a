//! The kill switch (`enabled: false`): where a request goes that passes untouched.

use super::Endpoint;
use crate::config::{Plan, Provider};
use crate::formats::Format;

/// Where an untouched request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untouched {
    /// The cluster; `None`: no provider is configured.
    pub cluster: Option<String>,
    /// Its path there, where that is another one: below the provider's base path instead of the gateway's.
    pub path: Option<String>,
}

/// Gateway paths below which providers of each format have their own, as they stand in clients' base URLs.
const BASES: &[&str] = &["/v1", "/v1beta"];

/// The first provider that speaks the request's format takes it, the one that serves unread paths before others.
pub fn untouched(plan: &Plan, method: &str, path: &str) -> Untouched {
    let bare = path.split('?').next().unwrap_or(path);
    let format = Endpoint::of(method, bare).format(false);
    let usual = plan.passthrough.and_then(|id| plan.provider(id));
    let speaks = |provider: &&Provider| provider.spec.format == format;
    let provider = usual
        .filter(|_| matches!(format, Format::OpenAiChat | Format::OpenAiResponses))
        .or_else(|| plan.providers.iter().find(speaks))
        .or(plan.providers.first());
    let Some(provider) = provider else { return Untouched { cluster: None, path: None } };
    let below = BASES.iter().find_map(|base| path.strip_prefix(base).filter(|rest| rest.starts_with('/')));
    // Azure has a part of its base path before each of its paths.
    let inner = provider.spec.chat_path.strip_suffix("/chat/completions").unwrap_or_default();
    let there = below.map(|below| format!("{}{inner}{below}", provider.url.path));
    Untouched { cluster: Some(provider.cluster.clone()), path: there.filter(|there| there != path) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use crate::testing::test;

    #[test]
    fn an_untouched_request_reaches_the_path_that_its_provider_has() {
        let plan = |providers: &str| {
            let text = format!("version: 1\nenabled: false\nproviders:\n{providers}");
            load(&text, &|_: &str| Some("k".to_owned())).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
        };
        let groq = "  groq: {api_key: \"${K}\"}\n  anthropic: {api_key: \"${K}\"}\n";
        let glm = "  anthropic: {api_key: \"${K}\"}\n  glm: {api_key: \"${K}\"}\n";
        let bare = "  house: {kind: openai-compatible, url: \"http://127.0.0.1:8000\"}\n";
        let azure = "  azure: {url: \"https://x.openai.azure.com\", api_key: \"${K}\"}\n";
        let gemini = "  groq: {api_key: \"${K}\"}\n  gemini: {api_key: \"${K}\"}\n";
        for (providers, path, cluster, want) in [
            (groq, "/v1/chat/completions", "groq", Some("/openai/v1/chat/completions")),
            (groq, "/v1/chat/completions?a=/v1/b", "groq", Some("/openai/v1/chat/completions?a=/v1/b")),
            (groq, "/v1/audio/speech", "groq", Some("/openai/v1/audio/speech")),
            (groq, "/v1/messages", "anthropic", None),
            (groq, "/v1/messages/count_tokens", "anthropic", None),
            (groq, "/other", "groq", None),
            (groq, "/v1beta/models/m:generateContent", "groq", Some("/openai/v1/models/m:generateContent")),
            (groq, "/v1x/chat", "groq", None),
            (glm, "/v1/embeddings", "glm", Some("/api/paas/v4/embeddings")),
            (bare, "/v1/chat/completions", "house", Some("/chat/completions")),
            (bare, "/v1/messages", "house", Some("/messages")),
            (azure, "/v1/embeddings", "azure", Some("/openai/v1/embeddings")),
            (gemini, "/v1beta/models/m:generateContent", "gemini", None),
        ] {
            let found = untouched(&plan(providers), "POST", path);
            let cluster = Some(format!("conduit.provider.{cluster}"));
            assert_eq!(found, Untouched { cluster, path: want.map(str::to_owned) }, "{path}");
        }
    }
}
