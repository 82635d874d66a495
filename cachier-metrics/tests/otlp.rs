//! The OpenTelemetry exporter: what it sends.
#![cfg(all(feature = "otel", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use cachier_metrics::*;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, NumberDataPoint,
};

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;
#[path = "support/collector.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod collector;

use busy::{in_use_for_long, metrics, store};
use collector::{Answer, Collector, Received, Speaks};

/// 2024, when the clocks of these functions begin.
const BEGIN: u64 = 1_704_067_200_000_000_000;

fn builder(speaks: Speaks, collector: &Collector) -> OtlpBuilder {
    let builder = OtlpExporter::builder().endpoint(format!("http://{}", collector.address));
    builder.protocol(match speaks {
        Speaks::Http => OtlpProtocol::Http,
        Speaks::Grpc => OtlpProtocol::Grpc,
    })
}

fn labels(attributes: &[KeyValue]) -> Vec<(&str, &str)> {
    attributes
        .iter()
        .map(|attribute| match &attribute.value.as_ref().unwrap().value {
            Some(any_value::Value::StringValue(value)) => (&*attribute.key, &**value),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn number(point: &NumberDataPoint) -> f64 {
    match point.value.unwrap() {
        Value::AsInt(count) => count as f64,
        Value::AsDouble(number) => number,
    }
}

/// All numbers of a metric by their labels.
fn numbers(request: &Received, name: &str) -> BTreeMap<String, f64> {
    let points = match request.metric(name) {
        Some(Data::Sum(sum)) => &sum.data_points,
        Some(Data::Gauge(gauge)) => &gauge.data_points,
        _ => return BTreeMap::new(),
    };
    let points = points.iter().map(|point| {
        let labels = labels(&point.attributes).into_iter().skip(2);
        (labels.map(|(_, value)| value).collect(), number(point))
    });
    points.collect()
}

/// The quantile of a point, in base units: in the middle of its bucket.
fn quantile(point: &ExponentialHistogramDataPoint, quantile: f64) -> f64 {
    let buckets = point.positive.as_ref().unwrap();
    let rank = (quantile * point.count as f64).ceil() as u64;
    let mut below = 0;
    let found = buckets.bucket_counts.iter().position(|count| {
        below += count;
        below >= rank
    });
    let index = buckets.offset + i32::try_from(found.unwrap()).unwrap();
    ((f64::from(index) + 0.5) / f64::from(point.scale).exp2()).exp2()
}

/// Each figure of an export is in the request, the same.
fn has_all_figures(request: &Received, export: &Export) {
    let mut count = 0;
    for family in export.families() {
        if family.name.starts_with("export_") {
            continue; // about the sending itself
        }
        let name = format!("cachier.{}", family.name.replace('_', "."));
        let data = request.metric(&name).unwrap_or_else(|| panic!("no {name}"));
        for sample in &family.samples {
            has_figure(data, &name, family.unit, sample);
            count += 1;
        }
    }
    assert!(count > 100, "{count} figures");
}

fn has_figure(data: &Data, name: &str, unit: MetricUnit, sample: &Sample<'_>) {
    let is_it = |attributes: &[KeyValue]| labels(attributes) == sample.labels;
    match (data, &sample.value) {
        (Data::ExponentialHistogram(data), SampleValue::Histogram(histogram)) => {
            has_histogram(data, name, unit, sample, histogram);
        }
        (Data::Sum(data), value) => {
            let point = data
                .data_points
                .iter()
                .find(|point| is_it(&point.attributes))
                .unwrap();
            assert_eq!(number(point), figure(value), "{name}");
            assert_eq!(point.start_time_unix_nano, start_nanos(sample), "{name}");
            let cumulative = AggregationTemporality::Cumulative as i32;
            assert_eq!(
                (data.aggregation_temporality, data.is_monotonic),
                (cumulative, true),
                "{name}"
            );
        }
        (Data::Gauge(data), value) => {
            let point = data
                .data_points
                .iter()
                .find(|point| is_it(&point.attributes))
                .unwrap();
            assert_eq!(
                (number(point), point.start_time_unix_nano),
                (figure(value), 0),
                "{name}"
            );
        }
        other => panic!("{name}: {other:?}"),
    }
}

fn has_histogram(
    data: &ExponentialHistogram,
    name: &str,
    unit: MetricUnit,
    sample: &Sample<'_>,
    histogram: &Histogram,
) {
    let point = data
        .data_points
        .iter()
        .find(|point| labels(&point.attributes) == sample.labels)
        .unwrap();
    assert_eq!(point.count, histogram.count(), "{name}");
    assert_eq!(
        point.sum,
        Some(unit.from_raw(histogram.sum as f64)),
        "{name}"
    );
    assert_eq!(point.start_time_unix_nano, start_nanos(sample), "{name}");
    let cumulative = AggregationTemporality::Cumulative as i32;
    assert_eq!(data.aggregation_temporality, cumulative, "{name}");
    let buckets = point.positive.as_ref().unwrap();
    let places = (buckets.offset + 1..).zip(&buckets.bucket_counts);
    let all = places.filter(|(_, count)| **count > 0);
    let all: Vec<_> = all
        .map(|(index, count)| Bucket::new(index, *count))
        .collect();
    assert_eq!((point.scale, &all), (4, &histogram.buckets), "{name}");
    assert_eq!(
        point.min,
        Some(unit.from_raw(histogram.min as f64)),
        "{name}"
    );
    assert_eq!(
        point.max,
        Some(unit.from_raw(histogram.max as f64)),
        "{name}"
    );
}

fn start_nanos(sample: &Sample<'_>) -> u64 {
    let start = sample
        .start
        .map(|start| start.duration_since(UNIX_EPOCH).unwrap());
    start.unwrap_or_default().as_nanos() as u64
}

fn figure(value: &SampleValue<'_>) -> f64 {
    match value {
        SampleValue::Count(count) => *count as f64,
        SampleValue::Number(number) => *number,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_receiver_gets_every_figure() {
    let _store = store();
    let (busy, _running) = in_use_for_long("busy");
    for (speaks, path) in [
        (Speaks::Http, "/v1/metrics"),
        (
            Speaks::Grpc,
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        ),
    ] {
        for compression in [OtlpCompression::None, OtlpCompression::Gzip] {
            let collector = Collector::start(speaks, vec![]);
            let builder = builder(speaks, &collector).compression(compression);
            let exporter = builder.header("api-key", "s3cret").build().unwrap();
            exporter.register_function(busy).unwrap();
            exporter.push_once().unwrap();
            let [request] = &*collector.requests() else {
                panic!("one request");
            };
            assert_eq!(
                (&*request.path, request.header("api-key")),
                (path, Some("s3cret"))
            );
            has_all_figures(request, &exporter.registry().gather());
        }
    }
}

#[test]
fn quantiles_are_those_of_the_program() {
    let (metrics, clock) = metrics("quantiles");
    for milliseconds in 1..=100 {
        let compute = metrics.start_compute(Reason::Absent);
        clock.advance(std::time::Duration::from_millis(milliseconds));
        compute.finish(ComputeResult::Value);
    }
    let collector = Collector::start(Speaks::Http, vec![]);
    let exporter = builder(Speaks::Http, &collector).build().unwrap();
    exporter.register_function(metrics).unwrap();
    exporter.flush().unwrap();
    let requests = collector.requests();
    let Some(Data::ExponentialHistogram(data)) = requests[0].metric("cachier.compute.duration")
    else {
        panic!("no histogram");
    };
    let point = &data.data_points[0];
    assert_eq!(
        (point.count, point.min, point.max),
        (100, Some(0.001), Some(0.1))
    );
    let stats = metrics.stats();
    for (q, own) in [
        (0.5, stats.compute.p50()),
        (0.9, stats.compute.p90()),
        (0.99, stats.compute.p99()),
    ] {
        let (own, found) = (own.unwrap().as_secs_f64(), quantile(point, q));
        assert!((found / own - 1.0).abs() < 0.045, "{q}: {found}, {own}");
    }
}

#[test]
fn the_sender_says_who_it_is() {
    let collector = Collector::start(Speaks::Http, vec![]);
    let builder = builder(Speaks::Http, &collector).service_name("shop");
    let builder = builder.resource_attribute("service.namespace", "sales");
    let builder = builder.prefix("till").constant_label("tenant", "x");
    let exporter = builder.build().unwrap();
    exporter.register_function(metrics("named").0).unwrap();
    exporter.flush().unwrap();
    exporter.flush().unwrap();
    let requests = collector.requests();
    let resource = |request: &Received| {
        let resource = request.message.resource_metrics[0]
            .resource
            .clone()
            .unwrap();
        let labels = labels(&resource.attributes);
        labels
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    };
    let all: BTreeMap<String, String> = resource(&requests[0]);
    assert_eq!(
        (&*all["service.name"], &*all["service.namespace"]),
        ("shop", "sales")
    );
    assert_eq!(all["service.instance.id"].len(), 36);
    assert_eq!(all, resource(&requests[1]));
    let scope = &requests[0].message.resource_metrics[0].scope_metrics[0]
        .scope
        .clone()
        .unwrap();
    assert_eq!(
        (&*scope.name, &*scope.version),
        ("cachier-metrics", env!("CARGO_PKG_VERSION"))
    );
    let Some(Data::Sum(calls)) = requests[0].metric("till.calls") else {
        panic!("no calls");
    };
    let point = &calls.data_points[0];
    assert_eq!(labels(&point.attributes)[0], ("tenant", "x"));
    assert_eq!(point.start_time_unix_nano, BEGIN);
    let agent = requests[0].header("user-agent").unwrap();
    assert!(agent.starts_with("cachier-metrics/"), "{agent}");
}

#[test]
fn names_and_units_are_opentelemetrys() {
    let _store = store();
    let (busy, _running) = in_use_for_long("busy");
    let collector = Collector::start(Speaks::Http, vec![]);
    let exporter = builder(Speaks::Http, &collector).build().unwrap();
    exporter.register_function(busy).unwrap();
    exporter.flush().unwrap();
    exporter.flush().unwrap();
    let requests = collector.requests();
    let metrics = requests[1].metrics();
    let names: BTreeSet<_> = metrics.iter().map(|metric| &metric.name).collect();
    assert_eq!(names.len(), metrics.len(), "each name once");
    let lines = metrics
        .iter()
        .map(|metric| format!("{} {}\n", metric.name, metric.unit));
    let golden = include_str!("golden/otlp.txt");
    assert_eq!(lines.collect::<String>(), golden);
    let catalogue = include_str!("golden/metrics.txt").lines();
    let catalogue = catalogue.filter(|line| !line.starts_with(' '));
    assert_eq!(catalogue.count(), names.len(), "none is missing");
    for metric in metrics {
        let is_ratio = metric.unit == "1";
        let is_sum = matches!(metric.data, Some(Data::Sum(_)));
        assert!(!(is_ratio && is_sum), "{} counts something", metric.name);
    }
}

/// Of all functions, whatever the request that a point is in.
#[test]
fn many_points_are_several_requests() {
    let functions: Vec<_> = (0..60)
        .map(|number| in_use_for_long(&format!("f{number}")))
        .collect();
    let collector = Collector::start(Speaks::Grpc, vec![]);
    let builder = builder(Speaks::Grpc, &collector).max_series(usize::MAX);
    let exporter = builder.build().unwrap();
    for (metrics, _running) in &functions {
        exporter.register_function(metrics).unwrap();
    }
    exporter.flush().unwrap();
    let requests = collector.requests();
    assert!(requests.len() > 2, "{}", requests.len());
    let mut calls = 0.0;
    for request in &requests {
        let points = |data: &Data| match data {
            Data::Sum(sum) => sum.data_points.len(),
            Data::Gauge(gauge) => gauge.data_points.len(),
            Data::ExponentialHistogram(histogram) => histogram.data_points.len(),
            other => panic!("{other:?}"),
        };
        let all = request
            .metrics()
            .iter()
            .map(|metric| points(metric.data.as_ref().unwrap()));
        assert!(all.sum::<usize>() <= 2_000);
        if let Some(Data::Sum(sum)) = request.metric("cachier.calls") {
            calls += sum.data_points.iter().map(number).sum::<f64>();
        }
    }
    assert_eq!(calls, 60.0 * 6.0);
}

fn miss(metrics: &'static CacheMetrics) {
    metrics
        .start_call(Some(Sampled::ONE), Some(0))
        .finish(Outcome::Miss, None, None);
}

/// What was not received is part of the next difference.
#[test]
fn differences_add_up_whatever_is_received() {
    let refused = Answer::http(400);
    let answers = vec![Answer::http(200), refused];
    let collector = Collector::start(Speaks::Http, answers);
    let builder = builder(Speaks::Http, &collector).temporality(Temporality::Delta);
    let exporter = builder.build().unwrap();
    let metrics = metrics("delta").0;
    exporter.register_function(metrics).unwrap();
    let results = [1, 2, 0, 4].map(|count| {
        (0..count).for_each(|_| miss(metrics));
        exporter.flush().is_ok()
    });
    assert_eq!(results, [true, false, true, true]);
    let requests = collector.requests();
    let misses = requests
        .iter()
        .map(|request| numbers(request, "cachier.calls").get("miss").copied());
    // The second was refused, so that the third has it.
    let misses: Vec<_> = misses.collect();
    assert_eq!(misses, [Some(1.0), Some(2.0), Some(2.0), Some(4.0)]);
    let time = |request: &Received| match request.metric("cachier.call.duration") {
        Some(Data::ExponentialHistogram(data)) => {
            assert_eq!(
                data.aggregation_temporality,
                AggregationTemporality::Delta as i32
            );
            let point = &data.data_points[0];
            (
                point.start_time_unix_nano,
                point.time_unix_nano,
                point.count,
            )
        }
        other => panic!("{other:?}"),
    };
    let [first, _, third, fourth] = &*requests else {
        panic!("four requests");
    };
    let (first, third, fourth) = (time(first), time(third), time(fourth));
    assert_eq!((first.0, third.0, fourth.0), (BEGIN, first.1, third.1));
    assert_eq!((first.2, third.2, fourth.2), (1, 2, 4));
    // Gauges are as they are, and what has not moved is not sent.
    let Some(Data::Gauge(_)) = fourth_metric(&requests, "cachier.inflight.calls") else {
        panic!("no gauge");
    };
    assert!(fourth_metric(&requests, "cachier.wait.timeouts").is_none());
}

fn fourth_metric<'a>(requests: &'a [Received], name: &str) -> Option<&'a Data> {
    requests[3].metric(name)
}

#[test]
fn low_memory_is_for_what_calls_count() {
    let _store = store();
    let collector = Collector::start(Speaks::Http, vec![]);
    let builder = builder(Speaks::Http, &collector).temporality(Temporality::LowMemory);
    let exporter = builder.build().unwrap();
    let (busy, _running) = in_use_for_long("low");
    exporter.register_function(busy).unwrap();
    exporter.flush().unwrap();
    let requests = collector.requests();
    let temporality = |name| match requests[0].metric(name) {
        Some(Data::Sum(sum)) => sum.aggregation_temporality,
        Some(Data::ExponentialHistogram(histogram)) => histogram.aggregation_temporality,
        other => panic!("{other:?}"),
    };
    let (delta, cumulative) = (
        AggregationTemporality::Delta as i32,
        AggregationTemporality::Cumulative as i32,
    );
    assert_eq!(temporality("cachier.calls"), delta);
    assert_eq!(temporality("cachier.call.duration"), delta);
    assert_eq!(temporality("cachier.pool.wait.duration"), delta);
    assert_eq!(temporality("cachier.backend.round.trips"), cumulative);
}
