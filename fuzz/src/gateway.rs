//! Exchanges of a small gateway, for targets that need the whole path.

use conduit::config::{self, Plan};
use conduit::exchange::{Exchange, Headers, Step};
use conduit::formats::Format;
use conduit::host::Time;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

/// When everything happens.
pub const NOW: Time = Time(1_700_000_000_000_000_000);

/// One provider for each format and framing.
pub const TARGETS: [(&str, &str); 8] = [
    ("openai", "gpt-4o"),
    ("answers", "o3"),
    ("anthropic", "claude-sonnet-4-5"),
    ("gemini", "gemini-3-pro-preview"),
    ("bedrock", "amazon.nova-pro-v1:0"),
    ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("vertex", "gemini-2.5-flash"),
    ("mistral", "mistral-large-latest"),
];

const CONFIG: &str = r#"
version: 1
providers:
  openai: {api_key: "${KEY}"}
  answers: {kind: openai, api: responses, api_key: "${KEY}"}
  anthropic: {api_key: "${KEY}"}
  gemini: {api_key: "${KEY}"}
  bedrock: {region: eu-west-1, api_key: "${KEY}"}
  vertex: {project: p, bearer: "${KEY}"}
  mistral: {api_key: "${KEY}"}
aliases:
  w: openai/whisper-1
"#;

static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let plan = config::load(CONFIG, &|_: &str| Some("a-key-of-the-gateway".to_owned()));
    Arc::new(plan.unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
});

/// Headers from pairs.
pub fn headers(pairs: &[(&str, &str)]) -> Headers {
    Headers::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

/// A client's headers.
pub fn post(path: &str, content_type: &str) -> Headers {
    headers(&[(":method", "POST"), (":path", path), (":authority", "gateway"), ("content-type", content_type)])
}

/// An exchange whose body has come, and what became of it.
pub fn exchange(headers: &Headers, body: &[u8]) -> (Rc<RefCell<Exchange>>, Step) {
    let (mut exchange, step) = Exchange::begin(Arc::clone(&PLAN), "x1".to_owned(), headers.clone(), false, NOW);
    let step = if step == Step::Wait { exchange.body(body) } else { step };
    (Rc::new(RefCell::new(exchange)), step)
}

/// Where a client of that format asks that model, and the least that it can say.
pub fn asking(client: Format, model: &str, stream: bool) -> (String, String) {
    let model_in_path = model.replace('/', "%2F").replace(':', "%3A");
    let user = r#"[{"role":"user","content":"hi"}]"#;
    match client {
        Format::OpenAiChat => {
            ("/v1/chat/completions".to_owned(), format!(r#"{{"model":"{model}","stream":{stream},"messages":{user}}}"#))
        }
        Format::OpenAiResponses => (
            "/v1/responses".to_owned(),
            format!(r#"{{"model":"{model}","stream":{stream},"store":false,"input":"hi"}}"#),
        ),
        Format::AnthropicMessages => (
            "/v1/messages".to_owned(),
            format!(r#"{{"model":"{model}","stream":{stream},"max_tokens":9,"messages":{user}}}"#),
        ),
        Format::Gemini => {
            let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let body = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
            (format!("/v1beta/models/{model_in_path}:{verb}"), body.to_owned())
        }
        Format::BedrockConverse => {
            let verb = if stream { "converse-stream" } else { "converse" };
            let body = r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#;
            (format!("/model/{model_in_path}/{verb}"), body.to_owned())
        }
    }
}

/// Loads what is loaded once, such as vocabularies, so that no input seems to take its time.
pub fn warm() {
    let (path, body) = asking(Format::OpenAiChat, "openai/gpt-4o", false);
    exchange(&post(&path, "application/json"), body.as_bytes());
}
