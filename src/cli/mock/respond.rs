//! Outcomes as HTTP responses, with the faults that were asked for.

use super::body::Pieces;
use super::faults::Faults;
use super::json::put;
use super::meter::{Bill, Extent};
use super::refusal::{Refusal, Vendor};
use super::reply::Used;
use super::script::{Answer, Scripted};
use super::server::Moment;
use super::squeeze::squeeze;
use bytes::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::Value;

pub(super) const JSON: &str = "application/json";
pub(super) const SSE: &str = "text/event-stream; charset=utf-8";

/// An answer and what it used at which model.
pub(super) struct Answered {
    pub outcome: Outcome,
    pub bill: Option<Bill>,
    pub headers: Vec<(&'static str, String)>,
}

impl Answered {
    /// An answer that costs nothing.
    pub fn free(outcome: Outcome) -> Self {
        Self { outcome, bill: None, headers: Vec::new() }
    }

    /// An answer of a model.
    pub fn billed(outcome: Outcome, model: &str, used: Used) -> Self {
        Self { outcome, bill: Some(Bill { model: model.to_owned(), used, tier: None }), headers: Vec::new() }
    }

    /// …at a service tier.
    pub fn at(mut self, tier: Option<&str>) -> Self {
        if let Some(bill) = &mut self.bill {
            bill.tier = tier.map(str::to_owned);
        }
        self
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// What an endpoint answers.
pub(super) enum Outcome {
    Whole(Value),
    /// A content type and a body that is no JSON.
    Raw(&'static str, Bytes),
    Stream(Stream),
}

/// A stream, in the parts that faults take it apart by.
pub(super) struct Stream {
    pub content_type: &'static str,
    /// All but the end.
    pub events: Vec<Bytes>,
    /// The terminal events.
    pub end: Vec<Bytes>,
    /// What says that the stream failed.
    pub error: Bytes,
}

impl Stream {
    /// A stream of server-sent events.
    pub fn sse(events: Vec<String>, end: Vec<String>, error: String) -> Self {
        let bytes = |all: Vec<String>| all.into_iter().map(Bytes::from).collect();
        Self { content_type: SSE, events: bytes(events), end: bytes(end), error: Bytes::from(error) }
    }
}

/// How many of a stream's events come before an error inside it.
pub(super) fn before_error(events: usize) -> usize {
    events.div_ceil(2)
}

pub(super) fn refused(refusal: &Refusal, vendor: Vendor, moment: &Moment) -> Response<Pieces> {
    refused_with(refusal, refusal.body(vendor, &moment.request_id()), vendor, moment)
}

/// A refusal with this body.
pub(super) fn refused_with(refusal: &Refusal, body: Value, vendor: Vendor, moment: &Moment) -> Response<Pieces> {
    let mut response = respond(refusal.status, JSON, Pieces::whole(body.to_string()));
    for (name, value) in refusal.headers(vendor) {
        set_header(response.headers_mut(), HeaderName::from_static(name), Some(&value));
    }
    sign(response.headers_mut(), vendor, moment);
    response
}

/// The headers by which a vendor says which request this was.
pub(super) fn sign(headers: &mut HeaderMap, vendor: Vendor, moment: &Moment) {
    let names: &[&'static str] = match vendor {
        Vendor::OpenAi | Vendor::Cohere => &["x-request-id"],
        Vendor::Anthropic => &["request-id"],
        Vendor::Azure => &["x-request-id", "apim-request-id"],
        Vendor::Bedrock => &["x-amzn-requestid"],
        Vendor::Gemini | Vendor::Vertex => &[],
    };
    for name in names {
        set_header(headers, HeaderName::from_static(name), Some(&moment.request_id()));
    }
}

pub(super) fn respond(status: u16, content_type: &'static str, body: Pieces) -> Response<Pieces> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(super) fn set_header(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
        headers.insert(name, value);
    }
}

pub(super) fn play(scripted: Scripted, faults: &Faults) -> Response<Pieces> {
    let mut response = match scripted.answer {
        Answer::Whole(bytes) => respond(scripted.status, JSON, whole(bytes, faults)),
        Answer::Stream(events) => respond(scripted.status, SSE, Pieces::drip(events, faults.drip_ms)),
    };
    for (name, value) in &scripted.headers {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            set_header(response.headers_mut(), name, Some(value));
        }
    }
    response
}

const GARBAGE: &str = "<html>\u{0}{not json\n\ndata: {\"half\": \n\n\u{fffd}";

pub(super) fn write(outcome: Outcome, faults: &Faults) -> Response<Pieces> {
    let body = |body: Bytes| if faults.garbage { Bytes::from_static(GARBAGE.as_bytes()) } else { body };
    match outcome {
        Outcome::Whole(json) => respond(200, JSON, whole(body(json.to_string().into()), faults)),
        Outcome::Raw(content_type, bytes) => respond(200, content_type, whole(body(bytes), faults)),
        Outcome::Stream(Stream { content_type, mut events, mut end, error }) => {
            if faults.garbage {
                events.truncate(2);
                events.push(Bytes::from_static(GARBAGE.as_bytes()));
            }
            if faults.cut_end {
                end.pop();
            }
            if faults.error_in_stream {
                events.truncate(before_error(events.len()));
                events.push(error);
            } else if !faults.end_early {
                events.extend(end);
            }
            let body = Pieces::drip(events, faults.drip_ms);
            respond(200, content_type, if faults.cut_end { body.torn() } else { body })
        }
    }
}

/// Which part of an answer goes out.
pub(super) fn extent(outcome: &Outcome, faults: &Faults) -> Extent {
    match outcome {
        Outcome::Whole(_) | Outcome::Raw(..) => Extent::Made,
        Outcome::Stream(_) if faults.error_in_stream || faults.end_early || faults.cut_end || faults.garbage => {
            Extent::Torn
        }
        Outcome::Stream(_) => Extent::Stream,
    }
}

/// Puts the usage of an answer that was not given into the error that is given instead.
pub(super) fn add_usage(error: &mut Value, answer: &Value) {
    for name in ["usage", "usageMetadata"] {
        if let Some(usage) = answer.get(name) {
            put(error, name, usage.clone());
        }
    }
}

/// A unary body; dripping, it goes out in pieces of 64 bytes.
fn whole(bytes: Bytes, faults: &Faults) -> Pieces {
    if faults.drip_ms == 0 {
        return Pieces::whole(bytes);
    }
    let pieces: Vec<Bytes> = bytes.chunks(64).map(Bytes::copy_from_slice).collect();
    Pieces::drip(pieces, faults.drip_ms)
}

/// The faults of any body: compressed though nobody asked, and broken off.
pub(super) fn spoil(mut response: Response<Pieces>, faults: &Faults) -> Response<Pieces> {
    if let Some(coding) = faults.coding {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        response = response.map(|body| squeeze(body, coding));
    }
    match faults.cut {
        Some(limit) => response.map(|body| body.cut(limit)),
        None => response,
    }
}
