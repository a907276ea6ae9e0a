//! How the events of a stream stand in its bytes.

use crate::formats::{eventstream, sse};
use serde_json::json;
use std::borrow::Cow;

/// How events stand in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// As server-sent events.
    Sse,
    /// As Amazon's event stream: a message's type is the event's name, its payload the event's data.
    EventStream,
    /// As Amazon's event stream around another format's events (Bedrock's InvokeModelWithResponseStream).
    Chunks,
}

/// What is wrong with a stream's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFault {
    /// An event is larger than what is kept of one.
    TooLarge,
    /// A checksum, a length or a header is wrong.
    Corrupt,
}

/// Finds the events in a stream's bytes.
pub struct Frames {
    framing: Framing,
    events: sse::Parser,
    messages: eventstream::Parser,
}

impl Frames {
    /// For events of at most `limit` bytes.
    pub fn new(framing: Framing, limit: usize) -> Self {
        Self { framing, events: sse::Parser::new(limit), messages: eventstream::Parser::new(limit) }
    }

    /// How the events stand.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Takes bytes and calls `each` with every event that is whole now.
    pub fn push(&mut self, bytes: &[u8], each: &mut dyn FnMut(sse::Event<'_>)) -> Result<(), FrameFault> {
        if self.framing == Framing::Sse {
            return self.events.push(bytes, each).map_err(|_| FrameFault::TooLarge);
        }
        let chunks = self.framing == Framing::Chunks;
        let pushed = self.messages.push(bytes, &mut |message| {
            // An error without a payload says what it has to say in a header.
            let said = (message.failed && message.payload.is_empty()).then(|| {
                let message = if message.error.is_empty() { message.name } else { message.error };
                json!({"message": message}).to_string()
            });
            let payload = match &said {
                Some(said) => Cow::Borrowed(said.as_str()),
                None => String::from_utf8_lossy(message.payload),
            };
            if !chunks {
                return each(sse::Event { name: message.name, data: &payload });
            }
            let data = match message.failed {
                true => Some(failure(message.name, payload.as_bytes())),
                false => crate::formats::invoke::event_of_chunk(message.payload),
            };
            if let Some(data) = data {
                each(sse::Event { name: "", data: &data });
            }
        });
        pushed.map_err(fault)
    }

    /// The bytes are over. What was cut in the middle is no event.
    pub fn finish(&mut self, each: &mut dyn FnMut(sse::Event<'_>)) {
        if self.framing == Framing::Sse {
            // The parser only fails on events that are too large, and this one was not when its last byte came.
            let _ = self.events.finish(each);
        }
    }

    /// Whether a comment, a sign of life, came since this was last asked.
    pub fn commented(&mut self) -> bool {
        self.events.commented()
    }

    /// How many bytes at the beginning of `bytes` are whole events, each with what ends it.
    pub fn whole(&self, bytes: &[u8]) -> usize {
        if self.framing == Framing::Sse { whole_events(bytes) } else { whole_messages(bytes) }
    }
}

fn fault(error: eventstream::FrameError) -> FrameFault {
    match error {
        eventstream::FrameError::TooLarge => FrameFault::TooLarge,
        eventstream::FrameError::Corrupt | eventstream::FrameError::Cut => FrameFault::Corrupt,
    }
}

/// An exception of Bedrock's as the event that Anthropic's format has for it.
fn failure(name: &str, payload: &[u8]) -> String {
    let said = serde_json::from_slice::<serde_json::Value>(payload).ok();
    let message = said.as_ref().and_then(|said| said.get("message")).and_then(serde_json::Value::as_str);
    let kind = match name {
        "throttlingException" => "rate_limit_error",
        "serviceUnavailableException" => "overloaded_error",
        "validationException" => "invalid_request_error",
        "modelTimeoutException" => "timeout_error",
        _ => "api_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": message.unwrap_or(name)}}).to_string()
}

fn whole_events(bytes: &[u8]) -> usize {
    let ends = |blank: &[u8]| {
        let at = bytes.windows(blank.len()).rposition(|window| window == blank);
        at.map_or(0, |at| at.saturating_add(blank.len()))
    };
    ends(b"\n\n").max(ends(b"\n\r\n")).max(ends(b"\r\r"))
}

/// How long the message is that `bytes` begin with, where all of it is there. It begins with its length, four bytes, most
/// significant first.
pub fn first_message(bytes: &[u8]) -> Option<usize> {
    let (length, _) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX).max(4);
    (length <= bytes.len()).then_some(length)
}

fn whole_messages(bytes: &[u8]) -> usize {
    let mut whole = 0_usize;
    while let Some(length) = bytes.get(whole..).and_then(first_message) {
        whole = whole.saturating_add(length);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn whole_messages_end_at_a_messages_end() {
        let one = [0, 0, 0, 6, 1, 2];
        for (bytes, want) in [
            (Vec::new(), 0),
            (one[..5].to_vec(), 0),
            (one.to_vec(), 6),
            ([&one[..], &one[..3]].concat(), 6),
            ([&one[..], &one[..]].concat(), 12),
            (vec![0, 0, 0, 0, 0, 0, 0, 0, 9], 8),
        ] {
            assert_eq!(whole_messages(&bytes), want, "{bytes:?}");
        }
    }

    #[test]
    fn an_exception_in_chunks_is_an_error_event() {
        let data = failure("throttlingException", br#"{"message":"slow down"}"#);
        assert_eq!(data, r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#);
    }
}
