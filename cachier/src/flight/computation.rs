//! The computation that the running code is part of.
//!
//! Nested calls of cached functions must know it: a call that waited for a computation around it would wait forever.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// One run of a function's body.
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

/// The innermost computation around the calling code.
pub(crate) fn current() -> Option<ComputationId> {
    CURRENT.try_with(Cell::get).unwrap_or(None)
}

/// Makes the calling thread part of a computation until it is dropped.
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
        // During thread teardown there is no computation to return to.
        let _ = CURRENT.try_with(|current| current.set(self.outer));
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_nested_computation_ends_before_its_outer_one() {
        let [outer, inner] = std::array::from_fn(|_| ComputationId::next());
        assert_eq!(current(), None);
        let entered = EnterGuard::new(outer);
        let nested = EnterGuard::new(inner);
        assert_eq!(current(), Some(inner));
        drop(nested);
        assert_eq!(current(), Some(outer));
        drop(entered);
        assert_eq!(current(), None);
    }
}
