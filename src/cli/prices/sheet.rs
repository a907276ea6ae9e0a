//! One model's prices, in aligned columns.

use super::{Known, usd};
use crate::cli::print::{Ink, ink};
use crate::cost::{ListedRate, PRICE_KINDS, Price, PriceList, Usd, cost_at};
use crate::host::Time;
use crate::usage::{Tokens, Usage};
use std::fmt::Write as _;

/// Rows of cells: the first column to the left, numbers to the right.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// A line for each row, two blanks between columns.
    pub fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let column = |at: usize| self.rows.iter().filter_map(move |row| row.get(at));
        let numeric = |cell: &String| cell.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':'));
        let widths: Vec<(usize, bool)> = (0..columns)
            .map(|at| {
                let width = column(at).map(|cell| cell.chars().count()).max().unwrap_or(0);
                (width, at > 0 && column(at).skip(1).all(numeric))
            })
            .collect();
        let mut out = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).map(|(cell, (width, right))| match right {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            let line = line.trim_end();
            let line = if number == 0 { ink(Ink::Bold, line) } else { line.to_owned() };
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{line}");
        }
        out
    }
}

/// USD per million, from picodollars for one.
pub(super) fn per_million(one: Usd) -> String {
    Usd(one.0.saturating_mul(1_000_000)).to_string()
}

/// What is known of one model.
pub(super) fn sheet(known: &Known, now: Time) -> String {
    let mut out = format!("{}\n", ink(Ink::Bold, &known.name));
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(out, "  {name:<12}{text}");
    };
    let tokens = |count: Option<u64>| count.map_or_else(|| "unknown".to_owned(), |count| format!("{count} tokens"));
    line("context", &tokens(known.context));
    line("max output", &tokens(known.max_output.or(known.context)));
    line("price from", known.source.as_deref().unwrap_or("nowhere: requests are unpriced"));
    if let Some(price) = &known.price {
        out.push('\n');
        out.push_str(&rates(price, now));
    }
    out
}

fn rates(price: &Price, now: Time) -> String {
    let lists = price.lists();
    let standard = lists.iter().filter(|list| list.service.is_none());
    let billed = standard.clone().rfind(|list| list.holds(now)).or_else(|| standard.clone().next());
    let mut shown: Vec<&PriceList> = billed.into_iter().collect();
    for list in lists.iter().filter(|list| list.service.is_some() && list.holds(now)) {
        if !shown.iter().any(|earlier| earlier.service == list.service) {
            shown.push(list);
        }
    }
    let mut head = vec!["USD per million tokens"];
    head.extend(shown.iter().map(|list| list.service.as_deref().unwrap_or("standard")));
    let mut table = Table::new(&head);
    for kind in PRICE_KINDS {
        for above in thresholds(&shown, kind) {
            let cells = shown.iter().map(|list| of(list, kind).and_then(|rate| at(rate, above)));
            let cells: Vec<String> = cells.map(|rate| rate.unwrap_or_else(|| "-".to_owned())).collect();
            table.row([vec![row_name(kind, above)], cells].concat());
        }
    }
    let thousand = |list: &&PriceList| {
        let tokens = |kind| of(list, kind).or_else(|| of(shown.first()?, kind)).map(|_| Tokens(1_000));
        let usage = Usage {
            input: tokens("input"),
            output: tokens("output"),
            service_tier: list.service.clone(),
            ..Usage::default()
        };
        usd(cost_at(price, &usage, now))
    };
    let costs: Vec<String> = shown.iter().map(thousand).collect();
    table.row([vec!["1000 in and 1000 out".to_owned()], costs].concat());
    if shown.iter().any(|list| list.from.is_some()) {
        let since = shown.iter().map(|list| list.from.clone().unwrap_or_else(|| "-".to_owned()));
        table.row([vec!["since".to_owned()], since.collect()].concat());
    }
    if shown.iter().any(|list| list.hours.is_some()) {
        let hours = shown.iter().map(|list| list.hours.as_ref().map(|(start, end)| format!("{start}-{end}")));
        table.row(
            [vec!["each day (UTC)".to_owned()], hours.map(|hours| hours.unwrap_or_else(|| "-".to_owned())).collect()]
                .concat(),
        );
    }
    let mut out = table.text().lines().map(|line| format!("  {line}\n")).collect::<String>();
    let hourly = billed.is_some_and(|list| list.hours.is_some());
    let other = lists.iter().filter(|list| !shown.contains(list));
    let other: Vec<_> = other.map(|list| at_other_times(list, hourly)).collect();
    if !other.is_empty() {
        let _ = writeln!(out, "\n  At other times (UTC):");
        other.iter().for_each(|text| out.push_str(text));
    }
    out
}

fn of<'a>(list: &'a PriceList, kind: &str) -> Option<&'a ListedRate> {
    list.rates.iter().find(|rate| rate.kind == kind)
}

/// 0 and every prompt size above which the kind has another rate; nothing where no list names it.
fn thresholds(lists: &[&PriceList], kind: &str) -> Vec<u64> {
    let rates: Vec<_> = lists.iter().filter_map(|list| of(list, kind)).collect();
    let mut all: Vec<u64> = rates.iter().flat_map(|rate| rate.tiers.iter().map(|(above, _)| *above)).collect();
    if !rates.is_empty() {
        all.push(0);
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// The rate for prompts just above that size, in USD.
fn at(rate: &ListedRate, above: u64) -> Option<String> {
    let tier = rate.tiers.iter().rfind(|(from, _)| *from <= above && above > 0).map(|(_, rate)| *rate);
    let one = Usd(u128::from(tier.unwrap_or(rate.base)));
    Some(if rate.kind == "request" { one.to_string() } else { per_million(one) })
}

fn row_name(kind: &str, above: u64) -> String {
    let name = kind.replace('_', " ");
    let name = if kind == "request" { "each request (USD)".to_owned() } else { name };
    if above == 0 { name } else { format!("{name}, prompts above {above}") }
}

/// `  flex, from 2027-01-01: input 1, output 4`. `hourly`: what holds now does so for a part of the day.
fn at_other_times(list: &PriceList, hourly: bool) -> String {
    let mut when = vec![list.service.clone().unwrap_or_else(|| "standard".to_owned())];
    when.extend(list.from.as_ref().map(|from| format!("from {from}")));
    when.extend(list.until.as_ref().map(|until| format!("until {until}")));
    when.extend(list.hours.as_ref().map(|(start, end)| format!("{start} to {end}")));
    if list.from.is_none() && list.until.is_none() && list.hours.is_none() {
        when.push(if hourly { "otherwise" } else { "before" }.to_owned());
    }
    let mut rates = Vec::new();
    for rate in &list.rates {
        for above in thresholds(&[list], rate.kind) {
            let amount = at(rate, above).unwrap_or_default();
            rates.push(format!("{} {amount}", row_name(rate.kind, above)));
        }
    }
    format!("  {}: {}\n", when.join(", "), rates.join("; "))
}
