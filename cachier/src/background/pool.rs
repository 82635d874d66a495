//! Worker pools for background work.

use cachier_backends::process::PerProcess;
use cachier_backends::workers::{Job, NoThread, Workers, run};

use crate::context::{Context, sync_scope};
use crate::environment;

/// A worker pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkerPool {
    /// For functions, which may wait for one another and for stores.
    Functions,
    /// For work on stores, which waits for nobody. In one pool with the functions, work that ends a wait could be queued
    /// behind those who wait for it.
    Storage,
}

/// Runs the job on a worker thread. Without one the caller runs it.
pub(crate) fn run_on_thread(
    context: &'static Context,
    pool: WorkerPool,
    job: impl FnOnce() + Send + 'static,
) {
    if let Err(NoThread(job)) = workers(pool).submit(tracked(context, job)) {
        run(job);
    }
}

/// Runs the job on a worker thread, or not at all.
pub(crate) fn run_on_thread_if_any(
    context: &'static Context,
    pool: WorkerPool,
    job: impl FnOnce() + Send + 'static,
) -> Result<(), NoThread> {
    workers(pool).submit(tracked(context, job))
}

fn tracked(context: &'static Context, job: impl FnOnce() + Send + 'static) -> Job {
    let guard = context.pending.count();
    Box::new(move || {
        guard.part(|| sync_scope(context, job));
    })
}

fn workers(pool: WorkerPool) -> &'static Workers {
    static WORKERS: [PerProcess<Workers>; 2] = [
        PerProcess::new(|_| new_workers()),
        PerProcess::new(|_| new_workers()),
    ];
    &WORKERS[pool as usize]
}

fn new_workers() -> Workers {
    Workers::new("cachier-worker", environment::max_workers())
}
