//! Work that no caller waits for: refreshes, large stores, clean-ups.
//!
//! It runs on a few threads of its own. Only recomputations of asynchronous functions begin on the tokio runtime of the
//! call that started them, whose timers and sockets they may use. [`flush`](crate::flush) waits for all of it.

#[cfg(feature = "tokio")]
mod on_runtime;

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use cachier_backends::process::{PerProcess, Process};
use cachier_backends::workers::{Job, NoThread, Workers, run};

use crate::block_on::block_on;
use crate::environment;
use crate::function::Function;
use crate::world::{World, inside};

/// How many pieces of background work of one world are not done yet: in each process those that it has begun.
pub(crate) struct Pending {
    state: PerProcess<Mutex<PendingState>>,
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            state: PerProcess::new(|_| Mutex::default()),
        }
    }
}

#[derive(Default)]
struct PendingState {
    count: usize,
    waiters: Vec<Waker>,
}

impl Pending {
    /// Resolves once no background work is left.
    pub(crate) async fn none(&self) {
        poll_fn(|context| {
            let mut state = self.state();
            if state.count == 0 {
                return Poll::Ready(());
            }
            let is_known = |waiter: &Waker| waiter.will_wake(context.waker());
            if !state.waiters.iter().any(is_known) {
                state.waiters.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn state(&self) -> MutexGuard<'_, PendingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One piece of work, counted until it is dropped: done, panicked or cancelled.
struct Counted {
    world: &'static World,
    /// Where it is counted.
    process: Process,
}

impl Counted {
    fn new(world: &'static World) -> Self {
        let process = Process::current();
        world.pending.state().count += 1;
        Self { world, process }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if !self.process.is_current() {
            return;
        }
        let waiters = {
            let mut state = self.world.pending.state();
            state.count -= 1;
            if state.count > 0 {
                return;
            }
            std::mem::take(&mut state.waiters)
        };
        waiters.into_iter().for_each(Waker::wake);
    }
}

/// Whose threads do a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crew {
    /// Those that run functions, which may wait for one another and for what is stored.
    Functions,
    /// Those that only use the storage, and wait for nobody: were they the same, work that ends a wait could stand in line
    /// behind those who wait for it.
    Storage,
}

/// Runs the work on a thread of the background pool. Where there is none to be had, the caller does it: better late for
/// the caller than never.
pub(crate) fn run_on_thread(
    world: &'static World,
    crew: Crew,
    job: impl FnOnce() + Send + 'static,
) {
    if let Err(NoThread(job)) = workers(crew).submit(counted(world, job)) {
        run(job);
    }
}

/// Runs the work on a thread of the background pool, or not at all.
pub(crate) fn run_on_thread_if_any(
    world: &'static World,
    crew: Crew,
    job: impl FnOnce() + Send + 'static,
) -> Result<(), NoThread> {
    workers(crew).submit(counted(world, job))
}

fn counted(world: &'static World, job: impl FnOnce() + Send + 'static) -> Job {
    let counted = Counted::new(world);
    Box::new(move || {
        let _counted = counted;
        inside(world, job);
    })
}

/// Runs an asynchronous recomputation of a function: on the caller's tokio runtime as long as that is driven, else on one
/// of cachier's own; without the feature `tokio`, or a runtime, on a thread of the background pool.
pub(crate) fn run_as_task(
    function: &'static Function,
    task: impl Future<Output = ()> + Send + 'static,
) {
    #[cfg(feature = "tokio")]
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        on_runtime::run(function, &runtime, task);
        return;
    }
    run_on_thread(function.world, Crew::Functions, || block_on(task));
}

fn workers(crew: Crew) -> &'static Workers {
    static WORKERS: [PerProcess<Workers>; 2] = [
        PerProcess::new(|_| new_workers()),
        PerProcess::new(|_| new_workers()),
    ];
    &WORKERS[crew as usize]
}

fn new_workers() -> Workers {
    Workers::new("cachier-worker", environment::max_workers())
}
