//! Tests for each database. A program that includes this says at its root what its database writes differently.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cachier_backends::conformance::Subject;
use cachier_backends::sql::SqlBackend;
use cachier_backends::{
    Backend, ErrorKind, Lease, LeaseReply, Operation, Renewal, StoreReply, StoreRequest, blocking,
};
use futures_lite::future::block_on;
use sqlx::AssertSqlSafe;

use crate::server_support::{conformance, everywhere};
use crate::sql_support::{Database, created, key, put, runtime, scope};
use crate::{
    GARBAGE, OLD_SCHEMA, Pool, blob, database, first_format, of_pool, program_client, rows,
};

impl Database {
    /// A backend with a table of one test.
    fn backend(&self, table: &str) -> SqlBackend {
        SqlBackend::from_url(&self.url)
            .unwrap()
            .table(table)
            .unwrap()
    }

    fn subject(&self) -> Subject {
        Subject::new(|| Arc::new(SqlBackend::from_url(&self.url).unwrap()))
    }

    async fn try_execute(&self, statements: String) -> Result<(), sqlx::Error> {
        try_execute(&self.url, statements).await
    }

    async fn execute(&self, statements: String) {
        execute(&self.url, statements).await;
    }
}

pub(crate) async fn execute(url: &str, statements: String) {
    try_execute(url, statements).await.unwrap();
}

async fn try_execute(url: &str, statements: String) -> Result<(), sqlx::Error> {
    let pool = Pool::connect(url).await?;
    let done = sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&pool)
        .await;
    pool.close().await;
    done.map(drop)
}

conformance!(in_a_task, |property| {
    let Some(database) = database() else { return };
    runtime().block_on(property(&database.subject()));
});

conformance!(on_a_thread, |property| {
    let Some(database) = database() else { return };
    let subject = database.subject();
    blocking::inline(Duration::from_secs(60), || block_on(property(&subject)));
});

#[test]
fn a_pool_of_the_program_serves() {
    let Some(database) = database() else { return };
    block_on(database.backend("pooled").check()).unwrap();
    let hand_over = async || {
        let pool = Pool::connect(&database.url).await.unwrap();
        of_pool(pool).table("pooled").unwrap()
    };
    program_client::serves(hand_over, &key(1));
    program_client::serves_when_its_runtime_has_ended(hand_over, &key(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_is_one_request_a_miss_three() {
    let Some(database) = database() else { return };
    let backend = database.backend("trips");
    let totals = || {
        let counts = backend.figures().round_trips;
        let of = |operation| counts.iter().find(|(of, _)| *of == operation).unwrap().1;
        [Operation::Load, Operation::Lease, Operation::Store].map(of)
    };
    backend.check().await.unwrap();
    let before = totals();
    assert_eq!(backend.load(&key(1)).await.unwrap(), None);
    store_leased(&backend, b"one").await;
    let after_miss = totals();
    assert_eq!(after_miss, before.map(|count| count + 1));
    assert!(backend.load(&key(1)).await.unwrap().is_some());
    let [loads, leases, stores] = after_miss;
    assert_eq!(totals(), [loads + 1, leases, stores]);
    let pool = backend.figures().pool.unwrap();
    assert_eq!((pool.idle, pool.busy), (1, 0));
}

/// Values of 0 bytes and 64 MiB, and 100,000 entries.
#[tokio::test(flavor = "multi_thread")]
async fn entries_may_be_large_and_many() {
    const ENTRIES: u64 = 100_000;
    let Some(database) = database() else { return };
    let backend = database.backend("large");
    let large = vec![7; 64 << 20];
    for entry in [&[][..], &large] {
        let request = StoreRequest::new(entry, created());
        let reply = backend.store(&key(1), request).await.unwrap();
        let there = backend.load(&key(1)).await.unwrap().unwrap().bytes;
        match reply {
            StoreReply::Stored { .. } => assert!(there == entry),
            StoreReply::TooLarge => assert!(there.is_empty(), "refused, and still stored"),
            reply => panic!("{reply:?}"),
        }
        eprintln!("{} bytes: {reply:?}", entry.len());
    }
    backend.clear(&scope()).await.unwrap();
    database.execute(rows("large", ENTRIES)).await;

    let started = Instant::now();
    let usage = backend.usage(&scope()).await.unwrap();
    assert_eq!((usage.entries, usage.bytes), (Some(ENTRIES), Some(ENTRIES)));
    eprintln!("{ENTRIES} entries counted in {:?}", started.elapsed());
    let lease = leased(&backend, Duration::from_secs(60)).await;
    let started = Instant::now();
    assert_eq!(backend.clear(&scope()).await.unwrap(), Some(ENTRIES));
    eprintln!("{ENTRIES} entries cleared in {:?}", started.elapsed());
    let late = store_under(&backend, b"late", lease).await;
    assert_eq!(late, StoreReply::Superseded);
}

/// An owner whose lease has expired can neither renew it nor store, taken over or not.
#[test]
fn a_late_owner_stores_nothing() {
    let Some(database) = database() else { return };
    let backend = database.backend("late");
    block_on(async {
        let late = leased(&backend, Duration::ZERO).await;
        assert_eq!(backend.renew(&late).await.unwrap(), Renewal::Lost);
        let reply = store_under(&backend, b"late", late.share()).await;
        assert_eq!(reply, StoreReply::Superseded);
        store_leased(&backend, b"newer").await;
        let reply = store_under(&backend, b"late", late.share()).await;
        assert_eq!(reply, StoreReply::Superseded);
        backend.release(late).await.unwrap();
        let loaded = backend.load(&key(1)).await.unwrap().unwrap();
        assert_eq!(loaded.bytes, b"newer");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_not_looked_into() {
    let Some(database) = database() else { return };
    let backend = database.backend("garbage");
    put(&backend, &key(1), b"one").await;
    let garbage = format!("UPDATE garbage SET {GARBAGE}");
    database.execute(garbage).await;
    let loaded = backend.load(&key(1)).await.unwrap().unwrap();
    assert_eq!(loaded.bytes, [0xff, 0, 0xfe]);
}

#[test]
fn many_may_make_the_table_at_once() {
    let Some(database) = database() else { return };
    runtime().block_on(made_by_many_at_once(|| database.backend("made")));
}

/// A table of an older version is recreated by the first of many that find it. Later entries stay; requests of an older
/// version that still runs are refused.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_table_is_upgraded() {
    let Some(database) = database() else { return };
    let row = format!("VALUES ('{}', '1', 'hash', 'old', 'r', 1, 1)", scope());
    let insert =
        format!("INSERT INTO older (scope, code, hash, entry, revision, created, size) {row}");
    let find = "SELECT revision, entry FROM older WHERE scope = 'x' AND code = '1'";
    database.execute(format!("{OLD_SCHEMA}; {insert}")).await;
    made_by_many_at_once(|| database.backend("older")).await;
    for refused in [insert, find.to_owned()] {
        database.try_execute(refused).await.unwrap_err();
    }
}

/// A removed table, or both, is recreated by the next operation.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_removed_is_made_again() {
    let Some(database) = database() else { return };
    let backend = database.backend("removed");
    let remove = async |tables| database.execute(format!("DROP TABLE {tables}")).await;
    for tables in ["removed", "removed; DROP TABLE removed_schema"] {
        store_leased(&backend, b"one").await;
        remove(tables).await;
        assert_eq!(backend.load(&key(1)).await.unwrap(), None);
        store_leased(&backend, b"one").await;
        remove(tables).await;
        backend.check().await.unwrap();
        remove(tables).await;
        store_leased(&backend, b"one").await;
        remove(tables).await;
        assert_eq!(backend.clear(&scope()).await.unwrap(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_table_is_left_alone() {
    let Some(database) = database() else { return };
    let backend = database.backend("foreigner");
    let insert = |number| format!("INSERT INTO foreigner VALUES ({number})");
    let create = "CREATE TABLE foreigner (code INT PRIMARY KEY)";
    database.execute(create.to_owned()).await;
    database.execute(insert(7)).await;
    for _ in 0..2 {
        let error = backend.load(&key(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
    }
    database.try_execute(insert(7)).await.unwrap_err();
    database.execute(insert(8)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_table_is_left_alone() {
    let Some(database) = database() else { return };
    database.backend("newer").check().await.unwrap();
    let newer = "UPDATE newer_schema SET version = 99";
    database.execute(newer.to_owned()).await;
    let error = database.backend("newer").load(&key(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
    assert!(error.to_string().contains("another `table`"), "{error}");
}

/// Sync and async callers.
#[test]
fn waiting_for_a_connection_is_told() {
    let Some(database) = database() else { return };
    let backend = database.backend("waited");
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

#[test]
fn one_backend_serves_all_runtimes_and_executors() {
    let Some(database) = database() else { return };
    everywhere(&database.backend("everywhere"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_first_format_are_left_alone() {
    let Some(database) = database() else { return };
    let backend = database.backend("first_format");
    backend.check().await.unwrap();
    let rows = first_format::rows("first_format", |bytes| blob(&first_format::hex(bytes)));
    database.execute(rows).await;
    let pool = Pool::connect(&database.url).await.unwrap();
    let all = first_format::all_rows("first_format");
    let rows = async || {
        let rows = sqlx::query_as::<_, first_format::Row>(AssertSqlSafe(all.clone()));
        rows.fetch_all(&pool).await.unwrap()
    };
    assert_eq!(rows().await.len(), 2);
    first_format::is_left_alone(&backend, rows).await;
}

async fn leased(backend: &SqlBackend, period: Duration) -> Lease {
    match backend.lease(&key(1), None, period).await.unwrap() {
        LeaseReply::Granted(lease) => lease,
        reply => panic!("{reply:?}"),
    }
}

async fn store_under(backend: &SqlBackend, entry: &[u8], lease: Lease) -> StoreReply {
    let request = StoreRequest::new(entry, created()).under(lease);
    backend.store(&key(1), request).await.unwrap()
}

async fn store_leased(backend: &SqlBackend, entry: &[u8]) {
    let lease = leased(backend, Duration::from_secs(60)).await;
    let reply = store_under(backend, entry, lease).await;
    assert_eq!(reply, StoreReply::Stored { evicted: 0 });
}

/// Many processes may find the table missing at once, and create it.
async fn made_by_many_at_once(connect: impl Fn() -> SqlBackend) {
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
