//! One attempt at one provider: what it is sent, and what its answer is called in the client's format.

use super::decoding::{Decoder, Encoding, Unread};
use super::frames::Framing;
use super::headers::{self, HeaderEdits, Headers};
use super::outgoing::{self, request_head, write_body};
use super::stream::{Observer, Pipe};
use super::whole::{billed, has_answer, said, says_error, text_of};
use super::{ANSWERED_HEADER, Exchange, Tried, embeddings, passing};
use crate::config::Target;
use crate::formats::canonical::{ApiError, ErrorKind};
use crate::formats::secrets::{self, Credentials};
use crate::formats::{Format, Incoming};
use crate::host::Time;
use crate::providers::{self, Body, Call, Envelope};
use crate::route::cooldown;
use crate::tokens::Meter;
use crate::usage::Usage;
use serde_json::Value;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// An attempt that cannot be made: the error to answer with, as a body in the client's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptError {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// What to do with the headers of a provider's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerHead {
    /// Send them on, and each piece of the body through [`Attempt::answer_piece`].
    Stream(HeaderEdits),
    /// Hold them until the body is whole, then ask [`Attempt::answer_whole`].
    Hold,
}

/// One attempt.
pub struct Attempt {
    pub(super) exchange: Rc<RefCell<Exchange>>,
    target: Arc<Target>,
    call: Call,
    /// What its answer must not repeat.
    credentials: Credentials,
    number: usize,
    began: Time,
    answer: Answer,
}

enum Answer {
    Pending,
    Whole { status: u16, encoding: Encoding, edits: HeaderEdits },
    Stream(Box<Pipe>, Option<Decoder>),
    Observed(Box<Observer>),
}

impl Attempt {
    /// Begins attempt `number` (from 1) of an exchange at the host whose metadata names `provider`, and says how its
    /// request headers change and whether [`Attempt::request_body`] wants the body.
    pub fn begin(
        exchange: &Rc<RefCell<Exchange>>,
        number: usize,
        provider: Option<&str>,
        headers: &Headers,
        now: Time,
    ) -> Result<(Self, HeaderEdits, bool), AttemptError> {
        let mut borrowed = exchange.borrow_mut();
        let plan = Arc::clone(&borrowed.plan);
        let decision = borrowed.decision.as_ref();
        let targets = decision.map(|d| d.targets.as_slice()).unwrap_or_default();
        // A sub-cluster without a host is skipped within the same attempt, so the attempt's number is only where to
        // look from; the host's metadata says who it is.
        let here = |target: &&Arc<Target>| {
            provider.is_none_or(|name| plan.provider(target.provider).is_some_and(|p| p.name == name))
        };
        let found = targets.iter().skip(number.saturating_sub(1)).find(here).or_else(|| targets.iter().find(here));
        let Some((target, provider)) = found.and_then(|t| Some((Arc::clone(t), plan.provider(t.provider)?))) else {
            let error = ApiError::new(
                503,
                "the gateway has no target for this attempt; its configuration may just have changed",
            );
            return Err(AttemptError { status: 503, body: borrowed.format.write_error(&error) });
        };
        borrowed.recount(&target);
        let call = outgoing::call(&borrowed, &target, provider)
            .map_err(|error| AttemptError { status: error.status, body: borrowed.format.write_error(&error) })?;
        let (edits, wants_body) = request_head(&mut borrowed, (&target, provider), &call, headers, now);
        let mut credentials = providers::credentials(provider, now);
        credentials.extend(borrowed.google_token.clone());
        let credentials = Credentials::new(credentials);
        // What the attempt before reported is billed, whatever became of its answer.
        let before = std::mem::take(&mut borrowed.ledger.usage);
        if let Some(tried) = borrowed.ledger.tried.last_mut().filter(|_| !before.is_empty()) {
            tried.billed = Some(before);
        }
        if let Err(error) = borrowed.find_more_room(&target, now) {
            borrowed.ledger.refused = true;
            return Err(AttemptError { status: error.status, body: borrowed.format.write_error(&error) });
        }
        let ledger = &mut borrowed.ledger;
        let at = Some(Arc::clone(&target));
        ledger.tried.push(Tried {
            target: target.name.clone(),
            status: None,
            began: now,
            took: None,
            at,
            billed: None,
        });
        ledger.said = Meter::new(target.tokenizer);
        ledger.reported_at = 0;
        ledger.cut = false;
        ledger.streamed = false;
        ledger.refused = false;
        ledger.answered = Some(Arc::clone(&target));
        let number = ledger.tried.len().saturating_sub(1);
        drop(borrowed);
        let answer = Answer::Pending;
        let attempt = Self { exchange: Rc::clone(exchange), target, call, credentials, number, began: now, answer };
        Ok((attempt, edits, wants_body))
    }

    /// The body for this attempt's provider, from the one that the client sent.
    pub fn request_body(&self, body: &[u8]) -> Result<Vec<u8>, AttemptError> {
        let mut exchange = self.exchange.borrow_mut();
        let client = exchange.format;
        let prepared = exchange.prepared.take().filter(|(name, _)| *name == self.target.name);
        let written = match prepared {
            Some((_, written)) => Ok(written),
            None => write_body(&exchange, &self.target, &self.call, body),
        };
        match written {
            Ok((body, dropped)) => {
                exchange.ledger.dropped = dropped;
                Ok(body)
            }
            Err(error) => {
                exchange.ledger.refused = error.status < 500;
                if let Some(tried) = exchange.ledger.tried.get_mut(self.number) {
                    tried.status = Some(error.status);
                }
                Err(AttemptError { status: error.status, body: client.write_error(&error) })
            }
        }
    }

    /// Parameters of the request that this attempt's provider has no place for, to be logged.
    pub fn dropped(&self) -> Vec<String> {
        self.exchange.borrow().ledger.dropped.clone()
    }

    /// A line for the log that names what was dropped; `None`: nothing was. One line, whatever names clients think of.
    pub fn loss(&self) -> Option<String> {
        let dropped = self.dropped();
        let (target, names) = (headers::value(&self.target.name), headers::value(&dropped.join(", ")));
        (!dropped.is_empty()).then(|| format!("{target} has no place for {names}; dropped"))
    }

    /// The target of this attempt, `provider/model`.
    pub fn target_name(&self) -> &str {
        &self.target.name
    }

    /// Takes the headers of the provider's answer.
    pub fn answer_head(&mut self, headers: &Headers, ends: bool, now: Time) -> AnswerHead {
        let mut exchange = self.exchange.borrow_mut();
        let status: u16 = headers.get(":status").and_then(|s| s.parse().ok()).unwrap_or(502);
        if let Some(tried) = exchange.ledger.tried.get_mut(self.number) {
            tried.status = Some(status);
            tried.took = Some(now.since(self.began));
        }
        if let Some(until) = cooldown::until(status, headers, now)
            && exchange.plan.names(&self.target)
        {
            cooldown::begin(&*exchange.world.shared, &self.target.name, until);
        }
        let mut edits = answer_edits(headers, self.number, &self.credentials);
        let spoken = self.spoken(&exchange);
        let client = exchange.format;
        let content_type = headers.get("content-type").unwrap_or("").to_ascii_lowercase();
        let encoding = Encoding::of(headers);
        let framing = framing(&content_type, self.call.body);
        let events = framing.is_some();
        let ours = exchange.endpoint.is_chat();
        if let Body::Embeddings(_) = self.call.body {
            if status < 400 {
                exchange.ledger.usage = embeddings::usage_in_head(headers);
            }
            self.answer = Answer::Whole { status, encoding, edits };
            return AnswerHead::Hold;
        }
        if !ours && (!encoding.is_read() || ends) {
            self.answer = Answer::Observed(Box::new(Observer::blind()));
            return AnswerHead::Stream(edits);
        }
        if !ours {
            let json = content_type.starts_with("application/json");
            if json || status >= 400 {
                self.answer = Answer::Whole { status, encoding, edits };
                return AnswerHead::Hold;
            }
            exchange.ledger.streamed = events;
            if exchange.hides_usage && framing == Some(Framing::Sse) {
                let incoming = incoming(&exchange, &self.target, self.began);
                let pipe = Pipe::new(Format::OpenAiChat, Framing::Sse, Format::OpenAiChat, &incoming);
                edits.remove("content-length");
                edits.remove("content-encoding");
                let pipe = Box::new(pipe.withholding(self.credentials.clone()));
                self.answer = Answer::Stream(pipe, encoding.decoder());
                return AnswerHead::Stream(edits);
            }
            let observer = Observer::new(framing == Some(Framing::Sse)).reading(encoding.decoder());
            self.answer = Answer::Observed(Box::new(observer));
            return AnswerHead::Stream(edits);
        }
        let stream = exchange.request.as_ref().is_some_and(|r| r.stream);
        // A stream that is over with its headers is held like any empty answer, so that the next target is tried.
        let framing = framing.filter(|_| encoding.is_read() && stream && !ends && (200..300).contains(&status));
        if let Some(framing) = framing {
            exchange.ledger.streamed = true;
            let pipe = Pipe::new(spoken, framing, client, &incoming(&exchange, &self.target, self.began));
            edits.remove("content-length");
            edits.remove("content-encoding");
            edits.set("content-type", stream_type(client).into());
            let pipe = Box::new(pipe.withholding(self.credentials.clone()));
            self.answer = Answer::Stream(pipe, encoding.decoder());
            return AnswerHead::Stream(edits);
        }
        self.answer = Answer::Whole { status, encoding, edits };
        AnswerHead::Hold
    }

    /// Takes a piece of a streamed answer and gives what the client gets for it.
    pub fn answer_piece(&mut self, bytes: &[u8], ends: bool) -> Option<Vec<u8>> {
        let mut exchange = self.exchange.borrow_mut();
        match &mut self.answer {
            Answer::Stream(pipe, None) => Some(pipe.push(bytes, ends, &mut exchange.ledger)),
            Answer::Stream(pipe, Some(decoder)) => {
                Some(decoder.through(pipe, bytes, ends, &self.target.name, &mut exchange.ledger))
            }
            Answer::Observed(observer) => {
                observer.push(bytes, ends, &mut exchange.ledger);
                None
            }
            Answer::Pending | Answer::Whole { .. } => None,
        }
    }

    /// Takes a whole answer and gives its headers' edits and, where it changes, its body.
    pub fn answer_whole(&mut self, body: &[u8]) -> (HeaderEdits, Option<Vec<u8>>) {
        let mut exchange = self.exchange.borrow_mut();
        let (status, encoding, mut edits) = match std::mem::replace(&mut self.answer, Answer::Pending) {
            Answer::Whole { status, encoding, edits } => (status, encoding, edits),
            _ => return (HeaderEdits::default(), None),
        };
        let most = usize::try_from(exchange.plan.most_held()).unwrap_or(usize::MAX);
        let plain = encoding.read_whole(body, most);
        let readable = plain.is_ok();
        let body = plain.as_ref().ok().and_then(Option::as_deref).unwrap_or(body);
        // The moment of the answer's headers: what it says counts from there.
        let took = exchange.ledger.tried.get(self.number).and_then(|tried| tried.took).unwrap_or_default();
        let now = Time(self.began.0.saturating_add(took.0));
        if let Some(until) = cooldown::until_body(status, body, now)
            && exchange.plan.names(&self.target)
        {
            cooldown::begin(&*exchange.world.shared, &self.target.name, until);
        }
        let whole = match self.call.body {
            _ if plain.as_ref().is_err_and(|unread| !self.passes_unread(&exchange, unread, status)) => {
                unread(&exchange, &self.target, plain.as_ref().err(), status)
            }
            Body::Embeddings(_) if status < 400 && says_error(body) => {
                let (spoken, credentials) = (self.spoken(&exchange), &self.credentials);
                whole_answer(&mut exchange, &self.target, credentials, spoken, self.began, (502, readable), body)
            }
            Body::Embeddings(format) if status < 400 => {
                embeddings::whole(&mut exchange, &self.target, format, (status, readable), body)
            }
            _ => {
                let (spoken, credentials) = (self.spoken(&exchange), &self.credentials);
                whole_answer(&mut exchange, &self.target, credentials, spoken, self.began, (status, readable), body)
            }
        };
        let Whole { status: new_status, content_type, body } = whole;
        if new_status != status {
            edits.set(":status", new_status.to_string());
            edits.remove("location");
            if let Some(tried) = exchange.ledger.tried.get_mut(self.number) {
                tried.status = Some(new_status);
            }
        }
        if let Some(body) = &body {
            edits.set("content-length", body.len().to_string());
            edits.remove("content-encoding");
            edits.set("content-type", content_type.to_owned());
        }
        // What passes is the client's as it came; the rest it gets as it was read.
        let read = plain.ok().flatten().filter(|_| body.is_none() && self.call.body != Body::AsItIs);
        if let Some(read) = &read {
            edits.set("content-length", read.len().to_string());
            edits.remove("content-encoding");
        }
        (edits, body.or(read))
    }

    /// Whether an answer that cannot be read is the client's to read.
    fn passes_unread(&self, exchange: &Exchange, unread: &Unread, status: u16) -> bool {
        let unknown = matches!(unread, Unread::Unknown(_));
        match self.call.body {
            _ if status >= 400 => false,
            Body::AsItIs => true,
            Body::Embeddings(format) => unknown && !format.translates(),
            Body::Chat(format, _) => {
                let streaming = exchange.request.as_ref().is_some_and(|request| request.stream);
                unknown && format == exchange.format && !streaming
            }
        }
    }

    /// The format of the provider's answers; for what passes unread, that of its errors.
    fn spoken(&self, exchange: &Exchange) -> Format {
        match self.call.body {
            Body::Chat(format, _) => format,
            Body::Embeddings(_) => {
                exchange.plan.provider(self.target.provider).map_or(exchange.format, |provider| provider.spec.format)
            }
            Body::AsItIs => exchange.format,
        }
    }
}

/// How the events of an answer of that content type stand in it; `None`: it is no event stream.
fn framing(content_type: &str, asked: Body) -> Option<Framing> {
    if content_type.starts_with("text/event-stream") {
        return Some(Framing::Sse);
    }
    let invoked = matches!(asked, Body::Chat(_, Envelope::Invoke));
    content_type.starts_with("application/vnd.amazon.eventstream").then_some(match invoked {
        true => Framing::Chunks,
        false => Framing::EventStream,
    })
}

/// The content type of a client's stream.
fn stream_type(client: Format) -> &'static str {
    match client {
        Format::BedrockConverse => "application/vnd.amazon.eventstream",
        _ => "text/event-stream; charset=utf-8",
    }
}

fn incoming<'a>(exchange: &'a Exchange, target: &'a Target, began: Time) -> Incoming<'a> {
    Incoming {
        model: &target.model,
        id: &exchange.id,
        created: began.unix_seconds(),
        counted: exchange.counted.map(|count| count.tokens.0),
        include_usage: exchange.request.as_ref().is_some_and(|r| r.include_usage),
        request: exchange.request.as_ref(),
    }
}

/// Headers of a provider's answer that are not for clients: they speak of the gateway's account, or of the connection
/// that Envoy has with the provider.
const NOT_FOR_CLIENTS: &[&str] = &[
    "set-cookie",
    "openai-organization",
    "openai-project",
    "anthropic-organization-id",
    "strict-transport-security",
    "alt-svc",
];

/// Under which names providers give a request's id: OpenAI, Anthropic, Amazon, Azure's two layers.
const REQUEST_IDS: &[&str] = &["x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-ms-request-id"];

fn answer_edits(headers: &Headers, number: usize, credentials: &Credentials) -> HeaderEdits {
    let mut edits = HeaderEdits::default();
    for name in NOT_FOR_CLIENTS.iter().filter(|name| headers.get(name).is_some()) {
        edits.remove(name);
    }
    let ours = |name: &str, value: &str| name.starts_with("x-conduit-") || credentials.are_in(value);
    for (name, _) in headers.iter().filter(|(name, value)| ours(name, value)) {
        edits.remove(name);
    }
    // Each vendor's SDK looks for the request id under its own vendor's name.
    let said = REQUEST_IDS.iter().find_map(|name| headers.get(name));
    if let Some(id) = said {
        for name in ["x-request-id", "request-id"].iter().filter(|name| headers.get(name).is_none()) {
            edits.set(name, id.to_owned());
        }
    }
    edits.set(ANSWERED_HEADER, number.saturating_add(1).to_string());
    edits
}

pub(super) struct Whole {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Option<Vec<u8>>,
}

pub(super) const JSON: &str = "application/json";

/// The error for an answer that cannot be read.
fn unread(exchange: &Exchange, target: &Target, unread: Option<&Unread>, status: u16) -> Whole {
    let error = unread.map(|unread| unread.error(&target.name, status));
    let error = error.unwrap_or_else(|| ApiError::new(502, "the answer cannot be read"));
    Whole { status: error.status, content_type: JSON, body: Some(exchange.format.write_error(&error)) }
}

fn whole_answer(
    exchange: &mut Exchange,
    target: &Target,
    credentials: &Credentials,
    spoken: Format,
    began: Time,
    (status, readable): (u16, bool),
    body: &[u8],
) -> Whole {
    let client = exchange.format;
    let ok = (200..300).contains(&status);
    let ours = exchange.endpoint.is_chat();
    if ours && (300..400).contains(&status) {
        // Followed by the client it would lead around the gateway.
        let error = ApiError::new(
            502,
            format!("{} answered with a redirect (status {status}); its `url` may be wrong", target.name),
        );
        return Whole { status: 502, content_type: JSON, body: Some(client.write_error(&error)) };
    }
    if !ok {
        exchange.ledger.usage = billed(body, spoken).unwrap_or_default();
        // Some providers repeat the key that they refuse.
        let masked = secrets::mask_error(body, credentials);
        let body = masked.as_deref().unwrap_or(body);
        let own_shape = |v: Value| {
            let marked = client != Format::AnthropicMessages || v.get("type").is_some_and(|t| t == "error");
            marked && v.get("error").is_some_and(Value::is_object)
        };
        let same = spoken == client && serde_json::from_slice::<Value>(body).is_ok_and(own_shape);
        let body = if same {
            masked
        } else {
            let mut error = spoken.read_error(status, body);
            if spoken != client {
                // The provider's word for the kind of error means nothing in another format.
                error.provider_type = None;
            }
            Some(client.write_error(&error))
        };
        return Whole { status, content_type: JSON, body };
    }
    if !ours {
        if let Some(usage) = passing::reported(body).and_then(|reported| reported.usage) {
            exchange.ledger.usage = usage;
        }
        return Whole { status, content_type: JSON, body: None };
    }
    let streaming = exchange.request.as_ref().is_some_and(|r| r.stream);
    let same = spoken == client && !streaming;
    let json = same.then(|| serde_json::from_slice::<Value>(body).ok()).flatten().filter(Value::is_object);
    let failed = json.as_ref().is_some_and(|json| !has_answer(json, spoken)) && spoken.read_answer(body).is_err();
    // What was compressed unasked is the client's to read; what is no JSON is no answer to any client, nor is an error.
    if json.is_some() && !failed || same && !readable {
        let usage = json.and_then(|json| usage_of(&json, spoken)).unwrap_or_default();
        if usage.output.is_none() {
            exchange.ledger.said.push(&said(spoken, body));
        }
        exchange.ledger.usage = usage;
        return Whole { status, content_type: JSON, body: None };
    }
    let mut answer = match spoken.read_answer(body) {
        Ok(answer) => answer,
        Err(error) => {
            exchange.ledger.usage = billed(body, spoken).unwrap_or_default();
            // What it quotes of the body may hold the key.
            let struck = credentials.struck_bytes(body);
            let error = struck.and_then(|body| spoken.read_answer(&body).err()).unwrap_or(error);
            let status = if error.status < 400 { 502 } else { error.status };
            let provider_type = error.provider_type.filter(|_| spoken == client);
            let error = ApiError { status, provider_type, ..error };
            return Whole { status, content_type: JSON, body: Some(client.write_error(&error)) };
        }
    };
    exchange.ledger.usage = answer.usage.clone();
    if answer.usage.output.is_none() {
        let said = text_of(&answer);
        if client == Format::AnthropicMessages {
            // This format has no word for unknown.
            answer.usage.output = Some(crate::tokens::count_text(target.tokenizer, &said).tokens);
        }
        exchange.ledger.said.push(&said);
    }
    let incoming = incoming(exchange, target, began);
    if streaming {
        // The provider ignored `stream`; the client still gets the stream that it asked for.
        let mut writer = client.stream_writer(&incoming);
        let mut out = Vec::new();
        for event in crate::formats::events::events_of(&answer) {
            writer.write(&event, &mut out);
        }
        return Whole { status, content_type: stream_type(client), body: Some(out) };
    }
    let body = client.write_answer(&answer, &incoming);
    Whole { status, content_type: JSON, body: Some(body) }
}

pub(super) fn usage_of(value: &Value, format: Format) -> Option<Usage> {
    format.reported_usage(value)
}

/// The error for an attempt whose exchange this worker does not know: its VM was replaced after a failure.
pub fn lost_exchange() -> AttemptError {
    let mut error = ApiError::new(503, "the gateway restarted while this request was under way; try again");
    error.kind = ErrorKind::Overloaded;
    AttemptError { status: 503, body: Format::OpenAiChat.write_error(&error) }
}
