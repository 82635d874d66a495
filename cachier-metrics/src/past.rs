//! What earlier processes counted for a function. Pure.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::nanos;
use crate::labelled::Labelled;
use crate::packed::Packed;
use crate::per_process::PerProcess;
use crate::snapshot::Snapshot;
use crate::stats::Lookups;
use crate::sync::{Mutex, MutexGuard, lock};

/// What other processes, which have ended, counted for a function.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// All counts.
    lifetime: Snapshot,
    /// When the first of them began, in nanoseconds since 1970; `u64::MAX` without any.
    started: u64,
    /// What was counted when, on the last day.
    steps: Vec<PastStep>,
    /// Steps that began before this are ignored, in nanoseconds since 1970; 0 for none.
    forgotten: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct PastStep {
    /// When it ended, in nanoseconds since 1970, and how much of the time before is covered.
    to: u64,
    covered: u64,
    counted: Option<Packed>,
    lookups: Lookups,
}

impl Past {
    /// What was counted in all, by processes of which the first began at `started`, in nanoseconds since 1970.
    #[must_use]
    pub fn new(lifetime: Snapshot, started: u64) -> Self {
        Self {
            lifetime,
            started,
            steps: Vec::new(),
            forgotten: 0,
        }
    }

    /// Removes counts up to a moment from windows, including a step that spans it.
    pub fn forget_until(&mut self, moment: u64) {
        self.forgotten = self.forgotten.max(moment);
    }

    /// What was counted up to a moment, in nanoseconds since 1970, and how many of them before it are covered.
    pub fn add_step(&mut self, to: u64, covered: u64, counted: Option<Packed>) {
        let mut alone = Snapshot::default();
        counted
            .iter()
            .for_each(|counted| counted.add_to(&mut alone));
        self.steps.push(PastStep {
            to,
            covered,
            lookups: Lookups::since(&alone.calls, &Labelled::default()),
            counted,
        });
    }

    pub(crate) fn lifetime(&self) -> &Snapshot {
        &self.lifetime
    }

    /// When the first process began, since 1970.
    pub(crate) fn started(&self) -> Duration {
        Duration::from_nanos(self.started)
    }

    /// Adds what was counted in this time, and how much of it is covered. The time of concurrent processes counts once.
    pub(crate) fn add_within(&self, time: &Range<u64>, to: &mut Snapshot) {
        let (mut covered, saved) = (0_u64, to.time_saved);
        for step in self.steps_within(time) {
            if let Some(counted) = &step.counted {
                counted.add_to(to);
            }
            covered = covered.saturating_add(step.covered);
        }
        // Without timed calls it stays unknown.
        to.time_saved = to.time_saved.filter(|all| saved.is_some() || *all > 0);
        to.covers += Duration::from_nanos(covered.min(time.end - time.start));
    }

    /// The lookups of the same time.
    pub(crate) fn lookups_within(&self, time: &Range<u64>) -> Lookups {
        self.steps_within(time).map(|step| step.lookups).sum()
    }

    fn steps_within(&self, time: &Range<u64>) -> impl Iterator<Item = &PastStep> {
        let (start, end) = (time.start.max(self.forgotten), time.end);
        let steps = self.steps.iter();
        steps.filter(move |step| {
            let begun = step.to.saturating_sub(step.covered);
            start < step.to && step.to <= end && self.forgotten <= begun
        })
    }
}

/// What a process knows of earlier ones, once it has read that. A forked child begins without: its parent, which still
/// counts, has it.
pub(crate) struct KnownPast(PerProcess<Mutex<Known>>);

#[derive(Default)]
struct Known {
    past: Option<Arc<Past>>,
    /// When windows were last reset, in nanoseconds since 1970; 0 if never.
    forgotten: u64,
}

impl KnownPast {
    pub(crate) const fn new() -> Self {
        Self(PerProcess::new())
    }

    pub(crate) fn get(&self) -> Option<Arc<Past>> {
        self.lock().past.clone()
    }

    pub(crate) fn set(&self, mut past: Past) {
        let mut known = self.lock();
        past.forget_until(known.forgotten);
        known.past = Some(Arc::new(past));
    }

    /// Resets windows at this moment; lifetimes go on. Later processes do the same.
    pub(crate) fn forget_until(&self, moment: SystemTime) {
        let moment = nanos(moment.duration_since(UNIX_EPOCH).unwrap_or_default());
        let mut known = self.lock();
        known.forgotten = moment;
        if let Some(past) = &mut known.past {
            Arc::make_mut(past).forget_until(moment);
        }
    }

    /// When windows were last reset, in nanoseconds since 1970; 0 if never (for the next process).
    pub(crate) fn forgotten(&self) -> u64 {
        self.lock().forgotten
    }

    /// What there is before a process that began at `start`, if a window reaches there, and from when until when: of other
    /// processes that ran beside this one nothing more, as what it counts itself would not be all of that time.
    pub(crate) fn before(
        &self,
        start: SystemTime,
        window: Option<SystemTime>,
    ) -> Option<(Arc<Past>, Range<u64>)> {
        let begin = window.filter(|begin| *begin < start)?;
        let [begin, end] = [begin, start]
            .map(|moment| nanos(moment.duration_since(UNIX_EPOCH).unwrap_or_default()));
        Some((self.get()?, begin..end))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        lock(self.0.get(|_| Mutex::default()))
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn processes_side_by_side_cover_time_once() {
        let mut past = Past::new(Snapshot::default(), 0);
        for to in [10, 10, 30] {
            past.add_step(to, 10, None);
        }
        let mut all = Snapshot::default();
        past.add_within(&(0..15), &mut all);
        assert_eq!(all.covers, Duration::from_nanos(15));
    }
}
