//! Which calls are timed, and with which weight. Pure: randomness is passed in.

use std::num::NonZeroU64;

/// The share of timed calls, from 0 to 1.
///
/// ```
/// use cachier_metrics::SamplingRate;
///
/// const TENTH: SamplingRate = SamplingRate::new(0.1);
/// assert_eq!(TENTH.get(), 0.1);
/// assert!(SamplingRate::try_from(1.5).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias = "metrics_sampling_rate")]
pub struct SamplingRate(f64);

impl SamplingRate {
    /// No call is timed.
    pub const NONE: Self = Self(0.0);
    /// Every call is timed.
    pub const ALL: Self = Self(1.0);

    /// A rate, possibly in a constant. A positive rate below one in ten million counts as that.
    ///
    /// # Panics
    /// Outside 0..=1; a compile error in a constant.
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

/// Keeps squares of weights far from overflow.
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

/// The decision to time a call, with its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    weight: NonZeroU64,
}

impl Sampled {
    /// A weight of one.
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

/// Draws for a rate which calls are sampled, with which weights.
///
/// Every call is sampled with probability p, independently. A sampled call has weight 1/p, rounded up or down at random
/// so that the mean is exactly 1/p. So every sum of weights is an unbiased estimate (Horvitz and Thompson 1952).
pub(crate) struct Sampler {
    threshold: Threshold,
    /// 1/p, rounded down, and the remainder.
    weight: u64,
    remainder: f64,
    /// 1/ln(1 - p), which turns a random number into a gap.
    gap: f64,
}

/// A call is sampled if its draw of 63 bits is below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threshold(u64);

impl Threshold {
    /// Samples no call.
    pub(crate) const NEVER: Self = Self(0);
    /// Samples every call.
    pub(crate) const ALWAYS: Self = Self(1 << 63);

    /// Whether the call with this draw is sampled: see [`next_draw`].
    #[inline]
    pub(crate) fn admits(self, draw: u64) -> bool {
        draw >> 1 < self.0
    }
}

impl Sampler {
    pub(crate) fn new(SamplingRate(rate): SamplingRate) -> Self {
        let weight = rate.recip();
        Self {
            threshold: Threshold((rate * Threshold::ALWAYS.0 as f64) as u64),
            weight: weight as u64,
            remainder: weight.fract(),
            gap: (-rate).ln_1p().recip(),
        }
    }

    pub(crate) fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// The weight of a call that was sampled with this draw.
    #[inline]
    pub(crate) fn weigh(&self, draw: u64) -> Sampled {
        // The draw of a sampled call is small, so it is mixed.
        let up = self.remainder > 0.0 && unit(mixed(draw)) <= self.remainder;
        Sampled::of(self.weight + u64::from(up))
    }

    /// The number of calls until the next sampled one, distributed as if each had been decided separately (the
    /// geometric distribution by inversion, Devroye 1986, chapter X.2).
    pub(crate) fn gap(&self, draw: u64) -> u64 {
        match self.threshold {
            Threshold::NEVER => u64::MAX,
            Threshold::ALWAYS => 0,
            Threshold(_) => (unit(mixed(draw)).ln() * self.gap) as u64,
        }
    }
}

/// The next draw, by a linear congruential generator (multiplier and increment of Knuth's MMIX), whose high bits are
/// random enough for sampling.
#[inline]
pub(crate) fn next_draw(draw: u64) -> u64 {
    draw.wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407)
}

/// A number in (0, 1] from 53 random bits.
pub(crate) fn unit(random: u64) -> f64 {
    ((random >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// Mixes all bits: the output function of SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
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
    fn shares_and_weights_have_the_right_means() {
        for rate in [0.01, 0.1, 0.3, 0.7, 0.95] {
            let sampler = Sampler::new(SamplingRate::new(rate));
            let calls = 500_000;
            let (mut draw, mut sampled, mut weights) = (7, 0, 0);
            for _ in 0..calls {
                draw = next_draw(draw);
                if sampler.threshold().admits(draw) {
                    sampled += 1;
                    weights += sampler.weigh(draw).weight();
                }
            }
            let share = f64::from(sampled) / f64::from(calls) / rate;
            assert!((share - 1.0).abs() < 0.03, "share at {rate}: {share}");
            let weight = weights as f64 / f64::from(sampled) * rate;
            assert!((weight - 1.0).abs() < 0.01, "weight at {rate}: {weight}");
        }
    }

    #[test]
    fn consecutive_decisions_are_independent() {
        let threshold = Sampler::new(SamplingRate::new(0.1)).threshold();
        let (mut draw, mut both) = (3, [0; 8]);
        let calls = 1_000_000;
        let sampled: Vec<bool> = (0..calls)
            .map(|_| {
                draw = next_draw(draw);
                threshold.admits(draw)
            })
            .collect();
        for (distance, both) in (1..).zip(&mut both) {
            let pairs = sampled.iter().zip(&sampled[distance..]);
            *both = pairs.filter(|(one, other)| **one && **other).count();
        }
        // A hundredth of the pairs, within five standard deviations.
        assert!(
            both.iter().all(|both| (9_500..10_500).contains(both)),
            "{both:?}"
        );
    }

    #[test]
    fn gaps_are_distributed_like_single_decisions() {
        for rate in [0.001, 0.1, 0.5, 0.95] {
            let sampler = Sampler::new(SamplingRate::new(rate));
            let (mut draw, mut longer) = (11, [0; 6]);
            let gaps = 200_000;
            for _ in 0..gaps {
                draw = next_draw(draw);
                let gap = sampler.gap(draw);
                (0..)
                    .zip(&mut longer)
                    .for_each(|(length, longer)| *longer += u32::from(gap > length));
            }
            for (length, longer) in (1..).zip(longer) {
                let (share, expected) = (
                    f64::from(longer) / f64::from(gaps),
                    (1.0 - rate).powi(length),
                );
                let error = 5.0 * (expected * (1.0 - expected) / f64::from(gaps)).sqrt();
                assert!(
                    (share - expected).abs() <= error,
                    "{share} beside {expected}, rate {rate}"
                );
            }
        }
    }

    #[test]
    fn the_ends_of_the_range_need_no_chance() {
        let (all, none) = (
            Sampler::new(SamplingRate::ALL),
            Sampler::new(SamplingRate::NONE),
        );
        assert_eq!(all.threshold(), Threshold::ALWAYS);
        assert_eq!(none.threshold(), Threshold::NEVER);
        for draw in [0, 1, u64::MAX] {
            assert!(Threshold::ALWAYS.admits(draw) && !Threshold::NEVER.admits(draw));
            assert_eq!(all.weigh(draw), Sampled::ONE);
            assert_eq!((all.gap(draw), none.gap(draw)), (0, u64::MAX));
        }
        assert_eq!(unit(u64::MAX), 1.0);
        assert!(unit(0) > 0.0);
    }
}
