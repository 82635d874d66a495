//! MySQL and MariaDB.

use std::str::FromStr;

use sqlx::mysql::MySqlConnectOptions;

use super::dialect::Dialect;
use crate::network::server_url::ServerUrl;

pub(super) const DIALECT: Dialect = Dialect {
    now: "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
    integer: "SIGNED",
    // DDL is not transactional: an interrupted step can be repeated, and the lock, which ends with the connection,
    // keeps others from taking it at the same time.
    migrations: &[
        // Finds nothing, but fails on a table that is not cachier's, as its columns have other names.
        "SELECT GET_LOCK('{table}', 60); \
        CREATE TABLE IF NOT EXISTS {table} (\
            id BINARY(32) PRIMARY KEY, \
            scope VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
            revision BINARY(16), created BIGINT, expires BIGINT, size BIGINT, \
            owner BINARY(16), owned_until BIGINT, entry LONGBLOB, \
            KEY {table}_by_age (scope, created, size)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC; \
        SELECT id, scope, created, size, owned_until FROM {table} LIMIT 0; \
        CREATE TABLE IF NOT EXISTS {table}_schema (id INT PRIMARY KEY, version INT NOT NULL) ENGINE=InnoDB; \
        INSERT IGNORE INTO {table}_schema (id, version) VALUES (1, 2); \
        SELECT RELEASE_LOCK('{table}')",
        // The first insertion fails if this step is done.
        "SELECT GET_LOCK('{table}', 60); \
        INSERT INTO {table}_schema (id, version) SELECT id, version FROM {table}_schema WHERE version >= 2; \
        DROP TABLE IF EXISTS {table}; \
        CREATE TABLE {table} (\
            id BINARY(32) PRIMARY KEY, \
            scope VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
            revision BINARY(16), created BIGINT, expires BIGINT, size BIGINT, \
            owner BINARY(16), owned_until BIGINT, entry LONGBLOB, \
            KEY {table}_by_age (scope, created, size)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC; \
        UPDATE {table}_schema SET version = 2; \
        SELECT RELEASE_LOCK('{table}')",
    ],
    or_replace: "ON DUPLICATE KEY UPDATE entry = VALUES(entry), revision = VALUES(revision), created = VALUES(created), \
        expires = VALUES(expires), size = VALUES(size), owner = NULL, owned_until = NULL",
    // There is no `RETURNING` for updates, and the number of affected rows does not tell an insertion from an update
    // that changed nothing. The argument of `LAST_INSERT_ID` is returned: 0 for an insertion, 1 for a free lease, 2 for
    // a refusal. Assignments are evaluated left to right, each seeing the ones before.
    or_lease: "ON DUPLICATE KEY UPDATE \
        owner = IF(LAST_INSERT_ID(IF(created IS NULL AND (owner IS NULL OR owned_until <= {now}), 1, 2)) = 1, \
            VALUES(owner), owner), \
        owned_until = IF(owner = VALUES(owner), VALUES(owned_until), owned_until)",
    or_take_over: "ON DUPLICATE KEY UPDATE owner = VALUES(owner), owned_until = VALUES(owned_until)",
    // A deletion blocks writers of rows between those it deletes.
    delete_batch: "DELETE FROM {table} WHERE {where} LIMIT {some}",
    request_limit: Some("SELECT CAST(@@max_allowed_packet AS SIGNED), CAST(0 AS SIGNED)"),
    is_postgres: false,
};

/// The options of a URL. `Err` says what is wrong.
pub(super) fn options(url: &str) -> Result<MySqlConnectOptions, &'static str> {
    const FORM: &str = "write mysql://user:password@host:port/database; in user, password and options, `@` is `%40`, \
        `/` is `%2F` and `?` is `%3F`";
    // Otherwise a secret might be taken for the database's name, and be shown.
    let options = ServerUrl::parse(url).map(|_| MySqlConnectOptions::from_str(url));
    options.ok_or(FORM)?.map_err(|_| FORM)
}

pub(super) fn name(options: &MySqlConnectOptions) -> String {
    let database = options.get_database().unwrap_or_default();
    match options.get_socket() {
        Some(socket) => format!("mysql:{}/{database}", socket.display()),
        None => format!(
            "mysql://{}:{}/{database}",
            options.get_host(),
            options.get_port()
        ),
    }
}
