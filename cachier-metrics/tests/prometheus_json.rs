//! The Prometheus exporter: figures as JSON, whose fields are a promise.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use cachier_metrics::*;
use serde_json::Value;

#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "support/busy.rs"]
mod busy;
#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "support/client.rs"]
mod client;

use busy::{in_use_for_long, metrics, store};
use client::{get, serving};

/// The fields of a value: their paths and types.
fn fields(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let by_label = [
                    ".labels",
                    ".calls",
                    ".call_duration",
                    ".round_trips",
                    ".settings",
                ];
                let is_label = by_label.iter().any(|field| path.ends_with(field));
                fields(
                    value,
                    &format!("{path}.{}", if is_label { "*" } else { name }),
                    into,
                );
            }
        }
        Value::Array(array) => array
            .iter()
            .for_each(|value| fields(value, &format!("{path}[]"), into)),
        Value::Number(_) => _ = into.insert(format!("{path} number")),
        Value::String(_) => _ = into.insert(format!("{path} string")),
        other => _ = into.insert(format!("{path} {other}")),
    }
}

#[test]
fn all_figures_are_served_as_json() {
    let (exporter, address) =
        serving(PrometheusExporter::builder().constant_label("service", "shop"));
    let (busy, _running) = in_use_for_long("as json");
    exporter
        .register_functions([busy, metrics("other").0])
        .unwrap();
    let all = get(address, "/stats.json", "").json();
    assert_eq!(all["version"], 1);
    let mut known = BTreeSet::new();
    fields(&all, "", &mut known);
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    let expected = [
        ".cachier string",
        ".metrics[].help string",
        ".metrics[].name string",
        ".metrics[].samples[].histogram.buckets[][] number",
        ".metrics[].samples[].histogram.count number",
        ".metrics[].samples[].histogram.max number",
        ".metrics[].samples[].histogram.min number",
        ".metrics[].samples[].histogram.p50 number",
        ".metrics[].samples[].histogram.p90 number",
        ".metrics[].samples[].histogram.p99 number",
        ".metrics[].samples[].histogram.schema number",
        ".metrics[].samples[].histogram.sum number",
        ".metrics[].samples[].labels.* string",
        ".metrics[].samples[].value number",
        ".metrics[].type string",
        ".metrics[].unit string",
        ".time_seconds number",
        ".version number",
    ];
    assert_eq!(known, expected);
    let functions = |all: &Value| {
        let mut names = BTreeSet::new();
        for metric in all["metrics"].as_array().unwrap() {
            for sample in metric["samples"].as_array().unwrap() {
                names.extend(sample["labels"]["function"].as_str().map(str::to_owned));
            }
        }
        names
    };
    assert_eq!(functions(&all).len(), 2);
    let one = get(address, "/stats.json?function=as%20json", "").json();
    assert_eq!(functions(&one), BTreeSet::from(["as json".to_owned()]));
    let computed = &one["metrics"].as_array().unwrap();
    let computed = computed
        .iter()
        .find(|metric| metric["name"] == "cachier_compute_duration_seconds");
    let histogram = &computed.unwrap()["samples"][0]["histogram"];
    assert_eq!(
        (&histogram["count"], &histogram["max"]),
        (&8.into(), &0.003.into())
    );
}

/// A function that has a hit in each second of the last three.
fn called_for_three_seconds(name: &str) -> &'static CacheMetrics {
    let (metrics, clock) = metrics(name);
    for _ in 0..3 {
        clock.advance(Duration::from_secs(1));
        let call = metrics.start_call(Some(Sampled::ONE), Some(clock.now()));
        metrics
            .start_compute(Reason::Absent)
            .finish(ComputeResult::Value);
        call.finish(Outcome::Hit, None, None);
        metrics.backend_error(Operation::Load, ErrorLabel::Io);
        metrics.tick();
    }
    metrics
}

#[test]
fn a_series_has_a_point_for_each_step() {
    let (exporter, address) = serving(PrometheusExporter::builder());
    let (one, other) = (
        called_for_three_seconds("plotted"),
        called_for_three_seconds("plotted"),
    );
    exporter
        .register_functions([one, other, metrics("another").0])
        .unwrap();
    let series = |span: &str| {
        let path = format!("/stats.json?function=plotted&series={span}");
        let all = get(address, &path, "").json();
        let [series] = all["series"].as_array().unwrap().as_slice() else {
            panic!("a series for each function and backend: {all}");
        };
        assert_eq!(series["labels"]["function"], "plotted");
        series.clone()
    };
    let minute = series("minute");
    let points = minute["points"].as_array().unwrap();
    assert_eq!((points.len(), &minute["step_seconds"]), (60, &1.into()));
    assert!(points[..57].iter().all(serde_json::Value::is_null));
    for point in &points[57..] {
        assert_eq!(point["seconds"], 1.0);
        assert_eq!(point["calls"]["hit"], 2);
        assert_eq!(point["backend_errors"], 2);
        assert_eq!(point["call_duration"]["hit"]["count"], 2);
        assert!(point["call_duration"]["hit"]["p99"].is_number());
        assert_eq!(point["call_duration"].get("miss"), None);
        // In order, as serde_json keeps the order of insertion where another crate asks for that.
        let fields: BTreeSet<_> = point.as_object().unwrap().keys().collect();
        let expected = [
            "abandoned",
            "backend_errors",
            "call_duration",
            "calls",
            "compute_duration",
            "recalculation_failures",
            "recalculations",
            "seconds",
            "time_saved_seconds",
        ];
        assert!(fields.into_iter().eq(expected), "{point}");
    }
    for (span, points, step) in [("hour", 60, 60), ("day", 96, 900)] {
        let series = series(span);
        let last = series["points"].as_array().unwrap().last().unwrap();
        assert_eq!(series["points"].as_array().unwrap().len(), points);
        assert_eq!(series["step_seconds"], step);
        assert_eq!(
            (&last["calls"]["hit"], &last["seconds"]),
            (&6.into(), &3.0.into())
        );
    }
}

#[test]
fn series_need_one_function_and_known_span() {
    let (_exporter, address) = serving(PrometheusExporter::builder());
    for (query, expected) in [
        ("series=hour", "function="),
        ("function=x&series=week", "day"),
        ("window=", "day"),
        ("function=x&series=hour&window=hour", "one at a time"),
    ] {
        let answer = get(address, &format!("/stats.json?{query}"), "");
        assert_eq!(answer.status(), 400, "{query}");
        assert!(answer.text().contains(expected), "{}", answer.text());
    }
    let unknown = get(address, "/stats.json?function=x&series=hour", "").json();
    assert_eq!(unknown["series"].as_array().unwrap().len(), 0);
    let list = get(address, "/stats.json", "").json();
    assert_eq!(list.get("series"), None);
}

#[test]
fn a_window_sums_up_each_function() {
    let _store = store();
    let builder = PrometheusExporter::builder().constant_label("service", "shop");
    let (exporter, address) = serving(builder);
    let (busy, _running) = in_use_for_long("busy");
    let hits = called_for_three_seconds("summed");
    exporter.register_functions([busy, hits]).unwrap();
    let all = get(address, "/stats.json?window=hour", "").json();
    let mut known = BTreeSet::new();
    fields(&all, "", &mut known);
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    let expected = include_str!("golden/summary.txt");
    assert_eq!(known, expected.lines().collect::<Vec<_>>());
    assert_eq!(
        (&all["window_seconds"], &all["labels"]["service"]),
        (&3600.into(), &"shop".into())
    );
    let one = get(address, "/stats.json?window=minute&function=summed", "").json();
    let [summed] = one["functions"].as_array().unwrap().as_slice() else {
        panic!("one function: {one}");
    };
    assert_eq!(
        (&summed["function"], &summed["backend"]),
        (&"summed".into(), &"file".into())
    );
    assert_eq!(summed["settings"]["stale_after"], "1h");
    assert_eq!(summed["counted"]["calls"]["hit"], 3);
    assert_eq!(summed["counted"]["seconds"], 3.0);
    assert_eq!(summed["held"].as_object().unwrap().len(), 0);
}

/// As of each instance since its start: without a window, and with the instances.
#[test]
fn all_instances_are_told_as_one_program_is() {
    let _store = store();
    let (busy, _running) = in_use_for_long("published");
    let figures = InstanceFigures::of([busy]).with_stores();
    let mut publisher = Publisher::new(InstanceId(7), 0, Duration::from_secs(10));
    let mut cluster = Cluster::default();
    for moment in 1..=2 {
        let (_, published) = publisher.publish(&figures, Duration::from_secs(moment));
        cluster.add(&published, moment).unwrap();
    }
    let mut known = BTreeSet::new();
    fields(&cluster.merge(3).to_json(), "", &mut known);
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    let expected = include_str!("golden/instances.txt");
    assert_eq!(known, expected.lines().collect::<Vec<_>>());
}

#[test]
fn functions_without_series_are_shown_by_themselves() {
    // What is left of these is for stores: nothing is for functions.
    let (exporter, address) = serving(PrometheusExporter::builder().max_series(1_000));
    let functions = ["one", "another"].map(in_use_for_long);
    exporter
        .register_functions(functions.each_ref().map(|(metrics, _)| *metrics))
        .unwrap();
    let text = get(address, "/metrics", "");
    assert!(text.text().contains("function=\"(other)\"") && !text.text().contains("\"one\""));
    let all = get(address, "/stats.json?window=minute", "").json();
    let names = all["functions"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|function| &function["function"]).collect();
    assert_eq!(names, ["one", "another"]);
    let one = get(address, "/stats.json?function=one&series=hour", "").json();
    assert_eq!(one["series"][0]["labels"]["function"], "one");
    let metrics = one["metrics"].as_array().unwrap();
    let recalculations = metrics
        .iter()
        .find(|it| it["name"] == "cachier_recalculations_total");
    let reasons = recalculations.unwrap()["samples"]
        .as_array()
        .unwrap()
        .iter();
    assert!(
        reasons
            .clone()
            .all(|it| it["labels"]["reason"] != "(other)")
    );
    assert!(reasons.count() > 2, "rare labels, too");
}
