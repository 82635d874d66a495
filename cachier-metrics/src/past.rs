//! What earlier processes counted for a function. Pure.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::nanos;
use crate::labelled::Labelled;
use crate::per_process::PerProcess;
use crate::snapshot::Snapshot;
use crate::stats::Lookups;
use crate::sync::{Mutex, MutexGuard, lock};

/// What other processes, which have ended, counted for a function.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// All of it.
    lifetime: Snapshot,
    /// When the first of them began, in nanoseconds since 1970; `u64::MAX` without any.
    started: u64,
    /// What was counted when, on the last day.
    steps: Vec<PastStep>,
}

#[derive(Clone, Debug, PartialEq)]
struct PastStep {
    /// When it ended, in nanoseconds since 1970, and how much of the time before is covered.
    to: u64,
    covered: u64,
    counted: Option<Arc<Snapshot>>,
}

impl Past {
    /// What was counted in all, by processes of which the first began at `started`, in nanoseconds since 1970.
    #[must_use]
    pub fn new(lifetime: Snapshot, started: u64) -> Self {
        Self {
            lifetime,
            started,
            steps: Vec::new(),
        }
    }

    /// What was counted up to a moment, in nanoseconds since 1970, and how many of them before it are covered.
    pub fn add_step(&mut self, to: u64, covered: u64, counted: Option<&Snapshot>) {
        self.steps.push(PastStep {
            to,
            covered,
            counted: counted.map(|counted| Arc::new(counted.clone())),
        });
    }

    pub(crate) fn lifetime(&self) -> &Snapshot {
        &self.lifetime
    }

    /// Since 1970.
    pub(crate) fn started(&self) -> Duration {
        Duration::from_nanos(self.started)
    }

    /// Adds what was counted after a moment, with how much of the time since is covered.
    pub(crate) fn add_since(&self, moment: u64, to: &mut Snapshot) {
        for step in self.steps.iter().filter(|step| step.to > moment) {
            if let Some(counted) = &step.counted {
                let covers = to.covers;
                to.merge(counted);
                to.covers = covers;
            }
            to.covers += Duration::from_nanos(step.covered);
        }
    }

    /// The lookups of the same time.
    pub(crate) fn lookups_since(&self, moment: u64) -> Lookups {
        let steps = self.steps.iter().filter(|step| step.to > moment);
        let counted = steps.filter_map(|step| step.counted.as_deref());
        let nothing = Labelled::default();
        counted
            .map(|counted| Lookups::since(&counted.calls, &nothing))
            .sum()
    }
}

/// What a process knows of earlier ones, once it has read that. A forked child begins without: its parent, which still
/// counts, has it.
pub(crate) struct KnownPast(PerProcess<Mutex<Option<Arc<Past>>>>);

impl KnownPast {
    pub(crate) const fn new() -> Self {
        Self(PerProcess::new())
    }

    pub(crate) fn get(&self) -> Option<Arc<Past>> {
        self.lock().clone()
    }

    pub(crate) fn set(&self, past: Past) {
        *self.lock() = Some(Arc::new(past));
    }

    /// Windows begin anew, lifetimes go on.
    pub(crate) fn forget_steps(&self) {
        if let Some(past) = &mut *self.lock() {
            Arc::make_mut(past).steps.clear();
        }
    }

    /// What there is before a process that began at `start`, if a window reaches there, and when that begins.
    pub(crate) fn before(
        &self,
        start: SystemTime,
        window: Option<SystemTime>,
    ) -> Option<(Arc<Past>, u64)> {
        let begin = window.filter(|begin| *begin < start)?;
        let begin = begin.duration_since(UNIX_EPOCH).unwrap_or_default();
        Some((self.get()?, nanos(begin)))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Past>>> {
        lock(self.0.get(|_| Mutex::default()))
    }
}
