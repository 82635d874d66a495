//! Invalidation by others: earlier computations are neither stored nor shared with later callers. Each case is tried with a
//! function that is sync, and with one that is async.

use std::time::Duration;

use cachier::testing::Clock;
use cachier::{CallOptions, cachier};
use cachier_tests::gate::Counter;
use cachier_tests::wait::until_waiting;
use futures_lite::future::block_on;

use crate::gated::{
    Function, finds_nothing_then, forgotten, functions, invalidate_elsewhere, large, number,
};
use crate::store::Subject;

crate::on_every_store! {
    overwritten_in_one_and_invalidated_in_another
    an_overwrite_that_arrives_late_is_not_stored
    a_late_precached_value_is_not_stored
    an_unmarked_precached_value_leaves_nothing_older
    a_late_max_age_recomputation_is_not_stored
    a_late_value_after_timeout_is_not_stored
    a_late_reentrant_value_is_not_stored
    a_late_unshared_value_is_not_stored
    a_late_large_overwrite_is_not_stored
    joiners_recompute_after_remote_invalidation
    joiners_recompute_after_remote_clear
    refresh_joiners_recompute_after_remote_invalidation
    refresh_joiners_recompute_after_remote_clear
    store_joiners_recompute_after_remote_invalidation
    store_joiners_recompute_after_remote_clear
    overwrite_joiners_recompute_after_remote_invalidation
    overwrite_joiners_recompute_after_remote_clear
    removal_joiners_recompute_after_remote_invalidation
    removal_joiners_recompute_after_remote_clear
}
fn overwritten_in_one_and_invalidated_in_another(subject: &Subject) {
    for count in functions!(subject, [] 2, number => u64) {
        assert_eq!(count.value(), 1);
        let overwriting = count.begin_to_overwrite();
        count.gate.until_arrived(1);
        invalidate_elsewhere(subject);
        count.gate.open();
        assert_eq!(overwriting.values(), [2]);
        assert_eq!(count.peek(), None);
    }
}

fn an_overwrite_that_arrives_late_is_not_stored(subject: &Subject) {
    for count in functions!(subject, [] 0, number => u64) {
        for run in [1, 3] {
            subject.invalidate_next_store();
            let overwriting = count.begin_to_overwrite();
            assert_eq!(overwriting.values(), [run]);
            assert!(subject.was_forgotten());
            assert_eq!(count.peek(), None);
            // The next one finds an entry.
            assert_eq!(count.value(), run + 1);
        }
    }
}

fn a_late_precached_value_is_not_stored(subject: &Subject) {
    for count in functions!(subject, [] 0, number => u64) {
        for run in [1, 2] {
            subject.invalidate_next_store();
            // As if it had been invalidated right after.
            count.precache(100);
            assert!(subject.was_forgotten());
            assert_eq!(count.peek(), None);
            assert_eq!(count.value(), run);
        }
    }
}

fn a_late_max_age_recomputation_is_not_stored(subject: &Subject) {
    for count in functions!(subject, [] 0, number => u64) {
        assert_eq!(count.value(), 1);
        subject.invalidate_next_store();
        let younger = count.begin_with(CallOptions::new().max_age(Duration::ZERO));
        assert_eq!(younger.values(), [2]);
        assert!(subject.was_forgotten());
        assert_eq!(count.peek(), None);
    }
}

fn a_late_value_after_timeout_is_not_stored(subject: &Subject) {
    for count in functions!(subject, [wait_for_calc_timeout = "5s"] 1, number => u64) {
        let owner = count.begin();
        count.gate.until_arrived(1);
        let waiter = count.begin();
        until_waiting(count.metrics, 1);
        subject.invalidate_next_store();
        Clock::advance(Duration::from_secs(6));
        assert_eq!(waiter.values(), [2]);
        assert!(subject.was_forgotten());
        assert_eq!(count.peek(), None);
        count.gate.open();
        assert_eq!(owner.values(), [1]);
        assert_eq!(count.peek(), None);
    }
}

#[cachier(backend = registered("store"), operation_timeout = "60s")]
fn within_itself(store: u8) -> u64 {
    static RUNS: [Counter; 16] = [const { Counter::new() }; 16];
    match RUNS[usize::from(store)].next() {
        1 => within_itself(store) + 1,
        run => run,
    }
}

#[cachier(backend = registered("store"), operation_timeout = "60s")]
async fn later_within_itself(store: u8) -> u64 {
    static RUNS: [Counter; 16] = [const { Counter::new() }; 16];
    match RUNS[usize::from(store)].next() {
        1 => Box::pin(later_within_itself(store)).await + 1,
        run => run,
    }
}

fn a_late_reentrant_value_is_not_stored(subject: &Subject) {
    let store = subject.store as u8;
    subject.invalidate_next_store();
    assert_eq!(within_itself(store), 3);
    assert!(subject.was_forgotten());
    assert_eq!(within_itself::peek(store).unwrap(), None);

    subject.invalidate_next_store();
    assert_eq!(block_on(later_within_itself(store)), 3);
    assert!(subject.was_forgotten());
    assert_eq!(block_on(later_within_itself::peek(store)).unwrap(), None);
}

/// Not cloneable, so not shared.
#[derive(Debug, PartialEq, Eq)]
struct Unshared;

fn fails_once(run: u64) -> Result<u64, Unshared> {
    if run == 1 { Err(Unshared) } else { Ok(run) }
}

fn a_late_unshared_value_is_not_stored(subject: &Subject) {
    for count in functions!(subject, [] 1, fails_once => Result<u64, Unshared>) {
        let owner = count.begin();
        count.gate.until_arrived(1);
        let waiter = count.begin();
        until_waiting(count.metrics, 1);
        subject.invalidate_next_store();
        count.gate.open();
        assert_eq!(owner.values(), [Err(Unshared)]);
        assert_eq!(waiter.values(), [Ok(2)]);
        assert!(subject.was_forgotten());
        assert_eq!(count.peek(), None);
    }
}

fn a_late_large_overwrite_is_not_stored(subject: &Subject) {
    for count in functions!(subject, [] 0, large => String) {
        count.value();
        cachier::flush();
        subject.invalidate_next_store();
        drop(count.begin_to_overwrite().values());
        cachier::flush();
        assert!(subject.was_forgotten());
        assert_eq!(count.peek(), None);
    }
}

forgotten! {
    joiners_recompute_after_remote_invalidation joiners_recompute_after_remote_clear:
        joiners_recompute([] 1, number => u64);
    refresh_joiners_recompute_after_remote_invalidation refresh_joiners_recompute_after_remote_clear:
        refresh_joiners_recompute([stale_after = "1m", next_time] 2, number => u64);
    store_joiners_recompute_after_remote_invalidation store_joiners_recompute_after_remote_clear:
        store_joiners_recompute([] 0, large => String);
    overwrite_joiners_recompute_after_remote_invalidation overwrite_joiners_recompute_after_remote_clear:
        overwrite_joiners_recompute([] 2, large => String);
    removal_joiners_recompute_after_remote_invalidation removal_joiners_recompute_after_remote_clear:
        removal_joiners_recompute(
            [stale_after = "1m", wait_for_calc_timeout = "5s"] 2, finds_nothing_then => Option<u64>
        );
}

fn joiners_recompute(
    subject: &Subject,
    functions: [Function<u64, u64>; 2],
    forget_elsewhere: fn(&Subject),
) {
    for count in functions {
        let first = count.begin();
        count.gate.until_arrived(1);
        forget_elsewhere(subject);
        let second = count.begin();
        count.until_joined(2);
        count.gate.open();
        assert_eq!(first.values(), [1]);
        assert_eq!(
            second.values(),
            [2],
            "what was computed before is handed on"
        );
        assert_eq!(count.value(), 2);
    }
}

fn refresh_joiners_recompute(
    subject: &Subject,
    functions: [Function<u64, u64>; 2],
    forget_elsewhere: fn(&Subject),
) {
    for count in functions {
        assert_eq!(count.value(), 1);
        Clock::advance(Duration::from_secs(120));
        assert_eq!(count.value(), 1, "refreshed in the background");
        count.gate.until_arrived(1);
        forget_elsewhere(subject);
        let joins = count.begin();
        count.until_joined(3);
        count.gate.open();
        assert_eq!(joins.values(), [3]);
        cachier::flush();
        assert_eq!(count.value(), 3);
    }
}

fn store_joiners_recompute(
    subject: &Subject,
    functions: [Function<String, String>; 2],
    forget_elsewhere: fn(&Subject),
) {
    for count in functions {
        let gate = subject.hold_next_store();
        assert!(count.value().starts_with('1'));
        gate.until_arrived(1);
        forget_elsewhere(subject);
        let late = count.begin();
        count.until_joined(2);
        gate.open();
        assert!(late.values()[0].starts_with('2'));
        cachier::flush();
        assert!(count.peek().unwrap().starts_with('2'));
    }
}

fn overwrite_joiners_recompute(
    subject: &Subject,
    functions: [Function<String, String>; 2],
    forget_elsewhere: fn(&Subject),
) {
    for count in functions {
        assert!(count.value().starts_with('1'));
        cachier::flush();
        let overwriting = count.begin_to_overwrite();
        count.gate.until_arrived(1);
        forget_elsewhere(subject);
        let late = count.begin();
        count.until_joined(3);
        count.gate.open();
        assert!(overwriting.values()[0].starts_with('2'));
        assert!(late.values()[0].starts_with('3'));
        cachier::flush();
    }
}

/// Besides the owner of the lease, for whom the first caller has waited too long.
fn removal_joiners_recompute(
    subject: &Subject,
    functions: [Function<Option<u64>, u64>; 2],
    forget_elsewhere: fn(&Subject),
) {
    for count in functions {
        assert_eq!(count.value(), Some(1));
        Clock::advance(Duration::from_secs(120));
        let (other, key) = (subject.bare(), subject.last_key());
        let owner = block_on(other.take_over(&key, Duration::from_secs(600))).unwrap();
        let first = count.begin();
        until_waiting(count.metrics, 1);
        Clock::advance(Duration::from_secs(6));
        count.gate.until_arrived(1);
        forget_elsewhere(subject);
        let late = count.begin();
        count.until_joined(3);
        count.gate.open();
        assert_eq!(first.values(), [None]);
        assert_eq!(late.values(), [Some(3)], "it was there when this one asked");
        drop(owner);
    }
}

/// It counts as precached, so nothing older may remain, whoever took its lease: they may store nothing.
fn an_unmarked_precached_value_leaves_nothing_older(subject: &Subject) {
    for count in functions!(subject, [] 0, number => u64) {
        assert_eq!(count.value(), 1);
        subject.drop_marks_in_next_store();
        count.precache(100);
        assert_ne!(count.peek(), Some(1));
    }
}
