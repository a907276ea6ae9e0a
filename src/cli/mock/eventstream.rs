//! Writes AWS event stream messages (<https://smithy.io/2.0/aws/amazon-eventstream.html>, 2026-11-21).

use bytes::Bytes;
use serde_json::Value;

pub(super) const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";
/// The type of a string header.
const STRING: u8 = 7;

/// An event of that type.
pub(super) fn event(kind: &str, payload: &Value) -> Bytes {
    let headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, payload.to_string().as_bytes())
}

/// An exception of that type, which ends the stream.
pub(super) fn exception(kind: &str, payload: &Value) -> Bytes {
    let headers = [(":exception-type", kind), (":content-type", "application/json"), (":message-type", "exception")];
    message(&headers, payload.to_string().as_bytes())
}

fn message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        block.extend(name.as_bytes());
        block.push(STRING);
        block.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        block.extend(value.as_bytes());
    }
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
    // Two lengths, their checksum before and the whole's after.
    let total = block.len().saturating_add(payload.len()).saturating_add(16);
    let mut message = Vec::with_capacity(total);
    message.extend(size(total));
    message.extend(size(block.len()));
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message.extend(block);
    message.extend(payload);
    message.extend(crc32fast::hash(&message).to_be_bytes());
    Bytes::from(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_framed_with_its_checksums() {
        let message = event("messageStop", &serde_json::json!({"stopReason": "end_turn"}));
        let number = |at: usize| u32::from_be_bytes(message[at..at + 4].try_into().unwrap());
        let total = message.len();
        assert_eq!((number(0), number(8)), (u32::try_from(total).unwrap(), crc32fast::hash(&message[..8])));
        assert_eq!(number(total - 4), crc32fast::hash(&message[..total - 4]));
        let headers = usize::try_from(number(4)).unwrap();
        assert_eq!(&message[12 + headers..total - 4], br#"{"stopReason":"end_turn"}"#);
        assert_eq!(&message[12..12 + 26], b"\x0b:event-type\x07\x00\x0bmessageStop");
    }

    /// The protocol's published message without headers and payload.
    #[test]
    fn the_empty_message_is_the_published_one() {
        let want = [0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
        assert_eq!(message(&[], b"")[..], want);
    }
}
