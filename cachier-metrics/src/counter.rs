//! Counters with many readers, and one or many writers.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::sync::AtomicU64;

/// How many threads may write a counter concurrently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    /// One: a load and a store suffice, at a tenth of the cost.
    One,
    /// Any number of threads.
    Many,
}

/// A monotonic counter.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add(&self, n: u64, writers: Writers) {
        match writers {
            Writers::One => self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed),
            Writers::Many => {
                self.0.fetch_add(n, Relaxed);
            }
        }
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A monotonic sum that cannot overflow: a floating point number, exact up to 2^53.
#[derive(Debug, Default)]
pub(crate) struct Sum(AtomicU64);

impl Sum {
    /// Adds a value that stands for `weight` of its kind.
    #[inline]
    pub(crate) fn add(&self, value: u64, weight: u64, writers: Writers) {
        self.add_sum(float(value) * float(weight), writers);
    }

    /// Adds several values at once.
    #[inline]
    pub(crate) fn add_sum(&self, sum: f64, writers: Writers) {
        let plus = |bits| (f64::from_bits(bits) + sum).to_bits();
        match writers {
            Writers::One => self.0.store(plus(self.0.load(Relaxed)), Relaxed),
            Writers::Many => {
                let _ = self
                    .0
                    .fetch_update(Relaxed, Relaxed, |bits| Some(plus(bits)));
            }
        }
    }

    pub(crate) fn get(&self) -> u128 {
        f64::from_bits(self.0.load(Relaxed)) as u128
    }
}

/// A number as a floating point one, exact up to 2^53.
#[inline]
pub(crate) fn float(number: u64) -> f64 {
    /// More than any duration or size. Processors convert numbers up to this in one instruction.
    const MAX_VALUE: u64 = i64::MAX as u64;
    number.min(MAX_VALUE) as i64 as f64
}

/// The smallest and the largest value so far.
#[derive(Debug)]
pub(crate) struct Extremes {
    min: AtomicU64,
    max: AtomicU64,
}

impl Extremes {
    /// Adds the smallest and the largest of some values.
    #[inline]
    pub(crate) fn add(&self, (least, most): (u64, u64)) {
        let (min, max) = self.get();
        if least < min {
            self.min.fetch_min(least, Relaxed);
        }
        if most > max {
            self.max.fetch_max(most, Relaxed);
        }
    }

    /// (`u64::MAX`, 0) before the first value.
    #[inline]
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.min.load(Relaxed), self.max.load(Relaxed))
    }
}

impl Default for Extremes {
    fn default() -> Self {
        Self {
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
        }
    }
}

/// A count that goes up and down.
#[derive(Debug, Default)]
pub(crate) struct UpDownCounter(AtomicU64);

impl UpDownCounter {
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn down(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Holds one nonzero number, or nothing.
#[derive(Debug, Default)]
pub(crate) struct Slot(AtomicU64);

impl Slot {
    /// Stores a number, unless there is one.
    pub(crate) fn take(&self, number: u64) -> bool {
        self.get().is_none() && self.0.compare_exchange(0, number, AcqRel, Relaxed).is_ok()
    }

    pub(crate) fn free(&self) {
        self.0.store(0, Release);
    }

    pub(crate) fn get(&self) -> Option<u64> {
        Some(self.0.load(Acquire)).filter(|number| *number != 0)
    }
}
