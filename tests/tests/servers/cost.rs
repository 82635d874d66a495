//! Requests per call, counted between program and server.

use std::time::Duration;

use cachier::testing::IsolatedContext;
use cachier::{CallOptions, Outcome, PrometheusExporter, global_params, set_global_params};
use cachier_tests::callers::{in_context, runtime};
use cachier_tests::{double, triple};

use crate::store::{Store, Subject, runs_in_a_process};

crate::on_stores!([redis: Redis, postgres: Postgres, mariadb: MariaDb, mongo: Mongo, s3: S3] {
    a_hit_is_one_request_a_miss_three
});
mod figures {
    use super::*;

    crate::on_every_store! { if runs_in_a_process: the_store_tells_its_figures }
}

double!(backend = registered("store"), enable_metrics);

triple!(backend = registered("store"));

/// A call with this outcome.
fn call(outcome: Outcome, number: u64) {
    let call = double::call_detailed(CallOptions::new(), number);
    assert_eq!(call.outcome, outcome, "{call}");
}

/// The same, async.
fn call_async(outcome: Outcome, number: u64) {
    let called = in_context(
        IsolatedContext::current(),
        triple::call_detailed(CallOptions::new(), number),
    );
    let call = runtime().block_on(called);
    assert_eq!(call.outcome, outcome, "{call}");
}

fn a_hit_is_one_request_a_miss_three(subject: &Subject) {
    let proxy = subject.behind_a_proxy();
    for call in [call, call_async] {
        // Connects, and makes the server know the statements.
        call(Outcome::Miss, 0);
        call(Outcome::Hit, 0);
        // Clients send heartbeats at times, even during a call, so the minimum counts.
        let least = |outcome, numbers: std::ops::Range<u64>| {
            let requests = numbers.map(|number| {
                let before = proxy.round_trips();
                call(outcome, number);
                proxy.round_trips() - before
            });
            requests.min().unwrap()
        };
        assert_eq!(least(Outcome::Miss, 1..8), 3);
        assert_eq!(least(Outcome::Hit, 1..8), 1);
    }
}

fn the_store_tells_its_figures(subject: &Subject) {
    set_global_params(global_params().operation_timeout(Duration::from_secs(20)));
    call(Outcome::Miss, 1);
    call(Outcome::Hit, 1);
    let called = runtime().block_on(triple::call_detailed(CallOptions::new(), 1));
    assert_eq!(called.outcome, Outcome::Miss);
    // Reading figures does not wait for the store.
    double::usage().unwrap();
    let exporter = PrometheusExporter::builder().port(0).build().unwrap();
    exporter.register_function(double::metrics()).unwrap();
    let text = exporter.render();
    let has = |series: &str| assert!(text.contains(series), "no `{series}` in\n{text}");
    for operation in ["load", "lease", "store"] {
        has(&format!("operation=\"{operation}\",le="));
    }
    has("cachier_entries{");
    has("cachier_size_bytes{");
    has("cachier_breaker_open{");
    if subject.store == Store::File {
        // There are no requests or connections to count.
        return;
    }
    has("cachier_backend_round_trips_total{");
    if matches!(subject.store, Store::S3 | Store::Moto) {
        // The client does not report its connections.
        return;
    }
    has("state=\"idle\"");
    has("state=\"busy\"");
    has("cachier_pool_wait_duration_seconds_count{");
}
