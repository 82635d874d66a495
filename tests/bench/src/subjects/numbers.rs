//! `u64 -> u64`: unbounded, with a capacity, with a maximal age, and with both.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::LazyLock;
use std::time::Duration;

use cached::macros::{cached, concurrent_cached};
use cachier::cachier;
use foldhash::fast::RandomState;
use memoize::memoize;
use quick_cache::sync::Cache as QuickCache;

use super::{CAPACITY, compute, subject};
use crate::case::Case;
use crate::harness::Subject;
use crate::workload::KEYS;

const HOUR: Duration = Duration::from_secs(3600);

/// Unbounded.
pub fn unbounded() -> Case<u64> {
    case(
        "`u64`, unbounded",
        "cached, `#[cached]`",
        vec![
            subject!("thread-local map (the floor)", "none", |id| floor(id)),
            subject!("**cachier**", "off", |id| off(id)),
            subject!("**cachier**", "rate 0", |id| rate_none(id)),
            subject!("**cachier**", "rate 0.1", |id| rate_tenth(id)),
            subject!("**cachier**", "rate 1.0", |id| rate_all(id)),
            subject!("cached, `#[cached]`", "hits", |id| peer_cached(id)),
            subject!("cached, `#[cached(unsync_reads)]`", "hits", |id| {
                peer_cached_reads(id)
            }),
            subject!("cached, `#[concurrent_cached]`", "hits", |id| {
                peer_concurrent(id)
            }),
            subject!("memoize, shared", "none", |id| peer_memoize(id)),
            subject!("moka, `get_with`", "none", |id| peer_moka(id)),
        ],
    )
}

/// With a capacity.
pub fn bounded() -> Case<u64> {
    case(
        "`u64`, bounded in entries",
        "cached, `#[cached(max_size)]`",
        vec![
            subject!("**cachier**, `capacity`", "off", |id| bounded_off(id)),
            subject!("**cachier**, `capacity`", "rate 0.1", |id| bounded_tenth(
                id
            )),
            subject!("cached, `#[cached(max_size)]`", "hits", |id| {
                peer_cached_bounded(id)
            }),
            subject!("cached, `#[concurrent_cached(max_size)]`", "hits", |id| {
                peer_concurrent_bounded(id)
            }),
            subject!("memoize, shared, `Capacity`", "none", |id| {
                peer_memoize_bounded(id)
            }),
            subject!("moka, `max_capacity`", "none", |id| peer_moka_bounded(id)),
            subject!("quick_cache", "none", |id| peer_quick(id)),
        ],
    )
}

/// Stale after an hour.
pub fn aging() -> Case<u64> {
    case(
        "`u64`, bounded in age",
        "cached, `#[cached(ttl_secs)]`",
        vec![
            subject!("**cachier**, `stale_after`", "off", |id| aging_off(id)),
            subject!("**cachier**, `stale_after`", "rate 0.1", |id| aging_tenth(
                id
            )),
            subject!("cached, `#[cached(ttl_secs)]`", "hits", |id| {
                peer_cached_aging(id)
            }),
            subject!("cached, `#[concurrent_cached(ttl_secs)]`", "hits", |id| {
                peer_concurrent_aging(id)
            }),
            subject!("memoize, shared, `TimeToLive`", "none", |id| {
                peer_memoize_aging(id)
            }),
            subject!("moka, `time_to_live`", "none", |id| peer_moka_aging(id)),
        ],
    )
}

/// With both.
pub fn bounded_and_aging() -> Case<u64> {
    case(
        "`u64`, bounded in entries and age",
        "cached, `#[cached(max_size, ttl_secs)]`",
        vec![
            subject!("**cachier**, `capacity`, `stale_after`", "rate 0.1", |id| {
                both_tenth(id)
            }),
            subject!("cached, `#[cached(max_size, ttl_secs)]`", "hits", |id| {
                peer_cached_both(id)
            }),
            subject!("moka, `max_capacity`, `time_to_live`", "none", |id| {
                peer_moka_both(id)
            }),
        ],
    )
}

fn case(title: &'static str, reference: &'static str, subjects: Vec<Subject<u64>>) -> Case<u64> {
    Case {
        title,
        keys: (0..KEYS as u64).collect(),
        calls: 20_000,
        reference,
        subjects,
    }
}

#[cachier(backend = "memory")]
fn off(id: u64) -> u64 {
    compute(id)
}

#[cachier(backend = "memory", enable_metrics, sampling_rate = 0.0)]
fn rate_none(id: u64) -> u64 {
    compute(id)
}

#[cachier(backend = "memory", enable_metrics, sampling_rate = 0.1)]
fn rate_tenth(id: u64) -> u64 {
    compute(id)
}

#[cachier(backend = "memory", enable_metrics, sampling_rate = 1.0)]
fn rate_all(id: u64) -> u64 {
    compute(id)
}

#[cachier(backend = "memory", capacity = 20_000)]
fn bounded_off(id: u64) -> u64 {
    compute(id)
}

#[cachier(
    backend = "memory",
    capacity = 20_000,
    enable_metrics,
    sampling_rate = 0.1
)]
fn bounded_tenth(id: u64) -> u64 {
    compute(id)
}

#[cachier(backend = "memory", stale_after = "1h")]
fn aging_off(id: u64) -> u64 {
    compute(id)
}

#[cachier(
    backend = "memory",
    stale_after = "1h",
    enable_metrics,
    sampling_rate = 0.1
)]
fn aging_tenth(id: u64) -> u64 {
    compute(id)
}

#[cachier(
    backend = "memory",
    capacity = 20_000,
    stale_after = "1h",
    enable_metrics,
    sampling_rate = 0.1
)]
fn both_tenth(id: u64) -> u64 {
    compute(id)
}

/// A lower bound: thread-local, without metrics, locks or reclamation.
fn floor(id: u64) -> u64 {
    thread_local! {
        static VALUES: RefCell<HashMap<u64, u64, RandomState>> = RefCell::default();
    }
    // Each thread computes its own values, uncounted.
    VALUES.with_borrow_mut(|values| *values.entry(id).or_insert(id))
}

#[cached]
fn peer_cached(id: u64) -> u64 {
    compute(id)
}

#[cached(unsync_reads = true)]
fn peer_cached_reads(id: u64) -> u64 {
    compute(id)
}

#[cached(max_size = 20_000)]
fn peer_cached_bounded(id: u64) -> u64 {
    compute(id)
}

#[cached(ttl_secs = 3600)]
fn peer_cached_aging(id: u64) -> u64 {
    compute(id)
}

#[cached(max_size = 20_000, ttl_secs = 3600)]
fn peer_cached_both(id: u64) -> u64 {
    compute(id)
}

#[concurrent_cached]
fn peer_concurrent(id: u64) -> u64 {
    compute(id)
}

#[concurrent_cached(max_size = 20_000)]
fn peer_concurrent_bounded(id: u64) -> u64 {
    compute(id)
}

#[concurrent_cached(ttl_secs = 3600)]
fn peer_concurrent_aging(id: u64) -> u64 {
    compute(id)
}

#[memoize(SharedCache)]
fn peer_memoize(id: u64) -> u64 {
    compute(id)
}

#[memoize(SharedCache, Capacity: 20_000)]
fn peer_memoize_bounded(id: u64) -> u64 {
    compute(id)
}

#[memoize(SharedCache, TimeToLive: HOUR)]
fn peer_memoize_aging(id: u64) -> u64 {
    compute(id)
}

/// A function around a moka cache that is built like this.
macro_rules! moka {
    ($name:ident: $($build:tt)*) => {
        fn $name(id: u64) -> u64 {
            static CACHE: LazyLock<moka::sync::Cache<u64, u64>> =
                LazyLock::new(|| moka::sync::Cache::builder()$($build)*.build());
            CACHE.get_with(id, || compute(id))
        }
    };
}

moka!(peer_moka:);
moka!(peer_moka_bounded: .max_capacity(CAPACITY as u64));
moka!(peer_moka_aging: .time_to_live(HOUR));
moka!(peer_moka_both: .max_capacity(CAPACITY as u64).time_to_live(HOUR));

fn peer_quick(id: u64) -> u64 {
    static CACHE: LazyLock<QuickCache<u64, u64>> = LazyLock::new(|| QuickCache::new(CAPACITY));
    let Ok(value) = CACHE.get_or_insert_with(&id, || Ok::<_, Infallible>(compute(id)));
    value
}
