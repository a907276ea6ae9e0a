//! Which endpoint of which vendor a path is. Any base path may stand before it.

use super::refusal::Vendor;
use hyper::{HeaderMap, Method};

/// What a request is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Completions,
    Responses,
    Embeddings,
    Images,
    Speech,
    Transcriptions,
    Rerank,
    Models(Option<String>),
    Messages,
    CountTokens,
    Gemini(Gemini),
    /// Claude on Vertex, `:rawPredict` and `:streamRawPredict`.
    RawPredict,
    Bedrock(Bedrock),
}

/// The methods of Google's models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gemini {
    Generate,
    /// As server-sent events, or as one array in pieces.
    Stream {
        sse: bool,
    },
    Count,
    Embed,
    EmbedBatch,
    Predict,
}

/// The actions of Bedrock's runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bedrock {
    Converse { stream: bool },
    Invoke { stream: bool },
    Count,
}

/// Where a request goes, and in whose words it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// `None`: no such path.
    pub endpoint: Option<Endpoint>,
    /// Who admits the request.
    pub gate: Vendor,
    /// Who reads it: Claude's format is Anthropic's wherever it runs.
    pub vendor: Vendor,
    /// The model, where the path names it.
    pub model: Option<String>,
}

impl Endpoint {
    pub fn method(&self) -> Method {
        if matches!(self, Self::Models(_)) { Method::GET } else { Method::POST }
    }
}

impl Target {
    pub fn of(path: &str, query: &str, headers: &HeaderMap) -> Self {
        let path = path.trim_end_matches('/');
        bedrock(path).or_else(|| google(path, query)).unwrap_or_else(|| plain(path, query, headers))
    }
}

/// `/model/ID/ACTION`
fn bedrock(path: &str) -> Option<Target> {
    let (model, action) = path.split_once("/model/")?.1.rsplit_once('/')?;
    let action = match action {
        "converse" => Bedrock::Converse { stream: false },
        "converse-stream" => Bedrock::Converse { stream: true },
        "invoke" => Bedrock::Invoke { stream: false },
        "invoke-with-response-stream" => Bedrock::Invoke { stream: true },
        "count-tokens" => Bedrock::Count,
        _ => return None,
    };
    let vendor = Vendor::Bedrock;
    Some(Target { endpoint: Some(Endpoint::Bedrock(action)), gate: vendor, vendor, model: Some(decode(model)) })
}

/// `/v1beta/models/ID:METHOD`, `/v1/projects/P/locations/L/publishers/google/models/ID:METHOD`, and the list of models.
fn google(path: &str, query: &str) -> Option<Target> {
    let vendor = if path.contains("/publishers/") { Vendor::Vertex } else { Vendor::Gemini };
    let target = |endpoint: Endpoint, model: Option<String>| {
        let vendor_of = if endpoint == Endpoint::RawPredict { Vendor::Anthropic } else { vendor };
        Some(Target { endpoint: Some(endpoint), gate: vendor, vendor: vendor_of, model })
    };
    if let Some((_, rest)) = path.split_once("/v1beta/models")
        && !rest.contains(':')
    {
        return target(Endpoint::Models(rest.strip_prefix('/').map(decode)), None);
    }
    let (model, method) = path.split_once("/models/")?.1.rsplit_once(':')?;
    let endpoint = match method {
        "generateContent" => Endpoint::Gemini(Gemini::Generate),
        "streamGenerateContent" => {
            Endpoint::Gemini(Gemini::Stream { sse: query.split('&').any(|pair| pair == "alt=sse") })
        }
        "countTokens" => Endpoint::Gemini(Gemini::Count),
        "embedContent" => Endpoint::Gemini(Gemini::Embed),
        "batchEmbedContents" => Endpoint::Gemini(Gemini::EmbedBatch),
        "predict" => Endpoint::Gemini(Gemini::Predict),
        "rawPredict" | "streamRawPredict" => Endpoint::RawPredict,
        _ => return None,
    };
    target(endpoint, Some(decode(model)))
}

/// OpenAI's and Anthropic's paths, and Azure's `/openai/deployments/NAME/…`.
fn plain(path: &str, query: &str, headers: &HeaderMap) -> Target {
    let known = [
        ("/chat/completions", Endpoint::Chat),
        ("/completions", Endpoint::Completions),
        ("/responses", Endpoint::Responses),
        ("/embeddings", Endpoint::Embeddings),
        ("/images/generations", Endpoint::Images),
        ("/audio/speech", Endpoint::Speech),
        ("/audio/transcriptions", Endpoint::Transcriptions),
        ("/audio/translations", Endpoint::Transcriptions),
        ("/rerank", Endpoint::Rerank),
        ("/models", Endpoint::Models(None)),
        ("/messages", Endpoint::Messages),
        ("/messages/count_tokens", Endpoint::CountTokens),
    ];
    let end = known.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, endpoint)| endpoint);
    let endpoint = end.or_else(|| path.split_once("/models/").map(|(_, id)| Endpoint::Models(Some(decode(id)))));
    let speaks_anthropic = headers.contains_key("anthropic-version");
    let versioned = query.split('&').any(|pair| pair.starts_with("api-version="));
    let deployment = path.split_once("/openai/deployments/").and_then(|(_, rest)| rest.split_once('/'));
    let vendor = match &endpoint {
        Some(Endpoint::Messages | Endpoint::CountTokens) => Vendor::Anthropic,
        Some(Endpoint::Rerank) => Vendor::Cohere,
        Some(Endpoint::Models(_)) | None if speaks_anthropic => Vendor::Anthropic,
        // A path that other vendors have too is Azure's by its key, its version or a base path that says so.
        _ if deployment.is_some() || versioned || headers.contains_key("api-key") || path.contains("azure") => {
            Vendor::Azure
        }
        _ => Vendor::OpenAi,
    };
    // Azure knows no deployment's path without a version.
    let endpoint = endpoint.filter(|_| deployment.is_none() || versioned);
    Target { endpoint, gate: vendor, vendor, model: deployment.map(|(name, _)| decode(name)) }
}

/// Percent-decoded text.
pub(super) fn decode(text: &str) -> String {
    String::from_utf8_lossy(&decode_bytes(text)).into_owned()
}

/// Percent-decoded bytes; a `%` that begins no code stays.
pub(super) fn decode_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = match (first, after) {
            (b'%', [high, low, ..]) => {
                let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low)
            }
            _ => None,
        };
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_known_below_any_base_path() {
        use Endpoint as E;
        use Vendor as V;
        let gemini = |method| Some(E::Gemini(method));
        let bedrock = |action| Some(E::Bedrock(action));
        for (path, endpoint, gate, vendor, model) in [
            ("/v1/chat/completions", Some(E::Chat), V::OpenAi, V::OpenAi, None),
            ("/api/paas/v4/chat/completions", Some(E::Chat), V::OpenAi, V::OpenAi, None),
            ("/openai/v1/completions", Some(E::Completions), V::OpenAi, V::OpenAi, None),
            ("/v1/responses", Some(E::Responses), V::OpenAi, V::OpenAi, None),
            ("/v1/messages", Some(E::Messages), V::Anthropic, V::Anthropic, None),
            ("/v1/messages/count_tokens", Some(E::CountTokens), V::Anthropic, V::Anthropic, None),
            ("/v1/models/", Some(E::Models(None)), V::OpenAi, V::OpenAi, None),
            ("/v1/models/llama3:70b", Some(E::Models(Some("llama3:70b".into()))), V::OpenAi, V::OpenAi, None),
            ("/v2/rerank", Some(E::Rerank), V::Cohere, V::Cohere, None),
            ("/v1/nothing", None, V::OpenAi, V::OpenAi, None),
            ("/", None, V::OpenAi, V::OpenAi, None),
            (
                "/openai/deployments/my%20gpt/chat/completions?api-version=1",
                Some(E::Chat),
                V::Azure,
                V::Azure,
                Some("my gpt"),
            ),
            ("/openai/deployments/d/chat/completions", None, V::Azure, V::Azure, Some("d")),
            ("/azure/openai/v1/responses", Some(E::Responses), V::Azure, V::Azure, None),
            ("/openai/responses?api-version=preview", Some(E::Responses), V::Azure, V::Azure, None),
            ("/v1beta/models/g+cut=3:generateContent", gemini(Gemini::Generate), V::Gemini, V::Gemini, Some("g+cut=3")),
            (
                "/v1beta/models/g:streamGenerateContent?alt=sse",
                gemini(Gemini::Stream { sse: true }),
                V::Gemini,
                V::Gemini,
                Some("g"),
            ),
            (
                "/v1beta/models/g:streamGenerateContent",
                gemini(Gemini::Stream { sse: false }),
                V::Gemini,
                V::Gemini,
                Some("g"),
            ),
            ("/v1beta/models", Some(E::Models(None)), V::Gemini, V::Gemini, None),
            (
                "/v1/projects/p/locations/l/publishers/google/models/e:predict",
                gemini(Gemini::Predict),
                V::Vertex,
                V::Vertex,
                Some("e"),
            ),
            (
                "/v1/projects/p/locations/l/publishers/anthropic/models/c@1:rawPredict",
                Some(E::RawPredict),
                V::Vertex,
                V::Anthropic,
                Some("c@1"),
            ),
            (
                "/model/a.b-v1%3A0/converse",
                bedrock(Bedrock::Converse { stream: false }),
                V::Bedrock,
                V::Bedrock,
                Some("a.b-v1:0"),
            ),
            (
                "/x/model/arn:a%2Fb/invoke-with-response-stream",
                bedrock(Bedrock::Invoke { stream: true }),
                V::Bedrock,
                V::Bedrock,
                Some("arn:a/b"),
            ),
        ] {
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            let want = Target { endpoint, gate, vendor, model: model.map(str::to_owned) };
            assert_eq!(Target::of(path, query, &HeaderMap::new()), want, "{path}?{query}");
        }
    }

    #[test]
    fn percent_codes_are_decoded_and_other_percents_stay() {
        for (text, want) in [("a%3Ab", "a:b"), ("%e2%82%ac", "€"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("+", "+")] {
            assert_eq!(decode(text), want, "{text}");
        }
    }
}
