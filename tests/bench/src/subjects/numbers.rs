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

use super::shared::{CAPACITY, compute, functions, subject};
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
            subject!("thread-local map (the floor)", "none", floor),
            subject!("**cachier**", "off", off),
            subject!("**cachier**", "rate 0", rate_none),
            subject!("**cachier**", "default", rate_auto),
            subject!("**cachier**", "rate 0.1", rate_tenth),
            subject!("**cachier**", "rate 1.0", rate_all),
            Subject {
                name: "**cachier**, 20th of a generic function",
                metrics: "off",
                run: last_of_many,
            },
            subject!("cached, `#[cached]`", "hits", peer_cached),
            subject!(
                "cached, `#[cached(unsync_reads)]`",
                "hits",
                peer_cached_reads
            ),
            subject!("cached, `#[concurrent_cached]`", "hits", peer_concurrent),
            subject!("memoize, shared", "none", peer_memoize),
            subject!("moka, `get_with`", "none", peer_moka),
        ],
    )
}

/// With a capacity.
pub fn bounded() -> Case<u64> {
    case(
        "`u64`, bounded in entries",
        "cached, `#[cached(max_size)]`",
        vec![
            subject!("**cachier**, `capacity`", "off", bounded_off),
            subject!("**cachier**, `capacity`", "default", bounded_auto),
            subject!("**cachier**, `capacity`", "rate 0.1", bounded_tenth),
            subject!("cached, `#[cached(max_size)]`", "hits", peer_cached_bounded),
            subject!(
                "cached, `#[concurrent_cached(max_size)]`",
                "hits",
                peer_concurrent_bounded
            ),
            subject!("memoize, shared, `Capacity`", "none", peer_memoize_bounded),
            subject!("moka, `max_capacity`", "none", peer_moka_bounded),
            subject!("quick_cache", "none", peer_quick),
        ],
    )
}

/// Stale after an hour.
pub fn aging() -> Case<u64> {
    case(
        "`u64`, bounded in age",
        "cached, `#[cached(ttl_secs)]`",
        vec![
            subject!("**cachier**, `stale_after`", "off", aging_off),
            subject!("**cachier**, `stale_after`", "default", aging_auto),
            subject!("**cachier**, `stale_after`", "rate 0.1", aging_tenth),
            subject!("cached, `#[cached(ttl_secs)]`", "hits", peer_cached_aging),
            subject!(
                "cached, `#[concurrent_cached(ttl_secs)]`",
                "hits",
                peer_concurrent_aging
            ),
            subject!("memoize, shared, `TimeToLive`", "none", peer_memoize_aging),
            subject!("moka, `time_to_live`", "none", peer_moka_aging),
        ],
    )
}

/// With both.
pub fn bounded_and_aging() -> Case<u64> {
    case(
        "`u64`, bounded in entries and age",
        "cached, `#[cached(max_size, ttl_secs)]`",
        vec![
            subject!(
                "**cachier**, `capacity`, `stale_after`",
                "rate 0.1",
                both_tenth
            ),
            subject!(
                "cached, `#[cached(max_size, ttl_secs)]`",
                "hits",
                peer_cached_both
            ),
            subject!(
                "moka, `max_capacity`, `time_to_live`",
                "none",
                peer_moka_both
            ),
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

functions! {
    fn(id: u64) -> u64 { compute(id) }

    #[cachier(backend = "memory")] off
    #[cachier(backend = "memory", enable_metrics, sampling_rate = 0.0)] rate_none
    #[cachier(backend = "memory", enable_metrics)] rate_auto
    #[cachier(backend = "memory", enable_metrics, sampling_rate = 0.1)] rate_tenth
    #[cachier(backend = "memory", enable_metrics, sampling_rate = 1.0)] rate_all
    #[cachier(backend = "memory", capacity = 20_000)] bounded_off
    #[cachier(backend = "memory", capacity = 20_000, enable_metrics)] bounded_auto
    #[cachier(backend = "memory", capacity = 20_000, enable_metrics, sampling_rate = 0.1)] bounded_tenth
    #[cachier(backend = "memory", stale_after = "1h")] aging_off
    #[cachier(backend = "memory", stale_after = "1h", enable_metrics)] aging_auto
    #[cachier(backend = "memory", stale_after = "1h", enable_metrics, sampling_rate = 0.1)] aging_tenth
    #[cachier(backend = "memory", capacity = 20_000, stale_after = "1h", enable_metrics, sampling_rate = 0.1)] both_tenth
    #[cached] peer_cached
    #[cached(unsync_reads = true)] peer_cached_reads
    #[cached(max_size = 20_000)] peer_cached_bounded
    #[cached(ttl_secs = 3600)] peer_cached_aging
    #[cached(max_size = 20_000, ttl_secs = 3600)] peer_cached_both
    #[concurrent_cached] peer_concurrent
    #[concurrent_cached(max_size = 20_000)] peer_concurrent_bounded
    #[concurrent_cached(ttl_secs = 3600)] peer_concurrent_aging
    #[memoize(SharedCache)] peer_memoize
    #[memoize(SharedCache, Capacity: 20_000)] peer_memoize_bounded
    #[memoize(SharedCache, TimeToLive: HOUR)] peer_memoize_aging
}

#[cachier(backend = "memory")]
fn generic<const N: usize>(id: u64) -> u64 {
    compute(id)
}

/// Calls the last instantiation of many, once the others are known.
fn last_of_many(ids: &[u64]) -> u64 {
    macro_rules! call_once {
        ($($number:literal)*) => {$( generic::<$number>(0); )*};
    }
    call_once!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18);
    ids.iter().fold(0, |sum, &id| sum ^ generic::<19>(id))
}

/// A lower bound: thread-local, without metrics, locks or reclamation.
fn floor(id: u64) -> u64 {
    thread_local! {
        static VALUES: RefCell<HashMap<u64, u64, RandomState>> = RefCell::default();
    }
    // Each thread computes its own values, uncounted.
    VALUES.with_borrow_mut(|values| *values.entry(id).or_insert(id))
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
