//! Returns the space of removed entries to the file system, in the background.
//!
//! Files made by cachier have incremental auto-vacuum, and shrink in small steps between which others write. Older files would
//! have to be rewritten under a lock; they keep their size and reuse their vacant pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Release};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection, Executor, Row};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

use super::sqlite::File;
use crate::network::spawn_in_background;

/// The shortest time from the end of one shrinking to the next, unless somebody waits.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// A step holds the writers' lock for some milliseconds.
const PAGES_PER_STEP: u32 = 256;

/// 4 GB. The rest goes another time.
const MAX_STEPS: u32 = 4096;

/// The vacant space of a file that cachier made.
pub(super) struct Space {
    file: File,
    /// Whether a task is yet to look what is vacant.
    is_requested: AtomicBool,
    /// When a task last ended; held by the one that shrinks.
    ended: Mutex<Option<Instant>>,
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Copy, Default)]
struct Progress {
    /// Tasks that have not ended.
    tasks: usize,
    /// Those who wait for them.
    waiters: usize,
}

/// One shrinking, counted until it is dropped.
struct Task {
    space: Arc<Space>,
    has_begun: bool,
}

/// Counts one who waits for the tasks.
struct Waiter<'a>(&'a Space);

impl Space {
    /// That of a file; `None` where that is the program's, and left as it is.
    pub(super) fn of(file: &File) -> Option<Arc<Self>> {
        file.is_made().then(|| {
            Arc::new(Self {
                file: file.clone(),
                is_requested: AtomicBool::new(false),
                ended: Mutex::default(),
                progress: watch::Sender::default(),
            })
        })
    }

    /// Has a task give back what is vacant; nobody waits for it.
    pub(super) fn request(self: &Arc<Self>) {
        if !self.is_requested.swap(true, AcqRel) {
            let task = Task::new(Arc::clone(self));
            // If none can be spawned, the next removal tries again.
            let _ = spawn_in_background(task.run());
        }
    }

    /// Resolves once all tasks have ended.
    pub(super) async fn given_back(&self) {
        let _waiter = Waiter::new(self);
        let mut progress = self.progress.subscribe();
        // It fails when the sender is gone, which is here.
        let _ = progress.wait_for(|now| now.tasks == 0).await;
    }

    async fn pause(&self, ended: Option<Instant>) {
        let passed = ended.map(|ended| ended.elapsed());
        let left = passed.and_then(|passed| MIN_INTERVAL.checked_sub(passed));
        if let Some(left) = left {
            let mut progress = self.progress.subscribe();
            let somebody_waits = progress.wait_for(|now| now.waiters > 0);
            let _ = timeout(left, somebody_waits).await;
        }
    }
}

impl Task {
    fn new(space: Arc<Space>) -> Self {
        space.progress.send_modify(|now| now.tasks += 1);
        Self {
            space,
            has_begun: false,
        }
    }

    async fn run(mut self) {
        let space = Arc::clone(&self.space);
        let mut ended = space.ended.lock().await;
        space.pause(*ended).await;
        // Who requests from now on may have removed what this one does not see.
        self.has_begun = true;
        space.is_requested.store(false, Release);
        // A failure concerns nobody: the next removal tries again.
        let _ = shrink(&space.file).await;
        *ended = Some(Instant::now());
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.has_begun {
            self.space.is_requested.store(false, Release);
        }
        self.space.progress.send_modify(|now| now.tasks -= 1);
    }
}

impl<'a> Waiter<'a> {
    fn new(space: &'a Space) -> Self {
        space.progress.send_modify(|now| now.waiters += 1);
        Self(space)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.progress.send_modify(|now| now.waiters -= 1);
    }
}

/// On a connection of its own, so that no call waits for it.
async fn shrink(file: &File) -> Result<(), sqlx::Error> {
    let mut connection = file.existing().connect().await?;
    if vacant_pages(&mut connection).await? == 0 {
        return connection.close().await;
    }
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
