//! Stored values, their sizes, and options of calls.

use std::thread;

use cachier::testing::{IsolatedContext, isolated};
use cachier::{CallOptions, Outcome, cachier};
use cachier_metrics::RemovalCause;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::sandbox::in_folder;
use cachier_tests::{count, double, repeat};

macro_rules! storing {
    ($($backend:ident: ($($argument:tt)*);)*) => {$(
        mod $backend {
            use super::*;

            #[test]
            fn none_is_stored_only_where_it_is_allowed() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*)]
                fn without(_key: u8) -> Option<u8> {
                    RUNS.next();
                    None
                }

                #[cachier($($argument)*, allow_none)]
                fn with(_key: u8) -> Option<u8> {
                    RUNS.next();
                    None
                }

                in_folder(|_| {
                    assert_eq!([without(1), without(1)], [None, None]);
                    assert_eq!(RUNS.get(), 2);
                    assert_eq!([with(1), with(1)], [None, None]);
                    assert_eq!(RUNS.get(), 3);
                    assert_eq!(with::peek(1).unwrap(), Some(None));
                });
            }

            #[test]
            fn an_error_is_never_stored() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*)]
                fn fails_first(_key: u8) -> std::io::Result<u64> {
                    match RUNS.next() {
                        1 => Err(std::io::Error::other("not yet")),
                        run => Ok(run),
                    }
                }

                in_folder(|_| {
                    assert!(fails_first(1).is_err());
                    assert_eq!(fails_first(1).unwrap(), 2);
                    assert_eq!(fails_first(1).unwrap(), 2);
                });
            }

            #[test]
            fn only_values_that_the_condition_accepts_are_stored() {
                count!(RUNS, $($argument)*, cache_if = |value| *value > 2);

                in_folder(|_| {
                    let values: Vec<_> = (0..4).map(|_| count(1)).collect();
                    assert_eq!(values, [1, 2, 3, 3]);
                });
            }

            #[test]
            fn an_oversized_value_is_returned_but_not_stored() {
                #[cachier($($argument)*, entry_size_limit = "1KB", enable_metrics)]
                fn repeat(length: usize) -> String {
                    "x".repeat(length)
                }

                in_folder(|_| {
                    for length in [1000, 1000, 2000, 2000] {
                        assert_eq!(repeat(length).len(), length);
                    }
                    let snapshot = repeat::metrics().snapshot();
                    assert_eq!(snapshot.calls[Outcome::Hit], 1);
                    assert_eq!(snapshot.size_limit_rejections, 2);
                    assert!((4000..4100).contains(&snapshot.rejected_bytes));
                });
            }

            #[test]
            fn a_call_may_leave_the_cache_alone() {
                count!(RUNS, $($argument)*, enable_metrics);

                in_folder(|_| {
                    let skip = || CallOptions::new().skip_cache();
                    assert_eq!(count::call_with(skip(), 1), 1);
                    assert_eq!(count::peek(1).unwrap(), None);
                    assert_eq!(count(1), 2);
                    let call = count::call_detailed(skip(), 1);
                    assert_eq!((call.value, call.outcome), (3, Outcome::Bypass));
                    assert_eq!(count(1), 2);
                    assert_eq!(count::metrics().stats().bypassed, 2);
                });
            }

            #[test]
            fn a_call_may_replace_what_is_stored() {
                count!(RUNS, $($argument)*);

                in_folder(|_| {
                    assert_eq!(count(1), 1);
                    let call = count::call_detailed(CallOptions::new().overwrite_cache(), 1);
                    assert_eq!((call.value, call.outcome), (2, Outcome::Miss));
                    assert_eq!(count(1), 2);
                });
            }
        }
    )*};
}

storing! {
    memory: (backend = "memory");
    file: (backend = "file");
    near: (backend = "file", near_cache = 10);
}

macro_rules! overwriting {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            const KEYS: u64 = 64;
            static RUNS: Counter = Counter::new();
            static GATE: Gate = Gate::new();

            #[cachier($($argument)*)]
            fn run(_key: u64) -> u64 {
                let run = RUNS.next();
                if run > KEYS {
                    GATE.wait();
                }
                run
            }

            in_folder(|_| {
                (0..KEYS).for_each(|key| _ = run(key));
                let context = IsolatedContext::current();
                thread::scope(|threads| {
                    for key in 0..KEYS {
                        let context = context.clone();
                        let overwrite = move || run::call_with(CallOptions::new().overwrite_cache(), key);
                        threads.spawn(move || context.run(overwrite));
                    }
                    GATE.until_arrived(KEYS);
                    GATE.open();
                });
                assert!((0..KEYS).all(|key| run(key) > KEYS), "none is lost");
                assert_eq!(RUNS.get(), 2 * KEYS);
            });
        }
    )*};
}

overwriting! {
    concurrent_overwrites_are_all_stored_in_memory: (backend = "memory");
    concurrent_overwrites_are_all_stored_in_files: (backend = "file");
}

#[test]
fn a_bounded_function_keeps_its_capacity() {
    double!(backend = "memory", capacity = 10, enable_metrics);

    isolated(|| {
        for number in 0..100 {
            assert_eq!(double(number), number * 2);
            assert!(double::usage().unwrap().entries <= Some(10));
        }
        let snapshot = double::metrics().snapshot();
        assert_eq!(snapshot.gauges.backend().entries, Some(10));
        assert_eq!(snapshot.removals[RemovalCause::Evicted], 90);
        assert_eq!(snapshot.gauges.capacity_entries, Some(10));
    });
}

macro_rules! bounded_in_bytes {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            #[cachier($($argument)*, capacity_bytes = "10KB", enable_metrics)]
            fn repeat(length: usize) -> String {
                "x".repeat(length)
            }

            in_folder(|_| {
                for length in 1000..1100 {
                    assert_eq!(repeat(length).len(), length);
                    assert!(repeat::usage().unwrap().bytes.unwrap() <= 10 * 1024);
                }
                let snapshot = repeat::metrics().snapshot();
                let held = snapshot.gauges.backend().entries.unwrap();
                assert!((5..=10).contains(&held), "{held}");
                assert_eq!(snapshot.removals[RemovalCause::Evicted], 100 - held);
                assert_eq!(repeat(20_000).len(), 20_000);
                assert_eq!(repeat::peek(20_000).unwrap(), None, "it does not fit at all");
            });
        }
    )*};
}

bounded_in_bytes! {
    a_memory_bounded_in_bytes_never_takes_more: (backend = "memory");
    a_folder_bounded_in_bytes_never_takes_more: (backend = "file");
}

#[test]
fn a_full_folder_evicts_its_oldest_entries() {
    repeat!(backend = "file", capacity_bytes = "10KB");

    in_folder(|_| {
        for length in 1000..1020 {
            repeat(length);
            cachier::testing::Clock::advance(std::time::Duration::from_secs(1));
        }
        let held: Vec<_> = (1000..1020)
            .filter(|&length| repeat::peek(length).unwrap().is_some())
            .collect();
        assert_eq!(held.last(), Some(&1019));
        assert_eq!(
            held.len(),
            1020 - held[0],
            "a younger one went before an older one: {held:?}"
        );
    });
}

#[test]
fn background_stores_are_measured() {
    repeat!(
        backend = "file",
        stale_after = "1h",
        next_time,
        enable_metrics
    );

    let stored = || {
        cachier::flush();
        let stats = repeat::metrics().stats();
        (stats.entry_size.count(), stats.store.count())
    };
    in_folder(|_| {
        repeat(10);
        assert_eq!(stored(), (Some(1), Some(1)));
        repeat(2_000_000);
        assert_eq!(stored(), (Some(2), Some(2)), "a large value");
        cachier::testing::Clock::advance(std::time::Duration::from_secs(7200));
        repeat(10);
        assert_eq!(stored(), (Some(3), Some(3)), "one that was recomputed");
    });
}

#[test]
fn a_value_without_room_counts_as_rejected() {
    repeat!(backend = "memory", capacity_bytes = "1KB", enable_metrics);

    in_folder(|_| {
        for length in [100, 2000, 2000] {
            assert_eq!(repeat(length).len(), length);
        }
        let snapshot = repeat::metrics().snapshot();
        assert_eq!(snapshot.calls[Outcome::Miss], 3);
        assert_eq!(snapshot.size_limit_rejections, 2);
        assert_eq!(snapshot.entry_size.count(), 1);
    });
}

#[test]
fn capacity_bytes_counts_keys_and_overhead() {
    #[cachier(backend = "memory", capacity_bytes = "64KB")]
    fn length(text: &str) -> u64 {
        text.len() as u64
    }
    double!(backend = "memory", capacity_bytes = "64KB");

    in_folder(|_| {
        for number in 0..10_000 {
            assert_eq!(length(&format!("{number:0200}")), 200);
            double(number);
        }
        for usage in [length::usage(), double::usage()].map(Result::unwrap) {
            let (entries, bytes) = (usage.entries.unwrap(), usage.bytes.unwrap());
            assert!((30_000..=65_536).contains(&bytes), "{bytes} bytes");
            assert!((100..1_000).contains(&entries), "{entries} entries");
        }
    });
}
