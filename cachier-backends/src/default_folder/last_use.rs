//! Records when a package's folder was last used.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::private_file;

/// Records uses of a folder, so that it is not removed.
#[derive(Debug)]
pub(crate) struct LastUse {
    file: PathBuf,
    /// The last recorded use, in seconds since 1970; 0 if none.
    noted: AtomicU64,
}

/// The file whose modification time is the last use of its folder.
pub(super) const LAST_USE_FILE: &str = ".used";

/// How often a process records its use of a folder.
pub(super) const TOUCH_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);

impl LastUse {
    pub(super) fn of(folder: &Path) -> Self {
        Self {
            file: folder.join(LAST_USE_FILE),
            noted: AtomicU64::new(0),
        }
    }

    /// Records a use now. If the folder does not exist yet or is not writable, a later use is recorded.
    pub(crate) fn note(&self, now: SystemTime) {
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let noted = self.noted.load(Ordering::Relaxed);
        let is_due = since_epoch.saturating_sub(noted) >= TOUCH_INTERVAL.as_secs();
        if is_due && touch(&self.file, now).is_ok() {
            self.noted.store(since_epoch, Ordering::Relaxed);
        }
    }
}

/// Sets a file's modification time, creating it if missing.
pub(super) fn touch(file: &Path, now: SystemTime) -> io::Result<()> {
    private_file::open_or_create(file)?.set_modified(now)
}
