//! The Prometheus exporter: formats and names.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read;

use cachier_metrics::*;

#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "support/busy.rs"]
mod busy;
#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "support/client.rs"]
mod client;

use busy::{in_use_for_long, metrics, store};
use client::{get, serving};

#[test]
fn the_accepted_format_is_served() {
    let (exporter, address) = serving(PrometheusExporter::builder());
    exporter.register_function(metrics("formats").0).unwrap();
    let text = get(address, "/metrics", "Accept: text/plain\r\n");
    assert!(
        text.head
            .contains("content-type: text/plain; version=0.0.4"),
        "{}",
        text.head
    );
    assert!(
        text.head.contains("vary: Accept, Accept-Encoding"),
        "{}",
        text.head
    );
    assert!(!text.text().contains("# EOF"));
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let open = get(address, "/metrics", accept);
    let content_type = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(open.head.contains(content_type), "{}", open.head);
    assert!(open.text().ends_with("# EOF\n"), "{}", open.text());
    // Two headers are one list.
    let accept = "Accept: text/plain;q=0.5\r\nAccept: application/openmetrics-text\r\n";
    assert!(get(address, "/metrics", accept).text().ends_with("# EOF\n"));
}

#[test]
fn gzip_is_served_to_those_who_accept_it() {
    // As other tests do, perhaps between the two answers.
    set_background_probe(|| 2);
    let (exporter, address) = serving(PrometheusExporter::builder());
    // Of no store that other tests list meanwhile.
    let options = MetricsOptions::new("zipped", "memory").clock(Clock::manual());
    let zipped = CacheMetrics::create(options.unlisted());
    exporter.register_function(zipped).unwrap();
    let plain = get(address, "/metrics", "");
    let zipped = get(address, "/metrics", "Accept-Encoding: deflate, gzip\r\n");
    assert!(
        zipped.head.contains("content-encoding: gzip"),
        "{}",
        zipped.head
    );
    assert!(3 * zipped.body.len() < plain.body.len());
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&*zipped.body);
    decoder.read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text());
    assert!(!plain.head.contains("content-encoding"));
}

#[test]
fn openmetrics_differs_where_it_must() {
    let exporter = PrometheusExporter::builder().created_series();
    let (exporter, address) = serving(exporter);
    let (busy, _running) = in_use_for_long("open");
    exporter.register_function(busy).unwrap();
    let open = get(
        address,
        "/metrics",
        "Accept: application/openmetrics-text\r\n",
    );
    let text = open.text();
    for line in [
        "# TYPE cachier_calls counter",
        "# TYPE cachier_time_saved_seconds counter",
        "# UNIT cachier_time_saved_seconds seconds",
        "# UNIT cachier_rejected_bytes bytes",
        "# TYPE cachier_call_duration_seconds histogram",
        r#"cachier_calls_total{function="open",backend="file",outcome="hit"} 1"#,
        r#"cachier_calls_created{function="open",backend="file",outcome="hit"} 1704067200"#,
        r#"cachier_time_saved_seconds_created{function="open",backend="file"} 1704067200"#,
        r#"cachier_entry_age_seconds_created{function="open",backend="file"} 1704067200"#,
        r#"cachier_entry_age_seconds_bucket{function="open",backend="file",le="4.0"} 6"#,
        r#"cachier_entry_size_bytes_bucket{function="open",backend="file",le="1.048576e+06"} 6"#,
    ] {
        assert!(
            text.lines().any(|known| known == line),
            "{line} is not in\n{text}"
        );
    }
    assert!(
        !text.contains("cachier_entries_created"),
        "a gauge begins with nothing"
    );
    assert!(!exporter.render().contains("_created"), "0.0.4 has none");
    let (other, address) = serving(PrometheusExporter::builder());
    other.register_function(busy).unwrap();
    let open = get(
        address,
        "/metrics",
        "Accept: application/openmetrics-text\r\n",
    );
    assert!(
        !open.text().contains("_created"),
        "they are series, and were not asked for"
    );
}

#[test]
fn other_names_are_served_on_request() {
    let calls = |metrics: &'static CacheMetrics| {
        for outcome in [
            Outcome::Hit,
            Outcome::Hit,
            Outcome::Stale,
            Outcome::Coalesced,
            Outcome::Miss,
        ] {
            let call = metrics.start_call(Some(Sampled::ONE), None);
            call.finish(outcome, None, None);
        }
        metrics.removed(RemovalCause::Evicted, 3);
        metrics.removed(RemovalCause::Cleared, 5);
        metrics
            .start_compute(Reason::Absent)
            .finish(ComputeResult::Value);
        metrics.set_gauges(Box::new(|| {
            let mut gauges = Gauges::default();
            gauges.memory = Holding::new(Some(7), Some(700));
            gauges
        }));
    };
    let on = |backend: &str| {
        CacheMetrics::create(
            MetricsOptions::new("renamed", backend)
                .clock(Clock::manual())
                .unlisted(),
        )
    };
    let rendered = |naming| {
        let exporter = PrometheusExporter::builder()
            .naming(naming)
            .build()
            .unwrap();
        // Two backends are one series, where the function's name is the only label.
        for metrics in ["memory", "file"].map(on) {
            calls(metrics);
            exporter.register_function(metrics).unwrap();
        }
        let text = exporter.render();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let classic = [
        "cachier_cache_hits_total{function=\"renamed\"} 4",
        "cachier_cache_misses_total{function=\"renamed\"} 6",
        "cachier_cache_hit_rate{function=\"renamed\"} 40",
        "cachier_avg_latency_ms{function=\"renamed\"} 0",
        "cachier_stale_hits_total{function=\"renamed\"} 0",
        "cachier_recalculations_total{function=\"renamed\"} 2",
        "cachier_wait_timeouts_total{function=\"renamed\"} 0",
        "cachier_entry_count{function=\"renamed\"} 14",
        "cachier_cache_size_bytes{function=\"renamed\"} 1400",
        "cachier_size_limit_rejections_total{function=\"renamed\"} 0",
    ];
    assert_eq!(rendered(Naming::Classic), classic);
    let micrometer = [
        "cache_gets_total{cache=\"renamed\",result=\"hit\"} 8",
        "cache_gets_total{cache=\"renamed\",result=\"miss\"} 2",
        "cache_puts_total{cache=\"renamed\"} 2",
        "cache_evictions_total{cache=\"renamed\"} 6",
        "cache_size{cache=\"renamed\"} 14",
    ];
    assert_eq!(rendered(Naming::Micrometer), micrometer);
}

/// Names, types, units, labels and label values are a promise: see the catalogue before you change this list.
#[test]
fn names_are_as_promised() {
    let (busy, _running) = in_use_for_long("golden");
    drop(busy.start_compute(Reason::Absent));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _compute = busy.start_compute(Reason::Absent);
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    let _store = store();
    let registry = MetricsRegistry::new("prometheus");
    registry.register_function(busy);
    registry.export_sent(100);
    let mut text = String::new();
    for family in registry.gather().families() {
        let (name, kind, unit) = (family.full_name(), family.kind, family.unit);
        writeln!(text, "{name} {kind:?} {unit:?}").unwrap();
        let mut labels = BTreeSet::new();
        for sample in &family.samples {
            labels.extend(sample.labels.iter().copied());
        }
        let any = ["function", "backend", "store", "version"];
        for (label, value) in labels {
            let value = if any.contains(&label) { "…" } else { value };
            writeln!(text, "  {label}={value}").unwrap();
        }
    }
    let folder = env!("CARGO_MANIFEST_DIR");
    let golden = std::fs::read_to_string(format!("{folder}/tests/golden/metrics.txt")).unwrap();
    assert!(text == golden, "it is now:\n{text}");
}
