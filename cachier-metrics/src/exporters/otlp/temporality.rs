//! Since when figures count: since the beginning, or since they were last received.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::SystemTime;

use crate::exporters::family::{MetricKind, Sample, SampleValue};
use crate::exporters::series::Series;

/// Since when the counters and histograms count that OTLP carries. Gauges have none.
///
/// ```
/// use cachier_metrics::{OtlpExporter, Temporality};
///
/// let exporter = OtlpExporter::builder().temporality(Temporality::Delta).build()?;
/// # drop(exporter);
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Temporality {
    /// Since counting began: what Prometheus and most collectors want.
    #[default]
    Cumulative,
    /// Since they were last received. The rest comes with the next push, so that a receiver that was away misses
    /// nothing.
    Delta,
    /// As delta where calls count, cumulative where figures are only read: those of stores and of the exporter itself.
    LowMemory,
}

impl Temporality {
    /// Whether a figure goes out as the difference to the last one.
    pub(super) fn is_delta(self, kind: MetricKind, sample: &Sample<'_>) -> bool {
        // Counters of the program have a start; readings have none.
        let is_read = sample.start.is_none() && kind == MetricKind::Counter;
        kind != MetricKind::Gauge
            && match self {
                Self::Cumulative => false,
                Self::Delta => true,
                Self::LowMemory => !is_read,
            }
    }
}

/// The total of each series when it was last received.
#[derive(Clone, Debug, Default)]
pub(super) struct SentTotals(HashMap<Series, Total>);

/// A total as it was at some moment.
#[derive(Clone, Debug)]
pub(super) struct Total {
    value: SampleValue<'static>,
    time: SystemTime,
}

/// The growth of a series in an interval.
pub(super) struct Delta<'a> {
    pub(super) value: SampleValue<'a>,
    /// Where the interval begins, if it is known.
    pub(super) start: Option<SystemTime>,
}

impl SentTotals {
    /// The growth of a series since it was last received; none if there is none.
    pub(super) fn delta<'a>(&self, series: &Series, sample: &'a Sample<'a>) -> Option<Delta<'a>> {
        let Some(last) = self.0.get(series) else {
            return Some(Delta {
                value: sample.value.clone(),
                start: sample.start,
            });
        };
        let value = since(&sample.value, &last.value)?;
        let start = Some(last.time);
        Some(Delta { value, start })
    }

    /// These totals have been received.
    pub(super) fn extend(&mut self, totals: impl IntoIterator<Item = (Series, Total)>) {
        self.0.extend(totals);
    }
}

impl Total {
    pub(super) fn of(sample: &Sample<'_>, time: SystemTime) -> Self {
        let value = match &sample.value {
            SampleValue::Count(count) => SampleValue::Count(*count),
            SampleValue::Number(number) => SampleValue::Number(*number),
            SampleValue::Histogram(histogram) => {
                SampleValue::Histogram(Cow::Owned(histogram.clone().into_owned()))
            }
        };
        Self { value, time }
    }
}

/// The growth of a total; none if there is none. Totals only ever grow.
fn since<'a>(value: &SampleValue<'a>, last: &SampleValue<'_>) -> Option<SampleValue<'a>> {
    match (value, last) {
        (SampleValue::Count(count), SampleValue::Count(last)) => {
            let more = count.saturating_sub(*last);
            (more > 0).then_some(SampleValue::Count(more))
        }
        (SampleValue::Number(number), SampleValue::Number(last)) => {
            let more = number - last;
            (more > 0.0).then_some(SampleValue::Number(more))
        }
        (SampleValue::Histogram(histogram), SampleValue::Histogram(last)) => {
            let more = histogram.since(last);
            (!more.is_empty()).then_some(SampleValue::Histogram(Cow::Owned(more)))
        }
        // All values of a series are of one kind.
        _ => None,
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::exporters::budget::Extent;
    use crate::histogram::{Bucket, Histogram};

    fn sample(value: SampleValue<'_>) -> Sample<'_> {
        Sample {
            labels: vec![("function", "f")],
            value,
            start: Some(UNIX_EPOCH),
            extent: Extent::Full,
            #[cfg(feature = "prometheus")]
            exemplars: &[],
        }
    }

    fn histogram(count: u64) -> SampleValue<'static> {
        let histogram = Histogram {
            buckets: vec![Bucket::new(3, count)],
            ..Histogram::default()
        };
        SampleValue::Histogram(Cow::Owned(histogram))
    }

    #[test]
    fn deltas_are_to_what_was_received() {
        use SampleValue::{Count, Number};

        let later = UNIX_EPOCH + std::time::Duration::from_secs(60);
        for (first, second, more) in [
            (Count(2), Count(5), Some(Count(3))),
            (Count(2), Count(2), None),
            (Count(2), Count(1), None),
            (Number(2.0), Number(2.5), Some(Number(0.5))),
            (Number(2.0), Number(2.0), None),
            (histogram(2), histogram(7), Some(histogram(5))),
            (histogram(2), histogram(2), None),
            (Count(2), Number(3.0), None),
        ] {
            let (first, second) = (sample(first), sample(second));
            let series = Series::named("calls");
            let mut received = SentTotals::default();
            let whole = received.delta(&series, &first).map(|d| (d.value, d.start));
            assert_eq!(whole, Some((first.value.clone(), Some(UNIX_EPOCH))));
            received.extend([(series.clone(), Total::of(&first, later))]);
            let delta = received.delta(&series, &second);
            assert_eq!(
                delta.map(|d| (d.value, d.start)),
                more.map(|more| (more, Some(later))),
            );
        }
    }

    #[test]
    fn temporality_depends_on_metric_kind_and_preference() {
        use MetricKind::{Counter, Gauge, Histogram};

        let counted = sample(SampleValue::Count(1));
        let read = Sample {
            start: None,
            ..counted.clone()
        };
        let of = |temporality: Temporality| {
            let deltas = [
                (Gauge, &counted),
                (Counter, &counted),
                (Counter, &read),
                (Histogram, &read),
            ];
            deltas.map(|(kind, sample)| temporality.is_delta(kind, sample))
        };
        assert_eq!(of(Temporality::Cumulative), [false; 4]);
        assert_eq!(of(Temporality::Delta), [false, true, true, true]);
        assert_eq!(of(Temporality::LowMemory), [false, true, false, true]);
    }
}
