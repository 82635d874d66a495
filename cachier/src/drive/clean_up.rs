//! Removing stale values in the background.

use cachier_metrics::RemovalCause;

use super::{Core, Flavour, Session};
use crate::background::{Crew, run_on_thread};
use crate::block_on::block_on;
use crate::storage::Tiers;

/// Starts the removal of stale entries in the background, when it is due.
pub(crate) fn clean_up<T: Tiers>(core: &'static Core<T>, session: &Session<'_>) {
    let function = &core.function;
    let policy = &session.policy;
    let (Some(interval), Some(age)) = (policy.cleanup_interval, policy.cleanup_age()) else {
        return;
    };
    if !function.cleanup_is_due(interval) {
        return;
    }
    let task = async move {
        let session = Session::unmeasured(function, Flavour::Sync);
        // A failure has been counted; the next clean-up comes after another interval.
        let removed = core.tiers.cleanup(&session, age).await.unwrap_or(0);
        if let Some(metrics) = function.metrics {
            metrics.removed(RemovalCause::Cleanup, removed);
        }
    };
    run_on_thread(function.world, Crew::Storage, || block_on(task));
}
