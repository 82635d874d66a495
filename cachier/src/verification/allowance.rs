//! How many more checks to make.

use std::sync::atomic::{AtomicU32, Ordering};

/// A number of checks left; asking whether any are left is one load.
pub(super) struct Allowance(AtomicU32);

impl Allowance {
    /// Never used up.
    pub(super) const UNLIMITED: u32 = u32::MAX;

    pub(super) fn new(count: u32) -> Self {
        Self(AtomicU32::new(count))
    }

    pub(super) fn set(&self, count: u32) {
        self.0.store(count, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_left(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Takes one; whether there was one.
    pub(super) fn take(&self) -> bool {
        let less = |left| match left {
            0 | Self::UNLIMITED => None,
            left => Some(left - 1),
        };
        match self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
        {
            Ok(_) => true,
            Err(left) => left == Self::UNLIMITED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_allowance_is_used_up() {
        let allowance = Allowance::new(2);
        assert!(allowance.is_left() && allowance.take() && allowance.take());
        assert!(!allowance.take() && !allowance.is_left());
        allowance.set(Allowance::UNLIMITED);
        assert!((0..100).all(|_| allowance.take()));
        allowance.set(0);
        assert!(!allowance.take());
    }
}
