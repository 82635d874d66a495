//! Which calls are timed, and with which weight. Pure: randomness and time are passed in.

use std::num::NonZeroU64;

/// The share of timed calls: a number from 0 to 1, or [`AUTO`](Self::AUTO), the default.
///
/// ```
/// use cachier_metrics::SamplingRate;
///
/// const TENTH: SamplingRate = SamplingRate::new(0.1);
/// assert_eq!(TENTH.get(), Some(0.1));
/// assert_eq!(SamplingRate::AUTO.get(), None);
/// assert!(SamplingRate::try_from(1.5).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[doc(alias = "metrics_sampling_rate")]
pub struct SamplingRate(Rate);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Rate {
    #[default]
    Auto,
    Share(f64),
}

impl SamplingRate {
    /// Times every call that is no hit, and hits so seldom that it costs a thread about a nanosecond each: all while they
    /// are rare, one in 512 while they follow each other within microseconds.
    pub const AUTO: Self = Self(Rate::Auto);
    /// No call is timed.
    pub const NONE: Self = Self(Rate::Share(0.0));
    /// Every call is timed.
    pub const ALL: Self = Self(Rate::Share(1.0));

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

    /// The rate as a number; `AUTO` has none.
    pub const fn get(self) -> Option<f64> {
        match self.0 {
            Rate::Auto => None,
            Rate::Share(rate) => Some(rate),
        }
    }

    const fn parse(rate: f64) -> Option<Self> {
        if rate == 0.0 {
            Some(Self::NONE)
        } else if rate > 0.0 && rate < MIN_RATE {
            Some(Self(Rate::Share(MIN_RATE)))
        } else if rate > 0.0 && rate <= 1.0 {
            Some(Self(Rate::Share(rate)))
        } else {
            None
        }
    }
}

/// Keeps squares of weights far from overflow.
const MIN_RATE: f64 = 1e-7;

impl TryFrom<f64> for SamplingRate {
    type Error = InvalidRate;

    fn try_from(rate: f64) -> Result<Self, InvalidRate> {
        Self::parse(rate).ok_or(InvalidRate(rate))
    }
}

/// A sampling rate outside 0..=1.
///
/// ```
/// use cachier_metrics::SamplingRate;
///
/// let error = SamplingRate::try_from(1.5).unwrap_err();
/// assert_eq!(error.to_string(), "a sampling rate is a number from 0 to 1, not 1.5");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvalidRate(f64);

impl std::fmt::Display for InvalidRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a sampling rate is a number from 0 to 1, not {}", self.0)
    }
}

impl std::error::Error for InvalidRate {}

/// The decision to time a call, with its weight.
///
/// ```
/// use cachier_metrics::Sampled;
///
/// assert_eq!(Sampled::ONE.weight(), 1); // stands for itself alone
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    weight: NonZeroU64,
}

impl Sampled {
    /// A weight of one.
    pub const ONE: Self = Self {
        weight: NonZeroU64::MIN,
    };

    /// How many calls this one stands for.
    #[inline]
    pub fn weight(self) -> u64 {
        self.weight.get()
    }

    pub(crate) fn of(weight: u64) -> Self {
        Self {
            weight: NonZeroU64::new(weight).unwrap_or(NonZeroU64::MIN),
        }
    }
}

/// Divides the calls of a row into strata: one call of each is timed, at a random place in it, and stands for all of its
/// stratum.
///
/// Every call has the same chance within its stratum, so every sum of weights is an unbiased estimate (Horvitz and Thompson
/// 1952). The weights of whole strata sum to the number of their calls, whatever the length of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Strata {
    /// No call is timed.
    None,
    /// Every call is a stratum.
    Single,
    /// As long as 1/rate, on average.
    Fixed {
        whole: u64,
        /// The chance that a stratum is longer by one.
        remainder: f64,
    },
    /// Longer while calls are frequent, shorter while they are rare.
    Adaptive,
}

/// Timed hits that follow each other faster are made rarer, in nanoseconds: at about 50 ns each they cost little then.
const MIN_GAP: u64 = 200_000;
/// Timed hits that follow each other slower are made more frequent, in nanoseconds: hundreds of samples in a busy minute.
const MAX_GAP: u64 = 3_000_000;
/// The most hits that a timed one stands for under [`SamplingRate::AUTO`].
const MAX_ADAPTIVE_LENGTH: u64 = 512;

impl Strata {
    /// The rule for hits.
    pub(crate) fn of_hits(rate: SamplingRate) -> Self {
        match rate.0 {
            Rate::Auto => Self::Adaptive,
            Rate::Share(rate) => Self::of(rate),
        }
    }

    /// The rule for calls that are no hits, which take microseconds anyway.
    pub(crate) fn of_others(rate: SamplingRate) -> Self {
        match rate.0 {
            Rate::Auto => Self::Single,
            Rate::Share(rate) => Self::of(rate),
        }
    }

    fn of(rate: f64) -> Self {
        if rate == 0.0 {
            return Self::None;
        }
        let length = rate.recip();
        match (length as u64, length.fract()) {
            (1, 0.0) => Self::Single,
            (whole, remainder) => Self::Fixed { whole, remainder },
        }
    }

    /// The length of the next stratum: after one of this length, whose timed call came `gap` nanoseconds after the one
    /// before.
    pub(crate) fn next_length(self, draw: u64, length: u64, gap: u64) -> u64 {
        match self {
            Self::None | Self::Single => 1,
            // Its place in the stratum comes from the draw itself.
            Self::Fixed { whole, remainder } => {
                whole + u64::from(remainder > 0.0 && unit(mixed(draw)) <= remainder)
            }
            Self::Adaptive if gap < MIN_GAP => (2 * length).min(MAX_ADAPTIVE_LENGTH),
            Self::Adaptive if gap > MAX_GAP => (length / 8).max(1),
            Self::Adaptive => length,
        }
    }
}

/// A random place in a stratum of this length, counted from 0.
#[inline]
pub(crate) fn place(draw: u64, length: u64) -> u64 {
    ((u128::from(draw) * u128::from(length)) >> 64) as u64
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
        assert_eq!(SamplingRate::new(1e-12).get(), Some(MIN_RATE));
        assert_eq!(SamplingRate::default(), SamplingRate::AUTO);
    }

    #[test]
    #[should_panic = "a number from 0 to 1"]
    fn a_constant_rate_outside_the_range_panics() {
        let _ = SamplingRate::new(1.5);
    }

    #[test]
    fn strata_are_as_long_as_the_rate_demands() {
        for rate in [0.01, 0.1, 0.3, 0.7, 0.95] {
            let strata = Strata::of_hits(SamplingRate::new(rate));
            assert_eq!(Strata::of_others(SamplingRate::new(rate)), strata);
            let (mut draw, mut calls, number) = (7, 0, 500_000);
            for _ in 0..number {
                draw = next_draw(draw);
                calls += strata.next_length(draw, 1, 0);
            }
            let share = f64::from(number) / calls as f64 / rate;
            assert!((share - 1.0).abs() < 0.01, "share at {rate}: {share}");
        }
    }

    #[test]
    fn places_are_spread_evenly_and_independently() {
        let (mut draw, length, number) = (3, 10, 1_000_000);
        let places: Vec<u64> = (0..number)
            .map(|_| {
                draw = next_draw(draw);
                place(draw, length)
            })
            .collect();
        // Pairs at each distance, within five standard deviations.
        for distance in 1..8 {
            let mut pairs = [[0_u32; 10]; 10];
            for (one, other) in places.iter().zip(&places[distance..]) {
                pairs[*one as usize][*other as usize] += 1;
            }
            let is_even = |count: &u32| (9_500..10_500).contains(count);
            assert!(pairs.iter().flatten().all(is_even), "{pairs:?}");
        }
        assert_eq!((place(0, 512), place(u64::MAX, 512)), (0, 511));
    }

    #[test]
    fn adaptive_strata_follow_the_pace_of_hits() {
        let strata = Strata::of_hits(SamplingRate::AUTO);
        let next = |length, gap| strata.next_length(7, length, gap);
        let cases = [
            ((1, 0), 2),
            ((256, MIN_GAP - 1), 512),
            ((512, MIN_GAP - 1), 512),
            ((64, MIN_GAP), 64),
            ((64, MAX_GAP), 64),
            ((64, MAX_GAP + 1), 8),
            ((4, u64::MAX), 1),
        ];
        for ((length, gap), expected) in cases {
            assert_eq!(next(length, gap), expected, "{length}, {gap} ns");
        }
    }

    #[test]
    fn mixed_numbers_are_those_of_splitmix64() {
        // The first three of a generator with this seed, which adds its constant for each.
        let (seed, step) = (1_234_567_u64, 0x9e37_79b9_7f4a_7c15_u64);
        let numbers = [0, 1, 2].map(|n| mixed(seed.wrapping_add(step.wrapping_mul(n))));
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(numbers, published);
    }

    #[test]
    fn the_ends_of_the_range_need_no_chance() {
        assert_eq!(Strata::of_hits(SamplingRate::ALL), Strata::Single);
        assert_eq!(Strata::of_hits(SamplingRate::NONE), Strata::None);
        assert_eq!(Strata::of_others(SamplingRate::AUTO), Strata::Single);
        assert_eq!(Strata::Single.next_length(7, 1, 0), 1);
        assert_eq!(Sampled::of(0), Sampled::ONE);
        assert_eq!(unit(u64::MAX), 1.0);
        assert!(unit(0) > 0.0);
    }
}
