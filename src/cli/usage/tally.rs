//! What a group of records adds up to.

use super::entry::{Billed, Entry, Used, text};
use crate::report::Outcome;

/// Every outcome there is, in the order of [`Tally::outcomes`]; what none of them says comes last.
pub(super) const OUTCOMES: [Outcome; 7] = [
    Outcome::Ok,
    Outcome::Refused,
    Outcome::ProviderError,
    Outcome::Unreachable,
    Outcome::Timeout,
    Outcome::Cut,
    Outcome::ClientGone,
];

/// Sums, counts and percentiles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Records.
    pub requests: u64,
    /// How they ended, by [`OUTCOMES`], and what is none of these.
    pub outcomes: [u64; 8],
    /// Prompt tokens.
    pub prompt: u64,
    /// Of these: cached.
    pub cached: u64,
    /// Of these: written to a cache.
    pub written: u64,
    /// Completion tokens.
    pub completion: u64,
    /// Of these: reasoning.
    pub reasoning: u64,
    /// Picodollars.
    pub cost: u128,
    /// Records with tokens whose price is not known.
    pub unpriced: u64,
    /// Records whose usage is estimated.
    pub estimated: u64,
    /// Milliseconds to the end.
    pub latency: Sketch,
    /// Milliseconds to the first byte of the body.
    pub first: Sketch,
}

fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

impl Tally {
    /// Counts a request: its end, its times, and what its last attempt used.
    pub fn request(&mut self, entry: &Entry<'_>) {
        add(&mut self.requests, 1);
        let outcome = text(&entry.outcome).unwrap_or_default();
        let place = OUTCOMES.iter().position(|known| known.word() == outcome).unwrap_or(OUTCOMES.len());
        if let Some(count) = self.outcomes.get_mut(place) {
            add(count, 1);
        }
        if let Some(usage) = &entry.usage {
            self.tokens(usage);
            if text(&usage.known) == Some("estimated") {
                add(&mut self.estimated, 1);
            }
        }
        self.cost = self.cost.saturating_add(entry.last_cost().unwrap_or(0));
        if let Some(ms) = entry.duration_ms {
            self.latency.add(ms, 1);
        }
        if let Some(ms) = entry.ttft_ms {
            self.first.add(ms, 1);
        }
    }

    /// Adds what an earlier attempt used.
    pub fn attempt(&mut self, billed: &Billed<'_>) {
        if let Some(usage) = &billed.usage {
            self.tokens(usage);
        }
        self.cost = self.cost.saturating_add(billed.cost_picodollars.unwrap_or(0));
    }

    /// Counts a request with tokens of unknown price.
    pub fn unpriced(&mut self) {
        add(&mut self.unpriced, 1);
    }

    fn tokens(&mut self, usage: &Used<'_>) {
        for (sum, more) in [
            (&mut self.prompt, usage.prompt_tokens),
            (&mut self.cached, usage.cached_tokens),
            (&mut self.written, usage.cache_write_tokens),
            (&mut self.completion, usage.completion_tokens),
            (&mut self.reasoning, usage.reasoning_tokens),
        ] {
            add(sum, more.unwrap_or(0));
        }
    }

    /// Takes another's numbers in.
    pub fn merge(&mut self, other: &Tally) {
        for (sum, more) in [
            (&mut self.requests, other.requests),
            (&mut self.prompt, other.prompt),
            (&mut self.cached, other.cached),
            (&mut self.written, other.written),
            (&mut self.completion, other.completion),
            (&mut self.reasoning, other.reasoning),
            (&mut self.unpriced, other.unpriced),
            (&mut self.estimated, other.estimated),
        ] {
            add(sum, more);
        }
        for (sum, more) in self.outcomes.iter_mut().zip(other.outcomes) {
            add(sum, more);
        }
        self.cost = self.cost.saturating_add(other.cost);
        self.latency.merge(&other.latency);
        self.first.merge(&other.first);
    }

    /// Requests that did not end well.
    pub fn errors(&self) -> u64 {
        self.requests.saturating_sub(self.outcomes.first().copied().unwrap_or(0))
    }

    /// Its outcomes by name, those that occurred.
    pub fn by_outcome(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = OUTCOMES.iter().map(|outcome| outcome.word()).chain(["unknown"]);
        names.zip(self.outcomes).filter(|(_, count)| *count > 0)
    }
}

/// Counts values so that percentiles are off by at most 0.8 % (not at all below 128), in memory that grows with how far
/// values spread, not with how many there are. Kept sparse, because reports hold two for each of many small groups: the
/// dense tables of histogram libraries would take kilobytes for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sketch {
    /// Counts by bin, by rising bin.
    bins: Vec<(u16, u64)>,
}

/// Bins per doubling, as a power of two.
const FINE: u32 = 6;

/// Each value's own bin below 2 × 64, then 64 bins for each doubling.
fn bin(value: u64) -> u16 {
    let shift = value.checked_ilog2().unwrap_or(0).saturating_sub(FINE);
    let doublings = u64::from(shift).saturating_mul(1 << FINE);
    u16::try_from(doublings.saturating_add(value.checked_shr(shift).unwrap_or(0))).unwrap_or(u16::MAX)
}

/// The middle of a bin.
fn middle(bin: u16) -> u64 {
    let bin = u64::from(bin);
    if bin < 2 << FINE {
        return bin;
    }
    let shift = u32::try_from(bin >> FINE).unwrap_or(1).saturating_sub(1);
    let low = (bin & ((1 << FINE) - 1) | (1 << FINE)).checked_shl(shift).unwrap_or(u64::MAX);
    low.saturating_add((1_u64.checked_shl(shift).unwrap_or(0)) / 2)
}

impl Sketch {
    /// Counts a value so many times.
    pub fn add(&mut self, value: u64, times: u64) {
        self.count(bin(value), times);
    }

    fn count(&mut self, bin: u16, times: u64) {
        match self.bins.binary_search_by_key(&bin, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, count)) = self.bins.get_mut(at) {
                    add(count, times);
                }
            }
            Err(at) => self.bins.insert(at, (bin, times)),
        }
    }

    /// Takes another's counts in.
    pub fn merge(&mut self, other: &Sketch) {
        for (bin, times) in &other.bins {
            self.count(*bin, *times);
        }
    }

    /// The value that so many percent of all are not above; `None` where nothing was counted.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let all: u128 = self.bins.iter().map(|(_, count)| u128::from(*count)).sum();
        let rank = all.saturating_mul(percent.into()).div_ceil(100).max(1);
        let mut seen = 0_u128;
        for (bin, count) in &self.bins {
            seen = seen.saturating_add(u128::from(*count));
            if seen >= rank {
                return Some(middle(*bin));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn percentiles_are_as_near_as_promised() {
        for spread in [1_u64, 3, 40, 1_000, 123_456, 1 << 40] {
            let mut sketch = Sketch::default();
            let mut values: Vec<u64> = (0..1_000_u64).map(|i| (i * i * 7_919 % 1_009) * spread).collect();
            values.iter().for_each(|value| sketch.add(*value, 1));
            values.sort_unstable();
            for percent in [1_usize, 50, 90, 99, 100] {
                let truth = values[values.len() * percent / 100 - 1];
                let told = sketch.percentile(percent as u64).unwrap();
                assert!(told.abs_diff(truth) * 1_000 <= truth * 8, "{spread} {percent}: {told} for {truth}");
            }
        }
        let mut ends = Sketch::default();
        for value in [0, 127, u64::MAX] {
            ends.add(value, 1);
        }
        assert_eq!((ends.percentile(33), ends.percentile(50)), (Some(0), Some(127)));
        assert!(ends.percentile(100).unwrap() > u64::MAX / 100 * 99);
        assert_eq!(Sketch::default().percentile(50), None);
    }

    #[test]
    fn bins_rise_with_values_and_merging_is_adding() {
        let mut last = 0;
        for value in (0..100_000).chain((17..63).map(|power| 1_u64 << power)) {
            let at = bin(value);
            assert!(at >= last, "{value}");
            assert!(middle(at).abs_diff(value) * 125 <= value, "{value}: {}", middle(at));
            last = at;
        }
        let (mut one, mut other, mut both) = (Sketch::default(), Sketch::default(), Sketch::default());
        for value in 0..500 {
            if value % 3 == 0 { &mut one } else { &mut other }.add(value, 2);
            both.add(value, 2);
        }
        one.merge(&other);
        assert_eq!(one, both);
    }
}
