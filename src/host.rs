//! What the core asks of the world it runs in. Pure types; the filter, the command and the tests implement them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Sub;
use std::rc::Rc;

/// A moment: nanoseconds since the Unix epoch. The core never reads a clock, it is told the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// Whole seconds since the Unix epoch.
    pub fn unix_seconds(self) -> u64 {
        self.0.checked_div(1_000_000_000).unwrap_or(0)
    }

    /// `self - earlier`, or zero when the host's clock went backwards.
    pub fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// RFC 3339 in UTC with milliseconds: `2026-11-21T01:24:58.123Z`.
    pub fn rfc3339(self) -> String {
        let days = self.unix_seconds() / 86_400;
        let second = self.unix_seconds() % 86_400;
        let (year, month, day) = civil(days);
        let (h, m, s, ms) = (second / 3_600, second / 60 % 60, second % 60, self.0 / 1_000_000 % 1_000);
        format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z")
    }
}

/// The date of a day since the Unix epoch: year (1970..=2554 where the day is a [`Time`]'s), month, day of the month.
pub(crate) fn civil(days: u64) -> (u64, u64, u64) {
    // By Howard Hinnant's `civil_from_days` (https://howardhinnant.github.io/date_algorithms.html, read 2026-11-21).
    let z = days.saturating_add(719_468);
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = doe.saturating_sub(doe / 1_460).saturating_add(doe / 36_524).saturating_sub(doe / 146_096) / 365;
    let doy = doe.saturating_sub(yoe.saturating_mul(365).saturating_add(yoe / 4).saturating_sub(yoe / 100));
    let mp = doy.saturating_mul(5).saturating_add(2) / 153;
    let day = doy.saturating_sub(mp.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let month = if mp < 10 { mp.saturating_add(3) } else { mp.saturating_sub(9) };
    let year = era.saturating_mul(400).saturating_add(yoe).saturating_add(u64::from(month <= 2));
    (year, month, day)
}

impl Sub for Time {
    type Output = Span;
    fn sub(self, earlier: Time) -> Span {
        self.since(earlier)
    }
}

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

impl Span {
    /// Whole milliseconds, rounded to nearest.
    pub fn millis(self) -> u64 {
        self.0.saturating_add(500_000) / 1_000_000
    }

    /// Whole microseconds, rounded to nearest.
    pub fn micros(self) -> u64 {
        self.0.saturating_add(500) / 1_000
    }
}

/// Where environment variables come from: the VM's environment in the filter, the process's in the command, a table
/// in tests.
pub trait Env {
    /// The variable's value, or `None` where it is not set.
    fn var(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Env for F {
    fn var(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// Which writing of a value was read: [`Shared::swap`] takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub u32);

/// What all workers of a host share. Nothing is ever forgotten: who makes keys bounds their number.
pub trait Shared {
    /// What is known under a key, and which writing of it this is.
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)>;
    /// Makes it known, where nobody wrote since `version` was read (`None`: where nothing is known yet). Whether it did.
    fn swap(&self, key: &str, value: &[u8], version: Option<Version>) -> bool;
    /// Makes it known. The last word stands.
    fn set(&self, key: &str, value: &[u8]);
    /// What is known under a key.
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.read(key).map(|(value, _)| value)
    }
}

/// Nothing is shared.
impl Shared for () {
    fn read(&self, _key: &str) -> Option<(Vec<u8>, Version)> {
        None
    }
    fn swap(&self, _key: &str, _value: &[u8], _version: Option<Version>) -> bool {
        true
    }
    fn set(&self, _key: &str, _value: &[u8]) {}
}

/// A table in memory: what workers share in tests, benchmarks and the command.
#[derive(Debug, Default)]
pub struct Table {
    values: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    writes: Cell<u32>,
}

impl Table {
    /// How many keys it holds.
    pub fn len(&self) -> usize {
        self.values.borrow().len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.values.borrow().is_empty()
    }
}

impl Shared for Table {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.values.borrow().get(key).map(|(value, version)| (value.clone(), Version(*version)))
    }

    fn swap(&self, key: &str, value: &[u8], version: Option<Version>) -> bool {
        let known = self.values.borrow().get(key).map(|(_, version)| Version(*version));
        let fresh = known == version;
        if fresh {
            self.set(key, value);
        }
        fresh
    }

    fn set(&self, key: &str, value: &[u8]) {
        self.writes.set(self.writes.get().wrapping_add(1));
        self.values.borrow_mut().insert(key.to_owned(), (value.to_vec(), self.writes.get()));
    }
}

/// Who is at the other end of the client's connection, as Envoy says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The client's IP address, without a port: the one that Envoy trusts (`source.address`, which follows
    /// `x-forwarded-for` only as far as the listener's `xff_num_trusted_hops` says).
    pub address: Option<String>,
    /// The names in its certificate: URI SANs (SPIFFE ids), DNS SANs, the subject. Empty without mTLS.
    pub principals: Vec<String>,
}

/// An address without its port: `10.0.0.7:5123`, `[::1]:80`.
pub fn without_port(address: &str) -> String {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

/// What an exchange is told of where it is.
#[derive(Clone)]
pub struct World {
    /// What all workers share.
    pub shared: Rc<dyn Shared>,
    /// Who is at the other end of the client's connection.
    pub peer: Peer,
}

impl World {
    /// One that shares this, with nobody known at the other end.
    pub fn of(shared: impl Shared + 'static) -> Self {
        Self { shared: Rc::new(shared), peer: Peer::default() }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::of(())
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// A secret value. It prints as `<secret>` everywhere; only [`Secret::reveal`] gives it away, to be called where a
/// credential is written into an upstream request and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret value.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn rfc3339_knows_leap_days_and_year_ends() {
        for (s, want) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_767_225_599, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Time(s * 1_000_000_000).rfc3339(), want);
        }
        assert_eq!(Time(1_763_688_298_123_456_789).rfc3339(), "2025-11-21T01:24:58.123Z");
    }

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::new("sk-abc".into());
        assert_eq!(format!("{secret:?} {secret}"), "<secret> <secret>");
    }
}
