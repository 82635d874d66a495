//! Crowds on one store, by the system's clock: queueing in this process is no failure of the store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cachier::{Call, CallOptions, Outcome, cachier, global_params, set_global_params};
use cachier_tests::callers::Callers;
use cachier_tests::wait::until;

use crate::store::{Store, Subject};

crate::on_every_server! { if runs_here:
    crowds_on_a_hung_server_time_out
    crowds_of_tasks_are_served_and_then_hit
    crowds_of_threads_are_served_and_then_hit
    waiters_of_a_queued_call_are_served
    a_crowd_that_waited_too_long_succeeds
}
// All other stores but moto, a single-threaded Python server that a crowd overwhelms.
crate::on_stores!([file: File, sqlite: Sqlite, cluster: Cluster, s3: S3] {
    if runs_here:
    crowds_of_tasks_are_served_and_then_hit
    crowds_of_threads_are_served_and_then_hit
    waiters_of_a_queued_call_are_served
    a_crowd_that_waited_too_long_succeeds
});

/// Concurrent callers on threads.
const THREADS: usize = 400;

/// Numbers used so far.
static NEXT: AtomicU64 = AtomicU64::new(0);

#[cachier(backend = registered("store"))]
async fn in_task(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = registered("store"))]
fn on_thread(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = registered("store"), wait_for_calc_timeout = "100ms")]
async fn slow_in_task(number: u64) -> u64 {
    tokio::time::sleep(SLOW_ANSWER_TIME).await;
    number * 2
}

#[cachier(backend = registered("store"), wait_for_calc_timeout = "100ms")]
fn slow_on_thread(number: u64) -> u64 {
    std::thread::sleep(SLOW_ANSWER_TIME);
    number * 2
}

/// Longer than callers wait.
const SLOW_ANSWER_TIME: Duration = Duration::from_millis(500);

/// Concurrent callers in tasks: enough to take a while on this machine.
fn tasks(subject: &Subject) -> usize {
    match subject.store {
        Store::S3 => 1_500,
        Store::Mongo if cfg!(debug_assertions) => 2_000,
        _ if cfg!(debug_assertions) => 5_000,
        _ => 20_000,
    }
}

/// Whether this is the process under test. Optimised builds use the default budget.
fn runs_here(subject: &Subject) -> bool {
    if cfg!(debug_assertions) || matches!(subject.store, Store::S3 | Store::Mongo) {
        // On a busy machine, debug builds stall for a second at times, as do these servers.
        set_global_params(global_params().operation_timeout(Duration::from_secs(3)));
    }
    subject.runs_here()
}

/// Consecutive numbers from zero.
fn numbers() -> impl Fn() -> u64 + Send + Sync + 'static {
    NEXT.store(0, Ordering::SeqCst);
    || NEXT.fetch_add(1, Ordering::SeqCst)
}

fn wave_of_tasks(count: usize) -> Vec<Call<u64>> {
    let next = numbers();
    let call = || in_task::call_detailed(CallOptions::new(), next());
    Callers::new().in_tasks(count, call).values()
}

fn wave_of_threads(count: usize) -> Vec<Call<u64>> {
    let next = numbers();
    let call = move || on_thread::call_detailed(CallOptions::new(), next());
    Callers::new().on_threads(count, call).values()
}

fn crowds_of_tasks_are_served_and_then_hit(subject: &Subject) {
    served_and_then_hit(subject, tasks(subject), wave_of_tasks);
}

fn crowds_of_threads_are_served_and_then_hit(subject: &Subject) {
    served_and_then_hit(subject, THREADS, wave_of_threads);
}

fn served_and_then_hit(subject: &Subject, count: usize, wave: fn(usize) -> Vec<Call<u64>>) {
    for outcome in [Outcome::Miss, Outcome::Hit] {
        let started = Instant::now();
        let calls = wave(count);
        let told = told(&calls);
        eprintln!(
            "{:?}: {count} in {:?}: {told:?}",
            subject.store,
            started.elapsed()
        );
        for call in calls {
            assert!(call.backend_error.is_none(), "{call}: {told:?}");
            assert_eq!(call.outcome, outcome, "{call}: {told:?}");
        }
    }
}

/// Counts of outcomes and errors.
fn told(calls: &[Call<u64>]) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for call in calls {
        let error = call.backend_error.as_ref().map(ToString::to_string);
        let told = told.entry(format!("{:?} {error:?}", call.outcome));
        *told.or_default() += 1;
    }
    told
}

fn waiters_of_a_queued_call_are_served(subject: &Subject) {
    // Four callers per key: the last arrive long before the first are served.
    let (count, next) = (tasks(subject), numbers());
    let call = || in_task::call_detailed(CallOptions::new(), next() % (count as u64 / 4));
    let calls = Callers::new().in_tasks(count, call).values();
    let told = told(&calls);
    assert!(
        calls.iter().all(|call| call.backend_error.is_none()),
        "{told:?}"
    );
    assert_eq!(wave_of_tasks(1)[0].outcome, Outcome::Hit, "{told:?}");
}

/// All on one key.
fn a_crowd_that_waited_too_long_succeeds(_: &Subject) {
    const TASKS: usize = 400;
    let options = CallOptions::new;
    assert_eq!(wave_of_tasks(1)[0].outcome, Outcome::Miss);
    let crowd = Callers::new()
        .on_threads(THREADS, move || {
            slow_on_thread::call_detailed(options(), 21)
        })
        .in_tasks(TASKS, || slow_in_task::call_detailed(options(), 21));
    assert_eq!(wave_of_tasks(1)[0].outcome, Outcome::Hit, "unrelated");
    let calls = crowd.values();
    let told = told(&calls);
    for call in &calls {
        assert_eq!(call.value, 42);
        assert!(call.backend_error.is_none(), "{call}: {told:?}");
    }
    let again = Callers::new()
        .on_threads(1, move || slow_on_thread::call_detailed(options(), 21))
        .in_tasks(1, || slow_in_task::call_detailed(options(), 21));
    for call in again.values() {
        assert_eq!(call.outcome, Outcome::Hit, "{call}");
    }
}

fn crowds_on_a_hung_server_time_out(subject: &Subject) {
    /// Tolerance beyond the budget, for loaded machines.
    const SLACK: Duration = Duration::from_millis(1900);
    const TASKS: usize = 1_000;
    let proxy = subject.behind_a_proxy();
    until("it is served", || {
        wave_of_tasks(1)[0].outcome == Outcome::Hit
    });
    proxy.hang(true);
    for call in wave_of_tasks(TASKS) {
        let limit = cachier::global_params().operation_timeout + SLACK;
        assert!(call.elapsed < limit, "{call}");
        assert_eq!(call.outcome, Outcome::Unavailable, "{call}");
    }
}
