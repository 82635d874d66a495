//! However a computation ends, nobody hangs, nobody gets a wrong value, and nobody waits for more than two runs
//! of the body: the current one and one more.

use std::thread::JoinHandle;

use cachier::{CacheMetrics, cachier};
use cachier_tests::callers::{Callers, in_context, runtime};
use cachier_tests::gate::{Counter, Gate, panic_silently};
use cachier_tests::sandbox::in_folder;
use cachier_tests::wait::{until, until_waiting};

const CALLERS: usize = 1000;
const OTHERS: u64 = CALLERS as u64 - 1;

/// A cloneable error, which waiters share.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sharable(u64);

/// An error that cannot be shared.
#[derive(Debug, PartialEq)]
struct OneOfAKind(u64);

/// Lets the first computation end once all others wait for it.
#[track_caller]
fn let_go(gate: &Gate, metrics: &CacheMetrics) {
    gate.until_arrived(1);
    until_waiting(metrics, OTHERS);
    gate.open();
}

macro_rules! fates {
    ($($name:ident: ($($argument:tt)*), $start:ident, {$($function:tt)*}, {$($wait:tt)*};)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn after_a_panic_one_takes_over_for_all() {
                static GATE: Gate = Gate::new();
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, enable_metrics)]
                $($function)* double(number: u64) -> u64 {
                    if RUNS.next() == 1 {
                        GATE.$($wait)*;
                        panic_silently();
                    }
                    number * 2
                }

                in_folder(|_| {
                    let callers = Callers::new().$start(CALLERS, || double(21));
                    let_go(&GATE, double::metrics());
                    let (values, panics): (Vec<_>, Vec<_>) =
                        callers.results().into_iter().partition(Result::is_ok);
                    assert_eq!(panics.len(), 1);
                    assert!(values.into_iter().all(|value| value.unwrap() == 42));
                    assert_eq!(RUNS.get(), 2);
                    let stats = double::metrics().stats();
                    assert_eq!((stats.abandoned, stats.misses), (1, 1));
                    assert_eq!(stats.coalesced, OTHERS - 1);
                });
            }

            #[test]
            fn a_cloneable_error_is_shared() {
                static GATE: Gate = Gate::new();
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, enable_metrics)]
                $($function)* fail(number: u64) -> Result<u64, Sharable> {
                    RUNS.next();
                    GATE.$($wait)*;
                    Err(Sharable(number))
                }

                in_folder(|_| {
                    let callers = Callers::new().$start(CALLERS, || fail(7));
                    let_go(&GATE, fail::metrics());
                    assert_eq!(callers.values(), [Err(Sharable(7)); CALLERS]);
                    assert_eq!(RUNS.get(), 1);
                    let stats = fail::metrics().stats();
                    assert_eq!((stats.misses, stats.coalesced), (1, OTHERS));
                });
            }

            #[test]
            fn after_an_unshareable_error_all_compute() {
                static GATE: Gate = Gate::new();
                static TOGETHER: Gate = Gate::new();
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, enable_metrics)]
                $($function)* fail(number: u64) -> Result<u64, OneOfAKind> {
                    if RUNS.next() == 1 {
                        GATE.$($wait)*;
                    } else {
                        TOGETHER.$($wait)*;
                    }
                    Err(OneOfAKind(number))
                }

                in_folder(|_| {
                    let callers = Callers::new().$start(CALLERS, || fail(7));
                    let_go(&GATE, fail::metrics());
                    // All others are in the body at the same time: none waits for another.
                    TOGETHER.until_arrived(OTHERS);
                    TOGETHER.open();
                    let failures = callers.values();
                    assert!(failures.into_iter().all(|failure| failure == Err(OneOfAKind(7))));
                    assert_eq!(RUNS.get(), CALLERS as u64);
                    assert_eq!(fail::metrics().stats().misses, CALLERS as u64);
                });
            }

            #[test]
            fn an_unstored_none_is_shared() {
                static GATE: Gate = Gate::new();
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, enable_metrics)]
                $($function)* nothing(_number: u64) -> Option<u64> {
                    RUNS.next();
                    GATE.$($wait)*;
                    None
                }

                in_folder(|_| {
                    let callers = Callers::new().$start(CALLERS, || nothing(7));
                    let_go(&GATE, nothing::metrics());
                    assert_eq!(callers.values(), [None; CALLERS]);
                    assert_eq!(RUNS.get(), 1);
                    assert_eq!(Callers::new().$start(1, || nothing(7)).values(), [None]);
                    assert_eq!(RUNS.get(), 2, "`None` was stored");
                });
            }

            #[test]
            fn an_oversized_value_is_shared() {
                static GATE: Gate = Gate::new();
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, entry_size_limit = 10, enable_metrics)]
                $($function)* repeat(number: usize) -> String {
                    RUNS.next();
                    GATE.$($wait)*;
                    "x".repeat(number)
                }

                in_folder(|_| {
                    let callers = Callers::new().$start(CALLERS, || repeat(100));
                    let_go(&GATE, repeat::metrics());
                    assert!(callers.values().into_iter().all(|value| value.len() == 100));
                    assert_eq!(RUNS.get(), 1);
                    assert_eq!(Callers::new().$start(1, || repeat(100)).values()[0].len(), 100);
                    assert_eq!(RUNS.get(), 2, "it was stored");
                    assert_eq!(repeat::metrics().stats().size_limit_rejections, 2);
                });
            }
        }
    )*};
}

fates! {
    threads_on_memory: (backend = "memory"), on_threads, {fn}, {wait()};
    threads_on_file: (backend = "file"), on_threads, {fn}, {wait()};
    tasks_on_memory: (backend = "memory"), in_tasks, {async fn}, {wait_async().await};
    tasks_on_file: (backend = "file"), in_tasks, {async fn}, {wait_async().await};
    mixed_on_memory: (backend = "memory"), mixed, {async fn}, {wait_async().await};
    mixed_on_file: (backend = "file"), mixed, {async fn}, {wait_async().await};
}

macro_rules! cancelled {
    ($($name:ident: ($($argument:tt)*), $start:ident;)*) => {$(
        #[test]
        fn $name() {
            static GATE: Gate = Gate::new();
            static RUNS: Counter = Counter::new();

            #[cachier($($argument)*, enable_metrics)]
            async fn double(number: u64) -> u64 {
                if RUNS.next() == 1 {
                    GATE.wait_async().await;
                }
                number * 2
            }

            in_folder(|_| {
                let context = cachier::testing::IsolatedContext::current();
                let owner = runtime().spawn(in_context(context, double(21)));
                GATE.until_arrived(1);
                let callers = Callers::new().$start(CALLERS, || double(21));
                until_waiting(double::metrics(), CALLERS as u64);
                owner.abort();
                assert_eq!(callers.values(), [42; CALLERS]);
                assert_eq!(RUNS.get(), 2);
                let stats = double::metrics().stats();
                assert_eq!((stats.abandoned, stats.misses), (1, 1));
                assert_eq!(stats.coalesced, OTHERS);
            });
        }
    )*};
}

cancelled! {
    one_takes_over_after_cancellation_on_memory: (backend = "memory"), in_tasks;
    one_takes_over_after_cancellation_on_file: (backend = "file"), in_tasks;
    one_takes_over_for_tasks_and_threads_memory: (backend = "memory"), mixed;
    one_takes_over_for_tasks_and_threads_file: (backend = "file"), mixed;
}

macro_rules! restless {
    ($($test:ident: $bound:ident = $limit:literal, $calls:literal calls;)*) => {$(
        #[test]
        fn $test() {
            #[derive(Clone, serde::Serialize)]
            struct Restless(u64);

            impl Drop for Restless {
                fn drop(&mut self) {
                    let _ = restless::invalidate(self.0);
                }
            }

            #[cachier(backend = "memory", $bound = $limit)]
            fn restless(number: u64) -> Restless {
                Restless(number)
            }

            in_folder(|_| {
                let context = cachier::testing::IsolatedContext::current;
                let calls = || (0..$calls).for_each(|number| drop(restless(number % 50)));
                let callers = [(); 4].map(|()| {
                    let context = context();
                    std::thread::spawn(move || context.run(calls))
                });
                until("all calls end", || {
                    callers.iter().all(JoinHandle::is_finished)
                });
                for caller in callers {
                    caller.join().unwrap();
                }
            });
        }
    )*};
}

restless! {
    a_value_whose_drop_calls_blocks_nobody: capacity = 4, 20_000 calls;
    a_refused_value_whose_drop_calls_blocks_nobody: capacity_bytes = 1, 500 calls;
}
