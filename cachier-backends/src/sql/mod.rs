//! One row for each entry, in a table of SQLite, PostgreSQL, MySQL or MariaDB.
//!
//! The table, `cachier_entries` unless the program says otherwise, is made when it is first needed, and beside it
//! `cachier_entries_schema`, which says which version of the table it is. A user who may only read needs both to be there
//! already, in the version of this cachier. A table, or a file of SQLite, that somebody removes is made again.
//!
//! Where it is older than this cachier, it is emptied and changed. Programs with an older cachier then find
//! that it is not theirs any more: they compute, store nothing, and are never given what is in it.
//!
//! | column | what |
//! |---|---|
//! | `id` | the BLAKE3 hash of the key, the latter written `cachier/2/{namespace}/{function}/{version}/{hash}` |
//! | `scope` | the function, `cachier/2/{namespace}/{function}` |
//! | `entry`, `size` | the entry and its length; null while there is none |
//! | `revision` | 16 random bytes that tell one entry from the next |
//! | `created`, `expires` | microseconds since 1970 |
//! | `owner`, `owned_until` | the lease on the entry, on the clock of the server |
//!
//! - A lease is taken, and an entry stored under it, by one statement that tests and changes the row: no transaction is
//!   ever open between two requests.
//! - A hit is one request, a miss three. The first use of a connection costs some more: statements are prepared.
//! - Whatever changes an entry takes the owner away, so that a late owner changes nothing.
//! - PostgreSQL notifies those who wait. Elsewhere, and behind a pooler, they ask again and again.
//! - Behind a pooler (PgBouncer) statements go out whole, with their arguments in them, as none can be prepared there.

mod argument;
mod client;
mod connections;
mod database;
mod destination;
mod dialect;
mod error;
mod idle;
#[cfg(feature = "mysql")]
mod mysql;
mod operations;
#[cfg(feature = "postgres")]
mod pooler;
#[cfg(feature = "postgres")]
mod postgres;
mod requests;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "postgres")]
mod subscribe;
mod table;

use crate::backend::{Instance, backend_by_instance, instance};
#[cfg(feature = "sqlite")]
use crate::default_folder::DefaultFolder;
use crate::error::{Error, ErrorKind, Operation};
use crate::network::{Clients, WaitReporter};
use client::Client;
use connections::Source;
use database::{Address, Database};
use operations::{Sql, TABLE};

/// Keeps each entry in a row of a table.
///
/// Nothing is opened before the first operation.
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
    /// What follows a `?` is for [sqlx](https://docs.rs/sqlx); `mode=ro` has a file of SQLite only read. A file that is
    /// missing is made, for the user alone.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] for a URL that does not parse, that names SQLite's memory, or whose database belongs to a
    /// feature that is off.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let address = address(url)?;
        Ok(Sql::opening(address).into())
    }

    /// Entries in `sql.db` in the folder `cachier/shared` in the user's cache folder, which all programs share that say so:
    /// it is in `$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    ///
    /// # Errors
    /// When the user has no home folder, or the cache folder cannot be made.
    #[cfg(feature = "sqlite")]
    pub fn sqlite_default() -> Result<Self, Error> {
        Self::sqlite_in_default(DefaultFolder::shared())
    }

    /// Entries in `sql.db` in a folder that nobody has named; both are made if need be, for the user alone.
    ///
    /// # Errors
    /// When the user has no home folder, or the folder cannot be made.
    #[cfg(feature = "sqlite")]
    pub fn sqlite_in_default(folder: Option<DefaultFolder>) -> Result<Self, Error> {
        let Some((folder, last_use)) = folder.map(DefaultFolder::into_parts) else {
            let message = "there is no home folder to keep the cache in";
            let error = Error::new(ErrorKind::Io, Operation::Load, message);
            return Err(error.with_hint("set CACHIER_SQL_URL"));
        };
        let file = sqlite::File::in_folder(&folder, "sql.db", last_use)?;
        Ok(Sql::opening(Address::Sqlite(file)).into())
    }

    /// Entries in `sql.db` in this folder; both are made if need be, for the user alone.
    ///
    /// # Errors
    /// When the folder cannot be made, belongs to another user or may be written to by others, or when a link or something
    /// else that is no regular file stands in the database's place.
    #[cfg(feature = "sqlite")]
    pub fn sqlite_in(folder: impl AsRef<std::path::Path>) -> Result<Self, Error> {
        let file = sqlite::File::in_folder(folder.as_ref(), "sql.db", None)?;
        Ok(Sql::opening(Address::Sqlite(file)).into())
    }

    /// Entries in the database of the program's own pool.
    ///
    /// A pool tests each connection that it hands out, by default, and each that comes back: a hit takes some requests more
    /// than with [`from_url`](Self::from_url).
    ///
    /// It belongs to the tokio runtime in which it is handed over: one with several threads serves every kind of caller,
    /// one with a single thread all but synchronous callers on that very thread, who get an error at once. When that
    /// has ended, it connects anew on the runtime of whoever asks, after an error for each connection it had. And it
    /// belongs to this process: children that it forks get an error at once.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn with_sqlite_pool(pool: sqlx::SqlitePool) -> Self {
        let file = sqlite::File::of_program((*pool.connect_options()).clone());
        let address = Address::Sqlite(file);
        let waits = WaitReporter::default();
        let database = Database::Sqlite(Source::Program(pool, waits.clone()));
        Sql::of(
            address,
            Clients::of_program(Client::new(database)),
            waits,
            TABLE,
        )
        .into()
    }

    /// Entries in the database of the program's own pool.
    ///
    /// A pool tests each connection that it hands out, by default, and each that comes back: a hit takes some requests more
    /// than with [`from_url`](Self::from_url). Notifications come over one connection more, outside the pool.
    ///
    /// Behind a pooler such as PgBouncer the options need `.extra_float_digits(None)`, unless it lets that fall, and
    /// `.disable_statement_logging()`, lest values get into the log.
    ///
    /// It belongs to the tokio runtime in which it is handed over: one with several threads serves every kind of caller,
    /// one with a single thread all but synchronous callers on that very thread, who get an error at once. When that
    /// has ended, it connects anew on the runtime of whoever asks, after an error for each connection it had. And it
    /// belongs to this process: children that it forks get an error at once.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn with_postgres_pool(pool: sqlx::PgPool) -> Self {
        let options = (*pool.connect_options()).clone();
        let pooler = pooler::Pooler::of_options(&options);
        let address = Address::Postgres(options, pooler.clone());
        let waits = WaitReporter::default();
        let database = Database::Postgres(Source::Program(pool, waits.clone()), pooler);
        Sql::of(
            address,
            Clients::of_program(Client::new(database)),
            waits,
            TABLE,
        )
        .into()
    }

    /// Entries in the database of the program's own pool.
    ///
    /// A pool tests each connection that it hands out, by default, and each that comes back: a hit takes some requests more
    /// than with [`from_url`](Self::from_url).
    ///
    /// It belongs to the tokio runtime in which it is handed over: one with several threads serves every kind of caller,
    /// one with a single thread all but synchronous callers on that very thread, who get an error at once. When that
    /// has ended, it connects anew on the runtime of whoever asks, after an error for each connection it had. And it
    /// belongs to this process: children that it forks get an error at once.
    #[cfg(feature = "mysql")]
    #[must_use]
    pub fn with_mysql_pool(pool: sqlx::MySqlPool) -> Self {
        let address = Address::MySql((*pool.connect_options()).clone());
        let waits = WaitReporter::default();
        let database = Database::MySql(Source::Program(pool, waits.clone()));
        Sql::of(
            address,
            Clients::of_program(Client::new(database)),
            waits,
            TABLE,
        )
        .into()
    }

    /// The same, with the entries in another table; beside it there is one of this name and `_schema`.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] unless the name is of lower-case ASCII letters, digits and underscores, 48 at most, the first
    /// no digit.
    pub fn table(self, name: &str) -> Result<Self, Error> {
        if !dialect::is_table_name(name) {
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
        "sqlite" => sqlite::file(url).map(Address::Sqlite),
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
    // The URL may hold credentials, so the error does not.
    address.map_err(|hint| unusable("the URL of the database cannot be used").with_hint(hint))
}

fn unusable(message: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, Operation::Load, message)
}
