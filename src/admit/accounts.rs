//! Accounts that all workers share: reserve, then settle.
//!
//! An account is a running total under a name. [`reserve`] takes several claims at once, all or nothing; [`settle`] puts
//! what was really used in the place of what was reserved. A reservation is a lease: one that nobody renews (its
//! worker's VM died) is free again after [`LEASE`], or up to ten seconds later. What a bucket gave needs no lease: it
//! fills up again.
//!
//! What workers share knows compare-and-swap of one key and forgets nothing. So accounts live in 1024 slots, by a hash
//! of their names ([`slot`]); accounts that say nothing any more leave their slot when it is next written.
//!
//! [`settle`]: Hold::settle

mod account;
mod bytes;
mod leases;
mod slot;

use crate::host::{Shared, Span, Time};
use account::State;
use leases::Reservation;
use slot::{Account, SLOTS, Slot};

/// How long a reservation holds unless it is renewed.
pub const LEASE: Span = Span(60_000_000_000);

/// How often a write is tried that other workers come before. Each lost race is another worker's success, so that this
/// many in a row mean a host that takes no writes.
const RACES: u32 = 10_000;

/// What says that the accounts were opened.
const OPENED: &str = "conduit.account.opened";

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
    /// The account's name: what rule it is of, `=`, and which of the rule's values. Two claims never name the same.
    /// Beyond 1,000 bytes names are not told apart.
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
    /// As many as claims, in their order.
    taken: Vec<Taken>,
}

/// Where a claim's reservation lies.
#[derive(Clone, Copy, Debug)]
struct Taken {
    slot: u16,
    /// Whether it lies in the account that the rest of the rule's values share, because the slot was full.
    of_rest: bool,
    what: Reservation,
}

/// No write got through.
struct Lost;

/// Works on a slot until no other worker wrote in between. What `work` leaves unchanged is not written.
fn edit<'a, T>(
    shared: &dyn Shared,
    number: u16,
    now: Time,
    mut work: impl FnMut(&mut Slot<'a>) -> T,
) -> Result<T, Lost> {
    let key = slot::key(number);
    for _ in 0..RACES {
        let (bytes, version) = shared.read(&key).map_or((Vec::new(), None), |(bytes, version)| (bytes, Some(version)));
        let mut slot = Slot::open(bytes, now);
        let done = work(&mut slot);
        if !slot.changed || shared.swap(&key, &slot.finish(), version) {
            return Ok(done);
        }
    }
    Err(Lost)
}

/// The claims' places, those of one slot side by side: all workers go through the slots in the same order.
fn by_slot(taken: &[Taken]) -> Vec<(u16, usize)> {
    let mut order: Vec<_> = taken.iter().enumerate().map(|(place, taken)| (taken.slot, place)).collect();
    order.sort_unstable();
    order
}

fn groups(order: &[(u16, usize)]) -> impl Iterator<Item = (u16, &[(u16, usize)])> {
    order.chunk_by(|one, other| one.0 == other.0).filter_map(|group| Some((group.first()?.0, group)))
}

/// Reserves all claims or none.
///
/// # Errors
/// The first claim that does not fit. Where another worker came before every one of ten thousand tries to write,
/// nothing is reserved either.
pub fn reserve(shared: &dyn Shared, claims: Vec<Claim>, now: Time) -> Result<Hold, Full> {
    let fresh =
        |claim: &Claim| Taken { slot: slot::of(claim.account.as_bytes()), of_rest: false, what: Reservation::NONE };
    let mut hold = Hold { taken: claims.iter().map(fresh).collect(), claims };
    let order = by_slot(&hold.taken);
    let mut done: usize = 0;
    for (number, group) in groups(&order) {
        let Hold { claims, taken } = &mut hold;
        let tried = edit(shared, number, now, |slot| take_group(slot, group, claims, taken, now));
        let refused = match tried {
            Ok(Ok(())) => {
                done = done.saturating_add(group.len());
                continue;
            }
            Ok(Err(full)) => full,
            Err(Lost) => lost(shared, group, claims, now),
        };
        let done = order.get(..done).unwrap_or_default();
        put_back(shared, &hold, done, now, &|_| Some(0));
        return Err(first_refused(shared, &hold, done, refused, now));
    }
    Ok(hold)
}

/// Takes the claims of one slot, or none of them.
fn take_group<'a>(
    slot: &mut Slot<'a>,
    group: &[(u16, usize)],
    claims: &'a [Claim],
    taken: &mut [Taken],
    now: Time,
) -> Result<(), Full> {
    for &(_, place) in group {
        let (Some(claim), Some(taken)) = (claims.get(place), taken.get_mut(place)) else { continue };
        let mut account = slot.account(claim.account.as_bytes(), claim.gauge);
        if !claim.forced && !account.state.fits(claim.amount) {
            slot.changed = false;
            return Err(account.state.full(place, claim.amount, now));
        }
        taken.what = account.state.take(claim.amount, now);
        taken.of_rest = account.is_rest();
        slot.keep(account);
        slot.changed |= claim.amount > 0;
    }
    Ok(())
}

/// Why a group whose write never got through is refused.
fn lost(shared: &dyn Shared, group: &[(u16, usize)], claims: &[Claim], now: Time) -> Full {
    let place = group.first().map_or(0, |&(_, place)| place);
    let standing = claims.get(place).map(|claim| standing(shared, &claim.account, claim.gauge, now));
    Full { claim: place, standing: standing.unwrap_or_default(), wait: Some(Span(1_000_000)) }
}

/// The first claim that does not fit: slots are gone through in another order than claims.
fn first_refused(shared: &dyn Shared, hold: &Hold, done: &[(u16, usize)], refused: Full, now: Time) -> Full {
    let earlier = hold.claims.iter().zip(&hold.taken).enumerate().take(refused.claim);
    let mut untried =
        earlier.filter(|(place, (claim, _))| !claim.forced && !done.iter().any(|(_, done)| done == place));
    let first = untried.find_map(|(place, (claim, taken))| {
        let mut slot = Slot::open(shared.get(&slot::key(taken.slot)).unwrap_or_default(), now);
        let state = slot.account(claim.account.as_bytes(), claim.gauge).state;
        (!state.fits(claim.amount)).then(|| state.full(place, claim.amount, now))
    });
    first.unwrap_or(refused)
}

/// Puts what was used in the place of what these claims reserved.
fn put_back<'a>(
    shared: &dyn Shared,
    hold: &'a Hold,
    order: &[(u16, usize)],
    now: Time,
    used: &dyn Fn(usize) -> Option<u128>,
) {
    for (number, group) in groups(order) {
        let work = |slot: &mut Slot<'a>| {
            for &(_, place) in group {
                let (Some(claim), Some(taken)) = (hold.claims.get(place), hold.taken.get(place)) else { continue };
                let used = used(place).unwrap_or(claim.amount);
                let Some((mut account, what)) = reserved(slot, claim, taken, taken.what.is_short(used, now)) else {
                    continue;
                };
                slot.changed |= account.state.settle(what, claim.amount, used);
                slot.keep(account);
            }
        };
        // A host that takes no writes has no accounts; the reservation ends by itself, the record keeps what was used.
        let _ = edit(shared, number, now, work);
    }
}

/// Takes the account out that a reservation lies in, with what still lies there. Where the account is gone, it is made
/// `anew` or not at all.
fn reserved<'a>(
    slot: &mut Slot<'a>,
    claim: &'a Claim,
    taken: &Taken,
    anew: bool,
) -> Option<(Account<'a>, Reservation)> {
    let name = claim.account.as_bytes();
    let found = slot.reserved(name, claim.gauge, taken.of_rest).map(|account| (account, taken.what));
    if found.is_some() || !anew {
        return found;
    }
    Some((slot.account(name, claim.gauge), taken.what.lapsed()))
}

impl Hold {
    /// What it was made of, in the order of [`reserve`].
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Takes another hold's claims in.
    pub fn join(&mut self, other: Hold) {
        self.claims.extend(other.claims);
        self.taken.extend(other.taken);
    }

    /// Keeps it for another [`LEASE`]. Costs nothing while more than 40 s of it are left. Call it at least every 30 s.
    pub fn renew(&mut self, shared: &dyn Shared, now: Time) {
        let mut order = by_slot(&self.taken);
        order.retain(|&(_, place)| {
            let amount = self.claims.get(place).map_or(0, |claim| claim.amount);
            amount > 0 && self.taken.get(place).is_some_and(|taken| taken.what.ages(now))
        });
        let Self { claims, taken } = self;
        for (number, group) in groups(&order) {
            let mut renewed: Vec<(usize, Reservation, bool)> = Vec::new();
            let tried = edit(shared, number, now, |slot| {
                renewed.clear();
                for &(_, place) in group {
                    let (Some(claim), Some(taken)) = (claims.get(place), taken.get(place)) else { continue };
                    let Some((mut account, what)) = reserved(slot, claim, taken, true) else {
                        continue;
                    };
                    if let Some(what) = account.state.renew(what, claim.amount, now) {
                        slot.changed = true;
                        renewed.push((place, what, account.is_rest()));
                    }
                    slot.keep(account);
                }
            });
            if tried.is_ok() {
                for (place, what, of_rest) in renewed {
                    if let Some(taken) = taken.get_mut(place) {
                        (taken.what, taken.of_rest) = (what, of_rest);
                    }
                }
            }
        }
    }

    /// Puts what was really used in the place of what was reserved, claim by claim; `None` leaves what was reserved as
    /// used. Slots are freed whatever is said. What ends after its window adds nothing to the next.
    pub fn settle(self, shared: &dyn Shared, used: &[Option<u128>], now: Time) {
        let order = by_slot(&self.taken);
        put_back(shared, &self, &order, now, &|place| used.get(place).copied().flatten());
    }
}

/// How an account stands.
pub fn standing(shared: &dyn Shared, account: &str, gauge: Gauge, now: Time) -> Standing {
    let name = account.as_bytes();
    let mut slot = Slot::open(shared.get(&slot::key(slot::of(name))).unwrap_or_default(), now);
    slot.account(name, gauge).state.standing(now)
}

/// Every account that is known, by its name, for the status page. At most `most`. Where a slot was full,
/// `RULE=* (rest)` is what the rest of the rule's values share.
pub fn all(shared: &dyn Shared, most: usize, now: Time) -> Vec<(String, Standing)> {
    let mut found = Vec::new();
    for number in 0..SLOTS {
        if found.len() >= most {
            break;
        }
        if let Some(bytes) = shared.get(&slot::key(number)) {
            found.extend(Slot::open(bytes, now).list(now));
        }
    }
    found.truncate(most);
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

/// Begins accounts with what earlier processes spent in the window at hand, as records tell. Only the first call for a
/// fresh host does anything: it adds to what is known already, which other workers may have spent meanwhile. Gives
/// whether it was that call.
pub fn open(shared: &dyn Shared, balances: &[(String, Gauge, u128)], now: Time) -> bool {
    if !shared.swap(OPENED, b"1", None) {
        return false;
    }
    let places = balances.iter().enumerate();
    let mut order: Vec<_> = places.map(|(place, (name, ..))| (slot::of(name.as_bytes()), place)).collect();
    order.sort_unstable();
    for (number, group) in groups(&order) {
        let tried = edit(shared, number, now, |slot| {
            for &(_, place) in group {
                let Some((name, gauge, spent)) = balances.get(place) else { continue };
                let mut account = slot.account(name.as_bytes(), *gauge);
                if let State::Window(window) = &mut account.state {
                    window.add(*spent);
                    slot.changed = true;
                }
                slot.keep(account);
            }
        });
        let _ = tried;
    }
    true
}

#[cfg(test)]
mod tests;
