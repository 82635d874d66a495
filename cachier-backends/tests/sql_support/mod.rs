//! Tests of the SQL backend that run on each database.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]
#![allow(clippy::unwrap_used)]

pub mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use cachier_backends::sql::SqlBackend;
use cachier_backends::{
    Backend, ErrorKind, Key, KeyHash, LeaseReply, Operation, Renewal, Scope, StoreReply,
    StoreRequest, Version, blocking,
};
use futures_lite::future::block_on;

/// A typical runtime.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

pub fn scope() -> Arc<Scope> {
    Arc::new(Scope::new("test", "function"))
}

pub fn key(number: u8) -> Key {
    let hash = KeyHash::from_bytes([number; 32]);
    Key::new(scope(), Version::Number(1), hash)
}

pub fn created() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// A hit takes one request, a miss three: load, lease, store.
pub async fn round_trips(backend: &SqlBackend) {
    let totals = || {
        let figures = backend.figures();
        let of = |operation| {
            figures
                .round_trips
                .iter()
                .find(|(of, _)| *of == operation)
                .unwrap()
                .1
        };
        [
            of(Operation::Load),
            of(Operation::Lease),
            of(Operation::Store),
        ]
    };
    backend.check().await.unwrap();
    let before = totals();
    assert_eq!(backend.load(&key(1)).await.unwrap(), None);
    store_leased(backend, b"one").await;
    let after_miss = totals();
    assert_eq!(after_miss, before.map(|count| count + 1));
    assert!(backend.load(&key(1)).await.unwrap().is_some());
    let [loads, leases, stores] = after_miss;
    assert_eq!(totals(), [loads + 1, leases, stores]);
    let pool = backend.figures().pool.unwrap();
    assert_eq!((pool.idle, pool.busy), (1, 0));
}

async fn store_leased(backend: &SqlBackend, entry: &[u8]) {
    let reply = backend
        .lease(&key(1), None, Duration::from_secs(60))
        .await
        .unwrap();
    let LeaseReply::Granted(lease) = reply else {
        panic!("{reply:?}");
    };
    let request = StoreRequest::new(entry, created()).under(lease);
    let reply = backend.store(&key(1), request).await.unwrap();
    assert_eq!(reply, StoreReply::Stored { evicted: 0 });
}

/// Values of 0 bytes and 64 MiB, and 100,000 entries, inserted by `insert_many`.
pub async fn large_and_many(backend: &SqlBackend, insert_many: impl AsyncFnOnce(u64)) {
    const ENTRIES: u64 = 100_000;
    let large = vec![7; 64 << 20];
    for entry in [&[][..], &large] {
        let reply = backend
            .store(&key(1), StoreRequest::new(entry, created()))
            .await
            .unwrap();
        let there = backend.load(&key(1)).await.unwrap().unwrap().bytes;
        match reply {
            StoreReply::Stored { .. } => assert!(there == entry),
            StoreReply::TooLarge => assert!(there.is_empty(), "refused, and still stored"),
            reply => panic!("{reply:?}"),
        }
        eprintln!("{} bytes: {reply:?}", entry.len());
    }
    backend.clear(&scope()).await.unwrap();
    insert_many(ENTRIES).await;

    let started = Instant::now();
    let usage = backend.usage(&scope()).await.unwrap();
    assert_eq!((usage.entries, usage.bytes), (Some(ENTRIES), Some(ENTRIES)));
    eprintln!("{ENTRIES} entries counted in {:?}", started.elapsed());
    let lease = backend
        .lease(&key(1), None, Duration::from_secs(60))
        .await
        .unwrap();
    let LeaseReply::Granted(lease) = lease else {
        panic!("{lease:?}")
    };
    let started = Instant::now();
    assert_eq!(backend.clear(&scope()).await.unwrap(), Some(ENTRIES));
    eprintln!("{ENTRIES} entries cleared in {:?}", started.elapsed());
    let request = StoreRequest::new(b"late", created()).under(lease);
    assert_eq!(
        backend.store(&key(1), request).await.unwrap(),
        StoreReply::Superseded
    );
}

/// An owner whose lease has expired can neither renew it nor store, taken over or not.
pub async fn late_owners(backend: &SqlBackend) {
    let lease = backend.lease(&key(1), None, Duration::ZERO).await.unwrap();
    let LeaseReply::Granted(late) = lease else {
        panic!("{lease:?}")
    };
    assert_eq!(backend.renew(&late).await.unwrap(), Renewal::Lost);
    let request = StoreRequest::new(b"late", created()).under(late.share());
    assert_eq!(
        backend.store(&key(1), request).await.unwrap(),
        StoreReply::Superseded
    );
    store_leased(backend, b"newer").await;
    let request = StoreRequest::new(b"late", created()).under(late.share());
    assert_eq!(
        backend.store(&key(1), request).await.unwrap(),
        StoreReply::Superseded
    );
    backend.release(late).await.unwrap();
    assert_eq!(
        backend.load(&key(1)).await.unwrap().unwrap().bytes,
        b"newer"
    );
}

/// One backend is used from two runtimes in turn, another executor, and a plain thread.
pub fn everywhere(backend: &SqlBackend) {
    let again = || async {
        let request = StoreRequest::new(b"one", created());
        backend.store(&key(1), request).await.unwrap();
        assert_eq!(backend.load(&key(1)).await.unwrap().unwrap().bytes, b"one");
    };
    for _ in 0..2 {
        runtime().block_on(again());
    }
    block_on(again());
    blocking::inline(Duration::from_secs(10), || block_on(again()));
}

/// Arbitrary bytes in place of an entry are returned unchanged.
pub async fn garbage_comes_back(backend: &SqlBackend, overwrite: impl AsyncFnOnce()) {
    backend
        .store(&key(1), StoreRequest::new(b"one", created()))
        .await
        .unwrap();
    overwrite().await;
    let loaded = backend.load(&key(1)).await.unwrap().unwrap();
    assert_eq!(loaded.bytes, [0xff, 0, 0xfe]);
}

/// Many processes may find the table missing at once, and create it.
pub async fn made_by_many_at_once(connect: impl Fn() -> SqlBackend) {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..8 {
        let (backend, tell) = (connect(), tell.clone());
        tokio::spawn(async move {
            let request = StoreRequest::new(b"one", created());
            let stored = backend.store(&key(number), request).await;
            tell.send(stored.map(|_| ())).unwrap();
        });
    }
    for _ in 0..8 {
        told.recv().await.unwrap().unwrap();
    }
    assert_eq!(connect().usage(&scope()).await.unwrap().entries, Some(8));
}

/// A table of a newer version is left alone.
pub async fn a_newer_table(backend: impl Fn() -> SqlBackend, age: impl AsyncFnOnce()) {
    backend().check().await.unwrap();
    age().await;
    let error = backend().load(&key(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
    assert!(error.to_string().contains("another `table`"), "{error}");
}

/// A table of an older version is recreated by the first of many that find it. Later entries stay; requests of an older
/// version that still runs are refused.
pub async fn an_older_table(
    connect: impl Fn() -> SqlBackend,
    execute: impl AsyncFn(String) -> Result<(), sqlx::Error>,
    older: &str,
    table: &str,
) {
    let row = format!("VALUES ('{}', '1', 'hash', 'old', 'r', 1, 1)", scope());
    let insert =
        format!("INSERT INTO {table} (scope, code, hash, entry, revision, created, size) {row}");
    execute(format!("{older}; {insert}")).await.unwrap();
    made_by_many_at_once(connect).await;
    let find = format!("SELECT revision, entry FROM {table} WHERE scope = 'x' AND code = '1'");
    for refused in [insert, find] {
        execute(refused).await.unwrap_err();
    }
}

/// A foreign table of that name is left alone.
pub async fn a_foreign_table(
    backend: &SqlBackend,
    execute: impl AsyncFn(String) -> Result<(), sqlx::Error>,
    table: &str,
) {
    let row = |number| format!("INSERT INTO {table} VALUES ({number})");
    execute(format!("CREATE TABLE {table} (code INT PRIMARY KEY)"))
        .await
        .unwrap();
    execute(row(7)).await.unwrap();
    for _ in 0..2 {
        let error = backend.load(&key(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
    }
    execute(row(7)).await.unwrap_err();
    execute(row(8)).await.unwrap();
}

/// A removed table, or both, is recreated by the next operation.
pub async fn a_removed_table(
    backend: &SqlBackend,
    execute: impl AsyncFn(String) -> Result<(), sqlx::Error>,
    table: &str,
) {
    let remove = async |tables: &str| execute(format!("DROP TABLE {tables}")).await.unwrap();
    let both = format!("{table}; DROP TABLE {table}_schema");
    for tables in [table, &both] {
        store_leased(backend, b"one").await;
        remove(tables).await;
        assert_eq!(backend.load(&key(1)).await.unwrap(), None);
        store_leased(backend, b"one").await;
        remove(tables).await;
        backend.check().await.unwrap();
        remove(tables).await;
        store_leased(backend, b"one").await;
        remove(tables).await;
        assert_eq!(backend.clear(&scope()).await.unwrap(), Some(0));
    }
}

/// A server that is read-only is `Denied`, and left for another.
pub async fn leaves_what_is_read_only(backend: &SqlBackend, refuse: impl AsyncFnOnce()) {
    backend.check().await.unwrap();
    refuse().await;
    assert_eq!(backend.load(&key(1)).await.unwrap(), None);
    let idle = || backend.figures().pool.unwrap().idle;
    assert_eq!(idle(), 1);
    let (key, request) = (key(1), StoreRequest::new(b"one", created()));
    let error = backend.store(&key, request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    assert_eq!(idle(), 0);
}

/// Waits for a connection are reported, to sync and async callers.
pub fn waits_are_told(backend: &SqlBackend) {
    let told = Arc::new(AtomicU64::new(0));
    let of_observer = Arc::clone(&told);
    backend.observe_waits(Arc::new(move |_| {
        of_observer.fetch_add(1, Ordering::SeqCst);
    }));
    let count = || told.load(Ordering::SeqCst);
    runtime().block_on(async { backend.load(&key(1)).await.unwrap() });
    let of_a_task = count();
    assert!(of_a_task > 0);
    blocking::inline(Duration::from_secs(10), || {
        block_on(backend.load(&key(1))).unwrap()
    });
    assert_eq!(count(), of_a_task + 1);
}
