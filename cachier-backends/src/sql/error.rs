//! Mapping of sqlx errors.

use sqlx::error::DatabaseError;

use crate::error::{Error, ErrorKind, Operation};

/// Without the URL, which may contain credentials.
pub(super) fn unusable_url(hint: &'static str) -> Error {
    unusable("the URL of the database cannot be used").with_hint(hint)
}

pub(super) fn unusable(message: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, Operation::Load, message)
}

/// The error of an operation.
#[cold]
pub(super) fn failed(operation: Operation, error: sqlx::Error) -> Error {
    use sqlx::Error as Sql;
    let kind = kind_of(&error);
    let message = match kind {
        ErrorKind::Connect => "the database cannot be reached",
        ErrorKind::Timeout => "the database did not answer in time",
        ErrorKind::Denied => "the database does not permit it",
        ErrorKind::Full => "the database has no room",
        ErrorKind::Corrupt => "the file is not an intact database",
        _ => "the database failed",
    };
    let hint = match kind {
        ErrorKind::Denied => {
            Some("grant this user what it needs; the guide says what, under operations")
        }
        ErrorKind::Connect if is_parameter_refused(&error) => Some(
            "take it out of the URL (`options`), or name it in `ignore_startup_parameters` of PgBouncer",
        ),
        ErrorKind::Connect => Some("is it running, and is its address right?"),
        _ => None,
    };
    let mapped = Error::new(kind, operation, message);
    let mapped = match hint {
        Some(hint) => mapped.with_hint(hint),
        None => mapped,
    };
    match error {
        // May contain the address.
        Sql::Configuration(_) => mapped,
        // Its details may show values.
        Sql::Database(error) => mapped.with_source(DatabaseMessage(error.message().to_owned())),
        error => mapped.with_source(error),
    }
}

/// Whether a pooler rejected a startup parameter.
fn is_parameter_refused(error: &sqlx::Error) -> bool {
    let answer = error.as_database_error();
    answer.is_some_and(|error| error.message().contains("startup parameter"))
}

/// Whether the connection is unusable, or leads to the wrong server.
pub(super) fn is_broken(error: &sqlx::Error) -> bool {
    let is_answer = matches!(error, sqlx::Error::Database(_));
    let is_of_no_use = is_too_large(error) || is_read_only(error);
    // A damaged SQLite file may have been replaced.
    let is_lost = matches!(kind_of(error), ErrorKind::Connect | ErrorKind::Corrupt);
    !is_answer || is_lost || is_of_no_use
}

/// Whether the server is read-only: another one may have become primary, which a new connection finds.
fn is_read_only(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else {
        return false;
    };
    error.code().unwrap_or_default() == "25006" || matches!(mysql_number(error), Some(1290 | 1836))
}

/// Whether an immediate retry may succeed: after a conflict, or when the server closed an idle session. The retry takes
/// a new connection.
pub(super) fn may_succeed_again(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else {
        return false;
    };
    let code = error.code().unwrap_or_default();
    // Serialization failures and deadlocks; sessions ended by an administrator or a timeout.
    matches!(code.as_ref(), "40001" | "40P01" | "57P01" | "57P05")
        || mysql_number(error) == Some(4031)
}

/// Whether the table does not exist.
pub(super) fn is_table_missing(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else {
        return false;
    };
    if let Some(code) = sqlite_code(error) {
        return code == 1 && error.message().starts_with("no such table");
    }
    error.code().unwrap_or_default() == "42P01" || mysql_number(error) == Some(1146)
}

/// Whether the entry is larger than the database accepts.
pub(super) fn is_too_large(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else {
        return false;
    };
    if let Some(code) = sqlite_code(error) {
        return code == 18;
    }
    if let Some(number) = mysql_number(error) {
        return number == 1153;
    }
    error.code().is_some_and(|code| code.starts_with("54"))
}

fn kind_of(error: &sqlx::Error) -> ErrorKind {
    use sqlx::Error as Sql;
    match error {
        Sql::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => ErrorKind::Timeout,
        Sql::Io(_) | Sql::Tls(_) | Sql::PoolClosed | Sql::WorkerCrashed => ErrorKind::Connect,
        Sql::Configuration(_) => ErrorKind::Connect,
        Sql::PoolTimedOut => ErrorKind::Timeout,
        Sql::Database(error) => kind_of_answer(error.as_ref()),
        _ => ErrorKind::Protocol,
    }
}

fn kind_of_answer(error: &dyn DatabaseError) -> ErrorKind {
    if let Some(code) = sqlite_code(error) {
        return of_sqlite(code);
    }
    if let Some(number) = mysql_number(error) {
        return of_mysql(number);
    }
    of_state(&error.code().unwrap_or_default())
}

/// By the [result codes](https://www.sqlite.org/rescode.html) of SQLite.
fn of_sqlite(code: u32) -> ErrorKind {
    match code {
        3 | 8 | 23 => ErrorKind::Denied,
        5 | 6 => ErrorKind::Timeout,
        7 | 13 => ErrorKind::Full,
        10 => ErrorKind::Io,
        11 | 26 => ErrorKind::Corrupt,
        14 => ErrorKind::Connect,
        _ => ErrorKind::Protocol,
    }
}

/// By the error numbers of MySQL and MariaDB.
fn of_mysql(number: u16) -> ErrorKind {
    match number {
        1044 | 1045 | 1142 | 1143 | 1227 | 1290 | 1370 | 1698 | 1792 | 1836 => ErrorKind::Denied,
        3 | 1021 | 1037 | 1038 | 1041 | 1114 => ErrorKind::Full,
        1040 | 1049 | 1053 | 1077 | 1152 | 1158..=1161 | 1203 | 1226 | 1927 | 4031 => {
            ErrorKind::Connect
        }
        1205 | 1213 | 1969 | 3024 => ErrorKind::Timeout,
        _ => ErrorKind::Protocol,
    }
}

/// By the [SQLSTATE](https://www.postgresql.org/docs/current/errcodes-appendix.html).
fn of_state(state: &str) -> ErrorKind {
    match state {
        "42501" | "25006" => ErrorKind::Denied,
        "53300" | "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "3D000" => ErrorKind::Connect,
        "57014" | "55P03" | "40001" | "40P01" => ErrorKind::Timeout,
        _ if state.starts_with("28") => ErrorKind::Denied,
        _ if state.starts_with("53") => ErrorKind::Full,
        _ if state.starts_with("08") => ErrorKind::Connect,
        _ => ErrorKind::Protocol,
    }
}

/// Whether others hold a lock on the SQLite file.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlite_code) == Some(5)
}

/// The primary result code.
fn sqlite_code(error: &dyn DatabaseError) -> Option<u32> {
    #[cfg(feature = "sqlite")]
    if error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some()
    {
        let extended: u32 = error.code()?.parse().ok()?;
        return Some(extended & 0xff);
    }
    let _ = error;
    None
}

fn mysql_number(error: &dyn DatabaseError) -> Option<u16> {
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return Some(error.number());
    }
    let _ = error;
    None
}

/// The message of a database error, without its details.
#[derive(Debug)]
struct DatabaseMessage(String);

impl std::fmt::Display for DatabaseMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DatabaseMessage {}
