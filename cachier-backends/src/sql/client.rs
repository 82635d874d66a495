//! A database client, and the state that the clients of a backend share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::database::{Address, Database};
use super::error::failed;
#[cfg(feature = "sqlite")]
use super::sqlite_space::Space;
use super::statements::Statements;
use crate::error::{Error, Operation};
use crate::network::{AsyncOnce, RoundTrips};
use crate::unique::unique;

/// Shared by all clients of one backend.
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) statements: Statements,
    pub(super) trips: RoundTrips,
    /// Tells the backend's own changes from those of others.
    pub(super) origin: String,
    pub(super) table_state: TableState,
    #[cfg(feature = "sqlite")]
    pub(super) space: Option<Arc<Space>>,
}

/// Has the database give vacant space back when dropped, where it does not do so by itself. Nobody waits.
pub(super) struct ReclaimOnDrop {
    #[cfg(feature = "sqlite")]
    pub(super) space: Option<Arc<Space>>,
}

/// A client in the service of one operation.
#[derive(Clone)]
pub(super) struct Requests {
    pub(super) shared: Arc<Shared>,
    pub(super) client: Client,
    pub(super) operation: Operation,
}

/// Known once the table exists.
#[derive(Clone, Copy)]
pub(super) struct TableInfo {
    pub(super) request_limit: Option<u64>,
}

/// The table's state, shared by all clients of a backend.
#[derive(Default)]
pub(super) struct TableState(RwLock<Option<TableInfo>>);

/// A database client, with its attempt to create the table.
///
/// An attempt runs on its first caller's runtime, and stalls when nobody drives that any more. So there is one per
/// client, whose callers all drive the same runtime.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) database: Database,
    attempt: Arc<Mutex<Arc<AsyncOnce<TableInfo>>>>,
}

impl Shared {
    pub(super) fn new(address: &Address, statements: Statements) -> Self {
        Self {
            name: format!("{}#{}", address.name(), statements.table),
            #[cfg(feature = "sqlite")]
            space: address.space(),
            statements,
            trips: RoundTrips::default(),
            origin: format!("{:016x}", unique()),
            table_state: TableState::default(),
        }
    }

    /// Notes the size of an entry that may be replaced.
    pub(super) fn loaded(&self, bytes: usize) {
        #[cfg(feature = "sqlite")]
        if let Some(space) = &self.space {
            space.loaded(bytes);
        }
        #[cfg(not(feature = "sqlite"))]
        let _ = bytes;
    }

    /// Notes the size of an entry that may have replaced another.
    pub(super) fn stored(&self, bytes: usize) {
        #[cfg(feature = "sqlite")]
        if let Some(space) = &self.space {
            space.stored(bytes);
        }
        #[cfg(not(feature = "sqlite"))]
        let _ = bytes;
    }
}

impl Drop for ReclaimOnDrop {
    fn drop(&mut self) {
        #[cfg(feature = "sqlite")]
        if let Some(space) = &self.space {
            space.request();
        }
    }
}

impl TableState {
    pub(super) fn get(&self) -> Option<TableInfo> {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, info: Option<TableInfo>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = info;
    }
}

impl Client {
    pub(super) fn new(database: Database) -> Self {
        Self {
            database,
            attempt: Arc::default(),
        }
    }

    pub(super) fn reset(&self) {
        *self.attempt() = Arc::default();
    }

    pub(super) fn attempt(&self) -> MutexGuard<'_, Arc<AsyncOnce<TableInfo>>> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Requests {
    pub(super) fn statements(&self) -> &Statements {
        &self.shared.statements
    }

    pub(super) fn count(&self) {
        self.shared.trips.count(self.operation);
    }

    pub(super) fn error(&self, error: sqlx::Error) -> Error {
        failed(self.operation, error).at(&self.shared.name)
    }
}
