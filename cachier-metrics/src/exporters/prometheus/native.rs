//! Histograms as the native ones of Prometheus: runs of buckets, each count as the difference to the one before. Pure.

use crate::exporters::buckets::MAX_NATIVE_BUCKETS;
use crate::histogram::{ExponentialBuckets, Histogram};

/// Below any observation. Prometheus takes a histogram without one, and without observations, for a classic one.
pub(super) const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;

/// The buckets of a native histogram.
pub(super) struct Native {
    pub(super) schema: i32,
    /// Where each run begins, counted from the end of the one before, and its length.
    pub(super) spans: Vec<(i32, u32)>,
    pub(super) deltas: Vec<i64>,
}

impl Native {
    pub(super) fn of(histogram: &Histogram) -> Self {
        let buckets = histogram.exponential(MAX_NATIVE_BUCKETS);
        Self {
            schema: buckets.schema,
            spans: spans(&buckets),
            deltas: deltas(&buckets),
        }
    }
}

fn spans(native: &ExponentialBuckets) -> Vec<(i32, u32)> {
    let mut spans: Vec<(i32, u32)> = Vec::new();
    let mut next = 0;
    for bucket in &native.buckets {
        match spans.last_mut() {
            Some((_, length)) if bucket.index == next => *length += 1,
            _ => spans.push((bucket.index - next, 1)),
        }
        next = bucket.index + 1;
    }
    spans
}

fn deltas(native: &ExponentialBuckets) -> Vec<i64> {
    let mut before = 0;
    let deltas = native.buckets.iter().map(|bucket| {
        let count = i64::try_from(bucket.count).unwrap_or(i64::MAX);
        let delta = count - before;
        before = count;
        delta
    });
    deltas.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Bucket;

    #[test]
    fn spans_are_runs_of_buckets() {
        let buckets = [(-5, 1), (-4, 4), (0, 2), (1, 2), (2, 9), (9, 1)];
        let histogram = Histogram {
            buckets: buckets
                .map(|(index, count)| Bucket { index, count })
                .to_vec(),
            ..Histogram::default()
        };
        let native = Native::of(&histogram);
        assert_eq!(native.spans, [(-5, 2), (3, 3), (6, 1)]);
        assert_eq!(native.deltas, [1, 3, -2, 0, 7, -8]);
    }
}
