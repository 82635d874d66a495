//! PostgreSQL.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use super::dialect::Dialect;
use crate::network::server_url::ServerUrl;

pub(super) const DIALECT: Dialect = Dialect {
    now: "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    integer: "bigint",
    // Each step is one transaction, as it is one request; the lock serialises concurrent steps.
    migrations: &[
        // Finds nothing, but fails on a table that is not cachier's, as its columns have other names.
        "SELECT pg_advisory_xact_lock(7161092340251); \
        CREATE TABLE IF NOT EXISTS {table} (\
            id bytea PRIMARY KEY, scope text COLLATE \"C\" NOT NULL, \
            revision bytea, created bigint, expires bigint, size bigint, \
            owner bytea, owned_until bigint, entry bytea) WITH (fillfactor = 80); \
        SELECT id, scope, created, size, owned_until FROM {table} LIMIT 0; \
        ALTER TABLE {table} ALTER COLUMN entry SET STORAGE EXTERNAL; \
        CREATE INDEX IF NOT EXISTS {table}_by_age ON {table} (scope, created, size); \
        CREATE TABLE IF NOT EXISTS {table}_schema (id int PRIMARY KEY, version int NOT NULL); \
        INSERT INTO {table}_schema (id, version) VALUES (1, 2) ON CONFLICT DO NOTHING",
        // The first insertion fails if this step is done. Grants on the table are kept.
        "SELECT pg_advisory_xact_lock(7161092340251); \
        INSERT INTO {table}_schema (id, version) SELECT id, version FROM {table}_schema WHERE version >= 2; \
        TRUNCATE {table}; \
        ALTER TABLE {table} DROP COLUMN code, DROP COLUMN hash, ADD COLUMN id bytea PRIMARY KEY; \
        UPDATE {table}_schema SET version = 2",
    ],
    or_replace: "ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, revision = excluded.revision, \
        created = excluded.created, expires = excluded.expires, size = excluded.size, owner = NULL, owned_until = NULL",
    or_lease: "ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, owned_until = excluded.owned_until \
        WHERE {table}.created IS NULL AND ({table}.owner IS NULL OR {table}.owned_until <= {now})",
    or_take_over: "ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, owned_until = excluded.owned_until",
    // Blocks only writers of the same rows.
    delete_batch: "DELETE FROM {table} WHERE {where}",
    request_limit: None,
    is_postgres: true,
};

/// The options of a URL. `Err` says what is wrong.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, &'static str> {
    const FORM: &str = "write postgres://user:password@host:port/database; in user, password and options, `@` is `%40`, \
        `/` is `%2F` and `?` is `%3F`";
    // Otherwise a secret might be taken for the database's name, and be shown.
    let options = ServerUrl::parse(url).map(|_| PgConnectOptions::from_str(url));
    options.ok_or(FORM)?.map_err(|_| FORM)
}

pub(super) fn name(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_default();
    match options.get_socket() {
        Some(socket) => format!("postgres:{}/{database}", socket.display()),
        None => format!(
            "postgres://{}:{}/{database}",
            options.get_host(),
            options.get_port()
        ),
    }
}
