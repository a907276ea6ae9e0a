//! Reads logs on all processors: one thread reads and decompresses, the others parse and add up.

use super::logs::{self, Log, Piece, TOO_LONG};
use super::progress::Progress;
use crate::cli::{Failure, print};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Lines that are no records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// How many.
    pub lines: u64,
    /// The first: its log, its number and what is wrong with it.
    first: Option<(usize, u64, String)>,
}

impl Skipped {
    /// Counts one.
    pub fn add(&mut self, log: usize, line: u64, why: &str) {
        self.lines = self.lines.saturating_add(1);
        if self.first.as_ref().is_none_or(|(l, n, _)| (log, line) < (*l, *n)) {
            self.first = Some((log, line, why.to_owned()));
        }
    }

    /// Takes another's lines in.
    pub fn merge(&mut self, other: Self) {
        self.lines = self.lines.saturating_add(other.lines);
        let earlier = |(log, line, _): &(usize, u64, String)| (*log, *line);
        self.first = match (self.first.take(), other.first) {
            (Some(a), Some(b)) => Some(if earlier(&a) <= earlier(&b) { a } else { b }),
            (a, b) => a.or(b),
        };
    }

    /// Says so on standard error, where there are any.
    pub fn tell(&self, logs: &[Log]) {
        if let Some((log, line, why)) = &self.first {
            let name = logs.get(*log).map(Log::name).unwrap_or_default();
            let lines = if self.lines == 1 { "1 line" } else { &format!("{} lines", self.lines) };
            print::complain(&format!("skipped {lines}; the first is {name}:{line}: {}", print::clean(why)));
        }
    }
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Read<P> {
    /// What each thread made of its pieces.
    pub parts: Vec<P>,
    /// Lines that no thread has seen.
    pub too_long: Skipped,
    /// Whether every log was read to its end; where not, that was said.
    pub whole: bool,
}

/// Hands the logs' pieces to threads, which take them into a part of their own and say how many records they were.
///
/// # Errors
/// A log that cannot be opened. One that breaks off in the middle is read as far as it goes.
pub(crate) fn read<P: Send>(
    logs: &[Log],
    part: impl Fn() -> P + Sync,
    take: impl Fn(&mut P, &Piece) -> u64 + Sync,
) -> Result<Read<P>, Failure> {
    for log in logs {
        // Said before the work, not after it.
        if let Some(path) = log.path() {
            std::fs::File::open(path)
                .map_err(|e| Failure::Machine(format!("{} cannot be read: {e}.", path.display())))?;
        }
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 16);
    let (send, receive) = sync_channel::<Piece>(workers.saturating_mul(2));
    let receive = Mutex::new(receive);
    let records = AtomicU64::new(0);
    let mut too_long = Skipped::default();
    let mut whole = true;
    let work = || {
        let mut part = part();
        while let Some(piece) = next(&receive) {
            records.fetch_add(take(&mut part, &piece), Ordering::Relaxed);
        }
        part
    };
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let progress = Progress::of(logs);
        for (place, log) in logs.iter().enumerate() {
            let mut give = |piece: Piece| {
                progress.update(records.load(Ordering::Relaxed));
                send.send(piece).is_ok()
            };
            let mut long = |line| too_long.add(place, line, TOO_LONG);
            let opened = logs::open(log, progress.passed());
            let result = opened.and_then(|mut from| logs::pieces(place, &mut *from, &mut give, &mut long));
            if let Err(error) = result {
                whole = false;
                progress.aside(&broken_off(log, &error));
            }
        }
        drop(send);
        progress.end();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Result<Vec<_>, _>>()
    });
    let parts =
        parts.map_err(|_| Failure::Machine("a thread that reads died, so the sum would lack its part.".into()))?;
    Ok(Read { parts, too_long, whole })
}

fn next(pieces: &Mutex<Receiver<Piece>>) -> Option<Piece> {
    pieces.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// What to say of a log that ends before its end.
pub(crate) fn broken_off(log: &Log, error: &io::Error) -> String {
    format!("{} cannot be read to its end: {error}. What came before counts.", log.name())
}
