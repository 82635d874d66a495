//! Mean, extremes and quantiles of histograms.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::histogram::{BYTES, Histogram, SECONDS, Scale};

/// The distribution of durations, or of sizes in bytes. Figures are absent without observations.
///
/// Quantiles are accurate to 2.2 % of the value from 8 ns to 8 days, and from one byte to 70 TB. Values outside count
/// as the smallest or the largest of these, but never beyond the observed extremes. The other figures are exact if
/// every call is timed, and unbiased estimates otherwise.
///
/// ```
/// # use cachier_metrics::{CacheMetrics, MetricsOptions, Outcome, Sampled};
/// # let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// # metrics.start_call(Some(Sampled::ONE), None).finish(Outcome::Hit, None, None);
/// # metrics.start_call(Some(Sampled::ONE), None).finish(Outcome::Miss, None, None);
/// let stats = metrics.stats();
/// let latency = &stats.latency;
/// println!("{:?} on average, {:?} at most for 99 of 100", latency.mean(), latency.p99());
/// assert_eq!(stats.wait.p50(), None); // nobody has waited
/// ```
pub struct Distribution<T> {
    histogram: Histogram,
    unit: PhantomData<fn() -> T>,
}

/// The unit of a distribution: [`Duration`], or bytes as `u64`.
///
/// ```
/// use cachier_metrics::{Distribution, Unit};
///
/// fn spread<T: Unit>(of: &Distribution<T>) -> Option<(T, T)> {
///     of.min().zip(of.max())
/// }
/// # use cachier_metrics::{CacheMetrics, MetricsOptions, Outcome, Sampled};
/// # let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// # metrics.start_call(Some(Sampled::ONE), None).finish(Outcome::Hit, None, None);
/// # metrics.start_call(Some(Sampled::ONE), None).finish(Outcome::Miss, None, None);
/// let stats = metrics.stats();
/// assert!(spread(&stats.latency).is_some()); // durations
/// assert!(spread(&stats.entry_size).is_none()); // bytes
/// ```
pub trait Unit: Copy + sealed::Sealed {}

impl Unit for Duration {}
impl Unit for u64 {}

mod sealed {
    use super::{BYTES, Duration, SECONDS, Scale};

    pub trait Sealed {
        #[doc(hidden)]
        fn scale() -> &'static Scale;
        #[doc(hidden)]
        fn from_units(units: f64) -> Self;
    }

    impl Sealed for Duration {
        fn scale() -> &'static Scale {
            &SECONDS
        }

        fn from_units(nanos: f64) -> Self {
            Self::from_nanos(nanos.round() as u64)
        }
    }

    impl Sealed for u64 {
        fn scale() -> &'static Scale {
            &BYTES
        }

        fn from_units(bytes: f64) -> Self {
            bytes.round() as Self
        }
    }
}

impl<T: Unit> Distribution<T> {
    pub(crate) fn of(histogram: Histogram) -> Self {
        Self {
            histogram,
            unit: PhantomData,
        }
    }

    /// The number of observations, estimated if calls are sampled: each timed hit counts for its whole stratum, so that the
    /// estimate is off by the stratum that each thread is in, up to 512 hits with [`AUTO`](crate::SamplingRate::AUTO).
    pub fn count(&self) -> Option<u64> {
        Some(self.histogram.count()).filter(|count| *count > 0)
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> Option<T> {
        let count = self.count()?;
        Some(T::from_units(self.histogram.sum as f64 / count as f64))
    }

    /// The smallest observation; in a window the lower bound of its bucket.
    pub fn min(&self) -> Option<T> {
        self.extremes().map(|(min, _)| T::from_units(min as f64))
    }

    /// The largest observation; in a window the upper bound of its bucket.
    pub fn max(&self) -> Option<T> {
        self.extremes().map(|(_, max)| T::from_units(max as f64))
    }

    /// The smallest value that a share `q` of all observations does not exceed: 0.5 is the median.
    ///
    /// Absent also for `q` outside 0..=1.
    pub fn quantile(&self, q: f64) -> Option<T> {
        let rank = self.rank(q)?.ceil().max(1.0);
        let (index, _) = self.histogram.at_rank(rank)?;
        // The middle of the bucket on a logarithmic scale: no value in it is farther than a factor of 2^(1/32).
        self.value(index, 0.5)
    }

    /// The median.
    pub fn p50(&self) -> Option<T> {
        self.quantile(0.5)
    }

    /// The 90th percentile.
    pub fn p90(&self) -> Option<T> {
        self.quantile(0.9)
    }

    /// The 99th percentile.
    pub fn p99(&self) -> Option<T> {
        self.quantile(0.99)
    }

    /// The 95 % confidence interval of the quantile of *all* observations, sampled or not.
    ///
    /// Absent if too few were sampled to bound it on both sides. If everything was observed, or sampling leaves less
    /// doubt than the buckets, it is the bucket.
    ///
    /// After Woodruff, "Confidence intervals for medians and other position measures", JASA 47 (1952): the interval
    /// for the quantile is read off the distribution at q ± 1.96 · s, where s is the standard error of the observed
    /// share of values below the true quantile. A call sampled with probability p and weight w has a total weight of
    /// mean 1 and variance E(p·w²) − 1, so that s² = q · (1 − q) · Σ w·(w − 1) / (Σ w)².
    pub fn interval(&self, q: f64) -> Option<(T, T)> {
        let rank = self.rank(q)?;
        let margin = Z * (q * (1.0 - q) * self.histogram.excess as f64).sqrt();
        let total = self.histogram.count() as f64;
        let bounded = rank - margin > 0.0 && rank + margin < total;
        if self.histogram.excess > 0 && !bounded {
            return None;
        }
        let (index, _) = self.histogram.at_rank(rank.ceil().max(1.0))?;
        let (bucket_lower, bucket_upper) = (self.units(index, 0.0)?, self.units(index, 1.0)?);
        let (lower, position) = self.histogram.at_rank(rank - margin)?;
        let lower = self.units(lower, position)?.min(bucket_lower);
        let (upper, position) = self.histogram.at_rank(rank + margin)?;
        let upper = self.units(upper, position)?.max(bucket_upper);
        Some((T::from_units(lower), T::from_units(upper)))
    }

    fn rank(&self, q: f64) -> Option<f64> {
        (0.0..=1.0)
            .contains(&q)
            .then(|| q * self.histogram.count() as f64)
    }

    fn value(&self, index: i32, position: f64) -> Option<T> {
        self.units(index, position).map(T::from_units)
    }

    /// A position in a bucket, but never outside the observed extremes.
    fn units(&self, index: i32, position: f64) -> Option<f64> {
        let (min, max) = self.extremes()?;
        Some(
            T::scale()
                .value(index, position)
                .max(min as f64)
                .min(max as f64),
        )
    }

    fn extremes(&self) -> Option<(u64, u64)> {
        self.histogram.extremes(T::scale())
    }
}

/// The 97.5 % point of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

impl<T> Clone for Distribution<T> {
    fn clone(&self) -> Self {
        Self {
            histogram: self.histogram.clone(),
            unit: PhantomData,
        }
    }
}

impl<T: Unit + fmt::Debug> fmt::Debug for Distribution<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distribution")
            .field("count", &self.count())
            .field("mean", &self.mean())
            .field("p50", &self.p50())
            .field("p99", &self.p99())
            .field("max", &self.max())
            .finish()
    }
}
