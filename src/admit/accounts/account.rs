//! One account: its state, and the arithmetic of windows, buckets and slots.

use super::bytes::{get, get64, put};
use super::leases::{Leases, Reservation, lease_ends, tick};
use super::{Full, Gauge, Standing};
use crate::host::{Span, Time};

/// Parts of a token in which a bucket counts: as many as a minute has nanoseconds. A bucket of capacity `c` gets exactly
/// `c` parts back each nanosecond, so that nothing is ever rounded.
pub(super) const PARTS: u128 = 60_000_000_000;

/// How many minutes' worth a bucket may be in debt.
const DEBT: u128 = 10;

/// How far ahead of this worker's clock another's may be. A window or a filling that is later than that comes of a clock
/// that went wrong.
const SKEW: u64 = 600;

/// How long an account outlives its window, in seconds: a worker whose clock is behind must still find it.
const GRACE: u64 = 60;

/// An account's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Money within a window.
    Window(Window),
    /// A bucket.
    Bucket {
        /// Parts that are missing; more than it holds is debt.
        missing: u128,
        /// Until when it was filled: nanoseconds since the Unix epoch.
        at: u64,
        /// What it holds, in tokens.
        capacity: u64,
    },
    /// What is there at the same time.
    Slots {
        /// Who is there.
        leases: Leases,
        /// The most.
        most: u64,
    },
}

/// Money within a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    starts: u64,
    ends: u64,
    spent: u128,
    leases: Leases,
    limit: u128,
}

impl Window {
    /// Adds to what was spent.
    pub(super) fn add(&mut self, spent: u128) {
        self.spent = self.spent.saturating_add(spent);
    }

    fn overlaps(&self, starts: u64, ends: u64) -> bool {
        self.starts < ends && starts < self.ends
    }
}

/// Which state goes with a gauge, as a byte.
pub(super) fn kind(gauge: Gauge) -> u8 {
    match gauge {
        Gauge::Window { .. } => 0,
        Gauge::Bucket { .. } => 1,
        Gauge::Slots { .. } => 2,
    }
}

impl State {
    /// An account of which nothing is known.
    pub(super) fn new(gauge: Gauge, now: Time) -> Self {
        match gauge {
            Gauge::Window { limit, starts, ends } => {
                Self::Window(Window { starts, ends, spent: 0, leases: Leases::default(), limit })
            }
            Gauge::Bucket { capacity } => Self::Bucket { missing: 0, at: now.0, capacity },
            Gauge::Slots { most } => Self::Slots { leases: Leases::default(), most },
        }
    }

    /// Reads what [`put`](Self::put) wrote.
    pub(super) fn get(kind: u8, mut body: &[u8]) -> Option<Self> {
        let body = &mut body;
        let state = match kind {
            0 => Self::Window(Window {
                starts: get64(body)?,
                ends: get64(body)?,
                spent: get(body)?,
                leases: Leases::get(body)?,
                limit: get(body)?,
            }),
            1 => Self::Bucket { missing: get(body)?, at: get64(body)?, capacity: get64(body)? },
            2 => Self::Slots { leases: Leases::get(body)?, most: get64(body)? },
            _ => return None,
        };
        body.is_empty().then_some(state)
    }

    /// Appends it.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Window(window) => {
                put(out, u128::from(window.starts));
                put(out, u128::from(window.ends));
                put(out, window.spent);
                window.leases.put(out);
                put(out, window.limit);
            }
            Self::Bucket { missing, at, capacity } => {
                put(out, *missing);
                put(out, u128::from(*at));
                put(out, u128::from(*capacity));
            }
            Self::Slots { leases, most } => {
                leases.put(out);
                put(out, u128::from(*most));
            }
        }
    }

    /// From which second on it says nothing any more.
    pub(super) fn stale_at(&self) -> u64 {
        let seconds = |tick| lease_ends(tick).0.div_ceil(1_000_000_000);
        match self {
            Self::Window(window) if window.spent > 0 => window.ends.saturating_add(GRACE),
            Self::Window(window) => seconds(window.leases.last()),
            Self::Bucket { missing, at, capacity } => {
                at.saturating_add(nanos(*missing, *capacity)).div_ceil(1_000_000_000)
            }
            Self::Slots { leases, .. } => seconds(leases.last()),
        }
    }

    /// Brings it to now and under what the rule says today.
    pub(super) fn conform(&mut self, gauge: Gauge, now: Time) {
        match (&mut *self, gauge) {
            (Self::Window(window), Gauge::Window { limit, starts, ends }) => {
                window.limit = limit;
                // Another window that overlaps is a changed rule: what is known goes on. An earlier one is that of a
                // worker whose clock is behind: it counts in the later, unless that lies too far ahead to be true.
                let ahead = window.starts > now.unix_seconds().saturating_add(SKEW);
                if window.overlaps(starts, ends) || ahead {
                    (window.starts, window.ends) = (starts, ends);
                } else if starts >= window.ends {
                    (window.starts, window.ends) = (starts, ends);
                    window.spent = 0;
                    window.leases = Leases::default();
                }
            }
            (Self::Bucket { capacity, .. }, Gauge::Bucket { capacity: today }) => *capacity = today,
            (Self::Slots { most, .. }, Gauge::Slots { most: today }) => *most = today,
            (state, gauge) => *state = Self::new(gauge, now),
        }
        self.advance(now);
    }

    /// Brings it to now: leases end, buckets fill.
    pub(super) fn advance(&mut self, now: Time) {
        match self {
            Self::Window(Window { leases, .. }) | Self::Slots { leases, .. } => leases.expire(now),
            Self::Bucket { missing, at, capacity } => {
                let back = u128::from(now.0.saturating_sub(*at)).saturating_mul(u128::from(*capacity));
                *missing = missing.saturating_sub(back).min(most_missing(*capacity));
                let ahead = at.saturating_sub(now.0) > SKEW.saturating_mul(1_000_000_000);
                *at = if ahead { now.0 } else { now.0.max(*at) };
            }
        }
    }

    /// Whether so much more fits.
    pub(super) fn fits(&self, amount: u128) -> bool {
        match self {
            Self::Window(Window { spent, leases, limit, .. }) => spent
                .checked_add(leases.sum())
                .and_then(|taken| taken.checked_add(amount))
                .is_some_and(|all| all <= *limit),
            Self::Bucket { missing, capacity, .. } => {
                let whole = u128::from(*capacity).saturating_mul(PARTS);
                let all = amount.checked_mul(PARTS).and_then(|parts| parts.checked_add(*missing));
                all.is_some_and(|all| all <= whole)
            }
            Self::Slots { leases, most } => {
                leases.sum().checked_add(amount).is_some_and(|all| all <= u128::from(*most))
            }
        }
    }

    /// How long until so much may fit, which does not now.
    pub(super) fn wait(&self, amount: u128, now: Time) -> Option<Span> {
        match self {
            Self::Window(window) => {
                (amount <= window.limit).then(|| Time(window.ends.saturating_mul(1_000_000_000)).since(now))
            }
            Self::Bucket { missing, at, capacity } => {
                if amount > u128::from(*capacity) {
                    return None;
                }
                let free = u128::from(*capacity).saturating_sub(amount).saturating_mul(PARTS);
                let nanos = nanos(missing.saturating_sub(free), *capacity);
                let wait = Time(at.saturating_add(nanos)).since(now).0;
                Some(Span(wait.div_ceil(1_000_000).saturating_mul(1_000_000)))
            }
            Self::Slots { .. } => None,
        }
    }

    /// Why a claim of so much is refused.
    pub(super) fn full(&self, claim: usize, amount: u128, now: Time) -> Full {
        Full { claim, standing: self.standing(now), wait: self.wait(amount, now) }
    }

    /// Takes so much, whether it fits or not.
    pub(super) fn take(&mut self, amount: u128, now: Time) -> Reservation {
        let tick = tick(now);
        match self {
            Self::Window(Window { leases, starts, ends, .. }) => {
                leases.add(tick, amount);
                Reservation::Window { tick, starts: *starts, ends: *ends }
            }
            Self::Bucket { missing, capacity, .. } => {
                let before = *missing;
                let parts = amount.saturating_mul(PARTS);
                *missing = missing.saturating_add(parts).min(most_missing(*capacity)).max(before);
                Reservation::Bucket { parts: missing.saturating_sub(before) }
            }
            Self::Slots { leases, .. } => {
                leases.add(tick, amount);
                Reservation::Slots { tick }
            }
        }
    }

    /// Puts what was used in the place of what was taken. Whether that changed anything.
    pub(super) fn settle(&mut self, taken: Reservation, amount: u128, used: u128) -> bool {
        match (self, taken) {
            (Self::Window(window), Reservation::Window { tick, starts, ends }) if window.overlaps(starts, ends) => {
                let freed = window.leases.remove(tick, amount);
                window.add(used);
                freed || used > 0
            }
            (Self::Bucket { missing, capacity, .. }, Reservation::Bucket { parts }) => {
                let before = *missing;
                let used = used.saturating_mul(PARTS);
                let more = missing.saturating_add(used.saturating_sub(parts));
                *missing = more.min(most_missing(*capacity).max(before)).saturating_sub(parts.saturating_sub(used));
                *missing != before
            }
            (Self::Slots { leases, .. }, Reservation::Slots { tick }) => leases.remove(tick, amount),
            _ => false,
        }
    }

    /// Moves a lease to a later tick, or makes it anew where it ended. `None`: there is nothing to keep.
    pub(super) fn renew(&mut self, taken: Reservation, amount: u128, now: Time) -> Option<Reservation> {
        let later = tick(now);
        match (self, taken) {
            (Self::Window(window), Reservation::Window { tick, starts, ends }) if window.overlaps(starts, ends) => {
                window.leases.remove(tick, amount);
                window.leases.add(later, amount);
                Some(Reservation::Window { tick: later, starts, ends })
            }
            (Self::Slots { leases, .. }, Reservation::Slots { tick }) => {
                leases.remove(tick, amount);
                leases.add(later, amount);
                Some(Reservation::Slots { tick: later })
            }
            _ => None,
        }
    }

    /// How it stands.
    pub(super) fn standing(&self, now: Time) -> Standing {
        match self {
            Self::Window(Window { spent, leases, limit, ends, .. }) => Standing {
                spent: *spent,
                reserved: leases.sum(),
                limit: *limit,
                resets: Some(Time(ends.saturating_mul(1_000_000_000))),
            },
            Self::Bucket { missing, at, capacity } => Standing {
                spent: missing.div_ceil(PARTS),
                reserved: 0,
                limit: u128::from(*capacity),
                resets: Some(Time(at.saturating_add(nanos(*missing, *capacity)).max(now.0))),
            },
            Self::Slots { leases, most } => {
                Standing { spent: 0, reserved: leases.sum(), limit: u128::from(*most), resets: None }
            }
        }
    }

    /// How much it would cost to forget it, `None` where it must not be: what was spent, or is missing.
    pub(super) fn weight(&self) -> Option<u128> {
        match self {
            Self::Window(window) => window.leases.is_empty().then_some(window.spent),
            Self::Bucket { missing, .. } => Some(*missing),
            Self::Slots { .. } => None,
        }
    }

    /// Takes up what must be known of an account that is forgotten: the rest of the rule's values stand at least as
    /// badly as any of those.
    pub(super) fn remember(&mut self, forgotten: &Self) {
        match (self, forgotten) {
            (Self::Window(rest), Self::Window(one)) => {
                if rest.overlaps(one.starts, one.ends) {
                    rest.spent = rest.spent.max(one.spent);
                } else if one.starts >= rest.ends {
                    *rest = one.clone();
                }
            }
            (Self::Bucket { missing, .. }, Self::Bucket { missing: other, .. }) => *missing = (*missing).max(*other),
            _ => {}
        }
    }

    /// The state with which one of the rest's values begins an account of its own.
    pub(super) fn heir(&self) -> Self {
        match self {
            Self::Window(rest) => {
                let spent = rest.spent.saturating_add(rest.leases.sum());
                Self::Window(Window { spent, leases: Leases::default(), ..rest.clone() })
            }
            Self::Bucket { .. } => self.clone(),
            Self::Slots { most, .. } => Self::Slots { leases: Leases::default(), most: *most },
        }
    }
}

/// The most parts that may be missing.
fn most_missing(capacity: u64) -> u128 {
    u128::from(capacity).saturating_mul(PARTS).saturating_mul(DEBT.saturating_add(1))
}

/// How long until so many parts are back, in nanoseconds.
fn nanos(parts: u128, capacity: u64) -> u64 {
    if parts == 0 {
        return 0;
    }
    let nanos = parts.checked_add(u128::from(capacity)).map(|all| all.saturating_sub(1));
    let nanos = nanos.and_then(|all| all.checked_div(u128::from(capacity)));
    nanos.and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(u64::MAX)
}
