//! Calls as callers see them, in any store and from anywhere.

use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cachier::testing::{Clock, IsolatedContext};
use cachier::{
    CallOptions, LeaseReply, Outcome, RedisBackend, cachier, global_params, set_global_params,
};
use cachier_tests::callers::{Callers, flush, in_context, one_thread, runtime};
use cachier_tests::gate::Gate;
use cachier_tests::wait::until_waiting;
use cachier_tests::{double, outcome, triple};
use futures_lite::future::block_on;
use tokio::runtime::Runtime;

use crate::store::Subject;

/// For every store, for Redis in its other forms, and behind a pooler.
macro_rules! on_every_form {
    ($($property:ident)*) => {
        crate::on_every_store! { $($property)* }
        crate::on_stores!([cluster: Cluster, sentinel: Sentinel, valkey: Valkey, pgbouncer: PgBouncer] {
            $($property)*
        });
    };
}

on_every_form! {
    a_value_is_computed_once_and_then_found
    an_async_function_behaves_the_same
    every_kind_of_caller_is_served
    a_task_makes_any_number_of_blocking_calls
    what_is_stale_is_computed_again
    next_time_serves_stale_values_and_refreshes
    a_refresh_outlasts_the_runtime_of_its_call
    a_refresh_on_an_idle_runtime_comes_about
    a_large_store_outlasts_its_calls_runtime
    an_invalidated_value_is_computed_again
    a_clear_forgets_all_entries_and_counts_them
    values_invalidated_during_computation_are_not_stored
    an_owner_that_is_cancelled_holds_up_nobody
    an_owner_that_panics_holds_up_nobody
    keys_and_names_of_any_unicode
    usage_tells_entries_and_bytes
}

crate::on_stores!([redis_notifies: Redis, postgres_notifies: Postgres] {
    a_task_blocking_its_own_driver_fails
});
crate::on_stores!([redis_client: Redis] { a_programs_redis_client_serves_every_caller });
crate::on_stores!([pooled: PgBouncer] { a_thousand_calls_work_behind_a_pooler });

double!(
    backend = registered("store"),
    stale_after = "1h",
    enable_metrics
);

triple!(
    backend = registered("store"),
    stale_after = "1h",
    enable_metrics
);

fn outcome(number: u64) -> Outcome {
    let call = double::call_detailed(CallOptions::new(), number);
    assert_eq!(call.value, number * 2);
    assert!(call.backend_error.is_none(), "{call}");
    call.outcome
}

async fn outcome_async(number: u64) -> Outcome {
    let call = triple::call_detailed(CallOptions::new(), number).await;
    assert_eq!(call.value, number * 3);
    assert!(call.backend_error.is_none(), "{call}");
    call.outcome
}

/// Half misses, half hits, from threads and tasks.
fn a_thousand_calls_work_behind_a_pooler(_subject: &Subject) {
    for outcome_of_all in [Outcome::Miss, Outcome::Hit] {
        for number in 0..250 {
            assert_eq!(outcome(number), outcome_of_all, "{number}");
        }
        let options = CallOptions::new;
        runtime().block_on(async {
            for number in 0..250 {
                let call = triple::call_detailed(options(), number).await;
                assert_eq!((call.value, call.outcome), (number * 3, outcome_of_all));
                assert!(call.backend_error.is_none(), "{call}");
            }
        });
    }
    assert_eq!(double::clear_cache().unwrap(), Some(250));
}

fn a_value_is_computed_once_and_then_found(_: &Subject) {
    assert_eq!(outcome(1), Outcome::Miss);
    assert_eq!(outcome(1), Outcome::Hit);
    assert_eq!(outcome(2), Outcome::Miss);
    assert_eq!(double::peek(1).unwrap(), Some(2));
    assert_eq!(double::peek(3).unwrap(), None);
}

fn an_async_function_behaves_the_same(_: &Subject) {
    runtime().block_on(in_context(IsolatedContext::current(), async {
        assert_eq!(outcome_async(1).await, Outcome::Miss);
        assert_eq!(outcome_async(1).await, Outcome::Hit);
        assert!(triple::invalidate(1).await.unwrap());
        assert_eq!(outcome_async(1).await, Outcome::Miss);
        triple::precache_value(2, 6).await.unwrap();
        assert_eq!(outcome_async(2).await, Outcome::Hit);
    }));
}

/// Unlike a connection, a client belongs to no runtime.
fn a_programs_redis_client_serves_every_caller(subject: &Subject) {
    let client = ::redis::Client::open(subject.address.as_str()).unwrap();
    subject.register_backend(Arc::new(RedisBackend::with_client(client)));
    every_kind_of_caller_is_served(subject);
}

fn every_kind_of_caller_is_served(_: &Subject) {
    let context = IsolatedContext::current();
    let in_context = |future| cachier_tests::callers::in_context(context, future);
    // Several runtimes, one after the other, each with one thread.
    for number in 0..3 {
        one_thread().block_on(in_context(Box::pin(async move {
            assert_eq!(outcome_async(number).await, Outcome::Miss);
            assert_eq!(outcome_async(number).await, Outcome::Hit);
            // A sync function inside a task blocks the runtime's only thread.
            outcome(number);
        })
            as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>));
    }
    // Another executor.
    smol::block_on(in_context(Box::pin(async {
        assert_eq!(outcome_async(0).await, Outcome::Hit);
        assert_eq!(outcome_async(10).await, Outcome::Miss);
    })));
    assert_eq!(outcome(1), Outcome::Hit);
}

/// Tokio's share of one poll is 128 answers.
fn a_task_makes_any_number_of_blocking_calls(_: &Subject) {
    one_thread().block_on(async {
        for number in 0..300 {
            let expected = if number == 0 {
                Outcome::Miss
            } else {
                Outcome::Hit
            };
            assert_eq!(outcome(1), expected, "call {number}");
        }
    });
}

/// Without the error it would poll after half a second.
fn a_task_blocking_its_own_driver_fails(subject: &Subject) {
    const ROUNDS: u32 = 8;
    outcome(1);
    let (owner, key) = (subject.bare(), subject.last_key());
    let mut waited = Duration::ZERO;
    for _ in 0..ROUNDS {
        assert!(double::invalidate(1).unwrap());
        let period = Duration::from_secs(60);
        let Ok(LeaseReply::Granted(lease)) = block_on(owner.lease(&key, None, period)) else {
            panic!("it is not granted");
        };
        let blocks = || one_thread().block_on(async { double(1) });
        let caller = Callers::new().on_threads(1, blocks);
        until_waiting(double::metrics(), 1);
        let started = Instant::now();
        block_on(owner.release(lease)).unwrap();
        assert_eq!(caller.values(), [2]);
        waited += started.elapsed();
    }
    assert!(waited < ROUNDS * Duration::from_millis(125), "{waited:?}");
}

fn what_is_stale_is_computed_again(_: &Subject) {
    assert_eq!(outcome(1), Outcome::Miss);
    Clock::advance(Duration::from_secs(3601));
    assert_eq!(outcome(1), Outcome::Miss);
    assert_eq!(outcome(1), Outcome::Hit);
    assert_eq!(double::metrics().stats().stale_hits, 1);
}

fn next_time_serves_stale_values_and_refreshes(_: &Subject) {
    #[cachier(backend = registered("store"), stale_after = "1h", next_time)]
    fn square(number: u64) -> u64 {
        number * number
    }
    let outcome = || outcome!(square(4));
    assert_eq!(outcome(), Outcome::Miss);
    Clock::advance(Duration::from_secs(3601));
    assert_eq!(outcome(), Outcome::Stale);
    cachier::flush();
    assert_eq!(outcome(), Outcome::Hit);
}

#[cachier(backend = registered("store"), stale_after = "1h", next_time)]
async fn cube(number: u64) -> u64 {
    number * number * number
}

fn cube_outcome(runtime: &Runtime) -> Outcome {
    let call = cube::call_detailed(CallOptions::new(), 4);
    runtime.block_on(call).outcome
}

fn a_refresh_outlasts_the_runtime_of_its_call(_: &Subject) {
    assert_eq!(one_thread().block_on(cube(4)), 64);
    Clock::advance(Duration::from_secs(3601));
    assert_eq!(cube_outcome(&one_thread()), Outcome::Stale);
    flush();
    assert_eq!(cube_outcome(&one_thread()), Outcome::Hit);
}

fn a_refresh_on_an_idle_runtime_comes_about(_: &Subject) {
    let idle = one_thread();
    assert_eq!(cube_outcome(&idle), Outcome::Miss);
    Clock::advance(Duration::from_secs(3601));
    assert_eq!(cube_outcome(&idle), Outcome::Stale);
    flush();
    assert_eq!(cube_outcome(&idle), Outcome::Hit);
}

fn a_large_store_outlasts_its_calls_runtime(_: &Subject) {
    #[cachier(backend = registered("store"))]
    async fn repeat(length: usize) -> String {
        "x".repeat(length)
    }
    assert_eq!(one_thread().block_on(repeat(2 << 20)).len(), 2 << 20);
    flush();
    let again = repeat::call_detailed(CallOptions::new(), 2 << 20);
    assert_eq!(one_thread().block_on(again).outcome, Outcome::Hit);
}

fn an_invalidated_value_is_computed_again(_: &Subject) {
    assert!(!double::invalidate(1).unwrap());
    outcome(1);
    outcome(2);
    assert!(double::invalidate(1).unwrap());
    assert_eq!(outcome(1), Outcome::Miss);
    assert_eq!(outcome(2), Outcome::Hit);
}

fn a_clear_forgets_all_entries_and_counts_them(_: &Subject) {
    for number in 0..50 {
        outcome(number);
    }
    assert!(
        double::clear_cache()
            .unwrap()
            .is_none_or(|count| count == 50)
    );
    assert_eq!(outcome(1), Outcome::Miss);
}

fn values_invalidated_during_computation_are_not_stored(_: &Subject) {
    #[cachier(backend = registered("store"))]
    fn slow(clears: bool) -> u64 {
        if clears {
            slow::clear_cache().unwrap();
        } else {
            slow::invalidate(false).unwrap();
        }
        42
    }
    for clears in [true, false] {
        let call = slow::call_detailed(CallOptions::new(), clears);
        assert_eq!((call.value, call.outcome), (42, Outcome::Miss));
        assert_eq!(slow::peek(clears).unwrap(), None, "clears: {clears}");
    }
}

/// Longer than the tests below may take, so that a leaked lease shows.
fn leases_last_long() {
    set_global_params(global_params().lease_period(Duration::from_secs(120)));
}

fn soon<T>(call: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = call();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(60), "it took {took:?}");
    result
}

fn an_owner_that_is_cancelled_holds_up_nobody(_: &Subject) {
    #[cachier(backend = registered("store"), skip(hangs))]
    async fn double(number: u64, hangs: Option<Arc<Gate>>) -> u64 {
        if let Some(hangs) = hangs {
            hangs.wait_async().await;
        }
        number * 2
    }

    leases_last_long();
    let context = IsolatedContext::current;
    let gate = Arc::new(Gate::new());
    let owner = runtime().spawn(in_context(context(), double(21, Some(Arc::clone(&gate)))));
    gate.until_arrived(1);
    owner.abort();
    let taken_over = || runtime().block_on(in_context(context(), double(21, None)));
    assert_eq!(soon(taken_over), 42);
}

fn an_owner_that_panics_holds_up_nobody(_: &Subject) {
    #[cachier(backend = registered("store"), skip(panics))]
    fn double(number: u64, panics: bool) -> u64 {
        assert!(!panics, "on purpose");
        number * 2
    }

    leases_last_long();
    catch_unwind(|| double(21, true)).unwrap_err();
    assert_eq!(soon(|| double(21, false)), 42);
}

fn keys_and_names_of_any_unicode(_: &Subject) {
    #[cachier(backend = registered("store"), name = "größe/日本語 '; -- 🦀\u{0}%")]
    fn length(text: &str) -> usize {
        text.len()
    }
    for text in [
        "",
        "\0",
        "'; DROP TABLE cachier;--",
        "日本語",
        "🦀",
        "a\u{301}",
        "á",
    ] {
        let call = || length::call_detailed(CallOptions::new(), text);
        assert_eq!(
            (call().value, call().outcome),
            (text.len(), Outcome::Hit),
            "{text}"
        );
    }
    assert!(
        length::clear_cache()
            .unwrap()
            .is_none_or(|count| count == 7)
    );
}

fn usage_tells_entries_and_bytes(_: &Subject) {
    for number in 0..10 {
        outcome(number);
    }
    let usage = double::usage().unwrap();
    assert_eq!(usage.entries, Some(10));
    assert!(usage.bytes.is_some_and(|bytes| bytes > 100), "{usage:?}");
    let stats = double::metrics().stats();
    assert_eq!((stats.entries, stats.size_bytes), (Some(10), usage.bytes));
}
