//! `models: {…: {price: …}}`: a price of one's own.
//!
//! ```yaml
//! price: {input: 1.25, output: 10}                       # USD per million tokens
//! price:
//!   input: 1.25
//!   output: 10
//!   tiers: [{above: 200000, input: 2.50, output: 15}]    # with more prompt tokens, every token costs that
//!   service_tiers: {priority: {input: 2.50, output: 20}, flex: {input: 0.63}}
//! price:                                                 # what holds when, the days in UTC
//!   - {input: 1.25, output: 10}
//!   - {from: 2027-01-01, input: 1, output: 8}
//! ```

use super::read::{Cursor, Fields, one_of};
use super::scalars::{decimal_to_picodollars, decimal_to_picodollars_per_token};
use crate::cost::{ListedRate, PRICE_KINDS, Price, PriceList, is_day};

/// What stands beside the kinds in a price.
const BESIDE: &[&str] = &["tiers", "service_tiers", "from"];

/// Reads a price: the one that holds, or a list of them by their days.
pub(super) fn read_price(cursor: &Cursor<'_>) -> Option<Price> {
    let mut lists: Vec<PriceList> = Vec::new();
    match cursor.as_list() {
        Some(items) if items.is_empty() => {
            cursor.wrong("a price, or a list of them by the days from which they hold");
        }
        Some(items) => {
            let mut before: Option<String> = None;
            for (place, item) in items.iter().enumerate() {
                before = read_period(item, place == 0, before, &mut lists);
            }
        }
        None => {
            read_period(cursor, true, None, &mut lists);
        }
    }
    if lists.is_empty() {
        return None;
    }
    // Every kind comes from PRICE_KINDS, so there is nothing to report.
    Price::from_lists(&lists).ok()
}

/// Reads what holds from one day on; gives that day.
fn read_period(cursor: &Cursor<'_>, first: bool, before: Option<String>, lists: &mut Vec<PriceList>) -> Option<String> {
    let known: Vec<&'static str> = PRICE_KINDS.iter().chain(BESIDE).copied().collect();
    let fields = cursor.fields(&known);
    if cursor.is_nothing() || cursor.node.is_empty_map() {
        cursor.wrong(format!("a map with some of {}", one_of(PRICE_KINDS)));
    }
    let from = match fields.get("from") {
        Some(from) => read_day(&from, before.as_deref()),
        None => {
            if !first {
                fields.missing("from", "the first day (UTC) on which the price holds, such as 2027-01-01");
            }
            None
        }
    };
    if let Some(from) = &from {
        for earlier in lists.iter_mut().filter(|list| list.service.is_some() && list.until.is_none()) {
            earlier.until = Some(from.clone());
        }
    }
    lists.push(PriceList { from: from.clone(), rates: read_rates(&fields), ..PriceList::default() });
    let services = fields.get("service_tiers");
    for tier in services.iter().flat_map(|tiers| tiers.entries("a map from a service tier to its prices")) {
        if tier.name.is_empty() || tier.name == "auto" {
            let found = format!("a service tier `{}`", tier.name);
            let expected = "the name of the tier that the provider bills, such as `priority`, `flex` or `batch`";
            tier.key.mistake(found, expected, None);
        }
        let known: Vec<&'static str> = PRICE_KINDS.iter().chain(&["tiers"]).copied().collect();
        let fields = tier.value.fields(&known);
        if tier.value.is_nothing() || tier.value.node.is_empty_map() {
            tier.value.wrong(format!("a map with some of {}", one_of(PRICE_KINDS)));
        }
        let (service, from) = (Some(tier.name.to_owned()), from.clone());
        lists.push(PriceList { service, from, rates: read_rates(&fields), ..PriceList::default() });
    }
    from.or(before)
}

fn read_day(cursor: &Cursor<'_>, before: Option<&str>) -> Option<String> {
    let Some(day) = cursor.scalar().filter(|text| is_day(text)) else {
        cursor.wrong("a day (UTC), such as 2027-01-01");
        return None;
    };
    if let Some(before) = before.filter(|before| *before >= day) {
        cursor.wrong(format!("a later day than {before}, from which the price before it holds"));
    }
    Some(day.to_owned())
}

fn read_rates(fields: &Fields<'_>) -> Vec<ListedRate> {
    let mut rates: Vec<ListedRate> = Vec::new();
    for kind in PRICE_KINDS {
        if let Some(base) = fields.get(kind).and_then(|amount| read_amount(kind, &amount)) {
            rates.push(ListedRate { kind, base, tiers: Vec::new() });
        }
    }
    let Some(tiers) = fields.get("tiers") else { return rates };
    let mut lowest = 1;
    for tier in tiers.list("a list of prices for large prompts, such as [{above: 200000, input: 2.5}]").iter().flatten()
    {
        let known: Vec<&'static str> = ["above"].iter().chain(PRICE_KINDS).copied().collect();
        let given = tier.fields(&known);
        let above = given.required("above", "the number of prompt tokens above which it holds");
        let above = above.and_then(|above| above.whole(lowest..=1_000_000_000_u64));
        lowest = above.map_or(lowest, |above| above.saturating_add(1));
        for kind in PRICE_KINDS {
            let Some(amount) = given.get(kind) else { continue };
            let rate = read_amount(kind, &amount);
            if let Some(listed) = rates.iter_mut().find(|listed| listed.kind == *kind) {
                listed.tiers.extend(above.zip(rate));
            } else if !fields.has(kind) {
                amount.mistake(
                    format!("a price of `{kind}` for large prompts alone"),
                    format!("one for all prompts too: `{kind}` beside `tiers`"),
                    None,
                );
            }
        }
        if given.is_usable() && !PRICE_KINDS.iter().any(|kind| given.has(kind)) {
            tier.wrong(format!("`above` and some of {}", one_of(PRICE_KINDS)));
        }
    }
    rates
}

/// Picodollars for one of a kind.
fn read_amount(kind: &str, amount: &Cursor<'_>) -> Option<u64> {
    // One kind is not per token.
    let (picodollars, expected) = match kind {
        "request" => (
            amount.scalar().and_then(decimal_to_picodollars),
            "USD per request: a decimal number, not negative, at most twelve decimals",
        ),
        _ => (
            amount.scalar().and_then(decimal_to_picodollars_per_token),
            "USD per million tokens: a decimal number, not negative, at most six decimals",
        ),
    };
    if picodollars.is_none() {
        amount.wrong(expected);
    }
    picodollars
}
