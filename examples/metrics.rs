//! Reads the metrics of cached functions in the program: `cargo run --release --bin metrics`.
#![expect(clippy::print_stdout, reason = "a program that shows figures")]

use std::time::Duration;

use cachier::{CacheMetrics, Snapshot, Stats, cachier};

/// The start below `limit` with the longest Collatz sequence; every call is timed.
#[cachier(backend = "memory", capacity = 400, enable_metrics)]
fn longest_collatz(limit: u64) -> Option<u64> {
    let next = |n: &u64| {
        (*n != 1).then(|| {
            if n.is_multiple_of(2) {
                n / 2
            } else {
                3 * n + 1
            }
        })
    };
    (1..limit).max_by_key(|start| std::iter::successors(Some(*start), next).count())
}

/// The number of primes up to `limit`; one call in ten is timed, every call is counted.
#[cachier(backend = "memory", enable_metrics, sampling_rate = 0.1)]
fn primes_up_to(limit: u64) -> usize {
    let is_prime = |n: &u64| {
        (2..)
            .take_while(|d| d * d <= *n)
            .all(|d| !n.is_multiple_of(d))
    };
    (2..=limit).filter(is_prime).count()
}

fn main() {
    work();
    let (collatz, primes) = (longest_collatz::metrics(), primes_up_to::metrics());

    println!("== Everything about one function\n{}", collatz.stats());
    counts_and_shares(&collatz.stats());
    windows(collatz);
    intervals(primes);
    merged(&[collatz, primes]);
    after_a_reset(collatz);
}

/// Calls with a few popular arguments and many rare ones.
fn work() {
    let mut random = 1_u64;
    for _ in 0..20_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let share = (random >> 40) as f64 / (1_u64 << 24) as f64;
        longest_collatz(2 + (share.powi(8) * 800.0) as u64);
        primes_up_to(1000 + (share.powi(3) * 500.0) as u64);
    }
}

fn counts_and_shares(stats: &Stats) {
    println!("== Counts are exact, shares are absent without lookups");
    println!(
        "{} calls = {} hits + {} misses",
        stats.calls, stats.hits, stats.misses
    );
    println!(
        "hit rate {:?}, served rate {:?}",
        stats.hit_rate(),
        stats.served_rate()
    );
    println!(
        "{} entries; {} were removed to make room\n",
        stats.entries.unwrap_or(0),
        stats.removals
    );
}

/// Every figure is available for the last minute, hour and day, or any window up to a day.
fn windows(metrics: &CacheMetrics) {
    println!("== Windows");
    for seconds in [1, 60, 3600] {
        let stats = metrics.stats_over(Duration::from_secs(seconds));
        println!(
            "last {seconds:>4} s: {:>6} calls, covering {:.1?}",
            stats.calls, stats.covers
        );
    }
    println!();
}

/// Sampling has confidence intervals: they contain the true quantile with a probability of 95 %.
fn intervals(metrics: &CacheMetrics) {
    let stats = metrics.stats();
    println!(
        "== Sampled at {}: {} calls counted",
        metrics.sampling_rate(),
        stats.calls
    );
    println!("hits timed stand for {:?} hits", stats.hit_latency.count());
    for q in [0.5, 0.9, 0.99] {
        let (value, interval) = (stats.hit_latency.quantile(q), stats.hit_latency.interval(q));
        println!("hit latency, quantile {q}: {value:?} within {interval:?}");
    }
    println!();
}

/// Snapshots (which are `serde`) add up, over functions and processes; ratios are computed afterwards.
fn merged(functions: &[&CacheMetrics]) {
    let both: Snapshot = functions.iter().map(|metrics| metrics.snapshot()).sum();
    let stats = Stats::from(&both);
    println!("== Together");
    println!(
        "{} calls, hit rate {:?}, saved {:?}\n",
        stats.calls,
        stats.hit_rate(),
        stats.time_saved
    );
}

fn after_a_reset(metrics: &CacheMetrics) {
    metrics.reset();
    longest_collatz(27);
    println!("== After a reset");
    println!(
        "{} call for `stats()`, still {:?} for exporters",
        metrics.stats().calls,
        metrics.snapshot().calls
    );
}
