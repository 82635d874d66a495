//! Gives the space of removed entries back to the file system, in the background.
//!
//! A file that cachier made knows which of its pages are vacant and can be cut short in small steps, between which others
//! write. One that was made without that would have to be written anew under a lock, and keeps its size: its vacant
//! pages are used again.

use sqlx::{Connection, Executor, Row};

use super::connections::OwnPool;
use super::database::Database;
use crate::network::spawn_in_background;

/// How many pages a step gives back: it has the lock of the writers for some milliseconds.
const PAGES_PER_STEP: u32 = 256;

/// The most steps: 4 GB. What is left goes another time.
const MAX_STEPS: u32 = 4096;

/// In a task that belongs to no caller. A database that the program has handed over is left as it is.
pub(super) fn shrink_in_background(database: &Database) {
    #[allow(
        irrefutable_let_patterns,
        reason = "other features add other databases"
    )]
    if let Database::Sqlite(source) = database
        && let Some(own) = source.request_shrink()
    {
        // Whatever hinders it hinders nobody else, and it is tried again when more is removed.
        let _ = spawn_in_background(async move {
            let _ = shrink(&own).await;
        });
    }
}

/// On a connection of its own: a call that needs one does not wait for it.
async fn shrink(own: &OwnPool<sqlx::Sqlite>) -> Result<(), sqlx::Error> {
    let mut connection = own.connection_for_shrinking().await?;
    for _ in 0..MAX_STEPS {
        if !step(&mut connection).await? {
            break;
        }
    }
    // Waits for nobody: who reads the log keeps it.
    let cut = sqlx::raw_sql("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await;
    connection.close().await?;
    cut.map(drop)
}

/// Gives some pages back; whether there may be more.
async fn step(connection: &mut sqlx::SqliteConnection) -> Result<bool, sqlx::Error> {
    let before = vacant_pages(connection).await?;
    if before == 0 {
        return Ok(false);
    }
    let statement = format!("PRAGMA incremental_vacuum({PAGES_PER_STEP})");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(&mut *connection)
        .await?;
    Ok(vacant_pages(connection).await? < before)
}

async fn vacant_pages(connection: &mut sqlx::SqliteConnection) -> Result<i64, sqlx::Error> {
    let row = connection.fetch_one("PRAGMA freelist_count").await?;
    row.try_get(0)
}
