//! Which calls are timed, and how much each timed call weighs. Pure: the randomness comes from outside.

use std::num::NonZeroU64;

/// The share of calls whose durations and sizes are measured, from 0 to 1.
///
/// ```
/// use cachier_metrics::SamplingRate;
///
/// const TENTH: SamplingRate = SamplingRate::new(0.1);
/// assert_eq!(TENTH.get(), 0.1);
/// assert!(SamplingRate::try_from(1.5).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingRate(f64);

impl SamplingRate {
    /// No call is timed.
    pub const NONE: Self = Self(0.0);
    /// Every call is timed.
    pub const ALL: Self = Self(1.0);

    /// A rate known when the program is built. A positive rate below one in ten million counts as that.
    ///
    /// # Panics
    /// Outside 0..=1, which in a constant is a compile error.
    pub const fn new(rate: f64) -> Self {
        match Self::parse(rate) {
            Some(rate) => rate,
            None => panic!("a sampling rate is a number from 0 to 1"),
        }
    }

    /// The rate as a number.
    pub const fn get(self) -> f64 {
        self.0
    }

    const fn parse(rate: f64) -> Option<Self> {
        if rate == 0.0 {
            Some(Self::NONE)
        } else if rate > 0.0 && rate < SMALLEST {
            Some(Self(SMALLEST))
        } else if rate > 0.0 && rate <= 1.0 {
            Some(Self(rate))
        } else {
            None
        }
    }
}

/// Keeps the squares of weights far from overflow.
const SMALLEST: f64 = 1e-7;

impl Default for SamplingRate {
    fn default() -> Self {
        Self::ALL
    }
}

impl TryFrom<f64> for SamplingRate {
    type Error = InvalidRate;

    fn try_from(rate: f64) -> Result<Self, InvalidRate> {
        Self::parse(rate).ok_or(InvalidRate(rate))
    }
}

/// A sampling rate outside 0..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvalidRate(f64);

impl std::fmt::Display for InvalidRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a sampling rate is a number from 0 to 1, not {}", self.0)
    }
}

impl std::error::Error for InvalidRate {}

/// The decision to time a call, with the number of calls it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    weight: NonZeroU64,
}

impl Sampled {
    /// Stands for itself alone.
    pub const ONE: Self = Self {
        weight: NonZeroU64::MIN,
    };

    /// How many calls this one stands for; 1/rate on average.
    #[inline]
    pub fn weight(self) -> u64 {
        self.weight.get()
    }

    fn of(weight: u64) -> Self {
        Self {
            weight: NonZeroU64::new(weight).unwrap_or(NonZeroU64::MIN),
        }
    }
}

/// Draws gaps and weights for one rate.
///
/// Every call is sampled with probability p, independently of the others: the gap from one sampled call to the next
/// is geometric, so most calls only count down. A sampled call weighs 1/p, rounded up or down at random so that the
/// mean is exactly 1/p. Hence each sum of weights is an unbiased estimate (Horvitz and Thompson 1952).
pub(crate) struct Sampler {
    rate: f64,
    /// 1 / ln(1 - p)
    inverse_log: f64,
    /// 1/p, rounded down, and what the rounding took away.
    weight: u64,
    remainder: f64,
}

/// Value of the countdown that says: every call.
pub(crate) const EVERY: u64 = 0;
/// Value of the countdown that is never reached.
pub(crate) const NEVER: u64 = u64::MAX;

impl Sampler {
    pub(crate) fn new(rate: SamplingRate) -> Self {
        let (rate, weight) = (rate.0, rate.0.recip());
        Self {
            rate,
            inverse_log: (-rate).ln_1p().recip(),
            weight: weight as u64,
            remainder: weight.fract(),
        }
    }

    /// Calls up to and including the next sampled one, at least 1; [`EVERY`] and [`NEVER`] at the ends of the range.
    pub(crate) fn gap(&self, random: u64) -> u64 {
        if self.rate >= 1.0 {
            EVERY
        } else if self.rate <= 0.0 {
            NEVER
        } else {
            (unit(random).ln() * self.inverse_log) as u64 + 1
        }
    }

    /// The weight of a sampled call.
    pub(crate) fn weigh(&self, random: u64) -> Sampled {
        let up = unit(random) <= self.remainder;
        Sampled::of(self.weight + u64::from(up))
    }
}

/// A number in (0, 1] from 53 random bits.
fn unit(random: u64) -> f64 {
    ((random >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): the next state and its random number.
pub(crate) fn split_mix(state: u64) -> (u64, u64) {
    let next = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = next;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (next, mixed ^ (mixed >> 31))
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn rates_outside_zero_to_one_are_refused() {
        for rate in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(SamplingRate::try_from(rate).is_err(), "{rate} was taken");
        }
        let error = SamplingRate::try_from(2.0).map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("a sampling rate is a number from 0 to 1, not 2".to_owned())
        );
        assert_eq!(SamplingRate::try_from(-0.0), Ok(SamplingRate::NONE));
        assert_eq!(SamplingRate::new(1e-12).get(), SMALLEST);
        assert_eq!(SamplingRate::default(), SamplingRate::ALL);
    }

    #[test]
    #[should_panic = "a number from 0 to 1"]
    fn a_constant_rate_outside_the_range_panics() {
        let _ = SamplingRate::new(1.5);
    }

    #[test]
    fn gaps_and_weights_have_the_means_that_the_rate_asks_for() {
        for rate in [0.01, 0.1, 0.3, 0.7, 0.95] {
            let sampler = Sampler::new(SamplingRate::new(rate));
            let draws = 200_000;
            let (mut state, mut random, mut gaps, mut weights) = (7, 0, 0, 0);
            for _ in 0..draws {
                (state, random) = split_mix(state);
                gaps += sampler.gap(random);
                (state, random) = split_mix(state);
                weights += sampler.weigh(random).weight();
            }
            assert_ne!(random, 0);
            let share = |sum: u64| sum as f64 / f64::from(draws) * rate;
            let (gaps, weights) = (share(gaps), share(weights));
            assert!((gaps - 1.0).abs() < 0.01, "gaps at {rate}: {gaps}");
            assert!((weights - 1.0).abs() < 0.01, "weights at {rate}: {weights}");
        }
    }

    #[test]
    fn the_ends_of_the_range_need_no_chance() {
        assert_eq!(Sampler::new(SamplingRate::ALL).gap(1), EVERY);
        assert_eq!(Sampler::new(SamplingRate::NONE).gap(1), NEVER);
        assert_eq!(unit(u64::MAX), 1.0);
        assert!(unit(0) > 0.0);
    }
}
