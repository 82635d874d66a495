//! The decision and the flights on a store that other processes change, under the model checker.
//!
//! Callers of one process carry out what [`decide`](crate::decision::decide) says, on real flights and a plain store with
//! leases, while another process invalidates. Whatever a call returns was computed from what the source held when the call
//! began, or from something newer; in the end nothing is stored that is out of date; and there is one refresh at a time.
//! Beside it stand variants that the checker must catch.

#![allow(clippy::unwrap_used)]

mod process;
mod store;

use std::time::Duration;

use shuttle::thread;

use self::process::{Call, PLAIN, Process, Size, take_long};
use self::store::Shared;
use crate::decision::Intent;
use crate::sync::lock;

const SCHEDULES: usize = 3_000;

/// What is left out, for the checker to miss it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Whole,
    /// What is computed beside the owner of the lease, or in place of what is stored, is stored whatever happened.
    StoresWithoutLease,
    /// What was refused is handed to whoever has joined the flight.
    HandsOnWhatWasRefused,
    /// The same of a refresh.
    HandsOnRefusedRefresh,
    /// The same of a large value, when its turn to be stored has come.
    HandsOnLargeThatWasRefused,
    /// The same of a large value that was to replace another, which was already invalidated.
    HandsOnRefusedOverwrite,
    /// What was stored is handed to whoever has joined the flight, also after an invalidation.
    HandsOnWhatWasStored,
    /// A large value is handed to whoever joins while it is being stored.
    HandsOnWhatIsBeingStored,
    /// A refresh is not known to be coming until it leads its flight.
    ForgetsReservation,
}

type Act = fn(&'static Process);

const IMPATIENT: Call = Call {
    is_impatient: true,
    ..PLAIN
};
const OVERWRITE: Call = Call {
    intent: Intent::Overwrite,
    ..PLAIN
};
const RECENT: Call = Call {
    max_age: Some(Duration::ZERO),
    ..PLAIN
};

/// Whatever calls there are.
const CALLS: [Act; 5] = [
    |process| process.call(PLAIN),
    invalidated_elsewhere,
    |process| {
        process.call(IMPATIENT);
        process.invalidate();
    },
    |process| process.call(OVERWRITE),
    |process| process.call(RECENT),
];

/// Calls that find an entry that is stale.
const REFRESHES: [Act; 4] = [
    |process| process.call(PLAIN),
    |process| process.call(PLAIN),
    invalidated_elsewhere,
    |process| process.refresh_elsewhere(),
];

/// So few that the checker seldom misses what it is to find.
const CALLS_OF_TWO: [Act; 2] = [|process| process.call(PLAIN), invalidated_elsewhere];

/// The same, when what others have computed is being stored in the background.
const CALLS_WHILE_STORED: [Act; 2] = [
    |process| process.call(PLAIN),
    |process| {
        take_long();
        invalidated_elsewhere(process);
    },
];

/// While others compute, and known to the caller.
fn invalidated_elsewhere(process: &'static Process) {
    take_long();
    process.invalidate_elsewhere();
    process.call(PLAIN);
}

/// All at a time; in the end, nothing is stored that is out of date.
fn run(process: &'static Process, acts: &[Act]) {
    let start = |act: &Act| {
        let act = *act;
        thread::spawn(move || act(process))
    };
    let threads: Vec<_> = acts.iter().map(start).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    process.flush();
    let shared = lock(&process.shared);
    let stored = shared.entry.map(|entry| entry.value);
    assert!(
        stored.is_none_or(|value| value == shared.source),
        "what was invalidated is stored"
    );
}

fn check_calls(variant: Variant, size: Size, acts: &'static [Act]) {
    let check = move || run(Process::new(variant, size, Shared::default()), acts);
    shuttle::check_random(check, SCHEDULES);
}

fn check_refreshes(variant: Variant, acts: &'static [Act]) {
    let check = move || run(Process::new(variant, Size::Small, Shared::stale()), acts);
    shuttle::check_random(check, SCHEDULES);
}

#[test]
fn invalidated_values_are_neither_stored_nor_shared() {
    check_calls(Variant::Whole, Size::Small, &CALLS);
}

#[test]
#[should_panic(expected = "what was invalidated")]
fn without_leases_a_late_store_is_found() {
    check_calls(Variant::StoresWithoutLease, Size::Small, &CALLS);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_a_refused_value_is_found() {
    check_calls(Variant::HandsOnWhatWasRefused, Size::Small, &CALLS_OF_TWO);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_an_earlier_stored_value_is_found() {
    check_calls(Variant::HandsOnWhatWasStored, Size::Small, &CALLS_OF_TWO);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_an_earlier_stored_large_value_is_found() {
    check_calls(
        Variant::HandsOnWhatWasStored,
        Size::Large,
        &CALLS_WHILE_STORED,
    );
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_an_earlier_stored_refresh_is_found() {
    check_refreshes(Variant::HandsOnWhatWasStored, &CALLS_OF_TWO);
}

#[test]
fn invalidated_large_values_are_neither_stored_nor_shared() {
    check_calls(Variant::Whole, Size::Large, &CALLS);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_a_value_being_stored_is_found() {
    check_calls(
        Variant::HandsOnWhatIsBeingStored,
        Size::Large,
        &CALLS_OF_TWO,
    );
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_after_a_refused_background_store_is_found() {
    check_calls(
        Variant::HandsOnLargeThatWasRefused,
        Size::Large,
        &CALLS_OF_TWO,
    );
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_a_refused_overwrite_is_found() {
    check_calls(Variant::HandsOnRefusedOverwrite, Size::Large, &CALLS);
}

#[test]
fn refreshes_run_singly_and_share_nothing_invalidated() {
    check_refreshes(Variant::Whole, &REFRESHES);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_a_refused_refresh_is_found() {
    check_refreshes(Variant::HandsOnRefusedRefresh, &CALLS_OF_TWO);
}

#[test]
#[should_panic(expected = "two refreshes of one key are under way")]
fn without_reservations_two_refreshes_are_found() {
    check_refreshes(Variant::ForgetsReservation, &REFRESHES);
}
