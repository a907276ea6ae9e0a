//! Cool-downs: a target whose provider said when to come back is left alone until then, by all workers.

use crate::exchange::Headers;
use crate::host::{Shared, Time};

/// The longest that a provider's word is taken for, in milliseconds: a day.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

/// Until when a target is to be left alone, by what its provider answered: 429, 503 and 529 with `retry-after` (seconds
/// or a date, <https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3>) or `retry-after-ms` (OpenAI, Azure).
pub fn until(status: u16, headers: &Headers, now: Time) -> Option<Time> {
    if !matches!(status, 429 | 503 | 529) {
        return None;
    }
    let millis = headers.get("retry-after-ms").and_then(decimal).or_else(|| {
        let after = headers.get("retry-after")?;
        let seconds = decimal(after).or_else(|| Some(date(after)?.saturating_sub(now.unix_seconds())))?;
        Some(seconds.saturating_mul(1_000))
    })?;
    let wait = millis.min(LONGEST_MS).saturating_mul(1_000_000);
    (wait > 0).then(|| Time(now.0.saturating_add(wait)))
}

/// A decimal number, rounded up.
fn decimal(text: &str) -> Option<u64> {
    let (whole, rest) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let more = rest.bytes().any(|digit| digit != b'0');
    let all_digits = rest.bytes().all(|digit| digit.is_ascii_digit());
    whole.parse::<u64>().ok().filter(|_| all_digits).map(|whole| whole.saturating_add(u64::from(more)))
}

/// An HTTP date as seconds since the Unix epoch.
fn date(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    date.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

fn key(target: &str) -> String {
    format!("conduit.cooldown.{target}")
}

/// Lets every worker know that a target is to be left alone.
pub fn begin(shared: &dyn Shared, target: &str, until: Time) {
    let ends = resting_until(shared, target).map_or(until, |known| known.max(until));
    shared.set(&key(target), ends.0.to_string().as_bytes());
}

fn resting_until(shared: &dyn Shared, target: &str) -> Option<Time> {
    let value = shared.get(&key(target))?;
    std::str::from_utf8(&value).ok()?.parse().ok().map(Time)
}

/// For how many seconds yet a target is to be left alone; `None`: it may be asked.
pub fn rests(shared: &dyn Shared, target: &str, now: Time) -> Option<u64> {
    let left = resting_until(shared, target)?.since(now).0;
    (left > 0).then(|| left.div_ceil(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Table;
    use crate::testing::test;

    #[test]
    fn a_providers_word_is_taken_in_every_way_that_it_is_said() {
        let now = Time(1_700_000_000_000_000_000);
        for (status, headers, want_ms) in [
            (429, &[("retry-after", "2")][..], Some(2_000)),
            (429, &[("retry-after-ms", "soon"), ("retry-after", "2")], Some(2_000)),
            (503, &[("retry-after", "1.2")], Some(2_000)),
            (529, &[("retry-after-ms", "250"), ("retry-after", "9")], Some(250)),
            (429, &[("retry-after", "Tue, 14 Nov 2023 22:13:30 GMT")], Some(10_000)),
            (429, &[("retry-after", "Tue, 14 Nov 2022 22:13:30 GMT")], None),
            (429, &[("retry-after", "999999999999999999")], Some(LONGEST_MS)),
            (429, &[("retry-after", "soon")], None),
            (429, &[("retry-after", "0")], None),
            (429, &[], None),
            (500, &[("retry-after", "2")], None),
            (200, &[("retry-after", "2")], None),
        ] {
            let all = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let found = until(status, &Headers::new(all), now).map(|end| end.since(now).millis());
            assert_eq!(found, want_ms, "{status} {headers:?}");
        }
    }

    #[test]
    fn a_target_rests_as_long_as_the_longest_word_says() {
        let table = Table::default();
        let second = |n: u64| Time(n * 1_000_000_000);
        begin(&table, "a/b", second(10));
        begin(&table, "a/b", second(5));
        assert_eq!(rests(&table, "a/b", second(1)), Some(9));
        assert_eq!(rests(&table, "a/b", Time(second(10).0 - 1)), Some(1));
        assert_eq!(rests(&table, "a/b", second(10)), None);
        assert_eq!(rests(&table, "a/c", second(1)), None);
    }
}
