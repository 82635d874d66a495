//! Counters that many read, written by one thread alone or by many.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::sync::AtomicU64;

/// Who may write a counter at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    /// One thread: a load and a store do, at a tenth of the cost.
    One,
    /// Any number of threads.
    Many,
}

/// A number that only grows.
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

/// A sum that only grows and cannot overflow: a floating point number, exact up to 2^53.
#[derive(Debug, Default)]
pub(crate) struct Sum(AtomicU64);

impl Sum {
    /// Adds a value that stands for `weight` of its kind.
    #[inline]
    pub(crate) fn add(&self, value: u64, weight: u64, writers: Writers) {
        /// More than any duration or size. Processors convert up to here in one step.
        const MAX_VALUE: u64 = i64::MAX as u64;
        let float = |n: u64| n.min(MAX_VALUE) as i64 as f64;
        let weighted = float(value) * float(weight);
        let plus = |bits| (f64::from_bits(bits) + weighted).to_bits();
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

/// The smallest and the largest value so far.
#[derive(Debug)]
pub(crate) struct Extremes {
    min: AtomicU64,
    max: AtomicU64,
}

impl Extremes {
    #[inline]
    pub(crate) fn add(&self, value: u64, writers: Writers) {
        let (min, max) = self.get();
        match writers {
            // Without a branch, which nobody could predict for ages that grow.
            Writers::One => {
                self.min.store(min.min(value), Relaxed);
                self.max.store(max.max(value), Relaxed);
            }
            Writers::Many => {
                if value < min {
                    self.min.fetch_min(value, Relaxed);
                }
                if value > max {
                    self.max.fetch_max(value, Relaxed);
                }
            }
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

/// How many of something there are right now.
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

/// A place that holds one number other than zero, or nothing.
#[derive(Debug, Default)]
pub(crate) struct Slot(AtomicU64);

impl Slot {
    /// Puts a number in, unless the place is taken.
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
