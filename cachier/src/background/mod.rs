//! Work that no caller waits for: refreshes, large stores, clean-ups.
//!
//! It runs on a few threads of its own. Only recomputations of asynchronous functions begin on the tokio runtime of the
//! call that started them, whose timers and sockets they may use. [`flush`](crate::flush) waits for all of it.

#[cfg(feature = "tokio")]
mod on_runtime;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::block_on::block_on;
use crate::function::Function;
use crate::world::{World, inside};

/// Background work for a thread.
type Job = Box<dyn FnOnce() + Send>;

/// How many pieces of background work of one world are not done yet.
#[derive(Default)]
pub(crate) struct Pending {
    state: Mutex<PendingState>,
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
struct Counted(&'static World);

impl Counted {
    fn new(world: &'static World) -> Self {
        world.pending.state().count += 1;
        Self(world)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let waiters = {
            let mut state = self.0.pending.state();
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
    if let Err(NoThread(job)) = pool(crew).submit(counted(world, job)) {
        run(job);
    }
}

/// Runs the work on a thread of the background pool, or not at all.
pub(crate) fn run_on_thread_if_any(
    world: &'static World,
    crew: Crew,
    job: impl FnOnce() + Send + 'static,
) -> Result<(), NoThread> {
    pool(crew).submit(counted(world, job))
}

/// There is no thread to be had for this.
pub(crate) struct NoThread(Job);

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

/// A few threads that start when there is work and end when there is none.
struct Pool {
    state: Mutex<PoolState>,
    arrived: Condvar,
    max_workers: usize,
    start: fn(&'static Pool) -> io::Result<()>,
}

#[derive(Default)]
struct PoolState {
    queue: VecDeque<Job>,
    workers: usize,
    idle: usize,
}

/// How long a thread waits for more work before it ends.
const LINGER: Duration = Duration::from_secs(10);

fn pool(crew: Crew) -> &'static Pool {
    static POOLS: [OnceLock<Pool>; 2] = [OnceLock::new(), OnceLock::new()];
    POOLS[crew as usize].get_or_init(|| Pool {
        state: Mutex::default(),
        arrived: Condvar::new(),
        max_workers: crate::environment::max_workers(),
        start: start_thread,
    })
}

fn start_thread(pool: &'static Pool) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("cachier-worker".to_owned());
    thread.spawn(|| pool.work()).map(drop)
}

/// A panic of the user's function has been counted by the guards it unwound through.
fn run(job: Job) {
    let _ = catch_unwind(AssertUnwindSafe(job));
}

impl Pool {
    fn submit(&'static self, job: Job) -> Result<(), NoThread> {
        let mut state = self.state();
        let is_awaited = state.idle > state.queue.len();
        if !is_awaited && state.workers < self.max_workers && (self.start)(self).is_ok() {
            state.workers += 1;
        }
        if state.workers == 0 {
            return Err(NoThread(job));
        }
        state.queue.push_back(job);
        if is_awaited {
            self.arrived.notify_one();
        }
        Ok(())
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            run(job);
        }
    }

    /// The next job, or `None` when the thread has had nothing to do for a while.
    fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            state.idle += 1;
            let (guard, timeout) = self
                .arrived
                .wait_timeout(state, LINGER)
                .unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() {
                state.workers -= 1;
                return None;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_comes_back_undone_when_no_thread_can_be_had() {
        static POOL: OnceLock<Pool> = OnceLock::new();
        let pool = POOL.get_or_init(|| Pool {
            state: Mutex::default(),
            arrived: Condvar::new(),
            max_workers: 2,
            start: |_| Err(io::ErrorKind::OutOfMemory.into()),
        });
        let panics = || std::panic::resume_unwind(Box::new("on purpose"));
        let Err(NoThread(job)) = pool.submit(Box::new(panics)) else {
            panic!("there is a thread");
        };
        // Whoever does it then has no part in its panic.
        run(job);
        assert!(pool.state().queue.is_empty());
    }
}
