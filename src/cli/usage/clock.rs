//! Times of records: which stretch is asked for, and which hour, day and month each is in.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};

/// The stretch that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    /// From here on.
    pub since: Option<Timestamp>,
    /// Up to here, excluded.
    pub until: Option<Timestamp>,
}

impl Stretch {
    /// Whether it leaves anything out.
    pub fn is_bounded(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Whether a time is in it.
    pub fn holds(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

/// A moment as it is written on the command line: `24h`, `7d` (so long ago), `2026-11-01` (its midnight in the zone),
/// `2026-11-01T12:00` (in the zone) or RFC 3339.
///
/// # Errors
/// What was expected.
pub(super) fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let wrong = || {
        format!(
            "{text}: found no time, expected so long ago (90m, 24h, 7d, 2w), a date (2026-11-01) or RFC 3339 \
             (2026-11-01T12:00:00Z)."
        )
    };
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(time) = text.parse::<civil::DateTime>() {
        return time.to_zoned(zone.clone()).map(|zoned| zoned.timestamp()).map_err(|_| wrong());
    }
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let hours: i64 = match unit {
        'm' => 0,
        'h' => 1,
        'd' => 24,
        'w' => 168,
        _ => return Err(wrong()),
    };
    let number: i64 = text.strip_suffix(unit).and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    let minutes = if hours == 0 { Some(number) } else { number.checked_mul(hours).and_then(|h| h.checked_mul(60)) };
    let seconds = minutes.and_then(|minutes| minutes.checked_mul(60)).filter(|s| *s >= 0).ok_or_else(wrong)?;
    now.checked_sub(SignedDuration::from_secs(seconds)).map_err(|_| wrong())
}

/// When a record's request came.
pub(crate) fn time_of(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Names of the stretches that a moment is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// `2026-11-21 14:00`, with the offset where the zone is not UTC.
    pub hour: String,
    /// `2026-11-21`.
    pub day: String,
    /// `2026-11`.
    pub month: String,
}

/// Names moments; neighbours share the work.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    zone: TimeZone,
    last: Option<(i64, Names)>,
}

impl Clock {
    /// One of that zone.
    pub fn new(zone: TimeZone) -> Self {
        Self { zone, last: None }
    }

    /// The names of a moment's hour, day and month.
    pub fn names(&mut self, time: Timestamp) -> &Names {
        // Offsets of zones are multiples of a quarter of an hour since 1972, so none of the names changes within one.
        let quarter = time.as_second().div_euclid(900);
        let fresh = !matches!(&self.last, Some((known, _)) if *known == quarter);
        if fresh {
            let zoned = time.to_zoned(self.zone.clone());
            let day = zoned.date().to_string();
            let month = day.get(..day.len().saturating_sub(3)).unwrap_or_default().to_owned();
            let offset = if self.zone == TimeZone::UTC { String::new() } else { zoned.strftime("%:z").to_string() };
            self.last = Some((quarter, Names { hour: format!("{day} {:02}:00{offset}", zoned.hour()), day, month }));
        }
        &self.last.get_or_insert_with(|| (quarter, Names::default())).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn moments_are_read_as_people_write_them() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (text, want) in [
            ("90m", "2026-11-21T10:30:00Z"),
            ("24h", "2026-11-20T12:00:00Z"),
            ("7d", "2026-11-14T12:00:00Z"),
            ("2w", "2026-11-07T12:00:00Z"),
            ("2026-11-01", "2026-10-31T23:00:00Z"),
            ("2026-07-01T12:00", "2026-07-01T10:00:00Z"),
            ("2026-11-01T12:00:00+05:00", "2026-11-01T07:00:00Z"),
        ] {
            assert_eq!(moment(text, now, &berlin).unwrap().to_string(), want, "{text}");
        }
        for text in ["", "h", "7", "7y", "-3d", "é", "99999999999999999999d", "9999999999999999w", "2026-13-01", "d7"]
        {
            let error = moment(text, now, &berlin).unwrap_err();
            assert!(error.contains("expected so long ago"), "{text}: {error}");
        }
    }

    #[test]
    fn hours_and_days_go_by_the_zone() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut utc = Clock::new(TimeZone::UTC);
        assert_eq!(utc.names(time("2026-11-30T23:59:59.9Z")).hour, "2026-11-30 23:00");
        assert_eq!(utc.names(time("2026-12-01T00:00:00Z")).month, "2026-12");
        let mut berlin = Clock::new(TimeZone::get("Europe/Berlin").unwrap());
        assert_eq!(berlin.names(time("2026-11-30T23:30:00Z")).day, "2026-12-01");
        // The hour that comes twice when the clocks go back.
        assert_eq!(berlin.names(time("2026-10-25T00:30:00Z")).hour, "2026-10-25 02:00+02:00");
        assert_eq!(berlin.names(time("2026-10-25T01:30:00Z")).hour, "2026-10-25 02:00+01:00");
    }
}
