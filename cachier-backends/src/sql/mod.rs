//! One row for each entry, in a table of SQLite, PostgreSQL, MySQL or MariaDB.
//!
//! The table, `cachier_entries` by default, is created on first use, along with `cachier_entries_schema`, which holds
//! its version. A read-only user needs both to exist in the current version. A table or an SQLite file that is removed
//! is created again.
//!
//! A table of an older cachier is emptied and upgraded. Programs with an older cachier then recognise that it is not
//! theirs: they compute, store nothing, and are never served from it.
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
//! - A lease is taken, and an entry stored under it, by a single statement that tests and changes the row: no
//!   transaction stays open between requests.
//! - A hit is one request, a miss three. The first use of a connection costs a few more, which prepare statements.
//! - Every change of an entry clears the owner, so that a late owner changes nothing.
//! - PostgreSQL notifies waiters. With the others, and behind a pooler, they poll.
//! - Behind a pooler (PgBouncer) statements are sent with their arguments inlined, as none can be prepared there.

mod argument;
mod backend;
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
#[cfg(feature = "sqlite")]
mod sqlite_space;
mod statements;
#[cfg(feature = "postgres")]
mod subscribe;
mod table;

pub use backend::SqlBackend;
