//! Accounts that all workers share: reserve, then settle.
//!
//! An account is a running total under a name. [`reserve`] takes several claims at once, all or nothing; [`settle`] puts
//! what was really used in the place of what was reserved. A reservation is a lease: one that nobody renews (its
//! worker's VM died) is free again after [`LEASE`].

use crate::host::{Shared, Span, Time};

/// How long a reservation holds unless it is renewed.
pub const LEASE: Span = Span(60_000_000_000);

/// How an account counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// What was spent and reserved within a window, at most `limit`. The window is part of the account: a new one begins
    /// with nothing spent. Units: picodollars.
    Window {
        /// The most.
        limit: u128,
        /// The first second of the window, since the Unix epoch.
        starts: u64,
        /// The first second after it.
        ends: u64,
    },
    /// A bucket that holds `capacity` and fills up again evenly within a minute. Units: tokens or requests.
    Bucket {
        /// The most, and what comes back per minute.
        capacity: u64,
    },
    /// What is there at the same time, at most `most`. Units: requests.
    Slots {
        /// The most.
        most: u64,
    },
}

/// What a request wants of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The account's name: what rule it is of and which of the rule's values. Two claims never name the same.
    pub account: String,
    /// How it counts.
    pub gauge: Gauge,
    /// How much is to be reserved.
    pub amount: u128,
    /// Whether to take it even where it does not fit.
    pub forced: bool,
}

/// How an account stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Spent in this window; for a bucket what is missing of its capacity; 0 for slots.
    pub spent: u128,
    /// Reserved by requests under way (of a bucket: part of `spent` already, and 0 here).
    pub reserved: u128,
    /// The most.
    pub limit: u128,
    /// When there will be all of it again: the window's end, when the bucket is full, for slots unknown (`None`).
    pub resets: Option<Time>,
}

impl Standing {
    /// What is left.
    pub fn left(&self) -> u128 {
        self.limit.saturating_sub(self.spent).saturating_sub(self.reserved)
    }
}

/// Why nothing was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Which of the claims did not fit.
    pub claim: usize,
    /// How its account stands.
    pub standing: Standing,
    /// How long until it may fit; `None` where it never can or nobody knows.
    pub wait: Option<Span>,
}

/// What was reserved, claim by claim.
#[derive(Clone, Debug, Default)]
pub struct Hold {
    claims: Vec<Claim>,
}

/// Reserves all claims or none.
///
/// # Errors
/// The first claim that does not fit.
pub fn reserve(shared: &dyn Shared, claims: Vec<Claim>, now: Time) -> Result<Hold, Full> {
    let _ = (shared, now);
    Ok(Hold { claims })
}

impl Hold {
    /// What it was made of, in the order of [`reserve`].
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Takes another hold's claims in.
    pub fn join(&mut self, other: Hold) {
        self.claims.extend(other.claims);
    }

    /// Keeps it for another [`LEASE`].
    pub fn renew(&mut self, shared: &dyn Shared, now: Time) {
        let _ = (shared, now);
    }

    /// Puts what was really used in the place of what was reserved, claim by claim; `None` leaves what was reserved as
    /// used. Slots are freed whatever is said.
    pub fn settle(self, shared: &dyn Shared, used: &[Option<u128>], now: Time) {
        let _ = (shared, used, now);
    }
}

/// How an account stands.
pub fn standing(shared: &dyn Shared, account: &str, gauge: Gauge, now: Time) -> Standing {
    let _ = (shared, account, gauge, now);
    Standing::default()
}

/// Every account that is known, by its name, for the status page. At most `most`.
pub fn all(shared: &dyn Shared, most: usize, now: Time) -> Vec<(String, Standing)> {
    let _ = (shared, most, now);
    Vec::new()
}

/// Begins accounts with what earlier processes spent in the window at hand, as records tell. Only the first call for a
/// fresh host does anything: whatever is known already stays. Gives whether it was that call.
pub fn open(shared: &dyn Shared, balances: &[(String, Gauge, u128)], now: Time) -> bool {
    let _ = (shared, balances, now);
    false
}
