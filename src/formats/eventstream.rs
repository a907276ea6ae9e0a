//! Amazon's binary event streams as a push parser
//! (<https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html>, 2026-11-21). Bytes go in as they come, cut
//! anywhere; whole messages come out.
//!
//! A message is a prelude (its length, the length of its headers, the checksum of both), headers, a payload and the
//! checksum of all before it.

use std::collections::BTreeSet;

/// One whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// `:event-type`, or for an exception `:exception-type`, or for an error `:error-code`; empty where there is none.
    pub name: &'a str,
    /// Whether the message says that something failed (`:message-type` is `exception` or `error`).
    pub failed: bool,
    /// `:error-message`: what an error says in place of a payload; empty where there is none.
    pub error: &'a str,
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

/// Bytes of the prelude, its checksum included.
const PRELUDE: usize = 12;
/// Bytes of a checksum.
const CHECKSUM: usize = 4;
/// The most bytes of headers that the format allows.
const MOST_HEADERS: usize = 128 * 1024;

/// The parser. It keeps at most one unfinished message. After an error it reads nothing more and says nothing more.
#[derive(Debug, Default)]
pub struct Parser {
    limit: usize,
    /// The bytes of a message that is not whole.
    pending: Vec<u8>,
    dead: bool,
}

impl Parser {
    /// A parser that refuses messages above `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Takes `bytes` and calls `each` with every message that is whole now. Messages before a broken one still come.
    pub fn push(&mut self, bytes: &[u8], each: &mut dyn FnMut(Message<'_>)) -> Result<(), FrameError> {
        if self.dead {
            return Ok(());
        }
        let read = self.read(bytes, each);
        if read.is_err() {
            self.die();
        }
        read
    }

    /// The bytes ended.
    pub fn finish(&mut self) -> Result<(), FrameError> {
        let cut = !self.pending.is_empty();
        self.die();
        if cut { Err(FrameError::Cut) } else { Ok(()) }
    }

    fn die(&mut self) {
        self.dead = true;
        self.pending = Vec::new();
    }

    fn read(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(Message<'_>)) -> Result<(), FrameError> {
        // First the message at hand: no more of `bytes` is copied than it lacks.
        while !self.pending.is_empty() {
            let wanted = self.length(&self.pending)?.unwrap_or(PRELUDE);
            let lacking = wanted.saturating_sub(self.pending.len()).min(bytes.len());
            let Some((head, rest)) = bytes.split_at_checked(lacking) else { return Ok(()) };
            self.pending.extend_from_slice(head);
            bytes = rest;
            match self.length(&self.pending)? {
                Some(length) if length == self.pending.len() => {
                    each(message(&self.pending)?);
                    self.pending.clear();
                }
                _ if bytes.is_empty() => return Ok(()),
                _ => {}
            }
        }
        while let Some(length) = self.length(bytes)? {
            let Some((whole, rest)) = bytes.split_at_checked(length) else { break };
            each(message(whole)?);
            bytes = rest;
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// The length of the message that begins here, from its prelude; `None` where that is not whole.
    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some((numbers, checksum)) = bytes.get(..PRELUDE).and_then(|prelude| prelude.split_last_chunk()) else {
            return Ok(None);
        };
        if crc32fast::hash(numbers) != u32::from_be_bytes(*checksum) {
            return Err(FrameError::Corrupt);
        }
        let mut fields = Fields(numbers);
        let (total, headers) = (fields.length32()?, fields.length32()?);
        if headers.checked_add(PRELUDE + CHECKSUM).is_none_or(|least| least > total) || headers > MOST_HEADERS {
            return Err(FrameError::Corrupt);
        }
        if total > self.limit { Err(FrameError::TooLarge) } else { Ok(Some(total)) }
    }
}

/// Reads a whole message, whose prelude was checked.
fn message(whole: &[u8]) -> Result<Message<'_>, FrameError> {
    let (body, checksum) = whole.split_last_chunk().ok_or(FrameError::Corrupt)?;
    if crc32fast::hash(body) != u32::from_be_bytes(*checksum) {
        return Err(FrameError::Corrupt);
    }
    let mut fields = Fields(body);
    fields.take(4)?;
    let length = fields.length32()?;
    fields.take(CHECKSUM)?;
    let mut headers = Fields(fields.take(length)?);
    let payload = fields.0;
    let (mut event, mut exception, mut code, mut error, mut kind) = ("", "", "", "", "");
    let mut seen = BTreeSet::new();
    while !headers.0.is_empty() {
        let length = headers.take(1)?.first().copied().map(usize::from).unwrap_or_default();
        let name = text(headers.take(length)?)?;
        let value = headers.value()?;
        if name.is_empty() || !seen.insert(name) {
            return Err(FrameError::Corrupt);
        }
        let known = match name {
            ":event-type" => &mut event,
            ":exception-type" => &mut exception,
            ":error-code" => &mut code,
            ":error-message" => &mut error,
            ":message-type" => &mut kind,
            _ => continue,
        };
        // These are strings by definition.
        *known = value.ok_or(FrameError::Corrupt)?;
    }
    let name = match kind {
        "exception" => exception,
        "error" => code,
        _ => event,
    };
    Ok(Message { name, failed: matches!(kind, "exception" | "error"), error, payload })
}

fn text(bytes: &[u8]) -> Result<&str, FrameError> {
    std::str::from_utf8(bytes).map_err(|_| FrameError::Corrupt)
}

/// Bytes that are read from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], FrameError> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(FrameError::Corrupt)?;
        self.0 = rest;
        Ok(head)
    }

    fn length32(&mut self) -> Result<usize, FrameError> {
        let bytes = <[u8; 4]>::try_from(self.take(4)?).map_err(|_| FrameError::Corrupt)?;
        usize::try_from(u32::from_be_bytes(bytes)).map_err(|_| FrameError::TooLarge)
    }

    fn length16(&mut self) -> Result<usize, FrameError> {
        let bytes = <[u8; 2]>::try_from(self.take(2)?).map_err(|_| FrameError::Corrupt)?;
        Ok(usize::from(u16::from_be_bytes(bytes)))
    }

    /// A header's value: its text, or `None` where it is of another type.
    fn value(&mut self) -> Result<Option<&'a str>, FrameError> {
        let length = match self.take(1)?.first() {
            // True and false are types of their own.
            Some(0 | 1) => 0,
            // Byte, short, integer, long.
            Some(2) => 1,
            Some(3) => 2,
            Some(4) => 4,
            // A long or a timestamp.
            Some(5 | 8) => 8,
            // A UUID.
            Some(9) => 16,
            // A byte array.
            Some(6) => self.length16()?,
            Some(7) => {
                let length = self.length16()?;
                return text(self.take(length)?).map(Some);
            }
            _ => return Err(FrameError::Corrupt),
        };
        self.take(length).map(|_| None)
    }
}

/// Appends an event message: `name` is its `:event-type`, `payload` JSON.
pub fn write(name: &str, payload: &[u8], out: &mut Vec<u8>) {
    frame(&[(":event-type", name), (":content-type", "application/json"), (":message-type", "event")], payload, out);
}

/// Appends an exception message: `name` is its `:exception-type`, `payload` JSON.
pub fn write_exception(name: &str, payload: &[u8], out: &mut Vec<u8>) {
    let headers = [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    frame(&headers, payload, out);
}

/// Appends a message with these headers, all of them strings. What the format cannot hold (a value above 64 KiB, a
/// message above 4 GiB) is not written.
fn frame(headers: &[(&str, &str)], payload: &[u8], out: &mut Vec<u8>) {
    let mut block = Vec::new();
    for (name, value) in headers {
        let (Ok(name_length), Ok(length)) = (u8::try_from(name.len()), u16::try_from(value.len())) else { return };
        block.push(name_length);
        block.extend_from_slice(name.as_bytes());
        block.push(7);
        block.extend_from_slice(&length.to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    let total = [block.len(), payload.len(), CHECKSUM].into_iter().fold(PRELUDE, usize::saturating_add);
    let (Ok(total), Ok(length)) = (u32::try_from(total), u32::try_from(block.len())) else { return };
    let mut message = Vec::new();
    message.extend_from_slice(&total.to_be_bytes());
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message.extend_from_slice(&block);
    message.extend_from_slice(payload);
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    out.append(&mut message);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    type Owned = (String, bool, String, Vec<u8>);

    /// What comes of bytes that are pushed in these pieces.
    fn parse(limit: usize, pieces: &[&[u8]]) -> (Vec<Owned>, Vec<FrameError>) {
        let (mut parser, mut out, mut errors) = (Parser::new(limit), Vec::new(), Vec::new());
        for piece in pieces {
            let mut each =
                |m: Message<'_>| out.push((m.name.to_owned(), m.failed, m.error.to_owned(), m.payload.to_vec()));
            errors.extend(parser.push(piece, &mut each).err());
        }
        errors.extend(parser.finish().err());
        errors.extend(parser.finish().err());
        (out, errors)
    }

    /// A message with any headers and right checksums.
    fn raw(headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(((headers.len() + payload.len() + 16) as u32).to_be_bytes());
        out.extend((headers.len() as u32).to_be_bytes());
        out.extend(crc32fast::hash(&out).to_be_bytes());
        out.extend(headers);
        out.extend(payload);
        out.extend(crc32fast::hash(&out).to_be_bytes());
        out
    }

    fn header(name: &str, kind: u8, value: &[u8]) -> Vec<u8> {
        let mut out = vec![name.len() as u8];
        out.extend(name.as_bytes());
        out.push(kind);
        out.extend(value);
        out
    }

    fn string(name: &str, value: &str) -> Vec<u8> {
        let mut all = (value.len() as u16).to_be_bytes().to_vec();
        all.extend(value.as_bytes());
        header(name, 7, &all)
    }

    #[test]
    fn what_is_written_is_read_whatever_the_cut() {
        let mut bytes = Vec::new();
        write("messageStart", br#"{"role":"assistant"}"#, &mut bytes);
        write("contentBlockDelta", "{\"delta\":{\"text\":\"é\u{1F600}\"}}".as_bytes(), &mut bytes);
        write("empty", b"", &mut bytes);
        write_exception("throttlingException", br#"{"message":"slow"}"#, &mut bytes);
        let (whole, errors) = parse(4096, &[&bytes]);
        assert_eq!(errors, []);
        let names: Vec<(&str, bool)> = whole.iter().map(|(name, failed, ..)| (name.as_str(), *failed)).collect();
        let expected =
            [("messageStart", false), ("contentBlockDelta", false), ("empty", false), ("throttlingException", true)];
        assert_eq!(names, expected);
        assert_eq!(whole[0].3, br#"{"role":"assistant"}"#);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(parse(4096, &single), (whole.clone(), vec![]));
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(parse(4096, &[head, tail]), (whole.clone(), vec![]), "cut at {cut}");
        }
    }

    #[test]
    fn known_bytes() {
        // The layout by hand: total 16 + 4 = 20, no headers; the checksums are the documented CRC-32.
        let bytes = raw(&[], b"{\"\"}");
        assert_eq!(bytes[..8], [0, 0, 0, 20, 0, 0, 0, 0]);
        assert_eq!(parse(20, &[&bytes]), (vec![(String::new(), false, String::new(), b"{\"\"}".to_vec())], vec![]));
        // The check value of CRC-32 (IEEE 802.3).
        assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn headers_of_every_type_are_passed_over() {
        let mut headers = Vec::new();
        for (kind, value) in [
            (0, &b""[..]),
            (1, b""),
            (2, b"\xFF"),
            (3, b"\xFF\xFE"),
            (4, b"\xFF\xFF\xFF\xFF"),
            (5, b"12345678"),
            (6, b"\0\x03\xFF\xFE\xFD"),
            (7, b"\0\x02\xC3\xA9"),
            (8, b"12345678"),
            (9, b"1234567812345678"),
        ] {
            headers.extend(header(&format!("h{kind}"), kind, value));
        }
        headers.extend(string(":message-type", "event"));
        headers.extend(string(":event-type", "chunk"));
        let (messages, errors) = parse(4096, &[&raw(&headers, b"x")]);
        assert_eq!(errors, []);
        assert_eq!(messages, [("chunk".to_owned(), false, String::new(), b"x".to_vec())]);
    }

    #[test]
    fn errors_name_themselves_in_headers() {
        let mut headers = string(":error-code", "InternalFailure");
        headers.extend(string(":error-message", "try again"));
        headers.extend(string(":message-type", "error"));
        let (messages, errors) = parse(4096, &[&raw(&headers, b"")]);
        assert_eq!(errors, []);
        assert_eq!(messages, [("InternalFailure".to_owned(), true, "try again".to_owned(), vec![])]);
    }

    #[test]
    fn broken_messages_end_the_stream() {
        let good = raw(&string(":event-type", "a"), b"payload");
        let flipped = |at: usize| {
            let mut bad = good.clone();
            bad[at] ^= 1;
            bad
        };
        let prelude = |total: u32, headers: u32| {
            let mut bad = [total.to_be_bytes(), headers.to_be_bytes()].concat();
            bad.extend(crc32fast::hash(&bad).to_be_bytes());
            bad
        };
        let twice = [header("a", 0, b""), header("a", 1, b"")].concat();
        let cases: Vec<(&str, Vec<u8>, FrameError)> = vec![
            ("a length below the least", prelude(15, 0), FrameError::Corrupt),
            ("a length of nothing", prelude(0, 0), FrameError::Corrupt),
            ("headers longer than the message", prelude(100, 85), FrameError::Corrupt),
            ("headers of any length", prelude(u32::MAX, u32::MAX), FrameError::Corrupt),
            ("headers above what is allowed", prelude(200_000, 150_000), FrameError::Corrupt),
            ("a message above the limit", prelude(1025, 0), FrameError::TooLarge),
            ("a message of four gigabytes", prelude(u32::MAX, 0), FrameError::TooLarge),
            ("a header twice", raw(&twice, b""), FrameError::Corrupt),
            ("a header without a name", raw(&header("", 0, b""), b""), FrameError::Corrupt),
            ("a header of no type", raw(b"\x01a", b""), FrameError::Corrupt),
            ("a header of an unknown type", raw(&header("a", 10, b""), b""), FrameError::Corrupt),
            ("a string that ends early", raw(&header("a", 7, b"\0\x05abc"), b"de"), FrameError::Corrupt),
            ("a string that is not UTF-8", raw(&header("a", 7, b"\0\x01\xFF"), b""), FrameError::Corrupt),
            ("a name that is not UTF-8", raw(b"\x01\xFF\0", b""), FrameError::Corrupt),
            ("an event type that is no string", raw(&header(":event-type", 0, b""), b""), FrameError::Corrupt),
            ("text in place of a message", b"HTTP/1.1 502 Bad Gateway".to_vec(), FrameError::Corrupt),
        ];
        let flips = (0..good.len()).map(|at| ("a flipped bit", flipped(at), FrameError::Corrupt));
        for (what, bad, expected) in cases.into_iter().chain(flips) {
            let all = [&good[..], &bad, &good].concat();
            let single: Vec<&[u8]> = all.chunks(1).collect();
            for pieces in [&[&all[..]][..], &single] {
                let (messages, errors) = parse(1024, pieces);
                assert_eq!(messages.len(), 1, "{what}");
                assert_eq!(errors, [expected], "{what}");
            }
        }
    }

    #[test]
    fn a_stream_cut_in_a_message_says_so_once() {
        let good = raw(&[], b"payload");
        for cut in 1..good.len() {
            assert_eq!(parse(1024, &[&good, &good[..cut]]).1, [FrameError::Cut], "cut at {cut}");
        }
        assert_eq!(parse(1024, &[]).1, []);
    }

    #[test]
    fn what_cannot_be_framed_is_not_written() {
        let mut out = Vec::new();
        write(&"x".repeat(70_000), b"", &mut out);
        assert!(out.is_empty());
    }

    /// Files and the environment are for native tests only.
    #[cfg(not(target_family = "wasm"))]
    mod recordings {
        use super::*;
        use base64::Engine;
        use serde_json::Value;

        fn records(file: &str) -> Vec<Value> {
            let Ok(folder) = std::env::var("CONDUIT_VECTORS") else {
                println!("skipped: CONDUIT_VECTORS is not set");
                return Vec::new();
            };
            let text = std::fs::read_to_string(format!("{folder}/{file}.jsonl")).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }

        fn decode(value: &Value) -> Vec<u8> {
            base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap()
        }

        #[test]
        fn framing_cases() {
            for case in records("hostile/aws_eventstream_framing") {
                let bytes = decode(&case["body_base64"]);
                for cut in 0..=bytes.len() {
                    let (head, tail) = bytes.split_at(cut);
                    let (messages, errors) = parse(1 << 20, &[head, tail]);
                    if case["expect"] == "accept" {
                        assert_eq!((messages.len(), errors.len()), (1, 0), "{}", case["case"]);
                    } else {
                        assert_eq!((messages.len(), errors), (0, vec![FrameError::Corrupt]), "{}", case["case"]);
                    }
                }
            }
        }

        #[test]
        fn recorded_streams() {
            for file in ["recordings/bedrock_converse", "recordings/bedrock_invoke"] {
                for record in records(file) {
                    let response = &record["response"];
                    if response["body_kind"] != "aws-eventstream" {
                        continue;
                    }
                    let (id, bytes) = (&record["id"], decode(&response["body_base64"]));
                    let whole = parse(1 << 20, &[&bytes]);
                    let events = response["events"].as_array().unwrap();
                    assert_eq!((whole.0.len(), whole.1.len()), (events.len(), 0), "{id}");
                    for (message, event) in whole.0.iter().zip(events) {
                        assert_eq!(message.0, event["headers"][":event-type"].as_str().unwrap(), "{id}");
                        if event["payload"].get("bytes_decoded").is_none() {
                            let payload: Value = serde_json::from_slice(&message.3).unwrap();
                            assert_eq!(payload, event["payload"], "{id}");
                        }
                    }
                    let single: Vec<&[u8]> = bytes.chunks(1).collect();
                    assert_eq!(parse(1 << 20, &single), whole, "{id}");
                    // Byte by byte covers every place; of the pairs, a long stream is cut at some of them.
                    for cut in (0..=bytes.len()).step_by(1 + bytes.len() / 1000) {
                        let (head, tail) = bytes.split_at(cut);
                        assert_eq!(parse(1 << 20, &[head, tail]), whole, "{id} cut at {cut}");
                    }
                }
            }
        }
    }
}
