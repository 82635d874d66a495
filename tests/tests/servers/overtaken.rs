//! Invalidation by others: earlier computations are neither stored nor shared with later callers. Each case is tried with a
//! function that is sync, and with one that is async.

use std::time::Duration;

use cachier::testing::Clock;
use cachier::{CacheMetrics, CallOptions, cachier};
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::wait::{until, until_waiting};
use futures_lite::future::block_on;

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
mod at_once {
    use super::{
        a_large_overwrite_ends_at_once_when_invalidated,
        an_invalidation_elsewhere_ends_the_flight_at_once,
    };

    crate::on_stores!([redis: Redis, postgres: Postgres] {
        an_invalidation_elsewhere_ends_the_flight_at_once
        a_large_overwrite_ends_at_once_when_invalidated
    });
}

/// Invalidates as another process.
fn invalidate_elsewhere(subject: &Subject) {
    block_on(subject.bare().remove(&subject.last_key())).unwrap();
}

/// Clears as another process.
fn clear_elsewhere(subject: &Subject) {
    block_on(subject.bare().clear(subject.last_key().scope())).unwrap();
}

/// A cached function on the store of a test, sync or async.
struct Function<R: 'static, S> {
    store: u8,
    call: fn(u8) -> Callers<R>,
    call_with: fn(CallOptions, u8) -> Callers<R>,
    peek: fn(u8) -> Option<S>,
    precache: fn(u8, S),
    metrics: &'static CacheMetrics,
    /// Where one of its runs waits.
    gate: &'static Gate,
    runs: &'static Counter,
}

/// Both kinds of a function, by its arguments, the run that waits at the gate, and what each run returns.
macro_rules! functions {
    ($subject:ident, [$($argument:tt)*] $gated:literal, $value:expr => $returned:ty) => {
        [
            function!($subject, [$($argument)*] $gated, $value => $returned,
                count, [] on_threads, at_once, [wait()]),
            function!($subject, [$($argument)*] $gated, $value => $returned,
                count_later, [async] in_tasks, block_on, [wait_async().await]),
        ]
    };
}

macro_rules! function {
    (
        $subject:ident, [$($argument:tt)*] $gated:literal, $value:expr => $returned:ty,
        $name:ident, [$($async:ident)?] $begin:ident, $done:ident, [$($wait:tt)*]
    ) => {{
        static GATES: [Gate; 16] = [const { Gate::new() }; 16];
        static RUNS: [Counter; 16] = [const { Counter::new() }; 16];

        #[cachier(backend = registered("store"), operation_timeout = "60s", enable_metrics, $($argument)*)]
        $($async)? fn $name(store: u8) -> $returned {
            let run = RUNS[usize::from(store)].next();
            if run == $gated {
                GATES[usize::from(store)].$($wait)*;
            }
            $value(run)
        }

        let store = $subject.store as u8;
        Function {
            store,
            call: |store| Callers::new().$begin(1, move || $name(store)),
            call_with: |options, store| {
                Callers::new().$begin(1, move || $name::call_with(options.clone(), store))
            },
            peek: |store| $done($name::peek(store)).unwrap(),
            precache: |store, value| $done($name::precache_value(store, value)).unwrap(),
            metrics: $name::metrics(),
            gate: &GATES[usize::from(store)],
            runs: &RUNS[usize::from(store)],
        }
    }};
}

fn at_once<T>(done: T) -> T {
    done
}

impl<R: Send, S> Function<R, S> {
    fn begin(&self) -> Callers<R> {
        (self.call)(self.store)
    }

    fn begin_with(&self, options: CallOptions) -> Callers<R> {
        (self.call_with)(options, self.store)
    }

    fn begin_to_overwrite(&self) -> Callers<R> {
        self.begin_with(CallOptions::new().overwrite_cache())
    }

    fn value(&self) -> R {
        self.begin().values().remove(0)
    }

    fn peek(&self) -> Option<S> {
        (self.peek)(self.store)
    }

    fn precache(&self, value: S) {
        (self.precache)(self.store, value);
    }

    /// Waits until a caller has joined the flight, or has begun the run of this number: where the store notifies, the
    /// flight may have ended.
    fn until_joined(&self, run: u64) {
        until("the caller waits or computes", || {
            self.metrics.snapshot().activity.waiting_calls == 1 || self.runs.get() == run
        });
    }
}

fn number(run: u64) -> u64 {
    run
}

/// Stored in the background.
fn large(run: u64) -> String {
    run.to_string().repeat(2 << 20)
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

/// Tests of functions by what they forget elsewhere: the entry, or all.
macro_rules! joiners {
    ($($invalidation:ident $clear:ident: $recompute:ident($($functions:tt)*);)*) => {$(
        fn $invalidation(subject: &Subject) {
            $recompute(subject, functions!(subject, $($functions)*), invalidate_elsewhere);
        }

        fn $clear(subject: &Subject) {
            $recompute(subject, functions!(subject, $($functions)*), clear_elsewhere);
        }
    )*};
}

joiners! {
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

/// The second run finds nothing, and removes what it was to replace.
fn finds_nothing_then(run: u64) -> Option<u64> {
    (run != 2).then_some(run)
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

fn an_invalidation_elsewhere_ends_the_flight_at_once(subject: &Subject) {
    for count in functions!(subject, [] 1, number => u64) {
        let first = count.begin();
        count.gate.until_arrived(1);
        let mut later = Vec::new();
        // It is notified only once it listens.
        until(
            "a caller computes anew while the first still computes",
            || {
                invalidate_elsewhere(subject);
                later.push(count.begin());
                std::thread::sleep(Duration::from_millis(20));
                count.runs.get() > 1
            },
        );
        count.gate.open();
        assert_eq!(first.values(), [1]);
        let mut later = later.into_iter().flat_map(Callers::values);
        assert!(later.all(|value| value > 1));
    }
}

fn a_large_overwrite_ends_at_once_when_invalidated(subject: &Subject) {
    for count in functions!(subject, [] 0, large => String) {
        assert!(count.value().starts_with('1'));
        cachier::flush();
        let gate = subject.hold_next_store();
        assert!(count.begin_to_overwrite().values()[0].starts_with('2'));
        gate.until_arrived(1);
        let mut later = Vec::new();
        until(
            "a caller computes anew while the value is being stored",
            || {
                invalidate_elsewhere(subject);
                later.push(count.begin());
                std::thread::sleep(Duration::from_millis(20));
                count.runs.get() > 2
            },
        );
        gate.open();
        later.into_iter().for_each(|call| drop(call.values()));
        cachier::flush();
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
