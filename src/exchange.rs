//! The path of one client request as a state machine. No input or output: headers, bytes and the time go in, a step
//! comes out; the filter (or a test) carries it out.
//!
//! [`Exchange`] is the gateway's side, one per client request: parse, count, admit, route; at the end account and
//! report. [`Attempt`] is the upstream's side, one per attempt at a provider: translate there and back. An attempt reads
//! the exchange's parsed request and writes down what was used; it never sees what an earlier attempt wrote.

mod admission;
mod answer;
mod askable;
mod attempt;
mod counting;
mod decide;
mod decoding;
mod embeddings;
mod endpoint;
mod form;
mod frames;
mod headers;
mod ledger;
mod letting_in;
mod limits;
mod listing;
mod outgoing;
mod own_parameters;
mod passing;
mod preview;
mod refusal;
mod sending;
pub mod status;
mod stream;
mod untouched;
mod whole;
mod worst;

pub use answer::AnswerEdits;
pub use attempt::{AnswerHead, Attempt, AttemptError, lost_exchange};
pub use decide::decide;
pub use endpoint::Endpoint;
pub(crate) use endpoint::percent_decoded;
pub use headers::{HeaderEdits, Headers};
pub use ledger::{Ledger, Tried};
pub use preview::Preview;
pub use untouched::{Untouched, untouched};

use crate::admit::{self, Caller, Denied};
use crate::config::{Plan, Target};
use crate::cost::Usd;
use crate::formats::canonical::{ApiError, ChatRequest};
use crate::formats::embeddings::EmbeddingsRequest;
use crate::formats::{Format, anthropic_messages};
use crate::host::{Secret, Time, World};
use crate::route::{Decision, Reason};
use crate::usage::{Count, Known, Tokens};
use admission::Admission;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The request header that the route's `cluster_header` reads.
pub const CLUSTER_HEADER: &str = "x-conduit-cluster";
/// The response header by which the upstream role says that an answer is a provider's and not Envoy's own.
pub const ANSWERED_HEADER: &str = "x-conduit-answered";

/// What the gateway shall do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Wait for the body.
    Wait,
    /// Send it on, after these edits of its headers.
    Forward(HeaderEdits),
    /// Answer it here.
    Reply(Reply),
}

/// An answer of the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers, lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("content-type".into(), "application/json".into())], body }
    }

    /// A reply in place of an answer whose headers were to be edited so and which was to have that body.
    pub fn instead(status: u16, edits: &HeaderEdits, body: Vec<u8>) -> Self {
        let kept = edits.set.iter().filter(|(name, _)| !name.starts_with(':') && name != "content-length");
        Self { status, headers: kept.cloned().collect(), body }
    }
}

/// One client request, from its headers to its record.
#[derive(Debug)]
pub struct Exchange {
    world: World,
    plan: Arc<Plan>,
    id: String,
    /// The request's headers as the client sent them.
    headers: Headers,
    endpoint: Endpoint,
    format: Format,
    caller: Caller,
    /// The consumer's place in the plan.
    consumer: Option<usize>,
    denied: Option<Denied>,
    began: Time,
    /// The time of what happens now.
    now: Time,
    request: Option<ChatRequest>,
    embeddings: Option<EmbeddingsRequest>,
    /// Whether a request that passes unread asks for a stream.
    streams: bool,
    /// Whether such a stream is made to report usage that its client did not ask for.
    hides_usage: bool,
    /// The access token of Google Cloud that Envoy fetched for this exchange.
    google_token: Option<Secret>,
    /// Bytes of a body that was not waited for.
    passed: usize,
    /// Bytes of a body that was waited for.
    body_bytes: usize,
    /// The body for the first target, by its name, and what was dropped of it.
    prepared: Option<(String, outgoing::Sent)>,
    model_asked: Option<String>,
    counted: Option<Count>,
    /// The same before anything learned corrected it.
    raw: Option<Count>,
    /// The target in whose vocabulary they were counted.
    counted_for: Option<Arc<Target>>,
    decision: Option<Decision>,
    /// What is reserved for it.
    admission: Option<Admission>,
    /// What budgets hold for spent because nobody knows the cost.
    held: Option<Usd>,
    /// The budget or limit that it did not fit.
    exceeded: Option<String>,
    /// The targets of which one was refused room last.
    refused_for: Option<Vec<Arc<Target>>>,
    /// The output limit and the number of answers of a request that passes unread.
    passing_limits: (Option<u64>, u64),
    /// Whether its provider adds to its prompt.
    passing_grows: bool,
    /// Whether a body follows the request's headers.
    has_body: bool,
    ledger: Ledger,
    request_id: Option<String>,
    query: String,
    replied: Option<u16>,
    status: Option<u16>,
    first_byte: Option<Time>,
    answer_ended: bool,
    local_failure: bool,
    /// What was used is accounted for.
    settled: bool,
    /// The usage is our own count, because the provider reported none.
    estimated: bool,
}

impl Exchange {
    /// Begins an exchange with a request's headers. `ends` says that no body follows; `id` names the exchange on this worker.
    pub fn begin(plan: Arc<Plan>, id: String, headers: Headers, ends: bool, now: Time) -> (Self, Step) {
        Self::begin_in(World::default(), plan, id, headers, ends, now)
    }

    /// The same where workers share what they learn.
    pub fn begin_in(
        world: World,
        plan: Arc<Plan>,
        id: String,
        headers: Headers,
        ends: bool,
        now: Time,
    ) -> (Self, Step) {
        let path = headers.get(":path").unwrap_or("/");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let method = headers.get(":method").unwrap_or("GET");
        let endpoint = Endpoint::of(method, path);
        let anthropic_client = headers.get("anthropic-version").is_some();
        let (identified, denied) = match admit::identify(&plan, &headers, &world.peer, now) {
            Ok(identified) => (identified, None),
            Err(denied) => ((admit::stranger(&headers, &world.peer), None), Some(denied)),
        };
        let (caller, consumer) = identified;
        let mut exchange = Self {
            format: endpoint.format(anthropic_client),
            caller,
            consumer,
            denied,
            world,
            plan,
            id,
            began: now,
            now,
            request: None,
            embeddings: None,
            streams: false,
            hides_usage: false,
            google_token: None,
            passed: 0,
            body_bytes: 0,
            prepared: None,
            model_asked: None,
            counted: None,
            raw: None,
            counted_for: None,
            decision: None,
            admission: None,
            held: None,
            exceeded: None,
            refused_for: None,
            passing_limits: (None, 1),
            passing_grows: false,
            has_body: !ends,
            ledger: Ledger::default(),
            request_id: headers.get("x-request-id").map(str::to_owned),
            query: headers::without_credentials(query),
            replied: None,
            status: None,
            first_byte: None,
            answer_ended: false,
            local_failure: false,
            settled: false,
            estimated: false,
            endpoint,
            headers,
        };
        let mut step = exchange.head(ends);
        if step == Step::Wait && exchange.is_compressed() {
            step = exchange.compressed();
        }
        (exchange, step)
    }

    fn head(&mut self, ends: bool) -> Step {
        let too_large = self
            .headers
            .get("content-length")
            .and_then(|length| length.trim().parse::<u64>().ok())
            .is_some_and(|length| length > self.plan.max_body);
        if let Some(denied) = self.denied.take().filter(|_| self.endpoint != Endpoint::Health) {
            return self.not_let_in(&denied);
        }
        if too_large {
            return self.too_large();
        }
        match &self.endpoint {
            Endpoint::Health => self.reply(Reply::json(200, br#"{"status":"ok"}"#.to_vec())),
            Endpoint::Status => self.status_page(),
            Endpoint::Models(id) => {
                let health = |target: &Target| self.health(target);
                let consumer = self.consumer.and_then(|place| self.plan.consumers.list.get(place));
                let allowed = consumer.map(|consumer| &consumer.allowed);
                let reply = listing::models(&self.plan, allowed, id.as_deref(), self.format, self.began, &health);
                self.reply(reply)
            }
            Endpoint::WrongMethod(allowed) => {
                let error = ApiError::new(405, format!("this path takes {allowed} only"));
                let allowed = (*allowed).to_owned();
                let mut reply = self.error(&error);
                if let Step::Reply(reply) = &mut reply {
                    reply.headers.push(("allow".into(), allowed));
                }
                reply
            }
            Endpoint::Unknown(path) => {
                let error = ApiError::new(
                    404,
                    format!(
                        "no such path: {path}. This gateway serves POST /v1/chat/completions, POST /v1/responses, \
                         POST /v1/messages, POST /v1/messages/count_tokens, POST /v1/embeddings, \
                         POST /v1beta/models/{{model}}:generateContent, POST /model/{{model}}/converse, GET /v1/models \
                         and what the default provider serves under /v1/"
                    ),
                );
                self.error(&error)
            }
            Endpoint::Generate { stream: true, .. } if !self.query.split('&').any(|pair| pair == "alt=sse") => self
                .error(&ApiError::new(400, "this gateway streams server-sent events only: add `?alt=sse` to the path")),
            Endpoint::Other { .. } if self.endpoint.is_of_account() && !self.is_trusted() => {
                let message = "no such path for this consumer: what a provider keeps for the gateway's account is for those \
                               with `admin: true`";
                self.error(&ApiError::new(404, message).with_code("path_not_allowed"))
            }
            Endpoint::Other { .. } => {
                if !ends && passing::names_a_model(&self.headers) {
                    Step::Wait
                } else {
                    self.pass_through(None)
                }
            }
            _ if ends => {
                self.error(&ApiError::new(400, "the request has no body: expected a JSON object with what to answer"))
            }
            _ => Step::Wait,
        }
    }

    /// Whether a body of that many bytes (so far) is more than is taken; the answer says so.
    pub fn body_grows(&mut self, bytes: usize) -> Option<Step> {
        (u64::try_from(bytes).unwrap_or(u64::MAX) > self.plan.max_body).then(|| self.too_large())
    }

    fn too_large(&mut self) -> Step {
        let limit = self.plan.max_body;
        self.error(&ApiError::new(
            413,
            format!("the request body is larger than {limit} bytes, the most this gateway takes (`max_body`)"),
        ))
    }

    /// Tells the time of what is handed in next: a body may come long after its headers.
    pub fn at(&mut self, now: Time) {
        self.now = now;
    }

    /// Takes the whole request body.
    pub fn body(&mut self, body: &[u8]) -> Step {
        if let Some(step) = self.body_grows(body.len()) {
            return step;
        }
        self.body_bytes = body.len();
        if matches!(self.endpoint, Endpoint::Other { .. }) {
            return self.passing_body(body);
        }
        let json: Value = match serde_json::from_slice(body) {
            Ok(json) => json,
            Err(error) => {
                let error = ApiError::new(400, format!("the request body is not valid JSON: {error}"));
                return self.error(&error.with_code("invalid_json"));
            }
        };
        if let Some(error) = own_parameters::refuse_ambiguous(&json) {
            return self.error(&error);
        }
        let read = match self.endpoint {
            Endpoint::CountTokens => anthropic_messages::read_count_request(&json),
            Endpoint::Embeddings => {
                self.model_asked = json.get("model").and_then(Value::as_str).map(str::to_owned);
                return self.embeddings_body(&json);
            }
            _ => self.format.read_request(&json),
        };
        let mut request = match read {
            Ok(request) => request,
            Err(error) => {
                self.model_asked = json.get("model").and_then(Value::as_str).map(str::to_owned);
                return self.error(&error.into());
            }
        };
        drop(json);
        if let Endpoint::Generate { model, stream } | Endpoint::Converse { model, stream } = &self.endpoint {
            request.model.clone_from(model);
            request.stream = *stream;
        }
        request.include_usage |= self.format != Format::OpenAiChat;
        self.model_asked = Some(request.model.clone());
        if let Err(error) = own_parameters::set_provider_parameters_apart(&mut request, &self.plan) {
            return self.error(&error);
        }
        self.request = Some(request);
        self.route()
    }

    /// What the client says to one provider only.
    fn for_provider(&self) -> Option<&Map<String, Value>> {
        let of_chat = self.request.as_ref().map(|request| &request.for_provider);
        of_chat.or(self.embeddings.as_ref().map(|request| &request.for_provider))
    }

    fn is_compressed(&self) -> bool {
        self.headers.get("content-encoding").is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity"))
    }

    /// A body that is compressed cannot be read (<https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16>).
    fn compressed(&mut self) -> Step {
        let coding = headers::value(self.headers.get("content-encoding").unwrap_or_default());
        let message = format!("content-encoding: found `{coding}`, expected none: send the request body uncompressed");
        let mut step = self.error(&ApiError::new(415, message).with_code("unsupported_content_encoding"));
        if let Step::Reply(reply) = &mut step {
            reply.headers.push(("accept-encoding".into(), "identity".into()));
        }
        step
    }

    /// An error of the gateway's own, in the client's format.
    pub fn error(&mut self, error: &ApiError) -> Step {
        let body = self.format.write_error(error);
        self.reply(Reply::json(error.status, body))
    }

    fn reply(&mut self, reply: Reply) -> Step {
        self.replied = Some(reply.status);
        Step::Reply(reply)
    }

    /// The plan under which it began.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// What attempts wrote down.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The parsed request, once it is there.
    pub fn request(&self) -> Option<&ChatRequest> {
        self.request.as_ref()
    }

    /// What was decided, once it is.
    pub fn decision(&self) -> Option<&Decision> {
        self.decision.as_ref()
    }

    /// The client's format.
    pub fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn head_of_record(&self) -> crate::report::Head<'_> {
        crate::report::Head {
            began: self.began,
            request_id: self.request_id.as_deref(),
            caller: &self.caller,
            endpoint: self.endpoint.name(),
            model: self.model_asked.as_deref(),
            stream: self.streams || self.request.as_ref().is_some_and(|r| r.stream),
            counted: self.counted,
            status: self.status.or(self.replied),
            first_byte: self.first_byte.filter(|_| self.status.is_some_and(|s| s < 400) && self.replied.is_none()),
        }
    }
}

/// A decision's reason in one word, as headers, records and metrics say it.
pub fn reason_word(reason: &Reason) -> &'static str {
    match reason {
        Reason::Rule(_) => "rule",
        Reason::Explicit => "explicit",
        Reason::Alias(_) => "alias",
        Reason::Model => "model",
        Reason::Class(_) => "class",
        Reason::Default => "default",
    }
}

fn reason_text(reason: &Reason) -> String {
    match reason {
        Reason::Rule(name) | Reason::Alias(name) => format!("{}:{name}", reason_word(reason)),
        Reason::Class(class) => format!("class:{class}"),
        _ => reason_word(reason).to_owned(),
    }
}

/// How a count is known, in one word.
pub fn known_word(known: Known) -> &'static str {
    match known {
        Known::Reported => "reported",
        Known::Exact => "exact",
        Known::Estimated => "estimated",
    }
}

/// An exchange's prompt tokens as they stand: the provider's word where there is one, else our count.
pub fn prompt_tokens(exchange: &Exchange) -> Option<(Tokens, Known)> {
    match exchange.ledger.usage.input {
        Some(tokens) => Some((tokens, Known::Reported)),
        None => exchange.counted.map(|count| (count.tokens, count.known)),
    }
}

#[cfg(test)]
mod tests;
