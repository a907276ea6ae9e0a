//! `budgets:`, and the budgets of single consumers.

use super::read::{Cursor, Fields, near, short};
use super::scalars::{thousandths, usd};
use super::scopes::{self, Names, Owner, per};
use super::targets::Chains;
use crate::admit::rules::{Budget, OnExceed, Period, Scope, Zone};
use crate::cost::Usd;

const PERIODS: &[(&str, Period)] = &[("hour", Period::Hour), ("day", Period::Day), ("month", Period::Month)];
const FIELDS: &[&str] = &["name", "per", "period", "usd", "warn_at", "on_exceed", "zone", "clamp", "unpriced"];
/// A consumer's own has no `per`.
const OWN_FIELDS: &[&str] = &["name", "period", "usd", "warn_at", "on_exceed", "zone", "clamp", "unpriced"];

/// Budgets as they are read.
#[derive(Default)]
pub(super) struct Budgets<'a> {
    names: Names,
    budgets: Vec<Budget>,
    amounts: Vec<Amount<'a>>,
}

/// What is compared with other budgets of the same accounts.
struct Amount<'a> {
    at: Cursor<'a>,
    name: String,
    of: Option<usize>,
    per: Scope,
    period: Period,
    limit: Usd,
}

impl<'a> Budgets<'a> {
    /// Reads `budgets:`.
    pub fn read(&mut self, section: &Cursor<'a>, chains: &mut Chains<'a, '_>) {
        self.list(section, None, chains);
    }

    /// Reads a consumer's own budgets.
    pub fn read_own(&mut self, list: &Cursor<'a>, place: usize, name: &str, chains: &mut Chains<'a, '_>) {
        self.list(list, Some((place, name)), chains);
    }

    fn list(&mut self, list: &Cursor<'a>, owner: Owner<'_>, chains: &mut Chains<'a, '_>) {
        match list.as_list() {
            Some(items) => items.iter().for_each(|item| self.one(item, owner, chains)),
            None if list.is_nothing() => {}
            None => list.wrong("a list of budgets"),
        }
    }

    fn one(&mut self, cursor: &Cursor<'a>, owner: Owner<'_>, chains: &mut Chains<'a, '_>) {
        let fields = cursor.fields(if owner.is_some() { OWN_FIELDS } else { FIELDS });
        let period = fields.required("period", "`hour`, `day` or `month`").and_then(|cursor| cursor.word(PERIODS));
        let name = match owner {
            None => self.names.read(&fields, "budget").map(str::to_owned),
            Some((_, owner)) => self.own_name(cursor, &fields, owner, period),
        };
        let per = per(&fields, owner, "budget");
        let amount = fields.required("usd", AMOUNT);
        let limit = amount.as_ref().and_then(read_usd);
        let warn_at = fields.get("warn_at").map(|cursor| read_shares(&cursor)).unwrap_or_default();
        let on_exceed = fields.or("on_exceed", OnExceed::Block, |cursor| read_on_exceed(&cursor, chains));
        let zone = fields.or("zone", Zone::default(), |cursor| read_zone(&cursor));
        let clamp = fields.or("clamp", false, |cursor| cursor.boolean());
        let unpriced = fields.or("unpriced", false, |cursor| cursor.word(&[("block", false), ("allow", true)]));
        let of = owner.map(|(place, _)| place);
        let (Some(per), Some(period), Some(limit)) = (per, period, limit) else { return };
        let name = name.unwrap_or_default();
        if let Some(at) = amount {
            self.amounts.push(Amount { at, name: name.clone(), of, per: per.clone(), period, limit });
        }
        self.budgets.push(Budget { name, per, period, zone, limit, warn_at, on_exceed, clamp, unpriced, of });
    }

    /// `consumer.name`; without a name the period's word is one.
    fn own_name(
        &mut self,
        cursor: &Cursor<'a>,
        fields: &Fields<'a>,
        owner: &str,
        period: Option<Period>,
    ) -> Option<String> {
        let given = fields.get("name");
        let name = match &given {
            Some(given) => scopes::name(given)?,
            None => word(period?),
        };
        let name = format!("{owner}.{name}");
        self.names.take(given.as_ref().unwrap_or(cursor), name.clone(), "budget");
        Some(name)
    }

    /// All of them. An amount that is above the one of a longer period can never be reached, which is reported.
    pub fn finish(self) -> Vec<Budget> {
        for smaller in &self.amounts {
            let same = |other: &&Amount<'_>| other.of == smaller.of && other.per == smaller.per;
            let longer = self.amounts.iter().filter(same).filter(|other| other.period > smaller.period);
            let exceeded = longer.filter(|other| other.limit < smaller.limit).min_by_key(|other| other.limit);
            if let Some(larger) = exceeded {
                let (one, other) = (word(smaller.period), word(larger.period));
                let whose =
                    if larger.name.is_empty() { String::new() } else { format!(" of `{}`", short(&larger.name)) };
                let found =
                    format!("{} USD per {one}, more than the {} USD per {other}{whose}", smaller.limit, larger.limit);
                smaller.at.mistake(found, format!("an amount per {one} that is not above the one per {other}"), None);
            }
        }
        self.budgets
    }
}

fn word(period: Period) -> &'static str {
    PERIODS.iter().find(|(_, known)| *known == period).map_or("", |(word, _)| *word)
}

const AMOUNT: &str = "USD: a decimal number with at most twelve decimals, such as 100 or 0.50; with 0 nothing passes \
                      that costs something";

fn read_usd(cursor: &Cursor<'_>) -> Option<Usd> {
    let text = cursor.scalar().unwrap_or_default();
    let found = usd(text);
    if found.is_none() {
        let negative = text.strip_prefix('-').is_some_and(|rest| rest.parse::<f64>().is_ok());
        let what = if negative { format!("a negative amount, {}", short(text)) } else { cursor.describe() };
        let bare = text.trim_start_matches('$').trim_end_matches("USD").trim();
        let near = usd(bare).filter(|_| !negative).map(|usd| usd.to_string());
        cursor.mistake(what, AMOUNT, near);
    }
    found
}

fn read_shares(cursor: &Cursor<'_>) -> Vec<u32> {
    const SHARES: &str = "a list of shares of the amount, rising, such as [0.5, 0.8]";
    const SHARE: &str = "a share above 0 and at most 1, with at most three decimals";
    let Some(items) = cursor.as_list() else {
        cursor.wrong(SHARES);
        return Vec::new();
    };
    let mut shares: Vec<u32> = Vec::new();
    for item in &items {
        let text = item.scalar().unwrap_or_default();
        match thousandths(text) {
            Some(share) if shares.last().is_some_and(|last| *last >= share) => item.wrong(SHARES),
            Some(share) => shares.push(share),
            None => {
                let percent = text.trim_end_matches('%').trim().parse::<u32>().ok();
                let percent = percent.filter(|percent| (2..100).contains(percent));
                let near = percent.map(|percent| format!("0.{percent:02}").trim_end_matches('0').to_owned());
                item.mistake(item.describe(), SHARE, near);
            }
        }
    }
    shares
}

fn read_on_exceed<'a>(cursor: &Cursor<'a>, chains: &mut Chains<'a, '_>) -> Option<OnExceed> {
    const EXPECTED: &str =
        "`block`, `warn` or `{downgrade: TARGET}` with an alias, `provider/model`, or a list of them";
    if cursor.node.is_map() {
        let fields = cursor.fields(&["downgrade"]);
        return fields.required("downgrade", EXPECTED).and_then(|to| chains.read(&to)).map(OnExceed::Downgrade);
    }
    match cursor.as_text() {
        Some("block") => Some(OnExceed::Block),
        Some("warn") => Some(OnExceed::Warn),
        text => {
            let near = text.and_then(|text| near(text, ["block", "warn"]));
            cursor.mistake(cursor.describe(), EXPECTED, near);
            None
        }
    }
}

fn read_zone(cursor: &Cursor<'_>) -> Option<Zone> {
    const EXPECTED: &str = "UTC, or the IANA name of a time zone, such as Europe/Berlin";
    let text = cursor.text(EXPECTED)?;
    let found = Zone::named(text);
    if found.is_none() {
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let city = |name: &&String| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(text));
        let near = known.iter().find(city).cloned().or_else(|| near(text, known.iter().map(String::as_str)));
        cursor.mistake(cursor.describe(), EXPECTED, near);
    }
    found
}
