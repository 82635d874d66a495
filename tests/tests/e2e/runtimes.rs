//! One static serves every runtime, threads without one, and sync functions inside tasks.

use std::time::Duration;

use cachier::testing::{Clock, isolated_async};
use cachier::{CallOptions, Outcome, cachier};
use cachier_tests::callers::{Callers, one_thread};
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::sandbox::{entries, in_folder, in_folder_async};
use cachier_tests::wait::until_waiting;
use cachier_tests::{count_async, double};
use tokio::runtime::Builder;

const HOUR: Duration = Duration::from_secs(3600);

macro_rules! everywhere {
    ($($backend:ident: ($($argument:tt)*);)*) => {$(
        mod $backend {
            use super::*;

            #[test]
            fn consecutive_runtimes_share_stored_values() {
                #[cachier($($argument)*)]
                async fn double(number: u64) -> u64 {
                    tokio::task::yield_now().await;
                    number * 2
                }

                in_folder(|_| {
                    let outcomes: Vec<_> = (0..3)
                        .map(|_| {
                            let call = double::call_detailed(CallOptions::new(), 21);
                            one_thread().block_on(call).outcome
                        })
                        .collect();
                    assert_eq!(outcomes, [Outcome::Miss, Outcome::Hit, Outcome::Hit]);
                    assert_eq!(one_thread().block_on(double(21)), 42);
                });
            }

            #[test]
            fn a_vanished_runtime_leaves_nobody_waiting() {
                static RUNS: Counter = Counter::new();
                static NEVER: Gate = Gate::new();

                #[cachier($($argument)*, enable_metrics)]
                async fn double(number: u64) -> u64 {
                    if RUNS.next() == 1 {
                        NEVER.wait_async().await;
                    }
                    number * 2
                }

                in_folder(|_| {
                    let first = Builder::new_multi_thread().worker_threads(1).build().unwrap();
                    let context = cachier::testing::IsolatedContext::current();
                    first.spawn(cachier_tests::callers::in_context(context, double(21)));
                    NEVER.until_arrived(1);
                    let waiter = Callers::new().in_tasks(1, || double(21));
                    until_waiting(double::metrics(), 1);
                    first.shutdown_background();
                    assert_eq!(waiter.values(), [42]);
                });
            }

            #[test]
            fn executors_other_than_tokio_and_plain_threads() {
                #[cachier($($argument)*)]
                async fn double(number: u64) -> u64 {
                    smol::future::yield_now().await;
                    number * 2
                }

                in_folder(|_| {
                    assert_eq!(smol::block_on(double(1)), 2);
                    assert_eq!(smol::block_on(smol::spawn(double(2))), 4);
                    let there = std::thread::spawn(|| futures_lite::future::block_on(double(3)));
                    assert_eq!(there.join().unwrap(), 6);
                });
            }

            #[tokio::test]
            async fn a_sync_function_inside_a_task() {
                double!($($argument)*);

                in_folder_async(async |_| {
                    assert_eq!([double(1), double(1)], [2, 2]);
                    let call = double::call_detailed(CallOptions::new(), 1);
                    assert_eq!(call.outcome, Outcome::Hit);
                    assert!(double::invalidate(1).unwrap());
                })
                .await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn futures_can_be_sent_to_other_threads() {
                #[cachier($($argument)*, stale_after = "1h", next_time)]
                async fn double(number: u64) -> u64 {
                    tokio::task::yield_now().await;
                    number * 2
                }

                #[cachier($($argument)*)]
                async fn show<T: ToString + Clone + Eq + std::hash::Hash + serde::Serialize + Send + Sync + 'static>(
                    value: T,
                ) -> String {
                    tokio::task::yield_now().await;
                    value.to_string()
                }

                struct Shop;

                impl Shop {
                    #[cachier($($argument)*, skip(self))]
                    async fn price(&self, item: &str) -> usize {
                        tokio::task::yield_now().await;
                        item.len()
                    }
                }

                let folder = tempfile::tempdir().unwrap();
                let context = cachier::testing::isolated(cachier::testing::IsolatedContext::current);
                let params = context.run(cachier::global_params).cache_dir(folder.path());
                context.run(|| cachier::set_global_params(params));
                let task = async {
                    let price = Shop.price("tea").await;
                    double::precache_value(5, 11).await.unwrap();
                    (double(5).await, show(5).await, price)
                };
                let task = tokio::spawn(cachier_tests::callers::in_context(context, task));
                assert_eq!(task.await.unwrap(), (11, "5".to_owned(), 3));
            }

            #[test]
            fn a_refresh_without_runtime_runs_on_a_thread() {
                count_async!(RUNS, $($argument)*, stale_after = "1h", next_time);

                in_folder(|_| {
                    smol::block_on(count(1));
                    Clock::advance(2 * HOUR);
                    assert_eq!(smol::block_on(count(1)), 1);
                    cachier::flush();
                    assert_eq!(smol::block_on(count(1)), 2);
                });
            }

            #[test]
            fn a_vanished_refresh_is_repeated_by_callers() {
                static RUNS: Counter = Counter::new();
                static NEVER: Gate = Gate::new();

                #[cachier($($argument)*, stale_after = "1h", next_time)]
                async fn count(_key: u8) -> u64 {
                    let run = RUNS.next();
                    if run == 2 {
                        NEVER.wait_async().await;
                    }
                    run
                }

                in_folder(|_| {
                    one_thread().block_on(count(1));
                    Clock::advance(2 * HOUR);
                    let first = one_thread();
                    assert_eq!(first.block_on(count(1)), 1);
                    first.block_on(async { until_async(|| RUNS.get() == 2).await });
                    drop(first);
                    let second = one_thread();
                    assert_eq!(second.block_on(count(1)), 1);
                    second.block_on(cachier::flush_async());
                    assert_eq!(second.block_on(count(1)), 3);
                });
            }
        }
    )*};
}

/// Yields to other tasks until the condition holds.
async fn until_async(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

everywhere! {
    memory: (backend = "memory");
    file: (backend = "file");
    near: (backend = "file", near_cache = 10);
}

macro_rules! first_of_three {
    ($($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            // Each of these tests has its own runtime, and all share one static, in any order.
            assert_eq!(shared_by_tests(21).await, 42);
        }
    )*};
}

#[cachier(backend = "memory")]
async fn shared_by_tests(number: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    number * 2
}

first_of_three!(test_runtimes_share_a_static_1 test_runtimes_share_a_static_2 test_runtimes_share_a_static_3);

macro_rules! large_values {
    ($($name:ident: $start:ident, {$($function:tt)*};)*) => {$(
        #[test]
        fn $name() {
            #[cachier(backend = "file")]
            $($function)* repeat(length: usize) -> String {
                "x".repeat(length)
            }

            in_folder(|folder| {
                const LENGTH: usize = 2 << 20;
                let lengths = || {
                    let values = Callers::new().$start(20, || repeat(LENGTH)).values();
                    values.into_iter().map(|value| value.len()).collect::<Vec<_>>()
                };
                assert_eq!(lengths(), [LENGTH; 20]);
                cachier::flush();
                assert_eq!(entries(folder).len(), 1);
                assert_eq!(lengths(), [LENGTH; 20]);
            });
        }
    )*};
}

large_values! {
    threads_store_large_values_in_the_background: on_threads, {fn};
    tasks_store_large_values_in_the_background: in_tasks, {async fn};
}

#[tokio::test]
async fn an_isolated_future_can_await_its_tasks() {
    #[cachier(backend = "memory", enable_metrics)]
    async fn double(number: u64) -> u64 {
        tokio::task::yield_now().await;
        number * 2
    }

    isolated_async(async {
        let (one, other) = tokio::join!(double(21), double(21));
        assert_eq!((one, other), (42, 42));
        let stats = double::metrics().stats();
        assert_eq!((stats.misses, stats.coalesced), (1, 1));
    })
    .await;
}
