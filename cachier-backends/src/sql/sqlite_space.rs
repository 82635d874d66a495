//! Returns the space of removed entries to the file system, in the background.
//!
//! Files made by cachier have incremental auto-vacuum, and shrink in small steps between which others write. Older files would
//! have to be rewritten under a lock; they keep their size and reuse their vacant pages.

use sqlx::{Connection, Executor, Row};

use super::connections::OwnPool;
use super::database::Database;
use crate::network::spawn_in_background;

/// A step holds the writers' lock for some milliseconds.
const PAGES_PER_STEP: u32 = 256;

/// 4 GB. The rest goes another time.
const MAX_STEPS: u32 = 4096;

/// Shrinks in a task of its own. Databases of the program are left as they are.
pub(super) fn shrink_in_background(database: &Database) {
    #[allow(
        irrefutable_let_patterns,
        reason = "other features add other databases"
    )]
    if let Database::Sqlite(source) = database
        && let Some(own) = source.request_shrink()
    {
        // A failure concerns nobody: the next removal tries again.
        let _ = spawn_in_background(async move {
            let _ = shrink(&own).await;
        });
    }
}

/// On a connection of its own, so that no call waits for it.
async fn shrink(own: &OwnPool<sqlx::Sqlite>) -> Result<(), sqlx::Error> {
    let mut connection = own.connection_for_shrinking().await?;
    for _ in 0..MAX_STEPS {
        if !step(&mut connection).await? {
            break;
        }
    }
    // Without waiting: readers of the log keep it.
    let cut = sqlx::raw_sql("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await;
    connection.close().await?;
    cut.map(drop)
}

/// Frees some pages; whether there may be more.
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
