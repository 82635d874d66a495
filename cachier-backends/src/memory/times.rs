//! When an entry was computed and how long that took, in little room.

/// A duration in nanoseconds of which at least three digits are kept: 12 bits of digits, and how many zeros follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RoundedNanos(u16);

/// Both times of an entry in one word: 48 bits for the microsecond of its creation, which last for nine years of the
/// caller's clock, and the rounded nanoseconds of the computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times(u64);

/// In a table, as a timed hit needs one.
const POWERS_OF_TEN: [u64; 16] = {
    let mut powers = [1; 16];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = 10 * powers[n - 1];
        n += 1;
    }
    powers
};

impl RoundedNanos {
    const DIGIT_BITS: u32 = 12;
    const MAX_DIGITS: u64 = (1 << Self::DIGIT_BITS) - 1;
    /// 130 years.
    const MAX: u64 = Self::MAX_DIGITS * POWERS_OF_TEN[15];

    pub(super) fn new(nanos: u64) -> Self {
        let nanos = nanos.min(Self::MAX);
        let (mut digits, mut zeros, mut unit) = (nanos, 0, 1);
        // Half a unit more rounds to the nearest.
        while digits > Self::MAX_DIGITS {
            zeros += 1;
            unit *= 10;
            digits = (nanos + unit / 2) / unit;
        }
        Self(zeros << Self::DIGIT_BITS | digits as u16)
    }

    pub(super) fn nanos(self) -> u64 {
        let digits = u64::from(self.0) & Self::MAX_DIGITS;
        digits * POWERS_OF_TEN[usize::from(self.0 >> Self::DIGIT_BITS)]
    }
}

impl Times {
    const NANOS_PER_MICRO: u64 = 1000;
    const MAX_MICROS: u64 = u64::MAX >> u16::BITS;

    pub(super) fn new(created: u64, compute_nanos: u64) -> Self {
        let micros = (created / Self::NANOS_PER_MICRO).min(Self::MAX_MICROS);
        let compute = RoundedNanos::new(compute_nanos);
        Self(micros << u16::BITS | u64::from(compute.0))
    }

    #[inline]
    pub(super) fn from_word(word: u64) -> Self {
        Self(word)
    }

    pub(super) fn to_word(self) -> u64 {
        self.0
    }

    /// To the microsecond.
    #[inline]
    pub(super) fn created(self) -> u64 {
        (self.0 >> u16::BITS) * Self::NANOS_PER_MICRO
    }

    /// The creation of an entry that counts as fresh from this moment: exact if that is the same.
    pub(super) fn created_near(self, since: u64) -> u64 {
        let created = self.created();
        match since.wrapping_sub(created) < Self::NANOS_PER_MICRO {
            true => since,
            false => created,
        }
    }

    pub(super) fn compute_nanos(self) -> u64 {
        RoundedNanos(self.0 as u16).nanos()
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn durations_are_rounded_by_an_eighth_percent(
            nanos in (0..RoundedNanos::MAX, 0..62).prop_map(|(nanos, less)| nanos >> less),
        ) {
            let rounded = RoundedNanos::new(nanos).nanos();
            prop_assert!(rounded.abs_diff(nanos) <= nanos / 800, "{nanos} as {rounded}");
        }

        #[test]
        fn a_creation_is_known_to_the_microsecond(created in 0..Times::MAX_MICROS * 1000, compute_nanos: u64) {
            let times = Times::from_word(Times::new(created, compute_nanos).to_word());
            prop_assert_eq!(times.created(), created - created % 1000);
            prop_assert_eq!(times.compute_nanos(), RoundedNanos::new(compute_nanos).nanos());
        }
    }

    #[test]
    fn a_creation_equal_to_the_freshness_is_exact() {
        let times = Times::new(5_123, 0);
        assert_eq!(times.created_near(5_123), 5_123);
        assert_eq!(times.created_near(9_000), 5_000);
        assert_eq!(times.created_near(4_999), 5_000);
    }

    #[test]
    fn short_and_round_durations_are_exact() {
        for nanos in [0, 1, 4095, 40_950, 2_500_000, 3_600_000_000_000] {
            assert_eq!(RoundedNanos::new(nanos).nanos(), nanos);
        }
        assert_eq!(RoundedNanos::new(40_959).nanos(), 41_000);
        assert_eq!(RoundedNanos::new(u64::MAX).nanos(), RoundedNanos::MAX);
    }

    #[test]
    fn times_beyond_the_range_count_as_its_end() {
        let times = Times::new(u64::MAX, u64::MAX);
        assert_eq!(times.created(), Times::MAX_MICROS * 1000);
        assert_eq!(times.compute_nanos(), RoundedNanos::MAX);
    }
}
