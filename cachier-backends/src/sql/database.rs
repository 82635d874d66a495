//! The supported databases, and the few requests made to them.

#[cfg(feature = "sqlite")]
use std::sync::Arc;

use sqlx::SqlStr;

use super::argument::Argument;
use super::connections::Source;
use super::destination::Destination;
use super::dialect::Dialect;
#[cfg(feature = "postgres")]
use super::pooler::{Pooler, inline};
#[cfg(feature = "sqlite")]
use super::sqlite_space::Space;
use crate::backend::Pool;
use crate::network::{ClientScope, WaitReporter};

/// A client of one database.
#[derive(Clone)]
pub(super) enum Database {
    #[cfg(feature = "sqlite")]
    Sqlite(Source<sqlx::Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(Source<sqlx::Postgres>, Pooler),
    #[cfg(feature = "mysql")]
    MySql(Source<sqlx::MySql>),
}

/// How to reach a database.
#[derive(Clone)]
pub(super) enum Address {
    #[cfg(feature = "sqlite")]
    Sqlite(super::sqlite::File),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgConnectOptions, Pooler),
    #[cfg(feature = "mysql")]
    MySql(sqlx::mysql::MySqlConnectOptions),
}

/// The result of a statement.
#[derive(Clone, Copy)]
pub(super) struct Executed {
    /// Rows changed.
    pub(super) rows: u64,
    /// Whether the statement reports that it left the row alone.
    pub(super) is_refused: bool,
}

/// A row of two nullable byte columns.
pub(super) type Pair = (Option<Vec<u8>>, Option<Vec<u8>>);

/// Runs `$work` on the database at hand, with `$source` as the source of its connections.
macro_rules! on_each {
    ($database:expr, $source:ident => $work:expr) => {
        match $database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite($source) => $work,
            #[cfg(feature = "postgres")]
            Database::Postgres($source, _) => $work,
            #[cfg(feature = "mysql")]
            Database::MySql($source) => $work,
        }
    };
}

/// A query with its arguments.
macro_rules! query {
    ($statement:expr, $arguments:expr) => {
        $arguments
            .iter()
            .cloned()
            .fold(
                sqlx::query($statement.clone()),
                |query, argument| match argument {
                    Argument::Text(text) => query.bind(text),
                    Argument::Bytes(bytes) => query.bind(bytes),
                    Argument::Number(number) => query.bind(number),
                },
            )
    };
}

/// Runs the work on a connection, and returns that to the pool.
macro_rules! with_connection {
    ($source:expr, $connection:ident => $work:expr) => {{
        let mut guard = $source.acquire().await?;
        let $connection = guard.connection();
        let result = $work.await;
        guard.release(result.as_ref().err());
        result
    }};
}

#[cfg(feature = "sqlite")]
impl Address {
    /// The vacant space that cachier is to give back.
    pub(super) fn space(&self) -> Option<Arc<Space>> {
        match self {
            Self::Sqlite(file) => Space::of(file),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            _ => None,
        }
    }
}

/// The row found by a statement, of two columns of whatever types are expected.
macro_rules! two_columns {
    ($database:expr, $statement:expr, $arguments:expr) => {{
        use sqlx::{Executor, Row};
        #[cfg(feature = "postgres")]
        if let Some(source) = $database.behind_pooler() {
            let inlined = sqlx::raw_sql(inline($statement, $arguments));
            let row = with_connection!(source, connection => inlined.fetch_optional(connection))?;
            return row
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .transpose();
        }
        on_each!($database, source => {
            let row = with_connection!(source, connection =>
                connection.fetch_optional(query!($statement, $arguments)))?;
            row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
        })
    }};
}

impl Database {
    /// Opens a client. A client for synchronous callers serves one at a time, so nobody waits for its connection.
    pub(super) fn open(address: &Address, scope: ClientScope, waits: &WaitReporter) -> Self {
        let waits = match scope {
            ClientScope::Runtime => waits.clone(),
            ClientScope::Thread => WaitReporter::default(),
        };
        let max = |for_tasks| match scope {
            ClientScope::Runtime => for_tasks,
            ClientScope::Thread => 1,
        };
        match address {
            #[cfg(feature = "sqlite")]
            Address::Sqlite(file) => {
                let (file, probed) = (file.clone(), file.clone());
                let destination = Destination::of_file(move || probed.file_id());
                Self::Sqlite(Source::own(
                    move || file.options(),
                    |_| false,
                    destination,
                    max(4),
                    waits,
                ))
            }
            #[cfg(feature = "postgres")]
            Address::Postgres(options, pooler) => {
                let (options, connecting, failing) =
                    (options.clone(), pooler.clone(), pooler.clone());
                let source = Source::own(
                    move || connecting.options(&options),
                    move |error| failing.detect_in(error),
                    Destination::of_server(),
                    max(8),
                    waits,
                );
                Self::Postgres(source, pooler.clone())
            }
            #[cfg(feature = "mysql")]
            Address::MySql(options) => {
                let options = options.clone();
                Self::MySql(Source::own(
                    move || options.clone(),
                    |_| false,
                    Destination::of_server(),
                    max(8),
                    waits,
                ))
            }
        }
    }

    /// Executes a statement.
    pub(super) async fn execute(
        &self,
        statement: &SqlStr,
        arguments: &[Argument],
    ) -> Result<Executed, sqlx::Error> {
        #[cfg(feature = "postgres")]
        if let Some(source) = self.behind_pooler() {
            let inlined = sqlx::raw_sql(inline(statement, arguments));
            let result = with_connection!(source, connection => inlined.execute(connection))?;
            return Ok(executed(&result));
        }
        on_each!(self, source => {
            let result = with_connection!(source, connection =>
                query!(statement, arguments).execute(connection))?;
            Ok(executed(&result))
        })
    }

    /// The row found by a statement, of two byte columns.
    pub(super) async fn pair(
        &self,
        statement: &SqlStr,
        arguments: &[Argument],
    ) -> Result<Option<Pair>, sqlx::Error> {
        two_columns!(self, statement, arguments)
    }

    /// The row found by a statement, of two numbers.
    pub(super) async fn numbers(
        &self,
        statement: &SqlStr,
        arguments: &[Argument],
    ) -> Result<Option<(i64, i64)>, sqlx::Error> {
        two_columns!(self, statement, arguments)
    }

    /// Executes several statements without arguments, in one request.
    pub(super) async fn script(&self, script: &SqlStr) -> Result<(), sqlx::Error> {
        on_each!(self, source => {
            let mut guard = source.acquire().await?;
            let done = sqlx::raw_sql(script.clone()).execute(guard.connection()).await;
            // Closing ends what a failed script left behind: a transaction, a lock.
            if done.is_ok() { guard.release(None) } else { guard.close() }
            done.map(|_| ())
        })
    }

    /// Checks for a pooler before any other request.
    pub(super) async fn probe_pooler(&self) -> Result<(), sqlx::Error> {
        #[cfg(feature = "postgres")]
        if let Some((source, pooler)) = self.postgres()
            && !pooler.is_there()
        {
            return with_connection!(source, connection => pooler.probe(connection));
        }
        Ok(())
    }

    /// Whether an error revealed a pooler, so that a retry may succeed.
    pub(super) fn detect_pooler(&self, error: &sqlx::Error) -> bool {
        #[cfg(feature = "postgres")]
        if let Some((_, pooler)) = self.postgres() {
            return pooler.detect_in(error);
        }
        let _ = error;
        false
    }

    /// The connections through a pooler, if there is one.
    #[cfg(feature = "postgres")]
    fn behind_pooler(&self) -> Option<&Source<sqlx::Postgres>> {
        let (source, pooler) = self.postgres()?;
        pooler.is_there().then_some(source)
    }

    #[cfg(feature = "postgres")]
    #[allow(
        irrefutable_let_patterns,
        reason = "other features add other databases"
    )]
    fn postgres(&self) -> Option<(&Source<sqlx::Postgres>, &Pooler)> {
        let Self::Postgres(source, pooler) = self else {
            return None;
        };
        Some((source, pooler))
    }

    pub(super) fn figures(&self) -> Pool {
        on_each!(self, source => source.figures())
    }
}

/// A result of any of the databases.
trait QueryResult {
    fn executed(&self) -> Executed;
}

fn executed(result: &impl QueryResult) -> Executed {
    result.executed()
}

#[cfg(feature = "sqlite")]
impl QueryResult for sqlx::sqlite::SqliteQueryResult {
    fn executed(&self) -> Executed {
        Executed {
            rows: self.rows_affected(),
            is_refused: false,
        }
    }
}

#[cfg(feature = "postgres")]
impl QueryResult for sqlx::postgres::PgQueryResult {
    fn executed(&self) -> Executed {
        Executed {
            rows: self.rows_affected(),
            is_refused: false,
        }
    }
}

#[cfg(feature = "mysql")]
impl QueryResult for sqlx::mysql::MySqlQueryResult {
    fn executed(&self) -> Executed {
        Executed {
            rows: self.rows_affected(),
            // See `or_lease` in the dialect.
            is_refused: self.last_insert_id() == 2,
        }
    }
}

impl Address {
    pub(super) fn dialect(&self) -> &'static Dialect {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => &super::sqlite::DIALECT,
            #[cfg(feature = "postgres")]
            Self::Postgres(..) => &super::postgres::DIALECT,
            #[cfg(feature = "mysql")]
            Self::MySql(_) => &super::mysql::DIALECT,
        }
    }

    /// The address without credentials.
    pub(super) fn name(&self) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.name(),
            #[cfg(feature = "postgres")]
            Self::Postgres(options, _) => super::postgres::name(options),
            #[cfg(feature = "mysql")]
            Self::MySql(options) => super::mysql::name(options),
        }
    }
}
