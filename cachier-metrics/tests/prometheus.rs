//! The Prometheus exporter: its output.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use cachier_metrics::*;

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;

use busy::{in_use_for_long, metrics};

fn hit(metrics: &'static CacheMetrics) {
    let call = metrics.start_call(None, None);
    call.finish(Outcome::Hit, None, None);
}

fn exporter() -> PrometheusExporter {
    PrometheusExporter::builder().port(0).build().unwrap()
}

/// A function with a few calls, on a persistent backend.
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

/// The sample lines with this function's label.
fn series<'a>(text: &'a str, function: &str) -> Vec<&'a str> {
    let label = format!("function=\"{function}\"");
    text.lines()
        .filter(|line| !line.starts_with('#') && line.contains(&label))
        .collect()
}

#[test]
fn functions_keep_within_their_series_budget() {
    let (busy, _running) = in_use_for_long("busy");
    let text = render(&[metrics("idle").0, busy]);
    let (idle, busy) = (series(&text, "idle").len(), series(&text, "busy").len());
    assert!((40..=60).contains(&idle), "{idle} series");
    assert!((150..=200).contains(&busy), "{busy} series");
}

#[test]
fn a_function_in_use_has_every_metric() {
    let (busy, _running) = in_use_for_long("busy");
    let text = render(&[busy]);
    let families: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .collect();
    assert_eq!(families.len(), 39, "{families:#?}");
}

#[test]
fn full_detail_has_a_bucket_per_power() {
    let full = PrometheusExporter::builder().port(0).detail(Detail::Full);
    let (full, brief) = (full.build().unwrap(), exporter());
    let busy = in_use("busy");
    for exporter in [&full, &brief] {
        exporter.register_function(busy).unwrap();
    }
    let (full, brief) = (full.render(), brief.render());
    let (full, brief) = (series(&full, "busy"), series(&brief, "busy"));
    assert!(brief.iter().all(|series| full.contains(series)));
    let between = r#"cachier_call_duration_seconds_bucket{function="busy",backend="file",outcome="hit",le="0.0009765625"} 0"#;
    assert!(full.contains(&between) && !brief.contains(&between));
}

#[test]
fn ages_of_days_and_long_computations_have_buckets() {
    let (metrics, clock) = metrics("slow");
    let day = 86_400_000_000_000;
    for days in [2, 4] {
        let call = metrics.start_call(Some(Sampled::ONE), None);
        call.finish(Outcome::Hit, Some(days * day), None);
    }
    let compute = metrics.start_compute(Reason::Absent);
    clock.advance(Duration::from_secs(600));
    compute.finish(ComputeResult::Value);
    let text = render(&[metrics]);
    for (metric, bound, count) in [
        ("entry_age", "16384", 0),
        ("entry_age", "262144", 1),
        ("entry_age", "+Inf", 2),
        ("compute_duration", "64", 0),
        ("compute_duration", "1024", 1),
    ] {
        let series = format!(
            r#"cachier_{metric}_seconds_bucket{{function="slow",backend="file",le="{bound}"}} {count}"#
        );
        assert!(text.contains(&series), "{series} is not in\n{text}");
    }
}

#[test]
fn counters_exist_at_zero_but_histograms_do_not() {
    let text = render(&[metrics("idle").0]);
    for series in [
        r#"cachier_calls_total{function="idle",backend="file",outcome="unavailable"} 0"#,
        r#"cachier_backend_errors_total{function="idle",backend="file",operation="load",kind="denied"} 0"#,
        r#"cachier_refreshes_suppressed_total{function="idle",backend="file"} 0"#,
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
        r#"cachier_call_duration_seconds_bucket{function="busy",backend="file",outcome="hit",le="0.000244140625"} 0"#,
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
        // Bypasses the harness, which captures output; nobody to tell is no failure.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: promtool is not installed (`apt install prometheus`)"
        );
        let is_required = std::env::var_os("CACHIER_TEST_REQUIRE").is_some();
        assert!(
            !is_required,
            "CACHIER_TEST_REQUIRE is set, and promtool is not installed"
        );
        return;
    };
    let (busy, _running) = in_use_for_long("busy");
    let text = render(&[metrics("idle").0, busy]);
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
fn functions_of_one_name_are_one_series() {
    let exporter = exporter();
    let (one, two) = (metrics("same").0, metrics("same").0);
    for (metrics, calls) in [(one, 3), (two, 5)] {
        exporter.register_function(metrics).unwrap();
        exporter.register_function(metrics).unwrap();
        (0..calls).for_each(|_| hit(metrics));
    }
    let text = exporter.render();
    let hits = r#"cachier_calls_total{function="same",backend="file",outcome="hit"}"#;
    assert_eq!(text.matches(hits).count(), 1, "{text}");
    assert!(text.contains(&format!("{hits} 8\n")), "{text}");
    let ratio = r#"cachier_hit_ratio{function="same",backend="file",window="1d"}"#;
    assert!(text.contains(&format!("{ratio} 1\n")), "{text}");
}

#[test]
fn one_name_on_two_backends_is_two_series() {
    let on =
        |backend: &str| CacheMetrics::create(MetricsOptions::new("spread", backend).unlisted());
    let exporter = exporter();
    exporter
        .register_functions(["memory", "file"].map(on))
        .unwrap();
    let text = exporter.render();
    for backend in ["memory", "file"] {
        let calls = format!("cachier_calls_total{{function=\"spread\",backend=\"{backend}\"");
        assert!(text.contains(&calls), "{text}");
    }
}

/// A single test, as all tests of this file share the process's registry.
#[test]
fn all_functions_of_now_and_later_are_exported() {
    let listed = |name: &str| {
        let clock = Clock::manual();
        CacheMetrics::create(MetricsOptions::new(name, "memory").clock(clock))
    };
    let (before, exporter) = (listed("before"), exporter());
    exporter.register_function(before).unwrap();
    exporter.register_all().unwrap();
    exporter.register_all().unwrap();
    let later = [listed("later"), listed("later")];
    listed("last");
    let text = exporter.render();
    assert!(!series(&text, "before").is_empty() && !series(&text, "last").is_empty());
    later.into_iter().for_each(hit);
    let hits = r#"cachier_calls_total{function="later",backend="memory",outcome="hit"} 2"#;
    assert!(exporter.render().contains(hits));
}

#[test]
fn stores_are_exported_once() {
    let metrics = CacheMetrics::create(MetricsOptions::new("figures", "store-test").unlisted());
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
