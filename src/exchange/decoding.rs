//! Answers that come compressed although none is asked for: read piece by piece, within bounds.
//!
//! A decoder gives what it has as soon as it has it, so that an event that a provider flushed leaves at once.

mod brotli;
mod inflate;
mod zstd;

use super::Ledger;
use super::headers::{Headers, value};
use super::stream::Pipe;
use crate::formats::canonical::ApiError;
use std::io;

/// How an answer's bytes are encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Not at all.
    Plain,
    /// In a coding that is read here.
    Coded(Coding),
    /// In another one, or in several: what the header says, fit to be shown.
    Unknown(String),
}

/// A content coding (RFC 9110 section 8.4.1, RFC 7932, RFC 8878).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// `gzip`, also of several members.
    Gzip,
    /// `deflate`: the zlib format, or without it, as some servers have it.
    Deflate,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

impl Encoding {
    /// What the headers of an answer say.
    pub fn of(headers: &Headers) -> Self {
        let said = headers.iter().filter(|(name, _)| *name == "content-encoding").map(|(_, said)| said);
        let said: Vec<String> = said
            .flat_map(|said| said.split(','))
            .map(|coding| coding.trim().to_ascii_lowercase())
            .filter(|coding| !coding.is_empty() && coding != "identity")
            .collect();
        match said.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => Self::Plain,
            ["gzip" | "x-gzip"] => Self::Coded(Coding::Gzip),
            ["deflate"] => Self::Coded(Coding::Deflate),
            ["br"] => Self::Coded(Coding::Brotli),
            ["zstd"] => Self::Coded(Coding::Zstd),
            several => Self::Unknown(value(&several.join(", "))),
        }
    }

    /// Whether it can be read here.
    pub fn is_read(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }

    /// What reads a stream in it; `None`: its bytes are read as they come, or not at all.
    pub fn decoder(&self) -> Option<Decoder> {
        match self {
            Self::Coded(coding) => Some(Decoder::new(*coding)),
            Self::Plain | Self::Unknown(_) => None,
        }
    }

    /// Reads a whole answer of at most `most` bytes; `None`: it is not compressed.
    pub fn read_whole(&self, body: &[u8], most: usize) -> Result<Option<Vec<u8>>, Unread> {
        match self {
            Self::Plain => Ok(None),
            Self::Unknown(name) => Err(Unread::Unknown(name.clone())),
            Self::Coded(coding) => {
                let mut out = Vec::new();
                let mut decoder = Decoder::new(*coding);
                let decoded = decoder.decode(body, most, &mut out).and_then(|()| decoder.finish());
                decoded.map(|()| Some(out)).map_err(|fault| Unread::Fault(*coding, fault))
            }
        }
    }
}

/// What is wrong with compressed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// They are not what the coding says, or a checksum is wrong.
    Corrupt,
    /// They end too early, or a checksum at their end is wrong.
    Cut,
    /// They become more bytes than are taken.
    TooLarge,
}

/// Why an answer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Its encoding is not known here.
    Unknown(String),
    /// Its compressed bytes are wrong.
    Fault(Coding, Fault),
}

impl Unread {
    /// What the client is told of an answer with that status. A failure stays the failure that it is.
    pub fn error(&self, target: &str, status: u16) -> ApiError {
        let what = match self {
            Self::Unknown(name) => {
                format!("its content-encoding is `{name}`; expected none, gzip, deflate, br or zstd")
            }
            Self::Fault(coding, Fault::Corrupt) => format!("its {} data is corrupt", coding.name()),
            Self::Fault(coding, Fault::Cut) => format!("its {} data is cut, or its end corrupt", coding.name()),
            Self::Fault(coding, Fault::TooLarge) => {
                format!("its {} data becomes more bytes than this gateway takes", coding.name())
            }
        };
        if status >= 400 {
            return ApiError::new(
                status,
                format!("{target} answered with status {status}, which cannot be read: {what}"),
            );
        }
        ApiError::new(502, format!("{target} answered with what cannot be read: {what}"))
    }
}

/// Bytes for which a stream may become any number of times longer than it came.
const FREE: usize = 16 * 1024 * 1024;
/// How many times longer than it came a stream may become beyond that. Streamed events repeat themselves, so that a
/// good compressor makes them some dozen times shorter.
const RATIO: usize = 256;

/// Reads compressed bytes, piece by piece.
pub(super) struct Decoder {
    coding: Coding,
    reader: Reader,
    taken: usize,
    given: usize,
    fault: Option<Fault>,
}

enum Reader {
    Gzip(Box<inflate::Gzip>),
    Deflate(Box<inflate::Deflate>),
    Brotli(Box<brotli::Brotli>),
    Zstd(Box<zstd::Zstd>),
}

impl Decoder {
    /// At a beginning.
    pub fn new(coding: Coding) -> Self {
        let reader = match coding {
            Coding::Gzip => Reader::Gzip(Box::default()),
            Coding::Deflate => Reader::Deflate(Box::default()),
            Coding::Brotli => Reader::Brotli(Box::default()),
            Coding::Zstd => Reader::Zstd(Box::default()),
        };
        Self { coding, reader, taken: 0, given: 0, fault: None }
    }

    /// Appends what a piece of a stream makes known. What was read before a fault is appended too.
    pub fn piece(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let allowed = |bytes: usize| bytes.saturating_mul(RATIO).saturating_add(FREE);
        let left = allowed(self.taken.saturating_add(bytes.len())).saturating_sub(self.given);
        self.decode(bytes, left.min(allowed(bytes.len())), out)
    }

    fn decode(&mut self, bytes: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let before = out.len();
        let mut sink = Sink { bytes: std::mem::take(out), full: false, most };
        let read = match &mut self.reader {
            Reader::Gzip(reader) => reader.push(bytes, &mut sink),
            Reader::Deflate(reader) => reader.push(bytes, &mut sink),
            Reader::Brotli(reader) => reader.push(bytes, &mut sink),
            Reader::Zstd(reader) => reader.push(bytes, &mut sink),
        };
        *out = sink.bytes;
        self.taken = self.taken.saturating_add(bytes.len());
        self.given = self.given.saturating_add(out.len().saturating_sub(before));
        self.fault = read.err();
        read
    }

    /// Whether the bytes may end here. None at all are an empty answer.
    fn finish(&mut self) -> Result<(), Fault> {
        let whole = self.taken == 0
            || match &mut self.reader {
                Reader::Gzip(reader) => return reader.finish(),
                Reader::Deflate(reader) => reader.is_whole(),
                Reader::Brotli(reader) => reader.is_whole(),
                Reader::Zstd(reader) => reader.is_whole(),
            };
        if whole { Ok(()) } else { Err(Fault::Cut) }
    }

    /// Takes a piece of a compressed stream through a pipe. Data that is cut ends the stream as if the provider had
    /// ended it there: what its client is told depends on whether its last event had come.
    pub fn through(&mut self, pipe: &mut Pipe, bytes: &[u8], ends: bool, target: &str, ledger: &mut Ledger) -> Vec<u8> {
        let mut plain = Vec::new();
        let read = self.piece(bytes, &mut plain);
        match read {
            Ok(()) => pipe.push(&plain, ends, ledger),
            Err(fault) => {
                let mut out = pipe.push(&plain, false, ledger);
                out.extend(pipe.fail(Unread::Fault(self.coding, fault).error(target, 200), ledger));
                out
            }
        }
    }

    /// A copy of a stream that passes as it came, for who only looks at it; `None`: there is no more to read.
    pub fn copy(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut plain = Vec::new();
        self.piece(bytes, &mut plain).ok().map(|()| plain)
    }
}

/// Takes what a decoder gives, up to a limit.
#[derive(Default)]
struct Sink {
    bytes: Vec<u8>,
    full: bool,
    most: usize,
}

impl Sink {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.full |= self.bytes.len().saturating_add(bytes.len()) > self.most;
        if self.full {
            return Err(Fault::TooLarge);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes).map(|()| bytes.len()).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn each_coding_is_read_wherever_this_runs() {
        // As the vendors' own tools (gzip, zlib, brotli, zstd) wrote "hello hello hello".
        for (coding, bytes) in [
            (
                Coding::Gzip,
                &b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\0\x80\x88\xf9\xe5\x11\0\0\0"[..],
            ),
            (Coding::Deflate, b"\x78\x9c\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\0\x3a\x2e\x06\x7d"),
            (Coding::Brotli, &[27, 16, 0, 248, 141, 148, 110, 222, 68, 85, 134, 150, 108, 32, 111, 1, 79, 28, 96, 28]),
            (Coding::Zstd, b"\x28\xb5\x2f\xfd\x04\x58\x65\0\0\x30hello \x01\0\x31\x4a\x11\xa2\xed\x1e\x0c"),
        ] {
            let mut whole = Vec::new();
            let mut decoder = Decoder::new(coding);
            for byte in bytes {
                decoder.piece(&[*byte], &mut whole).unwrap();
            }
            assert_eq!((whole.as_slice(), decoder.finish()), (&b"hello hello hello"[..], Ok(())), "{coding:?}");
        }
    }
}
