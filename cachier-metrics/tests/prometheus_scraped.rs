//! A real Prometheus scrapes each format, and answers queries with the figures of the program.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use cachier_metrics::*;
use cachier_servers::prometheus::{self, Prometheus};

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;

use busy::in_use_for_long;

/// Hard to quote.
const NAME: &str = "a\\b\"c\nd — ü{},=";

/// An exporter of the function, and the address of its endpoint.
fn serving(metrics: &'static CacheMetrics) -> (Arc<PrometheusExporter>, SocketAddr) {
    let builder = PrometheusExporter::builder()
        .port(0)
        .constant_label("service", "till");
    let exporter = builder.build().unwrap();
    exporter.register_function(metrics).unwrap();
    exporter.start().unwrap();
    let address = exporter.local_addr().unwrap();
    (Arc::new(exporter), address)
}

/// A server that knows the classic text only, as a program's own may be.
fn classic(exporter: Arc<PrometheusExporter>) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let _ = client.read(&mut [0; 4096]);
            let content_type = PrometheusExporter::CONTENT_TYPE;
            let head = format!("HTTP/1.0 200 OK\r\nContent-Type: {content_type}\r\n\r\n");
            let _ = client.write_all((head + &exporter.render()).as_bytes());
        }
    });
    address
}

/// The figures of the function, whatever the format.
fn has_the_figures(prometheus: &Prometheus, job: &str) {
    let of = |metric: &str, more: &str| format!("cachier_{metric}{{job=\"{job}\"{more}}}");
    for (query, expected) in [
        (of("calls_total", ",outcome=\"stale\""), 1.0),
        (format!("sum({})", of("calls_total", "")), 6.0),
        (
            of("backend_errors_total", ",operation=\"store\",kind=\"full\""),
            1.0,
        ),
        (of("entries", ",tier=\"near\""), 7.0),
        (of("capacity_bytes", ""), (1 << 30) as f64),
        (of("time_saved_seconds_total", ""), 1.0),
        (of("start_time_seconds", ""), 1_704_067_200.0),
        (of("inflight_computations", ""), 1.0),
        (of("export_dropped_total", ",exporter=\"prometheus\""), 0.0),
    ] {
        let found = prometheus.number(&query);
        assert!((found - expected).abs() < 1e-9, "{query}: {found}");
    }
    let (labels, _) = prometheus.query(&of("sampling_ratio", "")).remove(0);
    assert_eq!(
        (&labels["function"], &labels["service"]),
        (&NAME.into(), &"till".into())
    );
}

#[test]
fn prometheus_reads_both_texts() {
    let (busy, _running) = in_use_for_long(NAME);
    let (exporter, address) = serving(busy);
    let targets = [("open", address), ("classic", classic(exporter))];
    let Some(prometheus) = prometheus::start(&targets, &[], &[]) else {
        return;
    };
    for job in ["open", "classic"] {
        has_the_figures(&prometheus, job);
        let compute = "cachier_compute_duration_seconds";
        let count = prometheus.number(&format!("{compute}_count{{job=\"{job}\"}}"));
        let sum = prometheus.number(&format!("{compute}_sum{{job=\"{job}\"}}"));
        assert_eq!((count, sum), (8.0, 0.024));
        let within = format!("{compute}_bucket{{job=\"{job}\",le=\"0.0625\"}}");
        assert_eq!(prometheus.number(&within), 8.0);
    }
    let up = prometheus.query("up");
    assert!(up.iter().all(|(_, value)| *value == 1.0), "{up:?}");
}

/// Native histograms are as fine as those in the program.
#[cfg(feature = "prometheus-protobuf")]
#[test]
fn prometheus_reads_native_histograms() {
    let (busy, _running) = in_use_for_long(NAME);
    let (_exporter, address) = serving(busy);
    let features = ["--enable-feature=native-histograms"];
    let Some(prometheus) = prometheus::start(&[("native", address)], &[], &features) else {
        return;
    };
    has_the_figures(&prometheus, "native");
    let compute = "cachier_compute_duration_seconds{job=\"native\"}";
    assert_eq!(
        prometheus.number(&format!("histogram_count({compute})")),
        8.0
    );
    let sum = prometheus.number(&format!("histogram_sum({compute})"));
    assert!((sum - 0.024).abs() < 1e-9, "{sum}");
    for quantile in [0.1, 0.5, 0.99] {
        let found = prometheus.number(&format!("histogram_quantile({quantile}, {compute})"));
        assert!((found / 0.003 - 1.0).abs() < 0.045, "{quantile}: {found}");
    }
    let half_a_second = "histogram_fraction(0, 0.5, cachier_entry_age_seconds{job=\"native\"})";
    assert_eq!(prometheus.number(half_a_second), 0.0);
}
