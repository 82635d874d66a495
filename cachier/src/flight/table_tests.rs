#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use cachier_metrics::Clock;
use futures_lite::future::{block_on, poll_once};

use super::*;
use crate::budget::Budget;
use crate::timer::{Timer, TimerKind};

fn lead(flights: &Flights<u8, u8>) -> Option<Leader<'_, u8, u8>> {
    match flights.join(&1, ComputationId::next(), || Recheck::Unchanged) {
        Joined::Leader(leader) => Some(leader),
        _ => None,
    }
}

fn wait(flights: &Flights<u8, u8>) -> Arc<Flight<u8>> {
    match flights.join(&1, ComputationId::next(), || Recheck::Unchanged) {
        Joined::Waiter(flight) => flight,
        _ => panic!("a flight is under way"),
    }
}

#[test]
fn who_cannot_lead_keeps_the_key() {
    let flights: Flights<u8, u8> = Flights::new();
    let lead = |recheck| flights.lead(1, ComputationId::next(), move |_| recheck);
    assert_eq!(lead(Recheck::Stored).err(), Some(1));
    let leader = lead(Recheck::Unchanged).ok().unwrap();
    assert_eq!(
        (leader.key(), lead(Recheck::Unchanged).err()),
        (&1, Some(1))
    );
    let waiter = wait(&flights);
    assert!(leader.is_awaited());
    drop(waiter);
    leader.finish(|| (), || unreachable!("nobody waits"));
    assert!(lead(Recheck::Unchanged).is_ok(), "the flight is over");
}

#[derive(Default)]
struct CountedWakes(AtomicUsize);

impl Wake for CountedWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn waiters_are_woken_for_each_news() {
    let flights = Flights::new();
    let leader = lead(&flights).unwrap();
    let (flight, endless) = (wait(&flights), Budget::unlimited());
    let mut result = pin!(flight.result(Instant::now(), &endless, || None));
    let wakes = Arc::new(CountedWakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut poll = || result.as_mut().poll(&mut Context::from_waker(&waker));
    let woken = || wakes.0.swap(0, Ordering::Relaxed) > 0;
    for phase in [Phase::Computing, Phase::Storing] {
        assert!(poll().is_pending());
        leader.enter(phase);
        assert!(woken(), "{phase:?}");
        assert_eq!(flight.phase(), phase);
    }
    assert!(poll().is_pending());
    let storing = leader.finish(|| (), || FlightResult::Value(5));
    assert_eq!(storing, Storing::Done);
    assert!(woken(), "by the result");
    let Poll::Ready(Ok(FlightResult::Value(5))) = poll() else {
        panic!("the leader shared it");
    };
}

#[test]
fn computing_takes_no_time_from_the_store() {
    let (flights, clock) = (Flights::new(), Clock::manual());
    let timer = Box::leak(Box::new(Timer::new(clock.clone(), TimerKind::Manual)));
    let budget = Budget::new(timer, Duration::from_secs(1), None);
    let leader = lead(&flights).unwrap();
    let flight = wait(&flights);
    let mut result = pin!(flight.result(Instant::now(), &budget, || None));
    let mut poll = || (0..10).find_map(|_| block_on(poll_once(result.as_mut())));
    assert!(poll().is_none());
    leader.enter(Phase::Computing);
    assert!(poll().is_none());
    clock.advance(Duration::from_secs(60));
    assert!(poll().is_none());
    leader.finish(|| (), || FlightResult::Value(5));
    assert!(matches!(poll(), Some(Ok(FlightResult::Value(5)))));
    assert_eq!(budget.left(), Duration::from_secs(1));
}

#[test]
fn late_waiters_wait_until_a_value_is_stored() {
    let flights = Flights::new();
    let leader = lead(&flights).unwrap();
    let (flight, endless) = (wait(&flights), Budget::unlimited());
    assert_eq!(flight.storing(), None);
    let valid_at = Instant::now();
    leader.enter(Phase::Storing);
    let mut early = pin!(flight.result(valid_at, &endless, || None));
    let late = valid_at + Duration::from_nanos(1);
    let mut late = pin!(flight.result(late, &endless, || None));
    assert!(block_on(poll_once(early.as_mut())).is_none());
    leader.share(FlightResult::Storing(5, Some(valid_at)));
    assert_eq!(flight.storing(), Some(5));
    let early = block_on(poll_once(early));
    assert!(matches!(early, Some(Ok(FlightResult::Storing(5, _)))));
    assert!(block_on(poll_once(late.as_mut())).is_none());
    leader.finish(|| (), || FlightResult::Value(6));
    let late = block_on(poll_once(late));
    assert!(matches!(late, Some(Ok(FlightResult::Value(6)))));
}

#[test]
fn nothing_is_shared_unless_somebody_waits() {
    let flights = Flights::new();
    let leader = lead(&flights).unwrap();
    assert!(!leader.is_awaited());
    let waiter = wait(&flights);
    assert!(leader.is_awaited());
    drop(waiter);
    assert!(!leader.is_awaited());
    let unasked = || unreachable!("nobody waits");
    assert_eq!(leader.finish(|| (), unasked), Storing::Done);
}

#[test]
fn waiters_of_an_invalidated_flight_still_count() {
    let flights = Flights::new();
    let leader = lead(&flights).unwrap();
    let waiter = wait(&flights);
    assert!(!leader.is_superseded());
    flights.forget(&1);
    assert!(leader.is_superseded() && leader.is_awaited());
    drop(waiter);
    assert!(!leader.is_awaited());
    let store = || unreachable!("it was invalidated");
    let storing = leader.finish(store, || unreachable!("nobody waits"));
    assert_eq!(storing, Storing::Superseded);
}

#[test]
fn a_lost_lease_withdraws_its_flight_alone() {
    let flights = Flights::new();
    let first = lead(&flights).unwrap();
    flights.withdraw(&1, ComputationId::next());
    assert!(!first.is_superseded(), "of another computation");
    flights.withdraw(&1, first.computation());
    assert!(first.is_superseded());
    let second = lead(&flights).unwrap();
    let third = flights.replace_leader(&1, ComputationId::next());
    assert!(second.is_superseded() && !third.is_superseded());
    drop((first, second));
    assert!(!third.is_superseded(), "others ended outside the table");
    flights.forget_all();
    assert!(third.is_superseded());
}

#[test]
fn keys_are_spread_over_all_shards() {
    let flights: Flights<u16, u8> = Flights::new();
    let join = |key| flights.join(&key, ComputationId::next(), || Recheck::Unchanged);
    let _leaders: Vec<_> = (0..1_000).map(join).collect();
    let is_used = |shard: &Mutex<Shard<u16, u8>>| !lock(shard).running.is_empty();
    assert!(flights.shards.iter().all(is_used));
}

#[test]
fn a_panicking_store_leaves_no_flight_behind() {
    let flights = Flights::new();
    let leader = lead(&flights).unwrap();
    assert!(lead(&flights).is_none());
    let result = || leader.finish(|| panic!("a clone that fails"), || FlightResult::NotShared);
    assert!(catch_unwind(AssertUnwindSafe(result)).is_err());
    assert!(lead(&flights).is_some());
}

#[test]
fn a_panic_while_sharing_abandons_the_waiters() {
    let flights = Flights::new();
    let leader = lead(&flights).unwrap();
    let flight = wait(&flights);
    let result = || leader.finish(|| (), || panic!("a clone that fails"));
    assert!(catch_unwind(AssertUnwindSafe(result)).is_err());
    let result = block_on(flight.result(Instant::now(), &Budget::unlimited(), || None)).unwrap();
    assert!(matches!(result, FlightResult::Abandoned));
}

#[test]
fn waiters_that_give_up_leave_nothing_behind() {
    let flights = Flights::new();
    let _leader = lead(&flights).unwrap();
    let flight = wait(&flights);
    let endless = Budget::unlimited();
    let mut patient = pin!(flight.result(Instant::now(), &endless, || None));
    assert!(block_on(poll_once(patient.as_mut())).is_none());
    for _ in 0..100 {
        assert!(block_on(poll_once(flight.result(Instant::now(), &endless, || None))).is_none());
    }
    assert_eq!(lock(&flight.state).waiters.len(), 2);
}

#[test]
fn a_reserved_flight_keeps_nobody_waiting() {
    let flights: Flights<u8, u8> = Flights::new();
    let reservation = flights.reserve(&1, || Recheck::Unchanged).unwrap();
    assert!(flights.reserve(&1, || Recheck::Unchanged).is_none());
    let leader = lead(&flights).unwrap();
    assert!(reservation.lead(|| Recheck::Unchanged).is_none());
    assert!(flights.reserve(&1, || Recheck::Unchanged).is_none());
    drop(leader);
    assert!(flights.reserve(&1, || Recheck::Stored).is_none());
    let reservation = flights.reserve(&1, || Recheck::Unchanged).unwrap();
    assert!(reservation.lead(|| Recheck::Unchanged).is_some());
}
