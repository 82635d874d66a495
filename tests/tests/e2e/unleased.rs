//! Flights without a lease, as the store did not answer the request for one: nobody tells them of invalidations elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{Call, CallOptions, ErrorKind, Outcome, cachier, register_backend};
use cachier_tests::backend::{Fault, MapBackend};
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::sandbox::in_another_process;
use cachier_tests::wait::until_waiting;

const HOUR: Duration = Duration::from_secs(3600);

/// Callers that come after the first.
const LATER_CALLS: usize = 3;

fn with_leases(test: impl FnOnce(&MapBackend)) {
    isolated(|| {
        let map = MapBackend::with_leases();
        register_backend("map", map.clone()).unwrap();
        test(&map);
    });
}

/// One computed, the others were given the value, or found it if they woke up late.
fn assert_one_computed<R>(calls: &[Call<R>]) {
    let count = |outcome| calls.iter().filter(|call| call.outcome == outcome).count();
    assert_eq!(count(Outcome::Miss), 1);
    assert_eq!(
        count(Outcome::Coalesced) + count(Outcome::Hit),
        calls.len() - 1
    );
}

macro_rules! unleased {
    ($($name:ident: $start:ident, {$($function:tt)*}, $wait:ident $(.$await:tt)?;)*) => {$(
        mod $name {
            use super::*;

            /// The result of one caller.
            macro_rules! one {
                ($call:expr) => {
                    Callers::new().$start(1, move || $call).values().remove(0)
                };
            }

            #[test]
            fn values_older_than_an_invalidation_are_unshared() {
                static SOURCE: AtomicU64 = AtomicU64::new(1);
                static RUNS: Counter = Counter::new();
                static GATE: Gate = Gate::new();

                #[cachier(backend = registered("map"), enable_metrics)]
                $($function)* read(_key: u8) -> u64 {
                    let value = SOURCE.load(Ordering::SeqCst);
                    if RUNS.next() == 1 {
                        GATE.$wait()$(.$await)?;
                    }
                    value
                }

                with_leases(|map| {
                    let call = || read::call_detailed(CallOptions::new(), 1);
                    map.set(Fault::FailsToLease(ErrorKind::Timeout));
                    let first = Callers::new().$start(1, call);
                    GATE.until_arrived(1);
                    map.set(Fault::None);
                    SOURCE.store(2, Ordering::SeqCst);
                    in_another_process(|| {
                        register_backend("map", map.clone()).unwrap();
                        one!(read::invalidate(1)).unwrap();
                    });
                    let later = Callers::new().$start(LATER_CALLS, call);
                    until_waiting(read::metrics(), LATER_CALLS as u64);
                    GATE.open();
                    let first = first.values().remove(0);
                    assert_eq!((first.value, first.outcome), (1, Outcome::Unavailable));
                    let later = later.values();
                    assert!(later.iter().all(|call| call.value == 2), "{later:?}");
                    assert_one_computed(&later);
                    assert_eq!(RUNS.get(), 2);
                });
            }

            #[test]
            fn fallbacks_older_than_an_invalidation_are_unshared() {
                static RUNS: Counter = Counter::new();
                static GATE: Gate = Gate::new();

                #[cachier(
                    backend = registered("map"),
                    stale_after = "1h",
                    stale_on_error = "1d",
                    enable_metrics
                )]
                $($function)* read(_key: u8) -> Result<u64, String> {
                    let run = RUNS.next();
                    if run != 2 {
                        return Ok(run);
                    }
                    GATE.$wait()$(.$await)?;
                    Err("down".to_owned())
                }

                with_leases(|map| {
                    let call = || read::call_detailed(CallOptions::new(), 1);
                    assert_eq!(one!(read(1)), Ok(1));
                    Clock::advance(2 * HOUR);
                    map.set(Fault::FailsToLease(ErrorKind::Denied));
                    let first = Callers::new().$start(1, call);
                    GATE.until_arrived(1);
                    map.set(Fault::None);
                    in_another_process(|| {
                        register_backend("map", map.clone()).unwrap();
                        assert!(one!(read::invalidate(1)).unwrap());
                    });
                    let later = Callers::new().$start(LATER_CALLS, call);
                    until_waiting(read::metrics(), LATER_CALLS as u64);
                    GATE.open();
                    let first = first.values().remove(0);
                    assert_eq!((first.value, first.outcome), (Ok(1), Outcome::Stale));
                    let later = later.values();
                    assert!(later.iter().all(|call| call.value == Ok(3)), "{later:?}");
                    assert_one_computed(&later);
                });
            }

            #[test]
            fn single_flight_outlives_an_outage() {
                static RUNS: Counter = Counter::new();
                static GATE: Gate = Gate::new();

                #[cachier(backend = registered("map"), enable_metrics)]
                $($function)* read(_key: u8) -> u64 {
                    let run = RUNS.next();
                    GATE.$wait()$(.$await)?;
                    run
                }

                with_leases(|map| {
                    map.set(Fault::Fails(ErrorKind::Connect));
                    let first = Callers::new().$start(1, || read(1));
                    GATE.until_arrived(1);
                    let later = Callers::new().$start(LATER_CALLS, || read(1));
                    until_waiting(read::metrics(), LATER_CALLS as u64);
                    GATE.open();
                    assert_eq!(first.values(), [1]);
                    assert_eq!((later.values(), RUNS.get()), (vec![1; LATER_CALLS], 1));
                });
            }
        }
    )*};
}

unleased! {
    sync_calls: on_threads, {fn}, wait;
    async_calls: in_tasks, {async fn}, wait_async.await;
}
