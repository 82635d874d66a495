//! Values that say how old they may get.

use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{CallOptions, Outcome, cachier, global_params, set_global_params};
use cachier_metrics::RemovalCause;
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, once};
use cachier_tests::sandbox::{in_another_process, in_folder};

const HOUR: Duration = Duration::from_secs(3600);
/// The unit in which machine words in memory keep when they were computed.
const INSTANT: Duration = Duration::from_micros(1);

fn hours(hours: u64) -> Duration {
    HOUR * hours as u32
}

/// Asserts what the next call is, after so much time.
macro_rules! expect {
    ($function:ident($($key:expr)?), $age:expr, $outcome:ident) => {{
        Clock::advance($age);
        let call = $function::call_detailed(CallOptions::new() $(, $key)?);
        assert_eq!(call.outcome, Outcome::$outcome, "{:?}", call.value);
    }};
}

macro_rules! own_limits {
    ($($backend:ident: ($($argument:tt)*);)*) => {$(
        mod $backend {
            use super::*;

            #[test]
            fn each_value_has_its_own_limit() {
                #[cachier($($argument)*, stale_after = |value| hours(*value))]
                fn same(number: u64) -> u64 {
                    number
                }

                in_folder(|_| {
                    same(1);
                    same(3);
                    Clock::advance(HOUR);
                    expect!(same(1), Duration::ZERO, Hit);
                    assert_eq!((same(1), same(3)), (1, 3));
                    expect!(same(1), INSTANT, Miss);
                    expect!(same(3), HOUR * 2 - INSTANT, Hit);
                    expect!(same(3), INSTANT, Miss);
                    expect!(same(1), Duration::ZERO, Miss);
                });
            }

            #[test]
            fn a_limit_of_zero_always_recomputes() {
                #[cachier($($argument)*, stale_after = |_| Duration::ZERO)]
                fn same(number: u64) -> u64 {
                    number
                }

                in_folder(|_| {
                    same(1);
                    expect!(same(1), Duration::ZERO, Miss);
                    expect!(same(1), HOUR, Miss);
                });
            }

            #[test]
            fn what_is_not_found_has_its_own_limit() {
                #[cachier($($argument)*, allow_none, stale_after = |found| match found {
                    Some(_) => None,
                    None => Some(HOUR),
                })]
                fn half(number: u64) -> Option<u64> {
                    (number % 2 == 0).then_some(number / 2)
                }

                in_folder(|_| {
                    assert_eq!((half(3), half(4)), (None, Some(2)));
                    Clock::advance(HOUR + INSTANT);
                    assert_eq!((half(3), half(4)), (None, Some(2)));
                    expect!(half(4), HOUR * 24 * 365, Hit);
                    expect!(half(3), Duration::ZERO, Miss);
                });
            }

            #[test]
            fn bounds_of_call_and_function_count_too() {
                #[cachier($($argument)*, max_stale = "5h", stale_after = |value: &u64| (*value > 0).then(|| hours(*value)))]
                fn same(number: u64) -> u64 {
                    number
                }

                in_folder(|_| {
                    same(0);
                    same(9);
                    Clock::advance(HOUR * 5);
                    let young = CallOptions::new().max_age(HOUR);
                    expect!(same(0), Duration::ZERO, Hit);
                    expect!(same(9), Duration::ZERO, Hit);
                    expect!(same(0), INSTANT, Miss);
                    expect!(same(9), Duration::ZERO, Miss);
                    Clock::advance(HOUR);
                    let call = same::call_detailed(young.clone(), 9);
                    assert_eq!(call.outcome, Outcome::Hit);
                    Clock::advance(INSTANT);
                    assert_eq!(same::call_detailed(young, 9).outcome, Outcome::Miss);
                });
            }

            #[test]
            fn stale_values_are_served_and_refreshed() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = |run| hours(*run), next_time)]
                fn count() -> u64 {
                    RUNS.next()
                }

                in_folder(|_| {
                    count();
                    expect!(count(), HOUR + INSTANT, Stale);
                    cachier::flush();
                    expect!(count(), HOUR * 2, Hit);
                    expect!(count(), INSTANT, Stale);
                    cachier::flush();
                    assert_eq!(RUNS.get(), 3);
                });
            }

            #[test]
            fn the_grace_of_errors_begins_with_the_limit() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = |run| hours(*run), stale_on_error = "1h", retry_after = "0s")]
                fn fails_later(_key: u8) -> Result<u64, String> {
                    once(&RUNS)
                }

                in_folder(|_| {
                    assert_eq!(fails_later(1), Ok(1));
                    expect!(fails_later(1), HOUR * 2, Stale);
                    expect!(fails_later(1), INSTANT, Miss);
                });
            }

            #[test]
            fn values_stored_by_hand_have_limits() {
                #[cachier($($argument)*, stale_after = |value| hours(*value))]
                fn same(number: u64) -> u64 {
                    number
                }

                in_folder(|_| {
                    same::precache_value(1, 3).unwrap();
                    expect!(same(1), HOUR * 3, Hit);
                    expect!(same(1), INSTANT, Miss);
                });
            }

            #[test]
            fn cleanups_count_from_the_limit() {
                #[cachier($($argument)*, stale_after = |value| (*value > 0).then(|| hours(*value)),
                    cleanup_stale, cleanup_interval = "1h", enable_metrics)]
                fn same(number: u64) -> u64 {
                    number
                }

                in_folder(|_| {
                    for number in [0, 1, 2, 9] {
                        same(number);
                    }
                    cachier::flush();
                    Clock::advance(HOUR * 2);
                    same(100);
                    cachier::flush();
                    assert_eq!(same::usage().unwrap().entries, Some(4), "the first is gone");
                    Clock::advance(HOUR);
                    same(101);
                    cachier::flush();
                    let removed = same::metrics().snapshot().removals[RemovalCause::Cleanup];
                    assert_eq!(removed, 2);
                    expect!(same(0), Duration::ZERO, Hit);
                });
            }

            #[test]
            fn cleanups_count_from_a_bounded_limit() {
                #[cachier($($argument)*, stale_after = |_| None, max_stale = "5h",
                    cleanup_stale, cleanup_interval = "1h", enable_metrics)]
                fn same(number: u64) -> u64 {
                    number
                }

                in_folder(|_| {
                    same(1);
                    cachier::flush();
                    Clock::advance(HOUR * 11);
                    same(2);
                    cachier::flush();
                    let removed = same::metrics().snapshot().removals[RemovalCause::Cleanup];
                    assert_eq!((removed, same::usage().unwrap().entries), (1, Some(1)));
                });
            }

            #[test]
            fn a_none_of_the_program_has_its_limit() {
                #[cachier($($argument)*, stale_after = |value: &u64| hours(*value))]
                fn half(number: u64) -> Option<u64> {
                    (number % 2 == 0).then_some(number / 2)
                }

                in_folder(|_| {
                    set_global_params(global_params().allow_none(true).stale_after(HOUR));
                    expect!(half(3), Duration::ZERO, Miss);
                    expect!(half(3), HOUR, Hit);
                    expect!(half(3), INSTANT, Miss);
                    let mut params = global_params();
                    params.stale_after = None;
                    set_global_params(params);
                    expect!(half(5), Duration::ZERO, Miss);
                    expect!(half(5), HOUR * 9999, Hit);
                });
            }

            #[test]
            fn async_functions_have_limits_too() {
                #[cachier($($argument)*, stale_after = |value| hours(*value))]
                async fn same(number: u64) -> u64 {
                    number
                }

                in_folder(|_| {
                    let call = || {
                        let call = || same::call_detailed(CallOptions::new(), 2);
                        Callers::new().in_tasks(1, call).values().remove(0).outcome
                    };
                    assert_eq!(call(), Outcome::Miss);
                    Clock::advance(HOUR * 2);
                    assert_eq!(call(), Outcome::Hit);
                    Clock::advance(INSTANT);
                    assert_eq!(call(), Outcome::Miss);
                });
            }

            #[test]
            fn own_limits_are_jittered_too() {
                #[cachier($($argument)*, stale_after = |_| HOUR, jitter = "50%")]
                fn same(number: u64) -> u64 {
                    number
                }

                in_folder(|_| {
                    (0..100).for_each(|number| _ = same(number));
                    let outcome = |number| same::call_detailed(CallOptions::new(), number).outcome;
                    Clock::advance(HOUR / 2);
                    assert!((0..100).all(|number| outcome(number) == Outcome::Hit));
                    Clock::advance(HOUR / 4);
                    let stale = (0..100).filter(|number| outcome(*number) == Outcome::Miss);
                    assert!((25..75).contains(&stale.count()));
                });
            }
        }
    )*};
}

own_limits! {
    memory: (backend = "memory");
    file: (backend = "file");
    near: (backend = "file", near_cache = 10, near_stale_after = "9d");
}

#[test]
fn larger_values_in_memory_have_limits() {
    #[cachier(backend = "memory", stale_after = |text| HOUR * text.len() as u32)]
    fn repeat(text: &str, times: usize) -> String {
        text.repeat(times)
    }

    isolated(|| {
        repeat("a", 2);
        Clock::advance(HOUR * 2);
        let outcome = || repeat::call_detailed(CallOptions::new(), "a", 2).outcome;
        assert_eq!(outcome(), Outcome::Hit);
        Clock::advance(INSTANT);
        assert_eq!(outcome(), Outcome::Miss);
    });
}

/// Two versions of a program, of which the newer gives its values limits.
#[test]
fn values_from_before_a_closure_are_stale() {
    mod before {
        #[cachier::cachier(backend = "file", name = "same", version = 1)]
        pub(super) fn same(number: u64) -> u64 {
            number
        }
    }

    #[cachier(backend = "file", name = "same", version = 1, stale_after = |_| HOUR)]
    fn same(number: u64) -> u64 {
        number
    }

    in_folder(|_| {
        before::same(1);
        in_another_process(|| {
            expect!(same(1), Duration::ZERO, Miss);
            expect!(same(1), Duration::ZERO, Hit);
        });
    });
}

/// Two versions of a program, of which the older gave its values limits.
#[test]
fn a_limit_does_not_outlive_its_closure() {
    mod before {
        use super::*;

        /// Zero never gets stale.
        #[cachier(
            backend = "file",
            name = "same",
            version = 1,
            stale_after = |value: &u64| (*value > 0).then_some(HOUR / 2)
        )]
        pub(super) fn same(number: u64) -> u64 {
            number
        }
    }

    #[cachier(
        backend = "file",
        name = "same",
        version = 1,
        near_cache = 10,
        near_stale_after = "9d",
        stale_after = "1h"
    )]
    fn same(number: u64) -> u64 {
        number
    }

    in_folder(|_| {
        before::same(0);
        before::same(1);
        in_another_process(|| {
            expect!(same(0), Duration::ZERO, Hit);
            expect!(same(1), HOUR / 2, Hit);
            // The shorter limit of the two counts.
            expect!(same(1), INSTANT, Miss);
            expect!(same(0), HOUR / 2 - INSTANT, Hit);
            expect!(same(0), INSTANT, Miss);
        });
    });
}
