//! Random numbers that tests can foresee.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random numbers, shared without a lock: SplitMix64 (Steele et al., OOPSLA 2014).
pub(crate) struct Random(AtomicU64);

impl Random {
    /// The same numbers for the same seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Numbers that nobody can foresee.
    pub(crate) fn unforeseeable() -> Self {
        Self::seeded(RandomState::new().hash_one(0))
    }

    /// 32 bits, each as likely set as not.
    pub(crate) fn bits(&self) -> u32 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ mixed >> 31) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the published generator for the seed 1234567, of which the upper halves.
    #[test]
    fn numbers_are_those_of_the_published_generator() {
        let random = Random::seeded(1_234_567);
        let published = [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973];
        assert_eq!(
            [random.bits(), random.bits()],
            published.map(|number| (number >> 32) as u32)
        );
    }

    #[test]
    fn no_two_programs_have_the_same_numbers() {
        let first = || Random::unforeseeable().bits();
        assert_ne!([first(), first(), first()], [first(), first(), first()]);
    }
}
