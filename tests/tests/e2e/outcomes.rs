//! Outcome counters add up to finished calls, whatever happens concurrently.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use cachier::testing::{Clock, IsolatedContext};
use cachier::{CacheMetrics, CallOptions, Error, ErrorKind, cachier};
use cachier_metrics::{AbandonReason, Activity};
use cachier_tests::backend::{Fault, MapBackend};
use cachier_tests::callers::{Callers, in_context, runtime};
use cachier_tests::gate::panic_silently;
use cachier_tests::sandbox::in_folder;
use futures_lite::{FutureExt, future};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tokio::task::JoinHandle;

/// The behaviour of a call's body.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Value,
    None,
    Error,
    Panic,
}

/// A caller's action.
#[derive(Clone, Debug)]
enum Step {
    Call {
        key: u8,
        fate: Fate,
        options: CallOptions,
    },
    /// A call dropped after that many polls.
    GiveUp {
        key: u8,
        fate: Fate,
        turns: usize,
    },
    Invalidate {
        key: u8,
    },
    Clear,
    Precache {
        key: u8,
    },
    /// Advances the clock, so that stored values become stale.
    Wait,
    /// Changes the fault of our own backend.
    Break(Fault),
}

/// How a call ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Finished,
    Panicked,
    Cancelled,
    NoCall,
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![4 => Just(Fate::Value), 1 => Just(Fate::None), 1 => Just(Fate::Error), 1 => Just(Fate::Panic)]
}

fn options() -> impl Strategy<Value = CallOptions> {
    prop_oneof![
        6 => Just(CallOptions::new()),
        1 => Just(CallOptions::new().skip_cache()),
        1 => Just(CallOptions::new().overwrite_cache()),
        1 => Just(CallOptions::new().max_age(Duration::ZERO)),
    ]
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        2 => Just(Fault::None),
        1 => Just(Fault::Fails(ErrorKind::Connect)),
        1 => Just(Fault::FailsToStore(ErrorKind::Full)),
        1 => Just(Fault::LoadsGarbage),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let key = 0..3_u8;
    prop_oneof![
        8 => (key.clone(), fates(), options()).prop_map(|(key, fate, options)| Step::Call { key, fate, options }),
        3 => (key.clone(), fates(), 1..6_usize).prop_map(|(key, fate, turns)| Step::GiveUp { key, fate, turns }),
        1 => key.clone().prop_map(|key| Step::Invalidate { key }),
        1 => Just(Step::Clear),
        1 => key.prop_map(|key| Step::Precache { key }),
        1 => Just(Step::Wait),
        1 => faults().prop_map(Step::Break),
    ]
}

/// The same cases in every run; only the interleaving of threads varies.
fn always_the_same(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Runs a test in a context whose time passes in leaps, none of which is too long for the backend.
fn in_patient_folder<R>(test: impl FnOnce(&MapBackend) -> R) -> R {
    in_folder(|_| {
        let limit = Duration::from_secs(1 << 30);
        cachier::set_global_params(cachier::global_params().operation_timeout(limit));
        let map = MapBackend::default();
        cachier::register_backend("map", map.clone()).unwrap();
        test(&map)
    })
}

/// Only our own backend fails, and only on demand.
#[track_caller]
fn may_fail<T>(result: Result<T, Error>) {
    if let Err(error) = result {
        let is_ours = matches!(
            error.kind(),
            ErrorKind::Connect | ErrorKind::Full | ErrorKind::BreakerOpen
        );
        assert!(is_ours, "{error:#}");
    }
}

/// The result of a fate.
fn result(key: u8, fate: Fate) -> Result<Option<u8>, String> {
    match fate {
        Fate::Value => Ok(Some(key)),
        Fate::None => Ok(None),
        Fate::Error => Err("on purpose".to_owned()),
        Fate::Panic => panic_silently(),
    }
}

/// The counters agree with the callers' results, and nothing is running any more.
fn agree(metrics: &CacheMetrics, ends: &[End]) -> Result<(), TestCaseError> {
    let of = |end: End| ends.iter().filter(|&&one| one == end).count() as u64;
    let (stats, snapshot) = (metrics.stats(), metrics.snapshot());
    let sum = stats.hits
        + stats.stale
        + stats.coalesced
        + stats.misses
        + stats.bypassed
        + stats.unavailable;
    prop_assert_eq!(stats.calls, sum);
    prop_assert_eq!(stats.calls, of(End::Finished));
    prop_assert_eq!(snapshot.abandoned[AbandonReason::Panic], of(End::Panicked));
    prop_assert_eq!(
        snapshot.abandoned[AbandonReason::Cancelled],
        of(End::Cancelled)
    );
    prop_assert_eq!(snapshot.activity, Activity::default());
    Ok(())
}

/// Polls a future that often, then drops it.
async fn give_up_after<T>(turns: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    for _ in 0..turns {
        if let Some(value) = future::poll_once(call.as_mut()).await {
            return Some(value);
        }
        future::yield_now().await;
    }
    None
}

macro_rules! outcomes {
    ($($backend:ident: ($($argument:tt)*);)*) => {$(
        mod $backend {
            use super::*;

            #[cachier($($argument)*, stale_after = "1h", skip(fate), enable_metrics, sampling_rate = 0.3)]
            fn sync(key: u8, fate: Fate) -> Result<Option<u8>, String> {
                std::thread::yield_now();
                result(key, fate)
            }

            #[cachier($($argument)*, stale_after = "1h", next_time, skip(fate), enable_metrics)]
            async fn asynchronous(key: u8, fate: Fate) -> Result<Option<u8>, String> {
                for _ in 0..3 {
                    future::yield_now().await;
                }
                result(key, fate)
            }

            fn on_a_thread(map: &MapBackend, step: Step) -> End {
                match step {
                    Step::Call { key, fate, options } => {
                        let call = AssertUnwindSafe(|| sync::call_with(options, key, fate));
                        return ended(std::panic::catch_unwind(call).map(Some), key);
                    }
                    Step::GiveUp { key, fate, .. } => {
                        let call = std::panic::catch_unwind(|| sync(key, fate));
                        return ended(call.map(Some), key);
                    }
                    Step::Invalidate { key } => may_fail(sync::invalidate(key, Fate::Value)),
                    Step::Clear => may_fail(sync::clear_cache()),
                    Step::Precache { key } => {
                        may_fail(sync::precache_value(key, Fate::Value, Some(key)));
                    }
                    Step::Wait => Clock::advance(Duration::from_secs(4000)),
                    Step::Break(fault) => map.set(fault),
                }
                End::NoCall
            }

            async fn in_a_task(map: MapBackend, step: Step) -> End {
                match step {
                    Step::Call { key, fate, options } => {
                        let call = AssertUnwindSafe(asynchronous::call_with(options, key, fate));
                        return ended(call.catch_unwind().await.map(Some), key);
                    }
                    Step::GiveUp { key, fate, turns } => {
                        let call = give_up_after(turns, asynchronous(key, fate));
                        return ended(AssertUnwindSafe(call).catch_unwind().await, key);
                    }
                    Step::Invalidate { key } => {
                        may_fail(asynchronous::invalidate(key, Fate::Value).await);
                    }
                    Step::Clear => may_fail(asynchronous::clear_cache().await),
                    Step::Precache { key } => {
                        let given = asynchronous::precache_value(key, Fate::Value, Some(key));
                        may_fail(given.await);
                    }
                    Step::Wait => Clock::advance(Duration::from_secs(4000)),
                    Step::Break(fault) => map.set(fault),
                }
                End::NoCall
            }

            proptest! {
                #![proptest_config(always_the_same(40))]

                #[test]
                fn sum_to_the_finished_calls_of_threads(scripts in vec(vec(steps(), 1..12), 1..6)) {
                    in_patient_folder(|map| {
                        let mut callers = Callers::new();
                        for script in scripts {
                            let map = map.clone();
                            let run = move || {
                                let steps = script.iter().cloned();
                                steps.map(|step| on_a_thread(&map, step)).collect::<Vec<_>>()
                            };
                            callers = callers.on_threads(1, run);
                        }
                        let ends = callers.values().concat();
                        cachier::flush();
                        agree(sync::metrics(), &ends)
                    })?;
                }

                #[test]
                fn sum_to_the_finished_calls_of_tasks(script in vec(steps(), 1..40)) {
                    in_patient_folder(|map| {
                        let context = IsolatedContext::current();
                        let start =
                            |step| runtime().spawn(in_context(context, in_a_task(map.clone(), step)));
                        let tasks: Vec<_> = script.into_iter().map(start).collect();
                        let wait = |task: JoinHandle<End>| runtime().block_on(task).unwrap();
                        let ends: Vec<_> = tasks.into_iter().map(wait).collect();
                        cachier::flush();
                        agree(asynchronous::metrics(), &ends)
                    })?;
                }
            }
        }
    )*};
}

/// How a call ended. Its value must be of its own key.
fn ended(call: std::thread::Result<Option<Result<Option<u8>, String>>>, key: u8) -> End {
    match call {
        Ok(Some(value)) => {
            assert!(
                value.is_err() || value == Ok(None) || value == Ok(Some(key)),
                "{key}: {value:?}"
            );
            End::Finished
        }
        Ok(None) => End::Cancelled,
        Err(_) => End::Panicked,
    }
}

outcomes! {
    memory: (backend = "memory");
    file: (backend = "file");
    near: (backend = "file", near_cache = 2);
    failing: (backend = registered("map"));
}
