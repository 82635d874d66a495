//! The exporter in CloudWatch's embedded metric format, against a reader of its specification.
#![cfg(all(feature = "emf", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::fs::{create_dir, read_to_string, remove_file};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use cachier_metrics::*;
use cachier_servers::wait::until;

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;
#[path = "support/emf.rs"]
mod emf;

use busy::{in_use_for_long, metrics};
use emf::{Document, Metric};

/// Calls that take this long, each timed.
fn calls(metrics: &'static CacheMetrics, clock: &Clock, count: u64, millis: u64) {
    for _ in 0..count {
        let call = metrics.start_call(Some(Sampled::ONE), None);
        clock.advance(Duration::from_millis(millis));
        call.finish(Outcome::Hit, None, None);
    }
}

/// What is in the file, which is empty afterwards.
fn taken(path: &Path) -> Vec<Document> {
    let text = read_to_string(path).unwrap();
    remove_file(path).unwrap();
    assert!(text.ends_with('\n'), "{text}");
    text.lines().map(Document::parse).collect()
}

/// The only metric of a name, with its dimensions.
#[track_caller]
fn the<'a>(documents: &'a [Document], name: &str) -> (&'a Document, &'a Metric) {
    let of_name = documents.iter().filter_map(|document| {
        let metric = document.metrics.get(name)?;
        Some((document, metric))
    });
    let of_name: Vec<_> = of_name.collect();
    assert_eq!(of_name.len(), 1, "{name}: {of_name:?}");
    of_name[0]
}

#[test]
fn a_file_holds_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.log");
    let exporter = EmfExporter::builder().file(&path).namespace("Shop/Cache");
    let exporter = exporter
        .constant_label("service", "till ü")
        .build()
        .unwrap();
    let (metrics, clock) = metrics("app::<T>");
    exporter.register_function(metrics).unwrap();
    calls(metrics, &clock, 5, 20);
    metrics.rejected(1 << 20);
    exporter.flush().unwrap();
    let documents = taken(&path);
    let (document, calls_made) = the(&documents, "Calls");
    assert_eq!(document.namespace, "Shop/Cache");
    let dimensions = [
        ("Backend", "file"),
        ("Function", "app::<T>"),
        ("Outcome", "hit"),
        ("Service", "till _"),
    ];
    let found = document
        .dimensions
        .iter()
        .map(|(name, value)| (&**name, &**value));
    assert!(found.eq(dimensions), "{document:?}");
    assert_eq!((&*calls_made.unit, calls_made.sum), ("Count", 5.0));
    let (same_document, durations) = the(&documents, "CallDuration");
    assert!(std::ptr::eq(document, same_document), "one line for both");
    assert_eq!((&*durations.unit, durations.count()), ("Seconds", 5.0));
    assert!((durations.sum - 0.1).abs() < 1e-9, "{durations:?}");
    let (_, rejected) = the(&documents, "RejectedBytes");
    assert_eq!(
        (&*rejected.unit, rejected.sum),
        ("Bytes", f64::from(1 << 20))
    );
    assert_eq!(the(&documents, "SamplingRatio").1.unit, "None");
    // What has not moved is not written again, but gauges are.
    let lines = documents.len();
    exporter.push_once().unwrap();
    let again = taken(&path);
    assert_eq!(the(&again, "ExportRequests").1.sum, lines as f64);
    assert_eq!(the(&again, "SamplingRatio").1.sum, 1.0);
    let has_moved = |name: &str| {
        again
            .iter()
            .any(|document| document.metrics.contains_key(name))
    };
    assert!(!has_moved("Calls") && !has_moved("CallDuration"));
    calls(metrics, &clock, 2, 40);
    exporter.flush().unwrap();
    let later = taken(&path);
    assert_eq!(the(&later, "Calls").1.sum, 2.0);
    let durations = the(&later, "CallDuration").1;
    assert!((durations.sum - 0.08).abs() < 1e-9, "{durations:?}");
    let [(value, count)] = durations.values[..] else {
        panic!("{durations:?}");
    };
    assert!(
        count == 2.0 && (value / 0.04 - 1.0).abs() < 0.023,
        "{value}"
    );
}

/// Durations of all sizes: more than a metric may have values.
#[test]
fn limits_hold_for_everything_a_function_can_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.log");
    let exporter = EmfExporter::builder().file(&path);
    let exporter = (0..26).fold(exporter, |exporter, number| {
        exporter.constant_label(format!("label_{number}"), "x".repeat(2000))
    });
    let exporter = exporter.build().unwrap();
    let (busy, _running) = in_use_for_long(&"long ".repeat(300));
    exporter.register_function(busy).unwrap();
    let (wide, clock) = metrics("wide");
    exporter.register_function(wide).unwrap();
    let mut nanos = 10.0;
    for _ in 0..250 {
        let call = wide.start_call(Some(Sampled::ONE), None);
        clock.advance(Duration::from_nanos(nanos as u64));
        call.finish(Outcome::Hit, None, None);
        nanos *= 1.1;
    }
    exporter.flush().unwrap();
    let documents = taken(&path);
    let of_wide = documents.iter().filter(|document| {
        document
            .dimensions
            .get("Function")
            .is_some_and(|name| name == "wide")
    });
    let parts = of_wide.filter_map(|document| document.metrics.get("CallDuration"));
    let parts: Vec<_> = parts.collect();
    assert!(parts.len() >= 3, "{}", parts.len());
    assert_eq!(parts.iter().map(|part| part.count()).sum::<f64>(), 250.0);
    let exact = wide.snapshot().call_duration[Outcome::Hit].sum as f64 / 1e9;
    let sum = parts.iter().map(|part| part.sum).sum::<f64>();
    assert!((sum / exact - 1.0).abs() < 1e-9, "{sum} of {exact}");
}

/// A disk that is full, for a while.
#[cfg(target_os = "linux")]
#[test]
fn failed_writes_neither_lose_nor_repeat_figures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.log");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let exporter = EmfExporter::builder().file(&path).build().unwrap();
    let (metrics, clock) = metrics("unwritten");
    exporter.register_function(metrics).unwrap();
    calls(metrics, &clock, 5, 20);
    let error = exporter.flush().unwrap_err().to_string();
    let message = format!("cannot write metrics to {}: ", path.display());
    assert!(error.starts_with(&message), "{error}");
    remove_file(&path).unwrap();
    calls(metrics, &clock, 2, 20);
    exporter.flush().unwrap();
    let mut text = read_to_string(&path).unwrap();
    // The end of what may have been a line.
    assert_eq!(text.remove(0), '\n');
    let documents: Vec<_> = text.lines().map(Document::parse).collect();
    assert_eq!(the(&documents, "Calls").1.sum, 7.0);
    let durations = the(&documents, "CallDuration").1;
    assert!((durations.sum - 0.14).abs() < 1e-9, "{durations:?}");
    assert_eq!(the(&documents, "ExportFailures").1.sum, 1.0);
    let nowhere = EmfExporter::builder().file(folder.path()).build().unwrap();
    assert!(nowhere.flush().is_err());
}

#[test]
fn standard_output_gets_lines_periodically_and_on_stop() {
    const CHILD: &str = "CACHIER_TEST_EMF_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let exporter = EmfExporter::builder().interval(Duration::from_secs(3600));
        let exporter = exporter.build().unwrap();
        let (metrics, clock) = metrics("on standard output");
        exporter.register_function(metrics).unwrap();
        calls(metrics, &clock, 3, 20);
        exporter.start().unwrap();
        assert!(exporter.start().is_err());
        exporter.stop();
        exporter.stop();
        return;
    }
    let name = "standard_output_gets_lines_periodically_and_on_stop";
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "-q"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    let text = String::from_utf8(child.stdout).unwrap();
    // The harness says something, too.
    let lines = text.lines().filter(|line| line.contains("\"_aws\""));
    let documents: Vec<_> = lines
        .map(|line| Document::parse(&line[line.find('{').unwrap()..]))
        .collect();
    assert_eq!(the(&documents, "Calls").1.sum, 3.0);
}

#[test]
fn a_standard_output_that_is_gone_is_told() {
    const CHILD: &str = "CACHIER_TEST_EMF_GONE";
    if std::env::var_os(CHILD).is_some() {
        // Once nobody reads any more.
        let _ = std::io::stdin().read_line(&mut String::new());
        let error = EmfExporter::builder().build().unwrap().flush().unwrap_err();
        let message = "cannot write metrics to the standard output: ";
        assert!(error.to_string().starts_with(message), "{error}");
        // Without a word of the harness.
        std::process::exit(42);
    }
    let name = "a_standard_output_that_is_gone_is_told";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("running 1 test") {
        assert!(output.read_line(&mut line).unwrap() > 0, "{line}");
    }
    drop(output);
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(42));
}

#[test]
fn it_writes_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.log");
    let exporter = EmfExporter::builder()
        .file(&path)
        .interval(Duration::from_millis(1));
    let exporter = exporter.build().unwrap();
    let (metrics, clock) = metrics("periodic");
    exporter.register_function(metrics).unwrap();
    calls(metrics, &clock, 3, 20);
    exporter.start().unwrap();
    until("it has written", || path.exists());
    exporter.stop();
    let documents = taken(&path);
    assert_eq!(the(&documents, "Calls").1.sum, 3.0);
}

#[test]
fn failed_periodic_writes_end_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later").join("emf.log");
    let builder = EmfExporter::builder().file(&path);
    let exporter = builder.interval(Duration::from_millis(1)).build().unwrap();
    exporter.register_function(metrics("periodic").0).unwrap();
    exporter.start().unwrap();
    let has_failed = || {
        let export = exporter.registry().gather();
        let mut own = export.families();
        own.find(|family| family.name == "export_failures")
            .is_some_and(|family| family.samples[0].value != SampleValue::Count(0))
    };
    until("it has failed", has_failed);
    create_dir(path.parent().unwrap()).unwrap();
    until("it has written", || path.exists());
    exporter.stop();
}

#[test]
fn what_cannot_be_is_refused() {
    let builder = EmfExporter::builder;
    assert!(builder().namespace("AWS/Mine").build().is_err());
    assert!(builder().constant_label("calls", "x").build().is_err());
    assert!(builder().constant_label("a b", "x").build().is_err());
    assert!(builder().max_series(10).build().is_ok());
}
