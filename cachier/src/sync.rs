//! Synchronisation of single flight: std's, or shuttle's with `--cfg shuttle`.

#[cfg(not(shuttle))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, atomic::AtomicBool};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard, atomic::AtomicBool};

/// Locks, ignoring poison.
///
/// The only user code under a lock is `Hash` and `Eq` of keys, and each critical section leaves its data whole at
/// every step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
