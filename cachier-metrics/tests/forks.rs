//! Metrics in forked processes, as of servers that fork their workers.
#![cfg(all(unix, feature = "prometheus"))]
#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;

use cachier_metrics::{CacheMetrics, MetricsOptions, Outcome, PrometheusExporter, Reason};
use fork::{Fork, fork, waitpid};

#[test]
fn a_child_counts_from_zero() {
    let metrics = CacheMetrics::create(MetricsOptions::new("forked", "memory"));
    let call = || {
        metrics
            .start_call(None, Some(0))
            .finish(Outcome::Miss, None, None);
    };
    call();
    assert_eq!(metrics.stats().calls, 1);
    let (_running, _waiting) = (
        metrics.start_call(None, Some(0)),
        metrics.start_compute(Reason::Absent),
    );
    let exporter = PrometheusExporter::builder().port(0).build().unwrap();
    exporter.register_function(metrics).unwrap();
    exporter.start().unwrap();
    match fork().unwrap() {
        Fork::Child => {
            let alone = AssertUnwindSafe(|| {
                assert_eq!(metrics.stats().calls, 0);
                assert_eq!(metrics.snapshot().calls.values().sum::<u64>(), 0);
                call();
                assert_eq!(metrics.stats().calls, 1);
                drop(exporter);
            });
            // The test harness is not running in the child.
            exit(i32::from(catch_unwind(alone).is_err()));
        }
        Fork::Parent(child) => assert_eq!(waitpid(child).unwrap(), 0),
    }
    assert_eq!(metrics.stats().calls, 1);
    assert!(exporter.render().contains("cachier_calls_total"));
}
