//! A process that forks, and the state in its memory.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::process::{abort, id};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cachier::testing::IsolatedContext;
use cachier::{
    CallOptions, Outcome, S3Backend, cachier, disable, enable_caching, flush, function, functions,
    global_params, register_backend, set_global_params,
};
use cachier_tests::forked::Forked;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::outcome;
use cachier_tests::process::{Process, part};
use cachier_tests::sandbox::in_folder;
use cachier_tests::wait::{WAIT_TIMEOUT, until};
use futures_lite::future::block_on;
use serde::Serialize;

/// Limit for anything immediate, generous for busy machines.
const PROMPT_LIMIT: Duration = Duration::from_secs(5);
/// The parent's computation time.
const COMPUTE_TIME: Duration = Duration::from_secs(3);

/// Runs something in a process of its own, which must succeed.
fn in_own_process(test: &str, run: impl FnOnce()) {
    if part().is_some() {
        return run();
    }
    Process::start(&format!("forks::{test}"), "fork", |_| {}).finish();
}

static BEGUN: Counter = Counter::new();
/// Whether computations take no time: so in children.
static IS_QUICK: AtomicBool = AtomicBool::new(false);

/// Returns the process that computed it.
#[cachier(backend = "memory", enable_metrics, sampling_rate = 1.0)]
fn slow(key: u32) -> u32 {
    let _ = key;
    BEGUN.next();
    if !IS_QUICK.load(Ordering::SeqCst) {
        thread::sleep(COMPUTE_TIME);
    }
    id()
}

#[cachier(backend = "memory", enable_metrics)]
fn quick(key: u32) -> u32 {
    let _ = key;
    id()
}

#[cachier(backend = "memory", stale_after = "1ms", next_time)]
fn refreshed(key: u32) -> u32 {
    let _ = key;
    BEGUN.next();
    id()
}

fn quick_in_child() {
    IS_QUICK.store(true, Ordering::SeqCst);
}

fn parent_computes(key: u32) -> thread::JoinHandle<u32> {
    let before = BEGUN.get();
    let computing = thread::spawn(move || slow(key));
    until("the parent computes", || BEGUN.get() > before);
    computing
}

#[test]
fn a_child_inherits_values_but_not_flights() {
    in_own_process("a_child_inherits_values_but_not_flights", || {
        let parent = id();
        quick(1);
        let computing = parent_computes(1);
        let child = Forked::start(|| {
            quick_in_child();
            assert_eq!(quick(1), parent, "what was stored is there");
            let begun = Instant::now();
            assert_eq!(slow(1), id(), "the parent's flight never lands here");
            assert!(begun.elapsed() < COMPUTE_TIME, "{:?}", begun.elapsed());
            assert_eq!(slow(1), id());
            assert!(quick::invalidate(1).unwrap());
            assert_eq!(quick(1), id());
            assert!(begun.elapsed() < PROMPT_LIMIT);
        });
        assert_eq!(computing.join().unwrap(), parent);
        child.finish();
        assert_eq!((quick(1), slow(1)), (parent, parent));
    });
}

/// Returns the process that computed it.
#[cachier(backend = "memory")]
async fn slow_task(key: u32) -> u32 {
    let _ = key;
    BEGUN.next();
    if !IS_QUICK.load(Ordering::SeqCst) {
        smol::Timer::after(COMPUTE_TIME).await;
    }
    id()
}

#[test]
fn a_child_inherits_no_flight_of_a_task() {
    in_own_process("a_child_inherits_no_flight_of_a_task", || {
        let parent = id();
        let computing = thread::spawn(|| block_on(slow_task(1)));
        until("the parent computes", || BEGUN.get() == 1);
        let child = Forked::start(|| {
            quick_in_child();
            let begun = Instant::now();
            assert_eq!(block_on(slow_task(1)), id());
            assert!(begun.elapsed() < COMPUTE_TIME, "{:?}", begun.elapsed());
            assert_eq!(block_on(slow_task(1)), id());
        });
        assert_eq!(computing.join().unwrap(), parent);
        child.finish();
        assert_eq!(block_on(slow_task(1)), parent);
    });
}

#[test]
fn a_wait_in_a_child_ends_in_time() {
    in_own_process("a_wait_in_a_child_ends_in_time", || {
        // The parent's timer has a thread.
        set_global_params(global_params().wait_for_calc_timeout(Duration::from_millis(300)));
        let computing = parent_computes(1);
        assert_eq!(outcome!(slow(2)), Outcome::Miss);
        let child = Forked::start(|| {
            let computing = parent_computes(3);
            quick_in_child();
            let begun = Instant::now();
            assert_eq!(slow(3), id());
            assert!(begun.elapsed() < COMPUTE_TIME, "{:?}", begun.elapsed());
            computing.join().unwrap();
        });
        child.finish();
        computing.join().unwrap();
    });
}

#[test]
fn a_child_refreshes_and_flushes() {
    in_own_process("a_child_refreshes_and_flushes", || {
        refreshed(1);
        thread::sleep(Duration::from_millis(5));
        // The parent's worker pool has threads.
        refreshed(1);
        flush();
        thread::sleep(Duration::from_millis(5));
        let child = Forked::start(|| {
            let begun = Instant::now();
            refreshed(1);
            flush();
            assert!(begun.elapsed() < PROMPT_LIMIT, "{:?}", begun.elapsed());
            assert_eq!(refreshed(1), id());
        });
        child.finish();
    });
}

#[test]
fn a_child_counts_what_it_does_itself() {
    in_own_process("a_child_counts_what_it_does_itself", || {
        (0..10).for_each(|key| assert_eq!(quick(key), id()));
        (0..10).for_each(|key| assert_eq!(quick(key), id()));
        let computing = parent_computes(1);
        let child = Forked::start(|| {
            quick_in_child();
            let before = quick::metrics().snapshot();
            assert_eq!(before.calls.values().sum::<u64>(), 0);
            quick(0);
            quick(100);
            let stats = quick::metrics().stats();
            assert_eq!((stats.hits, stats.misses), (1, 1));
            let snapshot = quick::metrics().snapshot();
            assert_eq!(snapshot.calls[Outcome::Hit], 1);
            assert_eq!(snapshot.calls[Outcome::Miss], 1);
            let activity = slow::metrics().snapshot().activity;
            assert_eq!(activity.inflight_calls, 0, "{activity:?}");
            assert_eq!(activity.inflight_computations, 0, "{activity:?}");
            assert_eq!(activity.oldest_computation, None, "{activity:?}");
            let over = |seconds| quick::metrics().stats_over(Duration::from_secs(seconds));
            until("the windows tick", || over(1).calls == 0);
            assert_eq!(over(60).calls, 2);
        });
        child.finish();
        computing.join().unwrap();
        let stats = quick::metrics().stats();
        assert_eq!((stats.hits, stats.misses), (10, 10));
    });
}

#[test]
fn a_child_knows_the_functions_and_switches_them() {
    in_own_process("a_child_knows_the_functions_and_switches_them", || {
        quick(1);
        let child = Forked::start(|| {
            assert_eq!(functions().len(), 1);
            assert!(function("forks::quick").is_some() || functions()[0].usage().is_ok());
            disable("*quick*");
            assert_eq!(quick(1), id());
            enable_caching();
            assert_ne!(quick(1), id());
            assert_eq!(functions()[0].clear_cache().unwrap(), Some(1));
            assert_eq!(quick(1), id());
        });
        child.finish();
        assert_eq!(quick(1), id());
    });
}

#[test]
fn children_of_busy_processes_do_not_hang() {
    in_own_process("children_of_busy_processes_do_not_hang", || {
        static IS_OVER: AtomicBool = AtomicBool::new(false);
        let busy: Vec<_> = (0..4_u32)
            .map(|thread| {
                thread::spawn(move || {
                    let mut number = 0;
                    while !IS_OVER.load(Ordering::Relaxed) {
                        number += 1;
                        quick(number % 5_000 + 5_000 * thread);
                        drop(quick::invalidate(number % 77));
                        let _ = quick::metrics().stats();
                    }
                })
            })
            .collect();
        for round in 0..50 {
            let child = Forked::start(|| {
                quick_in_child();
                for key in 0..100 {
                    let call = quick::call_detailed(CallOptions::new(), 1_000_000 + key);
                    // Bypassed if a thread of the parent was changing the store during the fork.
                    let outcomes = [Outcome::Miss, Outcome::Bypass];
                    assert!(outcomes.contains(&call.outcome), "{round}: {call}");
                    assert_eq!(call.value, id());
                    let _ = quick::metrics().snapshot();
                }
                let _ = quick::invalidate(1);
                block_on(cachier::flush_async());
            });
            child.finish();
        }
        IS_OVER.store(true, Ordering::Relaxed);
        busy.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// One of many functions, as the compiler sees it.
#[cachier(backend = "memory", enable_metrics)]
fn one_of_many<const N: usize>(key: u32) -> u32 {
    key + N as u32
}

/// Calls two hundred of them for the first time.
fn call_many() {
    macro_rules! call {
        ($($tens:literal)*) => {$(call!(@ $tens: 0 1 2 3 4 5 6 7 8 9);)*};
        (@ $tens:literal: $($ones:literal)*) => {$(one_of_many::<{ $tens * 10 + $ones }>(1);)*};
    }
    call!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
}

#[test]
fn a_child_calls_generic_functions_at_any_moment() {
    let test = "a_child_calls_generic_functions_at_any_moment";
    in_own_process(test, || {
        let parent = thread::spawn(call_many);
        while !parent.is_finished() {
            let child = Forked::start(|| {
                assert_eq!(one_of_many::<1000>(1), 1001);
                assert_eq!(one_of_many::<1000>(1), 1001);
            });
            child.finish();
        }
        parent.join().unwrap();
    });
}

/// A key that takes a while to compare, in one thread, once it is to.
#[derive(Clone, Eq, Serialize)]
struct SlowKey(u32);

thread_local! {
    static IS_SLOW: Cell<bool> = const { Cell::new(false) };
}

static COMPARING: Gate = Gate::new();

impl PartialEq for SlowKey {
    fn eq(&self, other: &Self) -> bool {
        if IS_SLOW.get() {
            COMPARING.wait();
        }
        self.0 == other.0
    }
}

impl Hash for SlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Keys are compared while the tier is changed, which no other thread can do meanwhile.
#[test]
fn a_child_bypasses_a_near_tier_being_changed() {
    /// Less than a store in memory is waited for.
    const LIMIT: Duration = Duration::from_millis(1500);

    #[cachier(backend = "file", near_cache = 10)]
    fn near(_key: SlowKey) -> u32 {
        id()
    }

    let test = "a_child_bypasses_a_near_tier_being_changed";
    in_own_process(test, || {
        in_folder(|_| {
            let (parent, context) = (id(), IsolatedContext::current());
            assert_eq!([near(SlowKey(1)), near(SlowKey(2))], [parent; 2]);
            let changing = thread::spawn(move || {
                context.run(|| {
                    IS_SLOW.set(true);
                    near::invalidate(SlowKey(1)).unwrap()
                })
            });
            COMPARING.until_arrived(1);
            let child = Forked::start(|| {
                let begun = Instant::now();
                assert_eq!(near(SlowKey(2)), parent, "the store has it");
                assert_eq!(near(SlowKey(3)), id());
                assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
            });
            child.finish();
            COMPARING.open();
            assert!(changing.join().unwrap());
        });
    });
}

/// Nobody listens at its address.
fn s3() -> S3Backend {
    S3Backend::new("bucket").endpoint("http://127.0.0.1:9")
}

/// The first one makes what all clients for S3 share.
#[test]
fn a_child_of_s3_backends_goes_on() {
    const MAX_CHILDREN: usize = 12;

    #[cachier(backend = registered("s3-of-a-child"))]
    fn plain(key: u32) -> u32 {
        key
    }

    in_own_process("a_child_of_s3_backends_goes_on", || {
        let parent = thread::spawn(|| (0..20).for_each(|_| drop(s3())));
        let mut children = Vec::new();
        while !parent.is_finished() && children.len() < MAX_CHILDREN {
            children.push(Forked::start(|| {
                // One that hangs ends nevertheless.
                thread::spawn(|| {
                    thread::sleep(WAIT_TIMEOUT / 2);
                    abort();
                });
                register_backend("s3-of-a-child", s3()).unwrap();
                let call = plain::call_detailed(CallOptions::new(), 1);
                assert_eq!((call.value, call.outcome), (1, Outcome::Unavailable));
            }));
        }
        parent.join().unwrap();
        children.into_iter().for_each(Forked::finish);
    });
}
