//! However many callers want a cold key at once, the function runs once.

use std::pin::pin;
use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{CacheMetrics, cachier};
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::sandbox::in_folder;
use cachier_tests::wait::until_waiting;
use futures_lite::future::{block_on, poll_once};

const CALLERS: usize = 1000;

/// Lets the computation end once all others wait for it, and checks that there was no other.
#[track_caller]
fn one_computes(callers: Callers<u64>, gate: &Gate, metrics: &CacheMetrics) {
    until_waiting(metrics, CALLERS as u64 - 1);
    gate.open();
    assert_eq!(callers.values(), [42; CALLERS]);
    let stats = metrics.stats();
    assert_eq!((stats.recalculations, stats.misses), (1, 1));
    assert_eq!(stats.coalesced, CALLERS as u64 - 1);
}

/// Declares a function whose computations wait at a gate.
macro_rules! gated {
    ({$($function:tt)*}, {$($wait:tt)*}, $($argument:tt)*) => {
        static GATE: Gate = Gate::new();

        #[cachier($($argument)*, enable_metrics)]
        $($function)* double(number: u64) -> u64 {
            GATE.$($wait)*;
            number * 2
        }
    };
}

macro_rules! single_flight {
    ($($backend:ident: ($($argument:tt)*);)*) => {$(
        mod $backend {
            use super::*;

            #[test]
            fn a_thousand_threads() {
                gated!({fn}, {wait()}, $($argument)*);

                in_folder(|_| {
                    let callers = Callers::new().on_threads(CALLERS, || double(21));
                    one_computes(callers, &GATE, double::metrics());
                });
            }

            #[test]
            fn threads_and_blocking_tasks() {
                gated!({fn}, {wait()}, $($argument)*);

                in_folder(|_| {
                    let callers = Callers::new()
                        .on_threads(CALLERS / 2, || double(21))
                        .on_blocking_threads(CALLERS / 2, || double(21));
                    one_computes(callers, &GATE, double::metrics());
                });
            }

            #[test]
            fn threads_that_race_for_many_keys() {
                const KEYS: usize = 300;
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*)]
                fn double(number: usize) -> usize {
                    RUNS.next();
                    number * 2
                }

                in_folder(|_| {
                    let all = || (0..KEYS).map(double).sum::<usize>();
                    let callers = Callers::new().on_threads(4, all);
                    assert_eq!(callers.values(), [KEYS * (KEYS - 1); 4]);
                    assert_eq!(RUNS.get(), KEYS as u64);
                });
            }

            #[test]
            fn a_thousand_tasks() {
                gated!({async fn}, {wait_async().await}, $($argument)*);

                in_folder(|_| {
                    let callers = Callers::new().in_tasks(CALLERS, || double(21));
                    one_computes(callers, &GATE, double::metrics());
                });
            }

            #[test]
            fn tasks_and_threads_that_block_on_them() {
                gated!({async fn}, {wait_async().await}, $($argument)*);

                in_folder(|_| {
                    let callers = Callers::new()
                        .in_tasks(CALLERS / 2, || double(21))
                        .on_threads(CALLERS / 2, || smol::block_on(double(21)));
                    one_computes(callers, &GATE, double::metrics());
                });
            }
        }
    )*};
}

single_flight! {
    memory: (backend = "memory");
    file: (backend = "file");
    near: (backend = "file", near_cache = 10);
}

#[test]
fn different_keys_do_not_wait() {
    static GATE: Gate = Gate::new();

    #[cachier(backend = "memory", enable_metrics)]
    fn same(number: u64) -> u64 {
        GATE.wait();
        number
    }

    in_folder(|_| {
        let mut callers = Callers::new();
        for number in 0..50 {
            callers = callers.on_threads(1, move || same(number));
        }
        GATE.until_arrived(50);
        GATE.open();
        assert_eq!(callers.values().into_iter().sum::<u64>(), 49 * 50 / 2);
    });
}

#[test]
fn a_late_waiter_gets_nothing_too_old() {
    static GATE: Gate = Gate::new();
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "memory", stale_after = "1s", max_stale = "5s", next_time)]
    async fn count(_key: u8) -> u64 {
        let run = RUNS.next();
        GATE.wait_async().await;
        run
    }

    isolated(|| {
        let (mut leader, mut waiter) = (pin!(count(1)), pin!(count(1)));
        assert_eq!(block_on(poll_once(leader.as_mut())), None);
        assert_eq!(block_on(poll_once(waiter.as_mut())), None);
        GATE.open();
        assert_eq!(block_on(leader), 1);
        Clock::advance(Duration::from_secs(60));
        assert_eq!(block_on(waiter), 2);
    });
}
