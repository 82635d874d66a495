//! The live page, with something to see: `cargo run --release --bin dashboard [-- SECONDS]`.
//!
//! Several cached functions, some of them well cached and some not, are called from a few threads until the program is
//! stopped, or for so many seconds.
#![expect(clippy::print_stdout, reason = "a program that shows figures")]

use std::thread;
use std::time::{Duration, Instant};

use cachier::{PrometheusExporter, cachier};

/// Worth caching: asked for a few things again and again.
mod shop {
    use super::*;

    #[cachier(backend = "memory", capacity = 500, enable_metrics)]
    pub(super) fn price(article: u64) -> u64 {
        work_for(Duration::from_millis(2));
        article * 3
    }

    /// Stale after a second: who calls meanwhile gets the old value.
    #[cachier(backend = "memory", stale_after = "1s", next_time, enable_metrics)]
    pub(super) fn stock(article: u64) -> u64 {
        work_for(Duration::from_millis(5));
        article % 7
    }
}

mod reports {
    use super::*;

    /// On files, with a near tier.
    #[cachier(near_cache = 100, stale_after = "5m", enable_metrics)]
    pub(super) fn monthly(month: u64) -> Vec<u64> {
        work_for(Duration::from_millis(20));
        (0..month * 10).collect()
    }

    /// Hardly worth caching: nobody asks twice.
    #[cachier(backend = "memory", capacity = 100, enable_metrics)]
    pub(super) fn of_visitor(visitor: u64) -> u64 {
        work_for(Duration::from_micros(300));
        visitor.rotate_left(7)
    }
}

mod weather {
    use super::*;

    /// Fails half the time, which is not cached.
    #[cachier(backend = "memory", stale_after = "2s", skip(attempt), enable_metrics)]
    pub(super) fn forecast(city: u64, attempt: u64) -> Result<u64, String> {
        work_for(Duration::from_millis(1));
        match attempt % 2 {
            0 => Ok(city),
            _ => Err("no forecast today".to_owned()),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args()
        .nth(1)
        .map(|text| text.parse())
        .transpose()?;
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let exporter = PrometheusExporter::builder()
        .port(if seconds.is_some() { 0 } else { 9464 })
        .constant_label("service", "dashboard")
        .build()?;
    exporter.register_all()?;
    exporter.start()?;
    let address = exporter
        .local_addr()
        .ok_or("the exporter has just been started")?;
    println!("the page is at http://{address}/");
    thread::scope(|threads| {
        for seed in 1..=3 {
            threads.spawn(move || call_until(end, seed));
        }
    });
    Ok(())
}

/// Calls all functions, some more often than others.
fn call_until(end: Option<Instant>, seed: u64) {
    let mut draw = seed;
    while end.is_none_or(|end| Instant::now() < end) {
        draw = draw
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(seed);
        let number = draw >> 33;
        shop::price(number % 300);
        shop::stock(number % 20);
        if number.is_multiple_of(10) {
            reports::monthly(number % 24);
            reports::of_visitor(number);
            let _ = weather::forecast(number % 40, number / 10);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Stands for a computation.
fn work_for(time: Duration) {
    thread::sleep(time);
}
