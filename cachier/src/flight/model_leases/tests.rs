//! Schedules of calls and invalidations, with and without faults.

use std::time::Duration;

use shuttle::thread;

use super::process::{Call, PLAIN, Process, Size, take_long};
use super::store::{Request, Shared};
use super::variant::Variant;
use crate::decision::Intent;
use crate::sync::lock;

const SCHEDULES: usize = 3_000;

type Act = fn(&'static Process);

const NO_WAIT: Call = Call {
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

/// All kinds of calls.
const CALLS: [Act; 5] = [
    |process| process.call(PLAIN),
    invalidated_elsewhere,
    |process| {
        process.call(NO_WAIT);
        process.invalidate();
    },
    |process| process.call(OVERWRITE),
    |process| process.call(RECENT),
];

/// Calls that find a stale entry.
const REFRESHES: [Act; 4] = [
    |process| process.call(PLAIN),
    |process| process.call(PLAIN),
    invalidated_elsewhere,
    |process| process.refresh_elsewhere(),
];

/// Calls while the entry is removed, which nobody learns of.
const CALLS_WHILE_REMOVED: [Act; 3] = [
    |process| process.remove_late(),
    |process| process.call(PLAIN),
    |process| process.call(NO_WAIT),
];

/// Where nobody else invalidates, whom this process would not hear of.
const CALLS_WITHOUT_LEASES: [Act; 3] = [
    |process| process.call(PLAIN),
    |process| {
        take_long();
        process.invalidate();
    },
    |process| process.call(PLAIN),
];

/// Few, so that the checker seldom misses what it must find.
const CALLS_OF_TWO: [Act; 2] = [|process| process.call(PLAIN), invalidated_elsewhere];

/// The same while another's value is stored in the background.
const CALLS_WHILE_STORED: [Act; 2] = [
    |process| process.call(PLAIN),
    |process| {
        take_long();
        invalidated_elsewhere(process);
    },
];

/// An invalidation by another process, while others compute, known to the caller.
fn invalidated_elsewhere(process: &'static Process) {
    take_long();
    process.invalidate_elsewhere();
    process.call(PLAIN);
}

/// Runs all at once; in the end nothing outdated is stored.
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
    check_calls(Variant::WithoutLease, Size::Small, &CALLS);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_a_refused_value_is_found() {
    check_calls(Variant::SharesRefused, Size::Small, &CALLS_OF_TWO);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_an_earlier_stored_value_is_found() {
    check_calls(Variant::SharesStored, Size::Small, &CALLS_OF_TWO);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_an_earlier_stored_large_value_is_found() {
    check_calls(Variant::SharesStored, Size::Large, &CALLS_WHILE_STORED);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_an_earlier_stored_refresh_is_found() {
    check_refreshes(Variant::SharesStored, &CALLS_OF_TWO);
}

#[test]
fn invalidated_large_values_are_neither_stored_nor_shared() {
    check_calls(Variant::Whole, Size::Large, &CALLS);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_a_value_being_stored_is_found() {
    check_calls(Variant::SharesWhileStoring, Size::Large, &CALLS_OF_TWO);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_after_a_refused_background_store_is_found() {
    check_calls(Variant::SharesRefusedLarge, Size::Large, &CALLS_OF_TWO);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_a_refused_overwrite_is_found() {
    check_calls(Variant::SharesRefusedOverwrite, Size::Large, &CALLS);
}

fn check_failing(variant: Variant, request: Request, acts: &'static [Act]) {
    let check = move || {
        let shared = Shared::failing(request);
        run(Process::new(variant, Size::Small, shared), acts);
    };
    shuttle::check_random(check, SCHEDULES);
}

#[test]
fn failed_requests_share_nothing_invalidated() {
    for request in [Request::Load, Request::Claim, Request::Store] {
        check_failing(Variant::Whole, request, &CALLS);
        check_failing(Variant::Whole, request, &CALLS_OF_TWO);
    }
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_a_value_computed_unleased_is_found() {
    check_failing(Variant::SharesUnleased, Request::Claim, &CALLS_OF_TWO);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_after_a_failed_load_is_found() {
    check_failing(Variant::SharesUnleased, Request::Load, &CALLS_OF_TWO);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_after_a_failed_store_is_found() {
    check_failing(Variant::SharesUnstored, Request::Store, &CALLS_OF_TWO);
}

#[test]
fn refreshes_run_singly_and_share_nothing_invalidated() {
    check_refreshes(Variant::Whole, &REFRESHES);
}

#[test]
#[should_panic(expected = "a call is given what was invalidated before")]
fn sharing_a_refused_refresh_is_found() {
    check_refreshes(Variant::SharesRefusedRefresh, &CALLS_OF_TWO);
}

#[test]
#[should_panic(expected = "two refreshes of one key are under way")]
fn without_reservations_two_refreshes_are_found() {
    check_refreshes(Variant::WithoutReservation, &REFRESHES);
}

fn check_removals(variant: Variant) {
    let check = move || {
        let process = Process::new(variant, Size::Small, Shared::fresh());
        run(process, &CALLS_WHILE_REMOVED);
    };
    shuttle::check_random(check, SCHEDULES);
}

#[test]
fn an_unanswered_removal_leaves_nothing_older() {
    check_removals(Variant::Whole);
}

#[test]
#[should_panic(expected = "what was invalidated is stored")]
fn a_release_before_a_removal_is_found() {
    check_removals(Variant::ReleasesBeforeRemoval);
}

fn check_unleased(variant: Variant) {
    let check = move || {
        let process = Process::new(variant, Size::Small, Shared::unleased());
        run(process, &CALLS_WITHOUT_LEASES);
    };
    shuttle::check_random(check, SCHEDULES);
}

#[test]
fn without_leases_nothing_invalidated_stays_stored() {
    check_unleased(Variant::Whole);
}

#[test]
#[should_panic(expected = "what was invalidated is stored")]
fn a_late_store_that_stays_is_found() {
    check_unleased(Variant::KeepsLate);
}
