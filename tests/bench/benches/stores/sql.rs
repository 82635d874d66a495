//! SQLite, PostgreSQL and MariaDB: the bare client reads one row by its primary key, with a prepared statement.

use cachier::SqlBackend;
use sqlx::ConnectOptions;

use crate::compare::{Effort, Row, one_task, one_thread, runtime};
use crate::value::{cached, stored};

cached!("sqlite", of_sqlite, of_sqlite_sync);
cached!("postgres", of_postgres, of_postgres_sync);
cached!("mariadb", of_mariadb, of_mariadb_sync);

/// Hits on a task and on a thread, compared with the bare client of a database, given its type for bytes and its
/// placeholders.
macro_rules! rows {
    (
        $options:expr, $effort:expr, [$bytes:literal, $first:literal, $second:literal],
        ($by_task:literal, $of_task:path), ($by_thread:literal, $of_thread:path)
    ) => {{
        const TABLE: &str = concat!(
            "CREATE TABLE bare (id BIGINT PRIMARY KEY, value ",
            $bytes,
            ")"
        );
        const INSERT: &str = concat!("INSERT INTO bare VALUES (", $first, ", ", $second, ")");
        const SELECT: &str = concat!("SELECT value FROM bare WHERE id = ", $first);
        let runtime = runtime();
        let mut connection = runtime.block_on(async {
            let mut connection = $options.connect().await.expect("the database is there");
            for statement in ["DROP TABLE IF EXISTS bare", TABLE] {
                let done = sqlx::query(statement).execute(&mut connection).await;
                done.expect("it is carried out");
            }
            for (id, bytes) in stored() {
                let insert = sqlx::query(INSERT).bind(id.cast_signed()).bind(bytes);
                insert.execute(&mut connection).await.expect("it is stored");
            }
            connection
        });
        let mut read = async |id: u64| -> Vec<u8> {
            let select = sqlx::query_scalar(SELECT).bind(id.cast_signed());
            select
                .fetch_one(&mut connection)
                .await
                .expect("it is there")
        };
        vec![
            Row {
                what: $by_task,
                at_most: 1.25,
                compared: one_task(&runtime, $effort, $of_task, &mut read),
            },
            Row {
                what: $by_thread,
                at_most: 1.25,
                compared: one_thread($effort, $of_thread, |id| runtime.block_on(read(id))),
            },
        ]
    }};
}

pub(crate) fn sqlite(effort: Effort) -> Vec<Row> {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ours.db");
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    register("sqlite", &format!("sqlite:{}", path.display()));
    let effort = effort.fewer(2);
    rows!(
        options,
        effort,
        ["BLOB", "?", "?"],
        ("sqlite, async : one row by the bare client", of_sqlite),
        ("sqlite, sync : one row by the bare client", of_sqlite_sync)
    )
}

pub(crate) fn postgres(effort: Effort) -> Vec<Row> {
    let Some(server) = cachier_servers::postgres::start() else {
        return Vec::new();
    };
    let options: sqlx::postgres::PgConnectOptions = server.url().parse().expect("it is a URL");
    register("postgres", server.url());
    let effort = effort.fewer(2);
    rows!(
        options,
        effort,
        ["BYTEA", "$1", "$2"],
        ("postgres, async : one row by the bare client", of_postgres),
        (
            "postgres, sync : one row by the bare client",
            of_postgres_sync
        )
    )
}

pub(crate) fn mariadb(effort: Effort) -> Vec<Row> {
    let Some(server) = cachier_servers::mariadb::start() else {
        return Vec::new();
    };
    let options: sqlx::mysql::MySqlConnectOptions = server.url().parse().expect("it is a URL");
    register("mariadb", server.url());
    let effort = effort.fewer(2);
    rows!(
        options,
        effort,
        ["BLOB", "?", "?"],
        ("mariadb, async : one row by the bare client", of_mariadb),
        (
            "mariadb, sync : one row by the bare client",
            of_mariadb_sync
        )
    )
}

fn register(name: &str, url: &str) {
    let backend = SqlBackend::from_url(url).expect("the address is a URL");
    cachier::register_backend(name, backend).expect("it is registered");
}
