//! The Prometheus exporter from outside: what it says, to whom, and how it stands up to bad clients.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use cachier_metrics::*;

fn metrics(name: &str) -> (&'static CacheMetrics, Clock) {
    let clock = Clock::manual();
    let metrics = CacheMetrics::create(MetricsOptions {
        clock: clock.clone(),
        listed: false,
        ..MetricsOptions::new(name, "file")
    });
    (metrics, clock)
}

fn exporter() -> PrometheusExporter {
    PrometheusExporter::builder().port(0).build().unwrap()
}

/// A function that has seen what a function on a persistent backend sees: hits, misses, waits, an error.
fn in_use(name: &str) -> &'static CacheMetrics {
    let (metrics, clock) = metrics(name);
    let holding = Holding::new(Some(7), Some(1 << 20));
    let mut gauges = Gauges::default();
    let shared = Shared::new(holding, Some(1 << 30));
    gauges.shared = [("store/function".to_owned(), shared)].into();
    metrics.set_gauges(Box::new(move || gauges.clone()));
    for outcome in [Outcome::Hit, Outcome::Miss, Outcome::Coalesced] {
        let call = metrics.start_call(Some(Sampled::ONE), None);
        let running = (
            call.operation(Operation::Load),
            call.operation(Operation::Store),
            call.wait(WaitScope::Process),
        );
        let compute = metrics.start_compute(Reason::Absent);
        clock.advance(Duration::from_millis(3));
        drop(running);
        compute.finish(ComputeResult::Value);
        call.stored(2000);
        call.finish(outcome, Some(4_000_000_000), Some(1_000_000_000));
    }
    metrics.backend_error(Operation::Load, ErrorLabel::Corrupt);
    metrics.backend_error(Operation::Store, ErrorLabel::Full);
    metrics
}

fn render(functions: &[&'static CacheMetrics]) -> String {
    let exporter = exporter();
    exporter
        .register_functions(functions.iter().copied())
        .unwrap();
    exporter.render()
}

/// The series of one function: lines without comments that carry its label.
fn series<'a>(text: &'a str, function: &str) -> Vec<&'a str> {
    let label = format!("function=\"{function}\"");
    text.lines()
        .filter(|line| !line.starts_with('#') && line.contains(&label))
        .collect()
}

#[test]
fn an_idle_function_has_at_most_60_series_and_one_in_use_at_most_200() {
    let text = render(&[metrics("idle").0, in_use("busy")]);
    let (idle, busy) = (series(&text, "idle").len(), series(&text, "busy").len());
    assert!((40..=60).contains(&idle), "{idle} series");
    assert!((100..=200).contains(&busy), "{busy} series");
}

#[test]
fn every_counter_exists_at_zero_and_no_histogram_before_its_first_observation() {
    let text = render(&[metrics("idle").0]);
    for series in [
        r#"cachier_calls_total{function="idle",backend="file",outcome="unavailable"} 0"#,
        r#"cachier_backend_errors_total{function="idle",backend="file",operation="load",kind="denied"} 0"#,
        r#"cachier_wait_timeouts_total{function="idle",backend="file"} 0"#,
        r#"cachier_rejected_bytes_total{function="idle",backend="file"} 0"#,
        r#"cachier_time_saved_seconds_total{function="idle",backend="file"} 0"#,
        r#"cachier_sampling_ratio{function="idle",backend="file"} 1"#,
        r#"cachier_start_time_seconds{function="idle",backend="file"} 1704067200"#,
    ] {
        assert!(
            text.lines().any(|line| line == series),
            "{series} is not in\n{text}"
        );
    }
    assert!(!text.contains("_bucket") && !text.contains("hit_ratio") && !text.contains("capacity"));
}

#[test]
fn a_function_in_use_shows_its_figures() {
    let text = render(&[in_use("busy")]);
    let version = env!("CARGO_PKG_VERSION");
    for series in [
        r#"cachier_calls_total{function="busy",backend="file",outcome="hit"} 1"#,
        r#"cachier_call_duration_seconds_bucket{function="busy",backend="file",outcome="hit",le="0.0009765625"} 0"#,
        r#"cachier_call_duration_seconds_bucket{function="busy",backend="file",outcome="hit",le="0.00390625"} 1"#,
        r#"cachier_call_duration_seconds_bucket{function="busy",backend="file",outcome="hit",le="+Inf"} 1"#,
        r#"cachier_call_duration_seconds_sum{function="busy",backend="file",outcome="hit"} 0.003"#,
        r#"cachier_compute_duration_seconds_count{function="busy",backend="file"} 3"#,
        r#"cachier_entry_size_bytes_sum{function="busy",backend="file"} 6000"#,
        r#"cachier_entry_size_bytes_bucket{function="busy",backend="file",le="4096"} 3"#,
        r#"cachier_backend_errors_total{function="busy",backend="file",operation="store",kind="full"} 1"#,
        r#"cachier_size_bytes{function="busy",backend="file",tier="backend"} 1048576"#,
        r#"cachier_capacity_bytes{function="busy",backend="file"} 1073741824"#,
        r#"cachier_hit_ratio{function="busy",backend="file",window="1m"} 0.3333333333333333"#,
        r#"cachier_served_ratio{function="busy",backend="file",window="1d"} 0.6666666666666666"#,
        r#"cachier_export_dropped_total{exporter="prometheus"} 0"#,
        &format!("cachier_build_info{{version=\"{version}\"}} 1"),
    ] {
        assert!(
            text.lines().any(|line| line == series),
            "{series} is not in\n{text}"
        );
    }
    assert!(
        !text.contains("cachier_capacity_entries"),
        "an unknown figure is absent"
    );
}

#[test]
fn a_running_computation_shows_its_age() {
    let (metrics, clock) = metrics("running");
    let compute = metrics.start_compute(Reason::Absent);
    clock.advance(Duration::from_millis(1500));
    let age = r#"cachier_oldest_computation_age_seconds{function="running",backend="file"} 1.5"#;
    assert!(render(&[metrics]).contains(age));
    compute.finish(ComputeResult::Value);
    assert!(!render(&[metrics]).contains("cachier_oldest_computation_age_seconds{"));
}

#[test]
fn label_values_are_escaped() {
    let text = render(&[metrics("a\\b\"c\nd").0]);
    assert!(text.contains(r#"function="a\\b\"c\nd""#));
}

#[test]
fn no_series_is_written_twice() {
    let text = render(&[metrics("one").0, in_use("two")]);
    let names: Vec<_> = text
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[test]
fn promtool_finds_nothing_to_say() {
    let tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut tool) = tool else {
        eprintln!("SKIPPED promtool_finds_nothing_to_say: promtool is not installed");
        return;
    };
    let text = render(&[metrics("idle").0, in_use("busy")]);
    tool.stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let said = tool.wait_with_output().unwrap();
    let said = (
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr),
        said.status.success(),
    );
    assert_eq!(said, ("".into(), "".into(), true));
}

#[test]
fn a_function_or_a_name_is_registered_once() {
    let exporter = exporter();
    let (one, two) = (metrics("same").0, metrics("same").0);
    exporter.register_function(one).unwrap();
    let again = exporter.register_function(one).unwrap_err().to_string();
    assert_eq!(again, "the function `same` is registered already");
    let other = exporter.register_function(two).unwrap_err().to_string();
    assert!(
        other.starts_with("another function named `same` is registered already"),
        "{other}"
    );
    assert!(
        PrometheusExporter::builder()
            .build()
            .unwrap()
            .register_function(two)
            .is_ok()
    );
}

/// In one test, as the list of the process is shared by all tests of this file.
#[test]
fn all_functions_of_now_and_later_are_exported_and_a_taken_name_is_counted_as_dropped_once() {
    let listed = |name: &str| {
        let clock = Clock::manual();
        CacheMetrics::create(MetricsOptions {
            clock,
            ..MetricsOptions::new(name, "memory")
        })
    };
    let (before, exporter) = (listed("before"), exporter());
    exporter.register_function(before).unwrap();
    exporter.register_all().unwrap();
    listed("later");
    let text = exporter.render();
    assert!(!series(&text, "before").is_empty() && !series(&text, "later").is_empty());
    listed("later");
    for _ in 0..3 {
        let text = exporter.render();
        assert!(
            text.contains(r#"cachier_export_dropped_total{exporter="prometheus"} 1"#),
            "{text}"
        );
    }
    let error = exporter.register_all().unwrap_err().to_string();
    assert!(error.contains("`later`"), "{error}");
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n"),
    )
}

fn serving(metrics: &'static CacheMetrics) -> (PrometheusExporter, SocketAddr) {
    let exporter = exporter();
    exporter.register_function(metrics).unwrap();
    exporter.start().unwrap();
    let address = exporter.local_addr().unwrap();
    (exporter, address)
}

#[test]
fn it_serves_get_and_head_at_its_path_and_nothing_else() {
    let (exporter, address) = serving(in_use("served"));
    let answer = get(address, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8"));
    assert!(answer.ends_with(&exporter.render()));
    let head = ask(address, "HEAD /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 OK") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let post = ask(
        address,
        "POST /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(
        post.starts_with("HTTP/1.1 405") && post.contains("allow: GET, HEAD"),
        "{post}"
    );
    assert!(get(address, "/other").starts_with("HTTP/1.1 404"));
    assert!(get(address, "/metrics?x=1").starts_with("HTTP/1.1 200"));
}

#[test]
fn slow_and_broken_clients_block_nobody() {
    let (_exporter, address) = serving(in_use("patient"));
    let slow: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /metr").unwrap();
            stream
        })
        .collect();
    assert!(get(address, "/metrics").starts_with("HTTP/1.1 200"));
    let long = format!(
        "GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let mut stream = TcpStream::connect(address).unwrap();
    // The server may hang up before it has read everything.
    let _ = stream.write_all(long.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert!(get(address, "/metrics").starts_with("HTTP/1.1 200"));
    drop(slow);
}

#[test]
fn it_can_be_stopped_and_started_again() {
    let (exporter, address) = serving(metrics("restarted").0);
    let error = exporter.start().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the Prometheus exporter has been started already"
    );
    assert!(std::error::Error::source(&error).is_none());
    exporter.stop();
    assert_eq!(exporter.local_addr(), None);
    assert!(TcpStream::connect(address).is_err());
    exporter.start().unwrap();
    assert!(get(exporter.local_addr().unwrap(), "/metrics").starts_with("HTTP/1.1 200"));
}

#[test]
fn an_address_that_cannot_be_had_is_an_error_that_names_it() {
    let (_exporter, address) = serving(metrics("first").0);
    let second = PrometheusExporter::builder()
        .port(address.port())
        .build()
        .unwrap();
    let error = second.start().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot serve metrics at {address}: ")),
        "{error}"
    );
    assert!(std::error::Error::source(&error).is_some());
    let path = PrometheusExporter::builder()
        .path("metrics")
        .build()
        .unwrap_err();
    assert_eq!(
        path.to_string(),
        "the path `metrics` of the metrics does not begin with `/`"
    );
}

#[test]
fn host_and_path_can_be_chosen() {
    let exporter = PrometheusExporter::builder()
        .host("::1")
        .port(0)
        .path("/m")
        .build()
        .unwrap();
    match exporter.start() {
        Ok(()) => {
            let address = exporter.local_addr().unwrap();
            assert!(address.is_ipv6() && get(address, "/m").starts_with("HTTP/1.1 200"));
        }
        Err(error) => assert!(
            error
                .to_string()
                .starts_with("cannot serve metrics at [::1]:0: ")
        ),
    }
}

/// Environment variables are set for a process of its own: the test runs itself.
#[test]
fn the_environment_overrides_the_address() {
    const INSIDE: &str = "CACHIER_TEST_EXPECTED";
    if let Ok(expected) = std::env::var(INSIDE) {
        let exporter = PrometheusExporter::builder().host("192.0.2.1").build();
        let outcome = exporter.and_then(|exporter| exporter.start());
        assert_eq!(
            outcome
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default(),
            expected
        );
        return;
    }
    for (address, expected) in [
        ("127.0.0.1:0", ""),
        ("9464", "CACHIER_METRICS_ADDR is `9464`, not `host:port`"),
        (":9464", "CACHIER_METRICS_ADDR is `:9464`, not `host:port`"),
        (
            "localhost:99999",
            "CACHIER_METRICS_ADDR is `localhost:99999`, not `host:port`",
        ),
    ] {
        let this = std::env::current_exe().unwrap();
        let status = Command::new(this)
            .args(["--exact", "the_environment_overrides_the_address"])
            .envs([("CACHIER_METRICS_ADDR", address), (INSIDE, expected)])
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{address}");
    }
}

#[test]
fn stores_tell_their_figures_once_and_without_the_functions_that_use_them() {
    let metrics = CacheMetrics::create(MetricsOptions {
        listed: false,
        ..MetricsOptions::new("figures", "store-test")
    });
    let exporter = exporter();
    exporter.register_function(metrics).unwrap();
    let source = || {
        StoreSource::listed(|| {
            let mut figures = StoreFigures::new("store-test", "host:\"1\"");
            figures.round_trips = vec![(Operation::Load, 12), (Operation::Store, 3)];
            figures.breaker_open = true;
            figures.idle_connections = Some(4);
            let waits = Durations::default();
            waits.record(Duration::from_millis(250));
            figures.pool_waits = waits.read();
            vec![figures, StoreFigures::new("unused", "elsewhere")]
        })
    };
    let sources = [source(), source()];
    let text = exporter.render();
    let store = r#"backend="store-test",store="host:\"1\"""#;
    for line in [
        format!("cachier_backend_round_trips_total{{{store},operation=\"load\"}} 12"),
        format!("cachier_backend_round_trips_total{{{store},operation=\"store\"}} 3"),
        format!("cachier_breaker_open{{{store}}} 1"),
        format!("cachier_pool_connections{{{store},state=\"idle\"}} 4"),
        format!("cachier_pool_wait_duration_seconds_count{{{store}}} 1"),
        format!("cachier_pool_wait_duration_seconds_sum{{{store}}} 0.25"),
    ] {
        assert_eq!(
            text.matches(&format!("\n{line}\n")).count(),
            1,
            "{line} in {text}"
        );
    }
    assert!(!text.contains("unused") && !text.contains("state=\"busy\""));
    assert!(!format!("{sources:?}").contains("host"), "it may be secret");
    drop(sources);
    assert!(!exporter.render().contains("cachier_breaker_open"));
}
