//! Background work that is not done yet.
//!
//! A piece of work has a number, from which all has its number that it leads to: a refresh, the refresh of what it calls, the
//! store of a large result. So whoever waits for what there is waits for what comes of it, and not for what begins later.

use std::cell::Cell;
use std::collections::BTreeMap;
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

/// What a piece of work is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// For the program: a refresh, a store, a clean-up.
    Task,
    /// For its figures: they must not show what reading them takes.
    Reading,
}

#[derive(Default)]
struct PendingState {
    /// The number of the next piece of work that nothing has led to.
    next: u64,
    /// How many pieces of each number there are.
    running: BTreeMap<u64, u64>,
    /// How many of them read or tell figures.
    readings: u64,
    waiters: Vec<Waker>,
}

thread_local! {
    /// The number of the work that this thread is doing.
    static CURRENT: Cell<Option<u64>> = const { Cell::new(None) };
}

impl PendingState {
    fn oldest(&self) -> Option<u64> {
        self.running.keys().next().copied()
    }

    fn is_done_before(&self, number: u64) -> bool {
        self.oldest().is_none_or(|oldest| oldest >= number)
    }
}

impl PendingWork {
    /// Counts one more piece of work, as part of the work that the calling code is [`part`](PendingGuard::part) of, if any.
    pub(crate) fn count(&'static self, kind: Kind) -> PendingGuard {
        let process = Process::current();
        let led_to_it = CURRENT.try_with(Cell::get).ok().flatten();
        let mut state = self.state();
        let number = led_to_it.unwrap_or(state.next);
        state.next = state.next.max(number + 1);
        *state.running.entry(number).or_default() += 1;
        state.readings += u64::from(kind == Kind::Reading);
        PendingGuard {
            pending: self,
            process,
            kind,
            number,
        }
    }

    /// How many tasks there are.
    pub(crate) fn tasks(&self) -> u64 {
        let state = self.state();
        let all: u64 = state.running.values().sum();
        all - state.readings
    }

    /// Resolves once the work is done that there is now, and all that it leads to.
    pub(crate) async fn idle(&self) {
        let next = self.state().next;
        poll_fn(|cx| {
            let mut state = self.state();
            if state.is_done_before(next) {
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
    kind: Kind,
    number: u64,
}

impl PendingGuard {
    /// Runs a part of the work on this thread.
    pub(crate) fn part<R>(&self, run: impl FnOnce() -> R) -> R {
        struct Leave(Option<u64>);
        impl Drop for Leave {
            fn drop(&mut self) {
                let _ = CURRENT.try_with(|current| current.set(self.0));
            }
        }
        let before = CURRENT.try_with(|current| current.replace(Some(self.number)));
        let _leave = Leave(before.ok().flatten());
        run()
    }
}

impl Drop for PendingGuard {
    fn drop(&mut self) {
        if !self.process.is_current() {
            return;
        }
        let waiters = {
            let mut state = self.pending.state();
            let oldest = state.oldest();
            state.readings -= u64::from(self.kind == Kind::Reading);
            if let Some(pieces) = state.running.get_mut(&self.number) {
                *pieces -= 1;
                if *pieces == 0 {
                    state.running.remove(&self.number);
                }
            }
            if state.oldest() == oldest {
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

    fn pending() -> &'static PendingWork {
        Box::leak(Box::default())
    }

    #[test]
    fn readings_are_waited_for_but_no_tasks() {
        let pending = pending();
        let (task, reading) = (pending.count(Kind::Task), pending.count(Kind::Reading));
        assert_eq!(pending.tasks(), 1);
        drop(task);
        assert_eq!(pending.tasks(), 0);
        assert!(block_on(poll_once(pending.idle())).is_none());
        drop(reading);
        assert_eq!(pending.tasks(), 0);
        assert!(block_on(poll_once(pending.idle())).is_some());
    }

    #[test]
    fn later_work_is_not_waited_for() {
        let pending = pending();
        let first = pending.count(Kind::Task);
        let mut idle = pin!(pending.idle());
        let mut is_idle = || block_on(poll_once(idle.as_mut())).is_some();
        assert!(!is_idle());
        let second = pending.count(Kind::Task);
        drop(first);
        assert!(is_idle());
        drop(second);
        assert!(block_on(poll_once(pending.idle())).is_some());
    }

    #[test]
    fn what_work_leads_to_is_waited_for() {
        const LINKS: usize = 5;
        let pending = pending();
        let mut link = pending.count(Kind::Task);
        let other = pending.count(Kind::Task);
        let mut idle = pin!(pending.idle());
        let mut is_idle = || block_on(poll_once(idle.as_mut())).is_some();
        assert!(!is_idle());
        drop(other);
        for _ in 0..LINKS {
            let later = pending.count(Kind::Task);
            let next = link.part(|| pending.count(Kind::Task));
            drop(later);
            link = next;
            assert!(!is_idle());
        }
        let later = pending.count(Kind::Task);
        let after_later = later.part(|| pending.count(Kind::Task));
        drop(link);
        assert!(is_idle());
        drop((later, after_later));
        assert!(block_on(poll_once(pending.idle())).is_some());
    }
}
