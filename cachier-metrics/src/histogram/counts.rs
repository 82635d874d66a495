//! Histograms as plain numbers, for snapshots: merged and subtracted.

#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

use super::scale::Scale;

/// A histogram with exponential buckets, merged by addition.
///
/// Durations are in nanoseconds, sizes in bytes. Bucket indices are OpenTelemetry's at scale 4, in seconds or bytes. A
/// sampled observation counts by its weight.
///
/// ```
/// # use cachier_metrics::{CacheMetrics, MetricsOptions, Outcome, Sampled};
/// # let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// # metrics.start_call(Some(Sampled::ONE), None).finish(Outcome::Hit, None, None);
/// # metrics.start_call(Some(Sampled::ONE), None).finish(Outcome::Miss, None, None);
/// let snapshot = metrics.snapshot();
/// let hits = &snapshot.call_duration[Outcome::Hit];
/// assert_eq!((hits.count(), hits.samples), (1, 1));
/// assert_eq!(hits.count_up_to(i32::MAX), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(default))]
#[non_exhaustive]
pub struct Histogram {
    /// Nonempty buckets by ascending index.
    pub buckets: Vec<Bucket>,
    /// The number of recorded observations, regardless of weight.
    pub samples: u64,
    /// The weighted sum of observations.
    pub sum: u128,
    /// The sum of w·(w − 1) over the weights w: measures the accuracy lost to sampling.
    pub excess: u128,
    /// The smallest observation; `u64::MAX` if only its bucket is known.
    pub min: u64,
    /// The largest observation; 0 if only its bucket is known.
    pub max: u64,
}

/// The count of one bucket.
///
/// ```
/// use cachier_metrics::Bucket;
///
/// let bucket = Bucket::new(-160, 3);
/// let upper = (f64::from(bucket.index) / 16.0).exp2();
/// assert_eq!(upper, 1.0 / 1024.0); // seconds, about a millisecond
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct Bucket {
    /// Covers (2^((index-1)/16), 2^(index/16)] seconds or bytes.
    pub index: i32,
    /// The total weight of its observations.
    pub count: u64,
}

impl Bucket {
    /// A bucket with this count.
    #[must_use]
    pub const fn new(index: i32, count: u64) -> Self {
        Self { index, count }
    }

    /// The middle of it on a logarithmic scale, in seconds or bytes: no value in it is farther than a factor of 2^(1/32).
    #[cfg(any(
        feature = "cloudwatch",
        feature = "emf",
        feature = "metrics",
        feature = "statsd"
    ))]
    pub(crate) fn middle(self) -> f64 {
        ((f64::from(self.index) - 0.5) / 16.0).exp2()
    }
}

impl Histogram {
    /// The number of observations represented by the recorded ones.
    pub fn count(&self) -> u64 {
        self.buckets
            .iter()
            .fold(0, |sum, bucket| sum.saturating_add(bucket.count))
    }

    /// The number of observations in buckets up to this index.
    pub fn count_up_to(&self, index: i32) -> u64 {
        let within = self
            .buckets
            .iter()
            .take_while(|bucket| bucket.index <= index);
        within.fold(0, |sum, bucket| sum.saturating_add(bucket.count))
    }

    /// Whether nothing has been observed.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Adds another histogram of the same unit.
    pub fn merge(&mut self, other: &Self) {
        (self.min, self.max) = (self.merged_min(other), self.merged_max(other));
        self.combine_buckets(&other.buckets, u64::saturating_add);
        self.samples = self.samples.saturating_add(other.samples);
        self.sum = self.sum.saturating_add(other.sum);
        self.excess = self.excess.saturating_add(other.excess);
    }

    fn combine_buckets(&mut self, others: &[Bucket], combine: fn(u64, u64) -> u64) {
        for other in others {
            let place = self
                .buckets
                .binary_search_by_key(&other.index, |own| own.index);
            match place {
                Ok(place) => {
                    let own = &mut self.buckets[place];
                    own.count = combine(own.count, other.count);
                }
                Err(place) => self.buckets.insert(place, *other),
            }
        }
    }

    /// The smaller minimum. Unknown if that of the lower buckets is: it may be smaller than a known one of the same bucket.
    fn merged_min(&self, other: &Self) -> u64 {
        let (own, others) = (self.buckets.first(), other.buckets.first());
        let hides = |one: &Self, first: Option<&Bucket>, than: Option<&Bucket>| {
            one.min == u64::MAX
                && first.is_some_and(|first| than.is_some_and(|than| first.index <= than.index))
        };
        match hides(self, own, others) || hides(other, others, own) {
            true => u64::MAX,
            false => self.min.min(other.min),
        }
    }

    /// The larger maximum, likewise.
    fn merged_max(&self, other: &Self) -> u64 {
        let (own, others) = (self.buckets.last(), other.buckets.last());
        let hides = |one: &Self, last: Option<&Bucket>, than: Option<&Bucket>| {
            let is_unknown = one.max == 0 && one.min != 0;
            is_unknown && last.is_some_and(|last| than.is_some_and(|than| last.index >= than.index))
        };
        match hides(self, own, others) || hides(other, others, own) {
            true => 0,
            false => self.max.max(other.max),
        }
    }

    /// The observations since `earlier`, an older state of the same histogram. The extremes are known only by their
    /// buckets.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        if earlier.is_empty() {
            return self.clone();
        }
        Self {
            buckets: subtract_buckets(&self.buckets, &earlier.buckets),
            samples: self.samples.saturating_sub(earlier.samples),
            sum: self.sum.saturating_sub(earlier.sum),
            excess: self.excess.saturating_sub(earlier.excess),
            ..Self::default()
        }
    }

    /// Raises each figure to that of an older state of the same histogram.
    pub(crate) fn raise_to(&mut self, earlier: &Self) {
        self.combine_buckets(&earlier.buckets, u64::max);
        self.samples = self.samples.max(earlier.samples);
        self.sum = self.sum.max(earlier.sum);
        self.excess = self.excess.max(earlier.excess);
        (self.min, self.max) = (self.min.min(earlier.min), self.max.max(earlier.max));
    }

    /// The bucket of the observation at `rank` out of `count()`, and its position in the bucket from 0 to 1.
    pub(crate) fn at_rank(&self, rank: f64) -> Option<(i32, f64)> {
        let mut below = 0.0;
        for bucket in &self.buckets {
            let count = bucket.count as f64;
            if below + count >= rank {
                return Some((bucket.index, ((rank - below) / count).clamp(0.0, 1.0)));
            }
            below += count;
        }
        self.buckets.last().map(|bucket| (bucket.index, 1.0))
    }

    /// The smallest and largest observation, or the bounds of their buckets if unknown.
    pub(crate) fn extremes(&self, scale: &Scale) -> Option<(u64, u64)> {
        let (lowest, least) = scale.bounds(self.buckets.first()?.index);
        let (most, highest) = scale.bounds(self.buckets.last()?.index);
        let min = if self.min <= least { self.min } else { lowest };
        let max = if self.max >= most { self.max } else { highest };
        Some((min, max))
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: Vec::new(),
            samples: 0,
            sum: 0,
            excess: 0,
            min: u64::MAX,
            max: 0,
        }
    }
}

fn subtract_buckets(later: &[Bucket], earlier: &[Bucket]) -> Vec<Bucket> {
    let mut earlier = earlier.iter().peekable();
    let mut rest = Vec::with_capacity(later.len());
    for bucket in later {
        while earlier.next_if(|old| old.index < bucket.index).is_some() {}
        let old = earlier
            .next_if(|old| old.index == bucket.index)
            .map_or(0, |old| old.count);
        let count = bucket.count.saturating_sub(old);
        if count > 0 {
            rest.push(Bucket {
                index: bucket.index,
                count,
            });
        }
    }
    rest
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::super::scale::SECONDS;
    use super::*;

    fn histogram(buckets: &[(i32, u64)]) -> Histogram {
        let buckets = buckets
            .iter()
            .map(|&(index, count)| Bucket::new(index, count))
            .collect();
        Histogram {
            buckets,
            ..Histogram::default()
        }
    }

    #[test]
    fn merging_adds_what_is_in_the_same_bucket() {
        let mut merged = histogram(&[(-3, 1), (0, 2)]);
        merged.merge(&histogram(&[(-5, 4), (0, 8), (7, 16)]));
        assert_eq!(merged, histogram(&[(-5, 4), (-3, 1), (0, 10), (7, 16)]));
        assert_eq!(merged.count(), 31);
        assert_eq!(merged.count_up_to(0), 15);
    }

    #[test]
    fn differences_hold_what_came_between() {
        let later = histogram(&[(-3, 1), (0, 10), (7, 16)]);
        assert_eq!(
            later.since(&histogram(&[(-5, 1), (0, 4), (7, 16)])),
            histogram(&[(-3, 1), (0, 6)])
        );
        assert_eq!(later.since(&Histogram::default()), later);
    }

    #[test]
    fn raised_figures_are_never_below_earlier_ones() {
        let mut later = histogram(&[(-3, 1), (0, 10)]);
        later.raise_to(&histogram(&[(-5, 4), (-3, 2), (0, 8), (7, 1)]));
        assert_eq!(later, histogram(&[(-5, 4), (-3, 2), (0, 10), (7, 1)]));
    }

    #[test]
    fn a_rank_is_found_in_its_bucket() {
        let histogram = histogram(&[(1, 2), (5, 4)]);
        assert_eq!(histogram.at_rank(1.0), Some((1, 0.5)));
        assert_eq!(histogram.at_rank(2.0), Some((1, 1.0)));
        assert_eq!(histogram.at_rank(3.0), Some((5, 0.25)));
        assert_eq!(histogram.at_rank(6.5), Some((5, 1.0)));
        assert_eq!(Histogram::default().at_rank(1.0), None);
    }

    #[test]
    fn known_extremes_do_not_hide_unknown_ones() {
        let (lowest, highest) = (SECONDS.bounds(-3).0, SECONDS.bounds(0).1);
        let unknown = histogram(&[(-3, 1), (0, 1)]);
        let known = Histogram {
            min: lowest + 7,
            max: highest - 7,
            ..unknown.clone()
        };
        let merged = |one: &Histogram, other: &Histogram| {
            let mut merged = one.clone();
            merged.merge(other);
            merged.extremes(&SECONDS)
        };
        let bounds = Some((lowest, highest));
        assert_eq!(merged(&known, &unknown), bounds);
        assert_eq!(merged(&unknown, &known), bounds);
        let known_bounds = Some((lowest + 7, highest - 7));
        assert_eq!(merged(&known, &histogram(&[(-1, 1)])), known_bounds);
        assert_eq!(merged(&Histogram::default(), &known), known_bounds);
    }

    #[test]
    fn extremes_are_exact_or_bucket_bounds() {
        let bounds = (SECONDS.bounds(-3).0, SECONDS.bounds(0).1);
        let mut buckets = histogram(&[(-3, 1), (0, 1)]);
        assert_eq!(buckets.extremes(&SECONDS), Some(bounds));
        (buckets.min, buckets.max) = (bounds.0 + 7, bounds.1 - 7);
        assert_eq!(
            buckets.extremes(&SECONDS),
            Some((bounds.0 + 7, bounds.1 - 7))
        );
        assert_eq!(Histogram::default().extremes(&SECONDS), None);
    }
}
