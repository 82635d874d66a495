//! The SQL backend on PostgreSQL.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use cachier_backends::sql::SqlBackend;
use cachier_backends::{Backend, Change, ErrorKind, LeaseReply, StoreRequest, Watch, blocking};
use cachier_servers::proxy::Proxy;
use cachier_servers::{StoreServer, postgres};
use futures_lite::future::block_on;
use rustix::process::Signal;
use sqlx::PgPool as Pool;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

mod first_format;
#[path = "sql_support/on_each_database.rs"]
mod on_each_database;
mod program_client;
mod server_support;
mod sql_support;
use on_each_database::execute;
use server_support::shared;
use sql_support::{Database, a_reader, created, key, leaves_what_is_read_only, put, scope};

/// The address of the program's server.
fn url() -> Option<String> {
    static SHARED: OnceLock<Option<StoreServer>> = OnceLock::new();
    Some(shared(&SHARED, postgres::start)?.url().to_owned())
}

fn backend(url: &str, table: &str) -> SqlBackend {
    SqlBackend::from_url(url).unwrap().table(table).unwrap()
}

fn database() -> Option<Database> {
    let folder = None;
    url().map(|url| Database { url, folder })
}

fn of_pool(pool: Pool) -> SqlBackend {
    SqlBackend::with_postgres_pool(pool)
}

/// Inserts many entries of one byte.
fn rows(table: &str, many: u64) -> String {
    format!(
        "INSERT INTO {table} (scope, id, entry, revision, created, size) \
         SELECT '{}', decode(md5(i::text) || md5('x' || i::text), 'hex'), '\\x00', decode(md5(i::text), 'hex'), 1, 1 \
         FROM generate_series(1, {many}) i",
        scope()
    )
}

/// Contents of columns that no backend writes.
const GARBAGE: &str = "entry = '\\xff00fe', revision = '\\x'";

fn blob(hex: &str) -> String {
    format!("'\\x{hex}'")
}

/// Creates the first version of the table.
const OLD_SCHEMA: &str = "CREATE TABLE older (scope text COLLATE \"C\" NOT NULL, code text COLLATE \"C\" NOT NULL, hash bytea NOT NULL, \
    revision bytea, created bigint, expires bigint, size bigint, owner bytea, owned_until bigint, entry bytea, \
    PRIMARY KEY (scope, code, hash)) WITH (fillfactor = 80); \
    CREATE INDEX older_by_age ON older (scope, created, size); \
    CREATE TABLE older_schema (id int PRIMARY KEY, version int NOT NULL); \
    INSERT INTO older_schema (id, version) VALUES (1, 1)";

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_user_may_load() {
    let Some(url) = url() else { return };
    let grant = async || {
        let user = "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 's3cret'; \
                    GRANT SELECT ON guarded, guarded_schema TO reader";
        execute(&url, user.to_owned()).await;
    };
    let reader = backend(&url.replace("postgres@", "reader:s3cret@"), "guarded");
    a_reader(&backend(&url, "guarded"), grant, &reader).await;
    execute(&url, "DROP OWNED BY reader; DROP ROLE reader".to_owned()).await;
}

#[test]
fn unreachable_server_errors_hide_credentials() {
    sql_support::unreachable_server_errors_hide_credentials("postgres");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_is_replaced_unnoticed() {
    let Some(url) = url() else { return };
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ended'";
    let of_an_administrator = async || execute(&url, end.to_owned()).await;
    let when_it_is_idle = async || {};
    let named = format!("{url}?application_name=ended");
    is_replaced(&url, &named, of_an_administrator).await;
    let short = format!("{named}&options[idle_session_timeout]=100");
    is_replaced(&url, &short, when_it_is_idle).await;
}

/// Uses a backend whose sessions, named `ended`, are terminated in between.
async fn is_replaced(url: &str, named: &str, end: impl AsyncFnOnce()) {
    let (backend, pool) = (backend(named, "ended"), Pool::connect(url).await.unwrap());
    put(&backend, &key(1), b"one").await;
    assert_eq!(backend.figures().pool.unwrap().idle, 1);
    end().await;
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ended'";
    let started = Instant::now();
    while sqlx::query_scalar::<_, i64>(count)
        .fetch_one(&pool)
        .await
        .unwrap()
        > 0
    {
        assert!(started.elapsed() < Duration::from_secs(20), "it goes on");
    }
    assert!(backend.load(&key(1)).await.unwrap().is_some());
}

#[test]
fn a_server_turned_read_only_is_left() {
    let Some(url) = url() else { return };
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '25006'; END $$; \
         CREATE TRIGGER refusal BEFORE INSERT ON refused FOR EACH ROW EXECUTE FUNCTION refuse()";
    let refuse = async || execute(&url, refuse.to_owned()).await;
    let backend = backend(&url, "refused");
    sql_support::runtime().block_on(leaves_what_is_read_only(&backend, refuse));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_operation_closes_idle_connections() {
    let Some(mut server) = postgres::start_private() else {
        return;
    };
    let (backend, key) = (backend(server.url(), "suspect"), key(1));
    let idle = || backend.figures().pool.unwrap().idle;
    backend.check().await.unwrap();
    let load = || backend.load(&key);
    while idle() < 3 {
        let (one, two, three) = tokio::join!(load(), load(), load());
        one.and(two).and(three).unwrap();
    }
    server.server().unwrap().signal(Signal::STOP);
    let given_up = timeout(Duration::from_millis(300), backend.load(&key));
    given_up.await.unwrap_err();
    server.server().unwrap().signal(Signal::CONT);
    assert_eq!(idle(), 0);
    assert_eq!(backend.load(&key).await.unwrap(), None);
}

#[test]
fn the_first_caller_during_a_hang_blocks_nobody() {
    let Some(mut server) = postgres::start_private() else {
        return;
    };
    let backend = backend(server.url(), "hung");
    let on_a_thread = |limit| blocking::inline(limit, || block_on(backend.load(&key(1))));
    server.server().unwrap().signal(Signal::STOP);
    let error = on_a_thread(Duration::from_millis(200)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    server.server().unwrap().signal(Signal::CONT);
    sql_support::runtime().block_on(async {
        let key = key(1);
        let loaded = timeout(Duration::from_secs(20), backend.load(&key));
        assert_eq!(loaded.await.unwrap().unwrap(), None);
    });
    let loaded = thread::scope(|threads| {
        let loads = threads.spawn(|| on_a_thread(Duration::from_secs(60)));
        loads.join().unwrap()
    });
    assert_eq!(loaded.unwrap(), None);
}

#[test]
fn a_connection_attempt_outlives_its_synchronous_caller() {
    let Some(url) = url() else { return };
    let port = url.parse::<PgConnectOptions>().unwrap().get_port();
    let proxy = Proxy::to(port);
    let backend = backend(
        &url.replace(&port.to_string(), &proxy.port().to_string()),
        "begun",
    );
    let on_this_thread = |limit| blocking::inline(limit, || block_on(backend.load(&key(1))));
    assert_eq!(on_this_thread(Duration::from_secs(60)).unwrap(), None);
    proxy.hang(true);
    proxy.break_all();
    // One finds the connection broken, and the next opens another.
    for kind in [ErrorKind::Connect, ErrorKind::Timeout] {
        let error = on_this_thread(Duration::from_millis(200)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
    }
    assert_eq!(backend.figures().pool.unwrap().idle, 0);
    proxy.hang(false);
    let started = Instant::now();
    while backend.figures().pool.unwrap().idle == 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "in vain");
        thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_is_notified_without_polling() {
    let Some(url) = url() else { return };
    let (owner, waiter) = (backend(&url, "woken"), Arc::new(backend(&url, "woken")));
    for number in 0..8 {
        let key = key(number);
        let lease = owner.lease(&key, None, Duration::from_secs(60));
        let LeaseReply::Granted(lease) = lease.await.unwrap() else {
            panic!("it is free");
        };
        let (here, waited) = (Arc::clone(&waiter), key.clone());
        let waiting = tokio::spawn(async move { here.wait(&waited, None).unwrap().await.unwrap() });
        // Without notification it would poll after a tenth of a second, and return meanwhile.
        tokio::time::sleep(Duration::from_millis(if number == 0 { 0 } else { 250 })).await;
        assert!(number == 0 || !waiting.is_finished());
        let request = StoreRequest::new(b"one", created()).under(lease);
        owner.store(&key, request).await.unwrap();
        // The first one may return before it listens.
        waiting.await.unwrap();
        let loaded = waiter.load(&key).await.unwrap();
        assert!(loaded.is_some(), "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_hear_only_of_others() {
    let Some(url) = url() else { return };
    let other = backend(&url, "watched");
    let (own, _watch, mut told) = watching(&url, "watched");
    // Once it listens.
    assert_eq!(heard(&mut told).await, Change::All);
    put(&own, &key(1), b"one").await;
    put(&other, &key(2), b"two").await;
    assert_eq!(heard(&mut told).await, Change::Entry(key(2).hash()));
    other.remove(&key(1)).await.unwrap();
    assert_eq!(heard(&mut told).await, Change::Entry(key(1).hash()));
    other.clear(&scope()).await.unwrap();
    assert_eq!(heard(&mut told).await, Change::All);
}

/// A watching backend, and its notifications.
fn watching(url: &str, table: &str) -> (SqlBackend, Watch, UnboundedReceiver<Change>) {
    let backend = backend(url, table);
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    let watcher = Arc::new(move |change: &_| tell.send(*change).unwrap());
    let watch = backend.watch(&scope(), watcher).unwrap();
    (backend, watch, told)
}

async fn heard(told: &mut UnboundedReceiver<Change>) -> Change {
    let limit = Duration::from_secs(20);
    timeout(limit, told.recv()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_hear_of_an_interruption() {
    let Some(url) = url() else { return };
    let other = backend(&url, "ended_watch");
    let named = format!("{url}?application_name=watching");
    let (_own, _watch, mut told) = watching(&named, "ended_watch");
    assert_eq!(heard(&mut told).await, Change::All);
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'watching'";
    for number in 0..4 {
        put(&other, &key(number), b"one").await;
        // Earlier changes may be notified after the gap.
        while heard(&mut told).await != Change::Entry(key(number).hash()) {}
        execute(&url, end.to_owned()).await;
        // It listens again some time after this.
        other.remove(&key(number)).await.unwrap();
        while heard(&mut told).await != Change::All {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_hear_of_a_slow_reconnect() {
    let Some(url) = url() else { return };
    let port = url.parse::<PgConnectOptions>().unwrap().get_port();
    let proxy = Proxy::to(port);
    let other = backend(&url, "slow_watch");
    let behind = url.replace(&port.to_string(), &proxy.port().to_string());
    let (_own, _watch, mut told) = watching(&behind, "slow_watch");
    assert_eq!(heard(&mut told).await, Change::All);
    proxy.hang(true);
    proxy.break_all();
    put(&other, &key(1), b"one").await;
    // Longer than an idle connection goes without a ping.
    tokio::time::sleep(Duration::from_secs(11)).await;
    proxy.hang(false);
    assert_eq!(heard(&mut told).await, Change::All);
}
