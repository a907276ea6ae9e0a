//! Brotli, with windows of at most 16 MiB, as RFC 7932 has them.

use super::{Fault, Sink};
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

/// Reads Brotli.
pub(super) struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    whole: bool,
}

impl Default for Brotli {
    fn default() -> Self {
        let new = StandardAlloc::default;
        Self { state: BrotliState::new_strict(new(), new(), new()), whole: false }
    }
}

impl Brotli {
    pub fn push(&mut self, bytes: &[u8], sink: &mut Sink) -> Result<(), Fault> {
        let mut chunk = vec![0; 16 * 1024];
        let (mut left, mut at, mut total) = (bytes.len(), 0, 0);
        while !self.whole {
            let (mut room, mut written) = (chunk.len(), 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut at,
                bytes,
                &mut room,
                &mut written,
                &mut chunk,
                &mut total,
                &mut self.state,
            );
            sink.take(chunk.get(..written).unwrap_or_default())?;
            match result {
                BrotliResult::ResultSuccess => self.whole = true,
                BrotliResult::NeedsMoreOutput => {}
                BrotliResult::NeedsMoreInput => return Ok(()),
                BrotliResult::ResultFailure => return Err(Fault::Corrupt),
            }
        }
        if left == 0 { Ok(()) } else { Err(Fault::Corrupt) }
    }

    pub fn is_whole(&self) -> bool {
        self.whole
    }
}
