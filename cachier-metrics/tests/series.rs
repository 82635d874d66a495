//! The series of a whole program: bounded, without losing a count.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;

use cachier_metrics::*;

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;

use busy::in_use_for_long;

/// All series, by their names with labels.
fn series(text: &str) -> HashMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let series = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    series.collect()
}

/// The series of a function.
fn of<'a>(all: &'a HashMap<String, f64>, function: &str) -> Vec<&'a str> {
    let label = format!("function=\"{function}\"");
    all.keys()
        .map(String::as_str)
        .filter(|name| name.contains(&label))
        .collect()
}

/// How many functions share `(other)`.
const FOLDED: &str = "cachier_export_folded_functions{exporter=\"prometheus\"}";

static WARNED: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn tell(cause: &str, problem: &str) {
    WARNED.lock().unwrap().push(format!("{cause}: {problem}"));
}

/// The warnings of the usual budget, which one test exceeds.
fn told() -> Vec<String> {
    let told = WARNED.lock().unwrap().clone();
    let of_the_usual = |warning: &String| warning.contains("at most 20000 series");
    told.into_iter().filter(of_the_usual).collect()
}

#[test]
fn a_program_keeps_within_its_series() {
    set_warning_handler(tell);
    let exporter = PrometheusExporter::builder().build().unwrap();
    let functions: Vec<_> = (0..300)
        .map(|number| in_use_for_long(&format!("f{number}")))
        .collect();
    let (first, later) = functions.split_at(100);
    for (metrics, _running) in first {
        exporter.register_function(metrics).unwrap();
    }
    let before = series(&exporter.render());
    let warnings = told();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let warning =
        "series of prometheus: the exporter `prometheus` makes at most 20000 series: from `f47` on";
    assert!(
        warnings[0].starts_with(warning) && warnings[0].contains(".max_series("),
        "{warnings:?}"
    );

    for (metrics, _running) in later.iter().chain(first) {
        exporter.register_function(metrics).unwrap();
    }
    let all = series(&exporter.render());
    assert!((15_000..=20_000).contains(&all.len()), "{}", all.len());
    assert_eq!(told().len(), 1, "it is told once");
    // A function keeps its series, and no counter moves.
    for (name, value) in &before {
        let is_stale = name.contains("export_folded_functions");
        assert!(is_stale || all.get(name) == Some(value), "{name}");
    }
    degrades_in_steps(&all);
    loses_no_count(&all);
}

/// First buckets go, then rare labels, then functions.
fn degrades_in_steps(all: &HashMap<String, f64>) {
    let has = |function: &str, part: &str| of(all, function).iter().any(|name| name.contains(part));
    let bucket = "cachier_call_duration_seconds_bucket{";
    let parts = |function| {
        [
            of(all, function)
                .iter()
                .any(|name| name.starts_with(bucket) && !name.contains("+Inf")),
            has(function, "reason=\"absent\""),
            has(function, "cachier_call_duration_seconds_sum"),
        ]
    };
    assert_eq!(parts("f46"), [true, true, true]);
    assert_eq!(parts("f47"), [false, true, true]);
    assert_eq!(parts("f90"), [false, false, true]);
    assert_eq!(parts("f299"), [false, false, false]);
    assert!(has("f90", "reason=\"(other)\"") && has("f90", "outcome=\"hit\""));
    assert_eq!(all[FOLDED], 156.0);
    for (function, most) in [("f0", 200), ("f47", 127), ("f90", 80), ("(other)", 80)] {
        let count = of(all, function).len();
        assert!(count <= most, "{function}: {count} of {most}");
    }
}

fn loses_no_count(all: &HashMap<String, f64>) {
    let sum = |metric: &str| {
        let of_metric = all
            .iter()
            .filter(|(name, _)| name.starts_with(&format!("{metric}{{")));
        of_metric.map(|(_, value)| value).sum::<f64>()
    };
    assert_eq!(sum("cachier_calls_total"), 300.0 * 6.0);
    assert_eq!(sum("cachier_recalculations_total"), 300.0 * 9.0);
    assert_eq!(sum("cachier_compute_duration_seconds_count"), 300.0 * 8.0);
    assert_eq!(sum("cachier_backend_errors_total"), 300.0 * 16.0);
    assert_eq!(
        sum("cachier_backend_operation_duration_seconds_count"),
        300.0 * 30.0
    );
    let of_others = "cachier_calls_total{function=\"(other)\",backend=\"file\",outcome=\"hit\"}";
    assert_eq!(all[of_others], all[FOLDED]);
}

/// Each function within what the budget counts for it, whatever the exporter makes of it.
#[test]
fn functions_are_no_more_series_than_counted() {
    let plain = || PrometheusExporter::builder();
    for (builder, open, most) in [
        (plain(), false, [200, 127]),
        (plain().detail(Detail::Full), false, [300, 127]),
        (plain().created_series(), true, [280, 207]),
        (
            plain().created_series().detail(Detail::Full),
            true,
            [380, 207],
        ),
    ] {
        // One of each kind: half is for the first.
        let max = 1_000 + 2 * most[0];
        let exporter = builder.port(0).max_series(max).build().unwrap();
        let functions = ["full", "less"].map(in_use_for_long);
        for (metrics, _running) in &functions {
            exporter.register_function(metrics).unwrap();
        }
        exporter.start().unwrap();
        let accept = if open {
            "application/openmetrics-text"
        } else {
            "text/plain"
        };
        let mut stream = TcpStream::connect(exporter.local_addr().unwrap()).unwrap();
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let all = series(answer.split_once("\r\n\r\n").unwrap().1);
        let (full, less) = (of(&all, "full").len(), of(&all, "less").len());
        assert!(
            full <= most[0] && less <= most[1],
            "{full} and {less} of {most:?}"
        );
        assert!(full > most[0] * 2 / 3, "{full} of {most:?}");
    }
}
