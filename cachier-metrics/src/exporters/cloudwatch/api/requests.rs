//! Data in requests. Pure.

use std::time::SystemTime;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};

use crate::exporters::cloudwatch::datum::{Datum, DatumValue};
use crate::exporters::deltas::Delta;

/// The data of one call.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) data: Vec<MetricDatum>,
    /// How large it is at most, in bytes.
    pub(super) size: usize,
    /// The deltas of its data.
    pub(super) deltas: Vec<Delta>,
}

/// The service's limit of values of a metric.
pub(super) const MAX_VALUES: usize = 150;
/// The service's limit of metrics of a request.
const MAX_METRICS: usize = 1000;
/// Bytes of a request: the service's 1 MB, less some room for the head.
const MAX_SIZE: usize = 1_000_000;
/// The most that a number takes in CBOR, and names of fields.
const NUMBER_SIZE: usize = 9;
const DATUM_SIZE: usize = 128;
const DIMENSION_SIZE: usize = 32;

/// Requests within the limits of the service, in this order.
pub(super) fn requests(data: Vec<Datum>, time: SystemTime) -> Vec<Request> {
    let mut requests = Vec::<Request>::new();
    for datum in data {
        let size = size(&datum);
        let fits = |request: &&mut Request| {
            request.data.len() < MAX_METRICS && request.size + size <= MAX_SIZE
        };
        let request = match requests.last_mut().filter(fits) {
            Some(request) => request,
            None => requests.push_mut(Request::default()),
        };
        request.size += size;
        request.data.push(metric(&datum, time));
        request.deltas.extend(datum.deltas);
    }
    requests
}

fn size(datum: &Datum) -> usize {
    let dimensions = datum.dimensions.iter();
    let dimensions = dimensions.map(|(name, value)| DIMENSION_SIZE + name.len() + value.len());
    let numbers = match &datum.value {
        DatumValue::Number(_) => 1,
        DatumValue::Distribution(distribution) => 2 * distribution.values.len(),
    };
    DATUM_SIZE + datum.name.len() + dimensions.sum::<usize>() + numbers * NUMBER_SIZE
}

fn metric(datum: &Datum, time: SystemTime) -> MetricDatum {
    let dimensions = datum.dimensions.iter();
    let dimensions =
        dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
    let metric = MetricDatum::builder()
        .metric_name(&datum.name)
        .unit(StandardUnit::from(datum.unit))
        .timestamp(DateTime::from(time))
        .set_dimensions(Some(dimensions.collect()));
    match &datum.value {
        DatumValue::Number(number) => metric.value(*number),
        DatumValue::Distribution(distribution) => metric
            .set_values(Some(distribution.values.clone()))
            .set_counts(Some(distribution.counts.clone())),
    }
    .build()
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn requests_are_full_but_no_larger() {
        let datum = |length: usize| Datum {
            name: "x".repeat(length),
            unit: "Count",
            dimensions: vec![("Function".to_owned(), "f".to_owned())],
            value: DatumValue::Number(1.0),
            deltas: Vec::new(),
        };
        let sizes = |data: Vec<Datum>| {
            let requests = requests(data, SystemTime::now());
            assert!(requests.iter().all(|request| request.size <= MAX_SIZE));
            requests
                .iter()
                .map(|request| request.data.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            sizes((0..2500).map(|_| datum(10)).collect()),
            [1000, 1000, 500]
        );
        assert_eq!(sizes((0..25).map(|_| datum(100_000)).collect()), [9, 9, 7]);
    }
}
