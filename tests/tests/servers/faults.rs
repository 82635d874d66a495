//! A store that is not there, goes away, hangs, is slow, loses connections, and comes back.

use std::time::{Duration, Instant};

use cachier::{Call, CallOptions, ErrorKind, Outcome, cachier, global_params, set_global_params};
use cachier_servers::free_port;
use cachier_servers::proxy::Proxy;
use cachier_tests::callers::runtime;
use cachier_tests::process::part;
use cachier_tests::wait::until;

use crate::store::{Subject, unique};

macro_rules! on_every_server {
    ($($test:ident)*) => {
        crate::on_every_store!(@ redis: Redis, [$($test)*]);
        crate::on_every_store!(@ postgres: Postgres, [$($test)*]);
        crate::on_every_store!(@ mariadb: MariaDb, [$($test)*]);
        crate::on_every_store!(@ mongo: Mongo, [$($test)*]);
        crate::on_every_store!(@ s3: S3, [$($test)*]);
    };
}

on_every_server! {
    a_server_that_is_not_there_makes_calls_compute
    a_server_that_goes_away_and_comes_back
    a_server_that_hangs_costs_no_more_than_the_operation_timeout
    a_server_that_answers_slowly
    connections_that_break_at_random
}

const TIMEOUT: Duration = Duration::from_millis(500);

/// The most that a call may take: its budget, and what a loaded machine needs.
const AT_MOST: Duration = Duration::from_millis(1500);

#[cachier(backend = registered("store"), enable_metrics)]
fn double(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = registered("store"), enable_metrics)]
async fn triple(number: u64) -> u64 {
    number * 3
}

/// One call, sync and async, each with the right value and in time.
fn calls(number: u64) -> [Call<u64>; 2] {
    let started = Instant::now();
    let doubled = double::call_detailed(CallOptions::new(), number);
    assert!(
        started.elapsed() < AT_MOST,
        "{:?}: {doubled}",
        started.elapsed()
    );
    let started = Instant::now();
    let tripled = runtime().block_on(triple::call_detailed(CallOptions::new(), number));
    assert!(
        started.elapsed() < AT_MOST,
        "{:?}: {tripled}",
        started.elapsed()
    );
    assert_eq!((doubled.value, tripled.value), (2 * number, 3 * number));
    [doubled, tripled]
}

fn are_unavailable(calls: &[Call<u64>; 2]) {
    for call in calls {
        assert_eq!(call.outcome, Outcome::Unavailable, "{call}");
        assert!(call.backend_error.is_some());
    }
}

/// Service resumes by itself.
fn resumes() {
    let works = |call: &Call<u64>| call.outcome == Outcome::Hit && call.backend_error.is_none();
    until("it is served again", || calls(1).iter().all(works));
}

/// Whether this is the process that tries it. The clock of an isolated test stands still, and timeouts with it; so the
/// test starts a process of its own, where time passes.
fn is_tried_here(subject: &Subject) -> bool {
    if part().is_none() {
        subject.start("try it", &unique("faults")).finish();
        return false;
    }
    // Without a breaker each call asks the store.
    let params = global_params().operation_timeout(TIMEOUT);
    set_global_params(params.breaker_threshold(u32::MAX));
    true
}

fn a_server_that_is_not_there_makes_calls_compute(subject: &Subject) {
    if !is_tried_here(subject) {
        return;
    }
    subject.register_at(&subject.at(free_port()));
    for number in 0..3 {
        let calls = calls(number);
        are_unavailable(&calls);
        for call in calls {
            let kind = call.backend_error.unwrap().kind();
            assert!(
                matches!(kind, ErrorKind::Connect | ErrorKind::Timeout),
                "{kind:?}"
            );
        }
    }
    assert_eq!(double::metrics().stats().unavailable, 3);
    assert!(double::metrics().stats().backend_errors >= 3);
}

fn a_server_that_goes_away_and_comes_back(subject: &Subject) {
    if !is_tried_here(subject) {
        return;
    }
    let proxy = Proxy::to(subject.port());
    subject.register_at(&subject.at(proxy.port()));
    resumes();
    proxy.refuse(true);
    for number in 10..13 {
        are_unavailable(&calls(number));
    }
    proxy.refuse(false);
    resumes();
}

fn a_server_that_hangs_costs_no_more_than_the_operation_timeout(subject: &Subject) {
    if !is_tried_here(subject) {
        return;
    }
    let proxy = Proxy::to(subject.port());
    subject.register_at(&subject.at(proxy.port()));
    resumes();
    proxy.hang(true);
    for number in 10..12 {
        are_unavailable(&calls(number));
    }
    let params = global_params()
        .breaker_threshold(3)
        .breaker_pause(Duration::from_millis(100));
    set_global_params(params);
    until("the breaker answers for the store", || {
        let started = Instant::now();
        let [call, _] = calls(20);
        let is_open = call
            .backend_error
            .is_some_and(|error| error.kind() == ErrorKind::BreakerOpen);
        is_open && started.elapsed() < TIMEOUT / 5
    });
    proxy.hang(false);
    resumes();
}

fn a_server_that_answers_slowly(subject: &Subject) {
    if !is_tried_here(subject) {
        return;
    }
    set_global_params(global_params().operation_timeout(Duration::from_secs(5)));
    let proxy = Proxy::to(subject.port());
    proxy.delay(Duration::from_millis(150));
    subject.register_at(&subject.at(proxy.port()));
    let call = || double::call_detailed(CallOptions::new(), 1);
    until("it is served", || call().outcome == Outcome::Hit);
    let served = call();
    assert!(
        served.backend_error.is_none() && served.value == 2,
        "{served}"
    );
}

fn connections_that_break_at_random(subject: &Subject) {
    if !is_tried_here(subject) {
        return;
    }
    let proxy = Proxy::to(subject.port());
    subject.register_at(&subject.at(proxy.port()));
    resumes();
    proxy.break_after(37);
    for number in 0..60 {
        calls(number % 7);
    }
    proxy.break_after(0);
    resumes();
}
