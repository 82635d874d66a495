//! `&str -> u64`: does a hit allocate for its key?

use std::convert::Infallible;
use std::sync::LazyLock;

use cached::macros::{cached, concurrent_cached};
use cachier::cachier;
use memoize::memoize;
use quick_cache::sync::Cache as QuickCache;

use super::shared::{CAPACITY, compute, functions, names, subject};
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
            subject!("**cachier**", "off", off),
            subject!("**cachier**", "rate 0", rate_none),
            subject!("**cachier**", "default", rate_auto),
            subject!("**cachier**", "rate 0.1", rate_tenth),
            subject!("**cachier**", "rate 1.0", rate_all),
            subject!("cached, `#[cached]`", "hits", peer_cached),
            subject!("cached, `#[concurrent_cached]`", "hits", peer_concurrent),
            subject!("memoize, shared", "none", |name| peer_memoize(
                name.to_owned()
            )),
            subject!("moka, `get_with_by_ref`", "none", peer_moka),
            subject!("quick_cache, bounded", "none", peer_quick),
        ],
    }
}

functions! {
    fn(name: &str) -> u64 { compute(name.len() as u64) }

    #[cachier(backend = "memory")] off
    #[cachier(backend = "memory", enable_metrics, sampling_rate = 0.0)] rate_none
    #[cachier(backend = "memory", enable_metrics)] rate_auto
    #[cachier(backend = "memory", enable_metrics, sampling_rate = 0.1)] rate_tenth
    #[cachier(backend = "memory", enable_metrics, sampling_rate = 1.0)] rate_all
    #[cached] peer_cached
    #[concurrent_cached] peer_concurrent
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
