//! The lifetime of a function.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use crate::metrics::CacheMetrics;
use crate::past::Past;
use crate::snapshot::Snapshot;
use crate::stats::Stats;

/// The lifetime of a cache, where its figures are kept over restarts.
impl CacheMetrics {
    /// The figures over the lifetime of the cache: those of this process, and of all that have ended. `None` unless they are
    /// kept in a folder, `metrics_dir`, and that has been read.
    ///
    /// Its sizes and activity are those of now. Exported counters begin at zero with each process.
    #[must_use]
    pub fn lifetime(&self) -> Option<Stats> {
        self.lifetime_snapshot().map(|all| Stats::from(&all))
    }

    /// The same, mergeable.
    fn lifetime_snapshot(&self) -> Option<Snapshot> {
        let past = self.past()?;
        let mut all = self.snapshot();
        all.merge(past.lifetime());
        let started = self.start_time().min(UNIX_EPOCH + past.started());
        all.covers = self
            .clock()
            .wall()
            .duration_since(started)
            .unwrap_or_default();
        Some(all)
    }

    /// Sets or replaces what other processes have counted.
    #[doc(hidden)]
    pub fn set_past(&self, past: Past) {
        self.past.set(past);
    }

    pub(crate) fn past(&self) -> Option<Arc<Past>> {
        self.past.get()
    }
}
