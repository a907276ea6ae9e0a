//! One client request through gateway role, router, upstream role and back, step by step.
//!
//! As in Envoy, each attempt starts from a copy of what left the gateway role, headers and body: what the upstream role
//! made of them for one attempt is not there at the next (tried on Envoy 1.40.0).

use crate::filter::{Filter, Frame, Passed};
use crate::headers::Headers;
use crate::state::{Deferred, Direction, LocalReply};
use crate::vm::{GATEWAY, UPSTREAM, Vm};
use std::collections::BTreeMap;

/// In which order the contexts of a finished stream go. Both happen in Envoy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Teardown {
    /// The gateway's `on_log` comes before the upstream's `on_done`: the router's request is deleted later.
    #[default]
    GatewayFirst,
    /// The attempt is gone before the gateway logs.
    UpstreamFirst,
}

/// A message as somebody got it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Headers, once they came.
    pub headers: Option<Headers>,
    /// The body's parts as they came; empty ones left out.
    pub parts: Vec<Vec<u8>>,
    /// Trailers.
    pub trailers: Option<Headers>,
    /// Whether it came to its end.
    pub ended: bool,
}

impl Message {
    fn take(&mut self, frame: Frame, strict: bool) {
        assert!(!self.ended, "a frame after the end of the message: {frame:?}");
        self.ended = frame.ends();
        match frame {
            Frame::Headers(map, _) => {
                assert!(self.headers.is_none(), "headers twice");
                self.headers = Some(map);
            }
            Frame::Data(data, _) => {
                assert!(self.headers.is_some(), "a body before its headers");
                if !data.is_empty() {
                    self.parts.push(data);
                }
            }
            Frame::Trailers(map) => self.trailers = Some(map),
        }
        if strict {
            self.check_length();
        }
    }

    /// Envoy trusts a filter's `content-length`; a client or provider that gets a wrong one hangs or cuts the body.
    fn check_length(&self) {
        let Some(length) = self.headers.as_ref().and_then(|map| map.get("content-length")) else { return };
        let size = self.parts.iter().map(Vec::len).sum::<usize>();
        assert!(
            size.to_string() == length || (!self.ended && length.parse().is_ok_and(|length: usize| size < length)),
            "content-length says {length}, the body has {size} bytes: {:?}",
            self.headers
        );
    }

    /// The whole body.
    pub fn body(&self) -> Vec<u8> {
        self.parts.concat()
    }

    /// The whole body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }

    /// Status; 0 where no headers came.
    pub fn status(&self) -> u16 {
        self.headers.as_ref().map_or(0, Headers::status)
    }

    /// A header of it.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.as_ref().and_then(|map| map.get(name))
    }
}

/// What one attempt sent to its provider.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Which provider the host's metadata names.
    pub provider: String,
    /// The request.
    pub request: Message,
    /// Status of the answer that the router saw; 0: none.
    pub status: u16,
}

struct Attempt {
    filter: Filter,
    /// The answer's headers and what followed, as it left the upstream role and before the router decided.
    answered: bool,
}

/// One client request.
pub struct Stream {
    gateway: Filter,
    attempt: Option<Attempt>,
    /// What left the gateway role for the router.
    pub routed: Message,
    routed_frames: Vec<Frame>,
    /// What each attempt sent.
    pub sent: Vec<Sent>,
    /// What the client got.
    pub client: Message,
    /// Whether the stream was reset towards the client.
    pub reset: bool,
    /// Filter state of the gateway role, after the end.
    pub filter_state: BTreeMap<String, Vec<u8>>,
    response_started: bool,
    teardown: Teardown,
    /// What Envoy says of how the response ended: property `response.code_details`.
    details: String,
    /// Whether messages are checked: not where a host call was made to fail.
    strict: bool,
}

impl Stream {
    /// Begins: the gateway role's context is made.
    pub fn begin(vm: &mut Vm, teardown: Teardown, strict: bool) -> Self {
        Self {
            gateway: Filter::new(vm, GATEWAY, BTreeMap::new()),
            attempt: None,
            routed: Message::default(),
            routed_frames: Vec::new(),
            sent: Vec::new(),
            client: Message::default(),
            reset: false,
            filter_state: BTreeMap::new(),
            response_started: false,
            teardown,
            details: "downstream_remote_disconnect".into(),
            strict,
        }
    }

    /// Whether the client has all it will get.
    pub fn is_over(&self) -> bool {
        self.client.ended || self.reset
    }

    /// Whether the whole request has left the gateway role, so that the router has it.
    pub fn is_routed(&self) -> bool {
        self.routed.ended
    }

    /// A part of the request from the client.
    pub fn client_sends(&mut self, vm: &mut Vm, frame: Frame) {
        // After a local reply Envoy drops what still comes.
        if self.response_started || self.is_over() {
            return;
        }
        let passed = self.gateway.push(vm, Direction::Request, frame);
        for frame in &passed.frames {
            self.routed.take(frame.clone(), self.strict);
        }
        self.routed_frames.extend(passed.frames);
        for wish in passed.deferred {
            self.gateway_wish(vm, wish, false);
        }
    }

    fn gateway_wish(&mut self, vm: &mut Vm, wish: Deferred, responding: bool) {
        match wish {
            Deferred::Reply(reply) if self.client.headers.is_some() => {
                drop(reply);
                self.reset = true;
            }
            // Once response processing began, a local reply goes around the filters.
            Deferred::Reply(reply) if responding || self.response_started => {
                for frame in reply_frames(&reply) {
                    self.client.take(frame, self.strict);
                }
            }
            Deferred::Reply(reply) => {
                self.details = "conduit".into();
                for frame in reply_frames(&reply) {
                    self.client_gets(vm, frame);
                }
            }
            Deferred::Reset => self.reset = true,
            Deferred::Continue(_) => {}
        }
    }

    /// A part of the response on its way from the router through the gateway role.
    fn client_gets(&mut self, vm: &mut Vm, frame: Frame) {
        if self.is_over() {
            return;
        }
        self.response_started = true;
        let passed = self.gateway.push(vm, Direction::Response, frame);
        for frame in passed.frames {
            self.client.take(frame, self.strict);
        }
        for wish in passed.deferred {
            self.gateway_wish(vm, wish, true);
        }
    }

    /// Begins an attempt at a provider: the request goes through the upstream role. An earlier attempt is dropped.
    pub fn attempt(&mut self, vm: &mut Vm, provider: &str) {
        assert!(self.is_routed(), "the router has no complete request; the client got {:?}", self.client);
        self.drop_attempt(vm);
        let mut properties = BTreeMap::new();
        for root in [&["xds", "upstream_host_metadata"][..], &["upstream_host_metadata"]] {
            let path = [root, &["filter_metadata", "conduit", "provider"]].concat().join("\0");
            properties.insert(path.into_bytes(), provider.as_bytes().to_vec());
        }
        let mut filter = Filter::new(vm, UPSTREAM, properties);
        // Filter state is the stream's, not the filter's.
        let set = vm.context(self.gateway.id).filter_state.clone();
        vm.share_filter_state(filter.id, set);
        let number = self.sent.len() + 1;
        let mut sent = Sent { provider: provider.to_owned(), ..Sent::default() };
        let mut wishes = Vec::new();
        for mut frame in self.routed_frames.clone() {
            if let Frame::Headers(map, _) = &mut frame {
                // Envoy's attempts share their request headers: what one took off is missing in the next.
                if let Some(left) = self.sent.last().and_then(|sent| sent.request.headers.as_ref()) {
                    *map = left.clone();
                }
                map.set("x-envoy-attempt-count", number.to_string().as_bytes());
            }
            let Passed { frames, deferred } = filter.push(vm, Direction::Request, frame);
            for frame in frames {
                sent.request.take(frame, self.strict);
            }
            wishes.extend(deferred);
            if !wishes.is_empty() {
                break;
            }
        }
        self.sent.push(sent);
        self.attempt = Some(Attempt { filter, answered: false });
        for wish in wishes {
            match wish {
                Deferred::Reply(reply) => self.upstream_reply(vm, &reply),
                Deferred::Reset => self.provider_reset(vm, 503, "reset by a filter"),
                Deferred::Continue(_) => {}
            }
        }
    }

    /// A part of the provider's answer. `retry`: the router has another attempt left, for which it drops this one if
    /// its status calls for that. Answers whether it did.
    pub fn provider_sends(&mut self, vm: &mut Vm, frame: Frame, retry: bool) -> bool {
        let Some(attempt) = &mut self.attempt else { return false };
        if self.client.ended || self.reset {
            return false;
        }
        let passed = attempt.filter.push(vm, Direction::Response, frame);
        for wish in passed.deferred {
            match wish {
                Deferred::Reply(reply) if !attempt.answered => {
                    self.upstream_reply(vm, &reply);
                    return false;
                }
                Deferred::Reply(_) | Deferred::Reset => {
                    self.provider_reset(vm, 503, "reset by a filter");
                    return false;
                }
                Deferred::Continue(_) => {}
            }
        }
        for frame in passed.frames {
            if let Frame::Headers(map, _) = &frame {
                let status = map.status();
                if let Some(attempt) = &mut self.attempt {
                    attempt.answered = true;
                }
                if let Some(sent) = self.sent.last_mut() {
                    sent.status = status;
                }
                if retry && matches!(status, 408 | 409 | 429 | 500..=599) {
                    self.drop_attempt(vm);
                    return true;
                }
            }
            let ends = frame.ends();
            self.client_gets(vm, frame);
            if ends {
                self.details = "via_upstream".into();
            }
        }
        false
    }

    /// The provider's connection breaks (or could not be made). Before the answer's headers the router replies, after
    /// them it resets the client's stream.
    pub fn provider_reset(&mut self, vm: &mut Vm, status: u32, reason: &str) {
        let answered = self.attempt.as_ref().is_some_and(|attempt| attempt.answered);
        self.drop_attempt(vm);
        if answered {
            self.details = "upstream_reset_after_response_started{connection_termination}".into();
            self.reset = true;
        } else {
            self.router_reply(vm, status, reason);
            self.details = match status {
                504 => "upstream_response_timeout".into(),
                _ => "upstream_reset_before_response_started{connection_failure}".into(),
            };
        }
    }

    /// A reply of the upstream role. Envoy hands it to the downstream filters: no filter of the attempt sees it, and the
    /// router does not retry it.
    fn upstream_reply(&mut self, vm: &mut Vm, reply: &LocalReply) {
        self.details = "conduit".into();
        for frame in reply_frames(reply) {
            self.client_gets(vm, frame);
        }
        self.drop_attempt(vm);
    }

    /// A reply that the router makes itself, through the gateway role.
    pub fn router_reply(&mut self, vm: &mut Vm, status: u32, text: &str) {
        let reply = LocalReply { status, headers: Headers::default(), body: text.as_bytes().to_vec() };
        for frame in reply_frames(&reply) {
            self.client_gets(vm, frame);
        }
    }

    /// Destroys the attempt's context.
    pub fn drop_attempt(&mut self, vm: &mut Vm) {
        if let Some(attempt) = self.attempt.take() {
            vm.destroy(attempt.filter.id);
        }
    }

    /// Whether a filter holds back a message of which nothing more will come, so that the client would wait for ever.
    pub fn is_stuck(&self) -> bool {
        let attempt = self.attempt.as_ref();
        !self.is_over()
            && (self.gateway.is_paused(Direction::Request)
                || self.gateway.is_paused(Direction::Response)
                || attempt.is_some_and(|a| a.filter.is_paused(Direction::Request)))
    }

    /// The end, also of a client that hung up: `on_log`, `on_done`, `on_delete`.
    pub fn end(&mut self, vm: &mut Vm) {
        if self.teardown == Teardown::UpstreamFirst {
            self.drop_attempt(vm);
        }
        // What the access log sees are the maps as they are now.
        let request = self.gateway.headers(vm, Direction::Request);
        let response = self.client.headers.clone().unwrap_or_default();
        let details = self.details.clone().into_bytes();
        vm.set_property(self.gateway.id, &["response", "code_details"], details);
        vm.log_stream(self.gateway.id, request, response);
        self.filter_state = vm.destroy(self.gateway.id);
        self.drop_attempt(vm);
    }
}

fn reply_frames(reply: &LocalReply) -> Vec<Frame> {
    let mut map = Headers::new(&[(":status", &reply.status.to_string())]);
    for (name, value) in reply.headers.pairs() {
        map.add(name, value);
    }
    if reply.body.is_empty() {
        return vec![Frame::Headers(map, true)];
    }
    map.set("content-length", reply.body.len().to_string().as_bytes());
    if map.get("content-type").is_none() {
        map.add("content-type", b"text/plain");
    }
    vec![Frame::Headers(map, false), Frame::Data(reply.body.clone(), true)]
}
