//! The SQL backend on MariaDB.
#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;

use cachier_backends::sql::SqlBackend;
use cachier_backends::{Backend, ErrorKind, StoreRequest};
use cachier_servers::{StoreServer, mariadb};
use sqlx::MySqlPool as Pool;

mod first_format;
#[path = "sql_support/on_each_database.rs"]
mod on_each_database;
mod program_client;
mod server_support;
mod sql_support;
use on_each_database::execute;
use server_support::{round_trips, shared};
use sql_support::{Database, a_reader, created, key, leaves_what_is_read_only, put, scope};

/// The address of the program's server.
fn url() -> Option<String> {
    static SHARED: OnceLock<Option<StoreServer>> = OnceLock::new();
    Some(shared(&SHARED, mariadb::start)?.url().to_owned())
}

fn backend(url: &str, table: &str) -> SqlBackend {
    SqlBackend::from_url(url).unwrap().table(table).unwrap()
}

/// A trigger that fails every insertion into a table with this error number.
fn refusal(table: &str, number: u16) -> String {
    format!(
        "CREATE TRIGGER refusal_{table} BEFORE INSERT ON {table} FOR EACH ROW \
         SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'refused'"
    )
}

fn database() -> Option<Database> {
    let folder = None;
    url().map(|url| Database { url, folder })
}

fn of_pool(pool: Pool) -> SqlBackend {
    SqlBackend::with_mysql_pool(pool)
}

/// Inserts many entries of one byte.
fn rows(table: &str, many: u64) -> String {
    format!(
        "INSERT INTO {table} (scope, id, entry, revision, created, size) \
         SELECT '{}', UNHEX(SHA2(seq, 256)), x'00', UNHEX(MD5(seq)), 1, 1 FROM seq_1_to_{many}",
        scope()
    )
}

/// Contents of columns that no backend writes.
const GARBAGE: &str = "entry = x'ff00fe', revision = x'01'";

fn blob(hex: &str) -> String {
    format!("x'{hex}'")
}

/// Creates the first version of the table.
const OLD_SCHEMA: &str = "CREATE TABLE older (scope VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
    code VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, hash BINARY(32) NOT NULL, revision BINARY(16), \
    created BIGINT, expires BIGINT, size BIGINT, owner BINARY(16), owned_until BIGINT, entry LONGBLOB, \
    PRIMARY KEY (scope, code, hash), KEY older_by_age (scope, created, size)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC; \
    CREATE TABLE older_schema (id INT PRIMARY KEY, version INT NOT NULL) ENGINE=InnoDB; \
    INSERT INTO older_schema (id, version) VALUES (1, 1)";

#[test]
fn a_read_only_user_may_load() {
    let Some(url) = url() else { return };
    let grant = async || {
        let user = "CREATE OR REPLACE USER reader@'%' IDENTIFIED BY 's3cret'; \
                    GRANT SELECT ON guarded TO reader@'%'; GRANT SELECT ON guarded_schema TO reader@'%'";
        execute(&url, user.to_owned()).await;
    };
    let reader = backend(&url.replace("root@", "reader:s3cret@"), "guarded");
    sql_support::runtime().block_on(a_reader(&backend(&url, "guarded"), grant, &reader));
}

#[test]
fn unreachable_server_errors_hide_credentials() {
    sql_support::unreachable_server_errors_hide_credentials("mysql");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ended_for_idleness_is_replaced() {
    let Some(url) = url() else { return };
    let backend = backend(&url, "idle");
    backend.check().await.unwrap();
    // MySQL's error; MariaDB just disconnects.
    execute(&url, refusal("idle", 4031)).await;
    let sent = || round_trips(&backend);
    let before = sent();
    let (key, request) = (key(1), StoreRequest::new(b"one", created()));
    let error = backend.store(&key, request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert!(sent() > before + 1, "it is tried again on new connections");
    assert_eq!(backend.figures().pool.unwrap().idle, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_server_closed_is_replaced() {
    let Some(url) = url() else { return };
    let user = "CREATE OR REPLACE USER interrupted@'%'; GRANT ALL ON cachier.* TO interrupted@'%'";
    execute(&url, user.to_owned()).await;
    let backend = backend(&url.replace("root@", "interrupted@"), "interrupted");
    put(&backend, &key(1), b"one").await;
    execute(&url, "KILL HARD USER interrupted".to_owned()).await;
    let error = backend.load(&key(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert!(backend.load(&key(1)).await.unwrap().is_some());
}
