//! Invalidation by others: earlier computations are neither stored nor shared with later callers.

use std::time::Duration;

use cachier::testing::Clock;
use cachier::{CacheMetrics, CallOptions, cachier};
use cachier_tests::callers::Callers;
use cachier_tests::double;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::wait::{until, until_waiting};
use futures_lite::future::block_on;

use crate::store::Subject;

crate::on_every_store! {
    overwritten_in_one_and_invalidated_in_another
    overwritten_async_in_one_and_invalidated_in_another
    an_overwrite_that_arrives_late_is_not_stored
    a_late_precached_value_is_not_stored
    an_unmarked_precached_value_leaves_nothing_older
    a_late_max_age_recomputation_is_not_stored
    a_late_value_after_timeout_is_not_stored
    a_late_reentrant_value_is_not_stored
    a_late_unshared_value_is_not_stored
    a_late_large_overwrite_is_not_stored
    whoever_joins_after_an_invalidation_elsewhere_computes_anew
    async_joiners_recompute_after_remote_invalidation
    refresh_joiners_recompute_after_remote_invalidation
    store_joiners_recompute_after_remote_invalidation
    overwrite_joiners_recompute_after_remote_invalidation
    removal_joiners_recompute_after_remote_invalidation
}
mod at_once {
    use super::an_invalidation_elsewhere_ends_the_flight_at_once;

    crate::on_stores!([redis: Redis, postgres: Postgres] { an_invalidation_elsewhere_ends_the_flight_at_once });
}

/// Invalidates as another process.
fn invalidate_elsewhere(subject: &Subject) {
    block_on(subject.bare().remove(&subject.last_key())).unwrap();
}

/// Defines a function per store that counts its runs, the second of which waits at a gate.
macro_rules! counting {
    ($($async:ident)? [$($argument:tt)*] $gated:literal, $($wait:tt)*) => {
        static GATES: [Gate; 16] = [const { Gate::new() }; 16];
        static RUNS: [Counter; 16] = [const { Counter::new() }; 16];

        #[cachier(backend = registered("store"), $($argument)*)]
        $($async)? fn count(store: u8) -> u64 {
            let run = RUNS[usize::from(store)].next();
            if run == $gated {
                GATES[usize::from(store)].$($wait)*;
            }
            run
        }
    };
}

fn index(subject: &Subject) -> u8 {
    subject.store as u8
}

/// Defines a test of a sync and one of an async function.
macro_rules! in_both_modes {
    ($body:ident: $sync:ident $asynchronous:ident) => {
        fn $sync(subject: &Subject) {
            $body!(subject, on_threads, [], wait());
        }

        fn $asynchronous(subject: &Subject) {
            $body!(subject, in_tasks, [async], wait_async().await);
        }
    };
}

macro_rules! overwrites_and_invalidates {
    ($subject:ident, $start:ident, [$($async:ident)?], $($wait:tt)*) => {
        counting!($($async)? [operation_timeout = "60s"] 2, $($wait)*);
        let store = index($subject);
        let first = Callers::new().$start(1, move || count(store));
        assert_eq!(first.values(), [1]);
        let overwrite = move || count::call_with(CallOptions::new().overwrite_cache(), store);
        let overwriting = Callers::new().$start(1, overwrite);
        GATES[usize::from(store)].until_arrived(1);
        invalidate_elsewhere($subject);
        GATES[usize::from(store)].open();
        assert_eq!(overwriting.values(), [2]);
        let peeked = Callers::new().$start(1, move || count::peek(store));
        assert_eq!(peeked.values().remove(0).unwrap(), None);
    };
}

in_both_modes!(overwrites_and_invalidates:
    overwritten_in_one_and_invalidated_in_another
    overwritten_async_in_one_and_invalidated_in_another
);

double!(backend = registered("store"), operation_timeout = "60s");

fn an_overwrite_that_arrives_late_is_not_stored(subject: &Subject) {
    // Without and with an entry.
    for number in [1, 1] {
        subject.invalidate_next_store();
        let call = double::call_with(CallOptions::new().overwrite_cache(), number);
        assert_eq!((call, subject.was_forgotten()), (2, true));
        assert_eq!(double::peek(number).unwrap(), None);
        double(number);
    }
}

fn a_late_precached_value_is_not_stored(subject: &Subject) {
    for number in [2, 2] {
        subject.invalidate_next_store();
        // As if it had been invalidated right after.
        double::precache_value(number, 100).unwrap();
        assert!(subject.was_forgotten());
        assert_eq!(double::peek(number).unwrap(), None);
        double(number);
    }
}

fn a_late_max_age_recomputation_is_not_stored(subject: &Subject) {
    double(3);
    subject.invalidate_next_store();
    let call = double::call_with(CallOptions::new().max_age(Duration::ZERO), 3);
    assert_eq!((call, subject.was_forgotten()), (6, true));
    assert_eq!(double::peek(3).unwrap(), None);
}

fn a_late_value_after_timeout_is_not_stored(subject: &Subject) {
    counting!([operation_timeout = "60s", wait_for_calc_timeout = "5s", enable_metrics] 1, wait());
    let store = index(subject);
    let gate = &GATES[usize::from(store)];
    let owner = Callers::new().on_threads(1, move || count(store));
    gate.until_arrived(1);
    let waiter = Callers::new().on_threads(1, move || count(store));
    until_waiting(count::metrics(), 1);
    subject.invalidate_next_store();
    Clock::advance(Duration::from_secs(6));
    assert_eq!(waiter.values(), [2]);
    assert_eq!(
        (count::peek(store).unwrap(), subject.was_forgotten()),
        (None, true)
    );
    gate.open();
    assert_eq!(owner.values(), [1]);
    assert_eq!(count::peek(store).unwrap(), None);
}

fn a_late_reentrant_value_is_not_stored(subject: &Subject) {
    static RUNS: [Counter; 16] = [const { Counter::new() }; 16];

    #[cachier(backend = registered("store"), operation_timeout = "60s")]
    fn within_itself(store: u8) -> u64 {
        match RUNS[usize::from(store)].next() {
            1 => 1 + within_itself(store),
            run => run,
        }
    }

    let store = index(subject);
    subject.invalidate_next_store();
    assert_eq!(within_itself(store), 3);
    assert!(subject.was_forgotten());
    assert_eq!(within_itself::peek(store).unwrap(), None);
}

/// Not cloneable, so not shared.
#[derive(Debug)]
struct Unshared;

fn a_late_unshared_value_is_not_stored(subject: &Subject) {
    static GATES: [Gate; 16] = [const { Gate::new() }; 16];
    static RUNS: [Counter; 16] = [const { Counter::new() }; 16];

    #[cachier(backend = registered("store"), operation_timeout = "60s", enable_metrics)]
    fn fails_once(store: u8) -> Result<u64, Unshared> {
        match RUNS[usize::from(store)].next() {
            1 => {
                GATES[usize::from(store)].wait();
                Err(Unshared)
            }
            run => Ok(run),
        }
    }

    let store = index(subject);
    let owner = Callers::new().on_threads(1, move || fails_once(store).is_err());
    GATES[usize::from(store)].until_arrived(1);
    let waiter = Callers::new().on_threads(1, move || fails_once(store).unwrap());
    until_waiting(fails_once::metrics(), 1);
    subject.invalidate_next_store();
    GATES[usize::from(store)].open();
    assert_eq!((owner.values(), waiter.values()), (vec![true], vec![2]));
    assert!(subject.was_forgotten());
    assert_eq!(fails_once::peek(store).unwrap(), None);
}

fn a_late_large_overwrite_is_not_stored(subject: &Subject) {
    #[cachier(backend = registered("store"), operation_timeout = "60s")]
    fn large(number: u8) -> String {
        number.to_string().repeat(2 << 20)
    }

    large(7);
    cachier::flush();
    subject.invalidate_next_store();
    large::call_with(CallOptions::new().overwrite_cache(), 7);
    cachier::flush();
    assert!(subject.was_forgotten());
    assert_eq!(large::peek(7).unwrap(), None);
}

/// Waits until a caller has joined the flight, or has begun the run of this number: where the store notifies, the
/// flight may have ended.
fn until_joined(metrics: &CacheMetrics, runs: &Counter, run: u64) {
    until("the caller waits or computes", || {
        metrics.snapshot().activity.waiting_calls == 1 || runs.get() == run
    });
}

macro_rules! joins_after_an_invalidation {
    ($subject:ident, $start:ident, [$($async:ident)?], $($wait:tt)*) => {
        counting!($($async)? [operation_timeout = "60s", enable_metrics] 1, $($wait)*);
        let store = index($subject);
        let call = || Callers::new().$start(1, move || count(store));
        let first = call();
        GATES[usize::from(store)].until_arrived(1);
        invalidate_elsewhere($subject);
        let second = call();
        until_joined(count::metrics(), &RUNS[usize::from(store)], 2);
        GATES[usize::from(store)].open();
        assert_eq!(first.values(), [1]);
        assert_eq!(second.values(), [2], "what was computed before is handed on");
        assert_eq!(call().values(), [2]);
    };
}

in_both_modes!(joins_after_an_invalidation:
    whoever_joins_after_an_invalidation_elsewhere_computes_anew
    async_joiners_recompute_after_remote_invalidation
);

fn refresh_joiners_recompute_after_remote_invalidation(subject: &Subject) {
    counting!([
        operation_timeout = "60s", stale_after = "1m", next_time, enable_metrics
    ] 2, wait());
    let store = index(subject);
    assert_eq!(count(store), 1);
    Clock::advance(Duration::from_secs(120));
    assert_eq!(count(store), 1, "refreshed in the background");
    GATES[usize::from(store)].until_arrived(1);
    invalidate_elsewhere(subject);
    let joins = Callers::new().on_threads(1, move || count(store));
    until_joined(count::metrics(), &RUNS[usize::from(store)], 3);
    GATES[usize::from(store)].open();
    assert_eq!(joins.values(), [3]);
    cachier::flush();
    assert_eq!(count(store), 3);
}

fn store_joiners_recompute_after_remote_invalidation(subject: &Subject) {
    static RUNS: [Counter; 16] = [const { Counter::new() }; 16];

    #[cachier(backend = registered("store"), operation_timeout = "60s", enable_metrics)]
    fn large(store: u8) -> String {
        RUNS[usize::from(store)].next().to_string().repeat(2 << 20)
    }

    let store = index(subject);
    let gate = subject.hold_next_store();
    assert!(large(store).starts_with('1'));
    gate.until_arrived(1);
    invalidate_elsewhere(subject);
    let late = Callers::new().on_threads(1, move || large(store));
    until_joined(large::metrics(), &RUNS[usize::from(store)], 2);
    gate.open();
    assert!(late.values()[0].starts_with('2'));
    cachier::flush();
    assert!(large::peek(store).unwrap().unwrap().starts_with('2'));
}

fn overwrite_joiners_recompute_after_remote_invalidation(subject: &Subject) {
    static GATES: [Gate; 16] = [const { Gate::new() }; 16];
    static RUNS: [Counter; 16] = [const { Counter::new() }; 16];

    #[cachier(backend = registered("store"), operation_timeout = "60s", enable_metrics)]
    fn large(store: u8) -> String {
        let run = RUNS[usize::from(store)].next();
        if run == 2 {
            GATES[usize::from(store)].wait();
        }
        run.to_string().repeat(2 << 20)
    }

    let store = index(subject);
    assert!(large(store).starts_with('1'));
    cachier::flush();
    let overwrite = move || large::call_with(CallOptions::new().overwrite_cache(), store);
    let overwriting = Callers::new().on_threads(1, overwrite);
    GATES[usize::from(store)].until_arrived(1);
    invalidate_elsewhere(subject);
    let late = Callers::new().on_threads(1, move || large(store));
    until_joined(large::metrics(), &RUNS[usize::from(store)], 3);
    GATES[usize::from(store)].open();
    assert!(overwriting.values()[0].starts_with('2'));
    assert!(late.values()[0].starts_with('3'));
    cachier::flush();
}

/// Besides the owner of the lease, for whom the first caller has waited too long.
fn removal_joiners_recompute_after_remote_invalidation(subject: &Subject) {
    static GATES: [Gate; 16] = [const { Gate::new() }; 16];
    static RUNS: [Counter; 16] = [const { Counter::new() }; 16];

    #[cachier(
        backend = registered("store"),
        operation_timeout = "60s",
        stale_after = "1m",
        wait_for_calc_timeout = "5s",
        enable_metrics
    )]
    fn user(store: u8) -> Option<u64> {
        let run = RUNS[usize::from(store)].next();
        if run == 2 {
            GATES[usize::from(store)].wait();
            return None;
        }
        Some(run)
    }

    let store = index(subject);
    assert_eq!(user(store), Some(1));
    Clock::advance(Duration::from_secs(120));
    let (other, key) = (subject.bare(), subject.last_key());
    let owner = block_on(other.take_over(&key, Duration::from_secs(600))).unwrap();
    let first = Callers::new().on_threads(1, move || user(store));
    until_waiting(user::metrics(), 1);
    Clock::advance(Duration::from_secs(6));
    GATES[usize::from(store)].until_arrived(1);
    invalidate_elsewhere(subject);
    let late = Callers::new().on_threads(1, move || user(store));
    until_joined(user::metrics(), &RUNS[usize::from(store)], 3);
    GATES[usize::from(store)].open();
    assert_eq!(first.values(), [None]);
    assert_eq!(late.values(), [Some(3)], "it was there when this one asked");
    drop(owner);
}

fn an_invalidation_elsewhere_ends_the_flight_at_once(subject: &Subject) {
    counting!([operation_timeout = "60s"] 1, wait());
    let store = index(subject);
    let first = Callers::new().on_threads(1, move || count(store));
    GATES[usize::from(store)].until_arrived(1);
    let mut later = Callers::new();
    // It is notified only once it listens.
    until(
        "a caller computes anew while the first still computes",
        || {
            invalidate_elsewhere(subject);
            later = std::mem::take(&mut later).on_threads(1, move || count(store));
            std::thread::sleep(Duration::from_millis(20));
            RUNS[usize::from(store)].get() > 1
        },
    );
    GATES[usize::from(store)].open();
    assert_eq!(first.values(), [1]);
    assert!(later.values().iter().all(|value| *value > 1));
}

/// It counts as precached, so nothing older may remain, whoever took its lease: they may store nothing.
fn an_unmarked_precached_value_leaves_nothing_older(subject: &Subject) {
    double!(backend = registered("store"));

    assert_eq!(double(21), 42);
    subject.drop_marks_in_next_store();
    double::precache_value(21, 100).unwrap();
    assert_ne!(double::peek(21).unwrap(), Some(42));
}
