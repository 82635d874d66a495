//! Records when a package's folder was last used.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    let mut options = OpenOptions::new();
    open(file, options.create(true))?.set_modified(now)
}

/// Opens a file for writing, without following links or waiting for the reader of a pipe.
pub(super) fn open(file: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options.write(true).truncate(false).open(file)
}
