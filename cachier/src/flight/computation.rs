//! Which computation the code that runs right now is part of.
//!
//! A cached function that calls another cached function inside its body must be recognised when that call would have
//! to wait for the first: the two would wait for each other for ever.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

/// One execution of a function's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ComputationId(u64);

impl ComputationId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

thread_local! {
    static CURRENT: Cell<Option<ComputationId>> = const { Cell::new(None) };
}

/// The innermost computation that the calling code runs in, if any.
pub(crate) fn current() -> Option<ComputationId> {
    CURRENT.try_with(Cell::get).unwrap_or(None)
}

/// Runs the future as part of the computation, on whatever thread it is polled; without one, as part of what is around it.
pub(crate) async fn in_computation<F: Future>(
    computation: Option<ComputationId>,
    future: F,
) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _entered = computation.map(EnterGuard::new);
        future.as_mut().poll(cx)
    })
    .await
}

/// The calling thread is part of a computation until this is dropped.
pub(crate) struct EnterGuard {
    outer: Option<ComputationId>,
}

impl EnterGuard {
    pub(crate) fn new(computation: ComputationId) -> Self {
        let outer = CURRENT.try_with(|current| current.replace(Some(computation)));
        Self {
            outer: outer.unwrap_or(None),
        }
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        // A thread that is being torn down has no computation to return to.
        let _ = CURRENT.try_with(|current| current.set(self.outer));
    }
}
