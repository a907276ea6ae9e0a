//! Zstandard (RFC 8878), block by block.
//!
//! The library gives decoded bytes only once they have left the window, or once the frame has ended, which for a stream
//! of events may be its very end. So each block is handed to it marked as the last one: then all that it holds can be
//! looked at, while the window stays where it is for the next block. Its tables and offsets live on from block to block
//! as they should. When much more than a window has gathered, all is taken out, and the last window is put back as
//! stored blocks.

use super::{Fault, Sink};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::hash::Hasher;
use std::io;
use twox_hash::XxHash64;

/// The largest window of the content coding (RFC 9659).
const LARGEST_WINDOW: usize = 8 << 20;
/// The largest block.
const LARGEST_BLOCK: usize = 128 << 10;
/// What gathers beyond two windows before it is dropped.
const SPARE: usize = 256 << 10;

/// Reads Zstandard, of one frame or several.
#[derive(Default)]
pub(super) struct Zstd {
    /// Bytes that are not read yet: less than one element, but while `push` runs.
    held: Vec<u8>,
    at: At,
}

#[derive(Default)]
enum At {
    /// Before a frame.
    #[default]
    Start,
    /// In a frame of no data: what is left of it.
    Skipping(usize),
    /// Before a block.
    Block(Box<Frame>),
    /// Before a frame's checksum, which shall be that.
    Checksum([u8; 4]),
}

struct Frame {
    decoder: FrameDecoder,
    window: usize,
    /// How many of the bytes that the decoder holds have been given out.
    seen: usize,
    hash: Option<XxHash64>,
}

impl Zstd {
    pub fn push(&mut self, bytes: &[u8], sink: &mut Sink) -> Result<(), Fault> {
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        let mut rest = held.as_slice();
        while let Some(after) = self.step(rest, sink)? {
            rest = after;
        }
        let read = held.len().saturating_sub(rest.len());
        held.drain(..read);
        self.held = held;
        Ok(())
    }

    /// Between frames.
    pub fn is_whole(&self) -> bool {
        self.held.is_empty() && matches!(self.at, At::Start)
    }

    /// Reads one element where it is whole, and gives what follows it.
    fn step<'a>(&mut self, bytes: &'a [u8], sink: &mut Sink) -> Result<Option<&'a [u8]>, Fault> {
        match &mut self.at {
            At::Start => {
                let Some((at, length)) = begin(bytes)? else { return Ok(None) };
                self.at = at;
                Ok(bytes.get(length..))
            }
            At::Skipping(left) => {
                let skipped = bytes.len().min(*left);
                *left = left.saturating_sub(skipped);
                if *left == 0 {
                    self.at = At::Start;
                } else if skipped == 0 {
                    return Ok(None);
                }
                Ok(bytes.get(skipped..))
            }
            At::Block(frame) => {
                let Some(length) = block_length(bytes)? else { return Ok(None) };
                let Some((block, after)) = bytes.split_at_checked(length) else { return Ok(None) };
                frame.block(block, sink)?;
                if block.first().is_some_and(|first| first & 1 == 1) {
                    self.at = match &frame.hash {
                        Some(hash) => At::Checksum(low_half(hash.finish())),
                        None => At::Start,
                    };
                }
                Ok(Some(after))
            }
            At::Checksum(want) => {
                let Some((found, after)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
                if found != want {
                    return Err(Fault::Corrupt);
                }
                self.at = At::Start;
                Ok(Some(after))
            }
        }
    }
}

fn low_half(hash: u64) -> [u8; 4] {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    [a, b, c, d]
}

/// Reads a frame's header and gives its length; `None`: it is not whole.
fn begin(bytes: &[u8]) -> Result<Option<(At, usize)>, Fault> {
    let Some((magic, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let magic = u32::from_le_bytes(*magic);
    if magic & 0xffff_fff0 == 0x184d_2a50 {
        let Some((size, _)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let size = usize::try_from(u32::from_le_bytes(*size)).unwrap_or(usize::MAX);
        return Ok(Some((At::Skipping(size), 8)));
    }
    if magic != 0xfd2f_b528 {
        return Err(Fault::Corrupt);
    }
    let Some((&descriptor, fields)) = rest.split_first() else { return Ok(None) };
    let single = descriptor & 0x20 != 0;
    let window_field = usize::from(!single);
    let (id, size) = match (descriptor & 3, descriptor >> 6) {
        (id, 0) => (id, usize::from(single)),
        (id, 1) => (id, 2),
        (id, 2) => (id, 4),
        (id, _) => (id, 8),
    };
    let size_at = window_field.saturating_add(match id {
        0 => 0,
        1 => 1,
        2 => 2,
        _ => 4,
    });
    let fields_length = size_at.saturating_add(size);
    let length = fields_length.saturating_add(5);
    let (Some(header), Some(fields)) = (bytes.get(..length), fields.get(..fields_length)) else { return Ok(None) };
    let window = match fields.first().filter(|_| !single) {
        Some(window) => {
            let base = 1_u64.wrapping_shl(u32::from(window >> 3).saturating_add(10));
            base.saturating_add((base >> 3).saturating_mul(u64::from(window & 7)))
        }
        None => {
            let little = fields.get(size_at..).unwrap_or_default().iter().rev();
            let read = little.fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
            // Two bytes begin where one byte ends.
            if size == 2 { read.saturating_add(256) } else { read }
        }
    };
    let window = usize::try_from(window).ok().filter(|window| *window <= LARGEST_WINDOW).ok_or(Fault::TooLarge)?;
    let mut decoder = FrameDecoder::new();
    // The checksum is read here: the library looks for one after what it takes for the last block.
    let mut header = header.to_vec();
    if let Some(descriptor) = header.get_mut(4) {
        *descriptor &= !0x04;
    }
    decoder.init(header.as_slice()).map_err(|_| Fault::Corrupt)?;
    let hash = (descriptor & 0x04 != 0).then(|| XxHash64::with_seed(0));
    Ok(Some((At::Block(Box::new(Frame { decoder, window, seen: 0, hash })), length)))
}

/// The length of a block with its header; `None`: not even that is whole.
fn block_length(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let Some((&[a, b, c], _)) = bytes.split_first_chunk::<3>() else { return Ok(None) };
    let header = u32::from_le_bytes([a, b, c, 0]);
    let size = usize::try_from(header >> 3).unwrap_or(usize::MAX);
    let content = match (header >> 1) & 3 {
        1 => 1,
        3 => return Err(Fault::Corrupt),
        _ => size,
    };
    if size > LARGEST_BLOCK {
        return Err(Fault::Corrupt);
    }
    Ok(Some(content.saturating_add(3)))
}

impl Frame {
    /// Reads a block and gives out what it holds.
    fn block(&mut self, block: &[u8], sink: &mut Sink) -> Result<(), Fault> {
        let mut block = block.to_vec();
        if let Some(first) = block.first_mut() {
            *first |= 1;
        }
        self.feed(&block)?;
        let mut peek = Peek { seen: self.seen, new: Vec::new() };
        self.decoder.collect_to_writer(&mut peek).map_err(|_| Fault::Corrupt)?;
        self.seen = self.seen.saturating_add(peek.new.len());
        if let Some(hash) = &mut self.hash {
            hash.write(&peek.new);
        }
        sink.take(&peek.new)?;
        if self.seen > self.window.saturating_mul(2).saturating_add(SPARE) {
            self.drop_old()?;
        }
        Ok(())
    }

    fn feed(&mut self, mut block: &[u8]) -> Result<(), Fault> {
        let fed = self.decoder.decode_blocks(&mut block, BlockDecodingStrategy::UptoBlocks(1));
        fed.map(drop).map_err(|_| Fault::Corrupt)
    }

    /// Keeps one window of what was decoded.
    fn drop_old(&mut self) -> Result<(), Fault> {
        let all = self.decoder.collect().unwrap_or_default();
        let kept = all.get(all.len().saturating_sub(self.window)..).unwrap_or_default();
        for stored in kept.chunks(LARGEST_BLOCK.min(self.window).max(1)) {
            let header = u32::try_from(stored.len()).unwrap_or(0).wrapping_shl(3) | 1;
            let [a, b, c, _] = header.to_le_bytes();
            self.feed(&[&[a, b, c], stored].concat())?;
        }
        self.seen = kept.len();
        Ok(())
    }
}

/// Looks at what a decoder holds and leaves it there.
struct Peek {
    seen: usize,
    new: Vec<u8>,
}

impl io::Write for Peek {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.new = bytes.get(self.seen..).unwrap_or_default().to_vec();
        Ok(0)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
