//! What is reserved, and for how long.

use super::LEASE;
use super::account::PARTS;
use super::bytes::{get, get64, put};
use crate::host::Time;

/// Leases end on this grid, in nanoseconds: an account has few of them, however many requests are under way.
const TICK: u64 = 10_000_000_000;

/// The most ticks that an account keeps apart: a steady clock needs eight.
const TICKS: usize = 16;

/// A lease that still holds for longer than this is not renewed yet.
const FRESH: u64 = 40_000_000_000;

/// When the leases of a tick end.
pub(super) fn lease_ends(tick: u64) -> Time {
    Time(tick.saturating_mul(TICK))
}

/// The tick whose end is a lease from now.
pub(super) fn tick(now: Time) -> u64 {
    now.0.saturating_add(LEASE.0).div_ceil(TICK)
}

/// What an account gave.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reservation {
    /// An amount, until the end of this tick, within this window.
    Window { tick: u64, starts: u64, ends: u64 },
    /// So many parts of a token ([`PARTS`]).
    Bucket { parts: u128 },
    /// An amount, until the end of this tick.
    Slots { tick: u64 },
}

impl Reservation {
    /// Nothing.
    pub(super) const NONE: Self = Self::Slots { tick: 0 };

    /// Whether it is time to renew it.
    pub(super) fn ages(self, now: Time) -> bool {
        match self {
            Self::Window { tick, .. } => self.matters(now) && lease_ends(tick).since(now).0 <= FRESH,
            Self::Slots { tick } => lease_ends(tick).since(now).0 <= FRESH,
            Self::Bucket { .. } => false,
        }
    }

    /// Whether its account counts yet: a window that ended does not.
    fn matters(self, now: Time) -> bool {
        !matches!(self, Self::Window { ends, .. } if ends <= now.unix_seconds())
    }

    /// Whether an account that says nothing any more must be made anew to keep what was used.
    pub(super) fn is_short(self, used: u128, now: Time) -> bool {
        match self {
            Self::Window { .. } => used > 0 && self.matters(now),
            Self::Bucket { parts } => used.saturating_mul(PARTS) > parts,
            Self::Slots { .. } => false,
        }
    }

    /// The same after its lease: nothing lies there any more.
    pub(super) fn lapsed(self) -> Self {
        match self {
            Self::Window { starts, ends, .. } => Self::Window { tick: 0, starts, ends },
            Self::Slots { .. } => Self::Slots { tick: 0 },
            Self::Bucket { .. } => self,
        }
    }
}

/// What is reserved, by the tick at whose end it is free again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Leases(Vec<(u64, u128)>);

impl Leases {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it.
    pub(super) fn sum(&self) -> u128 {
        self.0.iter().fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// The last tick.
    pub(super) fn last(&self) -> u64 {
        self.0.iter().map(|(tick, _)| *tick).max().unwrap_or(0)
    }

    /// Drops what ended.
    pub(super) fn expire(&mut self, now: Time) {
        self.0.retain(|(tick, _)| lease_ends(*tick) > now);
    }

    /// Reserves so much until the end of a tick.
    pub(super) fn add(&mut self, tick: u64, amount: u128) {
        if amount == 0 {
            return;
        }
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == tick) {
            *known = known.saturating_add(amount);
            return;
        }
        if self.0.len() >= TICKS {
            // The safe side: what would end first ends with the next.
            self.0.sort_unstable();
            if let [(_, first), (_, second), ..] = self.0.as_mut_slice() {
                *second = second.saturating_add(*first);
                self.0.remove(0);
            }
        }
        self.0.push((tick, amount));
    }

    /// Takes off as much as is still there; whether that is anything.
    pub(super) fn remove(&mut self, tick: u64, amount: u128) -> bool {
        let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == tick) else { return false };
        *known = known.saturating_sub(amount);
        self.0.retain(|(_, amount)| *amount > 0);
        amount > 0
    }

    /// Appends it.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put(out, self.0.len() as u128);
        for (tick, amount) in &self.0 {
            put(out, u128::from(*tick));
            put(out, *amount);
        }
    }

    /// Reads what [`put`](Self::put) wrote.
    pub(super) fn get(body: &mut &[u8]) -> Option<Self> {
        let count = usize::try_from(get(body)?).ok().filter(|count| *count <= TICKS)?;
        let leases: Option<Vec<_>> = (0..count).map(|_| Some((get64(body)?, get(body)?))).collect();
        leases.map(Self)
    }
}
