//! A process that forks: the child starts afresh, and the parent notices nothing.
//!
//! The forking process is started by the test, whose own program has too many threads.

use std::fs;
use std::io::stdin;
use std::process::{abort, exit, id};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cachier::{
    Call, CallOptions, ErrorKind, Outcome, Renewal, cachier, check, flush, global_params,
    set_global_params,
};
use cachier_tests::callers::{one_thread, two_threads as runtime};
use cachier_tests::forked::Forked;
use cachier_tests::gate::Counter;
use cachier_tests::process::{part, say};
use cachier_tests::wait::{WAIT_TIMEOUT, until};
use futures_lite::future::block_on;

use crate::store::{Store, Subject, unique};

crate::on_every_store! {
    parent_and_child_have_each_their_own_answers
    parent_and_child_get_their_own_answers
    a_forked_child_works_at_once
    what_the_parent_computes_reaches_the_child
    waiting_for_the_parent_times_out
    a_child_refreshes_despite_its_parents_refresh
    a_child_does_not_prolong_leases
    a_forking_body_stores_in_the_parent
    a_childs_drops_spare_the_parent
    parent_and_child_have_different_leases
}
mod beginning {
    use super::a_child_of_the_first_call_goes_on;

    // SQLite is not to be forked while it is in use.
    crate::on_stores!([file: File, redis: Redis, postgres: Postgres, mariadb: MariaDb, mongo: Mongo, s3: S3] {
        a_child_of_the_first_call_goes_on
    });
}
mod given {
    use super::a_child_computes_without_the_programs_own_client;

    crate::on_stores!([redis: Redis, sqlite: Sqlite, postgres: Postgres, mariadb: MariaDb, mongo: Mongo] {
        a_child_computes_without_the_programs_own_client
    });
}

/// Hits per process.
pub(crate) const HITS: u32 = 200;
/// Number of keys.
pub(crate) const KEYS: u32 = 8;
/// The lease period.
const PERIOD: Duration = Duration::from_secs(2);
/// Limit for anything immediate, generous for busy machines.
pub(crate) const PROMPT_LIMIT: Duration = Duration::from_secs(5);

#[cachier(backend = registered("store"), operation_timeout = "10s", enable_metrics)]
pub(crate) fn value(key: u32) -> String {
    of(key)
}

#[cachier(backend = registered("store"), operation_timeout = "10s", enable_metrics)]
async fn value_async(key: u32) -> String {
    of(key)
}

/// Over a mebibyte, so it is stored in the background.
#[cachier(backend = registered("store"), operation_timeout = "10s")]
fn large(key: u8) -> Vec<u8> {
    vec![key; 2 << 20]
}

#[cachier(backend = registered("store"), operation_timeout = "10s")]
async fn large_async(key: u8) -> Vec<u8> {
    vec![key; 2 << 20]
}

fn of(key: u32) -> String {
    format!("the value of {key}")
}

/// Runs something in a process of its own, which must succeed.
pub(crate) fn in_own_process(subject: &Subject, run: impl FnOnce()) {
    if part().is_some() {
        return run();
    }
    subject.start("fork", &unique("forks")).finish();
}

fn parent_and_child_have_each_their_own_answers(subject: &Subject) {
    in_own_process(subject, || {
        (0..KEYS).for_each(|key| drop(value(key)));
        hits();
        let child = Forked::start(hits);
        hits();
        child.finish();
        hits();
    });
}

pub(crate) fn hits() {
    for number in 0..HITS {
        let key = number % KEYS;
        let call = value::call_detailed(CallOptions::new(), key);
        assert_eq!(call.value, of(key), "{call}");
        assert_eq!(call.outcome, Outcome::Hit, "{call}");
        assert!(call.backend_error.is_none(), "{call}");
    }
}

fn parent_and_child_get_their_own_answers(subject: &Subject) {
    in_own_process(subject, || {
        let here = runtime();
        here.block_on(async {
            for key in 0..KEYS {
                value_async(key).await;
            }
        });
        here.block_on(hits_in_tasks());
        let child = Forked::start(|| {
            // The parent's runtime has no threads here.
            runtime().block_on(hits_in_tasks());
        });
        here.block_on(hits_in_tasks());
        child.finish();
        here.block_on(hits_in_tasks());
    });
}

async fn hits_in_tasks() {
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            tokio::spawn(async {
                for number in 0..HITS / 4 {
                    let key = number % KEYS;
                    let call = value_async::call_detailed(CallOptions::new(), key).await;
                    assert_eq!(call.value, of(key), "{call}");
                    assert_eq!(call.outcome, Outcome::Hit, "{call}");
                    assert!(call.backend_error.is_none(), "{call}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn a_forked_child_works_at_once(subject: &Subject) {
    in_own_process(subject, || {
        value(0);
        large(0);
        flush();
        // Another one, perhaps still running, and never finished in the child.
        large(1);
        let parents = runtime();
        let call = || block_on(async { value_async(100).await });
        parents.spawn_blocking(call);
        let child = Forked::start(|| {
            at_once("flush", flush);
            at_once("a hit", || {
                let call = value::call_detailed(CallOptions::new(), 0);
                assert_eq!(call.outcome, Outcome::Hit, "{call}");
            });
            at_once("a miss", || {
                let call = value::call_detailed(CallOptions::new(), 1);
                assert_eq!(call.outcome, Outcome::Miss, "{call}");
                assert!(call.backend_error.is_none(), "{call}");
            });
            at_once("a large value", || {
                assert_eq!(large(2).len(), 2 << 20);
                flush();
                assert!(large::peek(2).unwrap().is_some());
            });
            at_once("a large value in a task", || {
                runtime().block_on(async {
                    assert_eq!(large_async(2).await.len(), 2 << 20);
                    cachier::flush_async().await;
                    assert!(large_async::peek(2).await.unwrap().is_some());
                });
            });
            at_once("a task of another executor", || {
                smol::block_on(async { assert_eq!(value_async(2).await, of(2)) });
            });
            at_once("a check", || {
                let health = check();
                assert!(health.iter().all(|one| one.is_healthy()), "{health:?}");
            });
        });
        child.finish();
        flush();
        assert!(large::peek(1).unwrap().is_some());
        assert_eq!(large::peek(2).unwrap(), Some(vec![2; 2 << 20]));
    });
}

#[track_caller]
fn at_once(what: &str, run: impl FnOnce()) {
    let started = Instant::now();
    run();
    let took = started.elapsed();
    assert!(took < PROMPT_LIMIT, "{what} took {took:?}");
}

/// Computations begun in this process.
static BEGUN: Counter = Counter::new();
/// Whether computations take no time: so in children.
static IS_QUICK: AtomicBool = AtomicBool::new(false);

/// Takes longer than a lease. Returns the process that computed it.
#[cachier(backend = registered("store"), operation_timeout = "10s")]
fn slow(key: u32) -> u32 {
    let _ = key;
    BEGUN.next();
    if !IS_QUICK.load(Ordering::SeqCst) {
        thread::sleep(PERIOD + PERIOD / 2);
    }
    id()
}

/// The parent's heartbeat goes on, so nobody takes its lease. The child, which knows nothing of the flight, waits like
/// any other process.
fn what_the_parent_computes_reaches_the_child(subject: &Subject) {
    in_own_process(subject, || {
        set_global_params(global_params().lease_period(PERIOD));
        let parent = id();
        let computing = thread::spawn(|| slow(1));
        until("the parent computes", || BEGUN.get() == 1);
        thread::sleep(PERIOD / 4);
        let child = Forked::start(|| {
            assert_eq!(slow(1), parent, "it waits for the parent's value");
            flush();
        });
        assert_eq!(computing.join().unwrap(), parent);
        child.finish();
        assert_eq!(slow::peek(1).unwrap(), Some(parent));
    });
}

fn waiting_for_the_parent_times_out(subject: &Subject) {
    in_own_process(subject, || {
        set_global_params(global_params().lease_period(Duration::from_secs(60)));
        let computing = thread::spawn(|| slow(1));
        until("the parent computes", || BEGUN.get() == 1);
        let child = Forked::start(|| {
            let limit = Duration::from_millis(300);
            set_global_params(global_params().wait_for_calc_timeout(limit));
            IS_QUICK.store(true, Ordering::SeqCst);
            let begun = Instant::now();
            assert_eq!(slow(1), id());
            assert!(begun.elapsed() < PERIOD, "{:?}", begun.elapsed());
        });
        child.finish();
        assert_eq!(computing.join().unwrap(), id());
    });
}

static COUNT: AtomicU32 = AtomicU32::new(0);

#[cachier(backend = registered("store"), operation_timeout = "10s", stale_after = "1ms", next_time)]
fn refreshed(key: u32) -> (u32, u32) {
    let _ = key;
    // The parent's refresh takes longer than the child lives.
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    if count > 0 && !IS_QUICK.load(Ordering::SeqCst) {
        thread::sleep(PERIOD);
    }
    (id(), count)
}

fn a_child_refreshes_despite_its_parents_refresh(subject: &Subject) {
    in_own_process(subject, || {
        for key in 0..2 {
            refreshed(key);
        }
        thread::sleep(Duration::from_millis(5));
        refreshed(0);
        until("the parent refreshes", || COUNT.load(Ordering::SeqCst) == 3);
        let child = Forked::start(|| {
            IS_QUICK.store(true, Ordering::SeqCst);
            refreshed(1);
            at_once("flush", flush);
            assert_eq!(refreshed(1).0, id(), "it was refreshed here");
            until("the key that the parent refreshed is refreshed", || {
                flush();
                refreshed(0).1 > 2
            });
        });
        child.finish();
        flush();
    });
}

/// The parent is killed while computing; its child lives, without the lease.
fn a_child_does_not_prolong_leases(subject: &Subject) {
    if part().is_some() {
        set_global_params(global_params().lease_period(PERIOD));
        if part().as_deref() == Some("call") {
            IS_QUICK.store(true, Ordering::SeqCst);
            slow(1);
            return say("called");
        }
        let _computing = thread::spawn(|| slow(1));
        until("the parent computes", || BEGUN.get() == 1);
        let _child = Forked::start(|| {
            say("forked");
            // Until the test ends, which closes the input.
            let _ = stdin().read_line(&mut String::new());
        });
        thread::park();
    }
    let namespace = unique("orphan");
    let parent = subject.start("fork", &namespace);
    assert_eq!(parent.line(), "forked");
    // The child ends when its input is closed.
    let input = parent.kill_and_keep_input();
    let killed = Instant::now();
    let other = subject.start("call", &namespace);
    assert_eq!(other.line(), "called");
    // At most a lease period, and tolerance for a loaded machine; S3 counts whole seconds, so up to two more.
    let more = match subject.store {
        Store::S3 | Store::Moto => Duration::from_secs(5),
        _ => Duration::from_secs(2),
    };
    assert!(killed.elapsed() < PERIOD + more, "{:?}", killed.elapsed());
    other.finish();
    drop(input);
}

/// Forks in its body. Returns the process that computed it.
#[cachier(backend = registered("store"), operation_timeout = "10s")]
fn forks(key: u32) -> u32 {
    let _ = key;
    match fork::fork().unwrap() {
        // The child returns later with its own value, after the parent has stored its own.
        fork::Fork::Child => thread::sleep(PERIOD / 2),
        fork::Fork::Parent(child) => CHILD.store(child, Ordering::SeqCst),
    }
    id()
}

static CHILD: AtomicI32 = AtomicI32::new(0);

fn a_forking_body_stores_in_the_parent(subject: &Subject) {
    in_own_process(subject, || {
        let parent = id();
        let computed = forks(1);
        assert_eq!(computed, id(), "each has its own value");
        flush();
        if id() != parent {
            at_once("another call", || assert_eq!(value(1), of(1)));
            assert_eq!(
                forks::peek(1).unwrap(),
                Some(parent),
                "and only one is kept"
            );
            exit(0);
        }
        let child = Forked::of(CHILD.load(Ordering::SeqCst));
        assert_eq!(forks::peek(1).unwrap(), Some(parent));
        child.finish();
        assert_eq!(forks::peek(1).unwrap(), Some(parent));
    });
}

/// A runtime dropped by the child, with a call of the parent in it that holds a lease.
fn a_childs_drops_spare_the_parent(subject: &Subject) {
    in_own_process(subject, || {
        set_global_params(global_params().lease_period(Duration::from_secs(60)));
        let here = one_thread();
        let computing = here.spawn(waiting_async(1));
        here.block_on(async {
            while BEGUN.get() == 0 {
                tokio::task::yield_now().await;
            }
        });
        let here = std::cell::Cell::new(Some((here, computing)));
        let child = Forked::start(|| drop(here.take()));
        child.finish();
        // If its lease had been released, another owner would follow.
        let (here, computing) = here.take().unwrap();
        thread::sleep(Duration::from_millis(500));
        OPEN.store(true, Ordering::SeqCst);
        here.block_on(async {
            let waited = computing.await.unwrap();
            assert_eq!(waited, id());
        });
        assert_eq!(here.block_on(waiting_async::peek(1)).unwrap(), Some(id()));
    });
}

static OPEN: AtomicBool = AtomicBool::new(false);

#[cachier(backend = registered("store"), operation_timeout = "10s")]
async fn waiting_async(key: u32) -> u32 {
    let _ = key;
    BEGUN.next();
    while !OPEN.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    id()
}

/// Parent and child inherit the same randomness for their lease tokens.
fn parent_and_child_have_different_leases(subject: &Subject) {
    const LEASE_PERIOD: Duration = Duration::from_secs(60);
    in_own_process(subject, || {
        value(1);
        let (key, backend) = (subject.last_key(), subject.bare());
        let folder = tempfile::tempdir().unwrap();
        let [childs, parents] = ["child", "parent"].map(|name| folder.path().join(name));
        // Now it is connected.
        block_on(backend.load(&key)).unwrap();
        let child = Forked::start(|| {
            let lease = block_on(backend.take_over(&key, LEASE_PERIOD)).unwrap();
            fs::write(&childs, "").unwrap();
            until("the parent takes over", || parents.exists());
            assert_eq!(block_on(backend.renew(&lease)).unwrap(), Renewal::Lost);
        });
        until("the child takes over", || childs.exists());
        let lease = block_on(backend.take_over(&key, LEASE_PERIOD)).unwrap();
        fs::write(&parents, "").unwrap();
        child.finish();
        assert_eq!(block_on(backend.renew(&lease)).unwrap(), Renewal::Renewed);
    });
}

/// In which the client of the store makes what it keeps for the whole process.
fn a_child_of_the_first_call_goes_on(subject: &Subject) {
    const MAX_CHILDREN: usize = 16;
    in_own_process(subject, || {
        let folder = tempfile::tempdir().unwrap();
        let over = folder.path().join("over");
        let (first, mut children) = (thread::spawn(|| value(0)), Vec::new());
        while !first.is_finished() && children.len() < MAX_CHILDREN {
            children.push(Forked::start(|| {
                until("the first call is over", || over.exists());
                // One that hangs ends nevertheless.
                thread::spawn(|| {
                    thread::sleep(WAIT_TIMEOUT * 2 / 3);
                    abort();
                });
                let call = value::call_detailed(CallOptions::new(), 1);
                assert_eq!(call.value, of(1));
                assert_ne!(call.outcome, Outcome::Bypass, "it is in service");
            }));
        }
        assert_eq!(first.join().unwrap(), of(0));
        fs::write(&over, "").unwrap();
        // MongoDB's driver makes tables with its first commands, within microseconds: the guide tells of that.
        let may_be_lost = usize::from(subject.store == Store::Mongo);
        let succeeded = children.into_iter().map(Forked::has_succeeded);
        let lost = succeeded.filter(|has_succeeded| !has_succeeded);
        assert!(lost.count() <= may_be_lost);
    });
}

fn a_child_computes_without_the_programs_own_client(subject: &Subject) {
    in_own_process(subject, || {
        let here = runtime();
        subject.register_backend(here.block_on(subject.store.given(&subject.address)));
        (0..KEYS).for_each(|key| drop(value(key)));
        hits();
        let child = Forked::start(|| {
            at_once("calls", || {
                for key in 0..KEYS {
                    refused(&value::call_detailed(CallOptions::new(), key), key);
                }
            });
            at_once("calls of tasks", || {
                runtime().block_on(async {
                    for key in 0..KEYS {
                        refused(
                            &value_async::call_detailed(CallOptions::new(), key).await,
                            key,
                        );
                    }
                });
            });
        });
        hits();
        child.finish();
        hits();
    });
}

#[track_caller]
fn refused(call: &Call<String>, key: u32) {
    assert_eq!(call.value, of(key), "{call}");
    assert_eq!(call.outcome, Outcome::Unavailable, "{call}");
    let error = call.backend_error.as_ref().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotRegistered, "{call}");
}
