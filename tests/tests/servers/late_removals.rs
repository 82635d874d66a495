//! A removal under a lease that gets no answer in time: the old value goes all the same, and nothing newer does.

use std::sync::{Mutex, MutexGuard};

use cachier::{Call, CallOptions, cachier};
use cachier_servers::proxy::Proxy;
use cachier_tests::callers::runtime;
use cachier_tests::wait::until;
use futures_lite::future::block_on;

use crate::hung::{HangableStore, runs_here};
use crate::store::Subject;

crate::on_stores!([redis: Redis, postgres: Postgres, mariadb: MariaDb, mongo: Mongo, s3: S3] {
    if runs_here:
    a_late_removal_removes_the_old_value_alone
});
crate::on_stores!([sqlite: Sqlite] {
    if runs_here:
    a_removal_given_up_is_made_up_for
});

/// What the source has, and what happens when it is next asked.
struct Source {
    value: Option<u64>,
    happens: Option<Box<dyn FnOnce() + Send>>,
}

static SOURCE: Mutex<Source> = Mutex::new(Source {
    value: None,
    happens: None,
});

fn source() -> MutexGuard<'static, Source> {
    SOURCE.lock().unwrap()
}

fn ask() -> Option<u64> {
    let mut source = source();
    if let Some(happens) = source.happens.take() {
        happens();
    }
    source.value
}

#[cachier(backend = registered("store"))]
fn found(_number: u8) -> Option<u64> {
    ask()
}

#[cachier(backend = registered("store"))]
async fn found_async(_number: u8) -> Option<u64> {
    ask()
}

/// A call by which the entry becomes what the source has.
fn overwrite(is_async: bool) -> Call<Option<u64>> {
    let options = CallOptions::new().overwrite_cache();
    match is_async {
        true => runtime().block_on(found_async::call_detailed(options, 1)),
        false => found::call_detailed(options, 1),
    }
}

/// A value is stored, and is to be removed when this has happened.
fn remove_after(is_async: bool, happens: impl FnOnce() + Send + 'static) {
    // At first a connection learns the statements that it is to run, so that then one request is all.
    for value in [Some(1), None, Some(2)] {
        source().value = value;
        until("it is served", || {
            overwrite(is_async).backend_error.is_none()
        });
    }
    *source() = Source {
        value: None,
        happens: Some(Box::new(happens)),
    };
    let call = overwrite(is_async);
    assert!(call.backend_error.is_some(), "{call}");
}

fn is_stored(subject: &Subject) -> bool {
    let entry = block_on(subject.bare().load(&subject.last_key()));
    entry.unwrap().is_some()
}

fn a_late_removal_removes_the_old_value_alone(subject: &Subject) {
    for is_async in [false, true] {
        let proxy: &Proxy = Box::leak(Box::new(subject.behind_a_proxy()));
        remove_after(is_async, || proxy.hold_all());
        until("the old value is gone", || !is_stored(subject));
        subject.overwrite(b"newer");
        proxy.deliver();
        // Each of them takes about as long as the late one.
        for _ in 0..10 {
            assert_eq!(subject.stored(), b"newer");
        }
        source().value = Some(3);
        until("another owner stores", || {
            overwrite(is_async).backend_error.is_none() && subject.stored() != b"newer"
        });
    }
}

fn a_removal_given_up_is_made_up_for(subject: &Subject) {
    for is_async in [false, true] {
        let store: &Mutex<_> = Box::leak(Box::new(Mutex::new(HangableStore::before(subject))));
        remove_after(is_async, || store.lock().unwrap().hang());
        store.lock().unwrap().serve();
        until("the old value is gone", || {
            let stored = match is_async {
                true => runtime().block_on(found_async::peek(1)),
                false => found::peek(1),
            };
            matches!(stored, Ok(None))
        });
    }
}
