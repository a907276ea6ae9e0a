//! The upstream role: an upstream HTTP filter, run once per attempt. It speaks the chosen provider's format there, and
//! the client's back.

use super::hostcalls::{self, Level, Map, Source};
use super::{EXCHANGE_PROPERTY, EXCHANGES, UNTOUCHED};
use crate::exchange::{ANSWERED_HEADER, AnswerHead, Attempt, AttemptError, HeaderEdits, Reply, lost_exchange};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

#[derive(Default)]
pub(super) struct Upstream {
    attempt: Option<Attempt>,
    wants_body: bool,
    holding: bool,
}

impl Upstream {
    fn refuse(&mut self, error: AttemptError) -> Action {
        self.attempt = None;
        self.wants_body = false;
        let mut reply = Reply::json(error.status, error.body);
        reply.headers.push((ANSWERED_HEADER.to_owned(), "0".to_owned()));
        hostcalls::reply(&reply);
        Action::Pause
    }

    fn send_body(&mut self, most: usize) -> Action {
        let Some(attempt) = &self.attempt else { return Action::Continue };
        self.wants_body = false;
        let body = hostcalls::buffer(Source::RequestBody, most).unwrap_or_default();
        match attempt.request_body(&body) {
            Ok(written) => {
                if let Some(loss) = attempt.loss() {
                    hostcalls::log(Level::Warn, &loss);
                }
                let mut edits = HeaderEdits::default();
                edits.set("content-length", written.len().to_string());
                let sized = hostcalls::edit(Map::Request, &edits);
                if !sized || !hostcalls::set_buffer(Source::RequestBody, body.len(), &written) {
                    return self.refuse(lost_exchange());
                }
                Action::Continue
            }
            Err(error) => self.refuse(error),
        }
    }

    fn answer_whole(&mut self, most: usize) -> Action {
        self.holding = false;
        let Some(attempt) = &mut self.attempt else { return Action::Continue };
        let Some(body) = hostcalls::buffer(Source::ResponseBody, most) else {
            // What cannot be read cannot be translated, and must not pass as if it had been.
            hostcalls::reset_answer();
            return Action::Pause;
        };
        let (edits, instead) = attempt.answer_whole(&body);
        hostcalls::edit(Map::Response, &edits);
        if let Some(instead) = instead {
            hostcalls::set_buffer(Source::ResponseBody, body.len(), &instead);
        }
        Action::Continue
    }
}

impl Context for Upstream {}

impl HttpContext for Upstream {
    fn on_http_request_headers(&mut self, _count: usize, ends: bool) -> Action {
        let headers = hostcalls::headers(Map::Request);
        let id = hostcalls::property(&[EXCHANGE_PROPERTY]).unwrap_or_default();
        if id == UNTOUCHED {
            // The kill switch: all of it leaves as it came, but for what is ours.
            let mut edits = HeaderEdits::default();
            headers.iter().filter(|(name, _)| name.starts_with("x-conduit-")).for_each(|(name, _)| edits.remove(name));
            hostcalls::edit(Map::Request, &edits);
            return Action::Continue;
        }
        if headers.iter().next().is_none() {
            // The host would not show them: they may hold the client's credential, so nothing leaves.
            return self.refuse(lost_exchange());
        }
        let id = String::from_utf8_lossy(&id);
        let Some(exchange) = EXCHANGES.with_borrow(|all| all.get(id.as_ref()).cloned()) else {
            return self.refuse(lost_exchange());
        };
        let number = headers.get("x-envoy-attempt-count").and_then(|n| n.parse().ok()).unwrap_or(1);
        let provider =
            hostcalls::property(&["xds", "upstream_host_metadata", "filter_metadata", "conduit", "provider"]);
        let provider = provider.map(|name| String::from_utf8_lossy(&name).into_owned()).filter(|name| !name.is_empty());
        match Attempt::begin(&exchange, number, provider.as_deref(), &headers, hostcalls::now()) {
            Ok((attempt, edits, wants_body)) => {
                if !hostcalls::edit(Map::Request, &edits) {
                    // A header that should have gone may be the client's credential.
                    return self.refuse(lost_exchange());
                }
                self.attempt = Some(attempt);
                self.wants_body = wants_body && !ends;
                if self.wants_body { Action::Pause } else { Action::Continue }
            }
            Err(error) => self.refuse(error),
        }
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        match self.wants_body {
            true if ends => self.send_body(size),
            true => Action::Pause,
            false => Action::Continue,
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        if self.wants_body { self.send_body(usize::MAX) } else { Action::Continue }
    }

    fn on_http_response_headers(&mut self, _count: usize, ends: bool) -> Action {
        let Some(attempt) = &mut self.attempt else { return Action::Continue };
        let headers = hostcalls::headers(Map::Response);
        match attempt.answer_head(&headers, ends, hostcalls::now()) {
            AnswerHead::Stream(edits) => {
                hostcalls::edit(Map::Response, &edits);
                // Held until the first bytes: a provider that dies before them leaves the request to the next target.
                if ends { Action::Continue } else { Action::Pause }
            }
            AnswerHead::Hold if ends => {
                // Headers that are the end cannot be given a body here; the gateway role makes one.
                let (mut edits, _) = attempt.answer_whole(&[]);
                edits.set.retain(|(name, _)| name != "content-length");
                hostcalls::edit(Map::Response, &edits);
                Action::Continue
            }
            AnswerHead::Hold => {
                self.holding = true;
                Action::Pause
            }
        }
    }

    fn on_http_response_body(&mut self, size: usize, ends: bool) -> Action {
        if self.holding {
            return if ends { self.answer_whole(size) } else { Action::Pause };
        }
        let Some(attempt) = &mut self.attempt else { return Action::Continue };
        let bytes = match hostcalls::buffer(Source::ResponseBody, size) {
            Some(bytes) => bytes,
            None if size == 0 => Vec::new(),
            None => {
                hostcalls::reset_answer();
                return Action::Pause;
            }
        };
        if let Some(out) = attempt.answer_piece(&bytes, ends)
            && out != bytes
        {
            hostcalls::set_buffer(Source::ResponseBody, size, &out);
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        if self.holding {
            return self.answer_whole(usize::MAX);
        }
        let rest = self.attempt.as_mut().and_then(|attempt| attempt.answer_piece(&[], true));
        if rest.is_some_and(|rest| !rest.is_empty()) {
            // The stream is cut, and trailers leave no place to say so: the client must not take it for whole.
            hostcalls::reset_answer();
        }
        Action::Continue
    }
}
