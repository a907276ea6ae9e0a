//! The gateway role: an HTTP filter of the listener. It holds a request until its body is complete, has it routed, and
//! sees the answer that the client gets.

use super::hostcalls::{self, Map, Source};
use super::{EXCHANGE_PROPERTY, EXCHANGES, UNTOUCHED, exchanges_in_flight, report_record, report_routing};
use crate::config::Plan;
use crate::exchange::{CLUSTER_HEADER, Exchange, HeaderEdits, Headers, Reply, Step, untouched};
use crate::formats::canonical::ApiError;
use crate::host::{Peer, World, without_port};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

pub(super) struct Gateway {
    context_id: u32,
    plan: Arc<Plan>,
    id: String,
    exchange: Option<Rc<RefCell<Exchange>>>,
    waiting: bool,
    logged: bool,
    /// What takes the place of the answer's body: Envoy's own error, in the client's format.
    instead: Option<Vec<u8>>,
}

impl Gateway {
    pub(super) fn new(context_id: u32, plan: Arc<Plan>) -> Self {
        Self { context_id, plan, id: String::new(), exchange: None, waiting: false, logged: false, instead: None }
    }

    /// The kill switch: the request goes to the first provider that speaks its format, untouched but for the base path.
    /// Health is the gateway's own, and stays so.
    fn pass_untouched(&self, headers: &Headers) -> Action {
        let path = headers.get(":path").unwrap_or_default();
        if matches!(path, "/health" | "/healthz") {
            hostcalls::reply(&Reply::json(200, br#"{"status":"ok"}"#.to_vec()));
            return Action::Pause;
        }
        let there = untouched(&self.plan, headers.get(":method").unwrap_or("GET"), path);
        let mut edits = HeaderEdits::default();
        hostcalls::set_property(EXCHANGE_PROPERTY, UNTOUCHED);
        match there.cluster {
            Some(cluster) => edits.set(CLUSTER_HEADER, cluster),
            None => edits.remove(CLUSTER_HEADER),
        }
        if let Some(path) = there.path {
            edits.set(":path", path);
        }
        hostcalls::edit(Map::Request, &edits);
        Action::Continue
    }

    fn carry_out(&mut self, step: &Step) -> Action {
        self.waiting = *step == Step::Wait;
        match step {
            Step::Wait => Action::Pause,
            Step::Forward(edits) if hostcalls::edit(Map::Request, edits) => Action::Continue,
            Step::Forward(_) => {
                // Without our headers it would leave as the client sent it, credential included.
                let error = ApiError::new(503, "the gateway could not send the request on; try again");
                let step = self.exchange.as_ref().map(|exchange| exchange.borrow_mut().error(&error));
                if let Some(Step::Reply(reply)) = step {
                    hostcalls::reply(&reply);
                }
                Action::Pause
            }
            Step::Reply(reply) => {
                hostcalls::reply(reply);
                Action::Pause
            }
        }
    }

    /// The body is whole: `most` bytes of it are in the buffer.
    fn whole_body(&mut self, most: usize) -> Action {
        let Some(exchange) = self.exchange.clone() else { return Action::Continue };
        let began = hostcalls::now();
        let body = hostcalls::buffer(Source::RequestBody, most).unwrap_or_default();
        exchange.borrow_mut().at(began);
        let step = exchange.borrow_mut().body(&body);
        report_routing(hostcalls::now().since(began).micros());
        self.carry_out(&step)
    }
}

/// Who is at the other end of the client's connection
/// (<https://www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/advanced/attributes>, 2026-11-21).
fn peer() -> Peer {
    let text = |path: &[&str]| {
        let value = hostcalls::property(path)?;
        Some(String::from_utf8_lossy(&value).into_owned()).filter(|value| !value.is_empty())
    };
    let address = text(&["source", "address"]).map(|address| without_port(&address));
    let mut principals = Vec::new();
    // Without mTLS there is nobody to name.
    if hostcalls::property(&["connection", "mtls"]).is_some_and(|flag| flag.first() == Some(&1)) {
        let names = ["uri_san_peer_certificate", "dns_san_peer_certificate", "subject_peer_certificate"];
        principals.extend(names.iter().filter_map(|name| text(&["connection", name])));
    }
    Peer { address, principals }
}

impl Context for Gateway {}

impl HttpContext for Gateway {
    fn on_http_request_headers(&mut self, _count: usize, ends: bool) -> Action {
        let headers = hostcalls::headers(Map::Request);
        if !self.plan.enabled {
            return self.pass_untouched(&headers);
        }
        let now = hostcalls::now();
        self.id = format!("{}-{:x}", self.context_id, now.0);
        let looks =
            self.plan.looks_at_peers() || headers.get(":path").is_some_and(|path| path.starts_with("/conduit/"));
        let peer = if looks { peer() } else { Peer::default() };
        let world = World { shared: Rc::new(hostcalls::SharedData), peer };
        let (exchange, step) = Exchange::begin_in(world, Arc::clone(&self.plan), self.id.clone(), headers, ends, now);
        let exchange = Rc::new(RefCell::new(exchange));
        EXCHANGES.with_borrow_mut(|all| all.insert(self.id.clone(), Rc::clone(&exchange)));
        hostcalls::set_property(EXCHANGE_PROPERTY, self.id.as_bytes());
        exchanges_in_flight(1);
        self.exchange = Some(exchange);
        self.carry_out(&step)
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        if !self.waiting {
            let exchange = self.exchange.as_ref();
            let over = exchange.and_then(|exchange| exchange.borrow_mut().body_passes(size));
            return over.map_or(Action::Continue, |step| self.carry_out(&step));
        }
        let grown = self.exchange.as_ref().and_then(|exchange| exchange.borrow_mut().body_grows(size));
        match grown {
            Some(step) => self.carry_out(&step),
            None if ends => self.whole_body(size),
            None => Action::Pause,
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        // With trailers the body callback never says that the body ended.
        if self.waiting { self.whole_body(usize::MAX) } else { Action::Continue }
    }

    fn on_http_response_headers(&mut self, _count: usize, ends: bool) -> Action {
        let Some(exchange) = &self.exchange else { return Action::Continue };
        let headers = hostcalls::headers(Map::Response);
        let edits = exchange.borrow_mut().answer_head(&headers, ends, hostcalls::now());
        if ends {
            exchange.borrow_mut().answer_ended();
        }
        if ends && let Some(body) = edits.body {
            // Headers that are the end cannot be given a body; a reply can.
            let status = exchange.borrow().status().unwrap_or(502);
            hostcalls::reply(&Reply::instead(status, &edits.headers, body));
            return Action::Pause;
        }
        hostcalls::edit(Map::Response, &edits.headers);
        self.instead = edits.body;
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, ends: bool) -> Action {
        let Some(exchange) = &self.exchange else { return Action::Continue };
        exchange.borrow_mut().answer_body(size, ends, hostcalls::now());
        if let Some(instead) = &self.instead {
            // The head already says how long it is; what comes before the end is dropped.
            let bytes = if ends { instead.as_slice() } else { &[] };
            hostcalls::set_buffer(Source::ResponseBody, size, bytes);
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        if let Some(exchange) = &self.exchange {
            exchange.borrow_mut().answer_ended();
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        let Some(exchange) = &self.exchange else { return };
        let details = hostcalls::property(&["response", "code_details"]).unwrap_or_default();
        let mut exchange = exchange.borrow_mut();
        // Access logs that are flushed in between call this more than once; the record is of the end.
        if !exchange.is_recorded() || std::mem::replace(&mut self.logged, true) {
            return;
        }
        let record = exchange.finish(&String::from_utf8_lossy(&details), hostcalls::now());
        hostcalls::set_property("conduit.record", record.line().as_bytes());
        report_record(&record);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.exchange.take().is_some() {
            EXCHANGES.with_borrow_mut(|all| all.remove(&self.id));
            exchanges_in_flight(-1);
        }
    }
}
