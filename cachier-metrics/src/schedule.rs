//! Which call of a row is timed next.

use std::sync::atomic::Ordering::Relaxed;

use crate::sampling::{Sampled, Strata, next_draw, place};
use crate::sync::AtomicU64;

/// The current stratum of a row of calls, and its timed call. Written by one thread; calls are numbered by their counter.
#[repr(C)]
pub(crate) struct Schedule {
    /// The number of the next timed call.
    next: AtomicU64,
    /// The number of the first call behind its stratum.
    end: AtomicU64,
    length: AtomicU64,
    draw: AtomicU64,
    /// When a call was timed last, in nanoseconds.
    last: AtomicU64,
    strata: Strata,
}

impl Schedule {
    pub(crate) fn new(strata: Strata, seed: u64) -> Self {
        let draw = next_draw(seed);
        // The same as after a long time without a call.
        let length = strata.next_length(draw, 1, u64::MAX);
        let next = match strata {
            Strata::None => u64::MAX,
            _ => place(draw, length),
        };
        Self {
            next: AtomicU64::new(next),
            end: AtomicU64::new(length),
            length: AtomicU64::new(length),
            draw: AtomicU64::new(draw),
            last: AtomicU64::new(0),
            strata,
        }
    }

    /// Whether the call of this number is timed.
    #[inline]
    pub(crate) fn is_due(&self, number: u64) -> bool {
        number >= self.next.load(Relaxed)
    }

    /// Takes the timed call, which ended `now`, and draws the next one.
    #[inline]
    pub(crate) fn advance(&self, now: u64) -> Sampled {
        match self.strata {
            Strata::Single => Sampled::ONE,
            _ => self.draw_next(now),
        }
    }

    #[inline(never)]
    fn draw_next(&self, now: u64) -> Sampled {
        let gap = now.saturating_sub(self.last.load(Relaxed));
        let (length, end) = (self.length.load(Relaxed), self.end.load(Relaxed));
        let draw = next_draw(self.draw.load(Relaxed));
        let next_length = self.strata.next_length(draw, length, gap);
        let next = end.saturating_add(place(draw, next_length));
        self.next.store(next, Relaxed);
        self.end.store(end.saturating_add(next_length), Relaxed);
        self.length.store(next_length, Relaxed);
        self.draw.store(draw, Relaxed);
        self.last.store(now, Relaxed);
        Sampled::of(length)
    }
}
