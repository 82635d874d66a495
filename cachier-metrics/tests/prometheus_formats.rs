//! The Prometheus exporter: formats, names, and pages other than the metrics.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use cachier_metrics::*;
use serde_json::Value;

#[path = "support/busy.rs"]
mod busy;

use busy::{in_use_for_long, metrics, store};

/// A response: its head, and its body.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn of(mut stream: impl Read + Write, request: &str) -> Self {
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        Self {
            head: String::from_utf8(answer[..end].to_vec()).unwrap(),
            body: answer[end + 4..].to_vec(),
        }
    }

    fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        assert!(
            self.head.contains("content-type: application/json"),
            "{}",
            self.head
        );
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    Answer::of(TcpStream::connect(address).unwrap(), &request)
}

fn serving(builder: PrometheusBuilder) -> (PrometheusExporter, SocketAddr) {
    let exporter = builder.port(0).build().unwrap();
    exporter.start().unwrap();
    let address = exporter.local_addr().unwrap();
    // One that listens at all addresses is asked at this one.
    let address = SocketAddr::from(([127, 0, 0, 1], address.port()));
    (exporter, address)
}

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
    let (exporter, address) = serving(PrometheusExporter::builder());
    exporter.register_function(metrics("zipped").0).unwrap();
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
        CacheMetrics::create(MetricsOptions {
            clock: Clock::manual(),
            listed: false,
            ..MetricsOptions::new("renamed", backend)
        })
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
    let _store = store();
    let registry = MetricsRegistry::new("prometheus");
    registry.register_function(busy);
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

/// The fields of a value: their paths and types.
fn fields(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let is_label = path.ends_with(".labels");
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

#[test]
fn a_token_guards_all_but_health() {
    let (exporter, address) = serving(PrometheusExporter::builder().bearer_token("s3cret"));
    let status = |path, headers| get(address, path, headers).status();
    for path in ["/metrics", "/stats.json", "/other"] {
        assert_eq!(status(path, ""), 401, "{path}");
        assert_eq!(
            status(path, "Authorization: Bearer s3cre\r\n"),
            401,
            "{path}"
        );
    }
    let denied = get(address, "/metrics", "");
    assert!(
        denied.head.contains("www-authenticate: Bearer"),
        "{}",
        denied.head
    );
    assert!(!denied.text().contains("cachier_"));
    let token = "Authorization: Bearer s3cret\r\n";
    assert_eq!(
        ["/metrics", "/stats.json"].map(|path| status(path, token)),
        [200, 200]
    );
    assert_eq!(status("/other", token), 404);
    assert_eq!(
        ["/health", "/ready"].map(|path| status(path, "")),
        [200, 200]
    );
    assert!(!format!("{exporter:?}").contains("s3cret"));
    let builder = PrometheusExporter::builder().bearer_token("two words");
    assert!(!format!("{builder:?}").contains("words"));
    let error = builder.build().unwrap_err().to_string();
    assert!(
        error.contains("the bearer token") && !error.contains("words"),
        "{error}"
    );
}

#[test]
fn other_machines_see_all_figures_only_by_will() {
    let everywhere = || PrometheusExporter::builder().host("0.0.0.0");
    for (builder, headers, expected) in [
        (everywhere(), "", 403),
        (everywhere().page(true), "", 200),
        (
            everywhere().bearer_token("t"),
            "Authorization: Bearer t\r\n",
            200,
        ),
        (PrometheusExporter::builder(), "", 200),
    ] {
        let (_exporter, address) = serving(builder);
        let answer = get(address, "/stats.json", headers);
        assert_eq!(answer.status(), expected, "{}", answer.text());
        assert!(
            expected == 200 || answer.text().contains(".page(true)"),
            "{}",
            answer.text()
        );
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    }
}

#[test]
fn pages_are_for_get_and_head() {
    let (_exporter, address) = serving(PrometheusExporter::builder());
    for path in ["/metrics", "/stats.json", "/health", "/ready"] {
        for (method, status) in [("GET", 200), ("HEAD", 200), ("POST", 405), ("DELETE", 405)] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            let answer = Answer::of(TcpStream::connect(address).unwrap(), &request);
            assert_eq!(answer.status(), status, "{method} {path}");
            assert!(method == "GET" || answer.body.is_empty(), "{method} {path}");
        }
    }
    assert_eq!(get(address, "/health", "").text(), "ok\n");
    let path = PrometheusExporter::builder().path("/health").build();
    assert!(
        path.unwrap_err()
            .to_string()
            .contains("is that of another page")
    );
}

#[test]
fn two_exporters_stand_side_by_side() {
    let (one, two) = (metrics("first").0, metrics("second").0);
    let (first, at_first) = serving(PrometheusExporter::builder());
    let (second, at_second) = serving(PrometheusExporter::builder().prefix("shop"));
    first.register_function(one).unwrap();
    second.register_functions([one, two]).unwrap();
    let calls = |address, name: &str| get(address, "/metrics", "").text().matches(name).count();
    assert_eq!(calls(at_first, "\ncachier_calls_total{"), 6);
    assert_eq!(calls(at_second, "\nshop_calls_total{"), 12);
    first.stop();
    assert_eq!(calls(at_second, "\nshop_calls_total{"), 12);
    // Its port is free again.
    drop(std::net::TcpListener::bind(at_first).unwrap());
}

/// Alone in its process, as it asks about all stores: the other tests have none but for one that works.
#[test]
fn readiness_is_asked_rarely() {
    let (_exporter, address) = serving(PrometheusExporter::builder());
    let (_works, ready) = (store(), get(address, "/ready", ""));
    assert_eq!(
        (ready.status(), &ready.json()["status"]),
        (200, &"ready".into())
    );
    // Another exporter has an answer of its own.
    let (_exporter, other) = serving(PrometheusExporter::builder());
    let broken = StoreSource::listed(|| {
        let mut figures = StoreFigures::new("redis", "redis.internal:6379");
        figures.breaker_open = true;
        vec![figures]
    });
    let degraded = get(other, "/ready", "");
    assert_eq!(degraded.status(), 200);
    let degraded = degraded.json();
    assert_eq!(degraded["status"], "degraded");
    let stores = degraded["stores"].as_array().unwrap();
    let broken_store = stores
        .iter()
        .find(|store| store["state"] == "degraded")
        .unwrap();
    assert_eq!(broken_store["name"], "redis");
    assert_eq!(broken_store["store"], "redis.internal:6379");
    assert_eq!(broken_store["error"], "breaker_open");
    assert_eq!(get(other, "/ready?strict", "").status(), 503);
    // For five seconds the answers hold, whatever becomes of the stores.
    drop(broken);
    assert_eq!(get(other, "/ready", "").json()["status"], "degraded");
    assert_eq!(get(address, "/ready", "").json()["status"], "ready");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;

    use super::*;

    fn at(path: &Path) -> PrometheusExporter {
        let builder = PrometheusExporter::builder().unix_socket(path);
        builder.build().unwrap()
    }

    fn asked(path: &Path) -> Answer {
        let request = "GET /stats.json HTTP/1.1\r\nHost: any.name\r\n\r\n";
        Answer::of(UnixStream::connect(path).unwrap(), request)
    }

    #[test]
    fn a_unix_socket_serves_until_it_stops() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.sock");
        let exporter = at(&path);
        exporter.start().unwrap();
        assert_eq!((exporter.local_addr(), asked(&path).status()), (None, 200));
        let taken = at(&path).start().unwrap_err().to_string();
        assert!(
            taken.starts_with(&format!("cannot serve metrics at {}: ", path.display())),
            "{taken}"
        );
        assert_eq!(asked(&path).status(), 200, "another's socket stays");
        exporter.stop();
        assert!(!path.exists());
    }

    #[test]
    fn the_socket_of_a_killed_process_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.sock");
        drop(UnixListener::bind(&path).unwrap());
        let exporter = at(&path);
        exporter.start().unwrap();
        assert_eq!(asked(&path).status(), 200);
    }

    #[test]
    fn a_file_is_not_taken_for_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.txt");
        std::fs::write(&path, "precious").unwrap();
        assert!(at(&path).start().is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}

#[cfg(feature = "axum")]
#[test]
fn the_pages_can_be_mounted_in_another_server() {
    let builder = PrometheusExporter::builder().bearer_token("t");
    let exporter = builder.build().unwrap();
    exporter.register_function(metrics("mounted").0).unwrap();
    let app = axum::Router::new().nest("/cachier", exporter.router());
    let app = app.route("/", axum::routing::get(|| async { "the app's own" }));
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    // It serves as long as the test runs.
    std::thread::spawn(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await
        })
    });
    let close = "Connection: close\r\n";
    let status = |path, headers: &str| get(address, path, &format!("{headers}{close}")).status();
    let token = "Authorization: Bearer t\r\n";
    for path in ["/cachier/metrics", "/cachier/stats.json"] {
        assert_eq!(
            (status(path, token), status(path, "")),
            (200, 401),
            "{path}"
        );
    }
    assert_eq!(
        (status("/cachier/health", ""), status("/cachier/ready", "")),
        (200, 200)
    );
    assert_eq!(
        (status("/cachier/other", token), status("/", "")),
        (404, 200)
    );
    let text = get(address, "/cachier/metrics", &format!("{token}{close}"));
    assert!(text.text().contains("function=\"mounted\""));
}
