//! The texts of the SQL statements.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::dialect::Dialect;

/// Rows per statement where rows are deleted in batches.
pub(super) const DELETE_BATCH: u64 = 5_000;

/// The prepared texts of the statements on one table.
pub(super) struct Statements {
    pub(super) table: Box<str>,
    pub(super) schema_version: SqlStr,
    pub(super) migrations: Vec<SqlStr>,
    pub(super) request_limit: Option<SqlStr>,
    pub(super) load: SqlStr,
    pub(super) lease_state: SqlStr,
    pub(super) store: SqlStr,
    pub(super) store_leased: SqlStr,
    pub(super) lease_cold: SqlStr,
    pub(super) lease_warm: SqlStr,
    pub(super) take_over: SqlStr,
    pub(super) vacate: SqlStr,
    pub(super) renew: SqlStr,
    pub(super) release_cold: SqlStr,
    pub(super) release_warm: SqlStr,
    pub(super) remove_entry: SqlStr,
    pub(super) remove_any: SqlStr,
    pub(super) clear_cold: SqlStr,
    pub(super) clear_entries: SqlStr,
    pub(super) clear_leases: SqlStr,
    pub(super) cleanup_cold: SqlStr,
    pub(super) cleanup_old: SqlStr,
    pub(super) cleanup_expired: SqlStr,
    pub(super) usage: SqlStr,
    pub(super) notify: Option<SqlStr>,
}

impl Statements {
    /// The statements on a table whose name consists of letters, digits and underscores.
    pub(super) fn new(dialect: &Dialect, table: &str) -> Self {
        let ready = |text: &str| ready(dialect, table, text);
        // A statement that changes an entry or ends a lease also notifies, in the same request.
        let notifying = |text: &str| {
            if dialect.is_postgres {
                ready(&format!(
                    "WITH done AS ({text} RETURNING 1) SELECT pg_notify(?, ?) FROM done"
                ))
            } else {
                ready(text)
            }
        };
        let batch = |condition: &str| ready(&dialect.delete_batch.replace("{where}", condition));
        Self {
            table: table.into(),
            schema_version: ready(SCHEMA_VERSION),
            migrations: dialect
                .migrations
                .iter()
                .map(|step| fill(dialect, table, step))
                .collect(),
            request_limit: dialect.request_limit.map(ready),
            load: ready(LOAD),
            lease_state: ready(LEASE_STATE),
            store: notifying(&format!("{STORE} {}", dialect.or_replace)),
            store_leased: notifying(STORE_LEASED),
            lease_cold: ready(&format!("{LEASE_COLD} {}", dialect.or_lease)),
            lease_warm: ready(LEASE_WARM),
            take_over: ready(&format!("{LEASE_COLD} {}", dialect.or_take_over)),
            vacate: notifying(VACATE),
            renew: ready(RENEW),
            release_cold: notifying(RELEASE_COLD),
            release_warm: notifying(RELEASE_WARM),
            remove_entry: notifying(REMOVE_ENTRY),
            remove_any: notifying(REMOVE_ANY),
            clear_cold: ready(CLEAR_COLD),
            clear_entries: batch("scope = ? AND created IS NOT NULL"),
            clear_leases: ready(CLEAR_LEASES),
            cleanup_cold: ready(CLEANUP_COLD),
            // Two statements, as the index covers the age alone. Entries being recomputed stay.
            cleanup_old: batch(&format!("scope = ? AND created < ? AND {IS_FREE}")),
            cleanup_expired: batch(&format!("scope = ? AND expires <= {{now}} AND {IS_FREE}")),
            usage: ready(USAGE),
            notify: dialect.is_postgres.then(|| ready("SELECT pg_notify(?, ?)")),
        }
    }
}

// A row is an entry, perhaps with a lease on it, or a lease on an absent entry, where `created` and all other columns
// of the entry are null. Every change of the entry clears the owner, so the owner's token proves that the entry is the
// one that the lease was granted for.

const IS_FREE: &str = "(owned_until IS NULL OR owned_until <= {now})";
// Fails if the table itself is missing.
const SCHEMA_VERSION: &str = "SELECT CAST(version AS {integer}), \
     CAST((SELECT COUNT(*) FROM (SELECT 1 FROM {table} LIMIT 0) AS no_rows) AS {integer}) FROM {table}_schema";
// No condition on `created`, which would be expensive: a lease alone has no revision.
const LOAD: &str = "SELECT revision, entry FROM {table} WHERE id = ?";
const LEASE_STATE: &str =
    "SELECT revision, CASE WHEN owned_until > {now} THEN owner END FROM {table} WHERE id = ?";
const STORE: &str = "INSERT INTO {table} (id, scope, entry, revision, created, expires, size) \
     VALUES (?, ?, ?, ?, ?, ?, ?)";
const STORE_LEASED: &str = "UPDATE {table} SET entry = ?, revision = ?, created = ?, expires = ?, size = ?, \
     owner = NULL, owned_until = NULL WHERE id = ? AND owner = ? AND owned_until > {now}";
const LEASE_COLD: &str =
    "INSERT INTO {table} (id, scope, owner, owned_until) VALUES (?, ?, ?, {now} + ?)";
const LEASE_WARM: &str = "UPDATE {table} SET owner = ?, owned_until = {now} + ? \
     WHERE id = ? AND revision = ? AND (owner IS NULL OR owned_until <= {now})";
const VACATE: &str = "UPDATE {table} SET entry = NULL, revision = NULL, created = NULL, expires = NULL, size = NULL \
     WHERE id = ? AND owner = ? AND owned_until > {now} AND created IS NOT NULL";
const RENEW: &str =
    "UPDATE {table} SET owned_until = {now} + ? WHERE id = ? AND owner = ? AND owned_until > {now}";
const RELEASE_COLD: &str = "DELETE FROM {table} WHERE id = ? AND owner = ? AND created IS NULL";
const RELEASE_WARM: &str =
    "UPDATE {table} SET owner = NULL, owned_until = NULL WHERE id = ? AND owner = ?";
const REMOVE_ENTRY: &str = "DELETE FROM {table} WHERE id = ? AND created IS NOT NULL";
const REMOVE_ANY: &str = "DELETE FROM {table} WHERE id = ?";
const CLEAR_COLD: &str = "DELETE FROM {table} WHERE scope = ? AND created IS NULL";
const CLEAR_LEASES: &str = "UPDATE {table} SET owner = NULL, owned_until = NULL \
     WHERE scope = ? AND owner IS NOT NULL";
const CLEANUP_COLD: &str = "DELETE FROM {table} WHERE scope = ? AND created IS NULL \
     AND (owner IS NULL OR owned_until <= {now})";
const USAGE: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS {integer}) FROM {table} \
     WHERE scope = ? AND created IS NOT NULL";

fn ready(dialect: &Dialect, table: &str, text: &str) -> SqlStr {
    let filled = fill(dialect, table, text);
    if dialect.is_postgres {
        numbered(filled.as_str())
    } else {
        filled
    }
}

fn fill(dialect: &Dialect, table: &str, text: &str) -> SqlStr {
    let text = text
        .replace("{integer}", dialect.integer)
        .replace("{now}", dialect.now)
        .replace("{some}", &DELETE_BATCH.to_string())
        .replace("{table}", table);
    shared(text)
}

/// The statement with numbered placeholders.
fn numbered(text: &str) -> SqlStr {
    let mut parts = text.split('?');
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        numbered.push_str(&format!("${}{part}", index + 1));
    }
    shared(numbered)
}

/// Cheap to clone. Safe: apart from constants it contains only the checked table name.
fn shared(text: String) -> SqlStr {
    AssertSqlSafe(std::sync::Arc::<str>::from(text)).into_sql_str()
}

/// Whether a table name needs no quotes in any database, and leaves room for suffixes.
pub(super) fn is_table_name(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    starts && name.len() <= 48 && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables_need_no_quotes() {
        assert!(is_table_name("cachier_entries"));
        assert!(is_table_name("_2"));
        for name in ["", "2", "a b", "a;--", "A", "é", "a.b", &"a".repeat(49)] {
            assert!(!is_table_name(name), "{name}");
        }
    }

    #[test]
    fn placeholders_are_numbered_in_their_order() {
        assert_eq!(numbered("a = ? AND b = ?").as_str(), "a = $1 AND b = $2");
    }
}
