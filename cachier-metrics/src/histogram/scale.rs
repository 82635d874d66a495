//! The mapping from values to buckets.
//!
//! Bucket `i` covers (2^((i-1)/16), 2^(i/16)], in seconds or in bytes: schema 4 of Prometheus native histograms, scale
//! 4 of OpenTelemetry exponential histograms. Values are whole nanoseconds or bytes, so a table of bounds, rounded down
//! to whole units, is exact.

use crate::counter::float;

/// Number of buckets: 8 ns to 8 days, or 1 byte to 70 TB. Values outside count in the first or last bucket.
///
/// Anything between two clock readings takes at least 8 ns, while ages of values reach days.
pub(crate) const SLOTS: usize = 742;

/// Durations, in nanoseconds.
pub(crate) static SECONDS: Scale = Scale::new(1_000_000_000, FIRST_SECONDS_INDEX);

/// The bucket up to 8 ns.
const FIRST_SECONDS_INDEX: i32 = -430;

/// Sizes, in bytes.
pub(crate) static BYTES: Scale = Scale::new(1, 0);

/// The buckets of one unit.
#[derive(Debug)]
pub struct Scale {
    /// Units per base unit.
    units: u64,
    /// The index of the bucket in slot 0.
    first: i32,
    /// The largest value in each slot.
    upper: [u64; SLOTS],
    /// Indexed by the eight bits below the leading one, the first of a floating point number's fraction: the slot of a value
    /// at the lower edge of that cell, relative to the leading bit. No cell is wider than a bucket, so the value is in
    /// that slot or the next.
    base: [i16; CELLS],
}

const CELLS: usize = 256;

impl Scale {
    /// The slot of a value.
    #[inline]
    pub(crate) fn slot(&self, value: u64) -> usize {
        // Exact but for values far beyond the last slot.
        let bits = float(value).to_bits();
        let exponent = (bits >> (f64::MANTISSA_DIGITS - 1)) as i32 - (f64::MAX_EXP - 1);
        let cell = (bits >> (f64::MANTISSA_DIGITS - 9)) as usize % CELLS;
        let slot = 16 * exponent + i32::from(self.base[cell]);
        let slot = slot.clamp(0, SLOTS as i32 - 2) as usize;
        slot + usize::from(value > self.upper[slot])
    }

    /// The index of the bucket in a slot.
    pub(crate) fn index(&self, slot: usize) -> i32 {
        self.first + slot as i32
    }

    /// The value at `position` within a bucket, on a logarithmic scale from 0 at the lower bound to 1 at the upper
    /// bound.
    pub(crate) fn value(&self, index: i32, position: f64) -> f64 {
        let exponent = f64::from(index) - 1.0 + position;
        (exponent / 16.0).exp2() * self.units as f64
    }

    /// The smallest and the largest value of a bucket.
    pub(crate) fn bounds(&self, index: i32) -> (u64, u64) {
        let slot = index.saturating_sub(self.first).clamp(0, SLOTS as i32 - 1) as usize;
        let lower = if slot == 0 {
            0
        } else {
            self.upper[slot - 1] + 1
        };
        (lower, self.upper[slot])
    }

    const fn new(units: u64, first: i32) -> Self {
        let upper = upper_bounds(units, first);
        Self {
            units,
            first,
            upper,
            base: base_slots(&upper),
        }
    }
}

/// 2^(k/16) with 63 fractional bits.
const ROOTS: [u64; 16] = [
    0x8000_0000_0000_0000,
    0x85aa_c367_cc48_7b14,
    0x8b95_c1e3_ea8b_d6e6,
    0x91c3_d373_ab11_c336,
    0x9837_f051_8db8_a96f,
    0x9ef5_3260_91a1_11ad,
    0xa5fe_d6a9_b151_38ea,
    0xad58_3eea_42a1_4ac6,
    0xb504_f333_f9de_6484,
    0xbd08_a39f_580c_36be,
    0xc567_2a11_5506_dadd,
    0xce24_8c15_1f84_80e3,
    0xd744_fcca_d69d_6af4,
    0xe0cc_deec_2a94_e111,
    0xeac0_c6e7_dd24_392e,
    0xf525_7d15_2486_cc2c,
];

const fn upper_bounds(units: u64, first: i32) -> [u64; SLOTS] {
    let mut upper = [0; SLOTS];
    let mut slot = 0;
    while slot < SLOTS {
        let index = first + slot as i32;
        let root = ROOTS[index.rem_euclid(16) as usize] as u128;
        upper[slot] = ((root * units as u128) >> (63 - index.div_euclid(16))) as u64;
        slot += 1;
    }
    upper
}

const fn base_slots(upper: &[u64; SLOTS]) -> [i16; CELLS] {
    // An exponent for which all edges are whole numbers within the table.
    const EXPONENT: u32 = 32;
    let mut base = [0; CELLS];
    let mut slot = 0;
    let mut cell = 0;
    while cell < CELLS {
        let edge = ((CELLS + cell) as u64) << (EXPONENT - 8);
        while upper[slot] < edge {
            slot += 1;
        }
        base[cell] = slot as i16 - 16 * EXPONENT as i16;
        cell += 1;
    }
    base
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use num_bigint::BigUint;

    use super::*;

    /// Whether `value` units are at most 2^(index/16) base units, computed exactly, with both to the 16th power.
    fn within(scale: &Scale, value: u64, index: i32) -> bool {
        let (mut left, mut right) = (
            BigUint::from(value).pow(16),
            BigUint::from(scale.units).pow(16),
        );
        if index < 0 {
            left <<= index.unsigned_abs();
        } else {
            right <<= index.unsigned_abs();
        }
        left <= right
    }

    #[test]
    fn the_tables_are_those_of_their_units() {
        let (seconds, bytes) = (
            Scale::new(1_000_000_000, FIRST_SECONDS_INDEX),
            Scale::new(1, 0),
        );
        assert_eq!((seconds.upper, seconds.base), (SECONDS.upper, SECONDS.base));
        assert_eq!((bytes.upper, bytes.base), (BYTES.upper, BYTES.base));
    }

    #[test]
    fn bounds_are_the_largest_whole_numbers() {
        for scale in [&SECONDS, &BYTES] {
            for slot in 0..SLOTS {
                let (bound, index) = (scale.upper[slot], scale.index(slot));
                assert!(
                    within(scale, bound, index),
                    "{bound} is above bucket {index}"
                );
                assert!(
                    !within(scale, bound + 1, index),
                    "{bound} + 1 fits into bucket {index}"
                );
            }
        }
    }

    #[test]
    fn bounds_are_inclusive() {
        for scale in [&SECONDS, &BYTES] {
            for slot in 0..SLOTS - 1 {
                let bound = scale.upper[slot];
                let first = scale.upper.iter().position(|upper| *upper == bound);
                assert_eq!(Some(scale.slot(bound)), first);
                let after = scale.upper.iter().position(|upper| *upper > bound);
                assert_eq!(Some(scale.slot(bound + 1)), after);
            }
        }
    }

    #[test]
    fn outliers_count_in_the_outermost_buckets() {
        for scale in [&SECONDS, &BYTES] {
            assert_eq!(scale.slot(0), 0);
            assert_eq!(scale.slot(scale.upper[SLOTS - 1]), SLOTS - 1);
            assert_eq!(scale.slot(scale.upper[SLOTS - 1] + 1), SLOTS - 1);
            assert_eq!(scale.slot(u64::MAX), SLOTS - 1);
        }
        assert!(SECONDS.upper[0] == 8 && SECONDS.upper[SLOTS - 1] >= 8 * 86_400 * 1_000_000_000);
    }

    #[test]
    fn ages_of_days_are_told_apart() {
        let days = |days: u64| days * 86_400 * 1_000_000_000;
        for age in (1..=8).map(days) {
            let (lower, upper) = SECONDS.bounds(SECONDS.index(SECONDS.slot(age)));
            assert!((lower..=upper).contains(&age), "{age}");
            assert!(upper as f64 <= lower as f64 * 1.0443, "{age}");
        }
    }

    #[test]
    fn bounds_and_values_of_a_bucket_agree() {
        let (lower, upper) = SECONDS.bounds(0);
        assert_eq!((lower, upper), (957_603_281, 1_000_000_000));
        assert!((SECONDS.value(0, 1.0) - 1e9).abs() < 1e-3);
        assert!((SECONDS.value(0, 0.0) - 957_603_280.7).abs() < 0.1);
        assert_eq!(BYTES.bounds(0), (0, 1));
        assert_eq!(BYTES.bounds(i32::MIN / 2).0, 0);
        assert_eq!(SECONDS.bounds(i32::MAX).1, SECONDS.upper[SLOTS - 1]);
    }
}
