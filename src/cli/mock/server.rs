//! The mock's HTTP server: which endpoint, whose format, which fault.

use super::body::Pieces;
use super::credential::admit;
use super::endpoint::{Endpoint, Target};
use super::faults::Faults;
use super::json::{put, text};
use super::ledger::Ledger;
use super::meter::Meter;
use super::refusal::{Refusal, Vendor};
use super::respond::{
    Answered, JSON, Outcome, add_usage, extent, play, refused, refused_with, respond, set_header, sign, spoil, write,
};
use super::sigv4::Signed;
use super::{Options, anthropic, bedrock, form, gemini, media, openai, responses};
use crate::tokens::{Tokenizer, tokenizer_for, warm};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, RETRY_AFTER};
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
    ledger: Arc<Mutex<Ledger>>,
    serial: AtomicU64,
    started: u64,
}

/// What an endpoint may know besides the request.
pub(super) struct Moment {
    /// Unique in this process.
    pub serial: String,
    /// Seconds since the Unix epoch.
    pub created: u64,
    ledger: Arc<Mutex<Ledger>>,
}

impl Moment {
    pub fn request_id(&self) -> String {
        format!("req_mock{}", self.serial)
    }

    /// What the mock remembers.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
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
    let state = Arc::new(State { options, ledger: Arc::default(), serial: AtomicU64::new(1), started });
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
        Moment {
            serial: format!("{:08x}{serial:08x}", self.started & 0xffff_ffff),
            created: now(),
            ledger: Arc::clone(&self.ledger),
        }
    }
}

async fn answer(state: &State, request: Request<Incoming>) -> Result<Response<Pieces>, Hangup> {
    let (parts, body) = request.into_parts();
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    if let Some(view) = path.strip_prefix("/mock/") {
        return Ok(inspect(state, &parts.method, view));
    }
    let moment = state.moment();
    let target = Target::of(path, query, &parts.headers);
    let refuse = |refusal: &Refusal| refused(refusal, target.gate, &moment);
    let body = match Limited::new(body, MOST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(e) if e.is::<http_body_util::LengthLimitError>() => return Ok(refuse(&Refusal::of_status(413))),
        Err(_) => return Err(Hangup),
    };
    let shown = parts.uri.path_and_query().map_or(path, |path| path.as_str());
    state.ledger().note(parts.method.as_str(), shown, &parts.headers, body.clone());

    let signed = Signed { method: parts.method.as_str(), path, query, headers: &parts.headers, body: &body };
    if !state.options.open
        && let Err(refusal) = admit(target.gate, &signed, &state.options.aws, moment.created)
    {
        return Ok(refuse(&refusal));
    }
    let Some(endpoint) = &target.endpoint else {
        let message = format!("Invalid URL ({} {path})", parts.method);
        return Ok(refuse(&Refusal::new(404, message)));
    };
    if parts.method != endpoint.method() {
        let message = format!("Not allowed to {} on {path} (HINT: use {})", parts.method, endpoint.method());
        return Ok(refuse(&Refusal::new(405, message)));
    }
    let json = match read(endpoint, &target, &parts.headers, &body) {
        Ok(json) => json,
        Err(refusal) => return Ok(refused(&refusal, target.vendor, &moment)),
    };
    let named = target.model.as_deref().unwrap_or_else(|| text(&json, "model"));
    let (model, faults) = match gather(state, named, &parts.headers) {
        Ok(found) => found,
        Err(why) => return Ok(refuse(&Refusal::bad(why))),
    };

    let asked =
        Asked { body: &json, model, vendor: target.vendor, headers: &parts.headers, faults: &faults, moment: &moment };
    if faults.delay_ms > 0 {
        tokio::time::sleep(faults.delay()).await;
    }
    if faults.hangup {
        return Err(Hangup);
    }
    if let Some(status) = faults.status.filter(|status| *status >= 300) {
        let refusal = Refusal::of_status(status);
        let mut response = match faults.usage {
            true => failed(state, endpoint, &target, &refusal, &asked),
            false => refuse(&refusal),
        };
        set_header(response.headers_mut(), RETRY_AFTER, faults.retry_after.as_deref());
        return Ok(spoil(response, &faults));
    }
    if let Some(scripted) = state.options.script.answer(path, model, &String::from_utf8_lossy(&body)) {
        return Ok(spoil(play(scripted, &faults), &faults));
    }
    match dispatch(endpoint, &target, &asked) {
        Err(refusal) => Ok(spoil(refused(&refusal, target.vendor, &moment), &faults)),
        Ok(Answered { outcome, bill, headers }) => {
            let extent = extent(&outcome, &faults);
            let mut response = write(outcome, &faults);
            if let Some(bill) = bill {
                let reports = !faults.no_usage && !faults.garbage;
                let tokenizer = tokenizer_for(vendor_name(target.vendor), &bill.model);
                let meter = Meter::new(Arc::clone(&state.ledger), bill, extent, reports, tokenizer);
                response = response.map(|body| body.metered(meter));
            }
            if let Some(status) = faults.status.and_then(|status| StatusCode::from_u16(status).ok()) {
                *response.status_mut() = status;
            }
            for (name, value) in headers {
                set_header(response.headers_mut(), HeaderName::from_static(name), Some(&value));
            }
            sign(response.headers_mut(), target.gate, &moment);
            Ok(spoil(response, &faults))
        }
    }
}

/// An error that reports what its request had used until it failed, and bills it.
fn failed(
    state: &State,
    endpoint: &Endpoint,
    target: &Target,
    refusal: &Refusal,
    asked: &Asked<'_>,
) -> Response<Pieces> {
    let mut whole = asked.body.clone();
    if let Some(fields) = whole.as_object_mut() {
        fields.remove("stream");
        fields.remove("stream_options");
    }
    let mut body = refusal.body(target.vendor, &asked.moment.request_id());
    if let Ok(Answered { outcome: Outcome::Whole(answer), bill: Some(bill), .. }) =
        dispatch(endpoint, target, &Asked { body: &whole, ..*asked })
    {
        add_usage(&mut body, &answer);
        state.ledger().bill(&bill, true);
    }
    refused_with(refusal, body, target.vendor, asked.moment)
}

/// The kind of provider that a vendor is, as vocabularies know it.
fn vendor_name(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::OpenAi | Vendor::Azure => "openai",
        Vendor::Anthropic => "anthropic",
        Vendor::Gemini | Vendor::Vertex => "gemini",
        Vendor::Bedrock => "bedrock",
        Vendor::Cohere => "cohere",
    }
}

/// The request's body as JSON; a form's fields as strings.
fn read(endpoint: &Endpoint, target: &Target, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    match endpoint {
        Endpoint::Models(_) => return Ok(Value::Null),
        Endpoint::Transcriptions => return form::read(headers, body),
        _ => {}
    }
    let mut json = serde_json::from_slice(body).map_err(|e| unreadable(target.vendor, &e))?;
    // The path of an Azure deployment says the model; the body need not.
    if target.vendor == Vendor::Azure
        && let Some(model) = &target.model
    {
        put(&mut json, "model", Value::String(model.clone()));
    }
    Ok(json)
}

/// A request that was read, and how to answer it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub body: &'a Value,
    /// Without its faults.
    pub model: &'a str,
    pub vendor: Vendor,
    pub headers: &'a HeaderMap,
    pub faults: &'a Faults,
    pub moment: &'a Moment,
}

fn dispatch(endpoint: &Endpoint, target: &Target, asked: &Asked<'_>) -> Result<Answered, Refusal> {
    match endpoint {
        Endpoint::Chat => openai::chat(asked),
        Endpoint::Completions => openai::completions(asked),
        Endpoint::Responses => responses::responses(asked),
        Endpoint::Embeddings => openai::embeddings(asked),
        Endpoint::Images => media::images(asked),
        Endpoint::Speech => media::speech(asked),
        Endpoint::Transcriptions => media::transcriptions(asked),
        Endpoint::Rerank => media::rerank(asked),
        Endpoint::Models(id) => models(target.vendor, id.as_deref()),
        Endpoint::Messages => anthropic::messages(asked),
        Endpoint::CountTokens => anthropic::count_tokens(asked),
        Endpoint::RawPredict => anthropic::raw_predict(asked),
        Endpoint::Gemini(method) => gemini::answer(*method, asked),
        Endpoint::Bedrock(action) => bedrock::answer(*action, asked),
    }
}

fn models(vendor: Vendor, id: Option<&str>) -> Result<Answered, Refusal> {
    let outcome = match vendor {
        Vendor::Anthropic => anthropic::models(id)?,
        Vendor::Gemini => gemini::models(id)?,
        _ => openai::models(id)?,
    };
    Ok(Answered::free(Outcome::Whole(outcome)))
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
    respond(200, JSON, Pieces::whole(shown.to_string()))
}

fn unreadable(vendor: Vendor, error: &serde_json::Error) -> Refusal {
    Refusal::bad(match vendor {
        Vendor::Anthropic => format!("The request body is not valid JSON: {error}"),
        Vendor::Gemini | Vendor::Vertex => format!("Invalid JSON payload received. {error}"),
        Vendor::Bedrock => "Malformed input request, please reformat your input and try again.".to_owned(),
        _ => format!("We could not parse the JSON body of your request. (The JSON is wrong: {error}.)"),
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
