//! A real Prometheus scrapes each format, and answers queries with the figures of the program.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cachier_metrics::*;
use serde_json::Value;

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;

use busy::in_use_for_long;

/// Hard to quote.
const NAME: &str = "a\\b\"c\nd — ü{},=";

/// A Prometheus in a folder, ended when dropped.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Scrapes `targets`, jobs by name, ten times a second. `None`, said, where it is not installed.
    fn start(folder: &Path, targets: &[(&str, SocketAddr)], features: &[&str]) -> Option<Self> {
        let jobs = targets.iter().map(|(name, address)| {
            format!("  - job_name: {name}\n    static_configs: [{{targets: ['{address}']}}]\n")
        });
        let jobs: String = jobs.collect();
        let config = folder.join("prometheus.yml");
        let global = "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\nscrape_configs:\n";
        std::fs::write(&config, format!("{global}{jobs}")).unwrap();
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .args(features)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => Some(Self { child, address }),
            Err(_) => {
                // Bypasses the harness, which captures output; nobody to tell is no failure.
                let _ = writeln!(
                    std::io::stderr(),
                    "skipped: prometheus is not installed (`apt install prometheus`)"
                );
                let is_required = std::env::var_os("CACHIER_TEST_REQUIRE").is_some();
                assert!(
                    !is_required,
                    "CACHIER_TEST_REQUIRE is set, and prometheus is not installed"
                );
                None
            }
        }
    }

    /// The first results of a query that is not empty: labels and value of each series.
    fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let code = |byte: u8| format!("%{byte:02X}");
        let query: String = query.bytes().map(code).collect();
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let result = self.ask(&format!("/api/v1/query?query={query}"));
            let result = result
                .as_ref()
                .and_then(|answer| answer["data"]["result"].as_array());
            match result {
                Some(series) if !series.is_empty() => {
                    let value =
                        |series: &Value| series["value"][1].as_str().unwrap().parse().unwrap();
                    return series
                        .iter()
                        .map(|one| (one["metric"].clone(), value(one)))
                        .collect();
                }
                _ => assert!(Instant::now() < until, "no answer to {query}"),
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The single number that a query gives.
    fn number(&self, query: &str) -> f64 {
        let series = self.query(query);
        assert_eq!(series.len(), 1, "{query}: {series:?}");
        series[0].1
    }

    fn ask(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
    let folder = tempfile::tempdir().unwrap();
    let Some(prometheus) = Prometheus::start(folder.path(), &targets, &[]) else {
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
    let folder = tempfile::tempdir().unwrap();
    let features = ["--enable-feature=native-histograms"];
    let Some(prometheus) = Prometheus::start(folder.path(), &[("native", address)], &features)
    else {
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
