//! Which values at hand a call is served.

use std::sync::atomic::{AtomicU64, Ordering};

/// Whether calls consult the cache, and up to which age a value in memory is fresh: one number, so that a hit asks once.
pub(crate) struct Gate(AtomicU64);

/// Set while calls consult the cache. The other bits are the age in nanoseconds.
const OPEN: u64 = 1 << 63;
/// Stands for any age.
const ANY_AGE: u64 = OPEN - 1;

/// Up to which age a value is served.
#[cfg(feature = "memory")]
#[derive(Clone, Copy)]
pub(crate) struct Limit(u64);

impl Gate {
    /// An open gate for values up to this age in nanoseconds; `u64::MAX` is any.
    pub(crate) const fn new(max_age: u64) -> Self {
        Self(AtomicU64::new(OPEN | bits_of_age(max_age)))
    }

    #[cfg(feature = "memory")]
    #[inline]
    pub(crate) fn limit(&self) -> Limit {
        Limit(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed) & OPEN != 0
    }

    pub(crate) fn set_open(&self, is_open: bool) {
        match is_open {
            true => self.0.fetch_or(OPEN, Ordering::SeqCst),
            false => self.0.fetch_and(!OPEN, Ordering::SeqCst),
        };
    }

    /// Up to which age values are fresh, even if the gate is closed; `u64::MAX` is any.
    #[cfg(feature = "memory")]
    pub(crate) fn max_age(&self) -> u64 {
        Limit(self.0.load(Ordering::Relaxed) | OPEN).nanos()
    }

    pub(crate) fn set_max_age(&self, max_age: u64) {
        let with_age = |gate| Some(gate & OPEN | bits_of_age(max_age));
        let _ = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, with_age);
    }
}

#[cfg(feature = "memory")]
impl Limit {
    #[inline]
    pub(crate) fn is_any(self) -> bool {
        self.0 == u64::MAX
    }

    /// The age limit in nanoseconds: `u64::MAX` for any age, zero for none, while the gate is closed.
    pub(crate) fn nanos(self) -> u64 {
        match self.0 {
            u64::MAX => u64::MAX,
            open if open & OPEN != 0 => open & ANY_AGE,
            _ => 0,
        }
    }
}

const fn bits_of_age(max_age: u64) -> u64 {
    if max_age < ANY_AGE { max_age } else { ANY_AGE }
}

#[cfg(all(test, feature = "memory"))]
mod tests {
    use super::*;

    #[test]
    fn ages_and_switches_do_not_disturb_each_other() {
        let gate = Gate::new(u64::MAX);
        let state = || (gate.limit().nanos(), gate.is_open(), gate.max_age());
        assert!(gate.limit().is_any());
        assert_eq!(state(), (u64::MAX, true, u64::MAX));
        gate.set_open(false);
        assert!(!gate.limit().is_any());
        assert_eq!(state(), (0, false, u64::MAX));
        gate.set_max_age(7);
        assert_eq!(state(), (0, false, 7));
        gate.set_open(true);
        assert_eq!(state(), (7, true, 7));
        gate.set_max_age(ANY_AGE + 5);
        assert_eq!(state(), (u64::MAX, true, u64::MAX));
        gate.set_max_age(0);
        assert_eq!(state(), (0, true, 0));
    }
}
