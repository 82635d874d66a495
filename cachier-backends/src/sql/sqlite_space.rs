//! Returns the space of removed entries to the file system, in the background.
//!
//! Files made by cachier have incremental auto-vacuum, and shrink in small steps between which others write. Older files would
//! have to be rewritten under a lock; they keep their size and reuse their vacant pages.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Executor, Row};
use tokio::sync::watch;
use tokio::time::timeout;

use super::sqlite::File;
use crate::network::runtime::background;

/// The time from one look to the next, unless somebody waits. Removals that follow each other more closely are steady.
const INTERVAL: Duration = Duration::from_secs(1);

/// A step holds the writers' lock for some milliseconds.
const PAGES_PER_STEP: i64 = 256;

/// 4 GB. The rest goes another time.
const MAX_STEPS: u32 = 4096;

/// In bytes: smaller entries leave no room that is worth a look when they are replaced.
const MIN_REPLACED: usize = 16 << 10;

/// The vacant space of a file that cachier made.
pub(super) struct Space {
    file: File,
    progress: watch::Sender<Progress>,
    /// The bytes of the largest entry that this process knows of: none that it replaces is larger, as far as it knows.
    largest: AtomicUsize,
}

/// Counts requests to give space back.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// All so far.
    requests: u64,
    /// Removals after which all vacant space has been given back.
    done: u64,
    /// Removals whose space somebody waits for.
    awaited: u64,
    /// Whether a task is to do the rest.
    is_running: bool,
}

/// How much of what is vacant goes.
#[derive(Clone, Copy)]
enum Extent {
    All,
    /// All beyond the slack: steady removals leave that, as new entries would only have to make room again.
    BeyondSlack,
}

impl Space {
    /// The vacant space of a file; `None` where the program made the file, and it is left as it is.
    pub(super) fn of(file: &File) -> Option<Arc<Self>> {
        file.is_made().then(|| {
            Arc::new(Self {
                file: file.clone(),
                progress: watch::Sender::default(),
                largest: AtomicUsize::new(0),
            })
        })
    }

    /// Notes the size of an entry that may be replaced.
    pub(super) fn loaded(&self, bytes: usize) {
        self.largest.fetch_max(bytes, Relaxed);
    }

    /// Requests space if an entry of this size may have replaced a much larger one.
    pub(super) fn stored(self: &Arc<Self>, bytes: usize) {
        let largest = self.largest.fetch_max(bytes, Relaxed);
        if largest > bytes.saturating_mul(2).max(MIN_REPLACED) {
            self.request();
        }
    }

    /// Has a task give back what is vacant; nobody waits for it.
    pub(super) fn request(self: &Arc<Self>) {
        let mut is_running = true;
        self.progress.send_modify(|now| {
            now.requests += 1;
            is_running = mem::replace(&mut now.is_running, true);
        });
        if !is_running {
            let task = Task::new(Arc::clone(self));
            // Without a runtime the next removal tries again.
            if let Ok(runtime) = background() {
                runtime.spawn(task.run());
            }
        }
    }

    /// Resolves once all is given back that was requested before, or nobody is there to do so.
    pub(super) async fn given_back(&self) {
        let mut awaited = 0;
        self.progress.send_modify(|now| {
            now.awaited = now.requests;
            awaited = now.requests;
        });
        let mut progress = self.progress.subscribe();
        // It fails when the sender is gone, which is here.
        let _ = progress
            .wait_for(|now| now.done >= awaited || !now.is_running)
            .await;
    }
}

/// Gives space back until nothing is requested any more, or it is dropped.
struct Task {
    space: Arc<Space>,
    has_ended: bool,
}

impl Task {
    fn new(space: Arc<Space>) -> Self {
        Self {
            space,
            has_ended: false,
        }
    }

    async fn run(mut self) {
        let mut extent = Extent::BeyondSlack;
        while !self.has_ended {
            // Requests from now on may be for removals that this look does not see.
            let seen = *self.space.progress.borrow();
            // A failure is ignored: the next removal tries again.
            let _ = shrink(&self.space.file, extent).await;
            if let Extent::All = extent {
                self.done(seen.requests);
            }
            if !self.has_ended {
                self.pause().await;
                extent = self.extent_for(seen);
            }
        }
    }

    /// All once nobody has removed anything since the last look, or somebody waits.
    fn extent_for(&self, last: Progress) -> Extent {
        let now = *self.space.progress.borrow();
        match now.requests == last.requests || now.awaited > now.done {
            true => Extent::All,
            false => Extent::BeyondSlack,
        }
    }

    /// Notes that all is given back that so many requests were for.
    fn done(&mut self, requests: u64) {
        let mut has_ended = false;
        self.space.progress.send_modify(|now| {
            now.done = requests;
            now.is_running = now.requests > requests;
            has_ended = !now.is_running;
        });
        self.has_ended = has_ended;
    }

    async fn pause(&self) {
        let mut progress = self.space.progress.subscribe();
        let somebody_waits = progress.wait_for(|now| now.awaited > now.done);
        let _ = timeout(INTERVAL, somebody_waits).await;
    }
}

/// With its runtime, perhaps.
impl Drop for Task {
    fn drop(&mut self) {
        if !self.has_ended {
            self.space
                .progress
                .send_modify(|now| now.is_running = false);
        }
    }
}

/// On a connection of its own, so that no call waits for it.
async fn shrink(file: &File, extent: Extent) -> Result<(), sqlx::Error> {
    let mut connection = file.existing().connect().await?;
    let kept = match extent {
        Extent::All => 0,
        Extent::BeyondSlack => slack(
            ask(&mut connection, "PRAGMA page_count").await?,
            ask(&mut connection, "PRAGMA page_size").await?,
        ),
    };
    if vacant_pages(&mut connection).await? <= kept {
        return connection.close().await;
    }
    for _ in 0..MAX_STEPS {
        if !step(&mut connection, kept).await? {
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

/// The pages that steady removals leave vacant: a megabyte, or a sixteenth of a large file.
fn slack(pages: i64, page_size: i64) -> i64 {
    const BYTES: i64 = 1 << 20;
    const SHARE: i64 = 16;
    (BYTES / page_size.max(1)).max(pages / SHARE)
}

/// Frees some pages of those that are not kept; whether there may be more.
async fn step(connection: &mut sqlx::SqliteConnection, kept: i64) -> Result<bool, sqlx::Error> {
    let before = vacant_pages(connection).await?;
    if before <= kept {
        return Ok(false);
    }
    let pages = (before - kept).min(PAGES_PER_STEP);
    let statement = format!("PRAGMA incremental_vacuum({pages})");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(&mut *connection)
        .await?;
    Ok(vacant_pages(connection).await? < before)
}

async fn vacant_pages(connection: &mut sqlx::SqliteConnection) -> Result<i64, sqlx::Error> {
    ask(connection, "PRAGMA freelist_count").await
}

async fn ask(
    connection: &mut sqlx::SqliteConnection,
    number: &'static str,
) -> Result<i64, sqlx::Error> {
    let row = connection.fetch_one(number).await?;
    row.try_get(0)
}

#[cfg(test)]
mod tests {
    use super::slack;

    #[test]
    fn slack_is_a_megabyte_or_a_sixteenth() {
        assert_eq!(slack(0, 4096), 256);
        assert_eq!(slack(16 * 256, 4096), 256);
        assert_eq!(slack(16 * 300, 4096), 300);
        assert_eq!(slack(0, 65_536), 16);
    }
}
