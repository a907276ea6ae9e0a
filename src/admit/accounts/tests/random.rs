//! Accounts against a model that is too simple to be wrong, under random sequences; damaged values; threads.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Mutex;

/// What a worker does.
#[derive(Clone, Debug)]
enum Deed {
    Reserve { account: usize, amount: u128, forced: bool },
    Settle { hold: usize, used: Option<u128> },
    Renew { hold: usize },
    Forget { hold: usize },
    Wait { millis: u64 },
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..4_usize, 0..60_u128, prop::bool::weighted(0.1))
            .prop_map(|(account, amount, forced)| Deed::Reserve { account, amount, forced }),
        3 => (any::<usize>(), prop::option::of(0..80_u128)).prop_map(|(hold, used)| Deed::Settle { hold, used }),
        2 => any::<usize>().prop_map(|hold| Deed::Renew { hold }),
        1 => any::<usize>().prop_map(|hold| Deed::Forget { hold }),
        2 => (0..40_000_u64).prop_map(|millis| Deed::Wait { millis }),
    ]
}

/// A reservation as the model has it.
#[derive(Clone, Debug)]
struct Lease {
    account: usize,
    amount: u128,
    /// The end of its lease, in nanoseconds since the Unix epoch; 0: it was let go.
    ends: u64,
}

/// A lease ends with the ten seconds in which a minute is over.
fn lease_end(now: Time) -> u64 {
    (now.0 + 60 * SECOND).div_ceil(10 * SECOND) * 10 * SECOND
}

fn gauge(account: usize) -> Gauge {
    match account {
        0 => day(500),
        1 => day(5_000),
        2 => Gauge::Slots { most: 100 },
        _ => Gauge::Bucket { capacity: 300 },
    }
}

/// What the model knows of an account.
#[derive(Default)]
struct Model {
    spent: [u128; 4],
    /// What is missing of the bucket, in 60,000 parts of a token, as of `at`.
    missing: u128,
    at: u64,
    /// One for each hold that is not settled; what was forgotten stays until its lease ends.
    leases: Vec<Lease>,
}

impl Model {
    fn advance(&mut self, now: Time) {
        let millis = u128::from((now.0 - self.at) / 1_000_000);
        self.missing = self.missing.saturating_sub(millis * 300);
        self.at = now.0;
    }

    fn reserved(&self, account: usize, now: Time) -> u128 {
        let live = self.leases.iter().filter(|lease| lease.account == account && lease.ends > now.0);
        live.map(|lease| lease.amount).sum()
    }

    fn fits(&self, account: usize, amount: u128, now: Time) -> bool {
        match gauge(account) {
            Gauge::Window { limit, .. } => self.spent[account] + self.reserved(account, now) + amount <= limit,
            Gauge::Slots { most } => self.reserved(account, now) + amount <= u128::from(most),
            Gauge::Bucket { capacity } => self.missing + amount * 60_000 <= u128::from(capacity) * 60_000,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn accounts_do_what_the_model_does(deeds in prop::collection::vec(deed(), 1..120), nth in 1..4_u32) {
        let busy = Busy { table: Table::default(), nth, tries: Cell::new(0) };
        let mut model = Model { at: at(0).0, ..Model::default() };
        let mut now = at(0);
        let mut holds: Vec<(Hold, usize)> = Vec::new();
        let mut all_used = [0_u128; 4];
        let mut forced_ever = [false; 4];
        for deed in deeds {
            match deed {
                Deed::Reserve { account, amount, forced } => {
                    let claims = vec![Claim { forced, ..claim(&format!("rule={account}"), gauge(account), amount) }];
                    let fits = model.fits(account, amount, now);
                    let tried = reserve(&busy, claims, now);
                    prop_assert_eq!(tried.is_ok(), fits || forced);
                    forced_ever[account] |= forced && !fits;
                    if let Ok(hold) = tried {
                        let lease = Lease { account, amount, ends: lease_end(now) };
                        if account == 3 {
                            model.missing += amount * 60_000;
                        }
                        holds.push((hold, model.leases.len()));
                        model.leases.push(lease);
                    }
                }
                Deed::Settle { hold, used } if !holds.is_empty() => {
                    let (hold, lease) = holds.swap_remove(hold % holds.len());
                    let Lease { account, amount, .. } = model.leases[lease];
                    model.leases[lease].ends = 0;
                    hold.settle(&busy, &[used], now);
                    let used = used.unwrap_or(amount);
                    if account == 3 {
                        model.missing = (model.missing + used * 60_000).saturating_sub(amount * 60_000);
                    } else if account < 2 {
                        model.spent[account] += used;
                        all_used[account] += used;
                        forced_ever[account] |= used > amount;
                    }
                }
                Deed::Renew { hold } if !holds.is_empty() => {
                    let place = hold % holds.len();
                    let (hold, lease) = &mut holds[place];
                    let lease = &mut model.leases[*lease];
                    // One that ended and is made anew may not fit any more.
                    forced_ever[lease.account] |= lease.ends <= now.0;
                    hold.renew(&busy, now);
                    if lease.ends <= now.0 + 40 * SECOND {
                        lease.ends = lease_end(now);
                    }
                }
                Deed::Forget { hold } if !holds.is_empty() => drop(holds.swap_remove(hold % holds.len())),
                Deed::Wait { millis } => {
                    now = Time(now.0 + millis * 1_000_000);
                    model.advance(now);
                }
                _ => {}
            }
            for (account, forced_ever) in forced_ever.iter().enumerate() {
                let standing = standing(&busy, &format!("rule={account}"), gauge(account), now);
                let spent = if account == 3 { model.missing.div_ceil(60_000) } else { model.spent[account] };
                prop_assert_eq!(standing.spent, spent);
                let reserved = if account == 3 { 0 } else { model.reserved(account, now) };
                prop_assert_eq!(standing.reserved, reserved);
                if account < 3 && !forced_ever {
                    prop_assert!(standing.spent + standing.reserved <= standing.limit);
                }
            }
        }
        holds.into_iter().for_each(|(hold, lease)| {
            let Lease { account, .. } = model.leases[lease];
            hold.settle(&busy, &[Some(1)], now);
            all_used[account] += 1;
        });
        for (account, used) in all_used.into_iter().enumerate().take(2) {
            let standing = standing(&busy, &format!("rule={account}"), gauge(account), Time(now.0 + 80 * SECOND));
            prop_assert_eq!((standing.spent, standing.reserved), (used, 0));
        }
    }

    #[test]
    fn no_value_is_too_damaged(
        value in prop::collection::vec(any::<u8>(), 0..400),
        cut in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        seconds in any::<u64>(),
        amount in any::<u128>(),
        used in prop::option::of(any::<u128>()),
        numbers in any::<(u64, u64, u64, u128)>(),
    ) {
        let table = Table::default();
        let key = slot::key(slot::of(b"b=x"));
        // A good value with bytes changed, behind it anything.
        let good = vec![claim("b=x", day(100), 5), claim("b=x", Gauge::Slots { most: 9 }, 2)];
        reserve(&table, good, at(0)).unwrap();
        let mut damaged = table.get(&key).unwrap();
        for (place, byte) in cut {
            let place = place.index(damaged.len());
            damaged[place] = byte;
        }
        let now = Time(seconds);
        let (starts, ends, capacity, limit) = numbers;
        for value in [value.clone(), [&[1], &value[..]].concat(), [damaged, value.clone()].concat()] {
            for gauge in [Gauge::Window { limit, starts, ends }, Gauge::Bucket { capacity }, Gauge::Slots { most: capacity }] {
                table.set(&key, &value);
                let _ = standing(&table, "b=x", gauge, now);
                let _ = all(&table, 99, now);
                let _ = reserve(&table, vec![claim("b=x", gauge, amount)], now);
                let forced = Claim { forced: true, ..claim("b=x", gauge, amount) };
                let mut hold = reserve(&table, vec![forced], now).unwrap();
                hold.renew(&table, Time(now.0.saturating_add(30 * SECOND)));
                hold.settle(&table, &[used], Time(now.0.saturating_sub(30 * SECOND)));
                let _ = open(&table, &[("b=x".into(), gauge, amount)], now);
            }
        }
    }
}

/// As Envoy's: one table behind one mutex.
#[derive(Default)]
struct Locked(Mutex<HashMap<String, (Vec<u8>, u32)>>);

impl Shared for Locked {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.0.lock().unwrap().get(key).map(|(value, version)| (value.clone(), Version(*version)))
    }
    fn swap(&self, key: &str, value: &[u8], version: Option<Version>) -> bool {
        let mut values = self.0.lock().unwrap();
        let known = values.get(key).map(|(_, version)| Version(*version));
        if known == version {
            values.insert(key.to_owned(), (value.to_vec(), known.map_or(1, |version| version.0 + 1)));
        }
        known == version
    }
    fn set(&self, _key: &str, _value: &[u8]) {}
}

#[core::prelude::v1::test]
fn threads_never_spend_more_than_there_is_and_nothing_gets_lost() {
    let host = Locked::default();
    let (all_gauge, own_gauge) = (day(100_000), day(20_000));
    let used: Vec<u128> = std::thread::scope(|scope| {
        let work = |number: u64| {
            let host = &host;
            scope.spawn(move || {
                let (mut used, mut open) = (0, Vec::new());
                for round in 0..800_u64 {
                    let own = format!("own={}", number % 3);
                    let bucket = Gauge::Bucket { capacity: 1_000_000_000 };
                    let claims =
                        vec![claim("all=", all_gauge, 100), claim(&own, own_gauge, 100), claim("l=", bucket, 9)];
                    if let Ok(hold) = reserve(host, claims, at(0)) {
                        open.push(hold);
                    }
                    if round % 7 == 6 {
                        for hold in open.drain(..) {
                            let amount = u128::from((round + number) % 50);
                            used += amount;
                            hold.settle(host, &[Some(amount), Some(amount), Some(2)], at(0));
                        }
                    }
                }
                for hold in open {
                    used += 100;
                    hold.settle(host, &[None, None, Some(2)], at(0));
                }
                used
            })
        };
        let threads: Vec<_> = (0..8).map(work).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let total: u128 = used.iter().sum();
    assert_eq!(sums(&host, "all=", all_gauge, at(0)), (total, 0));
    assert!(total > 50_000 && total <= 60_000, "three of 20,000 are the narrower: {total}");
    let own = (0..3).map(|number| sums(&host, &format!("own={number}"), own_gauge, at(0)));
    assert!(own.into_iter().all(|(spent, reserved)| spent <= 20_000 && reserved == 0));
}
