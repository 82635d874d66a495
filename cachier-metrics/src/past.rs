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
    /// From when until when, in nanoseconds since 1970, and how much of that is covered.
    from: u64,
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

    /// Room for so many steps, and for no more.
    pub fn reserve(&mut self, steps: usize) {
        self.steps.reserve_exact(steps);
    }

    /// What was counted from one moment to another, in nanoseconds since 1970, and how many of them between are covered.
    pub fn add_step(&mut self, (from, to): (u64, u64), covered: u64, counted: Option<Packed>) {
        let mut alone = Snapshot::default();
        counted
            .iter()
            .for_each(|counted| counted.add_to(&mut alone));
        self.steps.push(PastStep {
            from,
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

    /// Adds what was counted in this time, by whole steps, and how much of them is covered. The time of concurrent processes
    /// counts once.
    pub(crate) fn add_within(&self, time: &Range<u64>, to: &mut Snapshot) {
        let (mut spans, saved) = (Vec::new(), to.time_saved);
        for step in self.steps_within(time) {
            if let Some(counted) = &step.counted {
                counted.add_to(to);
            }
            spans.push((step.from, step.to, step.covered));
        }
        // Without timed calls it stays unknown.
        to.time_saved = to.time_saved.filter(|all| saved.is_some() || *all > 0);
        to.covers += Duration::from_nanos(union(spans));
    }

    /// The lookups of the same time.
    pub(crate) fn lookups_within(&self, time: &Range<u64>) -> Lookups {
        self.steps_within(time).map(|step| step.lookups).sum()
    }

    fn steps_within(&self, time: &Range<u64>) -> impl Iterator<Item = &PastStep> {
        let (start, end) = (time.start.max(self.forgotten), time.end);
        let steps = self.steps.iter();
        steps.filter(move |step| start < step.to && step.to <= end && self.forgotten <= step.from)
    }
}

/// The time that steps cover together: of those that overlap no more than from the first moment to the last one.
fn union(mut steps: Vec<(u64, u64, u64)>) -> u64 {
    steps.sort_unstable();
    let (mut all, mut begin, mut end, mut covered) = (0_u64, 0_u64, 0_u64, 0_u64);
    for (from, to, of_step) in steps {
        if from >= end {
            all = all.saturating_add(covered.min(end - begin));
            (begin, end, covered) = (from, from, 0);
        }
        end = end.max(to);
        covered = covered.saturating_add(of_step);
    }
    all.saturating_add(covered.min(end - begin))
}

/// The life of this process so far: when it began and what time it is, by the clock on the wall, and how long it lived.
#[derive(Clone, Copy)]
pub(crate) struct Life {
    pub(crate) begun: SystemTime,
    pub(crate) now: SystemTime,
    pub(crate) lived: Duration,
}

impl Life {
    /// When it began, by the clock of now, which may have been set back since.
    fn start(self) -> SystemTime {
        let back = self.now.checked_sub(self.lived);
        back.map_or(self.begun, |start| start.min(self.begun))
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
        known.forgotten = known.forgotten.max(moment);
        if let Some(past) = &mut known.past {
            Arc::make_mut(past).forget_until(moment);
        }
    }

    /// When windows were last reset, in nanoseconds since 1970; 0 if never (for the next process).
    pub(crate) fn forgotten(&self) -> u64 {
        self.lock().forgotten
    }

    /// What there is before this process, if a window reaches there, and from when until when: of other processes that ran
    /// beside this one nothing more, as what it counts itself would not be all of that time.
    pub(crate) fn before(&self, life: Life, window: Duration) -> Option<(Arc<Past>, Range<u64>)> {
        let [begin, end] = [
            life.now.checked_sub(window).unwrap_or(UNIX_EPOCH),
            life.start(),
        ]
        .map(|moment| nanos(moment.duration_since(UNIX_EPOCH).unwrap_or_default()));
        (begin < end).then_some((self.get()?, begin..end))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        lock(self.0.get(|_| Mutex::default()))
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::labels::Outcome;

    #[test]
    fn processes_side_by_side_cover_time_once() {
        assert_eq!(
            covered(&[(0, 10, 10), (0, 10, 10), (20, 30, 10)], 0..15),
            10
        );
        // Each has the last and the first half minute of two that write by turns.
        let overlapping = [(5, 97, 92), (65, 157, 92), (125, 217, 92)];
        assert_eq!(covered(&overlapping, 0..300), 212);
        // A forged step, which ends before it begins.
        assert_eq!(covered(&[(9, 3, 5), (u64::MAX, 4, u64::MAX)], 0..10), 0);
    }

    /// What a window covers of steps.
    fn covered(steps: &[(u64, u64, u64)], window: Range<u64>) -> u64 {
        let mut past = Past::new(Snapshot::default(), 0);
        for (from, to, covered) in steps {
            past.add_step((*from, *to), *covered, None);
        }
        let mut all = Snapshot::default();
        past.add_within(&window, &mut all);
        u64::try_from(all.covers.as_nanos()).unwrap_or(u64::MAX)
    }

    #[test]
    fn clocks_set_back_bring_no_more_past() {
        let known = KnownPast::new();
        known.set(Past::default());
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let before = |begun: u64, now: u64, lived: u64, window: Duration| {
            let [begun, now] = [begun, now].map(|count| UNIX_EPOCH + minutes(count));
            let lived = minutes(lived);
            let (_, time) = known.before(Life { begun, now, lived }, window)?;
            let minute = nanos(minutes(1));
            Some((time.start / minute, time.end / minute))
        };
        assert_eq!(before(100, 105, 5, minutes(1)), None);
        assert_eq!(before(100, 105, 5, minutes(10)), Some((95, 100)));
        // It began an hour fast, and was set back.
        assert_eq!(before(160, 105, 5, minutes(1)), None);
        assert_eq!(before(160, 105, 5, minutes(10)), Some((95, 100)));
        // It was set forward.
        assert_eq!(before(100, 165, 5, minutes(10)), None);
        assert_eq!(before(100, 105, 5, Duration::MAX), Some((0, 100)));
        assert_eq!(
            before(100, 105, u64::MAX / 60, minutes(10)),
            Some((95, 100))
        );
    }

    /// One process counted in the first minutes of an hour, another one in the last ones.
    #[test]
    fn a_step_across_a_reset_is_forgotten() {
        let mut counted = Snapshot::default();
        counted.calls[Outcome::Hit] = 3;
        let mut past = Past::new(Snapshot::default(), 0);
        past.add_step((0, 60), 20, Some(Packed::of(&counted)));
        past.forget_until(30);
        let mut all = Snapshot::default();
        past.add_within(&(0..60), &mut all);
        assert_eq!((all.calls[Outcome::Hit], all.covers), (0, Duration::ZERO));
    }
}
