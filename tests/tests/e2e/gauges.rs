//! Gauges are read without waiting for a store.

use std::time::Duration;

use cachier::testing::Clock;
use cachier::{ErrorKind, PrometheusExporter, Snapshot, cachier};
use cachier_tests::backend::{Fault, MapBackend, with_map};
use cachier_tests::double;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::process::{Process, part};
use cachier_tests::sandbox::{in_another_process, in_folder};
use cachier_tests::wait::until;

const INTERVAL: Duration = Duration::from_secs(10);

#[test]
fn reading_metrics_never_waits_for_the_store() {
    double!(backend = registered("map"), enable_metrics);

    let entries = || double::metrics().stats().entries;
    with_map(|map| {
        let exporter = PrometheusExporter::builder().port(0).build().unwrap();
        exporter.register_function(double::metrics()).unwrap();
        double(1);
        assert_eq!(entries(), None, "nobody has asked the store yet");
        cachier::flush();
        double(2);
        exporter.render();
        exporter.render();
        assert_eq!(entries(), Some(1), "that was asked for a moment ago");
        assert_eq!(map.asked_for_usage(), 1);

        Clock::advance(INTERVAL);
        exporter.render();
        cachier::flush();
        assert_eq!(entries(), Some(2));
        assert!(exporter.render().contains("tier=\"backend\"} 2"));
        assert_eq!(map.asked_for_usage(), 2);

        double(3);
        double::usage().unwrap();
        assert_eq!(
            entries(),
            Some(3),
            "whoever asks the store tells the metrics"
        );

        map.set(Fault::Hangs);
        Clock::advance(INTERVAL);
        exporter.render();
        assert_eq!(entries(), Some(3), "it is still being asked");
        until("it is asked", || map.asked_for_usage() == 4);
        Clock::advance(Duration::from_secs(3600));
        cachier::flush();
    });
}

/// As the program tells the metrics of its main context.
#[test]
fn reading_figures_is_no_background_task() {
    static GATE: Gate = Gate::new();
    static RUNS: Counter = Counter::new();

    #[cachier(backend = registered("map"), stale_after = "1ms", next_time, enable_metrics)]
    fn held(key: u64) -> u64 {
        if RUNS.next() > 1 {
            GATE.wait();
        }
        key
    }

    if part().is_none() {
        let test = "gauges::reading_figures_is_no_background_task";
        return Process::start(test, "read", |_| ()).finish();
    }
    let map = MapBackend::default();
    cachier::register_backend("map", map.clone()).unwrap();
    let exporter = PrometheusExporter::builder().port(0).build().unwrap();
    exporter.register_function(held::metrics()).unwrap();
    let tasks = || {
        let text = exporter.render();
        let tasks = text
            .lines()
            .find_map(|line| line.strip_prefix("cachier_background_tasks "));
        tasks.unwrap().parse::<u64>().unwrap()
    };
    held(0);
    until("it is refreshed", || {
        held(0);
        RUNS.get() > 1
    });
    GATE.until_arrived(1);
    assert_eq!(tasks(), 1);
    GATE.open();
    cachier::flush();
    assert_eq!(tasks(), 0);
    held::clear_cache().unwrap();
    map.set(Fault::Hangs);
    let asked = map.asked_for_usage();
    tasks();
    until("it is asked for its size", || map.asked_for_usage() > asked);
    assert_eq!(tasks(), 0);
}

#[test]
fn the_size_of_a_failing_store_is_unknown() {
    double!(backend = registered("map"), enable_metrics);

    let entries = || double::metrics().stats().entries;
    with_map(|map| {
        double(1);
        double::usage().unwrap();
        assert_eq!(entries(), Some(1));
        map.set(Fault::Fails(ErrorKind::Io));
        Clock::advance(INTERVAL);
        entries();
        cachier::flush();
        assert_eq!(entries(), None);
        assert_eq!(double::metrics().stats().backend_errors, 1);
    });
}

#[test]
fn clearing_forgets_the_known_size() {
    double!(backend = "file", enable_metrics);

    in_folder(|_| {
        double(1);
        double::usage().unwrap();
        double::clear_cache().unwrap();
        assert_eq!(double::metrics().stats().entries, None);
        cachier::flush();
        assert_eq!(double::metrics().stats().entries, Some(0));
    });
}

#[test]
fn merged_snapshots_count_shared_entries_once() {
    double!(
        backend = "file",
        near_cache = 10,
        capacity_bytes = "1MB",
        enable_metrics
    );

    in_folder(|_| {
        let process = || {
            in_another_process(|| {
                double(1);
                double::usage().unwrap();
                double::metrics().snapshot()
            })
        };
        let merged: Snapshot = (0..8).map(|_| process()).sum();
        assert_eq!(merged.gauges.backend().entries, Some(1));
        assert_eq!(merged.gauges.capacity_bytes(), Some(1 << 20));
        assert_eq!(merged.gauges.near.entries, Some(8), "each has its own");
    });
}
