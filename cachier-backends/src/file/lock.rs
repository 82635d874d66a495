//! Locks of the operating system on files that others may replace.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::files::existing;
use crate::blocking;

/// How long a caller waits for a lock that is held for moments, at most. Its owner may have been stopped.
const PATIENCE: Duration = Duration::from_millis(500);

/// The same where no caller waits on this thread: on a busy machine with many writers, one of them may be last for long.
const UNHURRIED: Duration = Duration::from_secs(5);

/// How long to sleep between two attempts.
const SHORTEST_SLEEP: Duration = Duration::from_micros(50);
const LONGEST_SLEEP: Duration = Duration::from_millis(2);

/// Locks a file if nobody else has; whether it did.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Locks a file that nobody holds for long; waits no longer than this thread may block.
pub(super) fn lock_soon(file: &File) -> io::Result<()> {
    let started = Instant::now();
    let patience = blocking::allowance().map_or(UNHURRIED, |allowance| allowance.min(PATIENCE));
    let mut sleep = SHORTEST_SLEEP;
    while !try_lock(file)? {
        if started.elapsed() > patience {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(sleep);
        sleep = (sleep * 2).min(LONGEST_SLEEP);
    }
    Ok(())
}

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
