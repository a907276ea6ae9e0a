//! Records in groups.

use super::clock::Clock;
use super::entry::{Entry, provider_of, text};
use super::tally::Tally;
use clap::ValueEnum;
use jiff::Timestamp;
use std::collections::HashMap;

/// What records are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
#[allow(missing_docs)]
pub(crate) enum Dimension {
    Project,
    Agent,
    AgentType,
    Session,
    Consumer,
    Key,
    Model,
    Target,
    Provider,
    Endpoint,
    Outcome,
    Status,
    Day,
    Hour,
    Month,
    Reason,
    Rule,
    Exceeded,
}

impl Dimension {
    /// Its name on the command line and in reports.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether its values are times.
    pub fn is_time(self) -> bool {
        matches!(self, Self::Day | Self::Hour | Self::Month)
    }

    fn is_of_attempt(self) -> bool {
        matches!(self, Self::Target | Self::Provider)
    }
}

/// The name of what was merged because there were too many groups.
pub(super) const OTHER: &str = "(other)";
/// How many groups a view holds at most.
pub(super) const MOST_GROUPS: usize = 100_000;

/// Ends a value in a key; no text holds this byte.
const END: u8 = 0xff;
/// Begins a value that is there.
const THERE: u8 = b'=';

/// Records in groups by some dimensions.
#[derive(Clone, Debug)]
pub(super) struct View {
    by: Vec<Dimension>,
    groups: HashMap<Vec<u8>, Tally>,
    most: usize,
    other: Tally,
    merged: u64,
    key: Vec<u8>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Its value of each dimension; `None` where its records have none.
    pub values: Vec<Option<String>>,
    /// Whether it stands for the groups that were merged.
    pub is_other: bool,
    /// Its numbers.
    pub tally: Tally,
}

impl View {
    /// An empty one.
    pub fn new(by: &[Dimension], most: usize) -> Self {
        let (groups, key) = (HashMap::new(), Vec::new());
        Self { by: by.to_vec(), groups, most, other: Tally::default(), merged: 0, key }
    }

    /// How many groups were merged.
    pub fn merged(&self) -> u64 {
        self.merged
    }

    /// Takes a record in. What an earlier attempt used is its own target's.
    pub fn add(&mut self, entry: &Entry<'_>, time: Option<Timestamp>, clock: &mut Clock) {
        let apart = self.by.iter().any(|dimension| dimension.is_of_attempt());
        let target = text(&entry.target);
        self.name(entry, target, text(&entry.provider), time, clock);
        let last_unpriced = entry.cost_picodollars.is_none() && entry.unpriced();
        let unpriced = if apart { last_unpriced } else { entry.unpriced() };
        self.change(|group| {
            group.request(entry);
            if unpriced {
                group.unpriced();
            }
        });
        for (target, billed) in entry.billed() {
            if apart {
                self.name(entry, target, target.map(provider_of), time, clock);
            }
            self.change(|group| {
                group.attempt(billed);
                if apart && billed.cost_picodollars.is_none() {
                    group.unpriced();
                }
            });
        }
        if self.groups.len() > self.most {
            self.prune();
        }
    }

    /// Changes the group that [`Self::name`] named.
    fn change(&mut self, change: impl FnOnce(&mut Tally)) {
        match self.groups.get_mut(&self.key) {
            Some(tally) => change(tally),
            None => {
                let mut tally = Tally::default();
                change(&mut tally);
                self.groups.insert(self.key.clone(), tally);
            }
        }
    }

    fn name(
        &mut self,
        entry: &Entry<'_>,
        target: Option<&str>,
        provider: Option<&str>,
        time: Option<Timestamp>,
        clock: &mut Clock,
    ) {
        self.key.clear();
        let status = if self.by.contains(&Dimension::Status) { entry.status } else { None };
        let status = status.map(|status| status.to_string());
        for dimension in &self.by {
            let value = match dimension {
                Dimension::Project => text(&entry.project),
                Dimension::Agent => text(&entry.agent),
                Dimension::AgentType => text(&entry.agent_type),
                Dimension::Session => text(&entry.session),
                Dimension::Consumer => text(&entry.consumer),
                Dimension::Key => text(&entry.key),
                Dimension::Model => text(&entry.model),
                Dimension::Target => target,
                Dimension::Provider => provider,
                Dimension::Endpoint => text(&entry.endpoint),
                Dimension::Outcome => text(&entry.outcome),
                Dimension::Reason => text(&entry.reason),
                Dimension::Rule => text(&entry.rule),
                Dimension::Exceeded => text(&entry.exceeded),
                Dimension::Status => status.as_deref(),
                Dimension::Day => time.map(|time| clock.names(time).day.as_str()),
                Dimension::Hour => time.map(|time| clock.names(time).hour.as_str()),
                Dimension::Month => time.map(|time| clock.names(time).month.as_str()),
            };
            if let Some(value) = value {
                self.key.push(THERE);
                self.key.extend_from_slice(value.as_bytes());
            }
            self.key.push(END);
        }
    }

    /// Merges the smallest groups, so that a tenth of the room is free again.
    fn prune(&mut self) {
        let room = self.most.saturating_sub(self.most / 10);
        let size = |tally: &Tally| (tally.requests, tally.cost);
        let mut sizes: Vec<(u64, u128)> = self.groups.values().map(size).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let least = sizes.get(room).copied().unwrap_or_default();
        let larger = sizes.iter().filter(|size| **size > least).count();
        let mut equal = room.saturating_sub(larger);
        let (other, merged) = (&mut self.other, &mut self.merged);
        self.groups.retain(|_, tally| {
            let keep = size(tally) > least || size(tally) == least && equal > 0;
            if size(tally) == least {
                equal = equal.saturating_sub(1);
            }
            if !keep {
                other.merge(tally);
                *merged = merged.saturating_add(1);
            }
            keep
        });
    }

    /// Takes another view by the same dimensions in.
    pub fn merge(&mut self, other: Self) {
        self.other.merge(&other.other);
        self.merged = self.merged.saturating_add(other.merged);
        for (key, tally) in other.groups {
            self.groups.entry(key).or_default().merge(&tally);
        }
        if self.groups.len() > self.most {
            self.prune();
        }
    }

    /// The groups: by time where that is what they begin with, else the dearest first, then the largest.
    pub fn groups(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self
            .groups
            .into_iter()
            .map(|(key, tally)| Group { values: values(&key), is_other: false, tally })
            .collect();
        let by_time = self.by.first().is_some_and(|first| first.is_time());
        groups.sort_by(|a, b| {
            let time = if by_time { a.values.first().cmp(&b.values.first()) } else { std::cmp::Ordering::Equal };
            time.then(b.tally.cost.cmp(&a.tally.cost))
                .then(b.tally.requests.cmp(&a.tally.requests))
                .then(a.values.cmp(&b.values))
        });
        if self.merged > 0 {
            let values = self.by.iter().map(|_| Some(OTHER.to_owned())).collect();
            groups.push(Group { values, is_other: true, tally: self.other });
        }
        groups
    }
}

fn values(key: &[u8]) -> Vec<Option<String>> {
    let mut parts: Vec<&[u8]> = key.split(|byte| *byte == END).collect();
    // What is behind the last end.
    parts.pop();
    let text = |part: &&[u8]| part.strip_prefix(&[THERE]).map(|text| String::from_utf8_lossy(text).into_owned());
    parts.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;
    use jiff::tz::TimeZone;

    fn view(by: &[Dimension], most: usize, lines: &[String]) -> View {
        let mut view = View::new(by, most);
        let mut clock = Clock::new(TimeZone::UTC);
        for line in lines {
            let entry = Entry::read(line.as_bytes()).unwrap();
            let time = text(&entry.time).and_then(super::super::clock::time_of);
            view.add(&entry, time, &mut clock);
        }
        view
    }

    const FAILED_OVER: &str = r#"{"time":"2026-11-21T01:00:00Z","outcome":"ok","target":"b/y","provider":"b","model":"auto",
        "cost_picodollars":10,"usage":{"prompt_tokens":5,"completion_tokens":1,"known":"reported"},
        "attempts":[{"target":"a/x/z","billed":{"usage":{"prompt_tokens":3,"known":"reported"},"cost_picodollars":4}},
                    {"target":"a/q","billed":{"usage":{"prompt_tokens":2,"known":"reported"}}},{"target":"b/y"}]}"#;

    #[test]
    fn what_an_attempt_cost_is_its_own_targets() {
        let told = |by: &[Dimension]| -> Vec<(String, u64, u64, u128, u64)> {
            let groups = view(by, 9, &[FAILED_OVER.to_owned()]).groups();
            let name = |group: &Group| group.values.iter().flatten().cloned().collect::<Vec<_>>().join(" ");
            groups.iter().map(|g| (name(g), g.tally.requests, g.tally.prompt, g.tally.cost, g.tally.unpriced)).collect()
        };
        let row = |name: &str, requests, prompt, cost, unpriced| (name.to_owned(), requests, prompt, cost, unpriced);
        assert_eq!(told(&[]), [row("", 1, 10, 10, 1)]);
        assert_eq!(told(&[Dimension::Model]), [row("auto", 1, 10, 10, 1)]);
        assert_eq!(
            told(&[Dimension::Target]),
            [row("b/y", 1, 5, 6, 0), row("a/x/z", 0, 3, 4, 0), row("a/q", 0, 2, 0, 1)]
        );
        assert_eq!(told(&[Dimension::Provider]), [row("b", 1, 5, 6, 0), row("a", 0, 5, 4, 1)]);
    }

    #[test]
    fn none_empty_and_odd_values_are_groups_of_their_own() {
        let line = |rest: &str| format!(r#"{{"time":"2026-11-21T01:00:00Z"{rest}}}"#);
        let lines = [
            line(""),
            line(r#","project":"""#),
            line(r#","project":"=","agent":"a""#),
            line(r#","agent":"=a""#),
            line(r#","project":null"#),
        ];
        let groups = view(&[Dimension::Project, Dimension::Agent], 9, &lines).groups();
        let text = |text: &str| Some(text.to_owned());
        let found: Vec<_> = groups.iter().map(|group| (group.values.clone(), group.tally.requests)).collect();
        assert_eq!(
            found,
            [
                (vec![None, None], 2),
                (vec![None, text("=a")], 1),
                (vec![text(""), None], 1),
                (vec![text("="), text("a")], 1)
            ]
        );
    }

    #[test]
    fn the_smallest_of_too_many_groups_are_merged_and_nothing_is_lost() {
        let line = |n: u64| format!(r#"{{"time":"2026-11-21T01:00:00Z","session":"s{n}","cost_picodollars":{n}}}"#);
        let mut lines: Vec<String> = Vec::new();
        for round in 0..50 {
            lines.push(line(1_000_000));
            lines.extend((0..20).map(|n| line(round * 20 + n)));
        }
        let whole = view(&[], 10, &lines).groups();
        let seen = view(&[Dimension::Session], 10, &lines);
        assert!(seen.groups.len() <= 10);
        let groups = seen.groups();
        assert_eq!(groups[0].values, [Some("s1000000".to_owned())]);
        assert_eq!(groups[0].tally.requests, 50);
        let last = groups.last().unwrap();
        assert!(last.is_other && last.values == [Some(OTHER.to_owned())]);
        let mut sum = Tally::default();
        groups.iter().for_each(|group| sum.merge(&group.tally));
        assert_eq!(sum, whole[0].tally);
    }

    #[test]
    fn merging_views_is_reading_all_in_one() {
        let line = |n: u64| {
            format!(
                r#"{{"time":"2026-11-2{}T0{}:00:00Z","outcome":"{}","status":{},"duration_ms":{n},"cost_picodollars":{n}}}"#,
                n % 3,
                n % 7,
                if n.is_multiple_of(5) { "timeout" } else { "ok" },
                200 + n % 2
            )
        };
        let lines: Vec<String> = (0..300).map(line).collect();
        for by in
            [vec![Dimension::Day, Dimension::Status], vec![Dimension::Hour], vec![Dimension::Month, Dimension::Outcome]]
        {
            let (front, back) = lines.split_at(101);
            let mut one = view(&by, 100, front);
            one.merge(view(&by, 100, back));
            assert_eq!(one.groups(), view(&by, 100, &lines).groups());
        }
    }
}
