use super::*;
use crate::config::ProviderId;
use crate::host::{Table, Version};
use crate::testing::test;
use crate::tokens::Tokenizer;
use std::cell::Cell;

fn target(name: &str) -> Target {
    Target {
        provider: ProviderId(0),
        model: name.into(),
        name: name.into(),
        tokenizer: Tokenizer::Ratio(1_000),
        context: None,
        max_output: None,
        price: None,
    }
}

fn raw(tokens: u64) -> Count {
    Count::estimated(Tokens(tokens), Tokens(tokens * 3 / 10 + 16))
}

/// A stream of numbers that looks random and is the same in each run.
fn numbers(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

/// By how many thousandths the adjusted count is off, on average over sizes from 20 to 50,000 tokens.
fn off(shared: &Table, truth: impl Fn(u64) -> u64) -> u64 {
    let sizes = [20, 50, 100, 400, 1_000, 5_000, 50_000];
    let errors = sizes.map(|x| {
        let (count, truth) = (adjusted(shared, &target("t"), raw(x)).tokens.0, truth(x));
        // A handful of tokens is a great part of a tiny request, and nothing else.
        count.abs_diff(truth).saturating_sub(5) * 1_000 / truth
    });
    errors.iter().sum::<u64>() / sizes.len() as u64
}

fn size(number: &mut impl FnMut(u64) -> u64) -> u64 {
    [10, 100, 1_000, 10_000][number(4) as usize] * (1 + number(9))
}

#[test]
fn fifty_answers_are_enough() {
    for (name, ratio, around) in [
        ("as it is", 1_000, 0),
        ("more", 1_350, 0),
        ("fewer", 700, 0),
        ("template", 1_000, 60),
        ("both", 1_200, 346),
        ("less", 1_100, 0),
    ] {
        for (noise, outliers) in [(0, 0), (50, 0), (80, 10), (50, 20)] {
            let (shared, mut number) = (Table::default(), numbers(0x9e37_79b9_7f4a_7c15));
            let truth = |x: u64| x * ratio / 1_000 + around;
            for answer in 0..50 {
                let x = size(&mut number);
                let noisy = truth(x) * (1_000 - noise + number(2 * noise + 1)) / 1_000;
                let absurd = outliers > 0 && answer % outliers == outliers - 1;
                let reported = if absurd { [noisy * 100, noisy / 50 + 1][number(2) as usize] } else { noisy };
                learn(&shared, &target("t"), raw(x), Tokens(reported));
            }
            let off = off(&shared, truth);
            assert!(
                off <= 30,
                "{name}, noise {noise}, outliers {outliers}: {off} ‰, {:?}",
                standing(&shared, &target("t"))
            );
        }
    }
}

#[test]
fn an_absurd_first_answer_is_overcome() {
    for absurd in [1, 1_000_000] {
        let (shared, mut number) = (Table::default(), numbers(42));
        learn(&shared, &target("t"), raw(1_000), Tokens(absurd));
        for _ in 0..50 {
            let x = size(&mut number);
            learn(&shared, &target("t"), raw(x), Tokens(x * 11 / 10));
        }
        assert!(off(&shared, |x| x * 11 / 10) <= 30, "{absurd}: {:?}", standing(&shared, &target("t")));
    }
}

#[test]
fn one_absurd_answer_moves_nothing_much() {
    let taught = || {
        let shared = Table::default();
        for x in 1..=50 {
            learn(&shared, &target("t"), raw(x * 100), Tokens(x * 115));
        }
        shared
    };
    let shared = taught();
    let before = adjusted(&shared, &target("t"), raw(2_000)).tokens.0;
    for absurd in [0, 1, 1_000_000_000, u64::MAX] {
        let shared = taught();
        learn(&shared, &target("t"), raw(2_000), Tokens(absurd));
        let after = adjusted(&shared, &target("t"), raw(2_000)).tokens.0;
        assert!(after.abs_diff(before) * 1_000 <= before * 5, "{absurd}: {before} {after}");
    }
    // One that is dominated by what could not be counted says nothing of the text.
    let known = shared.get("conduit.calibration.t");
    learn(&shared, &target("t"), Count::estimated(Tokens(1_400), Tokens(3_500)), Tokens(4_800));
    assert_eq!(shared.get("conduit.calibration.t"), known);
}

#[test]
fn a_change_is_followed() {
    let (shared, mut number) = (Table::default(), numbers(3));
    for ratio in [1_000, 1_400] {
        for _ in 0..200 {
            let x = size(&mut number);
            learn(&shared, &target("t"), raw(x), Tokens(x * ratio / 1_000));
        }
        assert!(off(&shared, |x| x * ratio / 1_000) <= 30, "{ratio}: {:?}", standing(&shared, &target("t")));
    }
}

#[test]
fn the_most_follows_the_error() {
    let (shared, mut number) = (Table::default(), numbers(11));
    let first = adjusted(&shared, &target("t"), raw(1_000));
    assert_eq!(first, raw(1_000));
    let mut short = 0;
    for answer in 0..400_u64 {
        let x = size(&mut number);
        let reported = x * (1_150 + number(101)) / 1_000;
        let count = adjusted(&shared, &target("t"), raw(x));
        short += u64::from(answer >= 8 && count.most.0 < reported);
        learn(&shared, &target("t"), raw(x), Tokens(reported));
    }
    assert!(short <= 4, "{short} of 400 were reported above the most");
    let count = adjusted(&shared, &target("t"), raw(10_000));
    assert!(count.error_thousandths() < 150 && count.error_thousandths() >= 30, "{count:?}");
    // An image beside the text is as uncertain as it was.
    let image = Count::estimated(Tokens(2_400), Tokens(2_900));
    assert!(adjusted(&shared, &target("t"), image).most.0 > 4_500);
}

#[test]
fn what_some_requests_teach_lowers_the_most_of_none() {
    let shared = Table::default();
    for _ in 0..100 {
        learn(&shared, &target("t"), raw(10_000), Tokens(2_000));
    }
    let count = adjusted(&shared, &target("t"), raw(10_000));
    assert!(count.tokens.0 < 2_500 && count.most == raw(10_000).most, "{count:?}");
}

#[test]
fn exact_counts_and_other_targets_are_left_alone() {
    let shared = Table::default();
    learn(&shared, &target("t"), Count::exact(Tokens(100)), Tokens(200));
    assert!(shared.is_empty() && standing(&shared, &target("t")).is_none());
    learn(&shared, &target("t"), raw(100), Tokens(200));
    assert_eq!(adjusted(&shared, &target("t"), Count::exact(Tokens(100))), Count::exact(Tokens(100)));
    assert_eq!(adjusted(&shared, &target("other"), raw(100)), raw(100));
    assert_eq!((shared.len(), standing(&shared, &target("t")).map(|s| s.answers)), (1, Some(1)));
}

#[test]
fn what_cannot_be_read_is_begun_anew() {
    for value in ["", "x", "1 2", "1 2 3 4 5 6 7", "-1 0 0 0 0 0 0 0", "\u{e9}"] {
        let shared = Table::default();
        shared.set("conduit.calibration.t", value.as_bytes());
        assert_eq!(adjusted(&shared, &target("t"), raw(100)), raw(100), "{value:?}");
        learn(&shared, &target("t"), raw(100), Tokens(110));
        assert_eq!(standing(&shared, &target("t")).map(|s| s.answers), Some(1), "{value:?}");
    }
    // Whatever stands there, nothing overflows.
    let shared = Table::default();
    let most = i64::MAX;
    shared.set(
        "conduit.calibration.t",
        format!("{} {most} {most} {most} {most} {most} {most} {most}", u32::MAX).as_bytes(),
    );
    learn(&shared, &target("t"), raw(u64::MAX / 4), Tokens(u64::MAX));
    let _ = adjusted(&shared, &target("t"), Count::estimated(Tokens(u64::MAX), Tokens(u64::MAX)));
}

/// A table in which another worker writes just before every `n`th swap.
struct Contended {
    table: Table,
    swaps: Cell<u32>,
    every: u32,
}

impl Shared for Contended {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.table.read(key)
    }
    fn swap(&self, key: &str, value: &[u8], version: Option<Version>) -> bool {
        self.swaps.set(self.swaps.get() + 1);
        if self.swaps.get().is_multiple_of(self.every) {
            learn(&self.table, &target("t"), raw(1_000), Tokens(1_200));
        }
        self.table.swap(key, value, version)
    }
    fn set(&self, key: &str, value: &[u8]) {
        self.table.set(key, value);
    }
}

#[test]
fn writers_at_once_lose_nothing_or_little() {
    for (every, at_least) in [(3, 100), (2, 100), (1, 1)] {
        let shared = Contended { table: Table::default(), swaps: Cell::new(0), every };
        for _ in 0..100 {
            learn(&shared, &target("t"), raw(1_000), Tokens(1_200));
        }
        let standing = standing(&shared, &target("t")).unwrap();
        let others = shared.swaps.get() / every;
        assert!(standing.answers >= at_least + others.min(400) * u32::from(every > 1), "{every}: {standing:?}");
        assert!(adjusted(&shared, &target("t"), raw(1_000)).tokens.0.abs_diff(1_200) <= 12, "{standing:?}");
    }
}
