//! What admission costs when many workers want the same accounts. `make bench` prints the table.
//!
//! The host's side is as Envoy's: one table behind one mutex, values copied out and in, a counter to compare with. With
//! more threads than cores the clock on the wall tells how threads wait for a core, so CPU time is what to look at.

#![allow(missing_docs, clippy::arithmetic_side_effects, clippy::expect_used, clippy::print_stdout)]
#![allow(clippy::disallowed_methods)]

use conduit::admit::accounts::{self, Claim, Gauge, Hold};
use conduit::host::{Shared, Time, Version};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Exchanges in each measurement, all threads together.
const EXCHANGES: usize = 80_000;

const NOW: Time = Time(1_795_219_200_000_000_000);

/// Values with the number of the writing that made each.
type Values = HashMap<String, (Vec<u8>, u32)>;

#[derive(Default)]
struct Host {
    /// And the last number given out.
    values: Mutex<(Values, u32)>,
    lost: AtomicU64,
    /// Whether another thread gets the core between reading and writing, as if there were a core for each.
    switches: bool,
}

impl Shared for Host {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        let host = self.values.lock().expect("no thread panics");
        let read = host.0.get(key).map(|(value, version)| (value.clone(), Version(*version)));
        drop(host);
        if self.switches {
            thread::yield_now();
        }
        read
    }

    fn swap(&self, key: &str, value: &[u8], version: Option<Version>) -> bool {
        let mut host = self.values.lock().expect("no thread panics");
        let known = host.0.get(key).map(|(_, version)| Version(*version));
        if known != version {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        host.1 += 1;
        let version = host.1;
        host.0.insert(key.to_owned(), (value.to_vec(), version));
        true
    }

    fn set(&self, key: &str, value: &[u8]) {
        let mut host = self.values.lock().expect("no thread panics");
        host.1 += 1;
        let version = host.1;
        host.0.insert(key.to_owned(), (value.to_vec(), version));
    }
}

/// Three budgets and two limits; `whose` stands for the consumer.
fn claims(whose: &str) -> Vec<Claim> {
    let window = |length: u64| {
        let starts = NOW.unix_seconds() / length * length;
        Gauge::Window { limit: u128::MAX, starts, ends: starts + length }
    };
    let claim = |account: String, gauge, amount| Claim { account, gauge, amount, forced: false };
    let bucket = Gauge::Bucket { capacity: u64::MAX / 2 };
    vec![
        claim("b \"company-day\" all=".to_owned(), window(86_400), 31_000_000_000),
        claim(format!("b \"project-month\" project={whose}"), window(30 * 86_400), 31_000_000_000),
        claim(format!("b \"spike\" consumer={whose}"), window(3_600), 31_000_000_000),
        claim(format!("l \"each\" requests consumer={whose}"), bucket, 1),
        claim(format!("l \"each\" tokens consumer={whose}"), bucket, 5_000),
    ]
}

/// What the whole process computed yet; 0 where the system does not say.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

struct Cost {
    cpu: Duration,
    wall: Duration,
    lost: f64,
}

/// Runs `work` on every thread's items, and says what one item costs.
fn measure<I: Send, O: Send>(host: &Host, items: Vec<Vec<I>>, work: impl Fn(I) -> O + Sync) -> (Vec<Vec<O>>, Cost) {
    let count = u32::try_from(items.iter().map(Vec::len).sum::<usize>()).expect("few");
    let barrier = Barrier::new(items.len());
    let (work, barrier) = (&work, &barrier);
    let (lost, cpu_before, begun) = (host.lost.load(Ordering::Relaxed), cpu(), Instant::now());
    let out: Vec<Vec<O>> = thread::scope(|scope| {
        let run = |items: Vec<I>| {
            scope.spawn(move || {
                let mut out = Vec::with_capacity(items.len());
                barrier.wait();
                items.into_iter().for_each(|item| out.push(work(item)));
                out
            })
        };
        let threads: Vec<_> = items.into_iter().map(run).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    let cost = Cost {
        cpu: (cpu() - cpu_before) / count,
        wall: begun.elapsed() / count,
        lost: (host.lost.load(Ordering::Relaxed) - lost) as f64 / f64::from(count),
    };
    (out, cost)
}

fn main() {
    println!("per exchange: 5 claims (3 budgets, 2 limits), {EXCHANGES} exchanges");
    println!("{:<28}{:>8}  {:<34}settle", "accounts", "threads", "admit");
    let cases =
        [("own ones but one", true, false), ("the same", false, false), ("the same, races forced", false, true)];
    for (name, own, switches) in cases {
        for threads in [1, 4, 16] {
            let host = Host { switches, ..Host::default() };
            let of_thread = |thread: usize| {
                let whose = if own { format!("consumer-{thread}") } else { "consumer".to_owned() };
                vec![claims(&whose); EXCHANGES / threads]
            };
            let items = (0..threads).map(of_thread).collect();
            let (holds, admit) = measure(&host, items, |claims| accounts::reserve(&host, claims, NOW));
            let holds = holds.into_iter().map(|holds| holds.into_iter().flatten().collect::<Vec<Hold>>()).collect();
            let used = [Some(1_000_000_000), Some(1_000_000_000), Some(1_000_000_000), Some(1), Some(700)];
            let (_, settle) = measure(&host, holds, |hold| hold.settle(&host, &used, NOW));
            let show = |cost: Cost| format!("{:>8.1?} CPU {:>8.1?} wall {:>4.1} lost", cost.cpu, cost.wall, cost.lost);
            println!("{name:<28}{threads:>8}  {:<34}  {}", show(admit), show(settle));
            let all = claims("consumer").remove(0);
            let standing = accounts::standing(&host, &all.account, all.gauge, NOW);
            assert_eq!((standing.spent, standing.reserved), (EXCHANGES as u128 * 1_000_000_000, 0));
        }
    }
}
