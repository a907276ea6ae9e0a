//! Bodies compressed on demand, a stream piece by piece: each piece can be read as soon as it came.

use super::body::Pieces;
use bytes::Bytes;
use std::io::{self, Write};

/// A content coding (RFC 9110, RFC 7932, RFC 8878).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    /// The zlib format, as RFC 9110 defines it.
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

enum Press {
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Deflate(flate2::write::ZlibEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Press {
    fn new(coding: Coding) -> io::Result<Self> {
        let level = flate2::Compression::default();
        Ok(match coding {
            Coding::Gzip => Self::Gzip(flate2::write::GzEncoder::new(Vec::new(), level)),
            Coding::Deflate => Self::Deflate(flate2::write::ZlibEncoder::new(Vec::new(), level)),
            Coding::Brotli => Self::Brotli(Box::new(brotli::CompressorWriter::new(Vec::new(), 4_096, 5, 22))),
            Coding::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 0)?),
        })
    }

    /// What the other side needs to read all of `bytes`.
    fn push(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        fn through<W: Write>(writer: &mut W, bytes: &[u8]) -> io::Result<()> {
            writer.write_all(bytes)?;
            writer.flush()
        }
        match self {
            Self::Gzip(w) => through(w, bytes).map(|()| std::mem::take(w.get_mut())),
            Self::Deflate(w) => through(w, bytes).map(|()| std::mem::take(w.get_mut())),
            Self::Brotli(w) => through(w, bytes).map(|()| std::mem::take(w.get_mut())),
            Self::Zstd(w) => through(w, bytes).map(|()| std::mem::take(w.get_mut())),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(w) => w.finish(),
            Self::Deflate(w) => w.finish(),
            Self::Brotli(w) => Ok(w.into_inner()),
            Self::Zstd(w) => w.finish(),
        }
    }
}

/// The body, compressed. Writing to memory does not fail; if it did, the body would end there.
pub(super) fn squeeze(body: Pieces, coding: Coding) -> Pieces {
    let Ok(mut press) = Press::new(coding) else { return body };
    let mut body = body.map(|bytes| press.push(&bytes).map(Bytes::from).unwrap_or_default());
    body.push(press.finish().map(Bytes::from).unwrap_or_default());
    body
}
