//! Exemplars: sampled calls beside the buckets that count them, in the formats that have a place for them, and in Prometheus.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use cachier_metrics::*;
use cachier_servers::prometheus::{self, Prometheus};
use serde_json::Value;

#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "support/busy.rs"]
mod busy;
#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "support/client.rs"]
mod client;

use busy::metrics;
use client::get;

const OPEN_METRICS: &str = "Accept: application/openmetrics-text\r\n";

/// The trace that a thread is in.
#[derive(Clone, Copy)]
enum Trace {
    Of(&'static str),
    /// Of a program that fails to say it.
    Panics,
}

thread_local! {
    static TRACE: Cell<Option<Trace>> = const { Cell::new(None) };
    static SLOT: LocalSlot = const { LocalSlot::new() };
}

/// The same for all tests, as a process asks one source.
fn trace() -> Option<Exemplar> {
    match TRACE.get()? {
        Trace::Of(trace) => Exemplar::new([("trace_id", trace)]),
        Trace::Panics => std::panic::resume_unwind(Box::new("on purpose")),
    }
}

fn serving() -> (PrometheusExporter, SocketAddr) {
    client::serving(PrometheusExporter::builder().exemplar(trace))
}

/// A sampled call that takes so long, in a trace.
fn call(metrics: &'static CacheMetrics, clock: &Clock, millis: u64, trace: Option<Trace>) {
    TRACE.set(trace);
    let call = metrics.start_call(Some(Sampled::ONE), None);
    clock.advance(Duration::from_millis(millis));
    call.finish(Outcome::Miss, None, None);
}

/// The exemplars of a text by the bound of their buckets.
fn shown(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().filter_map(|line| line.split_once(" # "));
    let exemplars = lines.map(|(series, exemplar)| {
        let (_, bound) = series.split_once("le=\"").unwrap();
        let (exemplar, _time) = exemplar.rsplit_once(' ').unwrap();
        (bound.split('"').next().unwrap(), exemplar)
    });
    exemplars.collect()
}

#[test]
fn buckets_show_the_latest_sampled_call() {
    let (exporter, address) = serving();
    let (metrics, clock) = metrics("shown");
    exporter.register_function(metrics).unwrap();
    call(metrics, &clock, 2, Some(Trace::Of("earlier")));
    call(metrics, &clock, 3, Some(Trace::Of("latest")));
    call(metrics, &clock, 100, Some(Trace::Panics));
    call(metrics, &clock, 100, None);
    call(metrics, &clock, 60_000, Some(Trace::Of("slow")));
    let expected = [
        ("0.00390625", "{trace_id=\"latest\"} 0.003"),
        ("+Inf", "{trace_id=\"slow\"} 60"),
    ];
    let open = get(address, "/metrics", OPEN_METRICS);
    assert_eq!(shown(open.text()), expected, "{}", open.text());
    assert_eq!(shown(get(address, "/metrics", "").text()), []);
    assert_eq!(metrics.stats().misses, 5);
}

#[test]
fn timed_hits_are_exemplars() {
    let (exporter, address) = serving();
    let (metrics, _clock) = metrics("hit");
    exporter.register_function(metrics).unwrap();
    TRACE.set(Some(Trace::Of("quick")));
    let hit = TimedHit {
        started: 0,
        ended: 900,
        computed: 0,
        compute: 1,
    };
    metrics.local(&SLOT).timed_hit(hit);
    let open = get(address, "/metrics", OPEN_METRICS);
    let bucket = ("9.5367431640625e-07", "{trace_id=\"quick\"} 0.0000009");
    assert_eq!(shown(open.text()), [bucket]);
}

#[test]
fn functions_of_one_name_share_exemplars() {
    let (exporter, address) = serving();
    for (millis, trace) in [(1, "first"), (500, "second")] {
        let (metrics, clock) = metrics("shared");
        exporter.register_function(metrics).unwrap();
        call(metrics, &clock, millis, Some(Trace::Of(trace)));
    }
    let open = get(address, "/metrics", OPEN_METRICS);
    let traces: Vec<_> = shown(open.text())
        .iter()
        .map(|(_, exemplar)| *exemplar)
        .collect();
    assert_eq!(
        traces,
        ["{trace_id=\"first\"} 0.001", "{trace_id=\"second\"} 0.5"]
    );
}

/// The traces and values that a Prometheus keeps, once it has any.
fn kept(prometheus: &Prometheus) -> Vec<(String, f64)> {
    let path = "/api/v1/query_exemplars?query=%7B__name__%3D~%22cachier_call_duration_seconds.%2A%22%7D\
                &start=2000-01-01T00:00:00Z&end=2100-01-01T00:00:00Z";
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = prometheus.ask(path);
        let series = answer["data"].as_array().cloned().unwrap_or_default();
        let exemplars = series
            .iter()
            .flat_map(|series| series["exemplars"].as_array().unwrap());
        let kept = exemplars.map(|exemplar: &Value| {
            let trace = exemplar["labels"]["trace_id"].as_str().unwrap();
            let value: f64 = exemplar["value"].as_str().unwrap().parse().unwrap();
            (trace.to_owned(), value)
        });
        let mut kept: Vec<_> = kept.collect();
        if !kept.is_empty() {
            kept.sort_by(|(_, one), (_, other)| one.total_cmp(other));
            kept.dedup();
            return kept;
        }
        assert!(Instant::now() < until, "{answer}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// In text, and in protobuf with native histograms.
#[test]
fn prometheus_keeps_exemplars() {
    let (exporter, address) = serving();
    let (metrics, clock) = metrics("kept");
    exporter.register_function(metrics).unwrap();
    call(metrics, &clock, 3, Some(Trace::Of("quick")));
    call(metrics, &clock, 60_000, Some(Trace::Of("slow")));
    for features in ["exemplar-storage", "exemplar-storage,native-histograms"] {
        let features = format!("--enable-feature={features}");
        let target = ("kept", address);
        let Some(prometheus) = prometheus::start(&[target], &[], &[&features]) else {
            return;
        };
        let expected = [("quick".to_owned(), 0.003), ("slow".to_owned(), 60.0)];
        let kept = kept(&prometheus);
        // Older ones keep a single exemplar of a native histogram.
        let of_all = &expected[..kept.len()];
        assert_eq!(kept, of_all, "{features}");
        assert!(kept.len() == 2 || features.contains("native"), "{features}");
    }
}

#[cfg(feature = "tracing-opentelemetry")]
#[test]
fn exemplars_are_of_recorded_spans() {
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use tracing_subscriber::layer::SubscriberExt as _;

    let in_span = |sampler: Sampler| {
        use opentelemetry::trace::TracerProvider as _;
        let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let outside = Exemplar::of_current_span();
            assert_eq!(outside, None);
            tracing::info_span!("request").in_scope(Exemplar::of_current_span)
        })
    };
    let recorded = format!("{:?}", in_span(Sampler::AlwaysOn).unwrap());
    assert!(
        recorded.contains("trace_id") && recorded.contains("span_id"),
        "{recorded}"
    );
    assert_eq!(in_span(Sampler::AlwaysOff), None);
}
