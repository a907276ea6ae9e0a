//! Records into views.

use super::clock::{Clock, Stretch, time_of};
use super::entry::{Entry, text};
use super::logs::{Log, Piece};
use super::views::{Dimension, MOST_GROUPS, View};
use super::workers::{self, Skipped};
use crate::cli::Failure;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What to make of logs.
pub(super) struct Wanted<'a> {
    /// The views, each by its dimensions.
    pub views: &'a [Vec<Dimension>],
    /// Which records.
    pub stretch: &'a Stretch,
    /// By which clock.
    pub zone: &'a TimeZone,
}

/// What logs add up to.
#[derive(Debug)]
pub(super) struct Sum {
    /// The views, as they were wanted.
    pub views: Vec<View>,
    /// The first and the last record's time.
    pub times: Option<(Timestamp, Timestamp)>,
    /// Lines that are no records.
    pub skipped: Skipped,
}

/// One thread's part of the sum.
struct Part<'a> {
    wanted: &'a Wanted<'a>,
    clock: Clock,
    views: Vec<View>,
    times: Option<(Timestamp, Timestamp)>,
    skipped: Skipped,
}

impl<'a> Part<'a> {
    fn new(wanted: &'a Wanted<'a>) -> Self {
        Self {
            wanted,
            clock: Clock::new(wanted.zone.clone()),
            views: wanted.views.iter().map(|by| View::new(by, MOST_GROUPS)).collect(),
            times: None,
            skipped: Skipped::default(),
        }
    }

    fn take(&mut self, piece: &Piece) -> u64 {
        let mut records = 0_u64;
        for (number, line) in piece.lines() {
            match self.record(line) {
                Ok(()) => records = records.saturating_add(1),
                Err(why) => self.skipped.add(piece.log, number, &why),
            }
        }
        records
    }

    fn record(&mut self, line: &[u8]) -> Result<(), String> {
        let entry = Entry::read(line)?;
        let time = text(&entry.time).and_then(time_of);
        if self.wanted.stretch.is_bounded() {
            let time =
                time.ok_or("its `time` is no RFC 3339, so nobody knows whether it is in the stretch asked for")?;
            if !self.wanted.stretch.holds(time) {
                return Ok(());
            }
        }
        if let Some(time) = time {
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
        for view in &mut self.views {
            view.add(&entry, time, &mut self.clock);
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        for (view, more) in self.views.iter_mut().zip(other.views) {
            view.merge(more);
        }
        self.times = match (self.times, other.times) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (a, b) => a.or(b),
        };
        self.skipped.merge(other.skipped);
    }
}

/// Adds logs up.
///
/// # Errors
/// See [`workers::read`].
pub(super) fn scan(logs: &[Log], wanted: &Wanted<'_>) -> Result<(Sum, bool), Failure> {
    let read = workers::read(logs, || Part::new(wanted), Part::take)?;
    let mut sum = Part::new(wanted);
    for part in read.parts {
        sum.merge(part);
    }
    sum.skipped.merge(read.too_long);
    Ok((Sum { views: sum.views, times: sum.times, skipped: sum.skipped }, read.whole))
}
