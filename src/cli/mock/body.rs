//! A response body in timed pieces that can break off.

use super::meter::Meter;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// Why a body ended before its end: it was asked to.
#[derive(Debug)]
pub(super) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut on demand")
    }
}

impl std::error::Error for Cut {}

struct Piece {
    after: Duration,
    /// `None`: the connection breaks here.
    bytes: Option<Bytes>,
    /// What was to be said, before it was compressed.
    plain: Bytes,
}

impl Piece {
    fn new(after: Duration, bytes: Bytes) -> Self {
        Self { after, plain: bytes.clone(), bytes: Some(bytes) }
    }

    /// Where the connection breaks. What came before has time to leave the machine.
    fn tear() -> Self {
        Self { after: Duration::from_millis(20), bytes: None, plain: Bytes::new() }
    }
}

/// The body.
pub(super) struct Pieces {
    queue: VecDeque<Piece>,
    nap: Option<Pin<Box<Sleep>>>,
    /// The length to declare; `None`: chunked.
    length: Option<u64>,
    meter: Option<Meter>,
}

impl Pieces {
    /// All at once, with its length declared.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = u64::try_from(bytes.len()).ok();
        Self { queue: VecDeque::from([Piece::new(Duration::ZERO, bytes)]), nap: None, length, meter: None }
    }

    /// Chunked, with a wait before each piece.
    pub fn drip(pieces: impl IntoIterator<Item = Bytes>, wait_ms: u64) -> Self {
        let after = Duration::from_millis(wait_ms);
        Self {
            queue: pieces.into_iter().map(|bytes| Piece::new(after, bytes)).collect(),
            nap: None,
            length: None,
            meter: None,
        }
    }

    /// Billed when it is over.
    pub fn metered(mut self, meter: Meter) -> Self {
        self.meter = Some(meter);
        self
    }

    /// Breaks off after its last piece.
    pub fn torn(mut self) -> Self {
        self.queue.push_back(Piece::tear());
        self
    }

    /// Each piece made into another; a declared length follows.
    pub fn map(mut self, mut make: impl FnMut(Bytes) -> Bytes) -> Self {
        for piece in &mut self.queue {
            piece.bytes = piece.bytes.take().map(&mut make);
        }
        self.measure();
        self
    }

    /// One more piece, right after the last.
    pub fn push(&mut self, bytes: Bytes) {
        self.queue.push_back(Piece { after: Duration::ZERO, bytes: Some(bytes), plain: Bytes::new() });
        self.measure();
    }

    fn measure(&mut self) {
        if self.length.is_some() {
            let sizes = self.queue.iter().map(|piece| piece.bytes.as_ref().map_or(0, Bytes::len));
            self.length = u64::try_from(sizes.fold(0_usize, usize::saturating_add)).ok();
        }
    }

    /// Breaks off after `limit` bytes.
    pub fn cut(mut self, limit: usize) -> Self {
        let mut left = limit;
        let mut kept = VecDeque::new();
        for piece in self.queue {
            let Some(bytes) = piece.bytes else { continue };
            let take = bytes.len().min(left);
            left = left.saturating_sub(take);
            if take > 0 {
                let plain = if take == bytes.len() { piece.plain } else { Bytes::new() };
                kept.push_back(Piece { after: piece.after, bytes: Some(bytes.slice(..take)), plain });
            }
            if left == 0 {
                break;
            }
        }
        kept.push_back(Piece::tear());
        self.queue = kept;
        self
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            if let Some(nap) = self.nap.as_mut() {
                if nap.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.nap = None;
            }
            let Some(front) = self.queue.front_mut() else { return Poll::Ready(None) };
            let after = std::mem::take(&mut front.after);
            if !after.is_zero() {
                self.nap = Some(Box::pin(sleep(after)));
                continue;
            }
            let piece = self.queue.pop_front();
            let last = self.queue.is_empty();
            if let (Some(meter), Some(piece)) = (self.meter.as_mut(), piece.as_ref().filter(|p| p.bytes.is_some())) {
                meter.sent(&piece.plain);
                if last {
                    meter.finish();
                }
            }
            return Poll::Ready(Some(piece.and_then(|piece| piece.bytes).map(Frame::data).ok_or(Cut)));
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}
