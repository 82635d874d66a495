//! The decision and the flights on a store that other processes change, under the model checker.
//!
//! Callers of one process carry out what [`decide`] says, on real flights and a plain store with leases, while another process
//! invalidates. Whatever a call returns was computed from what the source held when the call began, or from something newer;
//! and in the end nothing is stored that is out of date. Beside it stand variants that the checker must catch.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use shuttle::future::block_on;
use shuttle::thread;

use super::{ComputationId, Flights, Joined, Landing, Leader, Recheck};
use crate::decision::{Action, Intent, Rules, Running, Stored, decide};
use crate::sync::{Arc, Mutex, lock};

const SCHEDULES: usize = 3_000;
const KEY: u8 = 7;

/// What is left out, for the checker to miss it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Whole,
    /// What is computed beside the owner of the lease, or in place of what is stored, is stored whatever happened.
    StoresWithoutLease,
    /// What was refused is handed to whoever has joined the flight.
    HandsOnWhatWasRefused,
}

/// A store, and the source of what is computed: what another process can see.
#[derive(Default)]
struct Shared {
    /// Grows with each change of the source, which is then invalidated.
    source: u64,
    /// What the source held when the entry was last invalidated.
    invalidated: u64,
    /// The value, and the number of its version.
    entry: Option<(u64, u64)>,
    /// The number of the owner.
    lease: Option<u64>,
    numbers: u64,
}

/// The right to store.
#[derive(Clone, Copy)]
enum Right {
    None,
    Lease(u64),
}

/// What asking for the lease came to.
enum Claim {
    Granted(u64),
    Held(u64),
    Changed,
}

impl Shared {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn claim(&mut self, seen: Option<u64>) -> Claim {
        match (self.entry.map(|(_, version)| version) == seen, self.lease) {
            (false, _) => Claim::Changed,
            (true, Some(owner)) => Claim::Held(owner),
            (true, None) => Claim::Granted(self.take_over()),
        }
    }

    fn take_over(&mut self) -> u64 {
        let owner = self.number();
        self.lease = Some(owner);
        owner
    }

    /// Stores under a lease; whether that was valid.
    fn store(&mut self, value: u64, right: Right) -> bool {
        if let Right::Lease(owner) = right
            && self.lease != Some(owner)
        {
            return false;
        }
        self.entry = Some((value, self.number()));
        self.lease = None;
        true
    }

    fn remove(&mut self) {
        (self.entry, self.lease) = (None, None);
        self.invalidated = self.source;
    }

    fn release(&mut self, owner: u64) {
        if self.lease == Some(owner) {
            self.lease = None;
        }
    }
}

/// One process, and the store that it shares with another.
struct Process {
    flights: Flights<u8, u64>,
    shared: Mutex<Shared>,
    variant: Variant,
}

/// How a call wants the cache to be used.
#[derive(Clone, Copy)]
struct Call {
    intent: Intent,
    max_age: Option<Duration>,
    /// It does not wait for others.
    is_impatient: bool,
}

const PLAIN: Call = Call {
    intent: Intent::Use,
    max_age: None,
    is_impatient: false,
};

impl Process {
    fn new(variant: Variant) -> Arc<Self> {
        Arc::new(Self {
            flights: Flights::new(),
            shared: Mutex::default(),
            variant,
        })
    }

    fn ask<R>(&self, ask: impl FnOnce(&mut Shared) -> R) -> R {
        // A request takes time on its way there and back.
        thread::yield_now();
        let answer = ask(&mut lock(&self.shared));
        thread::yield_now();
        answer
    }

    /// Carries out one call; it is given nothing that was out of date when it began.
    fn call(&self, call: Call) {
        let invalidated = lock(&self.shared).invalidated;
        let value = self.seek(call);
        assert!(
            value >= invalidated,
            "a call is given what was invalidated before"
        );
    }

    fn seek(&self, call: Call) -> u64 {
        let rules = Rules::default();
        let (mut running, mut leader, mut flight) = (Running::Unclaimed, None, None);
        let (mut right, mut joined) = (Right::None, None);
        let mut valid_at = Instant::now();
        loop {
            let looked_at = Instant::now();
            let entry = match call.intent {
                Intent::Use => self.ask(|shared| shared.entry),
                Intent::Overwrite => None,
            };
            let stored = match (call.intent, entry) {
                (Intent::Overwrite, _) => Stored::Unseen,
                (Intent::Use, None) => Stored::Absent,
                (Intent::Use, Some(_)) => Stored::Aged(Duration::from_nanos(1)),
            };
            let seen = entry.map(|(_, version)| version);
            match decide(stored, None, running, &rules, call.max_age, call.intent) {
                Action::Serve(_) | Action::ServeStaleAndRefresh(_) => {
                    let (value, _) = entry.unwrap();
                    return self.serve(value, leader, right, looked_at);
                }
                Action::Claim => {
                    if leader.is_none() {
                        match self
                            .flights
                            .join(&KEY, ComputationId::next(), || Recheck::Unchanged)
                        {
                            Joined::Leads(leads) => leader = Some(leads),
                            Joined::Waits(waits) => {
                                flight = Some(waits);
                                joined.get_or_insert_with(Instant::now);
                                running = Running::Other;
                                if call.is_impatient {
                                    running = Running::WaitedTooLong;
                                }
                                continue;
                            }
                            Joined::Landed => continue,
                        }
                    }
                    valid_at = Instant::now();
                    match self.ask(|shared| shared.claim(seen)) {
                        Claim::Granted(owner) => {
                            (right, running) = (Right::Lease(owner), Running::Mine);
                        }
                        Claim::Held(owner) => {
                            right = Right::Lease(owner);
                            running = Running::WaitedTooLong;
                        }
                        Claim::Changed => {}
                    }
                }
                Action::TakeOver => {
                    self.flights.forget(&KEY);
                    leader = Some(self.flights.supplant(&KEY, ComputationId::next()));
                    valid_at = Instant::now();
                    right = Right::Lease(self.ask(Shared::take_over));
                    running = Running::Mine;
                }
                Action::Wait => {
                    let joined = joined.unwrap();
                    let landing = block_on(flight.take().unwrap().landing(joined));
                    running = Running::Unclaimed;
                    match landing {
                        Landing::Value(value) => return value,
                        Landing::Unstored(value, valid_at) if joined <= valid_at => return value,
                        _ => {}
                    }
                }
                Action::Compute(_) => return self.compute(right, leader, valid_at),
                Action::ComputeBeside(_) => {
                    if leader.is_some() {
                        return self.compute(right, leader, valid_at);
                    }
                    match self.ask(|shared| shared.claim(seen)) {
                        Claim::Granted(owner) => {
                            leader = Some(self.flights.supplant(&KEY, ComputationId::next()));
                            right = Right::Lease(owner);
                        }
                        Claim::Held(owner) => right = Right::Lease(owner),
                        Claim::Changed => {
                            running = Running::Unclaimed;
                            continue;
                        }
                    }
                    return self.compute(right, leader, Instant::now());
                }
            }
        }
    }

    fn serve(
        &self,
        value: u64,
        leader: Option<Leader<'_, u8, u64>>,
        right: Right,
        looked_at: Instant,
    ) -> u64 {
        if let Right::Lease(owner) = right {
            self.ask(|shared| shared.release(owner));
        }
        if let Some(leader) = leader {
            leader.land(|| (), || Landing::Unstored(value, looked_at));
        }
        value
    }

    fn compute(&self, right: Right, leader: Option<Leader<'_, u8, u64>>, valid_at: Instant) -> u64 {
        let value = self.ask(|shared| shared.source);
        let is_superseded = leader.as_ref().is_some_and(Leader::is_superseded);
        let right = match self.variant {
            Variant::StoresWithoutLease => Right::None,
            _ => right,
        };
        let is_stored = !is_superseded && self.ask(|shared| shared.store(value, right));
        if let Some(leader) = leader {
            leader.land(
                || (),
                || match is_stored || self.variant == Variant::HandsOnWhatWasRefused {
                    true => Landing::Value(value),
                    false => Landing::Unstored(value, valid_at),
                },
            );
        }
        value
    }

    /// A change of the source, invalidated by another process.
    fn invalidate_elsewhere(&self) {
        self.ask(|shared| shared.source += 1);
        self.ask(Shared::remove);
    }

    /// The same by this one.
    fn invalidate(&self) {
        self.ask(|shared| shared.source += 1);
        self.flights.forget(&KEY);
        self.ask(Shared::remove);
    }
}

/// Calls while others invalidate; in the end, nothing is stored that is out of date.
fn calls_and_invalidations(variant: Variant) {
    let process = Process::new(variant);
    let spawn = |act: fn(&Process)| {
        let process = Arc::clone(&process);
        thread::spawn(move || act(&process))
    };
    let threads = [
        spawn(|process| process.call(PLAIN)),
        spawn(|process| {
            process.invalidate_elsewhere();
            // By a caller that knows of it.
            process.call(PLAIN);
        }),
        spawn(|process| {
            process.call(Call {
                is_impatient: true,
                ..PLAIN
            });
            process.invalidate();
        }),
        spawn(|process| {
            process.call(Call {
                intent: Intent::Overwrite,
                ..PLAIN
            });
        }),
        spawn(|process| {
            process.call(Call {
                max_age: Some(Duration::ZERO),
                ..PLAIN
            });
        }),
    ];
    for thread in threads {
        thread.join().unwrap();
    }
    let shared = lock(&process.shared);
    let stored = shared.entry.map(|(value, _)| value);
    assert!(
        stored.is_none_or(|value| value == shared.source),
        "what was invalidated is stored"
    );
}

#[test]
fn nothing_that_was_invalidated_is_stored_or_handed_to_later_callers() {
    shuttle::check_random(|| calls_and_invalidations(Variant::Whole), SCHEDULES);
}

#[test]
#[should_panic(expected = "what was invalidated is stored")]
fn without_leases_the_checker_finds_what_is_stored_too_late() {
    let run = || calls_and_invalidations(Variant::StoresWithoutLease);
    shuttle::check_random(run, SCHEDULES);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn the_checker_finds_what_is_handed_on_though_it_was_refused() {
    let run = || calls_and_invalidations(Variant::HandsOnWhatWasRefused);
    shuttle::check_random(run, SCHEDULES);
}
