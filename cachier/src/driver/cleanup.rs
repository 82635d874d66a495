//! Removes entries in the background: stale ones, and those of unknown origin.

use cachier_metrics::RemovalCause;

use super::core::Core;
use super::publish::{count_removed, remove};
use crate::background::{WorkerPool, run_on_thread, run_on_thread_if_any};
use crate::block_on::block_on;
use crate::call::CallMode;
use crate::options::Policy;
use crate::session::Session;
use crate::storage::Store;

/// Starts the removal of stale entries, if it is due.
pub(crate) fn start_cleanup<T: Store>(core: &'static Core<T>, policy: &Policy) {
    let function = &core.function;
    let (Some(interval), Some(age)) = (policy.cleanup_interval, policy.cleanup_age()) else {
        return;
    };
    if !function.cleanup_is_due(interval) {
        return;
    }
    let task = async move {
        let session = Session::unmeasured(function, CallMode::Sync);
        // The failure has been counted; the next clean-up comes after another interval.
        let removed = core.store.cleanup(&session, age).await.unwrap_or(0);
        if let Some(metrics) = function.metrics {
            metrics.removed(RemovalCause::Cleanup, removed);
        }
    };
    run_on_thread(function.context, WorkerPool::Storage, || block_on(task));
}

/// Removes an entry, and keeps running computations of its key from being stored.
pub(crate) fn remove_in_background<T: Store>(core: &'static Core<T>, key: T::Key) {
    core.flights.forget(&key);
    let function = &core.function;
    let task = async move {
        let session = Session::in_background(function, CallMode::Sync);
        let removed = remove(core, &session, &key).await;
        count_removed(function, removed.unwrap_or(false));
    };
    // Without a thread the entry stays: this process does not read it.
    let _ = run_on_thread_if_any(function.context, WorkerPool::Storage, || block_on(task));
}
