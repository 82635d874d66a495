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
//! - a failed write discards the computed value: `failing_backend`

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{CallOptions, Outcome, PrometheusExporter, cachier};
use cachier_metrics::StaleUse;
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
    recomputing_does_not_refresh_hide_or_lose_the_stale_value_in_memory: (backend = "memory");
    recomputing_does_not_refresh_hide_or_lose_the_stale_value_in_files: (backend = "file");
    recomputing_does_not_refresh_hide_or_lose_the_stale_value_near: (backend = "file", near_cache = 10);
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

#[test]
fn waiters_and_stale_values_are_counted() {
    static GATE: Gate = Gate::new();

    #[cachier(backend = "memory", stale_after = "1h", next_time, enable_metrics)]
    fn double(number: u64) -> u64 {
        GATE.wait();
        number * 2
    }

    isolated(|| {
        let callers = Callers::new().on_threads(4, || double(21));
        until_waiting(double::metrics(), 3);
        GATE.open();
        assert_eq!(callers.values(), [42; 4]);
        assert_eq!(double::metrics().stats().coalesced, 3);
        for _ in 0..12 {
            Clock::advance(2 * HOUR);
            double(21);
            cachier::flush();
        }
        let stats = double::metrics().stats();
        assert_eq!((stats.hits, stats.stale), (0, 12));
        assert_eq!(
            (stats.hit_rate(), stats.served_rate()),
            (Some(0.0), Some(15.0 / 16.0))
        );
        assert_eq!(
            double::metrics().snapshot().stale_hits[StaleUse::Served],
            12
        );
    });
}

#[test]
fn entries_and_size_are_known_for_files() {
    #[cachier(backend = "file", enable_metrics)]
    fn repeat(length: usize) -> String {
        "x".repeat(length)
    }

    in_folder(|_| {
        repeat(1000);
        repeat(2000);
        repeat::metrics().stats();
        cachier::flush();
        let stats = repeat::metrics().stats();
        assert_eq!(stats.entries, Some(2));
        assert!((3000..3500).contains(&stats.size_bytes.unwrap()));
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
fn functions_of_one_name_add_up_when_exported() {
    mod one {
        #[cachier::cachier(backend = "memory", name = "odd\"name\\", enable_metrics)]
        pub(super) fn function() {}
    }

    mod two {
        #[cachier::cachier(backend = "memory", name = "odd\"name\\", enable_metrics)]
        pub(super) fn function() {}
    }

    isolated(|| {
        let exporter = PrometheusExporter::builder().port(0).build().unwrap();
        exporter
            .register_functions([one::function::metrics(), two::function::metrics()])
            .unwrap();
        let text = exporter.render();
        assert!(text.contains(r#"function="odd\"name\\""#), "{text}");
    });
}

#[test]
fn a_slow_client_does_not_block_the_endpoint() {
    double!(backend = "memory", enable_metrics);

    isolated(|| {
        let exporter = PrometheusExporter::builder().port(0).build().unwrap();
        exporter.register_function(double::metrics()).unwrap();
        exporter.start().unwrap();
        let address = exporter.local_addr().unwrap();
        let mut slow = TcpStream::connect(address).unwrap();
        slow.write_all(b"GET /met").unwrap();
        assert!(crate::prometheus::scrape(address).contains("cachier_calls_total"));
        drop(slow);
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
