//! Background work outlasts its call's runtime, whether that is idle or has ended.

use std::time::{Duration, Instant};

use cachier::testing::Clock;
use cachier::{CallOptions, Outcome, cachier};
use cachier_tests::callers::{Callers, flush, one_thread, two_threads};
use cachier_tests::count_async;
use cachier_tests::gate::{Counter, Gate, panic_silently};
use cachier_tests::sandbox::in_folder;
use cachier_tests::wait::{WAIT_TIMEOUT, until};
use tokio::runtime::{Handle, Runtime};

const HOUR: Duration = Duration::from_secs(3600);

/// Longer than a runtime may be idle.
const IDLE_TIME: Duration = Duration::from_millis(2500);

/// Drives a runtime just until the condition holds.
fn drive_until(runtime: &Runtime, holds: impl Fn() -> bool) {
    runtime.block_on(async {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < WAIT_TIMEOUT, "in vain");
            tokio::task::yield_now().await;
        }
    });
}

/// An abandoned lease is released a moment later, and waiters poll after a pause on the test's clock.
fn end_pause() {
    Clock::advance(Duration::from_millis(500));
}

/// Declares a function that counts its runs, of which all but the first wait at a gate.
macro_rules! gated {
    ($($argument:tt)*) => {
        static GATE: Gate = Gate::new();
        static RUNS: Counter = Counter::new();

        #[cachier($($argument)*, stale_after = "1h", next_time)]
        async fn count(_key: u8) -> u64 {
            let run = RUNS.next();
            if run > 1 {
                GATE.wait_async().await;
            }
            run
        }
    };
}

macro_rules! refreshes {
    ($($backend:ident: ($($argument:tt)*);)*) => {$(
        mod $backend {
            use super::*;

            #[test]
            fn come_with_one_block_on_for_each_request() {
                count_async!(RUNS, $($argument)*, stale_after = "1h", next_time);

                in_folder(|_| {
                    let runtime = one_thread();
                    let request = || runtime.block_on(count(1));
                    assert_eq!(request(), 1);
                    Clock::advance(2 * HOUR);
                    until("it is refreshed", || request() == 2);
                    flush();
                    assert_eq!(RUNS.get(), 2);
                });
            }

            #[test]
            fn come_with_a_new_runtime_for_each_request() {
                count_async!(RUNS, $($argument)*, stale_after = "1h", next_time);

                in_folder(|_| {
                    let request = || one_thread().block_on(count(1));
                    assert_eq!(request(), 1);
                    Clock::advance(2 * HOUR);
                    assert_eq!(request(), 1);
                    flush();
                    assert_eq!((request(), RUNS.get()), (2, 2));
                });
            }

            #[test]
            fn that_outlast_their_runtime_are_finished() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", next_time)]
                async fn count(_key: u8) -> u64 {
                    let run = RUNS.next();
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    run
                }

                in_folder(|_| {
                    let request = || {
                        let before = RUNS.get();
                        let runtime = two_threads();
                        let value = runtime.block_on(count(1));
                        if value == 1 && before == 1 {
                            // Until it has begun, and so ends with this runtime.
                            drive_until(&runtime, || RUNS.get() > before);
                        }
                        value
                    };
                    assert_eq!(request(), 1);
                    Clock::advance(2 * HOUR);
                    assert_eq!(request(), 1);
                    until("it is refreshed", || {
                        end_pause();
                        request() == 3
                    });
                    flush();
                    assert_eq!(RUNS.get(), 3);
                });
            }

            #[test]
            fn on_an_idle_runtime_block_nobody() {
                count_async!(RUNS, $($argument)*, stale_after = "1h", next_time);

                in_folder(|_| {
                    let (idle, other) = (one_thread(), one_thread());
                    idle.block_on(count(1));
                    Clock::advance(2 * HOUR);
                    assert_eq!(idle.block_on(count(1)), 1);
                    until("it is refreshed", || other.block_on(count(1)) == 2);
                    flush();
                    assert_eq!(RUNS.get(), 2);
                });
            }

            #[test]
            fn from_an_idle_runtime_go_on_elsewhere() {
                gated!($($argument)*);

                in_folder(|_| {
                    let idle = one_thread();
                    idle.block_on(count(1));
                    Clock::advance(2 * HOUR);
                    assert_eq!(idle.block_on(count(1)), 1);
                    drive_until(&idle, || RUNS.get() == 2);
                    GATE.open();
                    flush();
                    assert_eq!((idle.block_on(count(1)), RUNS.get()), (2, 2));
                });
            }

            #[test]
            fn that_go_on_elsewhere_leave_nothing_behind() {
                gated!($($argument)*);

                in_folder(|_| {
                    let idle = one_thread();
                    idle.block_on(count(1));
                    let tasks = || idle.metrics().num_alive_tasks();
                    let before = tasks();
                    Clock::advance(2 * HOUR);
                    assert_eq!(idle.block_on(count(1)), 1);
                    drive_until(&idle, || RUNS.get() == 2);
                    assert!(tasks() > before);
                    GATE.open();
                    flush();
                    drive_until(&idle, || tasks() <= before);
                });
            }

            #[test]
            fn waiting_for_an_idle_runtime_release_the_key() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", next_time)]
                async fn count(_key: u8) -> u64 {
                    let run = RUNS.next();
                    if run == 2 {
                        // Owned by the runtime, like the data that a connection has read.
                        let _ = tokio::spawn(std::future::pending::<()>()).await;
                    }
                    run
                }

                in_folder(|_| {
                    let (idle, other) = (one_thread(), one_thread());
                    idle.block_on(count(1));
                    Clock::advance(2 * HOUR);
                    assert_eq!(idle.block_on(count(1)), 1);
                    drive_until(&idle, || RUNS.get() == 2);
                    until("it is refreshed", || {
                        end_pause();
                        other.block_on(count(1)) == 3
                    });
                    flush();
                    assert_eq!(RUNS.get(), 3);
                });
            }

            #[test]
            fn on_an_idle_runtime_do_not_block_flush() {
                count_async!(RUNS, $($argument)*, stale_after = "1h", next_time);

                in_folder(|_| {
                    let (idle, busy) = (one_thread(), two_threads());
                    idle.block_on(count(1));
                    Clock::advance(2 * HOUR);
                    assert_eq!(idle.block_on(count(1)), 1);
                    let flushed = async { tokio::time::timeout(WAIT_TIMEOUT, cachier::flush_async()).await };
                    busy.block_on(flushed).expect("it never ends");
                    assert_eq!((busy.block_on(count(1)), RUNS.get()), (2, 2));
                });
            }

            #[test]
            fn on_a_live_runtime_stay_the_only_ones() {
                gated!($($argument)*);

                in_folder(|_| {
                    let live = two_threads();
                    let request = || live.block_on(count(1));
                    request();
                    Clock::advance(2 * HOUR);
                    let started = Instant::now();
                    while started.elapsed() < IDLE_TIME {
                        assert_eq!(request(), 1);
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    GATE.open();
                    flush();
                    assert_eq!((request(), RUNS.get()), (2, 2));
                });
            }

            #[test]
            fn begin_on_the_runtime_of_their_call() {
                #[cachier($($argument)*, stale_after = "1h", next_time)]
                async fn place(_key: u8) -> String {
                    Handle::current().id().to_string()
                }

                in_folder(|_| {
                    let (first, live) = (two_threads(), two_threads());
                    first.block_on(place(1));
                    // On a busy machine, one may begin too late; then the next.
                    until("one begins there", || {
                        Clock::advance(2 * HOUR);
                        live.block_on(place(1));
                        flush();
                        live.block_on(place(1)) == live.handle().id().to_string()
                    });
                });
            }

            #[test]
            fn that_panic_elsewhere_give_the_key_back() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", next_time, retry_after = "0s")]
                async fn count(_key: u8) -> u64 {
                    match RUNS.next() {
                        2 => panic_silently(),
                        run => run,
                    }
                }

                in_folder(|_| {
                    let idle = one_thread();
                    idle.block_on(count(1));
                    Clock::advance(2 * HOUR);
                    assert_eq!(idle.block_on(count(1)), 1);
                    flush();
                    until("it is refreshed", || {
                        end_pause();
                        idle.block_on(count(1)) == 3
                    });
                    flush();
                    assert_eq!(RUNS.get(), 3);
                });
            }

            #[test]
            fn that_flush_blocks_the_runtime_of_end() {
                count_async!(RUNS, $($argument)*, stale_after = "1h", next_time);

                in_folder(|_| {
                    let done = Callers::new().on_threads(1, || {
                        one_thread().block_on(async {
                            count(1).await;
                            Clock::advance(2 * HOUR);
                            assert_eq!(count(1).await, 1);
                            // The work cannot have this task's thread.
                            cachier::flush();
                            count(1).await
                        })
                    });
                    assert_eq!((done.values(), RUNS.get()), (vec![2], 2));
                });
            }
        }
    )*};
}

refreshes! {
    refreshes_in_memory: (backend = "memory");
    refreshes_on_file: (backend = "file");
    refreshes_on_near: (backend = "file", near_cache = 10);
    refreshes_on_sqlite: (backend = "sql");
}

macro_rules! large_values {
    ($($name:ident: ($($argument:tt)*), $runtime:ident;)*) => {$(
        #[test]
        fn $name() {
            #[cachier($($argument)*)]
            async fn repeat(length: usize) -> String {
                "x".repeat(length)
            }

            in_folder(|_| {
                const LENGTH: usize = 2 << 20;
                assert_eq!($runtime().block_on(repeat(LENGTH)).len(), LENGTH);
                flush();
                let again = repeat::call_detailed(CallOptions::new(), LENGTH);
                let again = $runtime().block_on(again);
                assert_eq!((again.value.len(), again.outcome), (LENGTH, Outcome::Hit));
            });
        }
    )*};
}

large_values! {
    large_values_outlast_a_current_thread_runtime_file: (backend = "file"), one_thread;
    large_values_outlast_a_current_thread_runtime_sqlite: (backend = "sql"), one_thread;
    large_values_outlast_a_multi_thread_runtime_file: (backend = "file"), two_threads;
    large_values_outlast_a_multi_thread_runtime_sqlite: (backend = "sql"), two_threads;
}

#[test]
fn a_clean_up_outlasts_its_runtime() {
    #[cachier(
        backend = "file",
        stale_after = "1h",
        cleanup_stale,
        cleanup_interval = "1m"
    )]
    async fn double(number: u64) -> u64 {
        number * 2
    }

    in_folder(|folder| {
        one_thread().block_on(double(1));
        flush();
        Clock::advance(2 * HOUR);
        one_thread().block_on(double(2));
        flush();
        assert_eq!(cachier_tests::sandbox::entries(folder).len(), 1);
    });
}
