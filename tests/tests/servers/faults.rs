//! A store that is missing, goes away, hangs, is slow, loses connections, and comes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cachier::testing::Clock;
use cachier::{
    Backend, Call, CallOptions, Error, ErrorKind, Key, KeyHash, LeaseReply, Outcome, Scope,
    Version, cachier, global_params, set_global_params,
};
use cachier_metrics::{ErrorLabel, Operation, Reason};
use cachier_servers::free_port;
use cachier_servers::proxy::Proxy;
use cachier_servers::s3::conflict;
use cachier_tests::callers::{Callers, runtime};
use cachier_tests::wait::{WAIT_TIMEOUT, until};
use cachier_tests::{double, triple};
use rustix::process::Signal;
use sqlx::{Connection, SqliteConnection};

use crate::store::{Store, Subject, unique};

/// On every server; for S3, and for moto, another implementation.
macro_rules! on_every_server_and_s3 {
    ($($tests:tt)*) => {
        crate::on_every_server! { $($tests)* }
        crate::on_stores!([s3: S3, moto: Moto] {$($tests)*});
    };
}

on_every_server_and_s3! { if runs_here:
    calls_compute_or_fail_without_a_server
    a_server_that_goes_away_and_comes_back
    a_hung_server_costs_the_operation_timeout
    a_server_hung_from_the_start
    a_server_lost_meanwhile_costs_one_result
    a_server_stopped_killed_and_restarted
    a_server_that_answers_slowly
    connections_that_break_at_random
    a_lost_connection_is_replaced_within_the_call
}

mod here {
    use super::*;

    crate::on_every_server! { an_unanswered_lease_is_released }
    crate::on_stores!([s3: S3, moto: Moto] { storing_that_meets_another_request_is_tried_again });
}

mod overwrites {
    use super::*;

    crate::on_every_store! { if runs_here: an_overwrite_without_store_is_unavailable }
}

crate::on_stores!([sqlite: Sqlite] { if runs_here: a_file_that_another_program_holds_or_removes });

/// Numbers that no other caller uses.
static OWN_NUMBER: AtomicU64 = AtomicU64::new(1000);

const TIMEOUT: Duration = Duration::from_secs(2);

/// Tolerance beyond the budget, for loaded machines: less than a second budget.
const SLACK: Duration = Duration::from_millis(1900);

double!(backend = registered("store"), enable_metrics);

triple!(backend = registered("store"), enable_metrics);

/// Fails rather than computing without the store.
#[cachier(backend = registered("store"), on_backend_error = "propagate")]
fn strict(number: u64) -> Result<u64, Error> {
    panic!("it computes {number}");
}

#[cachier(backend = registered("store"), on_backend_error = "propagate")]
async fn strict_async(number: u64) -> Result<u64, Error> {
    panic!("it computes {number}");
}

/// A sync and an async call, each with the right value and in time.
fn calls(number: u64) -> [Call<u64>; 2] {
    let at_most = global_params().operation_timeout + SLACK;
    let started = Instant::now();
    let doubled = double::call_detailed(CallOptions::new(), number);
    assert!(
        started.elapsed() < at_most,
        "{:?}: {doubled}",
        started.elapsed()
    );
    let started = Instant::now();
    let tripled = runtime().block_on(triple::call_detailed(CallOptions::new(), number));
    assert!(
        started.elapsed() < at_most,
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

/// Whether this is the process under test.
fn runs_here(subject: &Subject) -> bool {
    if !subject.runs_here() {
        return false;
    }
    // Without a breaker, every call uses the store.
    let params = global_params().operation_timeout(TIMEOUT);
    set_global_params(params.breaker_threshold(u32::MAX));
    true
}

fn calls_compute_or_fail_without_a_server(subject: &Subject) {
    subject.register_at(&subject.at(free_port()));
    let is_no_connection =
        |error: &Error| matches!(error.kind(), ErrorKind::Connect | ErrorKind::Timeout);
    for number in 0..3 {
        let calls = calls(number);
        are_unavailable(&calls);
        for call in calls {
            assert!(
                call.backend_error.as_ref().is_some_and(is_no_connection),
                "{call}"
            );
        }
    }
    let snapshot = double::metrics().snapshot();
    assert_eq!(snapshot.calls[Outcome::Unavailable], 3);
    let kinds = [ErrorLabel::Connect, ErrorLabel::Timeout];
    let counted = kinds.map(|kind| snapshot.backend_errors[Operation::Load][kind]);
    assert_eq!(counted.iter().sum::<u64>(), 3, "each failure counts once");

    let failed = strict::call_detailed(CallOptions::new(), 1);
    assert_eq!(failed.outcome, Outcome::Unavailable);
    assert!(is_no_connection(&failed.value.unwrap_err()));
    let failed = runtime().block_on(strict_async::call_detailed(CallOptions::new(), 1));
    assert_eq!(failed.outcome, Outcome::Unavailable);
    assert!(is_no_connection(&failed.value.unwrap_err()));
}

fn an_overwrite_without_store_is_unavailable(subject: &Subject) {
    let folder = cachier_servers::folder();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let inside = file.join("cache.db").display().to_string();
    subject.register_at(&match subject.store {
        Store::File => inside,
        Store::Sqlite => format!("sqlite:{inside}"),
        _ => subject.at(free_port()),
    });
    let overwrite = || CallOptions::new().overwrite_cache();
    let tripled = triple::call_detailed(overwrite(), 1);
    let calls = [
        double::call_detailed(overwrite(), 1),
        runtime().block_on(tripled),
    ];
    assert_eq!([calls[0].value, calls[1].value], [2, 3]);
    are_unavailable(&calls);
    let snapshot = double::metrics().snapshot();
    assert_eq!(snapshot.recalculations[Reason::Unavailable], 1);
    assert_eq!(snapshot.calls[Outcome::Unavailable], 1);

    let failed = strict::call_detailed(overwrite(), 1);
    assert_eq!(failed.outcome, Outcome::Unavailable);
    assert!(failed.value.is_err());
    let failed = runtime().block_on(strict_async::call_detailed(overwrite(), 1));
    assert_eq!(failed.outcome, Outcome::Unavailable);
    assert!(failed.value.is_err());
}

fn a_server_that_goes_away_and_comes_back(subject: &Subject) {
    let proxy = subject.behind_a_proxy();
    resumes();
    proxy.refuse(true);
    for number in 10..13 {
        are_unavailable(&calls(number));
    }
    proxy.refuse(false);
    resumes();
}

fn a_hung_server_costs_the_operation_timeout(subject: &Subject) {
    let proxy = subject.behind_a_proxy();
    resumes();
    proxy.hang(true);
    are_unavailable(&calls(10));
    // More blocking callers than connections.
    let callers = Callers::new().on_threads(24, || {
        let started = Instant::now();
        let number = OWN_NUMBER.fetch_add(1, Ordering::Relaxed);
        let call = double::call_detailed(CallOptions::new(), number);
        assert_eq!(
            (call.value, call.outcome),
            (2 * number, Outcome::Unavailable),
            "{call}"
        );
        started.elapsed()
    });
    let took = callers.values();
    assert!(took.iter().all(|took| *took < TIMEOUT + SLACK), "{took:?}");
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

fn a_server_hung_from_the_start(subject: &Subject) {
    let proxy = Proxy::to(subject.port());
    proxy.hang(true);
    subject.register_at(&subject.at(proxy.port()));
    are_unavailable(&calls(10));
    proxy.hang(false);
    resumes();
}

/// Runs in the middle of a computation, between lease and store.
static MIDDLE: Mutex<Option<Middle>> = Mutex::new(None);
type Middle = Box<dyn Fn() + Send>;

fn meanwhile() {
    if let Some(middle) = &*MIDDLE.lock().unwrap() {
        middle();
    }
}

#[cachier(backend = registered("store"))]
fn interrupted(number: u64) -> u64 {
    meanwhile();
    number
}

#[cachier(backend = registered("store"))]
async fn interrupted_async(number: u64) -> u64 {
    meanwhile();
    number
}

/// A sync and an async call that lose their store during the computation.
fn are_interrupted(proxy: &Proxy, number: u64) {
    for is_async in [false, true] {
        let (started, options) = (Instant::now(), CallOptions::new());
        let call = match is_async {
            true => runtime().block_on(interrupted_async::call_detailed(options, number)),
            false => interrupted::call_detailed(options, number),
        };
        let took = started.elapsed();
        proxy.hang(false);
        proxy.refuse(false);
        assert_eq!(
            (call.value, call.outcome),
            (number, Outcome::Miss),
            "{call}"
        );
        assert!(call.backend_error.is_some(), "{call}");
        assert!(took < TIMEOUT + SLACK, "{took:?}");
        resumes();
    }
}

fn a_server_lost_meanwhile_costs_one_result(subject: &Subject) {
    // Short leases expire during the computation, too.
    set_global_params(global_params().lease_period(Duration::from_secs(1)));
    for (number, hangs) in [(1, true), (2, false)] {
        let proxy = Arc::new(subject.behind_a_proxy());
        resumes();
        let (of_middle, loses) = (Arc::clone(&proxy), move |proxy: &Proxy| match hangs {
            true => proxy.hang(true),
            false => proxy.refuse(true),
        });
        *MIDDLE.lock().unwrap() = Some(Box::new(move || loses(&of_middle)));
        are_interrupted(&proxy, number);
        *MIDDLE.lock().unwrap() = None;
    }
}

fn a_file_that_another_program_holds_or_removes(subject: &Subject) {
    // Other tests use the subject's database.
    let folder = cachier_servers::folder();
    let file = folder.path().join("own.db").display().to_string();
    let address = format!("sqlite:{file}");
    subject.register_at(&address);
    resumes();
    let held = runtime().block_on(async {
        let mut held = SqliteConnection::connect(&address).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut held)
            .await
            .unwrap();
        held
    });
    // Readers do not wait for the writer.
    assert!(calls(1).iter().all(|call| call.outcome == Outcome::Hit));
    are_unavailable(&calls(10));
    runtime().block_on(held.close()).unwrap();
    resumes();
    assert!(calls(10).iter().all(|call| call.backend_error.is_none()));
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{file}{end}"));
    }
    for number in 20..23 {
        calls(number);
    }
    // Opening the file creates it again.
    subject.register_at(&address);
    resumes();
}

fn a_server_stopped_killed_and_restarted(subject: &Subject) {
    let mut server = subject.store.private().expect("its program is there");
    subject.register_at(server.url());
    resumes();
    let process = server.server().unwrap();
    process.signal(Signal::STOP);
    are_unavailable(&calls(10));
    process.signal(Signal::CONT);
    resumes();
    process.kill();
    for number in 20..22 {
        are_unavailable(&calls(number));
    }
    server.start_again();
    resumes();
}

fn a_server_that_answers_slowly(subject: &Subject) {
    // Three statements, each new to the connection, take two round trips each.
    set_global_params(global_params().operation_timeout(Duration::from_millis(1500)));
    let proxy = Proxy::to(subject.port());
    proxy.delay(Duration::from_millis(150));
    subject.register_at(&subject.at(proxy.port()));
    // No call exceeds its limit, and yet connections are established.
    resumes();
}

fn connections_that_break_at_random(subject: &Subject) {
    let proxy = subject.behind_a_proxy();
    resumes();
    proxy.break_one_in(37);
    for number in 0..60 {
        calls(number % 7);
    }
    proxy.break_one_in(0);
    assert!(proxy.broken() > 0);
    resumes();
}

fn a_lost_connection_is_replaced_within_the_call(subject: &Subject) {
    set_global_params(global_params().operation_timeout(Duration::from_secs(5)));
    let proxy = subject.behind_a_proxy();
    resumes();
    for _ in 0..5 {
        proxy.break_all();
        for call in calls(1) {
            assert_eq!(call.outcome, Outcome::Hit, "{call}");
        }
    }
}

fn storing_that_meets_another_request_is_tried_again(subject: &Subject) {
    let proxy = subject.behind_a_proxy();
    let call = |options| {
        let call = double::call_detailed(options, 1);
        assert!(call.backend_error.is_none(), "{call}");
        (call.outcome, double::peek(1).unwrap())
    };
    // Once without an entry, and once with one.
    for max_age in [Duration::from_secs(60), Duration::from_nanos(1)] {
        conflict(&proxy, &["PUT /", "cachier-created", "if-match: "]);
        Clock::advance(Duration::from_secs(1));
        let first = call(CallOptions::new().max_age(max_age));
        assert_eq!(first, (Outcome::Miss, Some(2)));
        assert!(proxy.has_answered());
        assert_eq!(call(CallOptions::new()).0, Outcome::Hit);
    }
    let age = double::call_detailed(CallOptions::new(), 1).age;
    assert_eq!(age, Some(Duration::ZERO), "the newer value is stored");
}

fn an_unanswered_lease_is_released(subject: &Subject) {
    const LEASE_PERIOD: Duration = Duration::from_secs(600);
    let proxy = Proxy::to(subject.port());
    let asks = subject
        .store
        .try_connect(&subject.at(proxy.port()))
        .unwrap();
    let other = subject.store.try_connect(&subject.address).unwrap();
    let scope = Arc::new(Scope::new(unique("lost"), "function"));
    let key = |number| {
        let hash = KeyHash::from_bytes([number; 32]);
        Key::new(Arc::clone(&scope), Version::Unversioned, hash)
    };
    let granted = async |backend: &Arc<dyn Backend>, key: &Key| {
        let reply = backend.lease(key, None, LEASE_PERIOD).await;
        matches!(reply, Ok(LeaseReply::Granted(_)))
    };
    runtime().block_on(async {
        // Connects, and makes the server know the statement.
        assert!(granted(&asks, &key(0)).await);
        proxy.mute(true);
        let answer = tokio::time::timeout(TIMEOUT, granted(&asks, &key(1))).await;
        proxy.mute(false);
        proxy.break_all();
        assert!(!matches!(answer, Ok(true)), "it was heard");
        assert!(!granted(&other, &key(1)).await, "it was not granted");
        let started = Instant::now();
        while !granted(&other, &key(1)).await {
            assert!(started.elapsed() < WAIT_TIMEOUT, "it is never given back");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}
