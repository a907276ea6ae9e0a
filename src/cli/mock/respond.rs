//! Outcomes as HTTP responses, with the faults that were asked for.

use super::body::Pieces;
use super::faults::Faults;
use super::refusal::{Refusal, Vendor};
use super::script::{Answer, Scripted};
use super::server::Moment;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::Value;

/// What an endpoint answers.
pub(super) enum Outcome {
    Whole(Value),
    Stream(Stream),
}

/// A stream, in the parts that faults take it apart by.
pub(super) struct Stream {
    /// All but the end.
    pub events: Vec<String>,
    /// The terminal events.
    pub end: Vec<String>,
    /// What says that the stream failed.
    pub error: String,
}

pub(super) fn refused(refusal: &Refusal, vendor: Vendor, moment: &Moment) -> Response<Pieces> {
    let id = format!("req_mock{}", moment.serial);
    let body = refusal.body(vendor, &id).to_string();
    let mut response = respond(refusal.status, "application/json", Pieces::whole(body));
    set_header(response.headers_mut(), request_id_name(vendor), Some(&id));
    response
}

pub(super) fn request_id_name(vendor: Vendor) -> HeaderName {
    match vendor {
        Vendor::OpenAi => HeaderName::from_static("x-request-id"),
        Vendor::Anthropic => HeaderName::from_static("request-id"),
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
        Answer::Whole(bytes) => respond(scripted.status, "application/json", whole(bytes, faults)),
        Answer::Stream(events) => {
            respond(scripted.status, "text/event-stream; charset=utf-8", Pieces::drip(events, faults.drip_ms))
        }
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
    match outcome {
        Outcome::Whole(json) => {
            let body = if faults.garbage { GARBAGE.to_owned() } else { json.to_string() };
            respond(200, "application/json", whole(Bytes::from(body), faults))
        }
        Outcome::Stream(Stream { mut events, end, error }) => {
            if faults.garbage {
                events.truncate(2);
                events.push(GARBAGE.to_owned());
            }
            if faults.error_in_stream {
                let half = events.len().div_ceil(2);
                events.truncate(half);
                events.push(error);
            } else if !faults.end_early {
                events.extend(end);
            }
            let body = Pieces::drip(events.into_iter().map(Bytes::from), faults.drip_ms);
            respond(200, "text/event-stream; charset=utf-8", body)
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

pub(super) fn break_off(response: Response<Pieces>, faults: &Faults) -> Response<Pieces> {
    match faults.cut {
        Some(limit) => response.map(|body| body.cut(limit)),
        None => response,
    }
}
