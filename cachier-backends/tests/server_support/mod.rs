//! Tests of stores on servers: keys, entries, and what holds on each server.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]
#![allow(clippy::unwrap_used)]

use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use cachier_backends::entry::Header;
use cachier_backends::{
    Backend, Error, ErrorKind, Key, KeyHash, Lease, LeaseReply, Operation, Scope, StoreReply,
    StoreRequest, Version, blocking,
};
use cachier_servers::Server;
use futures_lite::future::block_on;
use rustix::process::Signal;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// Defines a module of this name with the conformance tests, each run by a closure.
macro_rules! conformance {
    ($module:ident, $run:expr) => {
        mod $module {
            use super::*;

            fn run(property: cachier_backends::conformance::Property) {
                let run: fn(cachier_backends::conformance::Property) = $run;
                run(property);
            }

            cachier_backends::conformance_tests!(run);
        }
    };
}
#[allow(unused_imports, reason = "each test uses a part")]
pub(crate) use conformance;

/// A lease period longer than any test.
const LEASE_PERIOD: Duration = Duration::from_secs(60);

/// A server for all tests of the program, started on first use; `None` if it is not installed.
///
/// It ends with the thread that started it, which lives as long as the program.
pub fn shared<S: Send>(
    server: &'static OnceLock<Option<S>>,
    start: impl FnOnce() -> Option<S> + Send + 'static,
) -> Option<&'static S> {
    let started = || {
        let (send, started) = channel();
        thread::spawn(move || {
            let _ = send.send(start());
            loop {
                thread::park();
            }
        });
        started.recv().unwrap()
    };
    server.get_or_init(started).as_ref()
}

pub fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// A function that no other test uses.
pub fn scope(name: &str) -> Arc<Scope> {
    Arc::new(Scope::new(format!("test-{}", std::process::id()), name))
}

pub fn key(scope: &Arc<Scope>, number: u32) -> Key {
    let mut hash = [7; 32];
    hash[..4].copy_from_slice(&number.to_le_bytes());
    let hash = KeyHash::from_bytes(hash);
    Key::new(Arc::clone(scope), Version::Number(1), hash)
}

/// An entry around some bytes.
pub fn entry(value: &[u8]) -> Vec<u8> {
    // Backends do not look into it, so its key is arbitrary.
    let key = key(&scope("entry"), 0);
    cachier_backends::entry::encode(&key, &Header::new(created()), value)
}

/// A creation time, if it does not matter.
pub fn created() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// Stores an entry around this value.
pub async fn store(backend: &dyn Backend, key: &Key, value: &[u8]) {
    put(backend, key, &entry(value)).await;
}

/// Stores these bytes.
pub async fn put(backend: &dyn Backend, key: &Key, bytes: &[u8]) {
    let reply = backend.store(key, StoreRequest::new(bytes, created()));
    assert_eq!(reply.await.unwrap(), StoreReply::Stored { evicted: 0 });
}

/// The requests of all operations.
pub fn round_trips(backend: &dyn Backend) -> u64 {
    let totals = backend.figures().round_trips;
    totals.iter().map(|(_, count)| count).sum()
}

pub async fn load(backend: &dyn Backend, key: &Key) -> Option<Vec<u8>> {
    let loaded = backend.load(key).await.unwrap();
    loaded.map(|loaded| loaded.bytes)
}

/// Requests the lease for the current entry.
pub async fn ask(backend: &dyn Backend, key: &Key, period: Duration) -> LeaseReply {
    let seen = backend.load(key).await.unwrap();
    let seen = seen.as_ref().map(|loaded| &loaded.version);
    backend.lease(key, seen, period).await.unwrap()
}

pub async fn lease(backend: &dyn Backend, key: &Key, period: Duration) -> Lease {
    match ask(backend, key, period).await {
        LeaseReply::Granted(lease) => lease,
        reply => panic!("{reply:?}"),
    }
}

/// Polls until the answer is yes.
pub async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !ask().await {
        let limit = Duration::from_secs(30);
        assert!(started.elapsed() < limit, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The error of each operation.
pub async fn failures(backend: &dyn Backend) -> Vec<Error> {
    let (scope, stored) = (scope("trouble"), entry(b"value"));
    let key = key(&scope, 1);
    let request = StoreRequest::new(&stored, created());
    vec![
        backend.load(&key).await.unwrap_err(),
        backend.store(&key, request).await.unwrap_err(),
        backend.remove(&key).await.unwrap_err(),
        backend.clear(&scope).await.unwrap_err(),
        backend.clear_leases(&scope).await.unwrap_err(),
        backend.lease(&key, None, LEASE_PERIOD).await.unwrap_err(),
        backend.cleanup(&scope, created()).await.unwrap_err(),
        backend.usage(&scope).await.unwrap_err(),
        backend.check().await.unwrap_err(),
    ]
}

/// Errors of a server that is not there come soon, and hide the password, `s3cret`; nor does `show` tell it.
pub fn cannot_be_reached<B: Backend>(
    scheme: &str,
    connect: impl FnOnce(&str) -> B,
    show: impl FnOnce(&B) -> String,
) {
    let (port, key) = (cachier_servers::free_port(), key(&scope("nowhere"), 1));
    let backend = connect(&format!("{scheme}://me:s3cret@127.0.0.1:{port}/db"));
    let started = Instant::now();
    let error = blocking::inline(LEASE_PERIOD, || block_on(backend.load(&key)).unwrap_err());
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert_eq!(error.operation(), Operation::Load);
    let shown = format!(
        "{error:#} {error:?} {} {}",
        backend.store_name(),
        show(&backend)
    );
    assert!(
        !shown.contains("s3cret") && shown.contains("127.0.0.1"),
        "{shown}"
    );
}

/// Service resumes when the server is started again at its port.
pub async fn resumes<S>(
    backend: &dyn Backend,
    server: &mut Server,
    start: impl FnOnce(u16) -> Option<S>,
) {
    let key = key(&scope("again"), 1);
    store(backend, &key, b"value").await;
    server.kill();
    for _ in 0..3 {
        let error = backend.load(&key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:#}");
    }
    let _again = start(server.port()).unwrap();
    assert_eq!(load(backend, &key).await, None);
    store(backend, &key, b"new").await;
    assert_eq!(load(backend, &key).await, Some(entry(b"new")));
}

/// A server that hung for a while is used again.
pub async fn hangs(backend: &dyn Backend, key: &Key, server: &Server) {
    store(backend, key, b"value").await;
    server.signal(Signal::STOP);
    for _ in 0..2 {
        let limit = Duration::from_millis(400);
        assert!(timeout(limit, backend.load(key)).await.is_err());
    }
    server.signal(Signal::CONT);
    assert_eq!(load(backend, key).await, Some(entry(b"value")));
}

/// However often connections are closed, the second load at the latest finds another.
pub fn closed(backend: &dyn Backend, times: u32, close: impl Fn()) {
    let key = key(&scope("closed"), 1);
    let load_twice = async || {
        // The first one may find the connection closed.
        let _ = backend.load(&key).await;
        backend.load(&key).await.map(drop)
    };
    runtime().block_on(async {
        for _ in 0..times {
            load_twice().await.unwrap();
            close();
        }
    });
    blocking::inline(LEASE_PERIOD, || {
        for _ in 0..times {
            block_on(load_twice()).unwrap();
            close();
        }
    });
}

/// One backend serves several runtimes, another executor, and plain threads, at once and within a runtime.
pub fn everywhere(backend: &dyn Backend) {
    let scope = scope("everywhere");
    let work = async |number| {
        let key = key(&scope, number);
        store(backend, &key, b"value").await;
        assert_eq!(load(backend, &key).await, Some(entry(b"value")));
    };
    for number in 0..3 {
        runtime().block_on(work(number));
    }
    block_on(work(3));
    thread::scope(|threads| {
        for number in 4..8 {
            let work = &work;
            threads.spawn(move || blocking::inline(LEASE_PERIOD, || block_on(work(number))));
        }
    });
    runtime().block_on(async {
        blocking::inline(LEASE_PERIOD, || block_on(work(8)));
        assert_eq!(backend.usage(&scope).await.unwrap().entries, Some(9));
    });
}

/// Entries of no bytes, and of 64 MiB.
pub async fn sizes(backend: &dyn Backend) {
    let scope = scope("sizes");
    for (number, size) in [(1, 0), (2, 64 << 20)] {
        let (key, value) = (key(&scope, number), vec![7; size]);
        store(backend, &key, &value).await;
        assert!(load(backend, &key).await == Some(entry(&value)), "{size}");
    }
    backend.clear(&scope).await.unwrap();
}

/// All entries of a scope are counted and cleared, and the one of its neighbour is not. Returns their size.
pub async fn counted_and_cleared(
    backend: &dyn Backend,
    entries: u32,
    [scope, neighbour]: [&Arc<Scope>; 2],
) -> Option<u64> {
    let entries = Some(u64::from(entries));
    let started = Instant::now();
    let usage = backend.usage(scope).await.unwrap();
    assert_eq!(usage.entries, entries);
    let counted = started.elapsed();
    assert_eq!(backend.clear(scope).await.unwrap(), entries);
    let cleared = started.elapsed() - counted;
    eprintln!("counted in {counted:?}, cleared in {cleared:?}");
    assert_eq!(backend.usage(scope).await.unwrap().entries, Some(0));
    assert_eq!(backend.usage(neighbour).await.unwrap().entries, Some(1));
    usage.bytes
}
