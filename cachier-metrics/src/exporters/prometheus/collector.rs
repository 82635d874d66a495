//! The figures as a part of what the crate `prometheus-client` exports.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, MetricEncoder, NativeHistogram, NativeHistogramBuckets, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Unit;

use super::native::{Native, ZERO_THRESHOLD};
use super::view::View;
use crate::exporters::buckets::INDICES_PER_POWER;
use crate::exporters::budget::Extent;
use crate::exporters::family::{MetricFamily, MetricKind, MetricUnit, Sample, SampleValue};
use crate::histogram::Histogram;

/// Shows what an exporter shows.
#[derive(Debug)]
pub(super) struct ViewCollector(pub(super) Arc<View>);

impl Collector for ViewCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let export = self.0.registry.gather().named(self.0.naming);
        let mut families = export.families();
        families.try_for_each(|family| self.family(&family, &mut encoder))
    }
}

impl ViewCollector {
    /// The encoder adds the unit and `_total` to the name, and the registry's prefix and labels.
    fn family(
        &self,
        family: &MetricFamily<'_>,
        encoder: &mut DescriptorEncoder<'_>,
    ) -> fmt::Result {
        let unit = match family.unit {
            MetricUnit::Seconds => Some(Unit::Seconds),
            MetricUnit::Bytes => Some(Unit::Bytes),
            MetricUnit::None => None,
        };
        let kind = match family.kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Gauge => MetricType::Gauge,
            MetricKind::Histogram => MetricType::Histogram,
        };
        let name = family.prefixed_name();
        let mut metric = encoder.encode_descriptor(&name, family.help, unit.as_ref(), kind)?;
        let powers = self.0.detail.powers(family.buckets);
        let mut samples = family.samples.iter();
        samples.try_for_each(|sample| {
            let metric = metric.encode_family(&sample.labels)?;
            encode(family, sample, &powers, metric)
        })
    }
}

fn encode(
    family: &MetricFamily<'_>,
    sample: &Sample<'_>,
    powers: &[i32],
    mut metric: MetricEncoder<'_>,
) -> fmt::Result {
    match (&sample.value, family.kind) {
        (SampleValue::Count(count), MetricKind::Counter) => {
            metric.encode_counter(count, None::<&Exemplar<NoLabelSet, f64>>)
        }
        (SampleValue::Number(number), MetricKind::Counter) => {
            metric.encode_counter(number, None::<&Exemplar<NoLabelSet, f64>>)
        }
        (SampleValue::Count(count), _) => metric.encode_gauge(count),
        (SampleValue::Number(number), _) => metric.encode_gauge(number),
        (SampleValue::Histogram(histogram), _) => {
            let powers = match sample.extent {
                Extent::Full => powers,
                _ => &[],
            };
            let sum = family.unit.from_raw(histogram.sum as f64);
            let buckets = buckets(histogram, powers);
            let native = Native::of(histogram);
            let none = NativeHistogramBuckets {
                spans: &[],
                deltas: &[],
            };
            let positive = NativeHistogramBuckets {
                spans: &native.spans,
                deltas: &native.deltas,
            };
            let native = NativeHistogram {
                schema: native.schema,
                zero_threshold: ZERO_THRESHOLD,
                zero_count: 0,
                negative: none,
                positive,
                created: sample.start,
            };
            let count = histogram.count();
            metric.encode_histogram_with_native::<NoLabelSet>(sum, count, &buckets, None, native)
        }
    }
}

/// Upper bounds, and the counts between them: the encoder adds up.
fn buckets(histogram: &Histogram, powers: &[i32]) -> Vec<(f64, u64)> {
    let bounds = powers.iter().map(|power| {
        let count = histogram.count_up_to(power * INDICES_PER_POWER);
        (4_f64.powi(*power), count)
    });
    let mut below = 0;
    let all = bounds.chain([(f64::INFINITY, histogram.count())]);
    all.map(|(bound, count)| {
        let between = count - below;
        below = count;
        (bound, between)
    })
    .collect()
}
