//! An exchange as a script: the request, how each provider answers, and what came of it.

use crate::filter::Frame;
use crate::headers::Headers;
use crate::stream::{Message, Sent, Stream, Teardown};
use crate::vm::Vm;
use std::collections::BTreeMap;

/// The request header from which the route takes the cluster.
const CLUSTER: &str = "x-conduit-cluster";

/// How a message ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// The last part says so.
    #[default]
    WithLast,
    /// An empty part behind the last one says so: HTTP/1 does that.
    Empty,
    /// Trailers say so: HTTP/2 may do that.
    Trailers,
    /// It does not: the connection breaks.
    Reset,
    /// It does not: the client goes away before.
    HangUp,
}

/// A provider's answer to an attempt.
#[derive(Clone, Debug)]
pub struct Answer {
    provider: String,
    headers: Option<Headers>,
    parts: Vec<Vec<u8>>,
    ending: Ending,
    unreachable: (u32, &'static str),
}

impl Answer {
    /// `provider` answers with a JSON body.
    pub fn json(provider: &str, status: u16, body: impl AsRef<[u8]>) -> Self {
        let headers = Headers::new(&[
            (":status", &status.to_string()),
            ("content-type", "application/json"),
            ("content-length", &body.as_ref().len().to_string()),
        ]);
        Self::new(provider, headers, body)
    }

    /// `provider` answers with server-sent events.
    pub fn sse(provider: &str, body: impl AsRef<[u8]>) -> Self {
        let headers = Headers::new(&[(":status", "200"), ("content-type", "text/event-stream; charset=utf-8")]);
        Self::new(provider, headers, body)
    }

    /// `provider` answers with these headers and body.
    pub fn new(provider: &str, headers: Headers, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let parts = if body.is_empty() { Vec::new() } else { vec![body.to_vec()] };
        let unreachable = (503, "");
        Self { provider: provider.into(), headers: Some(headers), parts, ending: Ending::WithLast, unreachable }
    }

    /// `provider` cannot be reached.
    pub fn unreachable(provider: &str) -> Self {
        let unreachable =
            (503, "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure");
        Self { provider: provider.into(), headers: None, parts: Vec::new(), ending: Ending::Reset, unreachable }
    }

    /// `provider` sends nothing within the per-try timeout.
    pub fn timeout(provider: &str) -> Self {
        Self { unreachable: (504, "upstream request timeout"), ..Self::unreachable(provider) }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Some(headers) = &mut self.headers {
            headers.add(name, value.as_bytes());
        }
        self
    }

    /// Cuts the body into parts of that size.
    pub fn parts(mut self, size: usize) -> Self {
        self.parts = chunks(&self.parts.concat(), size);
        self
    }

    /// Says how it ends.
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    /// Its frames; none of a provider that does not answer.
    pub fn frames(&self) -> Vec<Frame> {
        self.headers.as_ref().map(|headers| frames(headers, &self.parts, self.ending)).unwrap_or_default()
    }
}

/// `body` in parts of that size.
pub fn chunks(body: &[u8], size: usize) -> Vec<Vec<u8>> {
    body.chunks(size.max(1)).map(<[u8]>::to_vec).collect()
}

/// `body` byte by byte.
pub fn every_byte(body: &[u8]) -> Vec<Vec<u8>> {
    chunks(body, 1)
}

/// What came of an exchange.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the client got.
    pub client: Message,
    /// Whether the client's stream was reset.
    pub reset: bool,
    /// What left the gateway role for the router: `None` where it replied itself.
    pub routed: Option<Message>,
    /// What each attempt sent.
    pub sent: Vec<Sent>,
    /// Filter state that the gateway role set (`conduit.record` and the like).
    pub filter_state: BTreeMap<String, Vec<u8>>,
}

impl Outcome {
    /// A filter state as text.
    pub fn state(&self, name: &str) -> Option<String> {
        self.filter_state.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// A scripted exchange.
#[derive(Clone)]
pub struct Exchange {
    headers: Headers,
    parts: Vec<Vec<u8>>,
    ending: Ending,
    answers: Vec<Answer>,
    teardown: Teardown,
    router: Option<(u32, String)>,
    strict: bool,
}

impl Exchange {
    /// A request without a body.
    pub fn get(path: &str) -> Self {
        let headers = Headers::new(&[
            (":method", "GET"),
            (":path", path),
            (":scheme", "http"),
            (":authority", "127.0.0.1:10000"),
            ("x-request-id", "9f1c2d3e-0000-4000-8000-000000000001"),
        ]);
        Self {
            headers,
            parts: Vec::new(),
            ending: Ending::WithLast,
            answers: Vec::new(),
            teardown: Teardown::default(),
            router: None,
            strict: true,
        }
    }

    /// A request with a JSON body.
    pub fn post(path: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut exchange = Self::get(path);
        exchange.headers.set(":method", b"POST");
        exchange.headers.add("content-type", b"application/json");
        exchange.headers.add("content-length", body.len().to_string().as_bytes());
        exchange.parts = if body.is_empty() { Vec::new() } else { vec![body.to_vec()] };
        exchange
    }

    /// Sets a request header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.set(name, value.as_bytes());
        self
    }

    /// Removes a request header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Cuts the request body into parts of that size.
    pub fn parts(mut self, size: usize) -> Self {
        self.parts = chunks(&self.parts.concat(), size);
        self
    }

    /// Says how the request ends.
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    /// Adds a provider's answer; each is one attempt.
    pub fn answer(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// The router makes no attempt but answers itself: no such cluster, no healthy host.
    pub fn router(mut self, status: u32, text: &str) -> Self {
        self.router = Some((status, text.to_owned()));
        self
    }

    /// Says in which order the contexts go at the end.
    pub fn teardown(mut self, teardown: Teardown) -> Self {
        self.teardown = teardown;
        self
    }

    /// Lets the messages be what they will: for exchanges in which a host call is made to fail. What must hold then is
    /// that nothing traps or loops.
    pub fn lenient(mut self) -> Self {
        self.strict = false;
        self
    }

    /// The frames of the request.
    pub fn frames(&self) -> Vec<Frame> {
        frames(&self.headers, &self.parts, self.ending)
    }

    /// Plays it to its end.
    ///
    /// # Panics
    /// Where a callback traps or loops, a message hangs though nothing more will come, an answer is scripted for which
    /// there is no attempt, or none for one that there is.
    pub fn run(&self, vm: &mut Vm) -> Outcome {
        let mut stream = Stream::begin(vm, self.teardown, self.strict);
        for frame in self.frames() {
            stream.client_sends(vm, frame);
        }
        if self.ending != Ending::HangUp {
            self.respond(vm, &mut stream);
        }
        stream.end(vm);
        Outcome {
            client: stream.client,
            reset: stream.reset,
            routed: stream.routed.headers.is_some().then_some(stream.routed),
            sent: stream.sent,
            filter_state: stream.filter_state,
        }
    }

    fn respond(&self, vm: &mut Vm, stream: &mut Stream) {
        let mut hung_up = false;
        if let Some((status, text)) = &self.router
            && !stream.is_over()
        {
            stream.router_reply(vm, *status, text);
        }
        for (place, answer) in self.answers.iter().enumerate() {
            if !self.strict && (stream.is_over() || !stream.is_routed()) {
                return;
            }
            assert!(
                !stream.is_over(),
                "no attempt for the answer of {}: the client got {:?}",
                answer.provider,
                stream.client
            );
            let last = place + 1 == self.answers.len();
            if stream.routed.header(CLUSTER).is_none() {
                // The route's `cluster_header` is missing: the router answers.
                assert!(!self.strict, "no {CLUSTER} left the gateway");
                stream.router_reply(vm, 503, "");
                return;
            }
            stream.attempt(vm, &answer.provider);
            if stream.is_over() {
                assert!(last || !self.strict, "attempt {} ended the exchange, {:?}", place + 1, stream.client);
                break;
            }
            if answer.headers.is_none() {
                if last {
                    let (status, reason) = answer.unreachable;
                    stream.provider_reset(vm, status, reason);
                } else {
                    stream.drop_attempt(vm);
                }
                continue;
            }
            let retried = answer.frames().into_iter().any(|frame| stream.provider_sends(vm, frame, !last));
            if !retried && !stream.is_over() {
                match answer.ending {
                    Ending::Reset => {
                        stream.provider_reset(vm, 503, "upstream connect error or disconnect/reset before headers")
                    }
                    Ending::HangUp => hung_up = true,
                    _ => {}
                }
            }
            if !self.strict && !retried {
                return;
            }
            assert!(
                last || retried,
                "attempt {} was not to be retried: the router saw {:?}",
                place + 1,
                stream.sent.last().map(|sent| sent.status)
            );
        }
        if !self.strict {
            return;
        }
        assert!(hung_up || !stream.is_stuck(), "the exchange hangs: a filter paused and nothing more will come");
        assert!(
            hung_up || stream.is_over(),
            "the client still waits; it got {:?}, the router got {:?}",
            stream.client,
            stream.routed
        );
    }
}

/// The frames of a message.
fn frames(headers: &Headers, parts: &[Vec<u8>], ending: Ending) -> Vec<Frame> {
    let mut frames = vec![Frame::Headers(headers.clone(), parts.is_empty() && ending == Ending::WithLast)];
    for (place, part) in parts.iter().enumerate() {
        let end = ending == Ending::WithLast && place + 1 == parts.len();
        frames.push(Frame::Data(part.clone(), end));
    }
    match ending {
        Ending::Empty => frames.push(Frame::Data(Vec::new(), true)),
        Ending::Trailers => frames.push(Frame::Trailers(Headers::new(&[("x-trailer", "1")]))),
        Ending::WithLast | Ending::Reset | Ending::HangUp => {}
    }
    frames
}
