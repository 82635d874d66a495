//! A connection pooler in front of PostgreSQL, such as PgBouncer, that gives each transaction another session.
//!
//! Session state cannot be relied on: a prepared statement may be missing, or another one of the same name, and
//! notifications do not arrive. So statements are sent with their arguments inlined, and nobody listens. A pooler is
//! recognised by [a session parameter](PARAMETER) that it does not pass on.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Postgres, Row, SqlSafeStr, SqlStr};

use super::argument::Argument;

/// Whether there is a pooler, as far as is known; shared by clones.
#[derive(Clone, Default)]
pub(super) struct Pooler(Arc<AtomicBool>);

/// Requested at startup, as sqlx does anyway; a pooler rejects or ignores it. It has no effect here, as no
/// floating-point number is ever read.
const PARAMETER: &str = "extra_float_digits";
const PARAMETER_VALUE: &str = "2";
const PARAMETER_QUERY: &str = "SELECT current_setting('extra_float_digits', true)";

impl Pooler {
    /// Judges by the options: disabled statement caching implies a pooler.
    pub(super) fn of_options(options: &PgConnectOptions) -> Self {
        let url = options.to_url_lossy();
        let mut options = url.query_pairs();
        let is_told = options.any(|(key, value)| key == "statement-cache-capacity" && value == "0");
        Self(Arc::new(AtomicBool::new(is_told)))
    }

    pub(super) fn is_there(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Connect options: such that a pooler is detected, or, once it is, accepts the connection.
    pub(super) fn options(&self, options: &PgConnectOptions) -> PgConnectOptions {
        if self.is_there() {
            // Values are part of the statements and must not be logged.
            return options
                .clone()
                .extra_float_digits(None)
                .disable_statement_logging();
        }
        options.clone()
    }

    /// Learns from an error; whether a retry may succeed now that the pooler is known.
    pub(super) fn detect_in(&self, error: &sqlx::Error) -> bool {
        let is_there = is_of_pooler(error);
        if is_there {
            self.0.store(true, Ordering::Relaxed);
        }
        is_there
    }

    /// Checks whether the requested parameter is in force.
    pub(super) async fn probe<'c>(
        &self,
        connection: impl Executor<'c, Database = Postgres>,
    ) -> Result<(), sqlx::Error> {
        let row = sqlx::raw_sql(PARAMETER_QUERY).fetch_one(connection).await?;
        if row.try_get::<Option<String>, _>(0)?.as_deref() != Some(PARAMETER_VALUE) {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Whether only a pooler fails like this: on the parameter, or with prepared statements that are missing or already
/// exist.
fn is_of_pooler(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else {
        return false;
    };
    match error.code().as_deref() {
        Some("08P01") => error.message().contains(PARAMETER),
        code => matches!(code, Some("42P05" | "26000")),
    }
}

/// The statement with its arguments in place of `$1`, `$2` ….
pub(super) fn inline(statement: &SqlStr, arguments: &[Argument]) -> SqlStr {
    let mut parts = statement.as_str().split('$');
    let mut inlined = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let number: usize = part[..part.len() - rest.len()].parse().unwrap_or_default();
        let argument = number.checked_sub(1).and_then(|index| arguments.get(index));
        push(&mut inlined, argument.unwrap_or(&Argument::Number(None)));
        inlined.push_str(rest);
    }
    // Safe: `push` escapes whatever could end the literal of an argument.
    AssertSqlSafe(inlined).into_sql_str()
}

/// Appends an escape-string literal, which does not depend on `standard_conforming_strings`.
fn push(sql: &mut String, argument: &Argument) {
    match argument {
        Argument::Text(text) => {
            let text = text.replace('\\', "\\\\").replace('\'', "''");
            sql.extend(["E'", &text, "'"]);
        }
        Argument::Bytes(bytes) => {
            sql.reserve(2 * bytes.len() + 16);
            sql.push_str("E'\\\\x");
            bytes.iter().for_each(|byte| push_hex(sql, *byte));
            sql.push_str("'::bytea");
        }
        Argument::Number(Some(number)) => {
            // Writing to a string does not fail.
            let _ = write!(sql, "({number})::bigint");
        }
        Argument::Number(None) => sql.push_str("NULL::bigint"),
    }
}

fn push_hex(sql: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    sql.push(char::from(DIGITS[usize::from(byte >> 4)]));
    sql.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn inlined(statement: &'static str, arguments: &[Argument]) -> String {
        let statement = statement.into_sql_str();
        inline(&statement, arguments).as_str().to_owned()
    }

    #[test]
    fn arguments_replace_their_placeholders() {
        let bytes = Argument::Bytes(Arc::from([0, 0x27, 0x5c, 0xff]));
        let (some, none) = (Argument::Number(Some(-5)), Argument::Number(None));
        assert_eq!(
            inlined("a = $2 AND b = $1 OR $3", &[bytes, some, none]),
            r"a = (-5)::bigint AND b = E'\\x00275cff'::bytea OR NULL::bigint"
        );
        let many: Vec<_> = (1..=11).map(|n| Argument::Number(Some(n))).collect();
        assert_eq!(inlined("$11, $1", &many), "(11)::bigint, (1)::bigint");
        assert_eq!(inlined("SELECT 1", &[]), "SELECT 1");
    }

    #[test]
    fn text_cannot_end_its_literal() {
        for (text, literal) in [
            ("", "E''"),
            ("a'b", "E'a''b'"),
            (r"a\", r"E'a\\'"),
            (r"\'; DROP TABLE x; --", r"E'\\''; DROP TABLE x; --'"),
            ("$1", "E'$1'"),
        ] {
            assert_eq!(inlined("$1", &[Argument::Text(text.into())]), literal);
        }
    }

    #[test]
    fn disabled_statement_caching_implies_a_pooler() {
        let is_told = |url: &str| Pooler::of_options(&url.parse().unwrap()).is_there();
        assert!(!is_told("postgres://u@db/app"));
        assert!(!is_told("postgres://u@db/app?statement-cache-capacity=10"));
        assert!(is_told("postgres://u@db/app?statement-cache-capacity=0"));
    }
}
