//! When removed values are dropped.

use super::sync::Guard;

/// An epoch ends each time reclamation is urged on, unless a lookup in another thread is under way;
/// what was removed is freed after three.
const EPOCHS: usize = 4;

/// While it lives, no store drops a removed value in this thread.
///
/// Calls to a store may drop values that were removed earlier, and so run foreign code. Who calls a
/// store under a lock of its own takes this first and lets go of it last:
///
/// ```
/// # use cachier_backends::memory::{Bounds, DeferDrops, MemoryStore};
/// # use std::sync::Mutex;
/// # let store: MemoryStore<u32, String> = MemoryStore::new(Bounds::default());
/// # let mutex = Mutex::new(());
/// let deferred = DeferDrops::new();
/// let lock = mutex.lock();
/// store.remove(&1);
/// drop(lock);
/// drop(deferred);
/// ```
///
/// Nothing that any store removes meanwhile, in any thread, is freed before it goes: keep it short.
#[must_use]
pub struct DeferDrops {
    _guard: Guard,
}

impl DeferDrops {
    /// Drops what is due, and nothing from now on.
    pub fn new() -> Self {
        Self {
            _guard: pin(),
        }
    }
}

impl Default for DeferDrops {
    fn default() -> Self {
        Self::new()
    }
}

/// A new guard. Hits take theirs themselves; for other operations the code is not worth a copy in
/// each.
#[inline(never)]
pub(super) fn pin() -> Guard {
    Guard::new()
}

/// Ends the guard, and has what was removed under it dropped soon.
pub(super) fn reclaim(guard: Guard) {
    drop(guard);
    for _ in 0..EPOCHS {
        let guard = pin();
        if !guard.has_garbage() {
            break;
        }
        guard.accelerate();
    }
}
