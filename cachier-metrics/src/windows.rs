//! Which old snapshots are kept, so that any window up to a day can be read as a difference. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::snapshot::Snapshot;

/// Cumulative snapshots, dense for the last half minute and ever sparser for older times.
///
/// A snapshot's level says how round its second is: between it and the one before lies a multiple of 2^level. It is
/// kept for 32 · 2^level seconds. Hence a window of any length up to a day begins at most a sixteenth of that length
/// (or a second, if that is more) too early.
pub(crate) struct Windows {
    /// The state at the beginning, where nothing newer reaches back far enough.
    start: Kept,
    recent: VecDeque<Kept>,
}

/// A cumulative snapshot and when it was taken, in nanoseconds.
pub(crate) struct Kept {
    pub(crate) at: u64,
    pub(crate) snapshot: Arc<Snapshot>,
    level: u32,
}

const SECOND: u64 = 1_000_000_000;
const KEPT_PER_LEVEL: u64 = 32;
/// At this level snapshots live for 36 hours: none need live longer.
const TOP_LEVEL: u32 = 12;

impl Windows {
    /// Begins to count at `at` with the state of then.
    pub(crate) fn starting(at: u64, snapshot: Arc<Snapshot>) -> Self {
        Self {
            start: Kept {
                at,
                snapshot,
                level: TOP_LEVEL,
            },
            recent: VecDeque::new(),
        }
    }

    /// Keeps the state of now, unless one of the same second is kept already.
    pub(crate) fn push(&mut self, at: u64, snapshot: &Arc<Snapshot>) {
        let newest = self.recent.back().unwrap_or(&self.start).at;
        let (second, before) = (at / SECOND, newest / SECOND);
        if second <= before {
            return;
        }
        let level = (second ^ before).ilog2().min(TOP_LEVEL);
        self.recent.push_back(Kept {
            at,
            snapshot: Arc::clone(snapshot),
            level,
        });
        self.recent
            .retain(|kept| second - kept.at / SECOND < KEPT_PER_LEVEL << kept.level);
    }

    /// The newest kept state that is at least as old as `at`; the start where there is none.
    pub(crate) fn before(&self, at: u64) -> &Kept {
        let older = self.recent.partition_point(|kept| kept.at <= at);
        older
            .checked_sub(1)
            .and_then(|place| self.recent.get(place))
            .unwrap_or(&self.start)
    }

    /// The state at the beginning.
    pub(crate) fn start(&self) -> &Kept {
        &self.start
    }
}
