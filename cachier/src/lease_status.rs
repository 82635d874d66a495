//! The status of a lease while its owner computes.

use std::future::poll_fn;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

/// Whether a lease is valid, as far as its owner knows.
pub(crate) struct LeaseStatus(Mutex<State>);

struct State {
    /// It was valid at some time after this moment.
    valid_at: Instant,
    is_lost: bool,
    /// Called once, when the lease is lost.
    on_loss: Option<Box<dyn FnOnce() + Send>>,
    /// Whether somebody has reason to believe that it is lost.
    is_check_requested: bool,
    heartbeat: Option<Waker>,
}

impl LeaseStatus {
    /// The status of a lease that was requested at this moment and granted.
    pub(crate) fn new(requested_at: Instant) -> Self {
        Self(Mutex::new(State {
            valid_at: requested_at,
            is_lost: false,
            on_loss: None,
            is_check_requested: false,
            heartbeat: None,
        }))
    }

    /// When it was last known to be valid.
    pub(crate) fn valid_at(&self) -> Instant {
        self.state().valid_at
    }

    /// Records that a request of this moment found it valid.
    pub(crate) fn confirm(&self, requested_at: Instant) {
        let mut state = self.state();
        state.valid_at = state.valid_at.max(requested_at);
    }

    /// Calls `callback` when the lease is lost, or at once if it is.
    pub(crate) fn on_loss(&self, callback: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        if state.is_lost {
            drop(state);
            return callback();
        }
        state.on_loss = Some(Box::new(callback));
    }

    /// Records that it is lost.
    pub(crate) fn mark_lost(&self) {
        let callback = {
            let mut state = self.state();
            state.is_lost = true;
            state.on_loss.take()
        };
        // Not under the lock: the callback takes others.
        if let Some(callback) = callback {
            callback();
        }
    }

    /// Makes the heartbeat renew it now.
    pub(crate) fn request_check(&self) {
        let waker = {
            let mut state = self.state();
            state.is_check_requested = true;
            state.heartbeat.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until somebody requests a check.
    pub(crate) async fn check_requested(&self) {
        poll_fn(|cx| {
            let mut state = self.state();
            if mem::take(&mut state.is_check_requested) {
                return Poll::Ready(());
            }
            state.heartbeat = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
