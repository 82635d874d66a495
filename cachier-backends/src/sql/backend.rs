//! The backend, as a program makes it.

use super::client::Client;
use super::connections::Source;
use super::database::{Address, Database};
use super::error::{unusable, unusable_url};
#[cfg(feature = "mysql")]
use super::mysql;
use super::operations::{Sql, TABLE};
#[cfg(feature = "sqlite")]
use super::sqlite;
use super::statements;
#[cfg(feature = "postgres")]
use super::{pooler, postgres};
use crate::backend::{Instance, backend_by_instance, instance};
#[cfg(feature = "sqlite")]
use crate::default_folder::DefaultFolder;
use crate::error::Error;
#[cfg(feature = "sqlite")]
use crate::error::{ErrorKind, Operation};
#[cfg(feature = "sqlite")]
use crate::home;
use crate::network::{Clients, WaitReporter};
#[cfg(feature = "sqlite")]
use crate::private_folder::PrivateFolder;

/// Keeps each entry in a row of a table. Nothing is opened before the first operation.
///
/// ```
/// use cachier_backends::sql::SqlBackend;
///
/// # #[cfg(feature = "sqlite")]
/// let in_a_file = SqlBackend::from_url("sqlite:/var/cache/app.db")?;
/// # #[cfg(feature = "postgres")]
/// let on_a_server = SqlBackend::from_url("postgres://user:secret@db/app")?.table("app_cache")?;
/// # Ok::<(), cachier_backends::Error>(())
/// ```
pub struct SqlBackend {
    instance: Instance<Sql>,
}

impl SqlBackend {
    /// Entries in the database of a URL: `sqlite:path`, `postgres://…`, `mysql://…` or `mariadb://…`.
    ///
    /// Parameters after a `?` are for [sqlx](https://docs.rs/sqlx); `mode=ro` opens an SQLite file read-only. A missing file
    /// is created, accessible to the user alone. A leading `~/` is the home folder of the user.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] for a URL that does not parse, that names SQLite's memory, or whose database belongs to a
    /// feature that is off; [`ErrorKind::NotRegistered`] for a leading `~` that stands for no home folder.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let address = address(url)?;
        Ok(Sql::opening(address).into())
    }

    /// Entries in `sql.db` in the folder `cachier/shared` of the user's cache folder, shared by all programs that use
    /// this: in `$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    ///
    /// # Errors
    /// When the user has no home folder, or the cache folder cannot be created.
    #[cfg(feature = "sqlite")]
    pub fn sqlite_default() -> Result<Self, Error> {
        Self::sqlite_in_default(DefaultFolder::shared())
    }

    /// Entries in `sql.db` in a default folder; both are created if need be, accessible to the user alone.
    ///
    /// # Errors
    /// When the user has no home folder, or the folder cannot be created.
    #[cfg(feature = "sqlite")]
    pub fn sqlite_in_default(folder: Option<DefaultFolder>) -> Result<Self, Error> {
        let Some((folder, last_use)) = folder.map(DefaultFolder::into_parts) else {
            let message = "there is no home folder to keep the cache in";
            let error = Error::new(ErrorKind::Io, Operation::Load, message);
            return Err(error.with_hint("set CACHIER_SQL_URL"));
        };
        let file = sqlite::File::in_folder(PrivateFolder::new(folder), "sql.db", last_use)?;
        Ok(Sql::opening(Address::Sqlite(file)).into())
    }

    /// Entries in `sql.db` in this folder; both are created if need be, accessible to the user alone. A leading `~/` is the
    /// home folder of the user.
    ///
    /// # Errors
    /// When the folder cannot be created, belongs to another user, is writable for others, or when the database is a
    /// link or no regular file; for a leading `~` that stands for no home folder.
    #[cfg(feature = "sqlite")]
    pub fn sqlite_in(folder: impl AsRef<std::path::Path>) -> Result<Self, Error> {
        let folder = PrivateFolder::new(home::expand(folder.as_ref())?);
        let file = sqlite::File::in_folder(folder, "sql.db", None)?;
        Ok(Sql::opening(Address::Sqlite(file)).into())
    }

    /// As [`sqlite_in`](Self::sqlite_in), for all users of the folder's group: a cache for a team. They trust each other,
    /// as each chooses what the others read. Where there are no groups, as on Windows, it is the same.
    ///
    /// ```no_run
    /// use cachier_backends::sql::SqlBackend;
    ///
    /// let of_the_team = SqlBackend::sqlite_shared_in("/srv/team/cache")?;
    /// # Ok::<(), cachier_backends::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the folder cannot be created, others than its group may write to it, it belongs to another user and is not
    /// shared with a group of this one, or when the database is a link or no regular file.
    #[cfg(feature = "sqlite")]
    pub fn sqlite_shared_in(folder: impl AsRef<std::path::Path>) -> Result<Self, Error> {
        let folder = PrivateFolder::new(home::expand(folder.as_ref())?).shared_with_group();
        let file = sqlite::File::in_folder(folder, "sql.db", None)?;
        Ok(Sql::opening(Address::Sqlite(file)).into())
    }

    /// Entries in the database of the program's own pool.
    ///
    /// By default a pool tests each connection on acquire and release, so a hit takes a few more requests than with
    /// [`from_url`](Self::from_url).
    ///
    /// The pool belongs to the tokio runtime in which it is passed here: a multi-thread runtime serves every kind of
    /// caller, a current-thread runtime all but synchronous callers on its own thread, who get an error at once. After
    /// the runtime has ended, connections are opened on the callers' runtimes, after one error for each old connection.
    /// Forked child processes get errors at once.
    ///
    /// ```no_run
    /// use cachier_backends::sql::SqlBackend;
    ///
    /// # async fn connect() -> Result<SqlBackend, sqlx::Error> {
    /// let pool = sqlx::SqlitePool::connect("sqlite:/var/cache/app.db").await?;
    /// Ok(SqlBackend::with_sqlite_pool(pool))
    /// # }
    /// ```
    #[cfg(feature = "sqlite")]
    #[must_use]
    #[doc(alias = "sql_engine")]
    pub fn with_sqlite_pool(pool: sqlx::SqlitePool) -> Self {
        let file = sqlite::File::of_program((*pool.connect_options()).clone());
        Self::of_pool(Address::Sqlite(file), |waits| {
            Database::Sqlite(Source::Program(pool, waits))
        })
    }

    /// Entries in the database of the program's own pool.
    ///
    /// By default a pool tests each connection on acquire and release, so a hit takes a few more requests than with
    /// [`from_url`](Self::from_url). Notifications use one more connection, outside the pool.
    ///
    /// Behind a pooler such as PgBouncer the options need `.extra_float_digits(None)`, unless the pooler ignores that,
    /// and `.disable_statement_logging()`, lest values get into the log.
    ///
    /// The pool belongs to the tokio runtime in which it is passed here: a multi-thread runtime serves every kind of
    /// caller, a current-thread runtime all but synchronous callers on its own thread, who get an error at once. After
    /// the runtime has ended, connections are opened on the callers' runtimes, after one error for each old connection.
    /// Forked child processes get errors at once.
    ///
    /// ```no_run
    /// use cachier_backends::sql::SqlBackend;
    ///
    /// # async fn connect() -> Result<SqlBackend, sqlx::Error> {
    /// let pool = sqlx::PgPool::connect("postgres://user:secret@db/app").await?;
    /// Ok(SqlBackend::with_postgres_pool(pool))
    /// # }
    /// ```
    #[cfg(feature = "postgres")]
    #[must_use]
    #[doc(alias = "sql_engine")]
    pub fn with_postgres_pool(pool: sqlx::PgPool) -> Self {
        let options = (*pool.connect_options()).clone();
        let pooler = pooler::Pooler::of_options(&options);
        let address = Address::Postgres(options, pooler.clone());
        Self::of_pool(address, |waits| {
            Database::Postgres(Source::Program(pool, waits), pooler)
        })
    }

    /// Entries in the database of the program's own pool.
    ///
    /// By default a pool tests each connection on acquire and release, so a hit takes a few more requests than with
    /// [`from_url`](Self::from_url).
    ///
    /// The pool belongs to the tokio runtime in which it is passed here: a multi-thread runtime serves every kind of
    /// caller, a current-thread runtime all but synchronous callers on its own thread, who get an error at once. After
    /// the runtime has ended, connections are opened on the callers' runtimes, after one error for each old connection.
    /// Forked child processes get errors at once.
    ///
    /// ```no_run
    /// use cachier_backends::sql::SqlBackend;
    ///
    /// # async fn connect() -> Result<SqlBackend, sqlx::Error> {
    /// let pool = sqlx::MySqlPool::connect("mysql://user:secret@db/app").await?;
    /// Ok(SqlBackend::with_mysql_pool(pool))
    /// # }
    /// ```
    #[cfg(feature = "mysql")]
    #[must_use]
    #[doc(alias = "sql_engine")]
    pub fn with_mysql_pool(pool: sqlx::MySqlPool) -> Self {
        let address = Address::MySql((*pool.connect_options()).clone());
        Self::of_pool(address, |waits| {
            Database::MySql(Source::Program(pool, waits))
        })
    }

    fn of_pool(address: Address, database: impl FnOnce(WaitReporter) -> Database) -> Self {
        let waits = WaitReporter::default();
        let client = Client::new(database(waits.clone()));
        Sql::of(address, Clients::of_program(client), waits, TABLE).into()
    }

    /// Keeps entries in another table, next to one with the suffix `_schema`.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] unless the name consists of at most 48 lower-case ASCII letters, digits and underscores,
    /// and does not begin with a digit.
    pub fn table(self, name: &str) -> Result<Self, Error> {
        if !statements::is_table_name(name) {
            return Err(unusable("the name of the table is not plain")
                .with_hint("write lower-case letters, digits and underscores, 48 at most"));
        }
        let Sql {
            address,
            clients,
            waits,
            ..
        } = &*self.instance;
        Ok(Sql::of(address.clone(), clients.clone(), waits.clone(), name).into())
    }
}

impl From<Sql> for SqlBackend {
    fn from(sql: Sql) -> Self {
        let instance = instance(sql);
        Self { instance }
    }
}

backend_by_instance!(SqlBackend);

impl std::fmt::Debug for SqlBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = &self.instance.shared.name;
        f.debug_struct("SqlBackend")
            .field("store", name)
            .finish_non_exhaustive()
    }
}

/// The database of a URL.
fn address(url: &str) -> Result<Address, Error> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let address: Result<Address, &'static str> = match scheme {
        #[cfg(feature = "sqlite")]
        "sqlite" => return sqlite::file(url).map(Address::Sqlite),
        #[cfg(not(feature = "sqlite"))]
        "sqlite" => Err("the feature `sqlite` of cachier is off"),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => postgres::options(url).map(|options| {
            let pooler = pooler::Pooler::of_options(&options);
            Address::Postgres(options, pooler)
        }),
        #[cfg(not(feature = "postgres"))]
        "postgres" | "postgresql" => Err("the feature `postgres` of cachier is off"),
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => mysql::options(url).map(Address::MySql),
        #[cfg(not(feature = "mysql"))]
        "mysql" | "mariadb" => Err("the feature `mysql` of cachier is off"),
        _ => Err("write sqlite:path, postgres://… or mysql://…"),
    };
    address.map_err(unusable_url)
}
