//! Background work that is not done yet.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use cachier_backends::process::{PerProcess, Process};

/// The background work of one context: in each process that which it has started.
pub(crate) struct PendingWork {
    state: PerProcess<Mutex<PendingState>>,
}

impl Default for PendingWork {
    fn default() -> Self {
        Self {
            state: PerProcess::new(|_| Mutex::default()),
        }
    }
}

#[derive(Default)]
struct PendingState {
    /// The number of the next piece of work.
    next: u64,
    running: BTreeSet<u64>,
    waiters: Vec<Waker>,
}

impl PendingState {
    fn is_done_before(&self, number: u64) -> bool {
        self.running.first().is_none_or(|oldest| *oldest >= number)
    }
}

impl PendingWork {
    /// Counts one more piece of work.
    pub(crate) fn count(&'static self) -> PendingGuard {
        let process = Process::current();
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.running.insert(number);
        PendingGuard {
            pending: self,
            process,
            number,
        }
    }

    /// Resolves once the work is done that there is now, and what that has led to: a refresh to a store.
    pub(crate) async fn idle(&self) {
        for _ in ["the work", "what it has led to"] {
            let next = self.state().next;
            self.done_before(next).await;
        }
    }

    /// Resolves once all work is done with a lower number.
    async fn done_before(&self, number: u64) {
        poll_fn(|cx| {
            let mut state = self.state();
            if state.is_done_before(number) {
                return Poll::Ready(());
            }
            let is_known = |waiter: &Waker| waiter.will_wake(cx.waker());
            if !state.waiters.iter().any(is_known) {
                state.waiters.push(cx.waker().clone());
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
pub(crate) struct PendingGuard {
    pending: &'static PendingWork,
    /// The process that counts it.
    process: Process,
    number: u64,
}

impl Drop for PendingGuard {
    fn drop(&mut self) {
        if !self.process.is_current() {
            return;
        }
        let waiters = {
            let mut state = self.pending.state();
            let was_oldest = state.running.first() == Some(&self.number);
            state.running.remove(&self.number);
            if !was_oldest {
                return;
            }
            std::mem::take(&mut state.waiters)
        };
        waiters.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn later_work_is_not_waited_for() {
        let pending: &'static PendingWork = Box::leak(Box::default());
        let first = pending.count();
        let mut idle = pin!(pending.idle());
        let mut is_idle = || block_on(poll_once(idle.as_mut())).is_some();
        assert!(!is_idle());
        let second = pending.count();
        drop(first);
        assert!(!is_idle(), "the first may have led to the second");
        let third = pending.count();
        drop(second);
        assert!(is_idle());
        drop(third);
        assert!(block_on(poll_once(pending.idle())).is_some());
    }
}
