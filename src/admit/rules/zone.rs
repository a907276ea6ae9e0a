//! Hours, days and months by the clock of a zone.

use super::{Period, Window};
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};

const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

/// The window by UTC.
pub(super) fn utc(period: Period, seconds: u64) -> Window {
    let of = |starts: u64, length| Window { starts, ends: starts.saturating_add(length) };
    match period {
        Period::Hour => of(seconds.saturating_sub(seconds % 3_600), HOUR),
        Period::Day => of(seconds.saturating_sub(seconds % 86_400), DAY),
        Period::Month => {
            let days = seconds / DAY;
            let (year, month, day) = crate::host::civil(days);
            let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            let length = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            of(days.saturating_sub(day.saturating_sub(1)).saturating_mul(DAY), DAY.saturating_mul(length))
        }
    }
}

/// The window by a zone's clock. `None` where the calendar ends.
pub(super) fn local(zone: &TimeZone, period: Period, seconds: u64) -> Option<Window> {
    let now = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    let offset = zone.to_offset(now);
    if period == Period::Hour {
        let local = now.as_second().checked_add(i64::from(offset.seconds()))?;
        let into = u64::try_from(local.rem_euclid(3_600)).ok()?;
        let starts = seconds.saturating_sub(into);
        return Some(Window { starts, ends: starts.saturating_add(HOUR) });
    }
    let today = offset.to_datetime(now).date();
    let (mut first, length) = match period {
        Period::Month => (today.first_of_month(), Span::new().months(1)),
        _ => (today, Span::new().days(1)),
    };
    let mut next = first.checked_add(length).ok()?;
    // Where a clock is put back over midnight, yesterday's date returns: its day is over by then.
    if first_moment(zone, next)? <= now {
        (first, next) = (next, next.checked_add(length).ok()?);
    }
    let second = |moment: Timestamp| u64::try_from(moment.as_second()).ok();
    Some(Window { starts: second(first_moment(zone, first)?).unwrap_or(0), ends: second(first_moment(zone, next)?)? })
}

/// When a date begins: at midnight, or, where the clock is put forward over it, then.
fn first_moment(zone: &TimeZone, date: Date) -> Option<Timestamp> {
    let midnight = zone.to_ambiguous_timestamp(date.to_datetime(jiff::civil::Time::midnight()));
    let skipped = matches!(midnight.offset(), AmbiguousOffset::Gap { .. });
    let moment = midnight.compatible().ok()?;
    if !skipped {
        return Some(moment);
    }
    let after = moment.checked_add(jiff::SignedDuration::from_secs(1)).ok()?;
    zone.preceding(after).next().map(|change| change.timestamp())
}

#[cfg(test)]
mod tests {
    use super::super::{Period, Window, Zone};
    use crate::host::Time;
    use crate::testing::test;
    use jiff::Timestamp;

    fn seconds(text: &str) -> u64 {
        u64::try_from(text.parse::<Timestamp>().unwrap().as_second()).unwrap()
    }

    fn window(zone: &str, period: Period, seconds: u64) -> Window {
        Zone::named(zone).unwrap().window(period, Time(seconds * 1_000_000_000 + 999_999_999))
    }

    #[test]
    fn windows_begin_and_end_with_the_calendar_of_the_zone() {
        use Period::{Day, Hour, Month};
        for (zone, period, now, starts, ends) in [
            ("UTC", Hour, "2026-11-21T08:59:59Z", "2026-11-21T08:00:00Z", "2026-11-21T09:00:00Z"),
            ("UTC", Hour, "2026-11-21T09:00:00Z", "2026-11-21T09:00:00Z", "2026-11-21T10:00:00Z"),
            ("UTC", Day, "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
            ("UTC", Month, "2028-02-29T23:59:59Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("UTC", Month, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("UTC", Month, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-02-01T00:00:00Z"),
            ("UTC", Month, "2100-02-28T12:00:00Z", "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z"),
            ("Etc/UTC", Month, "2028-02-29T23:59:59Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            // Clocks half an hour and three quarters off.
            ("Asia/Kolkata", Hour, "2026-11-21T08:29:59Z", "2026-11-21T07:30:00Z", "2026-11-21T08:30:00Z"),
            ("Asia/Kathmandu", Hour, "2026-11-21T08:15:00Z", "2026-11-21T08:15:00Z", "2026-11-21T09:15:00Z"),
            ("Asia/Kolkata", Day, "2026-11-21T18:30:00Z", "2026-11-21T18:30:00Z", "2026-11-22T18:30:00Z"),
            // The days on which Berlin's clock is put forward and back, and their months.
            ("Europe/Berlin", Day, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
            ("Europe/Berlin", Day, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("Europe/Berlin", Hour, "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"),
            ("Europe/Berlin", Hour, "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"),
            ("Europe/Berlin", Month, "2026-10-31T22:59:59Z", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
            ("Europe/Berlin", Month, "2026-10-31T23:00:00Z", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
            // Midnight is skipped: Cairo's clock goes from 00:00 to 01:00.
            ("Africa/Cairo", Day, "2026-04-24T12:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"),
            ("Africa/Cairo", Day, "2026-04-23T21:59:59Z", "2026-04-22T22:00:00Z", "2026-04-23T22:00:00Z"),
            // Havana's clock goes from 01:00 back to 00:00: midnight comes twice, the first one counts.
            ("America/Havana", Day, "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
            // Greenland's clock goes from 00:00 back to 23:00 of the day before, which is a longer day.
            ("America/Nuuk", Day, "2026-10-25T00:30:00Z", "2026-10-24T01:00:00Z", "2026-10-25T02:00:00Z"),
            // Samoa had no 30 December 2011.
            ("Pacific/Apia", Day, "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
            ("Pacific/Apia", Day, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
            // Lord Howe's clock moves by half an hour.
            ("Australia/Lord_Howe", Day, "2026-10-03T15:30:00Z", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"),
        ] {
            let Window { starts: found, ends: end } = window(zone, period, seconds(now));
            assert_eq!((found, end), (seconds(starts), seconds(ends)), "{zone} {period:?} {now}");
        }
    }

    #[test]
    fn days_and_months_follow_each_other_without_gap_or_overlap_in_every_zone() {
        // One zone of each way that clocks are moved, among them Morocco's, whose clock goes back for Ramadan.
        let zones = ["UTC", "Etc/UTC", "Europe/Berlin", "America/Havana", "America/Sao_Paulo", "Africa/Casablanca"];
        let more =
            ["America/Nuuk", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Beirut", "Asia/Gaza", "Asia/Kathmandu"];
        for zone in zones.into_iter().chain(more) {
            for period in [Period::Day, Period::Month] {
                let mut now = seconds("2011-01-01T00:00:00Z");
                while now < seconds("2027-01-01T00:00:00Z") {
                    let this = window(zone, period, now);
                    assert!(this.starts <= now && now < this.ends, "{zone} {period:?} {now} {this:?}");
                    assert_eq!(window(zone, period, this.ends - 1), this, "{zone} {period:?}");
                    let next = window(zone, period, this.ends);
                    assert_eq!(next.starts, this.ends, "{zone} {period:?}");
                    now = this.ends;
                }
            }
        }
    }

    #[test]
    fn an_hour_has_3600_seconds_at_the_end_of_the_world_too() {
        for zone in ["UTC", "Europe/Berlin", "Australia/Lord_Howe"] {
            for now in [0, seconds("2026-10-03T15:40:00Z"), u64::MAX / 1_000_000_000] {
                let zone = Zone::named(zone).unwrap();
                let now = Time(now * 1_000_000_000);
                let hour = zone.window(Period::Hour, now);
                assert_eq!(hour.ends - hour.starts, 3_600);
                for period in [Period::Hour, Period::Day, Period::Month] {
                    let Window { starts, ends } = zone.window(period, now);
                    assert!(starts <= now.unix_seconds() && now.unix_seconds() < ends, "{zone:?} {period:?}");
                }
            }
        }
    }
}
