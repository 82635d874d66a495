//! Runtimes for synchronous callers: a bounded pool, each lent to one caller at a time.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::async_once::AsyncOnce;
use super::runtime::CurrentThreadRuntime;
use super::task_tracker::TaskTracker;
use super::wait_reporter::WaitReporter;
use crate::error::Error;

/// The most synchronous callers of one store served at once. Each has a connection of its own, which servers limit.
const MAX_RUNTIMES: usize = 8;

/// How long a returned runtime is driven on for its unfinished tasks.
const MAX_DRIVEN_ON: Duration = Duration::from_secs(10);

/// The runtimes of one store, created on demand.
pub(super) struct BlockingRuntimes<C> {
    state: Mutex<State<C>>,
    returned: Condvar,
    pub(super) waits: WaitReporter,
}

struct State<C> {
    /// Most recently used last.
    idle: Vec<BlockingRuntime<C>>,
    /// The clients of all runtimes, idle or lent.
    clients: Vec<Arc<AsyncOnce<C>>>,
    /// Callers waiting for a runtime.
    waiting: usize,
}

/// A runtime and its client.
pub(super) struct BlockingRuntime<C> {
    runtime: CurrentThreadRuntime,
    pub(super) client: Arc<AsyncOnce<C>>,
    tasks: Arc<TaskTracker>,
}

/// Returns the runtime to the pool when dropped.
pub(super) struct RuntimeGuard<C> {
    runtimes: Arc<BlockingRuntimes<C>>,
    lent: Option<BlockingRuntime<C>>,
}

impl<C> BlockingRuntimes<C> {
    pub(super) fn new(waits: WaitReporter) -> Self {
        let state = State {
            idle: Vec::new(),
            clients: Vec::new(),
            waiting: 0,
        };
        Self {
            state: Mutex::new(state),
            returned: Condvar::new(),
            waits,
        }
    }

    /// Lends a runtime; `None` if all stay in use for `max_wait`.
    pub(super) fn acquire(
        self: &Arc<Self>,
        max_wait: Duration,
    ) -> Result<Option<RuntimeGuard<C>>, Error> {
        let mut state = self.state();
        let (started, mut has_waited) = (Instant::now(), false);
        while state.idle.is_empty() && state.clients.len() >= MAX_RUNTIMES {
            let left = max_wait.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            has_waited = true;
            state.waiting += 1;
            let waited = self.returned.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
        match has_waited {
            true => self.waits.waited_since(started),
            false => self.waits.not_waited(),
        }
        let lent = match state.idle.pop() {
            Some(lent) => lent,
            None => {
                let runtime = CurrentThreadRuntime::start()?;
                let client = Arc::default();
                state.clients.push(Arc::clone(&client));
                BlockingRuntime {
                    runtime,
                    client,
                    tasks: Arc::default(),
                }
            }
        };
        Ok(Some(RuntimeGuard {
            runtimes: Arc::clone(self),
            lent: Some(lent),
        }))
    }

    /// The clients of all runtimes, idle or lent.
    #[cfg(any(test, feature = "redis", feature = "_sql"))]
    pub(super) fn clients(&self) -> Vec<Arc<AsyncOnce<C>>> {
        self.state().clients.clone()
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> BlockingRuntime<C> {
    pub(super) fn block_on<F: Future>(&self, work: F) -> F::Output {
        self.tasks.scope(|| self.runtime.block_on(work))
    }
}

impl<C: Clone + Send + Sync + 'static> RuntimeGuard<C> {
    /// Drops the runtime with all its tasks, making room for another. One whose client is still connecting is returned
    /// instead: connecting has its own timeout.
    pub(super) fn discard(mut self) {
        if self.client.get().is_none() {
            return self.release();
        }
        if let Some(lent) = self.lent.take() {
            let mut state = self.runtimes.state();
            state
                .clients
                .retain(|client| !Arc::ptr_eq(client, &lent.client));
        }
    }

    /// Returns the runtime once its tasks have ended; a thread drives it until then.
    pub(super) fn release(self) {
        if self.tasks.is_empty() {
            return;
        }
        let drive = move || {
            // Every tracked task has its own timeout.
            let ended = async { timeout(MAX_DRIVEN_ON, self.tasks.all_ended()).await };
            let _ = self.runtime.block_on(ended);
        };
        // Without a thread, the next caller drives it on.
        let _ = thread::Builder::new()
            .name("cachier-connect".to_owned())
            .spawn(drive);
    }
}

impl<C> Deref for RuntimeGuard<C> {
    type Target = BlockingRuntime<C>;

    fn deref(&self) -> &BlockingRuntime<C> {
        match &self.lent {
            Some(lent) => lent,
            None => unreachable!("it goes back when this is dropped"),
        }
    }
}

impl<C> Drop for RuntimeGuard<C> {
    fn drop(&mut self) {
        let mut state = self.runtimes.state();
        // `None` if discarded, which makes room for another.
        state.idle.extend(self.lent.take());
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            // Notifying is a system call.
            self.runtimes.returned.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_waiter_gets_the_next_returned_runtime() {
        let runtimes = Arc::new(BlockingRuntimes::<()>::new(WaitReporter::default()));
        let mut guards: Vec<_> = (0..MAX_RUNTIMES)
            .map(|_| runtimes.acquire(Duration::ZERO).unwrap().unwrap())
            .collect();
        assert!(runtimes.acquire(Duration::ZERO).unwrap().is_none());
        assert!(
            runtimes
                .acquire(Duration::from_millis(5))
                .unwrap()
                .is_none()
        );
        assert_eq!(
            runtimes.clients().len(),
            MAX_RUNTIMES,
            "one that is lent counts as well"
        );
        thread::scope(|scope| {
            let waits =
                scope.spawn(|| runtimes.acquire(Duration::from_secs(60)).unwrap().is_some());
            guards.pop();
            assert!(waits.join().unwrap());
        });
        drop(guards);
        assert_eq!(runtimes.clients().len(), MAX_RUNTIMES);
    }

    #[test]
    fn a_discarded_runtime_makes_room_for_another() {
        let runtimes = Arc::new(BlockingRuntimes::<()>::new(WaitReporter::default()));
        let mut guards: Vec<_> = (0..MAX_RUNTIMES)
            .map(|_| runtimes.acquire(Duration::ZERO).unwrap().unwrap())
            .collect();
        let discarded = guards.pop().unwrap();
        discarded
            .block_on(async {
                discarded
                    .client
                    .get_or_try_init(|| async { Ok(()) })
                    .await
                    .map(drop)
            })
            .unwrap();
        let client = Arc::downgrade(&discarded.client);
        thread::scope(|scope| {
            let waits = scope.spawn(|| runtimes.acquire(Duration::from_secs(60)).unwrap());
            discarded.discard();
            assert!(waits.join().unwrap().unwrap().client.get().is_none());
        });
        assert!(client.upgrade().is_none());
    }

    #[test]
    fn runtimes_may_be_dropped_in_a_task() {
        let runtimes = Arc::new(BlockingRuntimes::<()>::new(WaitReporter::default()));
        drop(runtimes.acquire(Duration::ZERO).unwrap());
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder
            .build()
            .unwrap()
            .block_on(async move { drop(runtimes) });
    }
}
