//! One filter of one stream, as Envoy's filter manager drives it: frames go in, what the filter lets through comes out.

use crate::headers::Headers;
use crate::state::{Deferred, Direction};
use crate::vm::Vm;
use std::collections::BTreeMap;

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Headers; whether nothing follows.
    Headers(Headers, bool),
    /// A part of the body; whether nothing follows.
    Data(Vec<u8>, bool),
    /// Trailers; nothing follows.
    Trailers(Headers),
}

impl Frame {
    /// Whether nothing follows.
    pub fn ends(&self) -> bool {
        match self {
            Frame::Headers(_, end) | Frame::Data(_, end) => *end,
            Frame::Trailers(_) => true,
        }
    }
}

/// What a filter holds back in one direction.
#[derive(Default)]
struct Lane {
    /// Whether the iteration is stopped here.
    stopped: bool,
    /// Whether the headers went on.
    headers_sent: bool,
    /// Whether the headers were the end.
    headers_end: bool,
    /// Whether the end of the body has come.
    body_end: bool,
    /// What is buffered: set while the filter paused in a body callback, or since data came while it was stopped.
    buffer: Option<Vec<u8>>,
    /// Whether trailers have come and are held.
    trailers: bool,
}

/// One filter of one stream.
pub struct Filter {
    /// Its context in the VM.
    pub id: u32,
    request: Lane,
    response: Lane,
}

/// What one frame led to.
#[derive(Default)]
pub struct Passed {
    /// Frames that went through.
    pub frames: Vec<Frame>,
    /// A local reply or a reset that was asked for.
    pub deferred: Vec<Deferred>,
}

impl Filter {
    /// Creates the context.
    pub fn new(vm: &mut Vm, role: &str, properties: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        Self { id: vm.create(role, properties), request: Lane::default(), response: Lane::default() }
    }

    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// Whether the filter holds that direction back.
    pub fn is_paused(&self, direction: Direction) -> bool {
        match direction {
            Direction::Request => self.request.stopped,
            Direction::Response => self.response.stopped,
        }
    }

    /// The headers of that direction as the filter left them.
    pub fn headers(&self, vm: &mut Vm, direction: Direction) -> Headers {
        vm.side(self.id, direction).headers.clone()
    }

    /// Delivers a frame.
    pub fn push(&mut self, vm: &mut Vm, direction: Direction, frame: Frame) -> Passed {
        let mut frames = Vec::new();
        let (go_on, deferred) = match frame {
            Frame::Headers(map, end) => self.push_headers(vm, direction, map, end, &mut frames),
            Frame::Data(data, end) => self.push_data(vm, direction, data, end, &mut frames),
            Frame::Trailers(map) => self.push_trailers(vm, direction, map),
        };
        let mut passed = Passed { frames, deferred: Vec::new() };
        if go_on {
            self.resume(vm, direction, &mut passed.frames);
        }
        for wish in deferred {
            match wish {
                // Continuing what is not stopped does nothing.
                Deferred::Continue(way) if self.lane(way).stopped => {
                    assert_eq!(way, direction, "continuing the other direction is not simulated");
                    self.resume(vm, way, &mut passed.frames);
                }
                Deferred::Continue(_) => {}
                other => passed.deferred.push(other),
            }
        }
        passed
    }

    fn push_headers(
        &mut self,
        vm: &mut Vm,
        direction: Direction,
        map: Headers,
        end: bool,
        out: &mut Vec<Frame>,
    ) -> (bool, Vec<Deferred>) {
        let count = map.pairs().len() as u32;
        let side = vm.side(self.id, direction);
        side.headers = map;
        side.headers_visible = true;
        let name = match direction {
            Direction::Request => "proxy_on_request_headers",
            Direction::Response => "proxy_on_response_headers",
        };
        let (paused, deferred) = vm.stream_call(self.id, name, (self.id, count, u32::from(end)));
        let lane = self.lane(direction);
        lane.headers_end = end;
        lane.stopped = paused;
        lane.headers_sent = !paused;
        if !paused {
            let side = vm.side(self.id, direction);
            side.headers_visible = false;
            out.push(Frame::Headers(side.headers.clone(), end));
        }
        (false, deferred)
    }

    fn push_data(
        &mut self,
        vm: &mut Vm,
        direction: Direction,
        data: Vec<u8>,
        end: bool,
        out: &mut Vec<Frame>,
    ) -> (bool, Vec<Deferred>) {
        let lane = self.lane(direction);
        // While the filter pauses in body callbacks, it sees all that is buffered.
        let mut body = lane.buffer.take().unwrap_or_default();
        body.extend(data);
        lane.body_end = end;
        let size = body.len() as u32;
        vm.side(self.id, direction).body = Some(body);
        let name = match direction {
            Direction::Request => "proxy_on_request_body",
            Direction::Response => "proxy_on_response_body",
        };
        let (paused, deferred) = vm.stream_call(self.id, name, (self.id, size, u32::from(end)));
        let side = vm.side(self.id, direction);
        let lane = self.lane(direction);
        if paused {
            // The buffer stays readable: a trailers callback may follow.
            lane.buffer = side.body.clone();
            lane.stopped = true;
            return (false, deferred);
        }
        let body = side.body.take().unwrap_or_default();
        if lane.stopped {
            lane.buffer = Some(body);
            return (true, deferred);
        }
        out.push(Frame::Data(body, end));
        (false, deferred)
    }

    fn push_trailers(&mut self, vm: &mut Vm, direction: Direction, map: Headers) -> (bool, Vec<Deferred>) {
        let count = map.pairs().len() as u32;
        let side = vm.side(self.id, direction);
        side.trailers = map;
        side.trailers_visible = true;
        let name = match direction {
            Direction::Request => "proxy_on_request_trailers",
            Direction::Response => "proxy_on_response_trailers",
        };
        let (paused, deferred) = vm.stream_call(self.id, name, (self.id, count));
        let side = vm.side(self.id, direction);
        let lane = self.lane(direction);
        lane.trailers = true;
        if lane.buffer.is_some() {
            // What the callback made of the buffered body.
            lane.buffer = side.body.clone();
        }
        if paused {
            lane.stopped = true;
            return (false, deferred);
        }
        side.trailers_visible = false;
        (true, deferred)
    }

    /// Lets go all that is held in a direction.
    fn resume(&mut self, vm: &mut Vm, direction: Direction, out: &mut Vec<Frame>) {
        let side = vm.side(self.id, direction);
        let lane = match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        };
        lane.stopped = false;
        if !lane.headers_sent {
            lane.headers_sent = true;
            out.push(Frame::Headers(side.headers.clone(), lane.headers_end));
        }
        if let Some(body) = lane.buffer.take() {
            side.body = None;
            out.push(Frame::Data(body, lane.body_end && !lane.trailers));
        }
        if std::mem::take(&mut lane.trailers) {
            out.push(Frame::Trailers(side.trailers.clone()));
        }
    }
}
