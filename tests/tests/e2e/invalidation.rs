//! Invalidation beats computation: an outdated result is returned, but not stored.

use std::convert::identity;

use cachier::{CallOptions, cachier};
use cachier_tests::backend::with_map;
use cachier_tests::callers::Callers;
use cachier_tests::double;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::sandbox::in_folder;
use smol::block_on;

macro_rules! invalidations {
    ($($name:ident: ($($argument:tt)*), $start:ident, {$($function:tt)*}, {$($wait:tt)*}, $finish:ident;)*) => {$(
        mod $name {
            use super::*;

            /// Defines a test that invalidates during a computation, and checks the calls after it.
            macro_rules! during_a_computation {
                ($test:ident, $operation:ident($key:tt)) => {
                    #[test]
                    fn $test() {
                        static GATE: Gate = Gate::new();
                        static RUNS: Counter = Counter::new();

                        #[cachier($($argument)*)]
                        $($function)* count(_key: u8) -> u64 {
                            let run = RUNS.next();
                            if run == 1 {
                                GATE.$($wait)*;
                            }
                            run
                        }

                        in_folder(|_| {
                            let call = || Callers::new().$start(1, || count(1));
                            let outdated = call();
                            GATE.until_arrived(1);
                            let _ = $finish(during_a_computation!(@ count, $operation, $key)).unwrap();
                            // A new call does not wait for the outdated computation.
                            assert_eq!(call().values(), [2]);
                            GATE.open();
                            assert_eq!(outdated.values(), [1]);
                            assert_eq!(call().values(), [2], "the outdated value was stored");
                        });
                    }
                };
                (@ $companion:ident, $operation:ident, ()) => { $companion::$operation() };
                (@ $companion:ident, $operation:ident, $key:literal) => { $companion::$operation($key) };
            }

            during_a_computation!(the_key_is_invalidated, invalidate(1));
            during_a_computation!(the_cache_is_cleared, clear_cache(()));
            during_a_computation!(the_marks_are_cleared, clear_being_calculated(()));

            #[test]
            fn a_value_that_is_given_meanwhile_stays() {
                static GATE: Gate = Gate::new();

                #[cachier($($argument)*)]
                $($function)* slow(_key: u8) -> u64 {
                    GATE.$($wait)*;
                    1
                }

                in_folder(|_| {
                    let outdated = Callers::new().$start(1, || slow(1));
                    GATE.until_arrived(1);
                    $finish(slow::precache_value(1, 100)).unwrap();
                    GATE.open();
                    assert_eq!(outdated.values(), [1]);
                    assert_eq!($finish(slow::peek(1)).unwrap(), Some(100));
                });
            }

            #[test]
            fn a_value_that_a_call_overwrites_meanwhile_stays() {
                static GATE: Gate = Gate::new();
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*)]
                $($function)* count(_key: u8) -> u64 {
                    let run = RUNS.next();
                    if run == 1 {
                        GATE.$($wait)*;
                    }
                    run
                }

                in_folder(|_| {
                    let outdated = Callers::new().$start(1, || count(1));
                    GATE.until_arrived(1);
                    let overwrite = CallOptions::new().overwrite_cache();
                    assert_eq!($finish(count::call_with(overwrite, 1)), 2);
                    GATE.open();
                    assert_eq!(outdated.values(), [1]);
                    assert_eq!($finish(count::peek(1)).unwrap(), Some(2));
                });
            }
        }
    )*};
}

invalidations! {
    sync_on_memory: (backend = "memory"), on_threads, {fn}, {wait()}, identity;
    sync_on_file: (backend = "file"), on_threads, {fn}, {wait()}, identity;
    sync_on_near: (backend = "file", near_cache = 9), on_threads, {fn}, {wait()}, identity;
    async_on_memory: (backend = "memory"), in_tasks, {async fn}, {wait_async().await}, block_on;
    async_on_file: (backend = "file"), in_tasks, {async fn}, {wait_async().await}, block_on;
    async_on_near: (backend = "file", near_cache = 9), in_tasks, {async fn}, {wait_async().await}, block_on;
}

#[test]
fn other_keys_stay() {
    double!(backend = "memory");

    in_folder(|_| {
        for number in 0..10 {
            double(number);
        }
        assert!(double::invalidate(3).unwrap());
        let left = |number| double::peek(number).unwrap().is_some();
        assert_eq!((0..10).filter(|&number| left(number)).count(), 9);
    });
}

#[test]
fn values_invalidated_during_unleased_stores_are_removed() {
    double!(backend = registered("map"));

    with_map(|map| {
        map.before_storing(|| assert!(!double::invalidate(21).unwrap()));
        assert_eq!(
            double::call_with(CallOptions::new().overwrite_cache(), 21),
            42
        );
        assert_eq!(double::peek(21).unwrap(), None);
    });
}
