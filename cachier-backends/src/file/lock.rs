//! Locks of the operating system on files that others may replace.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::files::existing;
use crate::{blocking, queue};

/// How long anyone waits for a lock at most: as long as an operation of the companion does.
const MAX_LOCK_WAIT: Duration = Duration::from_secs(60);

/// Who holds a lock that is for moments and has done nothing for so long is stopped, or as good as that.
const STUCK_AFTER: Duration = Duration::from_millis(250);

/// How long of that at least one has to watch for oneself: a holder that has just come may not have shown itself yet.
const MIN_OBSERVATION: Duration = Duration::from_millis(100);

/// How long to sleep between two attempts.
const MIN_SLEEP: Duration = Duration::from_micros(50);
const MAX_SLEEP: Duration = Duration::from_millis(2);

/// Locks a file if nobody else has; whether it did.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// How long this thread waits for locks in all.
pub(super) struct LockTimeout {
    began: Instant,
    limit: Duration,
}

impl LockTimeout {
    /// As long as this thread may block.
    pub(super) fn of_this_thread() -> Self {
        Self {
            began: Instant::now(),
            limit: blocking::allowance()
                .map_or(MAX_LOCK_WAIT, |allowance| allowance.min(MAX_LOCK_WAIT)),
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.began + self.limit
    }

    /// How long a holder has to be watched that does nothing.
    fn min_observation(&self) -> Duration {
        MIN_OBSERVATION.min(self.limit / 2)
    }
}

/// What became of the wish for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LockAttempt {
    Locked,
    /// Its holder does nothing any more.
    Stuck,
}

/// Locks a file that nobody holds for long, and whose holders [show](touch) that they are there.
pub(super) fn lock_within(file: &File, timeout: &LockTimeout) -> io::Result<LockAttempt> {
    let mut watched = None;
    let mut sleep = MIN_SLEEP;
    while !try_lock(file)? {
        let shown = file.metadata()?.modified()?;
        let since = match watched {
            Some((before, since)) if before == shown => since,
            _ => Instant::now(),
        };
        watched = Some((shown, since));
        let watched = since.elapsed();
        let idle = SystemTime::now().duration_since(shown).unwrap_or_default();
        if watched >= timeout.min_observation() && watched.max(idle) >= STUCK_AFTER {
            return Ok(LockAttempt::Stuck);
        }
        if Instant::now() >= timeout.deadline() {
            return Err(LockTimedOut::error());
        }
        queue::wait_on_thread(|| thread::sleep(sleep));
        sleep = (sleep * 2).min(MAX_SLEEP);
    }
    Ok(LockAttempt::Locked)
}

/// Shows that the holder of a lock is there and works.
pub(super) fn touch(file: &File) {
    // If it cannot be shown, the lock is taken from it at worst, which it can bear.
    let _ = file.set_modified(SystemTime::now());
}

/// Whether a lock may have been taken from whoever holds it since then.
pub(super) fn may_be_lost(since: Instant) -> bool {
    since.elapsed() >= STUCK_AFTER / 2
}

/// Too many others wanted a lock at the same time. The store works.
#[derive(Debug)]
pub(super) struct LockTimedOut;

impl LockTimedOut {
    pub(super) fn error() -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, Self)
    }

    pub(super) fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|source| source.is::<Self>())
    }
}

impl fmt::Display for LockTimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many others wanted the folder's lock at the same time")
    }
}

impl std::error::Error for LockTimedOut {}

/// Whether the file at `path` is the open `file`, not one that has taken its place.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let Some(found) = existing(fs::symlink_metadata(path))? else {
        return Ok(false);
    };
    same(&found, file, path)
}

#[cfg(unix)]
fn same(found: &fs::Metadata, file: &File, _path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let open = file.metadata()?;
    Ok((found.dev(), found.ino()) == (open.dev(), open.ino()))
}

#[cfg(not(unix))]
fn same(_found: &fs::Metadata, file: &File, path: &Path) -> io::Result<bool> {
    use same_file::Handle;
    let there = existing(Handle::from_path(path))?;
    Ok(there == Some(Handle::from_file(file.try_clone()?)?))
}
