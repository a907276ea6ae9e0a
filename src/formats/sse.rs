//! Server-sent events as a push parser (<https://html.spec.whatwg.org/multipage/server-sent-events.html>, 2026-11-21).
//! Bytes go in as they come, cut anywhere; whole events come out.

/// One whole event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event:` field; empty where there was none.
    pub name: &'a str,
    /// The `data:` lines, joined by `\n`.
    pub data: &'a str,
}

/// What went wrong in a stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SseError {
    /// One event is larger than the parser may buffer.
    TooLarge,
}

/// The parser. It keeps at most one unfinished event.
#[derive(Debug, Default)]
pub struct Parser {}

impl Parser {
    /// A parser that refuses events above `limit` bytes.
    pub fn new(_limit: usize) -> Self {
        Self {}
    }

    /// Takes `bytes` and calls `each` with every event that is whole now.
    pub fn push(&mut self, _bytes: &[u8], _each: &mut dyn FnMut(Event<'_>)) -> Result<(), SseError> {
        Ok(())
    }

    /// The bytes ended. An event without its closing blank line is dispatched too: providers that end a stream early
    /// leave it out, and what it says is still true.
    pub fn finish(&mut self, _each: &mut dyn FnMut(Event<'_>)) -> Result<(), SseError> {
        Ok(())
    }
}
