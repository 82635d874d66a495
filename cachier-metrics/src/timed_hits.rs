//! The timed hits of a function.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use once_cell::race::OnceBox;

use crate::counter::{Sum, Writers, float};
use crate::histogram::{LiveHistogram, SECONDS, Totals};
use crate::labels::Outcome;
use crate::snapshot::Snapshot;
use crate::sync::{AtomicBool, AtomicU64};

/// When a timed hit began and ended, and what is known of its value: monotonic nanoseconds.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct TimedHit {
    pub started: u64,
    pub ended: u64,
    /// When the value was computed.
    pub computed: u64,
    /// How long that took.
    pub compute: u64,
}

/// A timed hit, and how many hits it stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weighted {
    pub(crate) hit: TimedHit,
    pub(crate) weight: u64,
}

/// The figures of all threads' timed hits. Each thread adds many at once, to a part that no other one adds to meanwhile: so
/// there is one part, or a few where that is done all the time.
pub(crate) struct TimedHits {
    parts: [OnceBox<Part>; MAX_PARTS],
    /// The figures of threads that find no part free, or whose thread-locals are already destroyed.
    shared: OnceBox<Figures>,
}

const MAX_PARTS: usize = if cfg!(shuttle) { 1 } else { 8 };

/// In a child process, a part may stay taken by a thread that does not exist.
struct Part {
    is_taken: AtomicBool,
    figures: Figures,
}

/// The figures of timed hits, 12 KB.
struct Figures {
    time_saved: Sum,
    latency: LiveHistogram,
    age: LiveHistogram,
}

/// The figures of timed hits at a moment.
#[derive(Default)]
pub(crate) struct TimedTotals {
    time_saved: u128,
    latency: Totals,
    age: Totals,
}

impl TimedHit {
    pub(crate) fn latency(&self) -> u64 {
        self.ended.saturating_sub(self.started)
    }
}

impl TimedHits {
    pub(crate) const fn new() -> Self {
        Self {
            parts: [const { OnceBox::new() }; MAX_PARTS],
            shared: OnceBox::new(),
        }
    }

    /// Adds the hits of a thread, which begins with the part that was free last time.
    pub(crate) fn add(&self, hits: &[Weighted], part: &AtomicU64) {
        let last = part.load(Relaxed) as usize;
        for number in (last..MAX_PARTS).chain(0..last) {
            let free = self.parts[number].get_or_init(Box::<Part>::default);
            if free.add(hits) {
                part.store(number as u64, Relaxed);
                return;
            }
        }
        self.add_shared(hits);
    }

    /// Adds hits while any number of threads do so.
    pub(crate) fn add_shared(&self, hits: &[Weighted]) {
        let shared = self.shared.get_or_init(Box::<Figures>::default);
        shared.add(hits, Writers::Many);
    }

    /// All that was added.
    pub(crate) fn read(&self) -> TimedTotals {
        let mut totals = TimedTotals::default();
        let parts = self.parts.iter().filter_map(OnceBox::get);
        parts.for_each(|part| totals.add(&part.figures));
        if let Some(shared) = self.shared.get() {
            totals.add(shared);
        }
        totals
    }

    /// Increases with what is added by [`add_shared`](Self::add_shared).
    pub(crate) fn shared_activity(&self) -> u64 {
        self.shared.get().map_or(0, |shared| shared.age.samples())
    }
}

impl Part {
    /// Adds hits, unless another thread is adding its own.
    fn add(&self, hits: &[Weighted]) -> bool {
        let is_free = self
            .is_taken
            .compare_exchange(false, true, Acquire, Relaxed)
            .is_ok();
        if is_free {
            self.figures.add(hits, Writers::One);
            self.is_taken.store(false, Release);
        }
        is_free
    }
}

impl Figures {
    /// Inlined, so that it is compiled for one writer and for many separately.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn add(&self, hits: &[Weighted], writers: Writers) {
        let all = |of: fn(&TimedHit) -> u64| hits.iter().map(move |one| (of(&one.hit), one.weight));
        let latencies = all(TimedHit::latency);
        let ages = all(|hit| hit.ended.saturating_sub(hit.computed));
        let saved = all(|hit| hit.compute.saturating_sub(hit.latency()));
        let saved = saved.map(|(saved, weight)| float(saved) * float(weight));
        self.time_saved.add_sum(saved.sum(), writers);
        self.latency.record_all(latencies, writers);
        self.age.record_all(ages, writers);
    }
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            time_saved: Sum::default(),
            latency: LiveHistogram::new(&SECONDS),
            age: LiveHistogram::new(&SECONDS),
        }
    }
}

impl Default for Part {
    fn default() -> Self {
        Self {
            is_taken: AtomicBool::new(false),
            figures: Figures::default(),
        }
    }
}

impl TimedTotals {
    /// Adds hits that are waiting to be added.
    pub(crate) fn add_waiting(&mut self, hits: &[Weighted]) {
        if !hits.is_empty() {
            let figures = Box::<Figures>::default();
            figures.add(hits, Writers::One);
            self.add(&figures);
        }
    }

    pub(crate) fn add_to(self, snapshot: &mut Snapshot) {
        snapshot.time_saved = snapshot.time_saved.map(|saved| saved + self.time_saved);
        snapshot.call_duration[Outcome::Hit].merge(&self.latency.finish(&SECONDS));
        snapshot.entry_age.merge(&self.age.finish(&SECONDS));
    }

    fn add(&mut self, figures: &Figures) {
        self.time_saved += figures.time_saved.get();
        self.latency.add(&figures.latency);
        self.age.add(&figures.age);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn hits_that_find_no_part_free_are_shared() {
        let timed = TimedHits::new();
        for part in &timed.parts {
            let part = part.get_or_init(Box::<Part>::default);
            part.is_taken.store(true, Relaxed);
        }
        let hit = TimedHit {
            started: 0,
            ended: 10,
            computed: 0,
            compute: 100,
        };
        timed.add(&[Weighted { hit, weight: 3 }], &AtomicU64::new(0));
        assert_eq!(timed.shared_activity(), 1);
    }
}
