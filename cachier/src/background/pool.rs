//! Worker pools for background work.

use cachier_backends::process::PerProcess;
use cachier_backends::workers::{Job, NoThread, Workers, run};

use crate::context::{Context, sync_scope};
use crate::environment;
use crate::pending::Kind;

/// A worker pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkerPool {
    /// For functions, which may wait for one another and for stores.
    Functions,
    /// For work on stores, which waits for nobody. In one pool with the functions, work that ends a wait could be queued
    /// behind those who wait for it.
    Storage,
    /// For figures, on the threads of `Storage`: reading or telling them is no task of the program's.
    Figures,
}

/// Runs the job on a worker thread. Without one the caller runs it.
pub(crate) fn run_on_thread(
    context: &'static Context,
    pool: WorkerPool,
    job: impl FnOnce() + Send + 'static,
) {
    if let Err(NoThread(job)) = workers(pool).submit(tracked(context, pool, job)) {
        run(job);
    }
}

/// Runs the job on a worker thread, or not at all.
pub(crate) fn run_on_thread_if_any(
    context: &'static Context,
    pool: WorkerPool,
    job: impl FnOnce() + Send + 'static,
) -> Result<(), NoThread> {
    workers(pool).submit(tracked(context, pool, job))
}

fn tracked(
    context: &'static Context,
    pool: WorkerPool,
    job: impl FnOnce() + Send + 'static,
) -> Job {
    let guard = context.pending.count(match pool {
        WorkerPool::Functions | WorkerPool::Storage => Kind::Task,
        WorkerPool::Figures => Kind::Reading,
    });
    Box::new(move || {
        guard.part(|| sync_scope(context, job));
    })
}

fn workers(pool: WorkerPool) -> &'static Workers {
    static FUNCTIONS: PerProcess<Workers> = PerProcess::new(|_| new_workers());
    static STORAGE: PerProcess<Workers> = PerProcess::new(|_| new_workers());
    match pool {
        WorkerPool::Functions => &FUNCTIONS,
        WorkerPool::Storage | WorkerPool::Figures => &STORAGE,
    }
}

fn new_workers() -> Workers {
    Workers::new("cachier-worker", environment::max_workers())
}
