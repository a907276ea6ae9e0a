//! The mock's HTTP server: which endpoint, whose format, which fault.

use super::body::Pieces;
use super::faults::Faults;
use super::ledger::Ledger;
use super::refusal::{Refusal, Vendor};
use super::reply::Used;
use super::respond::{Outcome, break_off, play, refused, request_id_name, respond, set_header, write};
use super::{Options, anthropic, openai};
use crate::tokens::{Tokenizer, warm};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::RETRY_AFTER;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const MOST_BODY: usize = 64 << 20;

struct State {
    options: Options,
    ledger: Mutex<Ledger>,
    serial: AtomicU64,
    started: u64,
}

/// An answer and what it used at which model.
pub(super) type Answered = (Outcome, Option<(String, Used)>);

/// What an endpoint may know besides the request.
pub(super) struct Moment {
    /// Unique in this process.
    pub serial: String,
    /// Seconds since the Unix epoch.
    pub created: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint {
    Chat,
    Completions,
    Embeddings,
    Models(Option<String>),
    Messages,
    CountTokens,
}

impl Endpoint {
    /// By the end of the path: any base path may stand before it.
    fn of(path: &str) -> Option<Self> {
        let path = path.trim_end_matches('/');
        let known = [
            ("/chat/completions", Self::Chat),
            ("/completions", Self::Completions),
            ("/embeddings", Self::Embeddings),
            ("/models", Self::Models(None)),
            ("/messages", Self::Messages),
            ("/messages/count_tokens", Self::CountTokens),
        ];
        if let Some((_, endpoint)) = known.into_iter().find(|(end, _)| path.ends_with(end)) {
            return Some(endpoint);
        }
        path.split_once("/models/").map(|(_, model)| Self::Models(Some(model.to_owned())))
    }

    fn vendor(&self, headers: &HeaderMap) -> Vendor {
        match self {
            Self::Messages | Self::CountTokens => Vendor::Anthropic,
            Self::Models(_) if headers.contains_key("anthropic-version") => Vendor::Anthropic,
            _ => Vendor::OpenAi,
        }
    }

    fn method(&self) -> Method {
        if matches!(self, Self::Models(_)) { Method::GET } else { Method::POST }
    }
}

/// The connection is closed without an answer.
#[derive(Debug)]
struct Hangup;

impl std::fmt::Display for Hangup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hung up on demand")
    }
}

impl std::error::Error for Hangup {}

/// Serves on `listener` until `stop` resolves; connections that are open then are closed.
pub async fn serve(listener: TcpListener, options: Options, stop: impl Future<Output = ()>) {
    let started = now();
    let state = Arc::new(State { options, ledger: Mutex::default(), serial: AtomicU64::new(1), started });
    // The first answers shall not wait for vocabularies.
    tokio::task::spawn_blocking(|| [Tokenizer::O200k, Tokenizer::Llama3].map(warm));
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, most likely: some will be free soon.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let state = Arc::clone(&state);
                async move { answer(&state, request).await }
            });
            // Its errors are the client's hang-ups and the cuts that were asked for.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
    connections.shutdown().await;
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl State {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self) -> Moment {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        Moment { serial: format!("{:08x}{serial:08x}", self.started & 0xffff_ffff), created: now() }
    }
}

async fn answer(state: &State, request: Request<Incoming>) -> Result<Response<Pieces>, Hangup> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if let Some(view) = path.strip_prefix("/mock/") {
        return Ok(inspect(state, &parts.method, view));
    }
    let moment = state.moment();
    let endpoint = Endpoint::of(path);
    let vendor = match &endpoint {
        Some(endpoint) => endpoint.vendor(&parts.headers),
        None if parts.headers.contains_key("anthropic-version") => Vendor::Anthropic,
        None => Vendor::OpenAi,
    };
    let refuse = |refusal: &Refusal| refused(refusal, vendor, &moment);
    let body = match Limited::new(body, MOST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(e) if e.is::<http_body_util::LengthLimitError>() => return Ok(refuse(&Refusal::of_status(413))),
        Err(_) => return Err(Hangup),
    };
    let shown = parts.uri.path_and_query().map_or(path, |path| path.as_str());
    state.ledger().note(parts.method.as_str(), shown, &parts.headers, body.clone());

    if !state.options.open
        && let Err(refusal) = admit(&parts.headers, vendor)
    {
        return Ok(refuse(&refusal));
    }
    let Some(endpoint) = endpoint else {
        let message = format!("Invalid URL ({} {path})", parts.method);
        return Ok(refuse(&Refusal::new(404, message)));
    };
    if parts.method != endpoint.method() {
        let message = format!("Not allowed to {} on {path} (HINT: use {})", parts.method, endpoint.method());
        return Ok(refuse(&Refusal::new(405, message)));
    }
    let json: Value = if let Endpoint::Models(_) = endpoint {
        Value::Null
    } else {
        match serde_json::from_slice(&body) {
            Ok(json) => json,
            Err(e) => return Ok(refuse(&unreadable(vendor, &e))),
        }
    };
    let named = json.get("model").and_then(Value::as_str).unwrap_or_default();
    let (model, faults) = match gather(state, named, &parts.headers) {
        Ok(found) => found,
        Err(why) => return Ok(refuse(&Refusal::bad(why))),
    };

    if faults.delay_ms > 0 {
        tokio::time::sleep(faults.delay()).await;
    }
    if faults.hangup {
        return Err(Hangup);
    }
    if let Some(status) = faults.status.filter(|status| *status >= 300) {
        let mut response = refuse(&Refusal::of_status(status));
        set_header(response.headers_mut(), RETRY_AFTER, faults.retry_after.as_deref());
        return Ok(break_off(response, &faults));
    }
    if let Some(scripted) = state.options.script.answer(path, model, &String::from_utf8_lossy(&body)) {
        return Ok(break_off(play(scripted, &faults), &faults));
    }
    let result = match &endpoint {
        Endpoint::Chat => openai::chat(&json, model, &faults, &moment),
        Endpoint::Completions => openai::completions(&json, model, &faults, &moment),
        Endpoint::Embeddings => openai::embeddings(&json, model),
        Endpoint::Models(id) => models(vendor, id.as_deref()),
        Endpoint::Messages => anthropic::messages(&json, model, &parts.headers, &faults, &moment),
        Endpoint::CountTokens => anthropic::count_tokens(&json, model, &parts.headers),
    };
    match result {
        Err(refusal) => Ok(refuse(&refusal)),
        Ok((outcome, used)) => {
            if let Some((model, used)) = used {
                state.ledger().bill(&model, used);
            }
            let mut response = write(outcome, &faults);
            if let Some(status) = faults.status.and_then(|status| StatusCode::from_u16(status).ok()) {
                *response.status_mut() = status;
            }
            set_header(response.headers_mut(), request_id_name(vendor), Some(&format!("req_mock{}", moment.serial)));
            Ok(break_off(response, &faults))
        }
    }
}

fn models(vendor: Vendor, id: Option<&str>) -> Result<Answered, Refusal> {
    let outcome = match vendor {
        Vendor::OpenAi => openai::models(id)?,
        Vendor::Anthropic => anthropic::models(id)?,
    };
    Ok((Outcome::Whole(outcome), None))
}

/// `/mock/requests` and `/mock/bill`.
fn inspect(state: &State, method: &Method, view: &str) -> Response<Pieces> {
    let mut ledger = state.ledger();
    let shown = match (method.as_str(), view) {
        ("GET", "requests") => ledger.requests(),
        ("GET", "bill") => ledger.totals(),
        ("DELETE", "requests" | "bill") => {
            ledger.reset();
            Value::Null
        }
        _ => {
            let hint = "there is GET /mock/requests, GET /mock/bill and DELETE /mock/requests\n";
            return respond(404, "text/plain", Pieces::whole(hint));
        }
    };
    respond(200, "application/json", Pieces::whole(shown.to_string()))
}

/// What both vendors want: some credential. One that says `invalid` is refused.
fn admit(headers: &HeaderMap, vendor: Vendor) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bearer = text("authorization").strip_prefix("Bearer ").map(str::trim).unwrap_or_default();
    let key = match vendor {
        Vendor::Anthropic if !text("x-api-key").is_empty() => text("x-api-key"),
        _ => bearer,
    };
    let message = match (vendor, key.is_empty(), key.contains("invalid")) {
        (_, false, false) => return Ok(()),
        (Vendor::Anthropic, true, _) => "x-api-key header is required",
        (Vendor::Anthropic, _, true) => "invalid x-api-key",
        (Vendor::OpenAi, true, _) => {
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer \
             auth (i.e. Authorization: Bearer YOUR_KEY)."
        }
        (Vendor::OpenAi, _, true) => {
            return Err(Refusal::new(401, "Incorrect API key provided.").code("invalid_api_key"));
        }
    };
    Err(Refusal::new(401, message))
}

fn unreadable(vendor: Vendor, error: &serde_json::Error) -> Refusal {
    Refusal::bad(match vendor {
        Vendor::OpenAi => format!("We could not parse the JSON body of your request. (The JSON is wrong: {error}.)"),
        Vendor::Anthropic => format!("The request body is not valid JSON: {error}"),
    })
}

/// What is asked of the mock: by its options, by the model's name, by headers; the later wins.
fn gather<'m>(state: &State, named: &'m str, headers: &HeaderMap) -> Result<(&'m str, Faults), String> {
    let usual = Faults { status: state.options.fail, delay_ms: state.options.delay_ms, ..Faults::default() };
    let mut faults = usual.clone();
    let model = faults.take_from_model(named)?;
    let mut key = named.to_owned();
    for (name, value) in headers {
        if let Some(name) = name.as_str().strip_prefix("x-mock-") {
            let value = value.to_str().map_err(|_| format!("x-mock-{name} is not text"))?;
            faults.set(name, value)?;
            key.push_str(&format!("\n{name}={value}"));
        }
    }
    if let Some(times) = faults.times
        && state.ledger().uses(&key) >= times
    {
        faults = usual;
    }
    Ok((model, faults))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_known_below_any_base_path() {
        for (path, want) in [
            ("/v1/chat/completions", Some(Endpoint::Chat)),
            ("/api/paas/v4/chat/completions", Some(Endpoint::Chat)),
            ("/openai/v1/completions", Some(Endpoint::Completions)),
            ("/v1/messages", Some(Endpoint::Messages)),
            ("/v1/messages/count_tokens", Some(Endpoint::CountTokens)),
            ("/v1/models/", Some(Endpoint::Models(None))),
            ("/v1/models/gpt-4o", Some(Endpoint::Models(Some("gpt-4o".into())))),
            ("/v1/responses", None),
            ("/", None),
        ] {
            assert_eq!(Endpoint::of(path), want, "{path}");
        }
    }
}
