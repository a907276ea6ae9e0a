//! What the host remembers between callbacks.

use crate::headers::Headers;
use std::collections::{BTreeMap, HashMap};
use wasmtime::{Memory, StoreLimits, TypedFunc};

/// What a host call answers (`proxy_status_t` of ABI 0.2.1, with what Envoy adds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Status {
    Ok = 0,
    NotFound = 1,
    BadArgument = 2,
    SerializationFailure = 3,
    ParseFailure = 4,
    BadExpression = 5,
    InvalidMemoryAccess = 6,
    Empty = 7,
    CasMismatch = 8,
    ResultMismatch = 9,
    InternalFailure = 10,
    BrokenConnection = 11,
    Unimplemented = 12,
}

/// Which way a stream's frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Client to provider.
    Request,
    /// Provider to client.
    Response,
}

/// A reply that a filter sends itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReply {
    /// Status.
    pub status: u32,
    /// Headers besides `:status`.
    pub headers: Headers,
    /// Body.
    pub body: Vec<u8>,
}

/// What a callback asked for that Envoy does after it returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deferred {
    /// Let a paused direction go on.
    Continue(Direction),
    /// Send a local reply.
    Reply(LocalReply),
    /// Reset the stream.
    Reset,
}

/// One direction of one filter, as its callbacks can see it.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// Headers, where they have come; after the callback they can be seen only if it paused.
    pub headers: Headers,
    /// Whether host calls can see the headers.
    pub headers_visible: bool,
    /// Trailers.
    pub trailers: Headers,
    /// Whether host calls can see the trailers.
    pub trailers_visible: bool,
    /// The body that host calls can see and replace; `None` outside of body callbacks.
    pub body: Option<Vec<u8>>,
}

/// One stream context.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The root context it belongs to.
    pub root: u32,
    /// Client to provider.
    pub request: Side,
    /// Provider to client.
    pub response: Side,
    /// What properties say, by path with NUL between the segments.
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What `set_property` wrote: filter state `wasm.<path>`.
    pub filter_state: BTreeMap<String, Vec<u8>>,
    /// Final headers, which `on_log` sees instead: request, response.
    pub logged: Option<(Headers, Headers)>,
    /// What was asked for, to be done after the callback.
    pub deferred: Vec<Deferred>,
}

impl Context {
    /// That direction.
    pub fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}

/// A metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(u64),
    /// Every value recorded.
    Histogram(Vec<u64>),
}

/// A failure to inject.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The host call, `proxy_…`.
    pub call: String,
    /// Which of its calls from now on, from 1; 0: each.
    pub nth: u64,
    /// What it answers instead of doing anything.
    pub status: Status,
    /// How often it was called since.
    pub seen: u64,
}

/// The functions of the module that host calls need.
#[derive(Clone)]
pub struct Guest {
    /// Its memory.
    pub memory: Memory,
    /// Its allocator.
    pub allocate: TypedFunc<u32, u32>,
}

/// All of it.
#[derive(Default)]
pub struct Host {
    /// Plugin configuration, for all roots.
    pub configuration: Vec<u8>,
    /// Whether the configuration can be read now.
    pub configuring: bool,
    /// Root ids by root context.
    pub roots: HashMap<u32, String>,
    /// `KEY=VALUE`.
    pub environment: Vec<String>,
    /// Nanoseconds since the epoch.
    pub clock: u64,
    /// Log lines: level (0 trace … 5 critical), text. What was written to standard error is level 4.
    pub log: Vec<(u32, String)>,
    /// Level below which the module need not log.
    pub log_level: u32,
    /// What properties of the client's connection say to each gateway context made from now on.
    pub connection: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Stream contexts.
    pub contexts: HashMap<u32, Context>,
    /// The context that host calls refer to.
    pub effective: u32,
    /// Shared data: value and CAS number.
    pub shared: BTreeMap<String, (Vec<u8>, u32)>,
    /// The last CAS number given out.
    pub cas: u32,
    /// Metrics by name.
    pub metrics: BTreeMap<String, Metric>,
    /// Metric ids are places in here plus one; the same name may have several.
    pub metric_ids: Vec<String>,
    /// Shared queues: name and what waits. Ids are places plus one.
    pub queues: Vec<(String, Vec<Vec<u8>>)>,
    /// Tick period in milliseconds, by root context.
    pub ticks: HashMap<u32, u32>,
    /// What is to fail.
    pub faults: Vec<Fault>,
    /// How often each host call was made.
    pub calls: BTreeMap<String, u64>,
    /// Whether a host call stopped the iteration: a local reply is on its way.
    pub stop_iteration: bool,
    /// State of the generator behind `random_get`: the same in each run.
    pub random: u64,
    /// Exports of the module, once it is instantiated.
    pub guest: Option<Guest>,
    /// Upper bound of the memory.
    pub limits: StoreLimits,
}

impl Host {
    /// The stream context in effect.
    pub fn context(&mut self) -> Option<&mut Context> {
        self.contexts.get_mut(&self.effective)
    }

    /// Counts a call; what it must answer where it is to fail.
    pub fn begin(&mut self, call: &str) -> Option<Status> {
        *self.calls.entry(call.to_owned()).or_default() += 1;
        let mut status = None;
        for fault in self.faults.iter_mut().filter(|fault| fault.call == call) {
            fault.seen += 1;
            if fault.nth == 0 || fault.nth == fault.seen {
                status = Some(fault.status);
            }
        }
        status
    }

    /// The metric of that id.
    pub fn metric(&mut self, id: u32) -> Result<&mut Metric, Status> {
        let name = self.metric_ids.get((id as usize).wrapping_sub(1)).ok_or(Status::NotFound)?;
        self.metrics.get_mut(name).ok_or(Status::NotFound)
    }

    /// Writes shared data; `cas` 0 overwrites whatever is there.
    pub fn set_shared(&mut self, key: &str, value: Vec<u8>, cas: u32) -> Result<(), Status> {
        if self.shared.get(key).is_some_and(|(_, number)| cas != 0 && cas != *number) {
            return Err(Status::CasMismatch);
        }
        self.cas += 1;
        self.shared.insert(key.to_owned(), (value, self.cas));
        Ok(())
    }

    /// The map behind a `proxy_map_type_t`: for writing. `on_log` cannot write.
    pub fn map_mut(&mut self, kind: u32) -> Result<&mut Headers, Status> {
        let context = self.context().ok_or(Status::BadArgument)?;
        let (side, trailers) = match kind {
            0 => (&mut context.request, false),
            1 => (&mut context.request, true),
            2 => (&mut context.response, false),
            3 => (&mut context.response, true),
            _ => return Err(Status::BadArgument),
        };
        match trailers {
            false if side.headers_visible => Ok(&mut side.headers),
            true if side.trailers_visible => Ok(&mut side.trailers),
            _ => Err(Status::BadArgument),
        }
    }

    /// The map behind a `proxy_map_type_t`: for reading. `None` where Envoy has none at this moment.
    pub fn map(&mut self, kind: u32) -> Option<&Headers> {
        let logged = self.context()?.logged.is_some();
        match (kind, logged) {
            (0, true) => self.context()?.logged.as_ref().map(|(request, _)| request),
            (2, true) => self.context()?.logged.as_ref().map(|(_, response)| response),
            _ => self.map_mut(kind).ok().map(|map| &*map),
        }
    }
}

/// Replaces bytes of a body as Envoy's buffer does: prepend (0, 0), replace all (0, its size or more), append
/// (at its end or beyond). Anything else it refuses.
pub fn replace(buffer: &mut Vec<u8>, start: usize, size: usize, data: &[u8]) -> Result<(), Status> {
    match (start, size) {
        (0, 0) => {
            buffer.splice(0..0, data.iter().copied());
        }
        (0, size) if size >= buffer.len() => *buffer = data.to_vec(),
        (start, _) if start > 0 && start >= buffer.len() => buffer.extend_from_slice(data),
        _ => return Err(Status::BadArgument),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_replaced_as_envoy_does() {
        let table: &[(usize, usize, Result<&str, Status>)] = &[
            (0, 0, Ok("XYhello")),
            (0, 5, Ok("XY")),
            (0, 99, Ok("XY")),
            (0, 3, Err(Status::BadArgument)),
            (5, 0, Ok("helloXY")),
            (9, 9, Ok("helloXY")),
            (2, 9, Err(Status::BadArgument)),
        ];
        for (start, size, want) in table {
            let mut buffer = b"hello".to_vec();
            let got = replace(&mut buffer, *start, *size, b"XY");
            assert_eq!(got.map(|()| String::from_utf8(buffer).unwrap()), want.map(str::to_owned), "{start} {size}");
        }
    }

    #[test]
    fn a_fault_strikes_the_nth_call_only() {
        let mut host = Host::default();
        assert_eq!(host.begin("proxy_log"), None);
        host.faults.push(Fault { call: "proxy_log".into(), nth: 2, status: Status::InternalFailure, seen: 0 });
        let got: Vec<_> = (0..3).map(|_| host.begin("proxy_log")).collect();
        assert_eq!(got, [None, Some(Status::InternalFailure), None]);
        assert_eq!(host.begin("proxy_done"), None);
        assert_eq!(host.calls["proxy_log"], 4);
    }
}
