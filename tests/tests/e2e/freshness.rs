//! Ages of values, on a manual clock.

use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{CallOptions, Outcome, cachier};
use cachier_metrics::{Reason, RemovalCause, StaleUse};
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, Gate, once, panic_silently};
use cachier_tests::sandbox::in_folder;
use cachier_tests::wait::until_waiting;
use cachier_tests::{count, double};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

macro_rules! freshness {
    ($($backend:ident: ($($argument:tt)*);)*) => {$(
        mod $backend {
            use super::*;

            #[test]
            fn a_value_is_fresh_up_to_stale_after() {
                count!(RUNS, $($argument)*, stale_after = "1h", enable_metrics);

                in_folder(|_| {
                    assert_eq!(count(1), 1);
                    Clock::advance(HOUR);
                    assert_eq!(count(1), 1);
                    Clock::advance(Duration::from_nanos(1));
                    assert_eq!(count(1), 2);
                    let snapshot = count::metrics().snapshot();
                    assert_eq!(snapshot.stale_hits[StaleUse::NotServed], 1);
                    // The age counts from the new computation.
                    Clock::advance(HOUR);
                    assert_eq!(count(1), 2);
                });
            }

            #[test]
            fn a_call_may_ask_for_a_younger_value() {
                count!(RUNS, $($argument)*, stale_after = "1h", enable_metrics);

                in_folder(|_| {
                    let minute = CallOptions::new().max_age(60 * SECOND);
                    count(1);
                    Clock::advance(60 * SECOND);
                    assert_eq!(count::call_with(minute.clone(), 1), 1);
                    Clock::advance(SECOND);
                    assert_eq!(count(1), 1);
                    assert_eq!(count::call_with(minute, 1), 2);
                    let snapshot = count::metrics().snapshot();
                    assert_eq!(snapshot.stale_hits[StaleUse::NotServed], 1);
                    assert_eq!(snapshot.recalculations[Reason::Stale], 1);
                    // A longer age than the function's own changes nothing.
                    Clock::advance(2 * HOUR);
                    assert_eq!(count::call_with(CallOptions::new().max_age(9 * HOUR), 1), 3);
                });
            }

            #[test]
            fn an_age_of_zero_always_recomputes() {
                count!(RUNS, $($argument)*);

                in_folder(|_| {
                    let now = CallOptions::new().max_age(Duration::ZERO);
                    assert_eq!(count(1), 1);
                    assert_eq!(count::call_with(now, 1), 2);
                    assert_eq!(count(1), 2);
                });
            }

            #[test]
            fn a_stale_value_replaces_an_error_temporarily() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", stale_on_error = "1h", retry_after = "0s")]
                fn fails_later(_key: u8) -> Result<u64, String> {
                    once(&RUNS)
                }

                in_folder(|_| {
                    assert_eq!(fails_later(1), Ok(1));
                    Clock::advance(2 * HOUR);
                    let call = fails_later::call_detailed(CallOptions::new(), 1);
                    assert_eq!((call.value, call.outcome), (Ok(1), Outcome::Stale));
                    assert_eq!(call.age, Some(2 * HOUR));
                    assert_eq!(RUNS.get(), 2);
                    Clock::advance(SECOND);
                    let call = fails_later::call_detailed(CallOptions::new(), 1);
                    assert_eq!((call.value, call.outcome), (Err("down".to_owned()), Outcome::Miss));
                });
            }

            #[test]
            fn stale_on_error_respects_the_calls_max_age() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", stale_on_error = "1h")]
                fn fails_later(_key: u8) -> Result<u64, String> {
                    once(&RUNS)
                }

                in_folder(|_| {
                    assert_eq!(fails_later(1), Ok(1));
                    Clock::advance(HOUR / 2);
                    let within = |age| fails_later::call_with(CallOptions::new().max_age(age), 1);
                    assert_eq!(within(60 * SECOND), Err("down".to_owned()));
                    assert_eq!(within(Duration::ZERO), Err("down".to_owned()));
                    assert_eq!(within(HOUR), Ok(1));
                });
            }

            #[test]
            fn waiters_of_failures_get_acceptable_stale_values() {
                static GATE: Gate = Gate::new();
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", stale_on_error = "2h", enable_metrics)]
                fn fails_later(_key: u8) -> Result<u64, String> {
                    if RUNS.next() == 1 {
                        return Ok(1);
                    }
                    GATE.wait();
                    Err("down".to_owned())
                }

                in_folder(|_| {
                    assert_eq!(fails_later(1), Ok(1));
                    Clock::advance(2 * HOUR);
                    let strict = CallOptions::new().max_age(HOUR);
                    let leader = Callers::new()
                        .on_threads(1, move || fails_later::call_with(strict.clone(), 1));
                    GATE.until_arrived(1);
                    let waiter = Callers::new().on_threads(1, || fails_later(1));
                    until_waiting(fails_later::metrics(), 1);
                    GATE.open();
                    assert_eq!(leader.values(), [Err("down".to_owned())]);
                    assert_eq!(waiter.values(), [Ok(1)]);
                    assert_eq!(RUNS.get(), 2);
                });
            }

            #[test]
            fn stale_entries_are_removed_once_per_interval() {
                double!($($argument)*, stale_after = "1h", cleanup_stale, cleanup_interval = "1d", enable_metrics);

                in_folder(|_| {
                    for number in 0..10 {
                        double(number);
                    }
                    // The first call has started a cleanup, which found nothing.
                    cachier::flush();
                    Clock::advance(23 * HOUR);
                    double(99);
                    cachier::flush();
                    assert_eq!(double::usage().unwrap().entries, Some(11), "too early");
                    Clock::advance(HOUR);
                    double(100);
                    cachier::flush();
                    assert_eq!(double::usage().unwrap().entries, Some(2));
                    let snapshot = double::metrics().snapshot();
                    assert_eq!(snapshot.removals[RemovalCause::Cleanup], 10);
                });
            }
        }
    )*};
}

freshness! {
    memory: (backend = "memory");
    file: (backend = "file");
    near: (backend = "file", near_cache = 10, near_stale_after = "9d");
}

#[test]
fn a_panic_keeps_the_stale_value() {
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "memory", stale_after = "1h")]
    fn panics_later(_key: u8) -> u64 {
        match RUNS.next() {
            1 => 1,
            _ => panic_silently(),
        }
    }

    isolated(|| {
        panics_later(1);
        Clock::advance(2 * HOUR);
        assert!(std::panic::catch_unwind(|| panics_later(1)).is_err());
        assert_eq!(panics_later::peek(1).unwrap(), Some(1));
    });
}
