//! The threads of the background.

use cachier_backends::process::PerProcess;
use cachier_backends::workers::{Job, NoThread, Workers, run};

use crate::context::{Context, sync_scope};
use crate::environment;

/// Whose threads do a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkerPool {
    /// Those that run functions, which may wait for one another and for what is stored.
    Functions,
    /// Those that only use the storage, and wait for nobody: were they the same, work that ends a wait could stand in line
    /// behind those who wait for it.
    Storage,
}

/// Runs the work on a thread of the background pool. Where there is none to be had, the caller does it: better late for
/// the caller than never.
pub(crate) fn run_on_thread(
    context: &'static Context,
    pool: WorkerPool,
    job: impl FnOnce() + Send + 'static,
) {
    if let Err(NoThread(job)) = workers(pool).submit(tracked(context, job)) {
        run(job);
    }
}

/// Runs the work on a thread of the background pool, or not at all.
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
        let _guard = guard;
        sync_scope(context, job);
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
