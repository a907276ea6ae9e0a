//! What budgets' accounts have spent in the windows at hand, rebuilt from the access log that `conduit up` will go on
//! writing, and from its rotated siblings.

use crate::admit::accounts::Gauge;
use crate::admit::rules::{Budget, Period, Scope};
use crate::cli::Failure;
use crate::cli::usage::clock::time_of;
use crate::cli::usage::entry::{Entry, provider_of, text};
use crate::cli::usage::logs::{self, Log, Piece};
use crate::cli::usage::workers;
use crate::config::Plan;
use crate::cost::Usd;
use crate::host::Time;
use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// How many accounts of a budget are handed over at most, those with most spent.
const MOST_ACCOUNTS: usize = 1_000;
/// A plain log larger than this is not read from its beginning where its end is enough.
const LARGE: u64 = 64 << 20;
/// How far lines may be out of order, in seconds: workers write what they have each second.
const SLACK: u64 = 600;

/// What was rebuilt.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rebuilt {
    /// What each account has spent, for [`crate::admit::accounts::open`].
    pub balances: Vec<(String, Gauge, u128)>,
    /// From how many records.
    pub records: u64,
    /// For people: what is spent of each budget.
    pub lines: Vec<String>,
}

/// A budget and its window.
struct Open<'a> {
    budget: &'a Budget,
    /// The name of the consumer that alone it is for.
    of: Option<&'a str>,
    starts: u64,
    ends: u64,
}

#[derive(Default)]
struct Part {
    /// By the budget's place and the value.
    spent: Vec<HashMap<String, u128>>,
    records: u64,
}

impl Part {
    fn add(&mut self, budget: usize, value: &str, cost: u128) {
        let Some(accounts) = self.spent.get_mut(budget) else { return };
        match accounts.get_mut(value) {
            Some(spent) => *spent = spent.saturating_add(cost),
            None => {
                accounts.insert(value.to_owned(), cost);
            }
        }
    }

    fn take(&mut self, open: &[Open<'_>], line: &[u8]) {
        let Ok(entry) = Entry::read(line) else { return };
        let Some(second) = entry.time.as_ref().and_then(|time| time_of(&time.0)) else { return };
        let Ok(second) = u64::try_from(second.as_second()) else { return };
        let mut counts = false;
        for (place, open) in open.iter().enumerate() {
            if second < open.starts
                || second >= open.ends
                || open.of.is_some_and(|of| text(&entry.consumer) != Some(of))
            {
                continue;
            }
            counts = true;
            for (value, cost) in spending(&open.budget.per, &entry) {
                self.add(place, value, cost);
            }
        }
        self.records = self.records.saturating_add(u64::from(counts));
    }
}

/// What a record spent of a scope's accounts. An attempt's cost is of its own target.
fn spending<'e>(per: &Scope, entry: &'e Entry<'_>) -> Vec<(&'e str, u128)> {
    let value = match per {
        Scope::All => Some(""),
        Scope::Consumer => text(&entry.consumer),
        Scope::Key => text(&entry.key),
        Scope::Project => text(&entry.project),
        Scope::Agent => text(&entry.agent),
        Scope::Session => text(&entry.session),
        Scope::Header(name) => {
            let headers = entry.headers.iter().flatten();
            headers.filter(|(known, _)| known.0 == *name).map(|(_, value)| value.0.as_ref()).next()
        }
        // No record holds addresses.
        Scope::Ip => return Vec::new(),
        Scope::Provider | Scope::Model => {
            let of = |target: &'e str| if *per == Scope::Provider { provider_of(target) } else { target };
            let last = text(&entry.target).zip(entry.last_cost().or(entry.held_picodollars));
            let others = entry.billed().filter_map(|(target, billed)| target.zip(billed.cost_picodollars));
            return others.chain(last).map(|(target, cost)| (of(target), cost)).collect();
        }
    };
    let others = || entry.billed().filter_map(|(_, billed)| billed.cost_picodollars).fold(0, u128::saturating_add);
    let cost = entry.cost_picodollars.or(entry.held_picodollars);
    vec![(value.unwrap_or_default(), cost.unwrap_or_else(others))]
}

/// Rebuilds what is spent at `now` from the log at `log`.
///
/// # Errors
/// A log is there and cannot be read: to begin at nothing would exceed a budget.
pub(super) fn rebuild(plan: &Plan, log: &Path, now: Time) -> Result<Rebuilt, Failure> {
    let open: Vec<Open<'_>> = plan
        .budgets
        .iter()
        .filter_map(|budget| match budget.gauge(now) {
            Gauge::Window { starts, ends, .. } => {
                let consumer = budget.of.and_then(|place| plan.consumers.list.get(place));
                Some(Open { budget, of: consumer.map(|consumer| consumer.name.as_str()), starts, ends })
            }
            Gauge::Bucket { .. } | Gauge::Slots { .. } => None,
        })
        .collect();
    let Some(earliest) = open.iter().map(|open| open.starts).min() else { return Ok(Rebuilt::default()) };
    let logs: Vec<Log> = logs::with_siblings(log).iter().filter_map(|path| since(path, earliest)).collect();
    let part = || Part { spent: open.iter().map(|_| HashMap::new()).collect(), records: 0 };
    let take = |part: &mut Part, piece: &Piece| {
        let before = part.records;
        piece.lines().for_each(|(_, line)| part.take(&open, line));
        part.records.saturating_sub(before)
    };
    let read = workers::read(&logs, part, take)?;
    let mut whole = part();
    for part in read.parts {
        whole.records = whole.records.saturating_add(part.records);
        for (place, accounts) in part.spent.iter().enumerate() {
            accounts.iter().for_each(|(value, spent)| whole.add(place, value, *spent));
        }
    }
    let mut rebuilt = Rebuilt { records: whole.records, ..Rebuilt::default() };
    for (open, accounts) in open.iter().zip(whole.spent) {
        let gauge = open.budget.gauge(now);
        let mut accounts: Vec<(String, u128)> = accounts.into_iter().filter(|(_, spent)| *spent > 0).collect();
        accounts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        rebuilt.lines.push(told(open.budget, &accounts));
        let kept = accounts.into_iter().take(MOST_ACCOUNTS);
        rebuilt.balances.extend(kept.map(|(value, spent)| (open.budget.account(&value), gauge, spent)));
    }
    Ok(rebuilt)
}

/// `company-day $12.34 of $100 spent today`, or the account that has spent most.
fn told(budget: &Budget, accounts: &[(String, u128)]) -> String {
    let name = crate::cli::print::clean(&budget.name);
    let when = match budget.period {
        Period::Hour => "this hour",
        Period::Day => "today",
        Period::Month => "this month",
    };
    let spent = |spent: u128| format!("${} of ${} spent {when}", Usd(spent), budget.limit);
    match (&budget.per, accounts.first()) {
        (Scope::Ip, _) => format!("{name} begins anew: records hold no addresses"),
        (Scope::All, first) => format!("{name} {}", spent(first.map_or(0, |(_, spent)| *spent))),
        (_, None) => format!("{name} nothing spent {when}"),
        (per, Some((value, most))) => {
            let value = if value.is_empty() { "none" } else { value };
            let others = match accounts.len().saturating_sub(1) {
                0 => String::new(),
                more if accounts.len() > MOST_ACCOUNTS => {
                    format!(", {more} others less; all but {MOST_ACCOUNTS} begin anew")
                }
                1 => ", 1 other less".to_owned(),
                more => format!(", {more} others less"),
            };
            format!("{name} {} by {} {}{others}", spent(*most), per.word(), crate::cli::print::clean(value))
        }
    }
}

/// A log as far as it may hold records since then; `None` where it does not.
fn since(path: &Path, earliest: u64) -> Option<Log> {
    let meta = std::fs::metadata(path).ok();
    let changed = meta.as_ref().and_then(|meta| meta.modified().ok());
    // The file system's clock may be coarse.
    let start = UNIX_EPOCH.checked_add(Duration::from_secs(earliest.saturating_sub(2)))?;
    if changed.is_some_and(|changed| changed < start) {
        return None;
    }
    let length = meta.map_or(0, |meta| meta.len());
    if length < LARGE {
        return Some(Log::File(path.to_path_buf()));
    }
    Some(match first_since(path, length, earliest.saturating_sub(SLACK)) {
        0 => Log::File(path.to_path_buf()),
        offset => Log::Rest(path.to_path_buf(), offset),
    })
}

/// An offset before which no record ended after `earliest`: records stand in the order in which exchanges ended. 0 where
/// nothing of the kind can be told, such as of a compressed log.
fn first_since(path: &Path, length: u64, earliest: u64) -> u64 {
    let (mut low, mut high) = (0_u64, length);
    while high.saturating_sub(low) > 1 << 20 {
        let middle = low.midpoint(high);
        match ended_after(path, middle) {
            Some(ended) if ended < earliest => low = middle,
            Some(_) => high = middle,
            None => break,
        }
    }
    low
}

/// When the exchange of the first whole line after an offset had ended, in seconds.
fn ended_after(path: &Path, offset: u64) -> Option<u64> {
    let mut from = logs::open_at(path, offset).ok()?.take(u64::try_from(logs::LONGEST).unwrap_or(u64::MAX));
    let mut line = Vec::new();
    // A line or two may be no record.
    for _ in 0..16 {
        line.clear();
        if from.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let Ok(entry) = Entry::read(&line) else { continue };
        let began = entry.time.as_ref().and_then(|time| time_of(&time.0))?.as_second();
        let took = entry.duration_ms.unwrap_or(0) / 1_000;
        return u64::try_from(began).ok().map(|began| began.saturating_add(took));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admit::rules::{OnExceed, Zone};
    use crate::testing::test;
    use std::io::Write;

    const NOW: Time = Time(1_580_691_600_000_000_000); // 2020-02-03T01:00:00Z

    fn budget(name: &str, per: Scope, of: Option<usize>) -> Budget {
        Budget {
            name: name.into(),
            per,
            period: Period::Day,
            zone: Zone::default(),
            limit: Usd(100_000_000_000_000),
            warn_at: Vec::new(),
            on_exceed: OnExceed::Block,
            clamp: false,
            unpriced: false,
            of,
        }
    }

    fn plan(budgets: Vec<Budget>) -> Plan {
        let text = "version: 1\nproviders: {house: {kind: openai-compatible, url: \"http://h/v1\"}}";
        let mut plan = crate::config::load(text, &|_: &str| None).unwrap();
        let consumer = |name: &str| crate::admit::Consumer {
            name: name.into(),
            identities: Vec::new(),
            project: None,
            agent: None,
            allowed: Default::default(),
            expires: None,
            admin: false,
        };
        plan.consumers.list = vec![consumer("alice"), consumer("bob")];
        plan.budgets = budgets;
        plan
    }

    const LOG: &str = r#"{"time":"2020-02-03T00:00:00Z","consumer":"alice","project":"web","target":"b/y","provider":"b","headers":{"x-team":"red"},"cost_picodollars":10,"attempts":[{"target":"a/x","billed":{"cost_picodollars":3}},{"target":"b/y"}]}
{"time":"2020-02-03T00:30:00Z","consumer":"bob","project":"web","target":"b/y","cost_picodollars":5}
garbage
{"time":"2020-02-03T00:40:00Z","consumer":"bob","target":"b/free","cost_picodollars":null}
"#;

    #[test]
    fn each_scope_has_what_its_values_spent() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("access.jsonl");
        std::fs::write(&log, LOG).unwrap();
        for (per, of, want) in [
            (Scope::All, None, vec![("", 15)]),
            (Scope::All, Some(1), vec![("", 5)]),
            (Scope::Consumer, None, vec![("alice", 10), ("bob", 5)]),
            (Scope::Project, None, vec![("web", 15)]),
            (Scope::Agent, None, vec![("", 15)]),
            (Scope::Session, Some(0), vec![("", 10)]),
            (Scope::Key, None, vec![("", 15)]),
            (Scope::Provider, None, vec![("b", 12), ("a", 3)]),
            (Scope::Model, None, vec![("b/y", 12), ("a/x", 3)]),
            (Scope::Header("x-team".into()), None, vec![("red", 10), ("", 5)]),
            (Scope::Ip, None, vec![]),
        ] {
            let budget = budget("day", per.clone(), of);
            let rebuilt = rebuild(&plan(vec![budget.clone()]), &log, NOW).unwrap();
            let want: Vec<_> = want.iter().map(|(v, spent)| (budget.account(v), budget.gauge(NOW), *spent)).collect();
            assert_eq!(rebuilt.balances, want, "{per:?} {of:?}");
            assert_eq!(rebuilt.lines.len(), 1, "{per:?}");
        }
    }

    #[test]
    fn what_nobody_knows_the_cost_of_counts_as_the_accounts_count_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("access.jsonl");
        let line = r#"{"time":"2020-02-03T00:00:00Z","target":"b/y","cost_picodollars":null,"held_picodollars":7}"#;
        std::fs::write(&log, format!("{line}\n")).unwrap();
        for (per, value) in [(Scope::All, ""), (Scope::Provider, "b"), (Scope::Model, "b/y")] {
            let budget = budget("day", per, None);
            let rebuilt = rebuild(&plan(vec![budget.clone()]), &log, NOW).unwrap();
            assert_eq!(rebuilt.balances, [(budget.account(value), budget.gauge(NOW), 7)]);
        }
    }

    #[test]
    fn without_budgets_or_a_log_there_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("access.jsonl");
        let one = plan(vec![budget("day", Scope::All, None)]);
        assert_eq!(rebuild(&one, &log, NOW).unwrap().balances, []);
        std::fs::write(&log, LOG).unwrap();
        assert_eq!(rebuild(&plan(Vec::new()), &log, NOW).unwrap(), Rebuilt::default());
    }

    #[test]
    fn rotated_and_compressed_siblings_count_and_other_files_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        std::fs::write(here.join("access.jsonl"), LOG).unwrap();
        std::fs::write(here.join("access.jsonl.1"), LOG).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(LOG.as_bytes()).unwrap();
        std::fs::write(here.join("access-20200203.jsonl.gz"), gzip.finish().unwrap()).unwrap();
        std::fs::write(here.join("access.jsonl.2.zst"), zstd::encode_all(LOG.as_bytes(), 1).unwrap()).unwrap();
        std::fs::write(here.join("other.jsonl"), LOG).unwrap();
        std::fs::write(here.join("access.jsonlx"), LOG).unwrap();
        let rebuilt = rebuild(&plan(vec![budget("day", Scope::All, None)]), &here.join("access.jsonl"), NOW).unwrap();
        assert_eq!((rebuilt.balances[0].2, rebuilt.records), (60, 12));
        assert_eq!(rebuilt.lines, ["day $0.00000000006 of $100 spent today"]);
    }

    #[test]
    fn a_large_log_is_read_from_where_the_window_may_begin() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.jsonl");
        let start = 1_580_688_000_u64; // 2020-02-03T00:00:00Z
        let pad = "x".repeat(900);
        let mut text = String::new();
        for second in 0..20_000_u64 {
            let began = Time((start - 15_000 + second) * 1_000_000_000).rfc3339();
            text.push_str(&format!("{{\"time\":\"{began}\",\"duration_ms\":{},\"pad\":\"{pad}\"}}\n", second % 9_000));
        }
        std::fs::write(&path, &text).unwrap();
        let offset = first_since(&path, text.len() as u64, start - SLACK) as usize;
        let first = text.find("2020-02-03T00:00:00").unwrap();
        assert!(offset > 0 && offset < first, "{offset} {first}");
        // Neither far before: what is searched for ends the slack and a MiB earlier at most.
        assert!(first - offset < (SLACK as usize + 20) * 1_100 + (1 << 20), "{offset} {first}");
        assert_eq!(first_since(&path, text.len() as u64, start - 20_000), 0);
        std::fs::write(&path, vec![7_u8; 3 << 20]).unwrap();
        assert_eq!(first_since(&path, 3 << 20, start), 0);
    }
}
