use super::slot::{MOST, SLOTS};
use super::*;
use crate::host::{Table, Version};
use crate::testing::test;
use std::cell::{Cell, RefCell};

const SECOND: u64 = 1_000_000_000;
/// 2026-11-21T00:00:00Z.
const MIDNIGHT: u64 = 1_795_219_200;

fn at(seconds: u64) -> Time {
    Time((MIDNIGHT + seconds) * SECOND)
}

fn day(limit: u128) -> Gauge {
    Gauge::Window { limit, starts: MIDNIGHT, ends: MIDNIGHT + 86_400 }
}

fn claim(account: &str, gauge: Gauge, amount: u128) -> Claim {
    Claim { account: account.into(), gauge, amount, forced: false }
}

/// Spent and reserved.
fn sums(shared: &dyn Shared, account: &str, gauge: Gauge, now: Time) -> (u128, u128) {
    let standing = standing(shared, account, gauge, now);
    (standing.spent, standing.reserved)
}

/// What others write in between: every swap but each `nth` loses.
struct Busy {
    table: Table,
    nth: u32,
    tries: Cell<u32>,
}

impl Shared for Busy {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.table.read(key)
    }
    fn swap(&self, key: &str, value: &[u8], version: Option<Version>) -> bool {
        self.tries.set(self.tries.get() + 1);
        self.nth > 0 && self.tries.get().is_multiple_of(self.nth) && self.table.swap(key, value, version)
    }
    fn set(&self, key: &str, value: &[u8]) {
        self.table.set(key, value);
    }
}

#[test]
fn money_is_reserved_then_settled() {
    let table = Table::default();
    let (gauge, now) = (day(100), at(10));
    let one = reserve(&table, vec![claim("b=x", gauge, 60)], now).unwrap();
    assert_eq!(sums(&table, "b=x", gauge, now), (0, 60));
    let full = reserve(&table, vec![claim("b=x", gauge, 41)], now).unwrap_err();
    assert_eq!((full.claim, full.standing.reserved, full.standing.left()), (0, 60, 40));
    assert_eq!(full.wait, Some(Span(86_390 * SECOND)));
    assert_eq!(full.standing.resets, Some(at(86_400)));
    let two = reserve(&table, vec![claim("b=x", gauge, 40)], now).unwrap();
    one.settle(&table, &[Some(7)], at(11));
    assert_eq!(sums(&table, "b=x", gauge, now), (7, 40));
    two.settle(&table, &[None], at(12));
    assert_eq!(sums(&table, "b=x", gauge, now), (47, 0));
    assert_eq!(reserve(&table, vec![claim("b=x", gauge, 101)], now).unwrap_err().wait, None);
}

#[test]
fn lost_races_are_run_again_and_a_host_without_writes_admits_nothing() {
    let busy = Busy { table: Table::default(), nth: 7, tries: Cell::new(0) };
    let hold = reserve(&busy, vec![claim("b=x", day(10), 6)], at(0)).unwrap();
    assert!(reserve(&busy, vec![claim("b=x", day(10), 6)], at(0)).is_err());
    hold.settle(&busy, &[Some(3)], at(1));
    assert_eq!(sums(&busy, "b=x", day(10), at(1)), (3, 0));

    let dead = Busy { table: Table::default(), nth: 0, tries: Cell::new(0) };
    let full = reserve(&dead, vec![claim("b=x", day(10), 6)], at(0)).unwrap_err();
    assert_eq!((full.claim, full.standing.left()), (0, 10));
    assert!(full.wait.is_some());
}

/// Accounts of one rule that share a slot.
fn neighbours(rule: &str, count: usize) -> Vec<String> {
    let home = slot::of(format!("{rule}=0").as_bytes());
    let names = (0..).map(|number| format!("{rule}={number}"));
    names.filter(|name| slot::of(name.as_bytes()) == home).take(count).collect()
}

fn bytes(table: &Table) -> usize {
    let values = (0..SLOTS).filter_map(|number| table.get(&slot::key(number)));
    values.map(|value| value.len()).sum()
}

#[test]
fn all_claims_are_taken_or_none_and_the_first_that_does_not_fit_is_named() {
    let table = Table::default();
    let now = at(5);
    let bucket = Gauge::Bucket { capacity: 60 };
    let slots = Gauge::Slots { most: 2 };
    let names: Vec<String> = (0..12).map(|number| format!("rule{number}=")).collect();
    let gauges = [day(100), bucket, slots];
    let claims = |amount| -> Vec<Claim> {
        names.iter().enumerate().map(|(place, name)| claim(name, gauges[place % 3], amount)).collect()
    };
    let full = |claims| reserve(&table, claims, now).unwrap_err().claim;
    reserve(&table, claims(1), now).unwrap().settle(&table, &[Some(1); 12], now);
    let before: Vec<_> = names.iter().zip(gauges.iter().cycle()).map(|(n, g)| standing(&table, n, *g, now)).collect();
    for place in 0..12 {
        // Those after it do not fit either, wherever their slots are.
        let mut wanted = claims(1);
        for claim in &mut wanted[place..] {
            claim.amount = 101;
        }
        assert_eq!(full(wanted.clone()), place);
        let after: Vec<_> =
            names.iter().zip(gauges.iter().cycle()).map(|(n, g)| standing(&table, n, *g, now)).collect();
        assert_eq!(before, after);
        for claim in &mut wanted[place..] {
            claim.forced = true;
        }
        let hold = reserve(&table, wanted, now).unwrap();
        assert_eq!(hold.claims()[place].amount, 101);
        hold.settle(&table, &[Some(0); 12], now);
        let after: Vec<_> =
            names.iter().zip(gauges.iter().cycle()).map(|(n, g)| standing(&table, n, *g, now)).collect();
        assert_eq!(before, after, "what was forced goes again too");
    }
}

#[test]
fn a_claim_of_two_holds_that_joined_is_settled_twice() {
    let table = Table::default();
    let mut one = reserve(&table, vec![claim("b=x", day(100), 30)], at(0)).unwrap();
    let two = reserve(&table, vec![claim("b=x", day(100), 20), claim("b=y", day(100), 9)], at(0)).unwrap();
    one.join(two);
    assert_eq!(one.claims().len(), 3);
    assert_eq!(sums(&table, "b=x", day(100), at(0)), (0, 50));
    one.settle(&table, &[Some(3), Some(4), None], at(0));
    assert_eq!(sums(&table, "b=x", day(100), at(0)), (7, 0));
    assert_eq!(sums(&table, "b=y", day(100), at(0)), (9, 0));
}

#[test]
fn a_reservation_that_nobody_renews_is_free_again_and_what_was_used_counts_yet() {
    for gauge in [day(100), Gauge::Slots { most: 100 }] {
        let table = Table::default();
        let lost = reserve(&table, vec![claim("b=x", gauge, 100)], at(3)).unwrap();
        assert!(reserve(&table, vec![claim("b=x", gauge, 1)], at(62)).is_err(), "a minute is not over");
        assert_eq!(sums(&table, "b=x", gauge, at(73)), (0, 0));
        let other = reserve(&table, vec![claim("b=x", gauge, 90)], at(73)).unwrap();
        lost.settle(&table, &[Some(60)], at(75));
        let spent = if matches!(gauge, Gauge::Window { .. }) { 60 } else { 0 };
        assert_eq!(sums(&table, "b=x", gauge, at(75)), (spent, 90), "the other's is still there");
        other.settle(&table, &[Some(1)], at(76));
        assert_eq!(sums(&table, "b=x", gauge, at(76)).1, 0);
    }
}

#[test]
fn a_reservation_that_is_renewed_holds_and_is_not_written_more_often_than_needed() {
    for gauge in [day(100), Gauge::Slots { most: 100 }] {
        let busy = Busy { table: Table::default(), nth: 1, tries: Cell::new(0) };
        let mut hold = reserve(&busy, vec![claim("b=x", gauge, 100)], at(0)).unwrap();
        let mut now = 0;
        while now < 600 {
            now += 5;
            hold.renew(&busy, at(now));
            assert_eq!(sums(&busy, "b=x", gauge, at(now)).1, 100, "{now}");
        }
        assert!(busy.tries.get() <= 1 + 600 / 20, "{}", busy.tries.get());
        // After a pause that was too long it is made anew.
        hold.renew(&busy, at(900));
        assert_eq!(sums(&busy, "b=x", gauge, at(900)).1, 100);
        hold.settle(&busy, &[Some(0)], at(901));
        assert_eq!(sums(&busy, "b=x", gauge, at(901)), (0, 0));
    }
}

#[test]
fn ten_thousand_requests_at_the_same_time_take_little_room() {
    let table = Table::default();
    let gauges = [("b=x", day(u128::MAX)), ("l=x", Gauge::Slots { most: u64::MAX })];
    for number in 0..10_000 {
        let claims = gauges.map(|(name, gauge)| claim(name, gauge, 1_000_000_000_000)).to_vec();
        std::mem::forget(reserve(&table, claims, Time(at(0).0 + number * 6_000_000)).unwrap());
    }
    assert_eq!(sums(&table, "b=x", gauges[0].1, at(59)).1, 10_000_000_000_000_000);
    assert!(bytes(&table) < 300, "{}", bytes(&table));
}

#[test]
fn a_window_that_is_over_is_forgotten() {
    let table = Table::default();
    let next = Gauge::Window { limit: 100, starts: MIDNIGHT + 86_400, ends: MIDNIGHT + 2 * 86_400 };
    let mut late = reserve(&table, vec![claim("b=x", day(100), 40)], at(86_390)).unwrap();
    reserve(&table, vec![claim("b=x", day(100), 60)], at(86_390)).unwrap().settle(&table, &[None], at(86_391));
    assert_eq!(sums(&table, "b=x", day(100), at(86_399)), (60, 40));
    assert_eq!(sums(&table, "b=x", next, at(86_400)), (0, 0));
    let hold = reserve(&table, vec![claim("b=x", next, 90)], at(86_400)).unwrap();
    late.renew(&table, at(86_430));
    late.settle(&table, &[Some(40)], at(86_431));
    assert_eq!(sums(&table, "b=x", next, at(86_401)), (0, 90));
    // A worker whose clock is behind counts in the window that began.
    assert!(reserve(&table, vec![claim("b=x", day(100), 11)], at(86_399)).is_err());
    let behind = reserve(&table, vec![claim("b=x", day(100), 10)], at(86_399)).unwrap();
    behind.settle(&table, &[None], at(86_402));
    hold.settle(&table, &[Some(5)], at(86_402));
    assert_eq!(sums(&table, "b=x", next, at(86_402)), (15, 0));
}

#[test]
fn a_late_settlement_of_a_window_makes_no_account() {
    let table = Table::default();
    let late = reserve(&table, vec![claim("b=x", day(100), 40)], at(86_390)).unwrap();
    late.settle(&table, &[Some(40)], at(86_400 + 120));
    assert_eq!(all(&table, 9, at(86_400 + 120)), Vec::new());
}

#[test]
fn a_changed_rule_takes_over_what_was_spent() {
    let table = Table::default();
    reserve(&table, vec![claim("b=x", day(100), 70)], at(9)).unwrap().settle(&table, &[None], at(10));
    let month = Gauge::Window { limit: 50, starts: MIDNIGHT - 20 * 86_400, ends: MIDNIGHT + 10 * 86_400 };
    assert_eq!(sums(&table, "b=x", month, at(11)), (70, 0));
    let full = reserve(&table, vec![claim("b=x", month, 1)], at(11)).unwrap_err();
    assert_eq!((full.standing.limit, full.standing.left()), (50, 0));
}

#[test]
fn a_clock_that_ran_ahead_locks_nobody_out() {
    let table = Table::default();
    let year = 365 * 86_400;
    let far = Gauge::Window { limit: 100, starts: MIDNIGHT + year, ends: MIDNIGHT + year + 86_400 };
    let bucket = Gauge::Bucket { capacity: 60 };
    let claims = |window| vec![claim("b=x", window, 70), claim("l=x", bucket, 60)];
    reserve(&table, claims(far), at(year + 5)).unwrap().settle(&table, &[None, None], at(year + 5));
    assert_eq!(sums(&table, "b=x", day(100), at(9)), (70, 0), "what was spent is kept");
    assert_eq!(reserve(&table, claims(day(200)), at(10)).unwrap_err().claim, 1);
    let next = reserve(&table, vec![claim("l=x", bucket, 1), claim("l=y", bucket, 1)], at(10)).unwrap_err();
    assert_eq!(next.claim, 0);
    reserve(&table, vec![claim("l=x", bucket, 0), claim("b=x", day(100), 1)], at(10)).unwrap();
    reserve(&table, vec![Claim { forced: true, ..claim("l=x", bucket, 1) }], at(10)).unwrap();
    reserve(&table, vec![claim("l=x", bucket, 59)], at(70)).unwrap();
}

#[test]
fn buckets_fill_evenly_and_to_the_nanosecond() {
    for capacity in [1, 7, 60, 1_000, 999_983, 10_000_000, u64::MAX] {
        let table = Table::default();
        let gauge = Gauge::Bucket { capacity };
        let now = Time(at(0).0 + 123_456_789);
        let take = |amount: u64, now| reserve(&table, vec![claim("l=x", gauge, u128::from(amount))], now).map(drop);
        take(capacity, now).unwrap();
        let standing = standing(&table, "l=x", gauge, now);
        assert_eq!((standing.spent, standing.left()), (u128::from(capacity), 0));
        assert_eq!(standing.resets, Some(Time(now.0 + 60 * SECOND)));
        for amount in [1, capacity.div_ceil(3), capacity] {
            let full = take(amount, now).unwrap_err();
            let wait = full.wait.unwrap().0;
            assert_eq!(wait % 1_000_000, 0);
            assert_eq!(wait, (u128::from(amount) * 60_000).div_ceil(u128::from(capacity)) as u64 * 1_000_000);
        }
        let full = take(1, now).unwrap_err();
        take(1, Time(now.0 + full.wait.unwrap().0)).unwrap();
        assert_eq!(take(capacity, Time(now.0 + 60 * SECOND - 1)).map_err(|full| full.claim), Err(0));
        if let Some(more) = capacity.checked_add(1) {
            assert_eq!(take(more, now).unwrap_err().wait, None, "never");
        }
    }
}

#[test]
fn a_bucket_gives_a_minutes_worth_a_minute_however_it_is_asked() {
    let (table, gauge) = (Table::default(), Gauge::Bucket { capacity: 997 });
    let mut given: u128 = 0;
    let mut dice: u64 = 7;
    let mut now = at(0);
    while now < at(3_600) {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        now = Time(now.0 + dice % 900_000_000);
        // Workers' clocks are not quite the same.
        let here = Time(now.0 - (dice >> 40) % 50_000_000);
        let amount = u128::from(dice >> 33) % 40;
        if reserve(&table, vec![claim("l=x", gauge, amount)], here).is_ok() {
            given += amount;
        }
    }
    let most = 997 + 997 * 60;
    assert!(given <= most && given > most - 60, "{given} of {most}");
}

#[test]
fn a_clock_that_goes_back_fills_no_bucket() {
    let (table, gauge) = (Table::default(), Gauge::Bucket { capacity: 60 });
    let take = |amount, now| reserve(&table, vec![claim("l=x", gauge, amount)], now);
    take(60, at(100)).unwrap();
    assert!(take(1, at(90)).is_err());
    take(1, at(101)).unwrap();
    for _ in 0..20 {
        assert!(take(1, at(91)).is_err());
        assert!(take(1, at(101)).is_err());
    }
    assert_eq!(take(1, at(91)).unwrap_err().wait, Some(Span(11 * SECOND)));
}

#[test]
fn buckets_are_trued_up_in_both_directions() {
    let gauge = Gauge::Bucket { capacity: 600 };
    for (used, left, full_after) in [
        (Some(100), 500, 10),
        (Some(0), 600, 0),
        (None, 300, 30),
        (Some(600), 0, 60),
        // Debt: two minutes' worth beyond what it holds, and at most ten.
        (Some(1_800), 0, 180),
        (Some(1_000_000), 0, 660),
        (Some(u128::MAX), 0, 660),
    ] {
        let table = Table::default();
        let hold = reserve(&table, vec![claim("l=x", gauge, 300)], at(0)).unwrap();
        hold.settle(&table, &[used], at(0));
        let standing = standing(&table, "l=x", gauge, at(0));
        assert_eq!((standing.left(), standing.resets), (left, Some(at(full_after))), "{used:?}");
    }
    // What comes back after it was full already is no more than it holds, and what was used beyond is taken off yet.
    let table = Table::default();
    let little = reserve(&table, vec![claim("l=x", gauge, 600)], at(0)).unwrap();
    let much = reserve(&table, vec![claim("l=y", gauge, 1)], at(0)).unwrap();
    little.settle(&table, &[Some(1)], at(200));
    much.settle(&table, &[Some(301)], at(200));
    assert_eq!(standing(&table, "l=x", gauge, at(200)).left(), 600);
    assert_eq!(standing(&table, "l=y", gauge, at(200)).left(), 300);
    assert_eq!(table.len(), 2);
}

#[test]
fn a_refusal_undoes_a_forced_debt_to_the_part() {
    let (table, bucket) = (Table::default(), Gauge::Bucket { capacity: 60 });
    reserve(&table, vec![claim("l=x", bucket, 50)], at(0)).unwrap();
    let forced = |amount| Claim { forced: true, ..claim("l=x", bucket, amount) };
    for other in 0..8 {
        // Wherever the other claim's slot is.
        let claims = vec![forced(100_000), claim(&format!("b={other}"), day(1), 2)];
        assert_eq!(reserve(&table, claims, at(0)).unwrap_err().claim, 1);
        assert_eq!(standing(&table, "l=x", bucket, at(0)).left(), 10);
    }
}

#[test]
fn as_many_requests_are_there_as_there_are_slots() {
    let (table, gauge) = (Table::default(), Gauge::Slots { most: 2 });
    let one = reserve(&table, vec![claim("l=x", gauge, 1)], at(0)).unwrap();
    reserve(&table, vec![claim("l=x", gauge, 1)], at(20)).unwrap();
    let full = reserve(&table, vec![claim("l=x", gauge, 1)], at(21)).unwrap_err();
    let standing = Standing { spent: 0, reserved: 2, limit: 2, resets: None };
    assert_eq!(full, Full { claim: 0, standing, wait: None });
    one.settle(&table, &[None], at(22));
    reserve(&table, vec![claim("l=x", gauge, 1)], at(23)).unwrap();
}

#[test]
fn a_full_slot_forgets_who_spent_least_and_lets_nobody_spend_more() {
    let table = Table::default();
    let names = neighbours("session", 4 * MOST);
    let (gauge, limit) = (day(1_000), 1_000);
    let mut spent = vec![0_u128; names.len()];
    let mut dice: u64 = 1;
    let mut served = 0;
    for round in 0..6_000 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let who = (dice >> 33) as usize % names.len();
        let amount = u128::from(dice >> 50) % 40;
        if let Ok(hold) = reserve(&table, vec![claim(&names[who], gauge, amount)], at(round)) {
            hold.settle(&table, &[None], at(round));
            spent[who] += amount;
            served += 1;
        }
        assert!(spent[who] <= limit);
        assert!(spent[who] <= standing(&table, &names[who], gauge, at(round)).spent, "nothing is forgotten");
    }
    assert!(served > 3_000, "{served}");
    assert_eq!(table.len(), 1);
    assert!(bytes(&table) < (MOST + 1) * 60, "{}", bytes(&table));
    // Another rule's accounts begin with nothing.
    let home = slot::of(names[0].as_bytes());
    let other = (0..).map(|n| format!("other={n}")).find(|name| slot::of(name.as_bytes()) == home).unwrap();
    assert_eq!(sums(&table, &other, gauge, at(6_000)), (0, 0));
    assert_eq!(all(&table, 1_000, at(6_000)).len(), MOST + 1);
    assert!(all(&table, 1_000, at(6_000)).iter().any(|(name, _)| name == "session=* (rest)"));
    // The day after it is all over.
    let next = Gauge::Window { limit: 1_000, starts: MIDNIGHT + 86_400, ends: MIDNIGHT + 2 * 86_400 };
    reserve(&table, vec![claim(&names[0], next, 1)], at(86_500)).unwrap().settle(&table, &[None], at(86_500));
    assert!(bytes(&table) < 100, "{}", bytes(&table));
}

#[test]
fn where_everyone_has_reservations_newcomers_share_one_account() {
    for gauge in [day(10), Gauge::Slots { most: 10 }] {
        let table = Table::default();
        let names = neighbours("session", MOST + 20);
        let mut holds: Vec<Hold> =
            names[..MOST].iter().map(|name| reserve(&table, vec![claim(name, gauge, 1)], at(0)).unwrap()).collect();
        let mut taken = 0;
        for name in &names[MOST..] {
            for _ in 0..4 {
                if let Ok(hold) = reserve(&table, vec![claim(name, gauge, 1)], at(1)) {
                    holds.push(hold);
                    taken += 1;
                }
            }
        }
        assert_eq!(taken, 10, "the amount of one");
        for hold in &mut holds {
            hold.renew(&table, at(40));
        }
        assert_eq!(sums(&table, &names[0], gauge, at(99)).1, 1);
        assert_eq!(sums(&table, &names[MOST], gauge, at(99)).1, 10);
        holds.into_iter().for_each(|hold| hold.settle(&table, &[Some(1)], at(99)));
        let spent = all(&table, 999, at(99)).iter().map(|(_, standing)| standing.spent).sum::<u128>();
        let want = if matches!(gauge, Gauge::Window { .. }) { MOST as u128 + 10 } else { 0 };
        assert_eq!(spent, want);
    }
}

#[test]
fn crowded_buckets_gain_nothing_by_being_forgotten() {
    let (table, gauge) = (Table::default(), Gauge::Bucket { capacity: 60 });
    let names = neighbours("ip", 3 * MOST);
    for name in &names {
        let _ = reserve(&table, vec![claim(name, gauge, 40)], at(0));
    }
    for name in &names {
        assert!(standing(&table, name, gauge, at(0)).left() <= 20, "{name}");
        assert!(reserve(&table, vec![claim(name, gauge, 21)], at(0)).is_err());
    }
    reserve(&table, vec![claim(&names[0], gauge, 60)], at(40)).unwrap();
}

#[test]
fn accounts_open_once_with_what_was_spent_before() {
    let table = Table::default();
    let racing = reserve(&table, vec![claim("b=x", day(100), 10)], at(0)).unwrap();
    let names: Vec<String> = (0..3_000).map(|number| format!("session={number}")).collect();
    let mut balances: Vec<_> = names.iter().map(|name| (name.clone(), day(100), 5)).collect();
    balances.push(("b=x".into(), day(100), 70));
    balances.push(("l=x".into(), Gauge::Bucket { capacity: 9 }, 5));
    assert!(open(&table, &balances, at(1)));
    assert!(!open(&table, &balances, at(2)));
    assert_eq!(sums(&table, "b=x", day(100), at(3)), (70, 10), "beside what is under way");
    racing.settle(&table, &[None], at(4));
    assert_eq!(sums(&table, "b=x", day(100), at(5)), (80, 0));
    assert_eq!(standing(&table, "l=x", Gauge::Bucket { capacity: 9 }, at(5)).left(), 9);
    assert!(names.iter().all(|name| sums(&table, name, day(100), at(5)) == (5, 0)));
    let known = all(&table, 9_999, at(5));
    assert_eq!(known.len(), 3_001);
    assert_eq!(known[0].0, "b=x");
    assert_eq!(known[0].1, standing(&table, "b=x", day(100), at(5)));
    assert_eq!(all(&table, 10, at(5)).len(), 10);
}

#[test]
fn a_value_that_makes_no_sense_is_read_as_far_as_it_does() {
    let table = Table::default();
    let names = neighbours("session", 5);
    for name in &names {
        reserve(&table, vec![claim(name, day(100), 5)], at(0)).unwrap().settle(&table, &[None], at(0));
    }
    let key = slot::key(slot::of(names[0].as_bytes()));
    let whole = table.get(&key).unwrap();
    let mut known = 0;
    for length in 0..=whole.len() {
        table.set(&key, &whole[..length]);
        let here = names.iter().filter(|name| sums(&table, name, day(100), at(1)) == (5, 0)).count();
        assert!(here >= known && here <= known + 1, "{length}");
        known = here;
        let hold = reserve(&table, vec![claim(&names[4], day(100), 90)], at(1)).unwrap();
        hold.settle(&table, &[Some(1)], at(1));
        let want = if here == 5 { 6 } else { 1 };
        assert_eq!(sums(&table, &names[4], day(100), at(1)), (want, 0), "{length}");
    }
    assert_eq!(known, 5);
    // Another layout's value begins anew.
    table.set(&key, &[&[9], &whole[1..]].concat());
    assert_eq!(sums(&table, &names[0], day(100), at(1)), (0, 0));
}

#[test]
fn names_of_any_length_have_accounts() {
    let table = Table::default();
    let long = format!("b={}", "x".repeat(100_000));
    for name in [long.as_str(), "", "=", "é=\u{0}"] {
        let hold = reserve(&table, vec![claim(name, day(100), 60)], at(0)).unwrap();
        assert!(reserve(&table, vec![claim(name, day(100), 41)], at(0)).is_err());
        hold.settle(&table, &[Some(2)], at(0));
        assert_eq!(sums(&table, name, day(100), at(1)), (2, 0));
    }
    assert!(bytes(&table) < 1_400);
}

/// A host on which another worker reserves before each write.
struct Crowd {
    table: Table,
    others: RefCell<Vec<Vec<Claim>>>,
    admitted: RefCell<Vec<Hold>>,
}

impl Shared for Crowd {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.table.read(key)
    }
    fn swap(&self, key: &str, value: &[u8], version: Option<Version>) -> bool {
        let other = self.others.borrow_mut().pop();
        if let Some(Ok(hold)) = other.map(|claims| reserve(&self.table, claims, at(0))) {
            self.admitted.borrow_mut().push(hold);
        }
        self.table.swap(key, value, version)
    }
    fn set(&self, key: &str, value: &[u8]) {
        self.table.set(key, value);
    }
}

#[test]
fn workers_that_come_in_between_never_take_more_than_there_is() {
    let gauges = [day(400), day(3_000), Gauge::Bucket { capacity: 900 }, Gauge::Slots { most: 1_000 }];
    let claims = |amount| -> Vec<Claim> {
        gauges.iter().enumerate().map(|(place, gauge)| claim(&format!("rule{place}="), *gauge, amount)).collect()
    };
    let others = RefCell::new(vec![claims(10); 200]);
    let crowd = Crowd { table: Table::default(), others, admitted: RefCell::default() };
    let mut mine = Vec::new();
    for _ in 0..100 {
        mine.extend(reserve(&crowd, claims(10), at(0)));
    }
    let all = mine.into_iter().chain(crowd.admitted.take()).collect::<Vec<_>>();
    assert_eq!(all.len(), 40, "what is there is used, and no more");
    assert_eq!(sums(&crowd, "rule1=", gauges[1], at(0)), (0, 400), "refusals left nothing behind");
    assert_eq!(standing(&crowd, "rule2=", gauges[2], at(0)).left(), 500);
    all.into_iter().for_each(|hold| hold.settle(&crowd, &[Some(7), Some(8), Some(9), None], at(0)));
    let spent = gauges.iter().enumerate().map(|(place, gauge)| sums(&crowd, &format!("rule{place}="), *gauge, at(0)));
    assert_eq!(spent.collect::<Vec<_>>(), [(280, 0), (320, 0), (360, 0), (0, 0)]);
}

/// A year in steps of `hours`: three budgets over everything, over 50 consumers and over sessions that are new each step.
/// Gives the most keys and bytes that there ever were.
fn a_year(hours: u64, sessions: u64) -> (usize, usize) {
    let table = Table::default();
    let zone = crate::admit::rules::Zone::default();
    let (mut keys, mut size) = (0, 0);
    for step in 0..365 * 24 / hours {
        let now = at(step * hours * 3_600);
        let serve = |rule: &str, value: u64| {
            let budgets = [("hour", crate::admit::rules::Period::Hour), ("day", crate::admit::rules::Period::Day)];
            let budgets = budgets.into_iter().chain([("month", crate::admit::rules::Period::Month)]);
            let claims = budgets.map(|(name, period)| {
                let window = zone.window(period, now);
                let gauge = Gauge::Window { limit: 1 << 60, starts: window.starts, ends: window.ends };
                claim(&format!("b \"{name}\" {rule}={value}"), gauge, 31_000_000_000)
            });
            let hold = reserve(&table, claims.collect(), now).unwrap();
            hold.settle(&table, &[Some(12_345_678_901); 3], Time(now.0 + SECOND));
        };
        serve("all", 0);
        (0..3).for_each(|more| serve("consumer", (step * 3 + more) % 50));
        (0..sessions).for_each(|number| serve("session", step * sessions + number));
        keys = keys.max(table.len());
        if step % (720 / hours) == 0 {
            size = size.max(bytes(&table));
        }
    }
    // Whoever comes a month later finds what was spent since, and nothing of before.
    let old = all(&table, usize::MAX, at(400 * 86_400));
    assert!(old.iter().all(|(_, standing)| standing.resets.is_some_and(|end| end > at(330 * 86_400))), "{old:?}");
    (keys, size)
}

#[test]
fn over_a_year_nothing_piles_up() {
    let (keys, size) = a_year(6, 20);
    assert!(keys <= usize::from(SLOTS), "{keys}");
    assert!(size < 1_000_000, "{size}");
}

#[cfg(not(target_family = "wasm"))]
#[test]
#[ignore = "takes minutes: cargo test --release --lib over_a_year -- --ignored"]
fn over_a_year_of_ten_thousand_sessions_a_day_nothing_piles_up() {
    let (keys, size) = a_year(1, 417);
    println!("{keys} keys, {size} bytes");
    assert!(keys <= usize::from(SLOTS), "{keys}");
    assert!(size < usize::from(SLOTS) * MOST * 80, "{size}");
}

#[cfg(not(target_family = "wasm"))]
mod random;
