//! Waiting for conditions.

use cachier::CacheMetrics;
pub use cachier_servers::wait::{WAIT_TIMEOUT, until};

/// Waits until this many calls of the function wait for another's computation.
///
/// # Panics
/// When that does not happen within [`WAIT_TIMEOUT`].
#[track_caller]
pub fn until_waiting(metrics: &CacheMetrics, calls: u64) {
    until("the other callers wait", || {
        metrics.snapshot().activity.waiting_calls == calls
    });
}
