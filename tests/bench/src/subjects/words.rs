//! `&str -> u64`: does a hit allocate for its key?

use std::convert::Infallible;
use std::sync::LazyLock;

use cached::macros::{cached, concurrent_cached};
use cachier::cachier;
use memoize::memoize;
use quick_cache::sync::Cache as QuickCache;

use super::{CAPACITY, compute, names, subject};
use crate::case::Case;
use crate::workload::KEYS;

/// Unbounded.
pub fn unbounded() -> Case<&'static str> {
    Case {
        title: "`&str`, unbounded",
        keys: names(KEYS),
        calls: 20_000,
        reference: "cached, `#[cached]`",
        subjects: vec![
            subject!("**cachier**", "off", |name| off(name)),
            subject!("**cachier**", "rate 0", |name| rate_none(name)),
            subject!("**cachier**", "rate 0.1", |name| rate_tenth(name)),
            subject!("**cachier**", "rate 1.0", |name| rate_all(name)),
            subject!("cached, `#[cached]`", "hits", |name| peer_cached(name)),
            subject!("cached, `#[concurrent_cached]`", "hits", |name| {
                peer_concurrent(name)
            }),
            subject!("memoize, shared", "none", |name| peer_memoize(
                name.to_owned()
            )),
            subject!("moka, `get_with_by_ref`", "none", |name| peer_moka(name)),
            subject!("quick_cache, bounded", "none", |name| peer_quick(name)),
        ],
    }
}

#[cachier(backend = "memory")]
fn off(name: &str) -> u64 {
    compute(name.len() as u64)
}

#[cachier(backend = "memory", enable_metrics, sampling_rate = 0.0)]
fn rate_none(name: &str) -> u64 {
    compute(name.len() as u64)
}

#[cachier(backend = "memory", enable_metrics, sampling_rate = 0.1)]
fn rate_tenth(name: &str) -> u64 {
    compute(name.len() as u64)
}

#[cachier(backend = "memory", enable_metrics, sampling_rate = 1.0)]
fn rate_all(name: &str) -> u64 {
    compute(name.len() as u64)
}

#[cached]
fn peer_cached(name: &str) -> u64 {
    compute(name.len() as u64)
}

#[concurrent_cached]
fn peer_concurrent(name: &str) -> u64 {
    compute(name.len() as u64)
}

#[memoize(SharedCache)]
fn peer_memoize(name: String) -> u64 {
    compute(name.len() as u64)
}

fn peer_moka(name: &str) -> u64 {
    static CACHE: LazyLock<moka::sync::Cache<String, u64>> =
        LazyLock::new(|| moka::sync::Cache::builder().build());
    CACHE.get_with_by_ref(name, || compute(name.len() as u64))
}

fn peer_quick(name: &str) -> u64 {
    static CACHE: LazyLock<QuickCache<String, u64>> = LazyLock::new(|| QuickCache::new(CAPACITY));
    let Ok(value) =
        CACHE.get_or_insert_with(name, || Ok::<_, Infallible>(compute(name.len() as u64)));
    value
}
