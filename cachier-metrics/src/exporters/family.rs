//! The input of exporters: metrics, each with its samples.

use std::borrow::Cow;
use std::time::SystemTime;

use super::budget::Extent;
#[cfg(feature = "prometheus")]
use crate::exemplars::Observed;
use crate::histogram::Histogram;

/// A metric of the catalogue, with a sample for each set of labels.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricKind, MetricUnit, MetricsOptions, MetricsRegistry};
///
/// let registry = MetricsRegistry::new("mine");
/// registry.register_function(CacheMetrics::create(MetricsOptions::new("forecast", "memory")));
/// let export = registry.gather();
/// let calls = export.families().next().unwrap();
/// assert_eq!((calls.name, calls.full_name()), ("calls", "cachier_calls_total".to_owned()));
/// assert_eq!((calls.kind, calls.unit), (MetricKind::Counter, MetricUnit::None));
/// assert_eq!(calls.samples.len(), 6); // one for each outcome
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MetricFamily<'a> {
    /// Without prefix, unit, and `_total`: `call_duration`.
    pub name: &'static str,
    /// The unit of its values.
    pub unit: MetricUnit,
    /// How its values behave over time.
    pub kind: MetricKind,
    /// Its meaning, in a sentence.
    pub help: &'static str,
    /// At least one.
    pub samples: Vec<Sample<'a>>,
    /// For a histogram: the powers of four with classic buckets, in base units.
    #[cfg_attr(not(feature = "prometheus"), expect(dead_code))]
    pub(crate) buckets: &'static [i32],
    pub(crate) prefix: &'a str,
}

/// A figure with its labels.
///
/// ```
/// use cachier_metrics::{Sample, SampleValue};
///
/// fn line(sample: &Sample<'_>) -> String {
///     let labels: Vec<_> = sample.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
///     match &sample.value {
///         SampleValue::Count(count) => format!("{} {count}", labels.join(",")),
///         SampleValue::Number(number) => format!("{} {number}", labels.join(",")),
///         SampleValue::Histogram(histogram) => format!("{} {}", labels.join(","), histogram.count()),
///         _ => String::new(),
///     }
/// }
/// # let registry = cachier_metrics::MetricsRegistry::new("mine");
/// # let export = registry.gather();
/// # assert!(export.families().any(|family| line(&family.samples[0]).starts_with("exporter=mine")));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sample<'a> {
    /// Names and values: the constant ones of the exporter, what it is about (`function` and `backend`, or `backend` and
    /// `store`), and those of the metric.
    pub labels: Vec<(&'a str, &'a str)>,
    /// The figure.
    pub value: SampleValue<'a>,
    /// When counting began, where it is known.
    pub start: Option<SystemTime>,
    #[cfg_attr(not(feature = "prometheus"), expect(dead_code))]
    pub(crate) extent: Extent,
    /// Calls that a histogram counts.
    #[cfg(feature = "prometheus")]
    pub(crate) exemplars: &'a [Observed],
}

/// The value of a [`Sample`].
///
/// ```
/// use cachier_metrics::SampleValue;
///
/// fn number(value: &SampleValue<'_>) -> Option<f64> {
///     match value {
///         SampleValue::Count(count) => Some(*count as f64),
///         SampleValue::Number(number) => Some(*number),
///         _ => None, // a histogram
///     }
/// }
///
/// assert_eq!(number(&SampleValue::Count(3)), Some(3.0));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SampleValue<'a> {
    /// A whole number.
    Count(u64),
    /// A number in base units: seconds or bytes.
    Number(f64),
    /// A histogram, in nanoseconds or bytes.
    Histogram(Cow<'a, Histogram>),
}

/// The unit of a metric's values.
///
/// ```
/// use cachier_metrics::MetricUnit;
///
/// assert_eq!(MetricUnit::Seconds.from_raw(1_500_000_000.0), 1.5);
/// assert_eq!(MetricUnit::Bytes.from_raw(2000.0), 2000.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricUnit {
    /// A number of things, or a share.
    None,
    /// Time. Histograms have nanoseconds.
    Seconds,
    /// Sizes.
    Bytes,
}

/// How the values of a metric behave over time.
///
/// ```
/// use cachier_metrics::MetricKind;
///
/// fn goes_up_alone(kind: MetricKind) -> bool {
///     kind != MetricKind::Gauge
/// }
///
/// assert!(goes_up_alone(MetricKind::Counter));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Goes up, and begins at zero with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations by their size, each count a counter.
    Histogram,
}

impl MetricFamily<'_> {
    /// The name with prefix, unit and, of a counter, `_total`, as in the catalogue: `cachier_call_duration_seconds`.
    #[must_use]
    pub fn full_name(&self) -> String {
        let total = match self.kind {
            MetricKind::Counter => "_total",
            _ => "",
        };
        format!("{}{total}", self.base_name())
    }

    /// The name with prefix and unit.
    pub(crate) fn base_name(&self) -> String {
        let unit = match self.unit {
            MetricUnit::None => "",
            MetricUnit::Seconds => "_seconds",
            MetricUnit::Bytes => "_bytes",
        };
        format!("{}{unit}", self.prefixed_name())
    }

    /// The name with prefix.
    pub(crate) fn prefixed_name(&self) -> String {
        let separator = if self.prefix.is_empty() { "" } else { "_" };
        format!("{}{separator}{}", self.prefix, self.name)
    }
}

impl SampleValue<'_> {
    /// Both together.
    pub(crate) fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Count(count), Self::Count(more)) => *count = count.saturating_add(*more),
            (Self::Number(number), Self::Number(more)) => *number += more,
            (Self::Histogram(histogram), Self::Histogram(more)) => histogram.to_mut().merge(more),
            // All values of a metric are of one kind.
            _ => {}
        }
    }
}

impl MetricUnit {
    /// Nanoseconds or bytes, as histograms have them, in base units.
    #[must_use]
    pub fn from_raw(self, raw: f64) -> f64 {
        match self {
            Self::Seconds => raw / 1e9,
            _ => raw,
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_kind_add_up() {
        let sum = |mut one: SampleValue<'static>, other: SampleValue<'static>| {
            one.add(&other);
            one
        };
        use SampleValue::{Count, Number};
        let empty = || SampleValue::Histogram(Cow::Owned(Histogram::default()));
        assert_eq!(sum(empty(), empty()), empty());
        assert_eq!(sum(Count(2), Count(3)), Count(5));
        assert_eq!(sum(Number(2.0), Number(0.5)), Number(2.5));
        assert_eq!(sum(Count(2), Number(0.5)), Count(2));
    }
}
