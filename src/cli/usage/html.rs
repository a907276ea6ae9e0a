//! A report as one HTML page: plots and tables, without a script, without anything from elsewhere.

mod plots;

use super::clock::Clock;
use super::output::grouped;
use super::tally::{Sketch, Tally};
use super::views::{Dimension, Group, View};
use crate::cli::print::clean;
use crate::cost::Usd;
use crate::report::escaped;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use plots::{Plot, Series, Words};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

/// How many rows a table shows.
const MOST_ROWS: usize = 50;
/// How many series a stack has besides the others.
const MOST_SERIES: usize = 7;
/// Up to so many days are shown by the hour.
const HOURLY_DAYS: usize = 3;
/// From so many days on, months are shown.
const MONTHLY_DAYS: usize = 400;
/// A number of a group.
type Figure = fn(&Tally) -> u64;
/// What has no name.
const NONE: &str = "(none)";

/// The views that a page needs, in the order in which [`page`] takes them.
pub(super) fn views() -> Vec<Vec<Dimension>> {
    use Dimension::{Agent, Consumer, Day, Hour, Model, Outcome, Project, Target};
    vec![
        vec![],
        vec![Day],
        vec![Hour],
        vec![Day, Project],
        vec![Hour, Project],
        vec![Day, Target],
        vec![Hour, Target],
        vec![Project],
        vec![Agent],
        vec![Consumer],
        vec![Model],
        vec![Target],
        vec![Outcome],
    ]
}

/// Dollars, rounded to what matters: the exact sum stands in the tooltip.
fn usd(picodollars: u128) -> String {
    const DOLLAR: u128 = 1_000_000_000_000;
    let decimals = match picodollars {
        0 => return "$0".to_owned(),
        p if p >= DOLLAR => 2_u32,
        p if p >= DOLLAR / 100 => 4,
        _ => 6,
    };
    let unit = 10_u128.saturating_pow(12_u32.saturating_sub(decimals));
    let rounded = picodollars.saturating_add(unit / 2).checked_div(unit).unwrap_or(0);
    if rounded == 0 {
        return "<$0.000001".to_owned();
    }
    let scale = 10_u128.saturating_pow(decimals);
    let (whole, rest) = (rounded.checked_div(scale).unwrap_or(0), rounded.checked_rem(scale).unwrap_or(0));
    let whole = u64::try_from(whole).map_or_else(|_| whole.to_string(), grouped);
    format!("${whole}.{rest:0width$}", width = usize::try_from(decimals).unwrap_or(2))
}

/// `1500000` as `1.5M`.
fn short(number: u128) -> String {
    for (unit, sign) in [(1_000_000_000_000_u128, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")] {
        if number >= unit {
            let tenths = number.saturating_add(unit / 20).checked_div(unit / 10).unwrap_or(0);
            let (whole, rest) = (tenths / 10, tenths % 10);
            return if rest == 0 { format!("{whole}{sign}") } else { format!("{whole}.{rest}{sign}") };
        }
    }
    number.to_string()
}

fn counted(number: u128) -> String {
    u64::try_from(number).map_or_else(|_| number.to_string(), grouped)
}

/// Milliseconds, as seconds where they are many.
fn duration(ms: u128) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        _ if ms.is_multiple_of(1_000) => format!("{} s", counted(ms / 1_000)),
        1_000..10_000 => format!("{}.{:02} s", ms / 1_000, ms % 1_000 / 10),
        _ => format!("{}.{} s", counted(ms / 1_000), ms % 1_000 / 100),
    }
}

/// The stretches of time on the x axis, and which of the views' names fall into each.
struct Axis {
    by_hour: bool,
    word: &'static str,
    /// In full and as a label.
    places: Vec<(String, String)>,
    index: HashMap<String, usize>,
    cut: usize,
}

impl Axis {
    fn new(times: Option<(Timestamp, Timestamp)>, zone: &TimeZone) -> Self {
        let mut clock = Clock::new(zone.clone());
        let (mut hours, mut days) = (Vec::new(), Vec::<String>::new());
        if let Some((first, last)) = times {
            let mut at = first;
            // Half an hour at a time meets every hour of every zone; far more than a life of logs is not drawn.
            for _ in 0..2_000_000_u32 {
                let names = clock.names(at.min(last));
                if hours.last() != Some(&names.hour) && days.len() <= HOURLY_DAYS {
                    hours.push(names.hour.clone());
                }
                if days.last() != Some(&names.day) {
                    days.push(names.day.clone());
                }
                if at >= last {
                    break;
                }
                at = at.checked_add(SignedDuration::from_mins(30)).unwrap_or(last);
            }
        }
        let by_hour = days.len() <= HOURLY_DAYS;
        let monthly = days.len() > MONTHLY_DAYS;
        let (cut, word) = if by_hour {
            (usize::MAX, "hour")
        } else if monthly {
            (7, "month")
        } else {
            (10, "day")
        };
        let mut names: Vec<String> = if by_hour { hours } else { days };
        names.iter_mut().for_each(|name| name.truncate(cut.min(name.len())));
        names.dedup();
        let index = names.iter().cloned().zip(0..).collect();
        let places = names
            .into_iter()
            .map(|name| {
                let label = label(&name);
                (name, label)
            })
            .collect();
        Self { by_hour, word, places, index, cut }
    }

    fn place(&self, name: Option<&Option<String>>) -> Option<usize> {
        let name = name?.as_deref()?;
        self.index.get(name.get(..self.cut.min(name.len()))?).copied()
    }

    /// A view's groups by place, and within it by what else they are grouped by.
    fn spread<'g>(&self, groups: &'g [Group]) -> Vec<Vec<(Option<&'g str>, &'g Tally)>> {
        let mut places: Vec<Vec<_>> = self.places.iter().map(|_| Vec::new()).collect();
        for group in groups {
            let place = self.place(group.values.first()).and_then(|place| places.get_mut(place));
            if let Some(place) = place {
                place.push((group.values.get(1).and_then(Option::as_deref), &group.tally));
            }
        }
        places
    }
}

/// `2026-11-21` as `Nov 21`, `2026-11-21 14:00` as `14:00`, `2026-11` as `Nov 2026`.
fn label(name: &str) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let number = |range: std::ops::Range<usize>| name.get(range).and_then(|digits| digits.parse::<usize>().ok());
    let month = number(5..7).and_then(|month| MONTHS.get(month.checked_sub(1)?)).copied().unwrap_or("?");
    match (number(8..10), name.get(11..16)) {
        (Some(_), Some(hour)) if hour != "00:00" => hour.to_owned(),
        (Some(day), _) => format!("{month} {day}"),
        _ => format!("{month} {}", name.get(..4).unwrap_or_default()),
    }
}

/// The page. `views` are those of [`views`].
pub(super) fn page(views: Vec<View>, times: Option<(Timestamp, Timestamp)>, zone: &TimeZone, skipped: u64) -> String {
    let merged: u64 = views.iter().map(View::merged).max().unwrap_or(0);
    let mut groups = views.into_iter().map(View::groups);
    let mut next = || groups.next().unwrap_or_default();
    let total = next().into_iter().next().map(|group| group.tally).unwrap_or_default();
    let (day, hour, day_project, hour_project, day_target, hour_target) =
        (next(), next(), next(), next(), next(), next());
    let (projects, agents, consumers, models, targets, outcomes) = (next(), next(), next(), next(), next(), next());

    let axis = Axis::new(times, zone);
    let named = projects.iter().any(|group| group.values.iter().flatten().next().is_some());
    let (stack, what) = match (named, axis.by_hour) {
        (true, true) => (hour_project, "project"),
        (true, false) => (day_project, "project"),
        (false, true) => (hour_target, "target"),
        (false, false) => (day_target, "target"),
    };
    let time = if axis.by_hour { &hour } else { &day };

    let mut out = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    // No script ever runs here and nothing is fetched, whatever a name may hold.
    out.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Conduit usage</title><style>",
    );
    out.push_str(include_str!("html/style.css"));
    out.push_str("</style></head><body><main>");
    head(&mut out, &total, times, zone);
    unpriced(&mut out, &total, &targets);
    out.push_str("<div class=\"plots\">");
    out.push_str(&cost(&axis, &stack, what));
    out.push_str(&tokens(&axis, time));
    out.push_str(&requests(&axis, time));
    out.push_str(&latency(&axis, time, "Latency", "From the request to the end of its answer", |tally| &tally.latency));
    out.push_str(&latency(
        &axis,
        time,
        "Time to first token",
        "From the request to the first byte of its answer's body",
        |tally| &tally.first,
    ));
    out.push_str("</div><div class=\"tables\">");
    for (title, groups) in [
        ("Projects", &projects),
        ("Agents", &agents),
        ("Consumers", &consumers),
        ("Models asked for", &models),
        ("Targets", &targets),
        ("Outcomes", &outcomes),
        ("Days", &day),
    ] {
        // A table with a single nameless row says nothing.
        if groups.iter().any(|group| group.values.iter().any(Option::is_some)) {
            table(&mut out, title, groups, &total);
        }
    }
    out.push_str("</div>");
    let _ = write!(
        out,
        "<footer>Costs are exact sums of picodollars, rounded here; a tooltip shows all digits. What an attempt that failed \
         was billed for counts for its own target. Errors are all outcomes but ok. Percentiles are within 0.8 %.{}{}</footer>",
        if skipped > 0 { format!(" {} lines of the logs were no records.", grouped(skipped)) } else { String::new() },
        if merged > 0 { " There were too many groups: the smallest are merged into (other)." } else { "" }
    );
    out.push_str("</main></body></html>\n");
    out
}

fn head(out: &mut String, total: &Tally, times: Option<(Timestamp, Timestamp)>, zone: &TimeZone) {
    let shown = |time: Timestamp| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
    let when = times.map_or_else(
        || "No records".to_owned(),
        |(first, last)| format!("{} to {}, {}", shown(first), shown(last), zone.iana_name().unwrap_or("UTC")),
    );
    let _ = write!(out, "<header><h1>Conduit usage</h1><p>{}</p></header><div class=\"cards\">", escaped(&when));
    let mut card = |class: &str, value: &str, exact: &str, name: &str| {
        let (value, exact, name) = (escaped(value), escaped(exact), escaped(name));
        let _ = write!(out, "<div class=\"card {class}\" title=\"{exact}\"><b>{value}</b><span>{name}</span></div>");
    };
    card("", &usd(total.cost), &format!("${}", Usd(total.cost)), "cost");
    card("", &grouped(total.requests), "", "requests");
    let thousandths =
        u128::from(total.errors()).saturating_mul(1_000).checked_div(u128::from(total.requests)).unwrap_or(0);
    let rate = format!("errors, {}.{} %", thousandths / 10, thousandths % 10);
    card(if total.errors() > 0 { "bad" } else { "" }, &grouped(total.errors()), "", &rate);
    card("", &short(total.prompt.into()), &grouped(total.prompt), "prompt tokens");
    card("", &short(total.completion.into()), &grouped(total.completion), "completion tokens");
    let time = |sketch: &Sketch, percent| sketch.percentile(percent).map_or("–".to_owned(), |ms| duration(ms.into()));
    card("", &time(&total.latency, 50), "", &format!("median latency, p99 {}", time(&total.latency, 99)));
    card("", &time(&total.first, 50), "", &format!("median first token, p99 {}", time(&total.first, 99)));
    out.push_str("</div>");
}

fn unpriced(out: &mut String, total: &Tally, targets: &[Group]) {
    if total.unpriced == 0 {
        return;
    }
    let mut worst: Vec<&Group> = targets.iter().filter(|group| group.tally.unpriced > 0).collect();
    worst.sort_by_key(|group| std::cmp::Reverse(group.tally.unpriced));
    let names: Vec<String> = worst
        .iter()
        .take(5)
        .map(|group| format!("<bdi>{}</bdi> ({})", escaped(&name(group)), grouped(group.tally.unpriced)))
        .collect();
    let more = if worst.len() > 5 { ", and others" } else { "" };
    let _ = write!(
        out,
        "<p class=\"warn\"><b>{} unpriced request{}.</b> They used tokens whose price is not known, so their cost is not in any \
         sum here: {}{more}. Give these models a price under <code>models:</code>.</p>",
        grouped(total.unpriced),
        if total.unpriced == 1 { "" } else { "s" },
        names.join(", ")
    );
}

fn cost(axis: &Axis, stack: &[Group], what: &str) -> String {
    let mut sums: BTreeMap<Option<&str>, u128> = BTreeMap::new();
    for group in stack {
        let sum = sums.entry(group.values.get(1).and_then(Option::as_deref)).or_default();
        *sum = sum.saturating_add(group.tally.cost);
    }
    let mut largest: Vec<(Option<&str>, u128)> = sums.into_iter().filter(|(_, cost)| *cost > 0).collect();
    largest.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
    // One more than a stack holds is shown as itself rather than as "others".
    let shown = if largest.len() == MOST_SERIES.saturating_add(1) { largest.len() } else { MOST_SERIES };
    let own: Vec<Option<&str>> = largest.iter().take(shown).map(|(name, _)| *name).collect();
    let spread = axis.spread(stack);
    let sum = |wanted: &dyn Fn(Option<&str>) -> bool| -> Vec<Option<u128>> {
        let cost = |place: &Vec<(Option<&str>, &Tally)>| {
            let costs = place.iter().filter(|(name, _)| wanted(*name)).map(|(_, tally)| tally.cost);
            Some(costs.fold(0, u128::saturating_add))
        };
        spread.iter().map(cost).collect()
    };
    let mut series: Vec<Series> = own
        .iter()
        .zip(0..)
        .map(|(own, colour)| Series { name: clean(own.unwrap_or(NONE)), colour, values: sum(&|name| name == *own) })
        .collect();
    if largest.len() > shown {
        series.push(Series { name: "others".into(), colour: MOST_SERIES, values: sum(&|name| !own.contains(&name)) });
    }
    let title = format!("Cost per {}, by {what}", axis.word);
    let words: Words = |picodollars| format!("${}", Usd(picodollars));
    Plot { title: &title, note: "US dollars", places: &axis.places, series, full: words, short: words, wide: true }
        .bars()
}

fn tokens(axis: &Axis, time: &[Group]) -> String {
    let spread = axis.spread(time);
    let kinds: [(&str, usize, Figure); 5] = [
        ("prompt, uncached", 0, |t| t.prompt.saturating_sub(t.cached).saturating_sub(t.written)),
        ("prompt, from cache", 5, |t| t.cached),
        ("prompt, written to cache", 3, |t| t.written),
        ("completion", 1, |t| t.completion.saturating_sub(t.reasoning)),
        ("completion, reasoning", 6, |t| t.reasoning),
    ];
    let series = kinds.map(|(name, colour, of)| Series { name: name.into(), colour, values: summed(&spread, of) });
    let title = format!("Tokens per {}", axis.word);
    let series = series.into_iter().filter(|series| series.values.iter().flatten().any(|value| *value > 0)).collect();
    Plot { title: &title, note: "By kind", places: &axis.places, series, full: counted, short, wide: false }.bars()
}

fn requests(axis: &Axis, time: &[Group]) -> String {
    let spread = axis.spread(time);
    let series = vec![
        Series { name: "ok".into(), colour: 2, values: summed(&spread, |t| t.requests.saturating_sub(t.errors())) },
        Series { name: "errors".into(), colour: 8, values: summed(&spread, Tally::errors) },
    ];
    let title = format!("Requests per {}", axis.word);
    let note = "Errors are all outcomes but ok";
    Plot { title: &title, note, places: &axis.places, series, full: counted, short, wide: false }.bars()
}

fn summed(spread: &[Vec<(Option<&str>, &Tally)>], of: Figure) -> Vec<Option<u128>> {
    let sum = |place: &Vec<(Option<&str>, &Tally)>| place.iter().map(|(_, tally)| u128::from(of(tally))).sum();
    spread.iter().map(|place| Some(sum(place))).collect()
}

fn latency(axis: &Axis, time: &[Group], title: &str, note: &str, of: fn(&Tally) -> &Sketch) -> String {
    let spread = axis.spread(time);
    let sketches: Vec<Sketch> = spread
        .iter()
        .map(|place| {
            let mut sketch = Sketch::default();
            place.iter().for_each(|(_, tally)| sketch.merge(of(tally)));
            sketch
        })
        .collect();
    let line = |(percent, colour): (u64, usize)| Series {
        name: format!("p{percent}"),
        colour,
        values: sketches.iter().map(|sketch| sketch.percentile(percent).map(u128::from)).collect(),
    };
    let series = [(50, 0), (90, 1), (99, 4)].map(line).into();
    let title = format!("{title} per {}", axis.word);
    Plot { title: &title, note, places: &axis.places, series, full: duration, short: duration, wide: false }.lines()
}

fn name(group: &Group) -> String {
    group.values.first().and_then(Option::as_deref).map_or_else(|| NONE.to_owned(), clean)
}

fn table(out: &mut String, title: &str, groups: &[Group], total: &Tally) {
    let rest = groups.len().saturating_sub(MOST_ROWS);
    let note = if rest > 0 {
        format!("{} more are not shown; <code>--format csv</code> has all", counted(u128::try_from(rest).unwrap_or(0)))
    } else {
        String::new()
    };
    let _ = write!(
        out,
        "<section><h2>{title}</h2><p class=\"note\">{note}</p><div class=\"scroll\"><table><tr><th></th><th>Cost</th><th>Requests</th>\
         <th>Errors</th><th>Unpriced</th><th>Estimated</th><th>Prompt</th><th>Cached</th><th>Cache write</th><th>Completion</th>\
         <th>Reasoning</th><th>p50</th><th>p99</th><th>First p50</th><th>First p99</th></tr>"
    );
    for group in groups.iter().take(MOST_ROWS) {
        let none = if group.values.first().is_some_and(Option::is_none) { " class=\"none\"" } else { "" };
        let _ = write!(out, "<tr><td{none}><bdi>{}</bdi></td>", escaped(&name(group)));
        cells(out, &group.tally, Some(total.cost));
        out.push_str("</tr>");
    }
    if groups.len() > 1 {
        out.push_str("<tr class=\"total\"><td>total</td>");
        cells(out, total, None);
        out.push_str("</tr>");
    }
    out.push_str("</table></div></section>");
}

fn cells(out: &mut String, tally: &Tally, whole: Option<u128>) {
    let share = |whole: u128| tally.cost.saturating_mul(100).checked_div(whole).unwrap_or(0).min(100);
    let share = whole.map(|whole| format!(" class=\"share\" style=\"--of:{}%\"", share(whole))).unwrap_or_default();
    let _ = write!(
        out,
        "<td{share} title=\"${}\">{}</td><td>{}</td>",
        Usd(tally.cost),
        escaped(&usd(tally.cost)),
        grouped(tally.requests)
    );
    for bad in [tally.errors(), tally.unpriced] {
        let class = if bad > 0 { " class=\"bad\"" } else { "" };
        let _ = write!(out, "<td{class}>{}</td>", grouped(bad));
    }
    let _ = write!(out, "<td>{}</td>", grouped(tally.estimated));
    for number in [tally.prompt, tally.cached, tally.written, tally.completion, tally.reasoning] {
        let _ = write!(out, "<td title=\"{}\">{}</td>", grouped(number), short(number.into()));
    }
    for (sketch, percent) in [(&tally.latency, 50), (&tally.latency, 99), (&tally.first, 50), (&tally.first, 99)] {
        let _ = write!(out, "<td>{}</td>", sketch.percentile(percent).map_or("–".to_owned(), |ms| duration(ms.into())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn numbers_are_shown_as_people_read_them() {
        const DOLLAR: u128 = 1_000_000_000_000;
        for (picodollars, want) in [
            (0, "$0"),
            (1, "<$0.000001"),
            (1_500_000, "$0.000002"),
            (DOLLAR / 100 - 1, "$0.010000"),
            (DOLLAR / 8, "$0.1250"),
            (DOLLAR - 1, "$1.0000"),
            (1_234 * DOLLAR + DOLLAR / 200, "$1,234.01"),
        ] {
            assert_eq!(usd(picodollars), want, "{picodollars}");
        }
        for (number, want) in
            [(999, "999"), (1_000, "1k"), (1_549_999, "1.5M"), (19_992_983, "20M"), (20_000_000_000, "20G")]
        {
            assert_eq!(short(number), want);
        }
        for (ms, want) in [(0, "0 ms"), (999, "999 ms"), (2_000, "2 s"), (9_876, "9.87 s"), (12_345, "12.3 s")] {
            assert_eq!(duration(ms), want);
        }
        for (name, want) in [
            ("2026-11-21", "Nov 21"),
            ("2026-11-21 14:00", "14:00"),
            ("2026-11-21 00:00+01:00", "Nov 21"),
            ("2026-03", "Mar 2026"),
        ] {
            assert_eq!(label(name), want);
        }
    }

    #[test]
    fn the_axis_has_every_hour_day_or_month_between() {
        let axis = |first: &str, last: &str, zone: &str| {
            let times = (first.parse().unwrap(), last.parse().unwrap());
            let axis = Axis::new(Some(times), &TimeZone::get(zone).unwrap());
            (axis.word, axis.places.len(), axis.places.last().unwrap().0.clone())
        };
        let last = |word, count, name: &str| (word, count, name.to_owned());
        assert_eq!(axis("2026-11-20T22:10:00Z", "2026-11-21T01:00:00Z", "UTC"), last("hour", 4, "2026-11-21 01:00"));
        // A day of 25 hours.
        let clocks_back = axis("2026-10-24T22:00:00Z", "2026-10-25T22:59:00Z", "Europe/Berlin");
        assert_eq!(clocks_back, last("hour", 25, "2026-10-25 23:00+01:00"));
        assert_eq!(axis("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "UTC"), last("day", 29, "2026-03-01"));
        assert_eq!(axis("2024-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "UTC"), last("month", 26, "2026-03"));
        assert_eq!(Axis::new(None, &TimeZone::UTC).places.len(), 0);
    }
}
