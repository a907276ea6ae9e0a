//! Endpoints: what a method and a path ask for.

use crate::formats::Format;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/messages`
    Messages,
    /// `POST /v1/messages/count_tokens`
    CountTokens,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1beta/models/{model}:generateContent` or `:streamGenerateContent`
    Generate {
        /// The model.
        model: String,
        /// Whether the answer shall be streamed.
        stream: bool,
    },
    /// `POST /model/{model}/converse` or `/converse-stream`
    Converse {
        /// The model.
        model: String,
        /// Whether the answer shall be streamed.
        stream: bool,
    },
    /// `POST /v1/embeddings`
    Embeddings,
    /// `GET /v1/models`, or of one model.
    Models(Option<String>),
    /// `GET /health`
    Health,
    /// `GET /conduit/status`
    Status,
    /// Anything else under `/v1/`: passes to an OpenAI-compatible provider.
    Other {
        /// The path below `/v1`.
        path: String,
    },
    /// A known path with a method that it does not take; with the one that it takes.
    WrongMethod(&'static str),
    /// Nothing here.
    Unknown(String),
}

impl Endpoint {
    /// Every name that [`Endpoint::name`] gives what reaches a rule.
    pub const NAMES: &[&str] = &[
        "chat",
        "messages",
        "responses",
        "generate_content",
        "converse",
        "count_tokens",
        "embeddings",
        "completions",
        "images",
        "audio",
        "rerank",
        "moderations",
        "files",
        "other",
    ];

    /// The endpoint of a method and a path without its query.
    pub fn of(method: &str, path: &str) -> Self {
        let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
        let take = |wanted: &'static str, endpoint| if method == wanted { endpoint } else { Self::WrongMethod(wanted) };
        match path {
            "/health" | "/healthz" if method == "HEAD" => Self::Health,
            "/health" | "/healthz" => take("GET", Self::Health),
            "/conduit/status" => take("GET", Self::Status),
            "/v1/chat/completions" => take("POST", Self::Chat),
            "/v1/messages" => take("POST", Self::Messages),
            "/v1/responses" => take("POST", Self::Responses),
            "/v1/embeddings" => take("POST", Self::Embeddings),
            "/v1/messages/count_tokens" => take("POST", Self::CountTokens),
            "/v1/models" => take("GET", Self::Models(None)),
            _ if let Some(found) = Self::with_model(path) => take("POST", found),
            _ => match path.strip_prefix("/v1/") {
                Some(below) if !below.is_empty() => match below.strip_prefix("models/") {
                    Some(id) if method == "GET" => Self::Models(Some(percent_decoded(id))),
                    // An escaped slash hides `..` from Envoy, but maybe not from the provider.
                    _ if percent_decoded(below).split(['/', '\\']).any(|part| part == "..") => Self::unknown(path),
                    // What a provider would take for another endpoint must not pass as this one, unread.
                    _ if is_disguised(below) => Self::unknown(path),
                    _ => Self::Other { path: format!("/{below}") },
                },
                _ => Self::unknown(path),
            },
        }
    }

    /// Google's and Amazon's paths hold the model's name.
    fn with_model(path: &str) -> Option<Self> {
        let below = path.strip_prefix("/v1beta/models/").or_else(|| path.strip_prefix("/v1/models/"));
        if let Some((model, verb)) = below.and_then(|below| below.rsplit_once(':')) {
            let model = percent_decoded(model);
            return match verb {
                "generateContent" => Some(Self::Generate { model, stream: false }),
                "streamGenerateContent" => Some(Self::Generate { model, stream: true }),
                _ => None,
            };
        }
        let (model, verb) = path.strip_prefix("/model/")?.rsplit_once('/')?;
        let model = percent_decoded(model);
        match verb {
            "converse" => Some(Self::Converse { model, stream: false }),
            "converse-stream" => Some(Self::Converse { model, stream: true }),
            _ => None,
        }
    }

    /// Whether a request that passes starts what no answer to it reports the cost of: jobs, videos, sessions that a
    /// client then holds with the provider itself.
    pub(super) fn is_work_for_later(&self) -> bool {
        const FIRST: &[&str] = &["batches", "fine_tuning", "evals", "threads", "videos", "realtime", "containers"];
        matches!(self, Self::Other { path } if path.split('/').nth(1).is_some_and(|first| FIRST.contains(&first)))
    }

    /// Whether a request that passes costs nothing, whatever it holds.
    pub(super) fn is_free(&self) -> bool {
        matches!(self.name(), "files" | "moderations")
            || matches!(self, Self::Other { path } if path.starts_with("/uploads"))
    }

    /// Whether a request that passes reaches what the provider keeps for the gateway's account: files, jobs, stored
    /// answers, keys. All consumers share that account.
    pub(super) fn is_of_account(&self) -> bool {
        /// What is answered and not kept.
        const ANSWERED: &[&str] = &[
            "completions",
            "images",
            "audio",
            "moderations",
            "rerank",
            "score",
            "classify",
            "tokenize",
            "detokenize",
            "ocr",
            "fim",
        ];
        match self {
            // An escape or a step upwards may lead elsewhere.
            Self::Other { path } => {
                let plain = !path.contains('%') && !path.contains("..");
                !(plain && path.split('/').nth(1).is_some_and(|first| ANSWERED.contains(&first)))
            }
            _ => false,
        }
    }

    /// Whether a chat is asked for, in whatever format.
    pub fn is_chat(&self) -> bool {
        use Endpoint::{Chat, Converse, Generate, Messages, Responses};
        matches!(self, Chat | Messages | Responses | Generate { .. } | Converse { .. })
    }

    /// Whether its answers are read whole, so that a provider's that is empty is none.
    pub(super) fn is_read(&self) -> bool {
        self.is_chat() || *self == Self::Embeddings
    }

    fn unknown(path: &str) -> Self {
        Self::Unknown(path.chars().take(200).collect())
    }

    /// The endpoint's name in rules, records and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Responses => "responses",
            Self::Generate { .. } => "generate_content",
            Self::Converse { .. } => "converse",
            Self::Embeddings => "embeddings",
            Self::Models(_) => "models",
            Self::Health => "health",
            Self::Status => "status",
            Self::Other { path } => match path.as_str() {
                "/completions" => "completions",
                "/rerank" => "rerank",
                "/moderations" => "moderations",
                _ => match path.split('/').nth(1) {
                    Some("images") => "images",
                    Some("audio") => "audio",
                    Some("files") => "files",
                    Some("responses") => "responses",
                    _ => "other",
                },
            },
            Self::WrongMethod(_) | Self::Unknown(_) => "unknown",
        }
    }

    /// The format in which its client wants to be answered.
    pub fn format(&self, anthropic_client: bool) -> Format {
        match self {
            Self::Messages | Self::CountTokens => Format::AnthropicMessages,
            Self::Chat => Format::OpenAiChat,
            Self::Responses => Format::OpenAiResponses,
            Self::Generate { .. } => Format::Gemini,
            Self::Converse { .. } => Format::BedrockConverse,
            _ if anthropic_client => Format::AnthropicMessages,
            _ => Format::OpenAiChat,
        }
    }
}

/// Whether a path below `/v1/` that is none of those with an endpoint of their own is one of them in other letters:
/// servers undo escapes, some merge slashes, pass over parameters of segments (`;`), or do not mind the case.
fn is_disguised(below: &str) -> bool {
    const OWN: &[&str] = &["chat/completions", "messages", "messages/count_tokens", "responses", "embeddings"];
    let plain = percent_decoded(below).replace('\\', "/").to_ascii_lowercase();
    let parts = plain.split('/').filter_map(|part| part.split(';').next());
    let parts: Vec<&str> = parts.map(str::trim).filter(|part| !matches!(*part, "" | ".")).collect();
    OWN.contains(&parts.join("/").as_str())
}

/// `%2F` and the like made plain; what is no valid escape stays as it is.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let decoded = match (first, tail.first().and_then(hex), tail.get(1).and_then(hex)) {
            (b'%', Some(high), Some(low)) => Some((high << 4) | low),
            _ => None,
        };
        out.push(decoded.unwrap_or(first));
        rest = if decoded.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn methods_and_paths_name_endpoints() {
        for (method, path, want) in [
            ("POST", "/v1/chat/completions", Endpoint::Chat),
            ("POST", "/v1/chat/completions/", Endpoint::Chat),
            ("GET", "/v1/chat/completions", Endpoint::WrongMethod("POST")),
            ("POST", "/v1/messages", Endpoint::Messages),
            ("POST", "/v1/messages/count_tokens", Endpoint::CountTokens),
            ("GET", "/v1/models", Endpoint::Models(None)),
            ("GET", "/v1/models/openai%2Fgpt-4o", Endpoint::Models(Some("openai/gpt-4o".into()))),
            ("GET", "/v1/models/openai/gpt-4o", Endpoint::Models(Some("openai/gpt-4o".into()))),
            ("GET", "/v1/models/100%", Endpoint::Models(Some("100%".into()))),
            ("POST", "/v1/embeddings", Endpoint::Embeddings),
            ("POST", "/v1/responses", Endpoint::Responses),
            ("GET", "/v1/responses/resp_1", Endpoint::Other { path: "/responses/resp_1".into() }),
            ("POST", "/v1beta/models/a%2Fb:generateContent", Endpoint::Generate { model: "a/b".into(), stream: false }),
            (
                "POST",
                "/v1beta/models/a/b:1:streamGenerateContent",
                Endpoint::Generate { model: "a/b:1".into(), stream: true },
            ),
            ("POST", "/model/amazon.nova-lite-v1%3A0/converse", {
                Endpoint::Converse { model: "amazon.nova-lite-v1:0".into(), stream: false }
            }),
            ("POST", "/model/a/b/converse-stream", Endpoint::Converse { model: "a/b".into(), stream: true }),
            ("GET", "/v1beta/models/a:generateContent", Endpoint::WrongMethod("POST")),
            ("GET", "/health", Endpoint::Health),
            ("GET", "/conduit/status", Endpoint::Status),
            ("POST", "/conduit/status", Endpoint::WrongMethod("GET")),
            ("GET", "/conduit", Endpoint::Unknown("/conduit".into())),
            ("GET", "/v1/", Endpoint::Unknown("/v1".into())),
            ("GET", "/", Endpoint::Unknown("/".into())),
            ("POST", "/chat/completions", Endpoint::Unknown("/chat/completions".into())),
            ("GET", "/v1/..%2fadmin", Endpoint::Unknown("/v1/..%2fadmin".into())),
            ("GET", "/v1/files/%2E%2e%5Cx", Endpoint::Unknown("/v1/files/%2E%2e%5Cx".into())),
            ("GET", "/v1/files/a..b", Endpoint::Other { path: "/files/a..b".into() }),
            ("POST", "/v1/chat%2Fcompletions", Endpoint::Unknown("/v1/chat%2Fcompletions".into())),
            ("POST", "/v1/chat/%63ompletions", Endpoint::Unknown("/v1/chat/%63ompletions".into())),
            ("POST", "/v1//chat/completions", Endpoint::Unknown("/v1//chat/completions".into())),
            ("POST", "/v1/chat/completions//", Endpoint::Unknown("/v1/chat/completions/".into())),
            ("POST", "/v1/./Responses;x=y", Endpoint::Unknown("/v1/./Responses;x=y".into())),
            ("POST", "/v1/messages%5Ccount_tokens", Endpoint::Unknown("/v1/messages%5Ccount_tokens".into())),
            ("POST", "/v1/responses/r/cancel", Endpoint::Other { path: "/responses/r/cancel".into() }),
        ] {
            let found = Endpoint::of(method, path);
            let routed = !matches!(
                found,
                Endpoint::WrongMethod(_)
                    | Endpoint::Unknown(_)
                    | Endpoint::Models(_)
                    | Endpoint::Health
                    | Endpoint::Status
            );
            assert_eq!(Endpoint::NAMES.contains(&found.name()), routed, "{}", found.name());
            assert_eq!(found, want, "{method} {path}");
        }
    }
}
