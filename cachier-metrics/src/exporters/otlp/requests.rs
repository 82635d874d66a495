//! The translation of an export into requests of OTLP. Pure.

use std::mem::take;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::names::{name, unit};
use super::temporality::{Delta, SentTotals, Temporality, Total};
use crate::exporters::buckets::MAX_NATIVE_BUCKETS;
use crate::exporters::export::Export;
use crate::exporters::family::{MetricFamily, MetricKind, MetricUnit, Sample, SampleValue};
use crate::exporters::series::Series;
use crate::histogram::{ExponentialBuckets, Histogram};

/// Part of an export, small enough for any receiver.
#[derive(Debug, Default)]
pub(super) struct Batch {
    metrics: Vec<Metric>,
    /// How many points it has.
    points: usize,
    /// The totals that count as received once the batch is.
    totals: Vec<(Series, Total)>,
}

/// The most points of a request. The largest are a kilobyte, and gRPC receivers take 4 MB unless told otherwise.
const MAX_POINTS: usize = 2_000;
/// The instrumentation scope that receivers show.
const SCOPE: &str = env!("CARGO_PKG_NAME");

/// The points of an export that are to be sent.
pub(super) fn batches(
    export: &Export,
    temporality: Temporality,
    received: &SentTotals,
) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut batch = Batch::default();
    for family in export.families() {
        for is_delta in [false, true] {
            let samples = family.samples.iter();
            let mut samples = samples
                .filter(|sample| temporality.is_delta(family.kind, sample) == is_delta)
                .peekable();
            while samples.peek().is_some() {
                let room = MAX_POINTS - batch.points;
                let some = samples.by_ref().take(room);
                match is_delta {
                    false => batch.add(&family, export.time(), some),
                    true => batch.add_deltas(&family, export.time(), some, received),
                }
                if batch.points == MAX_POINTS {
                    batches.push(take(&mut batch));
                }
            }
        }
    }
    batches.extend((batch.points > 0).then_some(batch));
    batches
}

impl Batch {
    /// The message, and the totals that count as received once it is.
    pub(super) fn request(
        self,
        resource: &Resource,
    ) -> (Vec<(Series, Total)>, ExportMetricsServiceRequest) {
        let scope = InstrumentationScope {
            name: SCOPE.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let message = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(scope),
                    metrics: self.metrics,
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        };
        (self.totals, message)
    }

    /// Adds the totals of these samples.
    fn add<'a>(
        &mut self,
        family: &MetricFamily<'_>,
        time: SystemTime,
        samples: impl Iterator<Item = &'a Sample<'a>>,
    ) {
        let mut points = Points::of(family, AggregationTemporality::Cumulative);
        samples.for_each(|sample| points.add(sample, &sample.value, sample.start, time));
        self.push(family, points);
    }

    /// Adds the growth of these samples since they were last received.
    fn add_deltas<'a>(
        &mut self,
        family: &MetricFamily<'_>,
        time: SystemTime,
        samples: impl Iterator<Item = &'a Sample<'a>>,
        received: &SentTotals,
    ) {
        let mut points = Points::of(family, AggregationTemporality::Delta);
        for sample in samples {
            let series = Series::of(family, sample);
            if let Some(Delta { value, start }) = received.delta(&series, sample) {
                points.add(sample, &value, start, time);
                self.totals.push((series, Total::of(sample, time)));
            }
        }
        self.push(family, points);
    }

    fn push(&mut self, family: &MetricFamily<'_>, points: Points) {
        if points.count > 0 {
            self.points += points.count;
            self.metrics.push(Metric {
                name: name(family),
                description: family.help.to_owned(),
                unit: unit(family).to_owned(),
                data: Some(points.data),
                ..Metric::default()
            });
        }
    }
}

/// The points of a metric.
struct Points {
    unit: MetricUnit,
    data: Data,
    count: usize,
}

impl Points {
    fn of(family: &MetricFamily<'_>, temporality: AggregationTemporality) -> Self {
        let aggregation_temporality = temporality.into();
        let data_points = Vec::new();
        let data = match family.kind {
            MetricKind::Gauge => Data::Gauge(Gauge::default()),
            MetricKind::Counter => Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic: true,
            }),
            MetricKind::Histogram => Data::ExponentialHistogram(ExponentialHistogram {
                data_points: Vec::new(),
                aggregation_temporality,
            }),
        };
        Self {
            unit: family.unit,
            data,
            count: 0,
        }
    }

    /// A point of what counted from `start` to `end`.
    fn add(
        &mut self,
        sample: &Sample<'_>,
        value: &SampleValue<'_>,
        start: Option<SystemTime>,
        end: SystemTime,
    ) {
        let mut number = NumberDataPoint {
            attributes: attributes(&sample.labels),
            start_time_unix_nano: start.map(nanos).unwrap_or_default(),
            time_unix_nano: nanos(end),
            ..NumberDataPoint::default()
        };
        match (&mut self.data, value) {
            (Data::ExponentialHistogram(data), SampleValue::Histogram(histogram)) => {
                let point = histogram_point(number, histogram, self.unit);
                data.data_points.push(point);
            }
            (Data::Sum(data), value) => {
                number.value = figure(value);
                data.data_points.push(number);
            }
            (Data::Gauge(data), value) => {
                number.start_time_unix_nano = 0;
                number.value = figure(value);
                data.data_points.push(number);
            }
            // Metrics are of no other kinds.
            _ => return,
        }
        self.count += 1;
    }
}

/// Whole numbers stay whole.
fn figure(value: &SampleValue<'_>) -> Option<number_data_point::Value> {
    match value {
        SampleValue::Count(count) => Some(number_data_point::Value::AsInt(
            i64::try_from(*count).unwrap_or(i64::MAX),
        )),
        SampleValue::Number(number) => Some(number_data_point::Value::AsDouble(*number)),
        SampleValue::Histogram(_) => None,
    }
}

/// The same buckets as in the program, or pairs of them merged where there are too many.
fn histogram_point(
    point: NumberDataPoint,
    histogram: &Histogram,
    unit: MetricUnit,
) -> ExponentialHistogramDataPoint {
    let buckets = histogram.exponential(MAX_NATIVE_BUCKETS);
    let known = |extreme: u64, is_known: bool| is_known.then_some(unit.from_raw(extreme as f64));
    ExponentialHistogramDataPoint {
        attributes: point.attributes,
        start_time_unix_nano: point.start_time_unix_nano,
        time_unix_nano: point.time_unix_nano,
        count: histogram.count(),
        sum: Some(unit.from_raw(histogram.sum as f64)),
        scale: buckets.schema,
        positive: Some(dense(&buckets)),
        min: known(histogram.min, histogram.min != u64::MAX),
        max: known(histogram.max, histogram.max > 0 || histogram.min == 0),
        ..ExponentialHistogramDataPoint::default()
    }
}

/// All buckets from the first to the last that is not empty. Buckets have upper bounds here and lower ones in OTLP,
/// whose indices are one less.
fn dense(buckets: &ExponentialBuckets) -> Buckets {
    let all = &buckets.buckets;
    let (Some(first), Some(last)) = (all.first(), all.last()) else {
        return Buckets::default();
    };
    let place = |index: i32| index.abs_diff(first.index) as usize;
    let mut bucket_counts = vec![0; place(last.index) + 1];
    for bucket in all {
        bucket_counts[place(bucket.index)] = bucket.count;
    }
    Buckets {
        offset: first.index - 1,
        bucket_counts,
    }
}

/// Attributes of points, or of a resource.
pub(super) fn attributes<K: AsRef<str>, V: AsRef<str>>(labels: &[(K, V)]) -> Vec<KeyValue> {
    let attribute = |(key, value): &(K, V)| KeyValue {
        key: key.as_ref().to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.as_ref().to_owned())),
        }),
        ..KeyValue::default()
    };
    labels.iter().map(attribute).collect()
}

/// Nanoseconds since 1970.
fn nanos(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::exporters::budget::Extent;
    use crate::histogram::Bucket;

    fn points(kind: MetricKind, value: SampleValue<'_>) -> Points {
        let family = MetricFamily {
            name: "f",
            unit: MetricUnit::None,
            kind,
            help: "",
            samples: Vec::new(),
            buckets: &[],
            prefix: "",
        };
        let sample = Sample {
            labels: Vec::new(),
            value,
            start: None,
            extent: Extent::Full,
            #[cfg(feature = "prometheus")]
            exemplars: &[],
        };
        let mut points = Points::of(&family, AggregationTemporality::Cumulative);
        points.add(&sample, &sample.value, None, UNIX_EPOCH);
        points
    }

    #[test]
    fn points_have_the_kind_of_their_metric() {
        let histogram = || SampleValue::Histogram(Cow::Owned(Histogram::default()));
        let count = || SampleValue::Count(3);
        assert_eq!(points(MetricKind::Histogram, histogram()).count, 1);
        assert_eq!(points(MetricKind::Counter, count()).count, 1);
        assert_eq!(points(MetricKind::Gauge, count()).count, 1);
        assert_eq!(points(MetricKind::Histogram, count()).count, 0);
        assert_eq!(figure(&histogram()), None);
    }

    #[test]
    fn buckets_have_the_bounds_of_the_program() {
        let histogram = Histogram {
            buckets: [-3, 0, 1].map(|index| Bucket::new(index, 2)).to_vec(),
            ..Histogram::default()
        };
        let dense = dense(&histogram.exponential(160));
        assert_eq!(
            (dense.offset, dense.bucket_counts),
            (-4, vec![2, 0, 0, 2, 2])
        );
    }

    /// No observation is lost, and no bucket has others than those that it was merged of.
    #[test]
    fn too_many_buckets_are_merged_in_pairs() {
        let histogram = Histogram {
            buckets: (-430..312).map(|index| Bucket::new(index, 1)).collect(),
            sum: 7_000_000_000,
            ..Histogram::default()
        };
        let point = histogram_point(NumberDataPoint::default(), &histogram, MetricUnit::Seconds);
        let counts = point
            .positive
            .map(|buckets| buckets.bucket_counts)
            .unwrap_or_default();
        assert!(counts.len() <= 160, "{}", counts.len());
        assert_eq!(
            (point.scale, point.count, counts.iter().sum()),
            (1, 742, 742_u64)
        );
        assert_eq!((point.sum, point.min, point.max), (Some(7.0), None, None));
    }

    #[test]
    fn histograms_are_no_single_figure() {
        let whole = figure(&SampleValue::Count(3));
        assert_eq!(whole, Some(number_data_point::Value::AsInt(3)));
        let part = figure(&SampleValue::Number(0.5));
        assert_eq!(part, Some(number_data_point::Value::AsDouble(0.5)));
        let histogram = Cow::Owned(Histogram::default());
        assert_eq!(figure(&SampleValue::Histogram(histogram)), None);
    }
}
