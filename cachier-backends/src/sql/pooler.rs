//! A pooler between this program and PostgreSQL, such as PgBouncer, that gives each transaction another session.
//!
//! What a session holds cannot be relied on there: a statement that was prepared may be missing, or be somebody else's under the
//! same name, and nobody hears what is notified. So statements are sent whole, with their arguments in them, and nobody
//! listens. A pooler is known by [a parameter](PARAMETER) of the session that it does not pass on.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Postgres, Row, SqlSafeStr, SqlStr};

use super::argument::Argument;

/// Whether there is a pooler, as far as it is known. Clones know it together.
#[derive(Clone, Default)]
pub(super) struct Pooler(Arc<AtomicBool>);

/// A connection asks for it as it begins, as sqlx does anyway. A pooler refuses it, or lets it fall. It changes nothing
/// here, as no number with a fraction is ever read.
const PARAMETER: &str = "extra_float_digits";
const PARAMETER_VALUE: &str = "2";
const PARAMETER_QUERY: &str = "SELECT current_setting('extra_float_digits', true)";

impl Pooler {
    /// By the options alone: who forbids to keep statements says that there is one.
    pub(super) fn of_options(options: &PgConnectOptions) -> Self {
        let url = options.to_url_lossy();
        let mut options = url.query_pairs();
        let is_told = options.any(|(key, value)| key == "statement-cache-capacity" && value == "0");
        Self(Arc::new(AtomicBool::new(is_told)))
    }

    pub(super) fn is_there(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// How to connect: so that a pooler is seen, and, where there is one, so that it takes the connection.
    pub(super) fn options(&self, options: &PgConnectOptions) -> PgConnectOptions {
        if self.is_there() {
            // Values stand in the statements, and nobody is to read them in a log.
            return options
                .clone()
                .extra_float_digits(None)
                .disable_statement_logging();
        }
        options.clone()
    }

    /// Learns from an error; whether the same may succeed now, if it was tried before the pooler was known.
    pub(super) fn learns_from(&self, error: &sqlx::Error) -> bool {
        let is_there = is_of_pooler(error);
        if is_there {
            self.0.store(true, Ordering::Relaxed);
        }
        is_there
    }

    /// Looks whether what the connection asked for is in force.
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

/// Whether a server itself would not have said so: that it knows no such parameter, or another statement by the name of one
/// that was prepared, or none.
fn is_of_pooler(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else {
        return false;
    };
    match error.code().as_deref() {
        Some("08P01") => error.message().contains(PARAMETER),
        code => matches!(code, Some("42P05" | "26000")),
    }
}

/// The statement with its arguments in the places of `$1`, `$2` ….
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
    // Safe: `push` leaves nothing of an argument that could end its literal.
    AssertSqlSafe(inlined).into_sql_str()
}

/// Appends a literal, in the form with escapes, which means the same whatever `standard_conforming_strings` says.
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
            // Writing to a string cannot fail.
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
    fn arguments_stand_in_their_places() {
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
    fn nothing_of_a_text_ends_its_literal() {
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
    fn a_url_that_keeps_no_statements_tells_of_a_pooler() {
        let is_told = |url: &str| Pooler::of_options(&url.parse().unwrap()).is_there();
        assert!(!is_told("postgres://u@db/app"));
        assert!(!is_told("postgres://u@db/app?statement-cache-capacity=10"));
        assert!(is_told("postgres://u@db/app?statement-cache-capacity=0"));
    }
}
