//! A store under a lease that gets no answer in time, and arrives after an invalidation: the old value never comes back.

use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use cachier::{Call, CallOptions, Error, Outcome, cachier};
use cachier_servers::proxy::Proxy;
use cachier_tests::callers::runtime;
use cachier_tests::wait::until;
use futures_lite::future::block_on;

use crate::hung::{HangableStore, runs_here};
use crate::store::Subject;

crate::on_stores!([redis: Redis, postgres: Postgres, mariadb: MariaDb, mongo: Mongo, s3: S3] {
    if runs_here:
    a_store_after_an_invalidation_brings_nothing_back
});
crate::on_stores!([sqlite: Sqlite] {
    if runs_here:
    a_store_given_up_brings_nothing_back
});

/// The value whose store is late.
const OUTDATED: &str = "outdated";

/// What the source has, and what happens when it is next asked.
struct Source {
    value: &'static str,
    happens: Option<Box<dyn FnOnce() + Send>>,
}

static SOURCE: Mutex<Source> = Mutex::new(Source {
    value: "",
    happens: None,
});

fn source() -> MutexGuard<'static, Source> {
    SOURCE.lock().unwrap()
}

fn ask() -> String {
    let mut source = source();
    if let Some(happens) = source.happens.take() {
        happens();
    }
    source.value.to_owned()
}

#[cachier(backend = registered("store"))]
fn found(_number: u8) -> String {
    ask()
}

#[cachier(backend = registered("store"))]
async fn found_async(_number: u8) -> String {
    ask()
}

fn call(is_async: bool, options: CallOptions) -> Call<String> {
    match is_async {
        true => runtime().block_on(found_async::call_detailed(options, 1)),
        false => found::call_detailed(options, 1),
    }
}

fn invalidate(is_async: bool) -> Result<bool, Error> {
    match is_async {
        true => runtime().block_on(found_async::invalidate(1)),
        false => found::invalidate(1),
    }
}

/// A value is stored, and another is to overwrite it when this has happened.
fn overwrite_after(is_async: bool, happens: impl FnOnce() + Send + 'static) {
    let overwrite = || call(is_async, CallOptions::new().overwrite_cache());
    source().value = "older";
    until("it is served", || overwrite().backend_error.is_none());
    *source() = Source {
        value: OUTDATED,
        happens: Some(Box::new(happens)),
    };
    let call = overwrite();
    assert!(call.backend_error.is_some(), "{call}");
}

/// The source changes, and the entry is invalidated.
fn change(is_async: bool) {
    source().value = "current";
    until("it is invalidated", || invalidate(is_async).is_ok());
}

/// Nobody has stored anything since, and the next call computes.
fn assert_current(is_async: bool, is_stored: impl Fn() -> bool) {
    /// Much longer than what is late takes to arrive.
    const ARRIVAL_DELAY: Duration = Duration::from_millis(20);
    for _ in 0..10 {
        assert!(!is_stored(), "it has come back");
        thread::sleep(ARRIVAL_DELAY);
    }
    let call = call(is_async, CallOptions::new());
    assert_eq!(
        (call.value.as_str(), call.outcome),
        ("current", Outcome::Miss)
    );
}

fn a_store_after_an_invalidation_brings_nothing_back(subject: &Subject) {
    for is_async in [false, true] {
        let proxy: &Proxy = Box::leak(Box::new(subject.behind_a_proxy()));
        overwrite_after(is_async, || proxy.hold_requests(OUTDATED));
        assert!(proxy.holds_request(), "the store is under way");
        change(is_async);
        proxy.deliver();
        let stored = || block_on(subject.bare().load(&subject.last_key())).unwrap();
        assert_current(is_async, || stored().is_some());
    }
}

fn a_store_given_up_brings_nothing_back(subject: &Subject) {
    for is_async in [false, true, false, true] {
        let store: &Mutex<_> = Box::leak(Box::new(Mutex::new(HangableStore::before(subject))));
        overwrite_after(is_async, || store.lock().unwrap().hang());
        store.lock().unwrap().serve();
        change(is_async);
        let stored = || match is_async {
            true => runtime().block_on(found_async::peek(1)).unwrap(),
            false => found::peek(1).unwrap(),
        };
        assert_current(is_async, || stored().is_some());
    }
}
