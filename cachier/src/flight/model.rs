//! Single flight under the shuttle model checker: `RUSTFLAGS="--cfg shuttle" cargo test -p cachier --lib model`.
//!
//! Each property has a broken variant that the checker must catch.

#![allow(clippy::unwrap_used)]

use std::time::Instant;

use shuttle::future::block_on;
use shuttle::thread;

use super::table::Storing;
use super::{ComputationId, FlightResult, Flights, Joined, Leader, Recheck, depend};
use crate::budget::Budget;
use crate::sync::{Arc, Mutex, lock};

const SCHEDULES: usize = 2_000;
const KEY: u8 = 7;

/// A cache of one key that counts computations.
struct Cache {
    flights: Flights<u8, u64>,
    stored: Mutex<Option<u64>>,
    computed: Mutex<u64>,
}

/// Whether a caller without a flight looks again before it leads one.
#[derive(Clone, Copy)]
enum DoubleCheck {
    Done,
    Forgotten,
}

impl Cache {
    fn new() -> Arc<Self> {
        let (stored, computed) = (Mutex::new(None), Mutex::new(0));
        Arc::new(Self {
            flights: Flights::new(),
            stored,
            computed,
        })
    }

    fn get(&self, double_check: DoubleCheck) -> u64 {
        loop {
            if let Some(value) = *lock(&self.stored) {
                return value;
            }
            let recheck = || match (double_check, *lock(&self.stored)) {
                (DoubleCheck::Done, Some(_)) => Recheck::Stored,
                _ => Recheck::Unchanged,
            };
            // A call tries to lead at once, and joins where it cannot.
            let leader = match self.lead(recheck) {
                Some(leader) => leader,
                None => match self.flights.join(&KEY, ComputationId::next(), recheck) {
                    Joined::Finished => continue,
                    Joined::Leader(leader) => leader,
                    Joined::Waiter(flight) => {
                        let budget = Budget::unlimited();
                        let result = flight.result(Instant::now(), &budget, || None);
                        if let Ok(FlightResult::Value(value)) = block_on(result) {
                            return value;
                        }
                        continue;
                    }
                },
            };
            let value = self.compute();
            leader.finish(
                || *lock(&self.stored) = Some(value),
                || FlightResult::Value(value),
            );
            return value;
        }
    }

    fn lead(&self, recheck: impl FnOnce() -> Recheck) -> Option<Leader<'_, u8, u64>> {
        let recheck = |_: &u8| recheck();
        let leader = self.flights.lead(KEY, ComputationId::next(), recheck);
        leader.ok()
    }

    fn compute(&self) -> u64 {
        thread::yield_now();
        let mut computed = lock(&self.computed);
        *computed += 1;
        *computed
    }
}

fn all_get(double_check: DoubleCheck) {
    let cache = Cache::new();
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let cache = Arc::clone(&cache);
            thread::spawn(move || cache.get(double_check))
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.join().unwrap(), 1);
    }
    assert_eq!(*lock(&cache.computed), 1);
}

#[test]
fn one_computation_serves_all_callers() {
    shuttle::check_random(|| all_get(DoubleCheck::Done), SCHEDULES);
}

#[test]
#[should_panic(expected = "assertion")]
fn without_recheck_two_computations_are_found() {
    shuttle::check_random(|| all_get(DoubleCheck::Forgotten), SCHEDULES);
}

#[test]
fn an_abandoned_flight_is_taken_over() {
    shuttle::check_random(
        || {
            let cache = Cache::new();
            let first = {
                let cache = Arc::clone(&cache);
                thread::spawn(move || {
                    let joined = cache
                        .flights
                        .join(&KEY, ComputationId::next(), || Recheck::Unchanged);
                    thread::yield_now();
                    drop(joined);
                })
            };
            let second = {
                let cache = Arc::clone(&cache);
                thread::spawn(move || cache.get(DoubleCheck::Done))
            };
            first.join().unwrap();
            assert_eq!(second.join().unwrap(), 1);
            assert_eq!(cache.get(DoubleCheck::Done), 1);
        },
        SCHEDULES,
    );
}

#[test]
fn a_value_invalidated_while_computed_is_not_stored() {
    shuttle::check_random(
        || {
            let cache = Cache::new();
            let Joined::Leader(leader) = cache
                .flights
                .join(&KEY, ComputationId::next(), || Recheck::Unchanged)
            else {
                unreachable!("nobody else is there yet");
            };
            let forgetting = {
                let cache = Arc::clone(&cache);
                thread::spawn(move || {
                    cache.flights.forget(&KEY);
                    *lock(&cache.stored) = None;
                })
            };
            let storing =
                leader.finish(|| *lock(&cache.stored) = Some(1), || FlightResult::Value(1));
            forgetting.join().unwrap();
            assert_eq!(*lock(&cache.stored), None, "{storing:?}");
        },
        SCHEDULES,
    );
}

#[test]
fn unshared_computations_do_not_outlive_an_invalidation() {
    shuttle::check_random(
        || {
            let cache = Cache::new();
            let unshared = cache.flights.unshared(&KEY);
            let forgetting = {
                let cache = Arc::clone(&cache);
                thread::spawn(move || {
                    cache.flights.forget_all();
                    *lock(&cache.stored) = None;
                })
            };
            let storing = unshared.store(|| *lock(&cache.stored) = Some(1));
            forgetting.join().unwrap();
            assert_eq!(*lock(&cache.stored), None, "{storing:?}");
            let unshared = cache.flights.unshared(&KEY);
            assert_eq!(unshared.store(|| ()), Storing::Done);
        },
        SCHEDULES,
    );
}

/// Whether a caller asks before it waits.
#[derive(Clone, Copy)]
enum DependencyCheck {
    First,
    Never,
}

/// Two computations that need each other's keys.
fn need_each_other(ask: DependencyCheck) {
    let flights: Arc<Flights<u8, u64>> = Arc::new(Flights::new());
    let callers: Vec<_> = [(1, 2), (2, 1)]
        .map(|(own, other)| {
            let flights = Arc::clone(&flights);
            thread::spawn(move || {
                let computation = ComputationId::next();
                let joined = flights.join(&own, computation, || Recheck::Unchanged);
                if let Joined::Waiter(flight) =
                    flights.join(&other, ComputationId::next(), || Recheck::Unchanged)
                {
                    let needs = depend(Some(computation), flight.computation);
                    if needs.is_ok() || matches!(ask, DependencyCheck::Never) {
                        let _ =
                            block_on(flight.result(Instant::now(), &Budget::unlimited(), || None));
                    }
                }
                if let Joined::Leader(leader) = joined {
                    leader.finish(|| (), || FlightResult::Value(own.into()));
                }
            })
        })
        .into();
    for caller in callers {
        caller.join().unwrap();
    }
}

#[test]
fn computations_that_need_each_other_complete() {
    shuttle::check_random(|| need_each_other(DependencyCheck::First), SCHEDULES);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_wait_graph_a_deadlock_is_found() {
    shuttle::check_random(|| need_each_other(DependencyCheck::Never), SCHEDULES);
}
