//! What the core asks of the world it runs in. Pure types; the filter, the command and the tests implement them.

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
        // Civil date from days since the epoch, by Howard Hinnant's `civil_from_days`
        // (https://howardhinnant.github.io/date_algorithms.html, read 2026-11-21). Years here are 1970..=2554.
        let z = days.saturating_add(719_468);
        let era = z / 146_097;
        let doe = z % 146_097;
        let yoe = doe.saturating_sub(doe / 1_460).saturating_add(doe / 36_524).saturating_sub(doe / 146_096) / 365;
        let doy = doe.saturating_sub(yoe.saturating_mul(365).saturating_add(yoe / 4).saturating_sub(yoe / 100));
        let mp = doy.saturating_mul(5).saturating_add(2) / 153;
        let day = doy.saturating_sub(mp.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
        let month = if mp < 10 { mp.saturating_add(3) } else { mp.saturating_sub(9) };
        let year = era.saturating_mul(400).saturating_add(yoe).saturating_add(u64::from(month <= 2));
        let (h, m, s, ms) = (second / 3_600, second / 60 % 60, second % 60, self.0 / 1_000_000 % 1_000);
        format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z")
    }
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

/// What all workers of a host share.
pub trait Shared {
    /// What is known under a key.
    fn get(&self, key: &str) -> Option<Vec<u8>>;
    /// Makes it known. The last word stands.
    fn set(&self, key: &str, value: &[u8]);
}

/// Nothing is shared.
impl Shared for () {
    fn get(&self, _key: &str) -> Option<Vec<u8>> {
        None
    }
    fn set(&self, _key: &str, _value: &[u8]) {}
}

/// A [`Shared`] to hand around.
#[derive(Clone)]
pub struct World(pub Rc<dyn Shared>);

impl Default for World {
    fn default() -> Self {
        Self(Rc::new(()))
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
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
