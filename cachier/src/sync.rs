//! The synchronisation that single flight is built on: std's, or a model checker's with `--cfg shuttle`.

#[cfg(not(shuttle))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard};

/// Locks, also when another thread panicked while it held the lock.
///
/// Of the user's code only `Hash` and `Eq` of keys runs under a lock, and each critical section leaves its data whole at
/// every step, so that a poisoned lock says nothing.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
