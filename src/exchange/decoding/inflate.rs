//! gzip and deflate.

use super::{Fault, Sink};
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use std::io::Write;

/// Reads gzip, of one member or several.
pub(super) struct Gzip(MultiGzDecoder<Sink>);

impl Default for Gzip {
    fn default() -> Self {
        Self(MultiGzDecoder::new(Sink::default()))
    }
}

impl Gzip {
    pub fn push(&mut self, bytes: &[u8], sink: &mut Sink) -> Result<(), Fault> {
        std::mem::swap(self.0.get_mut(), sink);
        let written = self.0.write_all(bytes).and_then(|()| self.0.flush());
        std::mem::swap(self.0.get_mut(), sink);
        written.map_err(|_| if sink.full { Fault::TooLarge } else { Fault::Corrupt })
    }

    /// The library says the same of an end that is missing and of a checksum that is wrong.
    pub fn finish(&mut self) -> Result<(), Fault> {
        self.0.try_finish().map_err(|_| Fault::Cut)
    }
}

/// Reads deflate, with or without zlib's frame around it.
#[derive(Default)]
pub(super) struct Deflate {
    first: Vec<u8>,
    stream: Option<Decompress>,
    whole: bool,
}

impl Deflate {
    pub fn push(&mut self, bytes: &[u8], sink: &mut Sink) -> Result<(), Fault> {
        let held;
        let mut bytes = bytes;
        if self.stream.is_none() {
            self.first.extend_from_slice(bytes);
            let Some((&[method, flags], _)) = self.first.split_first_chunk::<2>() else { return Ok(()) };
            // RFC 1950 section 2.2. Deflate alone cannot begin so: it would be a stored block after odd padding.
            let zlib = method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31);
            self.stream = Some(Decompress::new(zlib));
            held = std::mem::take(&mut self.first);
            bytes = &held;
        }
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let mut chunk = vec![0; 16 * 1024];
        while !self.whole {
            let (read, written) = (stream.total_in(), stream.total_out());
            let status = stream.decompress(bytes, &mut chunk, FlushDecompress::None).map_err(|_| Fault::Corrupt)?;
            let count = |now: u64, before: u64| usize::try_from(now.saturating_sub(before)).unwrap_or(usize::MAX);
            let (read, written) = (count(stream.total_in(), read), count(stream.total_out(), written));
            sink.take(chunk.get(..written).unwrap_or_default())?;
            bytes = bytes.get(read..).unwrap_or_default();
            self.whole = status == Status::StreamEnd;
            if written == 0 && (read == 0 || bytes.is_empty()) {
                break;
            }
        }
        // What is left is either after the end or moves nothing.
        if bytes.is_empty() { Ok(()) } else { Err(Fault::Corrupt) }
    }

    pub fn is_whole(&self) -> bool {
        self.whole
    }
}
