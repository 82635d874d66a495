//! A failing source is left alone for a while, as long as stale values can be served.

use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{
    CacheMetrics, Call, CallOptions, ErrorKind, GlobalParams, Outcome, cachier, set_global_params,
};
use cachier_metrics::{Reason, StaleUse};
use cachier_tests::backend::{Fault, with_map};
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, but_once, once, panic_silently};
use cachier_tests::sandbox::{in_another_process, in_folder};
use cachier_tests::wait::until;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const CALLS: usize = 50;

/// Serves a stale value for three pauses, in each of which one call or refresh fails.
fn makes_one_attempt_per_pause(
    runs: &Counter,
    metrics: &CacheMetrics,
    reason: Reason,
    call: impl Fn() -> Call<Result<u64, String>>,
) {
    assert_eq!(call().value, Ok(1));
    Clock::advance(2 * HOUR);
    for attempts in 1..=3 {
        for _ in 0..CALLS {
            let call = call();
            assert_eq!((call.value, call.outcome), (Ok(1), Outcome::Stale));
        }
        assert_eq!(runs.get(), 1 + attempts);
        Clock::advance(5 * SECOND);
    }
    let snapshot = metrics.snapshot();
    let suppressed = metrics.stats().refreshes_suppressed;
    assert_eq!(suppressed, 3 * (CALLS as u64 - 1));
    assert_eq!(snapshot.recalculations[reason], 3);
    assert_eq!(snapshot.stale_hits[StaleUse::Served], 3 * CALLS as u64);
}

/// Defines a function that fails, and the counter of its runs.
macro_rules! fails {
    ({$($function:tt)*}, $name:ident, $fail:ident(&$runs:ident), $($argument:tt)*) => {
        static $runs: Counter = Counter::new();

        #[cachier($($argument)*)]
        $($function)* $name(_key: u8) -> Result<u64, String> {
            $fail(&$runs)
        }
    };
}

macro_rules! pauses {
    ($($name:ident: ($($argument:tt)*), $start:ident, {$($function:tt)*};)*) => {$(
        mod $name {
            use super::*;

            /// The result of one caller, once nothing is running.
            macro_rules! one {
                ($call:expr) => {{
                    let value = Callers::new().$start(1, move || $call).values().remove(0);
                    cachier::flush();
                    value
                }};
            }

            #[test]
            fn stale_on_error_makes_one_attempt_per_pause() {
                fails!({$($function)*}, fails, once(&RUNS), $($argument)*, stale_after = "1h", stale_on_error = "1d", enable_metrics);

                in_folder(|_| {
                    let call = || one!(fails::call_detailed(CallOptions::new(), 1));
                    makes_one_attempt_per_pause(&RUNS, fails::metrics(), Reason::Stale, call);
                });
            }

            #[test]
            fn values_past_max_stale_hide_no_failure() {
                fails!({$($function)*}, fails, once(&RUNS), $($argument)*,
                    stale_after = "1h", stale_on_error = "1d", max_stale = "3h", retry_after = "0s");

                in_folder(|_| {
                    assert_eq!(one!(fails(1)), Ok(1));
                    Clock::advance(2 * HOUR);
                    assert_eq!(one!(fails(1)), Ok(1));
                    Clock::advance(HOUR + SECOND);
                    assert_eq!(one!(fails(1)), Err("down".to_owned()));
                });
            }

            #[test]
            fn next_time_makes_one_attempt_per_pause() {
                fails!({$($function)*}, fails, once(&RUNS), $($argument)*, stale_after = "1h", next_time, enable_metrics);

                in_folder(|_| {
                    let call = || one!(fails::call_detailed(CallOptions::new(), 1));
                    makes_one_attempt_per_pause(&RUNS, fails::metrics(), Reason::Refresh, call);
                });
            }

            #[test]
            fn a_crowd_makes_one_attempt_per_pause() {
                fails!({$($function)*}, waits, once(&WAITING), $($argument)*, stale_after = "1h", stale_on_error = "1d");
                fails!({$($function)*}, refreshes, once(&REFRESHING), $($argument)*, stale_after = "1h", next_time);

                in_folder(|_| {
                    assert_eq!((one!(waits(1)), one!(refreshes(1))), (Ok(1), Ok(1)));
                    Clock::advance(2 * HOUR);
                    for attempts in 1..=5 {
                        let crowd = Callers::new().$start(CALLS, || waits(1));
                        assert_eq!(crowd.values(), vec![Ok(1); CALLS]);
                        let crowd = Callers::new().$start(CALLS, || refreshes(1));
                        assert_eq!(crowd.values(), vec![Ok(1); CALLS]);
                        cachier::flush();
                        assert_eq!(WAITING.get(), 1 + attempts);
                        assert_eq!(REFRESHING.get(), 1 + attempts);
                        Clock::advance(5 * SECOND);
                    }
                });
            }

            #[test]
            fn a_pause_lasts_as_configured() {
                fails!({$($function)*}, fails, but_once(&RUNS), $($argument)*, stale_after = "1h", stale_on_error = "1d", retry_after = "1m");

                in_folder(|_| {
                    assert_eq!(one!(fails(1)), Ok(1));
                    Clock::advance(2 * HOUR);
                    assert_eq!(one!(fails(1)), Ok(1));
                    Clock::advance(60 * SECOND - Duration::from_nanos(1));
                    assert_eq!(one!(fails(1)), Ok(1));
                    Clock::advance(Duration::from_nanos(1));
                    assert_eq!(one!(fails(1)), Ok(3));
                });
            }

            #[test]
            fn without_a_pause_each_call_makes_an_attempt() {
                fails!({$($function)*}, waits, once(&WAITING), $($argument)*, stale_after = "1h", stale_on_error = "1d", retry_after = "0s", enable_metrics);
                fails!({$($function)*}, refreshes, once(&REFRESHING), $($argument)*, stale_after = "1h", next_time, retry_after = "0s");

                in_folder(|_| {
                    assert_eq!((one!(waits(1)), one!(refreshes(1))), (Ok(1), Ok(1)));
                    Clock::advance(2 * HOUR);
                    for _ in 0..3 {
                        assert_eq!((one!(waits(1)), one!(refreshes(1))), (Ok(1), Ok(1)));
                    }
                    assert_eq!((WAITING.get(), REFRESHING.get()), (4, 4));
                    assert_eq!(waits::metrics().stats().refreshes_suppressed, 0);
                });
            }

            #[test]
            fn a_panic_in_the_background_begins_a_pause() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", next_time, enable_metrics)]
                $($function)* panics(_key: u8) -> u64 {
                    match RUNS.next() {
                        2 => panic_silently(),
                        run => run,
                    }
                }

                in_folder(|_| {
                    assert_eq!(one!(panics(1)), 1);
                    Clock::advance(2 * HOUR);
                    for _ in 0..3 {
                        assert_eq!(one!(panics(1)), 1);
                    }
                    assert_eq!(RUNS.get(), 2);
                    assert_eq!(panics::metrics().stats().refreshes_suppressed, 2);
                    until("it is tried again", || {
                        // The lease of the panicked one may take a moment to be free.
                        Clock::advance(5 * SECOND);
                        one!(panics(1)) == 3
                    });
                });
            }

            #[test]
            fn a_panic_of_a_call_begins_a_pause() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", stale_on_error = "1d")]
                $($function)* panics(_key: u8) -> u64 {
                    match RUNS.next() {
                        2 => panic_silently(),
                        run => run,
                    }
                }

                in_folder(|_| {
                    assert_eq!(one!(panics(1)), 1);
                    Clock::advance(2 * HOUR);
                    assert!(Callers::new().$start(1, || panics(1)).results()[0].is_err());
                    assert_eq!(one!(panics(1)), 1);
                    Clock::advance(5 * SECOND);
                    assert_eq!(one!(panics(1)), 3);
                });
            }

            #[test]
            fn an_invalidation_ends_a_pause() {
                fails!({$($function)*}, fails, but_once(&RUNS), $($argument)*, stale_after = "1h", stale_on_error = "1d");

                in_folder(|_| {
                    let fail = || {
                        Clock::advance(2 * HOUR);
                        assert_eq!(one!(fails(1)), Ok(1));
                        assert_eq!(one!(fails(1)), Ok(1));
                        assert_eq!(RUNS.get(), 2);
                    };
                    assert_eq!(one!(fails(1)), Ok(1));
                    fail();
                    one!(fails::invalidate(1)).unwrap();
                    assert_eq!(one!(fails(1)), Ok(3));
                });
            }

            #[test]
            fn whatever_is_stored_ends_a_pause() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1s", stale_on_error = "1d", retry_after = "1d")]
                $($function)* fails(_key: u8) -> Result<u64, String> {
                    match RUNS.next() {
                        run if run % 2 == 0 => Err("down".to_owned()),
                        run => Ok(run),
                    }
                }

                in_folder(|_| {
                    assert_eq!(one!(fails(1)), Ok(1));
                    Clock::advance(2 * SECOND);
                    assert_eq!((one!(fails(1)), one!(fails(1)), RUNS.get()), (Ok(1), Ok(1), 2));
                    let overwrite = || fails::call_with(CallOptions::new().overwrite_cache(), 1);
                    assert_eq!(one!(overwrite()), Ok(3));
                    Clock::advance(2 * SECOND);
                    assert_eq!((one!(fails(1)), RUNS.get()), (Ok(3), 4));
                    one!(fails::precache_value(1, 99)).unwrap();
                    Clock::advance(2 * SECOND);
                    assert_eq!((one!(fails(1)), RUNS.get()), (Ok(5), 5));
                    Clock::advance(2 * SECOND);
                    assert_eq!((one!(fails(1)), RUNS.get()), (Ok(5), 6));
                    one!(fails::clear_cache()).unwrap();
                    assert_eq!((one!(fails(1)), RUNS.get()), (Ok(7), 7));
                });
            }

            #[test]
            fn without_an_acceptable_stale_value_calls_compute() {
                fails!({$($function)*}, fails, once(&RUNS), $($argument)*, stale_after = "1h", stale_on_error = "1h", retry_after = "1d");

                in_folder(|_| {
                    let down = || Err("down".to_owned());
                    let with = |options: CallOptions| one!(fails::call_with(options.clone(), 1));
                    assert_eq!(one!(fails(1)), Ok(1));
                    Clock::advance(2 * HOUR - SECOND);
                    assert_eq!((one!(fails(1)), one!(fails(1)), RUNS.get()), (Ok(1), Ok(1), 2));
                    assert_eq!(with(CallOptions::new().overwrite_cache()), down());
                    assert_eq!(with(CallOptions::new().skip_cache()), down());
                    assert_eq!(with(CallOptions::new().max_age(Duration::ZERO)), down());
                    assert_eq!(with(CallOptions::new().max_age(HOUR)), down());
                    assert_eq!((one!(fails(1)), RUNS.get()), (Ok(1), 6));
                    Clock::advance(2 * SECOND);
                    assert_eq!((one!(fails(1)), RUNS.get()), (down(), 7), "beyond its grace");
                });
            }

            #[test]
            fn values_past_max_stale_are_recomputed_during_pauses() {
                fails!({$($function)*}, fails, but_once(&RUNS), $($argument)*, stale_after = "1h", next_time, max_stale = "3h", retry_after = "1d");

                in_folder(|_| {
                    assert_eq!(one!(fails(1)), Ok(1));
                    Clock::advance(2 * HOUR);
                    assert_eq!((one!(fails(1)), one!(fails(1)), RUNS.get()), (Ok(1), Ok(1), 2));
                    Clock::advance(HOUR + SECOND);
                    assert_eq!(one!(fails(1)), Ok(3));
                });
            }

            #[test]
            fn a_pause_affects_its_key_only() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", stale_on_error = "1d")]
                $($function)* fails(key: u8) -> Result<u64, String> {
                    match (RUNS.next(), key) {
                        (1 | 2, _) => Ok(0),
                        (_, 1) => Err("down".to_owned()),
                        (run, _) => Ok(run),
                    }
                }

                in_folder(|_| {
                    assert_eq!((one!(fails(1)), one!(fails(2))), (Ok(0), Ok(0)));
                    Clock::advance(2 * HOUR);
                    assert_eq!((one!(fails(1)), one!(fails(2))), (Ok(0), Ok(4)));
                });
            }
        }
    )*};
}

pauses! {
    sync_on_memory: (backend = "memory"), on_threads, {fn};
    sync_on_file: (backend = "file"), on_threads, {fn};
    sync_on_near: (backend = "file", near_cache = 10), on_threads, {fn};
    sync_on_sqlite: (backend = "sql"), on_threads, {fn};
    async_on_memory: (backend = "memory"), in_tasks, {async fn};
    async_on_file: (backend = "file"), in_tasks, {async fn};
    async_on_near: (backend = "file", near_cache = 10), in_tasks, {async fn};
    async_on_sqlite: (backend = "sql"), in_tasks, {async fn};
}

#[test]
fn what_another_process_stores_ends_a_pause() {
    fails!({fn}, fails, but_once(&RUNS), backend = "file", stale_after = "1s", stale_on_error = "1d", retry_after = "1d");

    in_folder(|_| {
        assert_eq!(fails(1), Ok(1));
        Clock::advance(2 * SECOND);
        assert_eq!((fails(1), fails(1), RUNS.get()), (Ok(1), Ok(1), 2));
        in_another_process(|| {
            Clock::advance(3 * SECOND);
            assert_eq!(fails(1), Ok(3));
        });
        Clock::advance(5 * SECOND);
        assert_eq!(fails(1), Ok(4));
    });
}

#[test]
fn the_program_sets_pauses_that_attributes_leave_out() {
    fails!({fn}, fails, once(&RUNS), backend = "memory", stale_after = "1h", stale_on_error = "1d");

    isolated(|| {
        set_global_params(GlobalParams::new().retry_after(Duration::from_secs(60)));
        assert_eq!(fails(1), Ok(1));
        Clock::advance(2 * HOUR);
        for _ in 0..3 {
            assert_eq!((fails(1), RUNS.get()), (Ok(1), 2));
            Clock::advance(19 * SECOND);
        }
        Clock::advance(3 * SECOND);
        assert_eq!((fails(1), RUNS.get()), (Ok(1), 3));
        set_global_params(GlobalParams::new().retry_after(Duration::ZERO));
        Clock::advance(60 * SECOND);
        assert_eq!((fails(1), fails(1), RUNS.get()), (Ok(1), Ok(1), 5));
    });
}

/// The result of the first run, and of those that are to replace it.
macro_rules! irreplaceable {
    ($($name:ident: $result:ty, $first:expr, $then:expr, ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            static RUNS: Counter = Counter::new();

            #[cachier(
                backend = registered("map"), stale_after = "1h", next_time, enable_metrics
                $($argument)*
            )]
            fn refreshed(_key: u8) -> $result {
                match RUNS.next() {
                    1 => $first,
                    _ => $then,
                }
            }

            with_map(|map| {
                refreshed(1);
                Clock::advance(2 * HOUR);
                map.set(Fault::FailsToReplace(ErrorKind::Denied));
                for attempts in 1..=3 {
                    for _ in 0..CALLS {
                        let call = refreshed::call_detailed(CallOptions::new(), 1);
                        assert_eq!((call.value, call.outcome), ($first, Outcome::Stale));
                        cachier::flush();
                    }
                    assert_eq!(RUNS.get(), 1 + attempts);
                    Clock::advance(5 * SECOND);
                }
            });
        }
    )*};
}

irreplaceable! {
    a_value_without_room_begins_a_pause: u8, 1, 2, ();
    a_large_value_too_large_begins_a_pause: Vec<u8>, vec![1], vec![2; 2 << 20], ();
    an_oversized_value_begins_a_pause: Vec<u8>, vec![1], vec![2; 2000], (, entry_size_limit = "1KB");
    a_value_missing_at_its_source_pauses: Option<u8>, Some(1), None, ();
}
