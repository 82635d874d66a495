//! Metrics in forked processes, as of servers that fork their workers.
#![cfg(all(unix, feature = "prometheus"))]
#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use cachier_metrics::{CacheMetrics, MetricsOptions, Outcome, PrometheusExporter, Reason};
use fork::{Fork, fork, waitpid};

/// One test at a time: a child has whatever locks the others hold.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_child_counts_from_zero() {
    let _alone = ALONE.lock().unwrap();
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

#[test]
fn a_child_exports_whatever_its_parent_was_doing() {
    let _alone = ALONE.lock().unwrap();
    for number in 0..2_000 {
        CacheMetrics::create(MetricsOptions::new(format!("crowd_{number}"), "memory"));
    }
    let exporter = PrometheusExporter::builder()
        .port(0)
        .max_series(usize::MAX)
        .build()
        .unwrap();
    exporter.register_all().unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Holds the locks of the exporter and of the functions nearly all the time.
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    exporter.register_all().unwrap();
                }
            });
        }
        let codes: Vec<_> = (0..10).map(|_| in_a_child(|| exports(&exporter))).collect();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(codes, [0; 10]);
    });
}

/// Creates a function and looks whether it is exported.
fn exports(exporter: &PrometheusExporter) {
    CacheMetrics::create(MetricsOptions::new("born in a child", "memory"));
    assert!(exporter.render().contains("born in a child"));
    exporter.register_all().unwrap();
}

/// The exit code of a forked child that does this; 2 if it hangs.
fn in_a_child(work: impl FnOnce()) -> i32 {
    match fork().unwrap() {
        Fork::Child => {
            thread::spawn(|| {
                thread::sleep(Duration::from_secs(20));
                exit(2);
            });
            exit(i32::from(catch_unwind(AssertUnwindSafe(work)).is_err()));
        }
        Fork::Parent(child) => waitpid(child).unwrap() >> 8,
    }
}
