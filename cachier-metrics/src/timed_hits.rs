//! The timed hits of one thread.

use crate::counter::{Sum, Writers};
use crate::histogram::{LiveHistogram, SECONDS};

/// What the timed hits of a thread show, 12 KB: given back when the thread ends, and its counts passed on.
pub(crate) struct TimedHits {
    pub(crate) time_saved: Sum,
    pub(crate) latency: LiveHistogram,
    pub(crate) age: LiveHistogram,
}

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

impl TimedHits {
    pub(crate) fn new() -> Self {
        Self {
            time_saved: Sum::default(),
            latency: LiveHistogram::new(&SECONDS),
            age: LiveHistogram::new(&SECONDS),
        }
    }

    /// Records a hit that stands for `weight` of them. Inlined, so that it is compiled for one writer and for many
    /// separately.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn record(&self, hit: TimedHit, weight: u64, writers: Writers) {
        let latency = hit.ended.saturating_sub(hit.started);
        self.latency.record(latency, weight, writers);
        let age = hit.ended.saturating_sub(hit.computed);
        self.age.record(age, weight, writers);
        if let Some(saved) = hit.compute.checked_sub(latency) {
            self.time_saved.add(saved, weight, writers);
        }
    }

    /// Adds the hits of a thread that has ended. By one thread at a time.
    pub(crate) fn absorb(&self, ended: &Self) {
        self.latency.absorb(&ended.latency);
        self.age.absorb(&ended.age);
        self.time_saved.absorb(&ended.time_saved);
    }

    /// Increases with every change.
    pub(crate) fn activity(&self) -> u64 {
        self.latency.samples().wrapping_add(self.age.samples())
    }
}
