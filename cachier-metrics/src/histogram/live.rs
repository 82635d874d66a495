//! Histograms being recorded.

use once_cell::race::OnceBox;

use super::counts::{Bucket, Histogram};
use super::scale::{SLOTS, Scale};
use crate::counter::{Counter, Extremes, Sum, Writers, float};

/// A histogram in atomic cells, 6 KB. Recording neither locks nor allocates.
#[derive(Debug)]
pub(crate) struct LiveHistogram {
    scale: &'static Scale,
    samples: Counter,
    sum: Sum,
    excess: Counter,
    extremes: Extremes,
    slots: [Counter; SLOTS],
}

impl LiveHistogram {
    pub(crate) fn new(scale: &'static Scale) -> Self {
        Self {
            scale,
            samples: Counter::default(),
            sum: Sum::default(),
            excess: Counter::default(),
            extremes: Extremes::default(),
            slots: std::array::from_fn(|_| Counter::default()),
        }
    }

    /// Adds an observation that stands for `weight` of them.
    pub(crate) fn record(&self, value: u64, weight: u64, writers: Writers) {
        self.record_all([(value, weight)].into_iter(), writers);
    }

    /// Adds observations with their weights.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn record_all(&self, weighted: impl Iterator<Item = (u64, u64)>, writers: Writers) {
        let (mut least, mut most) = (u64::MAX, 0);
        let (mut sum, mut excess, mut samples) = (0.0, 0, 0);
        for (value, weight) in weighted {
            (least, most) = (value.min(least), value.max(most));
            sum += float(value) * float(weight);
            excess += weight * (weight - 1);
            samples += 1;
            self.slots[self.scale.slot(value)].add(weight, writers);
        }
        self.extremes.add((least, most));
        self.sum.add_sum(sum, writers);
        if excess > 0 {
            self.excess.add(excess, writers);
        }
        self.samples.add(samples, writers);
    }

    /// The number of recorded observations, regardless of weight; increases with every change.
    pub(crate) fn samples(&self) -> u64 {
        self.samples.get()
    }

    /// A copy of the current state.
    pub(crate) fn read(&self) -> Histogram {
        let mut totals = Totals::default();
        totals.add(self);
        totals.finish(self.scale)
    }
}

/// A shared histogram, allocated with its first observation.
#[derive(Debug)]
pub(crate) struct LazyHistogram {
    scale: &'static Scale,
    live: OnceBox<LiveHistogram>,
}

impl LazyHistogram {
    pub(crate) const fn new(scale: &'static Scale) -> Self {
        Self {
            scale,
            live: OnceBox::new(),
        }
    }

    pub(crate) fn record(&self, value: u64, weight: u64) {
        let live = self
            .live
            .get_or_init(|| Box::new(LiveHistogram::new(self.scale)));
        live.record(value, weight, Writers::Many);
    }

    pub(crate) fn samples(&self) -> u64 {
        self.live.get().map_or(0, |live| live.samples())
    }

    pub(crate) fn read(&self) -> Histogram {
        self.live
            .get()
            .map_or_else(Histogram::default, |live| live.read())
    }
}

/// The sum of live histograms of one scale.
pub(crate) struct Totals {
    histogram: Histogram,
    slots: [u64; SLOTS],
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            histogram: Histogram::default(),
            slots: [0; SLOTS],
        }
    }
}

impl Totals {
    pub(crate) fn add(&mut self, live: &LiveHistogram) {
        let (min, max) = live.extremes.get();
        let total = &mut self.histogram;
        total.min = total.min.min(min);
        total.max = total.max.max(max);
        total.samples += live.samples.get();
        total.sum += live.sum.get();
        total.excess += u128::from(live.excess.get());
        for (slot, count) in self.slots.iter_mut().zip(&live.slots) {
            *slot += count.get();
        }
    }

    pub(crate) fn finish(mut self, scale: &Scale) -> Histogram {
        let used = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        let buckets = used.map(|(slot, count)| Bucket {
            index: scale.index(slot),
            count: *count,
        });
        self.histogram.buckets = buckets.collect();
        self.histogram
    }
}
