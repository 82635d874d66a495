//! Every exporter tells the same figures of one state: each metric of the catalogue, in each.
#![cfg(all(
    feature = "cloudwatch",
    feature = "emf",
    feature = "metrics",
    feature = "otel",
    feature = "prometheus",
    feature = "statsd",
    unix,
    not(shuttle)
))]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use cachier_metrics::*;

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;
#[path = "support/collector.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod collector;
#[path = "support/dogstatsd.rs"]
mod dogstatsd;
#[path = "support/emf.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod emf;
#[path = "support/exporters.rs"]
mod exporters;
#[path = "support/recorder.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod recorder;
#[path = "support/cloudwatch.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod service;

use busy::{in_use_for_long, metrics, store};
use exporters::{Exporter, Figure};

/// A function that has recorded everything, one whose histograms are wide, and a store.
fn functions() -> ([&'static CacheMetrics; 2], ComputeRecorder, StoreSource) {
    let (busy, running) = in_use_for_long("busy");
    let (wide, clock) = metrics("wide");
    for millis in 1..=60 {
        let call = wide.start_call(Some(Sampled::ONE), None);
        clock.advance(std::time::Duration::from_millis(millis * millis));
        call.finish(Outcome::Miss, None, None);
    }
    ([busy, wide], running, store())
}

/// The value that this share of the others does not exceed.
fn quantile(values: &[(f64, f64)], share: f64) -> f64 {
    let all: f64 = values.iter().map(|(_, count)| count).sum();
    let mut below = 0.0;
    let within = |(_, count): &&(f64, f64)| {
        below += count;
        below >= share * all
    };
    values.iter().find(within).unwrap().0
}

fn is_close(found: f64, expected: f64, ratio: f64) -> bool {
    (found - expected).abs() <= expected.abs() * ratio
}

/// Whether a figure is what the program has.
fn agrees(sent: Option<&Figure>, family: &MetricFamily<'_>, sample: &Sample<'_>) -> bool {
    let number = match &sample.value {
        SampleValue::Histogram(histogram) => {
            let sum = family.unit.from_raw(histogram.sum as f64);
            return sent.is_some_and(|sent| agrees_with_histogram(sent, histogram, sum));
        }
        SampleValue::Count(count) => *count as f64,
        SampleValue::Number(number) => *number,
        other => panic!("unknown: {other:?}"),
    };
    match sent {
        Some(Figure::Number(found)) => is_close(*found, number, 1e-12),
        // Receivers that add up are not told of what has not moved.
        None => family.kind == MetricKind::Counter && number == 0.0,
        _ => false,
    }
}

/// Shorter times count as this, in seconds.
const SHORTEST: f64 = 8e-9;

fn agrees_with_histogram(sent: &Figure, histogram: &Histogram, sum: f64) -> bool {
    let count = histogram.count() as f64;
    let (values, exact_sum) = match sent {
        Figure::Summary(found, found_sum) => {
            return *found == count && is_close(*found_sum, sum, 1e-9);
        }
        Figure::Values(values, exact_sum) => (values, exact_sum),
        Figure::Number(_) => return false,
    };
    let upper = |bucket: &Bucket| (f64::from(bucket.index) / 16.0).exp2();
    let buckets = histogram.buckets.iter();
    let buckets: Vec<_> = buckets
        .map(|bucket| (upper(bucket), bucket.count as f64))
        .collect();
    // A bucket is 4.4 % wide, its middle within half of that.
    let of_quantile = |share| {
        let (found, upper) = (quantile(values, share), quantile(&buckets, share));
        found <= upper && upper <= found * 1.023
    };
    let of_values: f64 = values.iter().map(|(value, count)| value * count).sum();
    values.iter().map(|(_, count)| count).sum::<f64>() == count
        && exact_sum.is_none_or(|exact| is_close(exact, sum, 1e-9))
        && is_close(of_values, sum.max(count * SHORTEST), 0.023)
        && [0.01, 0.5, 0.9, 0.99].into_iter().all(of_quantile)
}

#[test]
fn one_state_is_told_alike_by_every_exporter() {
    let (functions, _running, _store) = functions();
    let registry = MetricsRegistry::new("test");
    functions
        .into_iter()
        .for_each(|metrics| registry.register_function(metrics));
    let export = registry.gather();
    let catalogue = catalogue();
    assert!(catalogue.len() > 30, "{catalogue:?}");
    for exporter in &exporters::all(&functions) {
        let name = exporter.name;
        assert_eq!(agreeing(exporter, &export), catalogue, "{name}");
        assert_eq!(unknown(exporter, &export), Vec::<&String>::new(), "{name}");
    }
}

/// The names of all metrics but those of an exporter's own work.
fn catalogue() -> BTreeSet<String> {
    let golden = include_str!("golden/metrics.txt").lines();
    let names = golden.filter(|line| !line.starts_with(' '));
    let names = names.map(|line| line.split(' ').next().unwrap());
    let names = names.filter(|name| !name.starts_with("cachier_export_"));
    names.map(str::to_owned).collect()
}

/// The names of the program's metrics, each found to agree with the exporter's.
#[track_caller]
fn agreeing(exporter: &Exporter, export: &Export) -> BTreeSet<String> {
    let mut agreeing = BTreeSet::new();
    for family in export.families() {
        // Each exporter counts its own work.
        let of_exporter = family.name.starts_with("export_");
        for sample in family.samples.iter().filter(|_| !of_exporter) {
            let name = (exporter.name_of)(&family, sample);
            let sent = exporter.figures.get(&name);
            assert!(
                agrees(sent, &family, sample),
                "{} has {sent:?} as {name}, and the program {:?}",
                exporter.name,
                sample.value
            );
            agreeing.insert(family.full_name());
        }
    }
    agreeing
}

/// The figures that the program does not have, but for those of the exporter's own work.
fn unknown<'a>(exporter: &'a Exporter, export: &Export) -> Vec<&'a String> {
    let known = export.families().flat_map(|family| {
        let samples = family.samples.iter();
        let name_of = samples.map(|sample| (exporter.name_of)(&family, sample));
        name_of.collect::<Vec<_>>()
    });
    let known: BTreeSet<_> = known.collect();
    let own = |name: &&String| name.to_lowercase().contains("export");
    let sent = exporter.figures.keys();
    sent.filter(|name| !known.contains(*name) && !own(name))
        .collect()
}

/// A receiver that does not read holds up the export alone: calls, readers and registrations go on meanwhile.
#[test]
fn nobody_waits_for_an_export_that_hangs() {
    use std::io::Read as _;
    use std::process::Command;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let exporter = Arc::new(EmfExporter::builder().file(&path).build().unwrap());
    // More than a pipe holds.
    let many: Vec<_> = (0..40)
        .map(|number| in_use_for_long(&format!("hangs {number}")))
        .collect();
    for (metrics, _running) in &many {
        exporter.register_function(metrics).unwrap();
    }
    let exporting = Arc::clone(&exporter);
    let export = std::thread::spawn(move || exporting.flush());
    let mut reader = std::fs::File::open(&path).unwrap();
    let mut first = [0; 1];
    reader.read_exact(&mut first).unwrap();
    // The export is under way, and stays so until somebody reads on.
    let (metrics, _) = metrics("meanwhile");
    exporter.register_function(metrics).unwrap();
    for _ in 0..1000 {
        let call = metrics.start_call(Some(Sampled::ONE), None);
        call.finish(Outcome::Hit, None, None);
        many[0]
            .0
            .start_call(None, None)
            .finish(Outcome::Hit, None, None);
    }
    assert_eq!(metrics.stats().hits, 1000);
    assert!(exporter.registry().gather().families().count() > 30);
    let prometheus = PrometheusExporter::builder().build().unwrap();
    prometheus.register_function(many[0].0).unwrap();
    assert!(prometheus.render().contains("outcome=\"hit\"} 1001"));
    assert!(!export.is_finished());
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    export.join().unwrap().unwrap();
    assert!(!rest.contains("meanwhile"), "it was read before");
}
