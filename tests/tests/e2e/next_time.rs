//! `next_time`: a stale value at once, and one recomputation in the background.

use std::time::Duration;

use cachier::testing::{Clock, isolated, isolated_async};
use cachier::{CallOptions, ErrorKind, Outcome, cachier, register_backend};
use cachier_metrics::{ComputeFailure, ComputePlace, Reason, StaleUse};
use cachier_tests::backend::{
    Fault, MapBackend, assert_that_leases_are_rarely_asked_for, with_map,
};
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, Gate, panic_silently};
use cachier_tests::sandbox::in_folder;
use cachier_tests::{count, double};

const HOUR: Duration = Duration::from_secs(3600);
const CALLERS: usize = 50;

macro_rules! refreshes {
    ($($name:ident: ($($argument:tt)*), $start:ident, {$($function:tt)*}, {$($wait:tt)*};)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn one_for_fifty_stale_callers() {
                static GATE: Gate = Gate::new();
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", next_time, enable_metrics)]
                $($function)* count(_key: u8) -> u64 {
                    let run = RUNS.next();
                    if run > 1 {
                        GATE.$($wait)*;
                    }
                    run
                }

                in_folder(|_| {
                    assert_eq!(Callers::new().$start(1, || count(1)).values(), [1]);
                    Clock::advance(2 * HOUR);
                    // All are served during the recomputation.
                    assert_eq!(Callers::new().$start(CALLERS, || count(1)).values(), [1; CALLERS]);
                    GATE.until_arrived(1);
                    assert_eq!(Callers::new().$start(CALLERS, || count(1)).values(), [1; CALLERS]);
                    GATE.open();
                    cachier::flush();
                    assert_eq!(Callers::new().$start(1, || count(1)).values(), [2]);
                    assert_eq!(RUNS.get(), 2);

                    let snapshot = count::metrics().snapshot();
                    assert_eq!(snapshot.calls[Outcome::Stale], 2 * CALLERS as u64);
                    assert_eq!(snapshot.stale_hits[StaleUse::Served], 2 * CALLERS as u64);
                    assert_eq!(snapshot.recalculations[Reason::Refresh], 1);
                    assert_eq!(snapshot.calls[Outcome::Hit], 1);
                });
            }

            #[test]
            fn keep_the_old_value_when_they_fail() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", next_time, retry_after = "0s", enable_metrics)]
                $($function)* fails(_key: u8) -> Result<u64, String> {
                    match RUNS.next() {
                        1 => Ok(1),
                        2 => Err("down".to_owned()),
                        3 => panic_silently(),
                        run => Ok(run),
                    }
                }

                in_folder(|_| {
                    let call = || Callers::new().$start(1, || fails(1)).values().remove(0);
                    call().unwrap();
                    Clock::advance(2 * HOUR);
                    for _ in 0..3 {
                        assert_eq!(call(), Ok(1));
                        cachier::flush();
                    }
                    assert_eq!(call(), Ok(4));
                    let failures = fails::metrics().snapshot().recalculation_failures;
                    for failure in [ComputeFailure::Error, ComputeFailure::Panic] {
                        assert_eq!(failures[failure][ComputePlace::Background], 1);
                    }
                });
            }
        }
    )*};
}

refreshes! {
    sync_on_memory: (backend = "memory"), on_threads, {fn}, {wait()};
    sync_on_file: (backend = "file"), on_threads, {fn}, {wait()};
    sync_on_near: (backend = "file", near_cache = 10), on_threads, {fn}, {wait()};
    async_on_memory: (backend = "memory"), in_tasks, {async fn}, {wait_async().await};
    async_on_file: (backend = "file"), in_tasks, {async fn}, {wait_async().await};
    async_on_near: (backend = "file", near_cache = 10), in_tasks, {async fn}, {wait_async().await};
}

#[test]
fn stale_calls_rarely_ask_for_the_lease() {
    double!(backend = registered("map"), stale_after = "1h", next_time);

    with_map(|map| {
        double(21);
        Clock::advance(2 * HOUR);
        assert_that_leases_are_rarely_asked_for(map, || {
            let call = double::call_detailed(CallOptions::new(), 21);
            assert_eq!(call.outcome, Outcome::Stale);
        });
    });
}

#[test]
fn values_older_than_max_stale_are_not_served() {
    count!(
        RUNS,
        backend = "memory",
        stale_after = "1h",
        next_time,
        max_stale = "5h"
    );

    isolated(|| {
        count(1);
        Clock::advance(5 * HOUR);
        assert_eq!(count(1), 1);
        cachier::flush();
        assert_eq!(count(1), 2);
        Clock::advance(5 * HOUR + Duration::from_nanos(1));
        let call = count::call_detailed(CallOptions::new(), 1);
        assert_eq!((call.value, call.outcome), (3, Outcome::Miss));
    });
}

#[test]
fn values_older_than_max_age_are_not_served() {
    count!(RUNS, backend = "memory", stale_after = "1h", next_time);

    isolated(|| {
        count(1);
        Clock::advance(2 * HOUR);
        assert_eq!(count::call_with(CallOptions::new().max_age(HOUR), 1), 2);
    });
}

#[tokio::test]
async fn a_cancelled_caller_does_not_cancel_the_refresh() {
    static GATE: Gate = Gate::new();
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "memory", stale_after = "1h", next_time)]
    async fn count(_key: u8) -> u64 {
        let run = RUNS.next();
        if run > 1 {
            GATE.wait_async().await;
        }
        run
    }

    isolated_async(async {
        count(1).await;
        Clock::advance(2 * HOUR);
        // The caller is gone with its value before the refresh begins.
        assert_eq!(count(1).await, 1);
        GATE.open();
        cachier::flush_async().await;
        assert_eq!(count(1).await, 2);
    })
    .await;
}

/// Counts its clones.
#[derive(PartialEq, Eq, Hash, Debug)]
struct Traced(u8);

static CLONES: Counter = Counter::new();

impl Clone for Traced {
    fn clone(&self) -> Self {
        CLONES.next();
        Self(self.0)
    }
}

#[test]
fn arguments_are_cloned_only_for_actual_recomputations() {
    static GATE: Gate = Gate::new();
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "memory", stale_after = "1h", next_time)]
    fn count(_key: &Traced) -> u64 {
        let run = RUNS.next();
        if run > 1 {
            GATE.wait();
        }
        run
    }

    isolated(|| {
        let key = Traced(1);
        count(&key);
        Clock::advance(2 * HOUR);
        count(&key);
        GATE.until_arrived(1);
        let before = CLONES.get();
        for _ in 0..10 {
            count(&key);
        }
        // A call off the hit path only makes its own key.
        assert_eq!(CLONES.get() - before, 10);
        GATE.open();
        cachier::flush();
    });
}

macro_rules! unstored {
    ($($name:ident: $length:expr, $fault:expr;)*) => {$(
        #[test]
        fn $name() {
            static RUNS: Counter = Counter::new();

            #[cachier(backend = registered("map"), stale_after = "1h", next_time)]
            fn count(_key: u8) -> String {
                RUNS.next().to_string().repeat($length)
            }

            isolated(|| {
                let map = MapBackend::default();
                register_backend("map", map.clone()).unwrap();
                assert!(count(1).starts_with('1'));
                cachier::flush();
                Clock::advance(2 * HOUR);
                map.set($fault);
                for pauses in 1..=3 {
                    let asked = map.asked_for_leases();
                    for _ in 0..CALLERS {
                        assert!(count(1).starts_with('1'));
                        cachier::flush();
                    }
                    assert_eq!(map.asked_for_leases() - asked, 1, "in the {pauses}. pause");
                    Clock::advance(Duration::from_secs(5));
                }
                assert!(RUNS.get() <= 4, "{}", RUNS.get());
            });
        }
    )*};
}

unstored! {
    an_unstorable_refresh_is_not_repeated_at_once:
        1, Fault::FailsToStore(ErrorKind::Full);
    a_large_unstorable_refresh_is_not_repeated:
        2 << 20, Fault::FailsToStore(ErrorKind::Full);
    an_unleased_refresh_is_not_repeated_at_once:
        1, Fault::FailsToLease(ErrorKind::Denied);
}
