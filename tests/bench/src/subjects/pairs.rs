//! `(&str, u32) -> String`: two arguments, and a value whose clone allocates in any library.

use std::sync::LazyLock;

use cached::macros::{cached, concurrent_cached};
use cachier::cachier;
use memoize::memoize;

use super::shared::{compute, functions, names, subject};
use crate::case::Case;
use crate::workload::KEYS;

/// Unbounded.
pub fn unbounded() -> Case<(&'static str, u32)> {
    Case {
        title: "`(&str, u32) -> String`, unbounded",
        keys: names(KEYS).into_iter().zip(0..).collect(),
        calls: 20_000,
        reference: "cached, `#[cached]`",
        subjects: vec![
            subject!("**cachier**", "off", |pair| off(pair.0, pair.1).len()
                as u64),
            subject!(
                "**cachier**",
                "rate 0.1",
                |pair| rate_tenth(pair.0, pair.1).len() as u64
            ),
            subject!(
                "**cachier**",
                "rate 1.0",
                |pair| rate_all(pair.0, pair.1).len() as u64
            ),
            subject!(
                "cached, `#[cached]`",
                "hits",
                |pair| peer_cached(pair.0, pair.1).len() as u64
            ),
            subject!(
                "cached, `#[concurrent_cached]`",
                "hits",
                |pair| peer_concurrent(pair.0, pair.1).len() as u64
            ),
            subject!(
                "memoize, shared",
                "none",
                |pair| peer_memoize(pair.0.to_owned(), pair.1).len() as u64
            ),
            subject!(
                "moka, `get_with`",
                "none",
                |pair| peer_moka(pair.0, pair.1).len() as u64
            ),
        ],
    }
}

fn describe(name: &str, n: u32) -> String {
    format!("{name} has {}", compute(u64::from(n)))
}

functions! {
    fn(name: &str, n: u32) -> String { describe(name, n) }

    #[cachier(backend = "memory")] off
    #[cachier(backend = "memory", enable_metrics, sampling_rate = 0.1)] rate_tenth
    #[cachier(backend = "memory", enable_metrics, sampling_rate = 1.0)] rate_all
    #[cached] peer_cached
    #[concurrent_cached] peer_concurrent
}

#[memoize(SharedCache)]
fn peer_memoize(name: String, n: u32) -> String {
    describe(&name, n)
}

fn peer_moka(name: &str, n: u32) -> String {
    static CACHE: LazyLock<moka::sync::Cache<(String, u32), String>> =
        LazyLock::new(|| moka::sync::Cache::builder().build());
    CACHE.get_with((name.to_owned(), n), || describe(name, n))
}
