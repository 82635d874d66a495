//! Faults of the Python original of cachier, and of Rust's `cached`, each with a test against its return.
//!
//! Some are with their kind:
//!
//! - a computation that raises or whose result is too large makes waiters fail: `fates`
//! - `wait_for_calc_timeout` is ignored in memory: `waiting::whoever_waits_longer_than_the_timeout_computes`
//! - 50 concurrent callers in tasks start 50 computations: `single_flight`, `a_thousand_tasks`
//! - two functions of the same name in two classes share entries: `keys`, `functions_of_one_name_in_two_impls`
//! - storing a given value for an async function does nothing: `companion`, `of_an_async_function_on_file`
//! - 50 stale calls start 50 recomputations: `next_time`, `one_for_fifty_stale_callers`
//! - waiters of files wait for ever after a missed event, and a killed owner leaves its mark: `file_backend`
//! - the two Prometheus paths export different metrics: `prometheus::what_is_served_is_what_is_rendered`
//! - every call fails once the store was unreachable: `breaker::the_breaker_answers_until_a_probe_succeeds`
//! - waiters and stale values are not counted: `fates`, `retry_after`, and `recorders` of `cachier-metrics` with the rates
//! - entries and sizes of files are unknown: `gauges`, and of any store `usage_tells_entries_and_bytes` among those of servers
//! - a failed write discards the computed value: `failing_backend`
//! - functions of one name break the export, as odd names do, and a slow client blocks the endpoint: the tests of
//!   `cachier-metrics`, `functions_of_one_name_are_one_series`, `label_values_are_escaped` and `half_sent_headers_delay_no_scrape`

use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{CallOptions, Outcome, cachier};
use cachier_tests::callers::Callers;
use cachier_tests::double;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::sandbox::in_folder;
use cachier_tests::wait::until_waiting;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn no_placeholder_is_served_to_concurrent_callers() {
    static GATE: Gate = Gate::new();

    #[cachier(backend = "file", allow_none, enable_metrics)]
    fn find(number: u64) -> Option<u64> {
        GATE.wait();
        Some(number)
    }

    in_folder(|_| {
        let callers = Callers::new().on_threads(10, || find(7));
        until_waiting(find::metrics(), 9);
        assert_eq!(
            find::peek(7).unwrap(),
            None,
            "a running computation is not a value"
        );
        GATE.open();
        assert_eq!(callers.values(), [Some(7); 10]);
    });
}

macro_rules! stale_values {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            static GATE: Gate = Gate::new();
            static RUNS: Counter = Counter::new();

            #[cachier($($argument)*, stale_after = "1h", next_time, enable_metrics)]
            fn count(_key: u8) -> Result<u64, String> {
                match RUNS.next() {
                    1 => Ok(1),
                    _ => {
                        GATE.wait();
                        Err("down".to_owned())
                    }
                }
            }

            in_folder(|_| {
                assert_eq!(count(1), Ok(1));
                Clock::advance(2 * HOUR);
                assert_eq!(count(1), Ok(1));
                GATE.until_arrived(1);
                let call = count::call_detailed(CallOptions::new(), 1);
                assert_eq!((call.outcome, call.age), (Outcome::Stale, Some(2 * HOUR)));
                assert_eq!(count::peek(1).unwrap(), Some(1));
                GATE.open();
                cachier::flush();
                assert_eq!(count::peek(1).unwrap(), Some(1));
                assert_eq!(count::metrics().stats().hits, 0);
            });
        }
    )*};
}

stale_values! {
    recomputing_keeps_the_stale_value_in_memory: (backend = "memory");
    recomputing_keeps_the_stale_value_in_files: (backend = "file");
    recomputing_keeps_the_stale_value_near: (backend = "file", near_cache = 10);
}

#[test]
fn sampling_does_not_change_the_counts() {
    double!(backend = "memory", enable_metrics, sampling_rate = 0.1);

    isolated(|| {
        for _ in 0..=10_000 {
            double(21);
        }
        let stats = double::metrics().stats();
        assert_eq!((stats.hits, stats.misses), (10_000, 1));
        let measured = stats.hit_latency.count().unwrap();
        assert!((8_000..=12_000).contains(&measured), "{measured}");
    });
}

/// A value that counts measurements of any.
#[derive(Clone)]
struct Weighed(u64);

static WEIGHINGS: Counter = Counter::new();

impl serde::Serialize for Weighed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WEIGHINGS.next();
        self.0.serialize(serializer)
    }
}

#[test]
fn inserts_do_not_recount_all_entries() {
    #[cachier(backend = "memory", enable_metrics)]
    fn weigh(number: u64) -> Weighed {
        Weighed(number)
    }

    isolated(|| {
        for number in 0..500 {
            weigh(number);
            assert_eq!(weigh::metrics().stats().entries, Some(number + 1));
            assert!(weigh::usage().unwrap().bytes > Some(number));
        }
        assert_eq!(WEIGHINGS.get(), 500, "each value once");
    });
}

#[test]
fn mutually_dependent_keys_do_not_deadlock() {
    #[cachier(backend = "memory")]
    fn fibonacci(n: u64) -> u64 {
        if n < 2 {
            n
        } else {
            fibonacci(n - 1) + fibonacci(n - 2)
        }
    }

    isolated(|| {
        let mut callers = Callers::new();
        for n in 53..=60 {
            callers = callers.on_threads(1, move || fibonacci(n));
        }
        assert_eq!(callers.values().into_iter().max(), Some(1_548_008_755_920));
    });
}

static SLOWLY: Gate = Gate::new();

/// A value that is slow to clone once it is stored.
struct Slow {
    number: u64,
    is_stored: bool,
}

impl Clone for Slow {
    fn clone(&self) -> Self {
        if self.is_stored && self.number == 1 {
            SLOWLY.wait();
        }
        Self {
            number: self.number,
            is_stored: true,
        }
    }
}

#[test]
fn a_hit_takes_no_lock_that_others_need() {
    #[cachier(backend = "memory", enable_metrics)]
    fn slow(number: u64) -> Slow {
        Slow {
            number,
            is_stored: false,
        }
    }

    isolated(|| {
        slow(1);
        slow(2);
        let held_up = Callers::new().on_threads(1, || slow(1).number);
        SLOWLY.until_arrived(1);
        let others = Callers::new().on_threads(4, || [slow(2).number, slow(3).number]);
        assert_eq!(others.values(), [[2, 3]; 4]);
        assert_eq!(slow::metrics().stats().misses, 3);
        SLOWLY.open();
        assert_eq!(held_up.values(), [1]);
    });
}
