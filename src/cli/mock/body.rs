//! A response body in timed pieces that can break off.

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
}

/// The body.
pub(super) struct Pieces {
    queue: VecDeque<Piece>,
    nap: Option<Pin<Box<Sleep>>>,
    /// The length to declare; `None`: chunked.
    length: Option<u64>,
}

impl Pieces {
    /// All at once, with its length declared.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = u64::try_from(bytes.len()).ok();
        Self { queue: VecDeque::from([Piece { after: Duration::ZERO, bytes: Some(bytes) }]), nap: None, length }
    }

    /// Chunked, with a wait before each piece.
    pub fn drip(pieces: impl IntoIterator<Item = Bytes>, wait_ms: u64) -> Self {
        let after = Duration::from_millis(wait_ms);
        Self {
            queue: pieces.into_iter().map(|bytes| Piece { after, bytes: Some(bytes) }).collect(),
            nap: None,
            length: None,
        }
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
        self.queue.push_back(Piece { after: Duration::ZERO, bytes: Some(bytes) });
        self.measure();
    }

    fn measure(&mut self) {
        if self.length.is_some() {
            let sizes = self.queue.iter().map(|piece| piece.bytes.as_ref().map_or(0, Bytes::len));
            self.length = u64::try_from(sizes.fold(0_usize, usize::saturating_add)).ok();
        }
    }

    /// Breaks off after `limit` bytes. What came before has time to leave the machine.
    pub fn cut(mut self, limit: usize) -> Self {
        let mut left = limit;
        let mut kept = VecDeque::new();
        for piece in self.queue {
            let Some(bytes) = piece.bytes else { continue };
            let take = bytes.len().min(left);
            left = left.saturating_sub(take);
            if take > 0 {
                kept.push_back(Piece { after: piece.after, bytes: Some(bytes.slice(..take)) });
            }
            if left == 0 {
                break;
            }
        }
        kept.push_back(Piece { after: Duration::from_millis(20), bytes: None });
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
            let bytes = self.queue.pop_front().and_then(|piece| piece.bytes);
            return Poll::Ready(Some(bytes.map(Frame::data).ok_or(Cut)));
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}
