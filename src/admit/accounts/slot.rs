//! The slots that accounts live in, each the value of one shared key.
//!
//! A value is a version byte and entries, one after the other:
//!
//! ```text
//! length u16 │ kind u8 │ says nothing from this second on u32 │ name's length u16 │ name │ state (LEB128 numbers)
//! ```
//!
//! An unreadable value, which only other software or another layout's can be, ends where it stops making sense: what
//! stands before is kept, the rest begins anew. Refusing instead would last for ever, since nothing deletes a key; what
//! may be spent twice is at most the amounts of the accounts of that slot.
//!
//! **Full slots.** A slot holds [`MOST`] accounts. The next takes the place of the one that spent least and has nothing
//! reserved, and begins with at least what that one had spent: what was forgotten is remembered as *the rest* of its
//! rule, the most that any of the forgotten may have spent, until the window ends. Amounts are kept (nobody spends more
//! than the limit), at the price that newcomers to a crowded slot may find a little spent already. Where every account
//! has reservations, newcomers share the rest as if it were their account.

use super::account::{self, State};
use super::{Gauge, Standing};
use crate::host::Time;
use std::borrow::Cow;
use std::ops::Range;
use twox_hash::XxHash64;

/// How many slots there are: a power of two.
pub(super) const SLOTS: u16 = 1024;

/// How many accounts a slot holds, beside the rests of rules (one a rule and kind).
pub(super) const MOST: usize = 64;

/// Names are told apart by so many bytes.
const LONGEST_NAME: usize = 1_000;

/// The layout's version.
const VERSION: u8 = 1;

/// Marks the kind of an entry that is the rest of a rule.
const REST: u8 = 0x80;

fn bounded(name: &[u8]) -> &[u8] {
    name.get(..LONGEST_NAME).unwrap_or(name)
}

/// The slot that an account lives in.
pub(super) fn of(name: &[u8]) -> u16 {
    let hash = XxHash64::oneshot(0, bounded(name));
    u16::try_from(hash & u64::from(SLOTS.saturating_sub(1))).unwrap_or(0)
}

/// A slot's key.
pub(super) fn key(slot: u16) -> String {
    format!("conduit.account.{slot}")
}

/// An account's rule: what stands before the first `=` of its name.
fn rule(name: &[u8]) -> &[u8] {
    memchr::memchr(b'=', name).and_then(|end| name.get(..end)).unwrap_or(name)
}

/// An entry where it stands.
struct Entry<'b> {
    place: Range<usize>,
    kind: u8,
    stale_at: u32,
    name: &'b [u8],
    body: &'b [u8],
}

/// The entries of a value, as far as it makes sense.
fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut at: usize = 1;
    std::iter::from_fn(move || {
        let (length, rest) = bytes.get(at..)?.split_first_chunk()?;
        let entry = rest.get(..usize::from(u16::from_le_bytes(*length)))?;
        let end = at.checked_add(2)?.checked_add(entry.len())?;
        let place = at..end;
        at = end;
        let (&kind, rest) = entry.split_first()?;
        let (stale_at, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (name, body) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        Some(Entry { place, kind, stale_at: u32::from_le_bytes(*stale_at), name, body })
    })
}

/// An account that was taken out of its slot.
pub(super) struct Account<'a> {
    kind: u8,
    name: Cow<'a, [u8]>,
    /// How it stands.
    pub(super) state: State,
}

impl Account<'_> {
    /// Whether it is what the rest of a rule's values share.
    pub(super) fn is_rest(&self) -> bool {
        self.kind & REST != 0
    }
}

/// A slot at work.
pub(super) struct Slot<'a> {
    /// The value without the accounts that were taken out.
    bytes: Vec<u8>,
    /// How many accounts that are no rest stand in `bytes`.
    count: usize,
    /// Accounts that were taken out and kept.
    open: Vec<Account<'a>>,
    now: Time,
    /// Whether it is to be written.
    pub(super) changed: bool,
}

impl<'a> Slot<'a> {
    /// Reads a value; what says nothing any more is left out.
    pub(super) fn open(mut bytes: Vec<u8>, now: Time) -> Self {
        if bytes.first() != Some(&VERSION) {
            bytes.clear();
            bytes.push(VERSION);
        }
        let seconds = now.unix_seconds();
        let (mut end, mut count, mut stale) = (1, 0_usize, Vec::new());
        for entry in entries(&bytes) {
            end = entry.place.end;
            if u64::from(entry.stale_at) <= seconds {
                stale.push(entry.place);
            } else if entry.kind & REST == 0 {
                count = count.saturating_add(1);
            }
        }
        bytes.truncate(end);
        for place in stale.into_iter().rev() {
            bytes.drain(place);
        }
        Self { bytes, count, open: Vec::new(), now, changed: false }
    }

    /// The value to be written.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let seconds = self.now.unix_seconds();
        for Account { kind, name, state } in &self.open {
            let stale_at = state.stale_at();
            if stale_at <= seconds {
                continue;
            }
            let start = self.bytes.len();
            let length = u16::try_from(name.len()).unwrap_or(0);
            self.bytes.extend_from_slice(&[0, 0, *kind]);
            self.bytes.extend_from_slice(&u32::try_from(stale_at).unwrap_or(u32::MAX).to_le_bytes());
            self.bytes.extend_from_slice(&length.to_le_bytes());
            self.bytes.extend_from_slice(name);
            state.put(&mut self.bytes);
            let length = self.bytes.len().saturating_sub(start).saturating_sub(2);
            // At most LONGEST_NAME and sixteen leases of thirty bytes.
            let length = u16::try_from(length).unwrap_or(0).to_le_bytes();
            if let Some(place) = self.bytes.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
                *place = length;
            }
        }
        self.bytes
    }

    /// Every account, by its name.
    pub(super) fn list(self, now: Time) -> Vec<(String, Standing)> {
        let read = |entry: Entry<'_>| {
            let mut state = State::get(entry.kind & !REST, entry.body)?;
            state.advance(now);
            let name = String::from_utf8_lossy(entry.name);
            let name = if entry.kind & REST == 0 { name.into_owned() } else { format!("{name}=* (rest)") };
            Some((name, state.standing(now)))
        };
        entries(&self.bytes).filter_map(read).collect()
    }

    /// Takes an account out, to be [kept](Self::keep) again: the one of that name, made where it is not there, or its
    /// rule's rest.
    pub(super) fn account(&mut self, name: &'a [u8], gauge: Gauge) -> Account<'a> {
        let name = bounded(name);
        let kind = account::kind(gauge);
        if let Some(account) = self.find(kind, Cow::Borrowed(name), gauge) {
            return account;
        }
        let open = self.open.iter().filter(|account| !account.is_rest()).count();
        if open.saturating_add(self.count) >= MOST && !self.forget_one(kind) {
            return self.rest(kind, Cow::Borrowed(rule(name)), gauge);
        }
        let mut state = State::new(gauge, self.now);
        if let Some(rest) = self.find(kind | REST, Cow::Borrowed(rule(name)), gauge) {
            state = rest.state.heir();
            self.keep(rest);
        }
        Account { kind, name: Cow::Borrowed(name), state }
    }

    /// Takes the account out that a reservation lies in.
    pub(super) fn reserved(&mut self, name: &'a [u8], gauge: Gauge, of_rest: bool) -> Option<Account<'a>> {
        let name = bounded(name);
        let kind = account::kind(gauge);
        match of_rest {
            true => self.find(kind | REST, Cow::Borrowed(rule(name)), gauge),
            false => self.find(kind, Cow::Borrowed(name), gauge),
        }
    }

    /// Puts an account back.
    pub(super) fn keep(&mut self, account: Account<'a>) {
        self.open.push(account);
    }

    fn rest(&mut self, kind: u8, rule: Cow<'a, [u8]>, gauge: Gauge) -> Account<'a> {
        let fresh = Account { kind: kind | REST, name: rule.clone(), state: State::new(gauge, self.now) };
        self.find(kind | REST, rule, gauge).unwrap_or(fresh)
    }

    /// Takes an account out that is there, brought to now and under its gauge.
    fn find(&mut self, kind: u8, name: Cow<'a, [u8]>, gauge: Gauge) -> Option<Account<'a>> {
        let mut account = self.out(kind, name)?;
        account.state.conform(gauge, self.now);
        Some(account)
    }

    /// Takes an account out that is there, as it is.
    fn out(&mut self, kind: u8, name: Cow<'a, [u8]>) -> Option<Account<'a>> {
        if let Some(place) = self.open.iter().position(|open| open.kind == kind && open.name == name) {
            return Some(self.open.swap_remove(place));
        }
        let entry = entries(&self.bytes).find(|entry| entry.kind == kind && *entry.name == *name)?;
        let (state, place) = (State::get(kind & !REST, entry.body), entry.place);
        self.bytes.drain(place);
        if kind & REST == 0 {
            self.count = self.count.saturating_sub(1);
        }
        Some(Account { kind, name, state: state? })
    }

    /// Makes room: forgets the account of that kind, or else of any, that spent least and has nothing reserved. What it
    /// spent is remembered in its rule's rest. Whether there was one.
    fn forget_one(&mut self, kind: u8) -> bool {
        let least = entries(&self.bytes).filter(|entry| entry.kind & REST == 0).filter_map(|entry| {
            let Some(mut state) = State::get(entry.kind, entry.body) else {
                return Some((false, 0, entry.kind, entry.name.to_vec()));
            };
            state.advance(self.now);
            Some((entry.kind != kind, state.weight()?, entry.kind, entry.name.to_vec()))
        });
        let Some((_, _, kind, name)) = least.min() else { return false };
        let rule = rule(&name).to_vec();
        let Some(mut gone) = self.out(kind, Cow::Owned(name)) else { return true };
        gone.state.advance(self.now);
        match self.out(kind | REST, Cow::Owned(rule.clone())) {
            Some(mut rest) => {
                rest.state.advance(self.now);
                rest.state.remember(&gone.state);
                self.keep(rest);
            }
            None => self.keep(Account { kind: kind | REST, name: Cow::Owned(rule), state: gone.state }),
        }
        true
    }
}
