//! Background work that is not done yet.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use cachier_backends::process::{PerProcess, Process};

/// Counts the background work of one context: in each process that which it has started.
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
    count: usize,
    waiters: Vec<Waker>,
}

impl PendingWork {
    /// Counts one more piece of work.
    pub(crate) fn count(&'static self) -> PendingGuard {
        let process = Process::current();
        self.state().count += 1;
        PendingGuard {
            pending: self,
            process,
        }
    }

    /// Resolves once no background work is left.
    pub(crate) async fn idle(&self) {
        poll_fn(|cx| {
            let mut state = self.state();
            if state.count == 0 {
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
}

impl Drop for PendingGuard {
    fn drop(&mut self) {
        if !self.process.is_current() {
            return;
        }
        let waiters = {
            let mut state = self.pending.state();
            state.count -= 1;
            if state.count > 0 {
                return;
            }
            std::mem::take(&mut state.waiters)
        };
        waiters.into_iter().for_each(Waker::wake);
    }
}
