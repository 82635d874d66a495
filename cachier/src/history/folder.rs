//! The folder of figures: a file for each instance, with a lock that shows whether it lives, and one for all ended instances.
//! Like the cache folder, it is used only if no other user may write to it, and only regular files in it are read.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use cachier_backends::Operation;
use cachier_backends::private_file::{self, NotAFile};
use cachier_backends::private_folder::PrivateFolder;
use cachier_metrics::{EndedHistory, History, InstanceHistory, InstanceId, Unreadable};

use crate::environment::CacheMode;

/// A folder of figures, which other processes may share.
pub(super) struct Folder {
    path: PathBuf,
    /// Collected, as they are met under locks for which others wait.
    problems: RefCell<Vec<Problem>>,
}

/// Something that a person should know of.
pub(super) struct Problem {
    pub(super) cause: String,
    pub(super) text: String,
}

/// An operating system lock, released when its process ends.
pub(super) struct Lock(File);

/// When the file of ended instances was last written, and its size.
pub(super) type Stamp = Option<(SystemTime, u64)>;

const ENDED: &str = "ended";
/// The longest wait for another process that folds.
const MAX_LOCK_WAIT: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

impl Folder {
    /// Creates the folder if needed, and checks who else may write to it.
    pub(super) fn open(path: &Path, mode: CacheMode) -> io::Result<Self> {
        let folder = private(path, mode);
        folder.create().map_err(|error| at(path, error))?;
        let trusted = folder.trusted(Operation::Store);
        let trusted = trusted.map_err(io::Error::other)?;
        Ok(Self {
            path: trusted.to_owned(),
            problems: RefCell::default(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes a problem, to be told when nothing is locked.
    pub(super) fn met(&self, cause: String, text: String) {
        self.problems.borrow_mut().push(Problem { cause, text });
    }

    pub(super) fn take_problems(&self) -> Vec<Problem> {
        self.problems.take()
    }

    /// Takes the lock under which instances are added and folded.
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

    /// Takes the lock that a living instance holds; `None` while it holds it.
    pub(super) fn lock_instance(&self, instance: InstanceId) -> io::Result<Option<Lock>> {
        let file = self.lock_file(&instance.to_string())?;
        Ok(is_locked(&file)?.then_some(Lock(file)))
    }

    fn lock_file(&self, name: &str) -> io::Result<File> {
        let path = self.file(name, "lock");
        private_file::open_or_create(&path).map_err(|error| at(&path, error))
    }

    /// All instances that have a file here.
    pub(super) fn instances(&self) -> io::Result<BTreeSet<InstanceId>> {
        let mut instances = BTreeSet::new();
        for item in fs::read_dir(&self.path)? {
            let name = item?.file_name();
            let name = name.to_str().and_then(|name| name.split_once('.'));
            instances.extend(name.and_then(|(id, _)| InstanceId::parse(id)));
        }
        Ok(instances)
    }

    /// The figures of an instance; `None` if it has none. Damaged figures are reported, and count as none.
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
        let found = self.file(ENDED, "metrics").symlink_metadata().ok()?;
        Some((found.modified().ok()?, found.len()))
    }

    fn read_file(&self, name: &str) -> io::Result<Option<History>> {
        let path = self.file(name, "metrics");
        let read = match private_file::open_to_read(&path) {
            Ok(None) => return Ok(None),
            Ok(Some((file, _))) => History::read_file(&file),
            Err(error) => Err(error),
        };
        let problem = match read {
            Ok(Ok(history)) => return Ok(Some(history)),
            Ok(Err(Unreadable::Newer)) => {
                let newer = "it is of a newer version of cachier";
                return Err(at(&path, io::Error::new(io::ErrorKind::Unsupported, newer)));
            }
            Ok(Err(Unreadable::Damaged | Unreadable::Foreign)) => {
                "the figures are damaged, and their counts lost".into()
            }
            Err(error) if NotAFile::of(&error).is_some() => error.to_string(),
            Err(error) => return Err(at(&path, error)),
        };
        let path = path.display();
        self.met(path.to_string(), format!("{path}: {problem}"));
        Ok(None)
    }

    pub(super) fn write(&self, instance: InstanceId, history: &History) -> io::Result<()> {
        self.write_file(&instance.to_string(), history)
    }

    /// The instance's earlier figures, with its trail up to then; empty if it has none.
    pub(super) fn read_trail(&self, instance: &InstanceHistory) -> io::Result<InstanceHistory> {
        let header = instance.header;
        match self.read_file(&trail_of(header.instance))? {
            Some(History::Trail(trail)) => Ok(trail),
            _ => Ok(InstanceHistory::starting(header)),
        }
    }

    pub(super) fn write_trail(&self, trail: InstanceHistory) -> io::Result<()> {
        let name = trail_of(trail.header.instance);
        self.write_file(&name, &History::Trail(trail))
    }

    pub(super) fn write_ended(&self, ended: EndedHistory) -> io::Result<()> {
        self.write_file(ENDED, &History::Ended(ended))
    }

    /// A reader sees either the whole old file or the whole new one. Only the holder of a file's lock writes it.
    fn write_file(&self, name: &str, history: &History) -> io::Result<()> {
        let (temporary, path) = (self.file(name, "tmp"), self.file(name, "metrics"));
        let write = || {
            // A half-written file of an earlier attempt, or anything else.
            private_file::remove_path(&temporary)?;
            let mut file = private_file::create_new(&temporary)?;
            file.write_all(&history.write())?;
            if let History::Ended(_) = history {
                // Nothing else has what these counted, and a power cut must not cost all of it.
                file.sync_all()?;
            }
            drop(file);
            if path.is_dir() {
                private_file::remove_path(&path)?;
            }
            fs::rename(&temporary, &path)
        };
        write().map_err(|error| at(&path, error))
    }

    /// Removes the files of an instance, its lock last.
    pub(super) fn remove(&self, instance: InstanceId) {
        let (name, trail) = (instance.to_string(), trail_of(instance));
        let files = [(&trail, "tmp"), (&trail, "metrics"), (&name, "tmp")];
        for (name, end) in files
            .into_iter()
            .chain([(&name, "metrics"), (&name, "lock")])
        {
            // The next process to fold removes what stays.
            let _ = private_file::remove_path(&self.file(name, end));
        }
    }

    fn file(&self, name: &str, end: &str) -> PathBuf {
        self.path.join(format!("{name}.{end}"))
    }
}

impl Lock {
    /// Releases the lock even if a forked child has a copy of the file.
    pub(super) fn unlock(self) {
        let _ = self.0.unlock();
    }
}

/// A folder for those whom the mode names.
fn private(path: &Path, mode: CacheMode) -> PrivateFolder {
    let folder = PrivateFolder::new(path.to_owned());
    match mode {
        CacheMode::User => folder,
        CacheMode::Group => folder.shared_with_group(),
    }
}

fn is_locked(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn trail_of(instance: InstanceId) -> String {
    format!("{instance}.trail")
}

/// An error with the path that it is about.
fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
