//! File locks of the operating system, on files that others may replace.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::files::existing;
use crate::{blocking, queue};

/// The longest wait for a lock: as long as a companion's operation may take.
const MAX_LOCK_WAIT: Duration = Duration::from_secs(60);

/// Inactivity after which the holder of a short-lived lock counts as stopped.
const STUCK_AFTER: Duration = Duration::from_millis(250);

/// The part of that which a waiter must observe itself: a new holder may not have touched the file yet.
const MIN_OBSERVATION: Duration = Duration::from_millis(100);

/// Delays between attempts.
const MIN_SLEEP: Duration = Duration::from_micros(50);
const MAX_SLEEP: Duration = Duration::from_millis(2);

/// Locks a file if the lock is free; whether it was.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// How long this thread waits for locks in total.
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

    /// How long inactivity must be observed.
    fn min_observation(&self) -> Duration {
        MIN_OBSERVATION.min(self.limit / 2)
    }
}

/// The result of waiting for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LockAttempt {
    Locked,
    /// Its holder is inactive.
    Stuck,
}

/// Waits for a short-lived lock, whose holders [touch] the file while active.
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

/// Shows that the lock's holder is active.
pub(super) fn touch(file: &File) {
    // At worst the lock is taken from it, which does no harm.
    let _ = file
        .set_modified(SystemTime::now())
        .or_else(|_| touch_of_other(file));
}

/// Sets the time of a file that another user has made, to which that is all that its group may set it.
#[cfg(unix)]
fn touch_of_other(file: &File) -> io::Result<()> {
    use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    Ok(futimens(file, &times)?)
}

#[cfg(not(unix))]
fn touch_of_other(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::PermissionDenied.into())
}

/// Whether a lock held since then may have been taken away.
pub(super) fn may_be_lost(since: Instant) -> bool {
    since.elapsed() >= STUCK_AFTER / 2
}

/// Too many others wanted a lock at the same time. The store itself works.
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

/// Whether `path` still is the open `file`.
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
