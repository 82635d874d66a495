//! The folder of figures: a file for each instance, with a lock that tells whether it lives, and one for all that have ended.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use cachier_metrics::{EndedHistory, History, InstanceId, Unreadable};

use crate::problems;

/// A folder of figures, which other processes may share.
pub(super) struct Folder(PathBuf);

/// A lock of the operating system, which ends with its process.
pub(super) struct Lock(File);

/// When the file of ended instances was last written, and its size.
pub(super) type Stamp = Option<(SystemTime, u64)>;

const ENDED: &str = "ended";
/// The longest wait for others that fold.
const MAX_LOCK_WAIT: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

impl Folder {
    /// Creates it if need be, for this user alone.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(path)?;
        Ok(Self(path.to_owned()))
    }

    /// Takes the lock under which instances come and are folded.
    pub(super) fn lock_ended(&self) -> io::Result<Lock> {
        let file = self.lock_file(ENDED)?;
        let begun = Instant::now();
        while !is_locked(&file)? {
            if begun.elapsed() > MAX_LOCK_WAIT {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another process holds the lock of ended instances for long",
                ));
            }
            thread::sleep(LOCK_PAUSE);
        }
        Ok(Lock(file))
    }

    /// The lock that shows that an instance lives; `None` while it does.
    pub(super) fn lock_instance(&self, instance: InstanceId) -> io::Result<Option<Lock>> {
        let file = self.lock_file(&instance.to_string())?;
        Ok(is_locked(&file)?.then_some(Lock(file)))
    }

    fn lock_file(&self, name: &str) -> io::Result<File> {
        let mut options = private();
        options.create(true).truncate(false).read(true).write(true);
        options.open(self.path(name, "lock"))
    }

    /// All instances that have a file here.
    pub(super) fn instances(&self) -> io::Result<BTreeSet<InstanceId>> {
        let mut instances = BTreeSet::new();
        for item in fs::read_dir(&self.0)? {
            let name = item?.file_name();
            let name = name.to_str().and_then(|name| name.split_once('.'));
            instances.extend(name.and_then(|(id, _)| InstanceId::parse(id)));
        }
        Ok(instances)
    }

    /// The figures of an instance; `None` if it has none. Damaged ones are none, and told.
    pub(super) fn read(&self, instance: InstanceId) -> io::Result<Option<History>> {
        self.read_file(&instance.to_string())
    }

    /// The figures of ended instances.
    pub(super) fn read_ended(&self) -> io::Result<EndedHistory> {
        match self.read_file(ENDED)? {
            Some(History::Ended(ended)) => Ok(ended),
            _ => Ok(EndedHistory::default()),
        }
    }

    pub(super) fn stamp(&self) -> Stamp {
        let found = self.path(ENDED, "metrics").metadata().ok()?;
        Some((found.modified().ok()?, found.len()))
    }

    fn read_file(&self, name: &str) -> io::Result<Option<History>> {
        let path = self.path(name, "metrics");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        match History::read(&bytes) {
            Ok(history) => Ok(Some(history)),
            Err(Unreadable::Newer) => {
                let message = format!("{} is of a newer version of cachier", path.display());
                Err(io::Error::new(io::ErrorKind::Unsupported, message))
            }
            Err(Unreadable::Damaged) => {
                let path = path.display();
                let problem = format!("{path}: the figures are damaged, and their counts lost");
                problems::report(&path.to_string(), &problem);
                Ok(None)
            }
        }
    }

    pub(super) fn write(&self, instance: InstanceId, history: &History) -> io::Result<()> {
        self.write_file(&instance.to_string(), history)
    }

    pub(super) fn write_ended(&self, ended: EndedHistory) -> io::Result<()> {
        self.write_file(ENDED, &History::Ended(ended))
    }

    /// Whoever reads finds all of the old file, or all of the new one. One writes a file at a time: who holds its lock.
    fn write_file(&self, name: &str, history: &History) -> io::Result<()> {
        let temporary = self.path(name, "tmp");
        let mut options = private();
        let file = options
            .create(true)
            .truncate(true)
            .write(true)
            .open(&temporary);
        io::Write::write_all(&mut file?, &history.write())?;
        fs::rename(temporary, self.path(name, "metrics"))
    }

    /// Removes the files of an instance, its lock last.
    pub(super) fn remove(&self, instance: InstanceId) {
        for end in ["tmp", "metrics", "lock"] {
            // What stays is removed by the next one.
            let _ = fs::remove_file(self.path(&instance.to_string(), end));
        }
    }

    fn path(&self, name: &str, end: &str) -> PathBuf {
        self.0.join(format!("{name}.{end}"))
    }
}

impl Lock {
    /// Ends it also where a forked child has a copy of the file.
    pub(super) fn unlock(self) {
        let _ = self.0.unlock();
    }
}

fn is_locked(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// For files of this user alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
