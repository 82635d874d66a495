//! SQLite: an embedded database in a file.

use std::fs::OpenOptions;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::destination::FileId;
use super::dialect::Dialect;
use super::error::unusable_url;
use crate::default_folder::LastUse;
use crate::error::{Error, ErrorKind, Operation};
use crate::home;
use crate::private_folder::{Access, PrivateFolder};

pub(super) const DIALECT: Dialect = Dialect {
    now: "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
    integer: "INTEGER",
    migrations: &[
        // Finds nothing, but fails on a table that is not cachier's, as its columns have other names.
        "BEGIN IMMEDIATE; \
        CREATE TABLE IF NOT EXISTS {table} (\
            id BLOB PRIMARY KEY NOT NULL, scope TEXT NOT NULL, \
            revision BLOB, created INTEGER, expires INTEGER, size INTEGER, \
            owner BLOB, owned_until INTEGER, entry BLOB); \
        SELECT id, scope, created, size, owned_until FROM {table} LIMIT 0; \
        CREATE INDEX IF NOT EXISTS {table}_by_age ON {table} (scope, created, size); \
        CREATE TABLE IF NOT EXISTS {table}_schema (id INTEGER PRIMARY KEY, version INTEGER NOT NULL); \
        INSERT OR IGNORE INTO {table}_schema (id, version) VALUES (1, 2); \
        COMMIT",
        // The first insertion fails if this step is done.
        "BEGIN IMMEDIATE; \
        INSERT INTO {table}_schema (id, version) SELECT id, version FROM {table}_schema WHERE version >= 2; \
        DROP TABLE {table}; \
        CREATE TABLE {table} (\
            id BLOB PRIMARY KEY NOT NULL, scope TEXT NOT NULL, \
            revision BLOB, created INTEGER, expires INTEGER, size INTEGER, \
            owner BLOB, owned_until INTEGER, entry BLOB); \
        CREATE INDEX {table}_by_age ON {table} (scope, created, size); \
        UPDATE {table}_schema SET version = 2; \
        COMMIT",
    ],
    or_replace: "ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, revision = excluded.revision, \
        created = excluded.created, expires = excluded.expires, size = excluded.size, owner = NULL, owned_until = NULL",
    or_lease: "ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, owned_until = excluded.owned_until \
        WHERE {table}.created IS NULL AND ({table}.owner IS NULL OR {table}.owned_until <= {now})",
    or_take_over: "ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, owned_until = excluded.owned_until",
    // Batches give other writers a turn, as there is one at a time.
    delete_batch: "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {where} LIMIT {some})",
    request_limit: None,
    is_postgres: false,
};

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the log may stay once what is in it has come to the file, in bytes.
const LOG_LIMIT: &str = "1048576";

/// The pages in the log from which on a commit brings them to the file: 800 KB of the usual 4 KB each, so that entries of up to
/// 200 KB leave it below its limit.
const PAGES_IN_LOG: &str = "200";

/// A database file, and how to open it.
#[derive(Clone)]
pub(super) struct File {
    options: SqliteConnectOptions,
    /// Whether to create it if missing.
    is_made: bool,
    /// The folder to create with it.
    folder: Option<PrivateFolder>,
    /// Records uses of the folder, which is removed after long disuse.
    last_use: Option<Arc<LastUse>>,
}

/// The file of a URL; a leading `~/` is the home folder.
pub(super) fn file(url: &str) -> Result<File, Error> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(unusable_url(
            "each connection would have a store of its own; name a file, or use the memory backend",
        ));
    }
    let options = SqliteConnectOptions::from_str(url);
    let options = options.map_err(|_| unusable_url("write sqlite:folder/file.db"))?;
    let path = home::expand(options.get_filename())?;
    let options = options.filename(path);
    let is_read_only = url.contains("mode=ro") || url.contains("immutable=");
    Ok(if is_read_only {
        File::of_program(options.busy_timeout(BUSY_TIMEOUT))
    } else {
        File::writable(options)
    })
}

impl File {
    /// A file as the program configured it.
    pub(super) fn of_program(options: SqliteConnectOptions) -> Self {
        Self {
            options,
            is_made: false,
            folder: None,
            last_use: None,
        }
    }

    /// A file created if missing. A crash of the machine may lose the last entries, which a cache can bear.
    pub(super) fn writable(options: SqliteConnectOptions) -> Self {
        let options = options
            .busy_timeout(BUSY_TIMEOUT)
            .create_if_missing(true)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("journal_size_limit", LOG_LIMIT)
            .pragma("wal_autocheckpoint", PAGES_IN_LOG)
            .synchronous(SqliteSynchronous::Normal);
        Self {
            options,
            is_made: true,
            folder: None,
            last_use: None,
        }
    }

    /// A file in one of cachier's folders, created if need be.
    ///
    /// # Errors
    /// When the folder cannot be created, others may write to it, or the file's path is not a regular file.
    pub(super) fn in_folder(
        folder: PrivateFolder,
        name: &str,
        last_use: Option<Arc<LastUse>>,
    ) -> Result<Self, Error> {
        folder.create().map_err(|error| {
            let error = Error::io(Operation::Load, "cannot make the folder", error);
            error.at(folder.path().display().to_string())
        })?;
        let file = folder.trusted(Operation::Load)?.join(name);
        if is_not_a_file(&file) {
            let message = "the database is a link, or no regular file";
            let error = Error::new(ErrorKind::Io, Operation::Load, message);
            let hint = "remove it, or name a database by CACHIER_SQL_URL";
            return Err(error.at(file.display().to_string()).with_hint(hint));
        }
        let options = SqliteConnectOptions::new().filename(file);
        Ok(Self {
            folder: Some(folder),
            last_use,
            ..Self::writable(options)
        })
    }

    /// The options to open it. A missing file is created for whom its folder is, or for the user alone, as values may be
    /// private and SQLite would apply the umask. SQLite gives its other files the same permissions.
    pub(super) fn options(&self) -> SqliteConnectOptions {
        if let Some(folder) = &self.folder {
            // It may have been removed with its content.
            let _ = folder.create();
        }
        if self.is_made {
            let access = self.folder.as_ref().map(PrivateFolder::path);
            let access = access.map_or(Access::User, Access::within);
            // It may exist; other errors show when it is opened.
            let _ = access.create_file(
                OpenOptions::new().write(true),
                self.options.get_filename().as_ref(),
            );
        }
        self.options.clone()
    }

    /// The options to open it if it is there. Nothing is created.
    pub(super) fn existing(&self) -> SqliteConnectOptions {
        self.options.clone().create_if_missing(false)
    }

    /// Whether cachier makes it, and not the program.
    pub(super) fn is_made(&self) -> bool {
        self.is_made
    }

    /// The current file. Irrelevant on systems where open files cannot be removed.
    pub(super) fn file_id(&self) -> FileId {
        if let Some(last_use) = &self.last_use {
            last_use.note(SystemTime::now());
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let found = std::fs::metadata(self.options.get_filename()).ok()?;
            Some((found.dev(), found.ino()))
        }
        #[cfg(not(unix))]
        None
    }

    pub(super) fn name(&self) -> String {
        format!("sqlite:{}", self.options.get_filename().display())
    }
}

/// Whether the path is something that SQLite would follow or overwrite although it is not cachier's.
fn is_not_a_file(file: &Path) -> bool {
    file.symlink_metadata().is_ok_and(|found| {
        #[cfg(unix)]
        let has_other_names = std::os::unix::fs::MetadataExt::nlink(&found) > 1;
        #[cfg(not(unix))]
        let has_other_names = false;
        !found.is_file() || has_other_names
    })
}
