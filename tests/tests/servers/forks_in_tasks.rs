//! A process that forks while its tasks compute: the child has a runtime of its own.

use std::process::id;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cachier::{cachier, flush_async, global_params, set_global_params};
use cachier_tests::callers::two_threads as runtime;
use cachier_tests::forked::Forked;
use cachier_tests::gate::Counter;
use cachier_tests::wait::until;

use crate::forks::{PROMPT_LIMIT, in_own_process};
use crate::store::Subject;

crate::on_every_store! {
    what_the_parents_task_computes_reaches_the_child
    waiting_for_the_parents_task_times_out
    a_childs_task_refreshes
}

/// The lease period.
const PERIOD: Duration = Duration::from_secs(2);

/// Computations begun in this process.
static BEGUN: Counter = Counter::new();
/// Whether computations take no time: so in children.
static IS_QUICK: AtomicBool = AtomicBool::new(false);

/// Whether computations take as long as this is so.
static IS_HELD: AtomicBool = AtomicBool::new(false);

/// Takes longer than a lease. Returns the process that computed it.
#[cachier(backend = registered("store"), operation_timeout = "10s")]
async fn slow(key: u32) -> u32 {
    let _ = key;
    BEGUN.next();
    if !IS_QUICK.load(Ordering::SeqCst) {
        tokio::time::sleep(PERIOD + PERIOD / 2).await;
        while IS_HELD.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    id()
}

/// The child, which knows nothing of the flight, waits like any other process.
fn what_the_parents_task_computes_reaches_the_child(subject: &Subject) {
    in_own_process(subject, || {
        set_global_params(global_params().lease_period(PERIOD));
        let (parent, here) = (id(), runtime());
        let computing = here.spawn(slow(1));
        until("the parent computes", || BEGUN.get() == 1);
        thread::sleep(PERIOD / 4);
        let child = Forked::start(|| assert_eq!(runtime().block_on(slow(1)), parent));
        assert_eq!(here.block_on(computing).unwrap(), parent);
        child.finish();
    });
}

fn waiting_for_the_parents_task_times_out(subject: &Subject) {
    in_own_process(subject, || {
        set_global_params(global_params().lease_period(Duration::from_secs(60)));
        IS_HELD.store(true, Ordering::SeqCst);
        let here = runtime();
        let computing = here.spawn(slow(1));
        until("the parent computes", || BEGUN.get() == 1);
        let child = Forked::start(|| {
            let limit = Duration::from_millis(300);
            set_global_params(global_params().wait_for_calc_timeout(limit));
            IS_QUICK.store(true, Ordering::SeqCst);
            let begun = Instant::now();
            assert_eq!(runtime().block_on(slow(1)), id());
            assert!(begun.elapsed() < PROMPT_LIMIT, "{:?}", begun.elapsed());
        });
        child.finish();
        IS_HELD.store(false, Ordering::SeqCst);
        assert_eq!(here.block_on(computing).unwrap(), id());
    });
}

static COUNT: AtomicU32 = AtomicU32::new(0);

#[cachier(backend = registered("store"), operation_timeout = "10s", stale_after = "1ms", next_time)]
async fn refreshed(key: u32) -> (u32, u32) {
    let _ = key;
    // The parent's refresh takes longer than the child lives.
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    if count > 1 && !IS_QUICK.load(Ordering::SeqCst) {
        tokio::time::sleep(PERIOD).await;
    }
    (id(), count)
}

fn a_childs_task_refreshes(subject: &Subject) {
    in_own_process(subject, || {
        let here = runtime();
        for key in 0..2 {
            here.block_on(refreshed(key));
        }
        thread::sleep(Duration::from_millis(5));
        here.block_on(refreshed(0));
        until("the parent refreshes", || COUNT.load(Ordering::SeqCst) == 3);
        let child = Forked::start(|| {
            IS_QUICK.store(true, Ordering::SeqCst);
            let (own, begun) = (runtime(), Instant::now());
            own.block_on(refreshed(1));
            own.block_on(flush_async());
            assert!(begun.elapsed() < PROMPT_LIMIT, "{:?}", begun.elapsed());
            let (computed_by, _) = own.block_on(refreshed(1));
            assert_eq!(computed_by, id(), "it was refreshed here");
            until("the key that the parent refreshed is refreshed", || {
                own.block_on(flush_async());
                own.block_on(refreshed(0)).1 > 2
            });
        });
        child.finish();
        here.block_on(flush_async());
    });
}
