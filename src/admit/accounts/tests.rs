use super::*;
use crate::host::{Table, Version};
use crate::testing::test;
use std::cell::Cell;

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
