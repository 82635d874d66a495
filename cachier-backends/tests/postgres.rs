//! The SQL backend on PostgreSQL.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cachier_backends::conformance::{Property, Subject};
use cachier_backends::sql::SqlBackend;
use cachier_backends::{Backend, Change, ErrorKind, LeaseReply, StoreRequest, Watch, blocking};
use cachier_servers::postgres;
use cachier_servers::proxy::Proxy;
use futures_lite::future::block_on;
use rustix::process::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

mod first_format;
mod program_client;
mod sql_support;
use sql_support::{
    a_foreign_table, a_newer_table, a_removed_table, an_older_table, created, garbage_comes_back,
    key, large_and_many, late_owners, leaves_what_is_read_only, made_by_many_at_once, round_trips,
    scope, waits_are_told,
};

/// The address of the program's server.
fn url() -> Option<String> {
    sql_support::server::url(postgres::start, |server| server.url().to_owned())
}

fn backend(url: &str, table: &str) -> SqlBackend {
    SqlBackend::from_url(url).unwrap().table(table).unwrap()
}

async fn execute(url: &str, statements: String) {
    try_execute(url, statements).await.unwrap();
}

async fn try_execute(url: &str, statements: String) -> Result<(), sqlx::Error> {
    let pool = PgPool::connect(url).await?;
    let done = sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&pool)
        .await;
    pool.close().await;
    done.map(drop)
}

mod in_a_task {
    use super::*;

    fn run(property: Property) {
        let Some(url) = url() else { return };
        let subject = Subject::new(|| Arc::new(SqlBackend::from_url(&url).unwrap()));
        sql_support::runtime().block_on(property(&subject));
    }

    cachier_backends::conformance_tests!(run);
}

mod on_a_thread {
    use super::*;

    fn run(property: Property) {
        let Some(url) = url() else { return };
        let subject = Subject::new(|| Arc::new(SqlBackend::from_url(&url).unwrap()));
        blocking::inline(Duration::from_secs(60), || block_on(property(&subject)));
    }

    cachier_backends::conformance_tests!(run);
}

#[test]
fn a_pool_of_the_program_serves() {
    let Some(url) = url() else { return };
    let hand_over = async || {
        let pool = PgPool::connect(&url).await.unwrap();
        SqlBackend::with_postgres_pool(pool)
            .table("pooled")
            .unwrap()
    };
    program_client::serves(hand_over, &key(1));
    program_client::serves_when_its_runtime_has_ended(hand_over, &key(1));
}

#[test]
fn a_hit_is_one_request_a_miss_three() {
    let Some(url) = url() else { return };
    sql_support::runtime().block_on(round_trips(&backend(&url, "trips")));
}

#[test]
fn entries_may_be_large_and_many() {
    let Some(url) = url() else { return };
    sql_support::runtime().block_on(large_and_many(&backend(&url, "large"), async |many| {
        let many = format!(
            "INSERT INTO large (scope, id, entry, revision, created, size) \
             SELECT '{}', decode(md5(i::text) || md5('x' || i::text), 'hex'), '\\x00', decode(md5(i::text), 'hex'), 1, 1 \
             FROM generate_series(1, {many}) i",
            scope()
        );
        execute(&url, many).await;
    }));
}

#[test]
fn a_late_owner_stores_nothing() {
    let Some(url) = url() else { return };
    block_on(late_owners(&backend(&url, "late")));
}

#[test]
fn garbage_is_not_looked_into() {
    let Some(url) = url() else { return };
    sql_support::runtime().block_on(garbage_comes_back(&backend(&url, "garbage"), async || {
        execute(
            &url,
            "UPDATE garbage SET entry = '\\xff00fe', revision = '\\x'".to_owned(),
        )
        .await;
    }));
}

#[test]
fn many_may_make_the_table_at_once() {
    let Some(url) = url() else { return };
    let connect = || backend(&url, "made");
    sql_support::runtime().block_on(made_by_many_at_once(connect));
}

/// Creates the first version of the table.
const OLD_SCHEMA: &str = "CREATE TABLE older (scope text COLLATE \"C\" NOT NULL, code text COLLATE \"C\" NOT NULL, hash bytea NOT NULL, \
    revision bytea, created bigint, expires bigint, size bigint, owner bytea, owned_until bigint, entry bytea, \
    PRIMARY KEY (scope, code, hash)) WITH (fillfactor = 80); \
    CREATE INDEX older_by_age ON older (scope, created, size); \
    CREATE TABLE older_schema (id int PRIMARY KEY, version int NOT NULL); \
    INSERT INTO older_schema (id, version) VALUES (1, 1)";

#[test]
fn an_older_table_is_upgraded() {
    let Some(url) = url() else { return };
    let connect = || backend(&url, "older");
    let execute = async |statements| try_execute(&url, statements).await;
    sql_support::runtime().block_on(an_older_table(connect, execute, OLD_SCHEMA, "older"));
}

#[test]
fn a_table_that_was_removed_is_made_again() {
    let Some(url) = url() else { return };
    let backend = backend(&url, "removed");
    let execute = async |statements| try_execute(&url, statements).await;
    sql_support::runtime().block_on(a_removed_table(&backend, execute, "removed"));
}

#[test]
fn a_foreign_table_is_left_alone() {
    let Some(url) = url() else { return };
    let backend = backend(&url, "foreigner");
    let execute = async |statements| try_execute(&url, statements).await;
    sql_support::runtime().block_on(a_foreign_table(&backend, execute, "foreigner"));
}

#[test]
fn a_newer_table_is_left_alone() {
    let Some(url) = url() else { return };
    let newer = "UPDATE newer_schema SET version = 99".to_owned();
    let age = async || execute(&url, newer).await;
    sql_support::runtime().block_on(a_newer_table(|| backend(&url, "newer"), age));
}

#[test]
fn waiting_for_a_connection_is_told() {
    let Some(url) = url() else { return };
    waits_are_told(&backend(&url, "waited"));
}

#[test]
fn one_backend_serves_all_runtimes_and_executors() {
    let Some(url) = url() else { return };
    sql_support::everywhere(&backend(&url, "everywhere"));
}

#[test]
fn a_read_only_user_may_load() {
    let Some(url) = url() else { return };
    sql_support::runtime().block_on(async {
        let writer = backend(&url, "guarded");
        writer
            .store(&key(1), StoreRequest::new(b"one", created()))
            .await
            .unwrap();
        let user = "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 's3cret'; \
                    GRANT SELECT ON guarded, guarded_schema TO reader";
        execute(&url, user.to_owned()).await;
        let reader = backend(&url.replace("postgres@", "reader:s3cret@"), "guarded");
        assert_eq!(reader.load(&key(1)).await.unwrap().unwrap().bytes, b"one");
        let refused = reader
            .store(&key(1), StoreRequest::new(b"two", created()))
            .await;
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(!format!("{error:#} {error:?} {}", reader.store_name()).contains("s3cret"));
        let _ = execute(&url, "DROP OWNED BY reader; DROP ROLE reader".to_owned()).await;
    });
}

#[test]
fn unreachable_server_errors_hide_credentials() {
    let port = cachier_servers::free_port();
    let url = format!("postgres://me:s3cret@{}:{port}/db", Ipv4Addr::LOCALHOST);
    let backend = SqlBackend::from_url(&url).unwrap();
    let started = Instant::now();
    let error = block_on(backend.load(&key(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(6));
    assert!(!format!("{error:#} {error:?} {backend:?}").contains("s3cret"));
}

#[test]
fn an_ended_session_is_replaced_unnoticed() {
    let Some(url) = url() else { return };
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ended'";
    let of_an_administrator = async || execute(&url, end.to_owned()).await;
    let when_it_is_idle = async || {};
    sql_support::runtime().block_on(async {
        let named = format!("{url}?application_name=ended");
        is_replaced(&url, &named, of_an_administrator).await;
        let short = format!("{named}&options[idle_session_timeout]=100");
        is_replaced(&url, &short, when_it_is_idle).await;
    });
}

/// Uses a backend whose sessions, named `ended`, are terminated in between.
async fn is_replaced(url: &str, named: &str, end: impl AsyncFnOnce()) {
    let (backend, pool) = (backend(named, "ended"), PgPool::connect(url).await.unwrap());
    let request = StoreRequest::new(b"one", created());
    backend.store(&key(1), request).await.unwrap();
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

#[test]
fn an_abandoned_operation_closes_idle_connections() {
    let Some(mut server) = postgres::start_private() else {
        return;
    };
    let (backend, key) = (backend(server.url(), "suspect"), key(1));
    let idle = || backend.figures().pool.unwrap().idle;
    sql_support::runtime().block_on(async {
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
    });
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

#[test]
fn a_waiter_is_notified_without_polling() {
    let Some(url) = url() else { return };
    let (owner, waiter) = (backend(&url, "woken"), Arc::new(backend(&url, "woken")));
    sql_support::runtime().block_on(async {
        for number in 0..8 {
            let key = key(number);
            let lease = owner.lease(&key, None, Duration::from_secs(60));
            let LeaseReply::Granted(lease) = lease.await.unwrap() else {
                panic!("it is free");
            };
            let (here, waited) = (Arc::clone(&waiter), key.clone());
            let waiting =
                tokio::spawn(async move { here.wait(&waited, None).unwrap().await.unwrap() });
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
    });
}

#[test]
fn watchers_hear_only_of_others() {
    let Some(url) = url() else { return };
    let (own, other) = (backend(&url, "watched"), backend(&url, "watched"));
    sql_support::runtime().block_on(async {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let watcher = Arc::new(move |change: &_| tell.send(*change).unwrap());
        let _watch = own.watch(&scope(), watcher).unwrap();
        // Once it listens.
        assert_eq!(told.recv().await, Some(cachier_backends::Change::All));
        own.store(&key(1), StoreRequest::new(b"one", created()))
            .await
            .unwrap();
        other
            .store(&key(2), StoreRequest::new(b"two", created()))
            .await
            .unwrap();
        let change = told.recv().await.unwrap();
        assert_eq!(change, cachier_backends::Change::Entry(key(2).hash()));
        other.remove(&key(1)).await.unwrap();
        let change = told.recv().await.unwrap();
        assert_eq!(change, cachier_backends::Change::Entry(key(1).hash()));
        other.clear(&scope()).await.unwrap();
        assert_eq!(told.recv().await, Some(cachier_backends::Change::All));
    });
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

#[test]
fn watchers_hear_of_an_interruption() {
    let Some(url) = url() else { return };
    let other = backend(&url, "ended_watch");
    sql_support::runtime().block_on(async {
        let named = format!("{url}?application_name=watching");
        let (_own, _watch, mut told) = watching(&named, "ended_watch");
        assert_eq!(heard(&mut told).await, Change::All);
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'watching'";
        for number in 0..4 {
            let request = StoreRequest::new(b"one", created());
            other.store(&key(number), request).await.unwrap();
            // Earlier changes may be notified after the gap.
            while heard(&mut told).await != Change::Entry(key(number).hash()) {}
            execute(&url, end.to_owned()).await;
            // It listens again some time after this.
            other.remove(&key(number)).await.unwrap();
            while heard(&mut told).await != Change::All {}
        }
    });
}

#[test]
fn watchers_hear_of_a_slow_reconnect() {
    let Some(url) = url() else { return };
    let port = url.parse::<PgConnectOptions>().unwrap().get_port();
    let proxy = Proxy::to(port);
    let other = backend(&url, "slow_watch");
    sql_support::runtime().block_on(async {
        let behind = url.replace(&port.to_string(), &proxy.port().to_string());
        let (_own, _watch, mut told) = watching(&behind, "slow_watch");
        assert_eq!(heard(&mut told).await, Change::All);
        proxy.hang(true);
        proxy.break_all();
        let request = StoreRequest::new(b"one", created());
        other.store(&key(1), request).await.unwrap();
        // Longer than an idle connection goes without a ping.
        tokio::time::sleep(Duration::from_secs(11)).await;
        proxy.hang(false);
        assert_eq!(heard(&mut told).await, Change::All);
    });
}

#[test]
fn rows_of_the_first_format_are_left_alone() {
    let Some(url) = url() else { return };
    let backend = backend(&url, "first_format");
    sql_support::runtime().block_on(async {
        backend.check().await.unwrap();
        let blob = |bytes: &[u8]| format!("'\\x{}'", first_format::hex(bytes));
        execute(&url, first_format::rows("first_format", blob)).await;
        let pool = PgPool::connect(&url).await.unwrap();
        let all = first_format::all_rows("first_format");
        let rows = async || {
            let rows = sqlx::query_as::<_, first_format::Row>(AssertSqlSafe(all.clone()));
            rows.fetch_all(&pool).await.unwrap()
        };
        assert_eq!(rows().await.len(), 2);
        first_format::is_left_alone(&backend, rows).await;
    });
}
