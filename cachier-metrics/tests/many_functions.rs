//! The cost of many functions, in a process that has no others.
#![cfg(all(feature = "prometheus", target_os = "linux"))]
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use cachier_metrics::{CacheMetrics, MetricsOptions, PrometheusExporter};
use rustix::time::{ClockId, clock_gettime};

const FEW_FUNCTIONS: usize = 500;
const MANY_FUNCTIONS: usize = 5_000;

/// Processor time of exporting: registering each function, registering all, and a scrape. Each is the shortest of
/// some attempts, as others use its caches, too.
fn times() -> [Duration; 3] {
    // Each function by itself, however many they are.
    let exporter = || {
        let builder = PrometheusExporter::builder().port(0).max_series(usize::MAX);
        builder.build().unwrap()
    };
    let shortest = |work: &dyn Fn()| {
        let attempts = (0..8).map(|_| {
            let started = processor_time();
            work();
            processor_time() - started
        });
        attempts.min().unwrap()
    };
    let all = CacheMetrics::all();
    let full = exporter();
    full.register_all().unwrap();
    let calls = full.render().matches("cachier_calls_total{").count();
    assert_eq!(calls, 6 * all.len());
    [
        shortest(&|| exporter().register_functions(all.iter().copied()).unwrap()),
        shortest(&|| exporter().register_all().unwrap()),
        shortest(&|| _ = full.render()),
    ]
}

/// How long this thread has run.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

fn create(numbers: std::ops::Range<usize>) {
    for number in numbers {
        CacheMetrics::create(MetricsOptions::new(format!("many_{number}"), "memory"));
    }
}

#[test]
fn many_functions_are_exported_in_proportion() {
    /// Quadratic work is at a hundred, work in proportion at ten.
    const MAX_RATIO: f64 = 40.0;
    create(0..FEW_FUNCTIONS);
    let few = times();
    create(FEW_FUNCTIONS..MANY_FUNCTIONS);
    let many = times();
    let steps = ["registering each", "registering all", "a scrape"];
    for ((step, few), many) in steps.into_iter().zip(few).zip(many) {
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        assert!(
            ratio < MAX_RATIO,
            "{step}: {few:?} for {FEW_FUNCTIONS}, {many:?} for {MANY_FUNCTIONS}"
        );
    }
}
