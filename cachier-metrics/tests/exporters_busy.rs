//! Exporters come and go while many threads call: nobody waits for ever, no call is lost, and no figure falls.
#![cfg(all(
    feature = "prometheus",
    feature = "statsd",
    feature = "emf",
    not(shuttle)
))]
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use cachier_metrics::*;

#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "support/client.rs"]
mod client;

thread_local!(static SLOT: LocalSlot = const { LocalSlot::new() });

const THREADS: u64 = 16;
/// How many threads each caller has been in the end, one after the other.
const GENERATIONS: u64 = 100;
const CALLS: u64 = 200;
const FUNCTIONS: u64 = 4;

/// A thread of a program: hits, other calls, and some that are given up.
fn call(functions: &[&'static CacheMetrics]) {
    for number in 0..CALLS {
        for metrics in functions {
            let sampled = metrics.local(&SLOT).sample();
            match number % 4 {
                0 | 1 => metrics.local(&SLOT).hit(),
                2 => {
                    let call = metrics.start_call(sampled, None);
                    metrics
                        .start_compute(Reason::Absent)
                        .finish(ComputeResult::Value);
                    call.finish(Outcome::Miss, None, None);
                }
                _ => drop(metrics.start_call(sampled, None)),
            }
        }
    }
}

/// An exporter is made, asked and dropped, one of each kind.
fn come_and_go(functions: &[&'static CacheMetrics], daemon: &str) {
    let (prometheus, address) = client::serving(PrometheusExporter::builder());
    prometheus
        .register_functions(functions.iter().copied())
        .unwrap();
    prometheus.register_all().unwrap();
    assert_eq!(client::get(address, "/metrics", "").status(), 200);
    assert_eq!(client::get(address, "/stats.json", "").status(), 200);
    let statsd = StatsdExporter::builder().address(daemon).build().unwrap();
    statsd
        .register_functions(functions.iter().copied())
        .unwrap();
    statsd.start().unwrap();
    statsd.flush().unwrap();
    statsd.stop();
    let folder = tempfile::tempdir().unwrap();
    let emf = EmfExporter::builder().file(folder.path().join("emf.log"));
    let emf = emf.build().unwrap();
    emf.register_matching("busy_*").unwrap();
    emf.flush().unwrap();
}

/// The figures of an export that never fall, by name and labels.
fn rising(registry: &MetricsRegistry) -> HashMap<String, f64> {
    let export = registry.gather();
    let families = export
        .families()
        .filter(|family| family.kind != MetricKind::Gauge);
    let figures = families.flat_map(|family| {
        let name = family.full_name();
        let samples = family.samples.into_iter();
        let values = samples.map(move |sample| {
            let value = match &sample.value {
                SampleValue::Count(count) => *count as f64,
                SampleValue::Number(number) => *number,
                SampleValue::Histogram(histogram) => histogram.count() as f64,
                other => panic!("{other:?}"),
            };
            (format!("{name} {:?}", sample.labels), value)
        });
        values.collect::<Vec<_>>()
    });
    figures.collect()
}

/// All that an export after the other shows, until it is over.
fn watch(functions: &[&'static CacheMetrics], is_over: &AtomicBool) {
    let registry = MetricsRegistry::new("watch");
    functions
        .iter()
        .for_each(|metrics| registry.register_function(metrics));
    let mut before = rising(&registry);
    while !is_over.load(Relaxed) {
        let now = rising(&registry);
        for (figure, value) in &before {
            assert!(*value >= 0.0, "{figure}: {value}");
            assert!(
                now[figure] >= *value,
                "{figure}: {value}, then {}",
                now[figure]
            );
        }
        before = now;
    }
}

#[test]
fn exporters_come_and_go_while_threads_call() {
    let functions: Vec<_> = (0..FUNCTIONS)
        .map(|number| CacheMetrics::create(MetricsOptions::new(format!("busy_{number}"), "memory")))
        .collect();
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let daemon = daemon.local_addr().unwrap().to_string();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (functions, daemon, is_over) = (&functions, &daemon, &is_over);
        let caller = || {
            for _ in 0..GENERATIONS {
                thread::scope(|scope| _ = scope.spawn(|| call(functions)));
            }
        };
        let callers: Vec<_> = (0..THREADS).map(|_| scope.spawn(caller)).collect();
        let others = [
            scope.spawn(|| watch(functions, is_over)),
            scope.spawn(|| {
                while !is_over.load(Relaxed) {
                    come_and_go(functions, daemon);
                }
            }),
        ];
        let called: Vec<_> = callers.into_iter().map(|caller| caller.join()).collect();
        is_over.store(true, Relaxed);
        called.into_iter().for_each(|called| called.unwrap());
        others.into_iter().for_each(|other| other.join().unwrap());
    });
    let calls = THREADS * GENERATIONS * CALLS;
    for metrics in functions {
        let stats = metrics.stats();
        assert_eq!(
            (
                stats.hits,
                stats.misses,
                stats.abandoned,
                stats.recalculations
            ),
            (calls / 2, calls / 4, calls / 4, calls / 4),
        );
        assert_eq!(metrics.snapshot().activity, Activity::default());
    }
}
