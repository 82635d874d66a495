//! The protobuf format of Prometheus, with native histograms.
//!
//! Not by the crate `prometheus-client`: it has no start timestamps of counters, and its build needs a compiler of protobuf,
//! for what is a few numbered fields here. The numbers are those of `io/prometheus/client/metrics.proto`.

use std::time::{SystemTime, UNIX_EPOCH};

use super::native::{Native, ZERO_THRESHOLD};
use crate::exemplars::{Observed, between};
use crate::exporters::buckets::{Detail, INDICES_PER_POWER};
use crate::exporters::export::Export;
use crate::exporters::family::{MetricFamily, MetricKind, MetricUnit, Sample, SampleValue};
use crate::histogram::Histogram;

/// All figures of an export: a message for each family, each behind its length.
pub(super) fn render(export: &Export, detail: Detail) -> Vec<u8> {
    let mut all = Message::default();
    for family in export.families() {
        all.delimited(&message(&family, detail));
    }
    all.0
}

/// A `MetricFamily`.
fn message(family: &MetricFamily<'_>, detail: Detail) -> Message {
    let mut message = Message::default();
    message.text(1, &family.full_name());
    message.text(2, family.help);
    message.number(
        3,
        match family.kind {
            MetricKind::Counter => 0,
            MetricKind::Gauge => 1,
            MetricKind::Histogram => 4,
        },
    );
    let powers = detail.powers(family.buckets);
    for sample in &family.samples {
        message.message(4, &metric(family, sample, &powers));
    }
    let unit = match family.unit {
        MetricUnit::Seconds => "seconds",
        MetricUnit::Bytes => "bytes",
        MetricUnit::None => "",
    };
    message.text(5, unit);
    message
}

/// A `Metric`.
fn metric(family: &MetricFamily<'_>, sample: &Sample<'_>, powers: &[i32]) -> Message {
    let mut metric = Message::default();
    for (name, value) in &sample.labels {
        metric.message(1, &label(name, value));
    }
    let start = sample.start.map(timestamp);
    let value = match &sample.value {
        SampleValue::Count(count) => *count as f64,
        SampleValue::Number(number) => *number,
        SampleValue::Histogram(histogram) => {
            let mut histogram = histogram_message(family.unit, histogram, powers, sample.exemplars);
            start.iter().for_each(|start| histogram.message(15, start));
            metric.message(7, &histogram);
            return metric;
        }
    };
    let mut figure = Message::default();
    figure.double(1, value);
    if family.kind == MetricKind::Counter {
        start.iter().for_each(|start| figure.message(3, start));
        metric.message(3, &figure);
    } else {
        metric.message(2, &figure);
    }
    metric
}

/// A `Histogram`, classic and native.
fn histogram_message(
    unit: MetricUnit,
    histogram: &Histogram,
    powers: &[i32],
    exemplars: &[Observed],
) -> Message {
    let mut message = Message::default();
    message.number(1, histogram.count());
    message.double(2, unit.from_raw(histogram.sum as f64));
    let mut above = f64::NEG_INFINITY;
    for power in powers {
        let (count, upto) = (
            histogram.count_up_to(power * INDICES_PER_POWER),
            4_f64.powi(*power),
        );
        message.message(3, &bucket(count, upto, between(exemplars, above, upto)));
        above = upto;
    }
    // Which goes without saying where there is no exemplar for it.
    if let Some(beyond) = between(exemplars, above, f64::INFINITY) {
        message.message(3, &bucket(histogram.count(), f64::INFINITY, Some(beyond)));
    }
    let native = Native::of(histogram);
    message.signed(5, native.schema.into());
    message.double(6, ZERO_THRESHOLD);
    for (offset, length) in native.spans {
        let mut span = Message::default();
        span.signed(1, offset.into());
        span.number(2, length.into());
        message.message(12, &span);
    }
    for delta in native.deltas {
        message.signed(13, delta);
    }
    for observed in exemplars {
        message.message(16, &exemplar(observed));
    }
    message
}

/// A classic `Bucket`.
fn bucket(count: u64, upto: f64, observed: Option<&Observed>) -> Message {
    let mut bucket = Message::default();
    bucket.number(1, count);
    bucket.double(2, upto);
    observed
        .map(exemplar)
        .iter()
        .for_each(|exemplar| bucket.message(3, exemplar));
    bucket
}

/// An `Exemplar`.
fn exemplar(observed: &Observed) -> Message {
    let mut message = Message::default();
    for (name, value) in observed.exemplar.labels() {
        message.message(1, &label(name, value));
    }
    message.double(2, observed.duration.as_secs_f64());
    message.message(3, &timestamp(observed.time));
    message
}

/// A `LabelPair`.
fn label(name: &str, value: &str) -> Message {
    let mut label = Message::default();
    label.text(1, name);
    label.text(2, value);
    label
}

/// A `Timestamp`.
fn timestamp(time: SystemTime) -> Message {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut message = Message::default();
    message.number(1, since_1970.as_secs());
    message.number(2, since_1970.subsec_nanos().into());
    message
}

/// Fields of protobuf, in its encoding.
#[derive(Default)]
struct Message(Vec<u8>);

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const DELIMITED: u64 = 2;

impl Message {
    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3 | VARINT);
        self.varint(value);
    }

    /// In zigzag: small numbers are short, whatever their sign.
    fn signed(&mut self, field: u64, value: i64) {
        self.number(field, ((value << 1) ^ (value >> 63)) as u64);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | FIXED_64);
        self.0.extend(value.to_le_bytes());
    }

    fn text(&mut self, field: u64, text: &str) {
        self.varint(field << 3 | DELIMITED);
        self.bytes(text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.varint(field << 3 | DELIMITED);
        self.delimited(message);
    }

    fn delimited(&mut self, message: &Self) {
        self.bytes(&message.0);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    /// Seven bits in each byte, the lowest first.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_fewest_bytes() {
        let mut message = Message::default();
        message.number(1, 150);
        message.signed(2, -2);
        message.text(3, "a");
        message.double(4, 1.0);
        let double = [0x21, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f];
        let begin = [0x08, 0x96, 0x01, 0x10, 0x03, 0x1a, 0x01, b'a'];
        assert_eq!(message.0, [&begin[..], &double[..]].concat());
    }
}
