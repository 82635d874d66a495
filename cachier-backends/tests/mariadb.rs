//! The SQL backend on MariaDB.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cachier_backends::conformance::{Property, Subject};
use cachier_backends::sql::SqlBackend;
use cachier_backends::{Backend, ErrorKind, StoreRequest, blocking};
use cachier_servers::mariadb;
use futures_lite::future::block_on;
use sqlx::{AssertSqlSafe, MySqlPool};

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
    sql_support::server::url(mariadb::start, |server| server.url().to_owned())
}

fn backend(url: &str, table: &str) -> SqlBackend {
    SqlBackend::from_url(url).unwrap().table(table).unwrap()
}

async fn execute(url: &str, statements: String) {
    try_execute(url, statements).await.unwrap();
}

async fn try_execute(url: &str, statements: String) -> Result<(), sqlx::Error> {
    let pool = MySqlPool::connect(url).await?;
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
        let pool = MySqlPool::connect(&url).await.unwrap();
        SqlBackend::with_mysql_pool(pool).table("pooled").unwrap()
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
             SELECT '{}', UNHEX(SHA2(seq, 256)), x'00', UNHEX(MD5(seq)), 1, 1 FROM seq_1_to_{many}",
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
            "UPDATE garbage SET entry = x'ff00fe', revision = x'01'".to_owned(),
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
const OLD_SCHEMA: &str = "CREATE TABLE older (scope VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
    code VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, hash BINARY(32) NOT NULL, revision BINARY(16), \
    created BIGINT, expires BIGINT, size BIGINT, owner BINARY(16), owned_until BIGINT, entry LONGBLOB, \
    PRIMARY KEY (scope, code, hash), KEY older_by_age (scope, created, size)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC; \
    CREATE TABLE older_schema (id INT PRIMARY KEY, version INT NOT NULL) ENGINE=InnoDB; \
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
        let user = "CREATE OR REPLACE USER reader@'%' IDENTIFIED BY 's3cret'; \
                    GRANT SELECT ON guarded TO reader@'%'; GRANT SELECT ON guarded_schema TO reader@'%'";
        execute(&url, user.to_owned()).await;
        let reader = backend(&url.replace("root@", "reader:s3cret@"), "guarded");
        assert_eq!(reader.load(&key(1)).await.unwrap().unwrap().bytes, b"one");
        let refused = reader
            .store(&key(1), StoreRequest::new(b"two", created()))
            .await;
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(!format!("{error:#} {error:?} {}", reader.store_name()).contains("s3cret"));
    });
}

#[test]
fn unreachable_server_errors_hide_credentials() {
    let port = cachier_servers::free_port();
    let url = format!("mysql://me:s3cret@{}:{port}/db", Ipv4Addr::LOCALHOST);
    let backend = SqlBackend::from_url(&url).unwrap();
    let started = Instant::now();
    let error = block_on(backend.load(&key(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(6));
    assert!(!format!("{error:#} {error:?} {backend:?}").contains("s3cret"));
}

/// A trigger that fails every insertion into a table with this error number.
fn refusal(table: &str, number: u16) -> String {
    format!(
        "CREATE TRIGGER refusal_{table} BEFORE INSERT ON {table} FOR EACH ROW \
         SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'refused'"
    )
}

#[test]
fn a_server_turned_read_only_is_left() {
    let Some(url) = url() else { return };
    for number in [1290, 1836] {
        let table = format!("refused_{number}");
        let refuse = async || execute(&url, refusal(&table, number)).await;
        let backend = backend(&url, &table);
        sql_support::runtime().block_on(leaves_what_is_read_only(&backend, refuse));
    }
}

#[test]
fn a_session_ended_for_idleness_is_replaced() {
    let Some(url) = url() else { return };
    let backend = backend(&url, "idle");
    sql_support::runtime().block_on(async {
        backend.check().await.unwrap();
        // MySQL's error; MariaDB just disconnects.
        execute(&url, refusal("idle", 4031)).await;
        let sent = || {
            backend
                .figures()
                .round_trips
                .iter()
                .map(|(_, sent)| sent)
                .sum::<u64>()
        };
        let before = sent();
        let (key, request) = (key(1), StoreRequest::new(b"one", created()));
        let error = backend.store(&key, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        assert!(sent() > before + 1, "it is tried again on new connections");
        assert_eq!(backend.figures().pool.unwrap().idle, 0);
    });
}

#[test]
fn a_connection_that_the_server_closed_is_replaced() {
    let Some(url) = url() else { return };
    sql_support::runtime().block_on(async {
        let user =
            "CREATE OR REPLACE USER interrupted@'%'; GRANT ALL ON cachier.* TO interrupted@'%'";
        execute(&url, user.to_owned()).await;
        let backend = backend(&url.replace("root@", "interrupted@"), "interrupted");
        backend
            .store(&key(1), StoreRequest::new(b"one", created()))
            .await
            .unwrap();
        execute(&url, "KILL HARD USER interrupted".to_owned()).await;
        let error = backend.load(&key(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        assert!(backend.load(&key(1)).await.unwrap().is_some());
    });
}

#[test]
fn rows_of_the_first_format_are_left_alone() {
    let Some(url) = url() else { return };
    let backend = backend(&url, "first_format");
    sql_support::runtime().block_on(async {
        backend.check().await.unwrap();
        let blob = |bytes: &[u8]| format!("x'{}'", first_format::hex(bytes));
        execute(&url, first_format::rows("first_format", blob)).await;
        let pool = MySqlPool::connect(&url).await.unwrap();
        let all = first_format::all_rows("first_format");
        let rows = async || {
            let rows = sqlx::query_as::<_, first_format::Row>(AssertSqlSafe(all.clone()));
            rows.fetch_all(&pool).await.unwrap()
        };
        assert_eq!(rows().await.len(), 2);
        first_format::is_left_alone(&backend, rows).await;
    });
}
