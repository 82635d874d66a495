//! The lifetime of a function, and windows that reach back before this process.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::nanos;
use crate::metrics::CacheMetrics;
use crate::past::Past;
use crate::snapshot::Snapshot;
use crate::stats::{Lookups, Stats};
use crate::sync::{Mutex, lock};

/// The lifetime of a cache, where its figures are kept over restarts.
impl CacheMetrics {
    /// The figures over the lifetime of the cache: those of this process, and of all that have ended. `None` unless they are
    /// kept in a folder, `metrics_dir`, and that has been read.
    ///
    /// Its sizes and activity are those of now. Exported counters begin at zero with each process.
    #[must_use]
    pub fn lifetime(&self) -> Option<Stats> {
        self.lifetime_snapshot().map(|(all, _)| Stats::from(&all))
    }

    /// The same, mergeable, with when the first process began.
    pub(crate) fn lifetime_snapshot(&self) -> Option<(Snapshot, SystemTime)> {
        let past = self.past()?;
        let mut all = self.snapshot();
        all.merge(past.lifetime());
        let started = self.start_time().min(UNIX_EPOCH + past.started());
        all.covers = self
            .clock()
            .wall()
            .duration_since(started)
            .unwrap_or_default();
        Some((all, started))
    }

    /// Sets what other processes have counted, or sets it anew.
    #[doc(hidden)]
    pub fn set_past(&self, past: Past) {
        *lock(self.past_of_process()) = Some(Arc::new(past));
    }

    /// Adds what other processes counted in a window that begins before this one.
    pub(crate) fn add_past(&self, window: Duration, to: &mut Snapshot) {
        if let Some((past, moment)) = self.past_since(window) {
            past.add_since(moment, to);
        }
    }

    /// Their lookups.
    pub(crate) fn past_lookups(&self, window: Duration) -> Lookups {
        let past = self.past_since(window);
        past.map_or_else(Lookups::default, |(past, moment)| {
            past.lookups_since(moment)
        })
    }

    /// Windows begin anew, lifetimes go on.
    pub(crate) fn forget_past_windows(&self) {
        if let Some(past) = &mut *lock(self.past_of_process()) {
            Arc::make_mut(past).forget_steps();
        }
    }

    /// What there is before this process, if a window reaches there, and when that begins.
    fn past_since(&self, window: Duration) -> Option<(Arc<Past>, u64)> {
        let past = self.past()?;
        let begin = self.clock().wall().checked_sub(window)?;
        let is_before = begin < self.start_time();
        let begin = begin.duration_since(UNIX_EPOCH).unwrap_or_default();
        is_before.then(|| (past, nanos(begin)))
    }

    pub(crate) fn past(&self) -> Option<Arc<Past>> {
        lock(self.past_of_process()).clone()
    }

    /// A forked child begins without: its parent, which still counts, has it.
    fn past_of_process(&self) -> &Mutex<Option<Arc<Past>>> {
        self.past.get(|_| Mutex::default())
    }
}
