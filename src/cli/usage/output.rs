//! Reports as a table for people, as CSV and as JSON.

use super::tally::{OUTCOMES, Sketch, Tally};
use super::views::{Dimension, Group};
use crate::cli::print::clean;
use crate::cost::Usd;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// What is shown.
pub(super) struct Report<'a> {
    /// What the groups are by.
    pub by: &'a [Dimension],
    /// The groups.
    pub groups: &'a [Group],
    /// All records together.
    pub total: &'a Tally,
}

/// What stands where records have no value.
const NONE: &str = "(none)";

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn percentiles(sketch: &Sketch) -> [Option<u64>; 3] {
    [50, 90, 99].map(|percent| sketch.percentile(percent))
}

fn times(sketch: &Sketch) -> String {
    match sketch.percentile(50) {
        None => "-".to_owned(),
        Some(_) => percentiles(sketch).map(|value| value.unwrap_or(0).to_string()).join("/"),
    }
}

/// A table for a terminal: names left, numbers right, the total at the end.
pub(super) fn table(report: &Report<'_>) -> String {
    let mut head: Vec<String> = report.by.iter().map(|dimension| dimension.name()).collect();
    let names = head.len();
    head.extend(
        [
            "requests",
            "errors",
            "prompt",
            "cached",
            "cache write",
            "completion",
            "reasoning",
            "cost USD",
            "unpriced",
            "estimated",
            "ms p50/90/99",
            "first ms p50/90/99",
        ]
        .map(str::to_owned),
    );
    let cells = |tally: &Tally| {
        [
            grouped(tally.requests),
            grouped(tally.errors()),
            grouped(tally.prompt),
            grouped(tally.cached),
            grouped(tally.written),
            grouped(tally.completion),
            grouped(tally.reasoning),
            Usd(tally.cost).to_string(),
            grouped(tally.unpriced),
            grouped(tally.estimated),
            times(&tally.latency),
            times(&tally.first),
        ]
    };
    let mut rows = vec![head];
    for group in report.groups {
        let name = |value: &Option<String>| value.as_deref().map_or_else(|| NONE.to_owned(), clean);
        rows.push(group.values.iter().map(name).chain(cells(&group.tally)).collect());
    }
    let mut last: Vec<String> =
        report.by.iter().enumerate().map(|(place, _)| if place == 0 { "total" } else { "" }.into()).collect();
    last.extend(cells(report.total));
    rows.push(last);

    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let mut text = String::new();
        for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if place > 0 {
                text.push_str("  ");
            }
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            text.push_str(&if place < names { format!("{cell}{pad}") } else { format!("{pad}{cell}") });
        }
        format!("{}\n", text.trim_end())
    };
    let all = widths.iter().fold(0_usize, |sum, width| sum.saturating_add(*width).saturating_add(2)).saturating_sub(2);
    let rule = format!("{}\n", "─".repeat(all));
    let mut out = String::new();
    for (place, row) in rows.iter().enumerate() {
        if place == 1 || place.saturating_add(1) == rows.len() && place > 1 {
            out.push_str(&rule);
        }
        out.push_str(&line(row));
    }
    let outcomes: Vec<String> =
        report.total.by_outcome().map(|(name, count)| format!("{name} {}", grouped(count))).collect();
    out.push_str(&format!("outcomes: {}\n", if outcomes.is_empty() { "none".to_owned() } else { outcomes.join(", ") }));
    out
}

/// Whether a spreadsheet would take a text for a formula
/// (<https://owasp.org/www-community/attacks/CSV_Injection>, 2026-11-21), whatever apostrophes stand before it.
fn is_formula(text: &str) -> bool {
    let bare = text.trim_start_matches('\'');
    bare.starts_with(['\t', '\r', '\n']) || bare.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

/// The text that [`csv_field`] wrote.
pub(super) fn from_csv(text: String) -> String {
    match text.strip_prefix('\'') {
        Some(rest) if is_formula(rest) => rest.to_owned(),
        _ => text,
    }
}

/// A value as a field of CSV (RFC 4180): quoted where it has to be, and where it is empty but there. Names come from
/// clients: what a spreadsheet would take for a formula gets an apostrophe, with which it is a text.
pub(super) fn csv_field(text: Option<&str>) -> String {
    match text {
        None => String::new(),
        Some(text) if is_formula(text) => format!("\"'{}\"", text.replace('"', "\"\"")),
        Some(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) || text != text.trim() => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Some(text) => text.to_owned(),
    }
}

/// CSV with a line for each group, without a total. A value that records do not have is empty.
pub(super) fn csv(report: &Report<'_>) -> String {
    let mut head: Vec<String> = report.by.iter().map(|dimension| dimension.name()).collect();
    head.extend(["requests", "errors"].map(str::to_owned));
    head.extend(OUTCOMES.iter().skip(1).map(|outcome| outcome.word().to_owned()));
    head.extend(
        [
            "unknown_outcome",
            "prompt_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "completion_tokens",
            "reasoning_tokens",
            "cost_usd",
            "unpriced_requests",
            "estimated_requests",
            "latency_ms_p50",
            "latency_ms_p90",
            "latency_ms_p99",
            "ttft_ms_p50",
            "ttft_ms_p90",
            "ttft_ms_p99",
        ]
        .map(str::to_owned),
    );
    let mut out = head.join(",");
    out.push('\n');
    for group in report.groups {
        let tally = &group.tally;
        let mut row: Vec<String> = group.values.iter().map(|value| csv_field(value.as_deref())).collect();
        row.extend([tally.requests, tally.errors()].map(|n| n.to_string()));
        row.extend(tally.outcomes.iter().skip(1).map(u64::to_string));
        let tokens = [tally.prompt, tally.cached, tally.written, tally.completion, tally.reasoning];
        row.extend(tokens.map(|n| n.to_string()));
        row.push(Usd(tally.cost).to_string());
        row.extend([tally.unpriced, tally.estimated].map(|n| n.to_string()));
        let times = percentiles(&tally.latency).into_iter().chain(percentiles(&tally.first));
        row.extend(times.map(|ms| ms.map(|ms| ms.to_string()).unwrap_or_default()));
        out.push_str(&row.join(","));
        out.push('\n');
    }
    out
}

#[derive(Serialize)]
struct Percentiles {
    p50: Option<u64>,
    p90: Option<u64>,
    p99: Option<u64>,
}

impl Percentiles {
    fn of(sketch: &Sketch) -> Self {
        let [p50, p90, p99] = percentiles(sketch);
        Self { p50, p90, p99 }
    }
}

/// Pairs in their order.
struct Pairs<K, V>(Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Pairs<K, V> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Pairs<String, Option<&'a str>>>,
    requests: u64,
    errors: u64,
    outcomes: Pairs<&'static str, u64>,
    prompt_tokens: u64,
    cached_tokens: u64,
    cache_write_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
    cost_picodollars: u128,
    cost_usd: String,
    unpriced_requests: u64,
    estimated_requests: u64,
    latency_ms: Percentiles,
    ttft_ms: Percentiles,
}

impl<'a> Row<'a> {
    fn of(by: Option<Pairs<String, Option<&'a str>>>, tally: &Tally) -> Self {
        Self {
            by,
            requests: tally.requests,
            errors: tally.errors(),
            outcomes: Pairs(tally.by_outcome().collect()),
            prompt_tokens: tally.prompt,
            cached_tokens: tally.cached,
            cache_write_tokens: tally.written,
            completion_tokens: tally.completion,
            reasoning_tokens: tally.reasoning,
            cost_picodollars: tally.cost,
            cost_usd: Usd(tally.cost).to_string(),
            unpriced_requests: tally.unpriced,
            estimated_requests: tally.estimated,
            latency_ms: Percentiles::of(&tally.latency),
            ttft_ms: Percentiles::of(&tally.first),
        }
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    groups: Vec<Row<'a>>,
    total: Row<'a>,
}

/// JSON: `groups` and `total`. A value that records do not have is `null`.
pub(super) fn json(report: &Report<'_>) -> String {
    let names: Vec<String> = report.by.iter().map(|dimension| dimension.name()).collect();
    let row = |group: &'_ Group| -> Vec<(String, Option<String>)> {
        names.iter().cloned().zip(group.values.iter().cloned()).collect()
    };
    let pairs: Vec<Vec<(String, Option<String>)>> = report.groups.iter().map(row).collect();
    let groups = report.groups.iter().zip(&pairs).map(|(group, pairs)| {
        let by = pairs.iter().map(|(name, value)| (name.clone(), value.as_deref())).collect();
        Row::of(Some(Pairs(by)), &group.tally)
    });
    let whole = Whole { groups: groups.collect(), total: Row::of(None, report.total) };
    let mut text = serde_json::to_string_pretty(&whole).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn numbers_are_grouped_and_fields_quoted() {
        for (number, want) in [(0, "0"), (999, "999"), (1_000, "1,000"), (u64::MAX, "18,446,744,073,709,551,615")] {
            assert_eq!(grouped(number), want);
        }
        for (text, want) in [
            (None, ""),
            (Some(""), "\"\""),
            (Some("a"), "a"),
            (Some("a,\"b\""), "\"a,\"\"b\"\"\""),
            (Some(" a"), "\" a\""),
            (Some("a=b-c"), "a=b-c"),
            (Some("'a'"), "'a'"),
            (Some("=HYPERLINK(\"http://x\")"), "\"'=HYPERLINK(\"\"http://x\"\")\""),
            (Some("@SUM(A1)"), "\"'@SUM(A1)\""),
            (Some("+1"), "\"'+1\""),
            (Some("-1"), "\"'-1\""),
            (Some(" =1"), "\"' =1\""),
            (Some("\t=1"), "\"'\t=1\""),
            (Some("'=1"), "\"''=1\""),
        ] {
            assert_eq!(csv_field(text), want);
        }
        for text in ["", "a", "'", "'a", "=1", "'=1", "''=1", " -1", "\t", "'\t", "-"] {
            let field = csv_field(Some(text));
            let bare = field.strip_prefix('"').and_then(|field| field.strip_suffix('"')).unwrap_or(&field);
            assert_eq!(from_csv(bare.to_owned()), text);
        }
    }
}
