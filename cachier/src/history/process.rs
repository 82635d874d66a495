//! The history of this process, from when a folder is known.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use cachier_backends::process::PerProcess;
use cachier_backends::{Error, ErrorKind, Operation, home};

#[cfg(feature = "persistent")]
use super::folder::Folder;
use super::folder::{Lock, Problem};
use super::keeper::{INTERVAL, Keeper};
use crate::environment;
use crate::problems;

/// The keeper of this process; a forked child has its own.
static HERE: PerProcess<Arc<Here>> = PerProcess::new(|parent| {
    if let Some(parent) = parent {
        parent.close_in_child();
    }
    Arc::default()
});

#[derive(Default)]
struct Here {
    /// Locked during a write. `None` before the first one.
    keeper: Mutex<Option<Keeper>>,
    /// Shows that this process lives.
    lock: Mutex<Option<Lock>>,
    has_thread: Mutex<bool>,
    /// Why figures were not kept the last time, and where.
    failure: Mutex<Option<(PathBuf, Error)>>,
}

impl Here {
    /// Closes the copies of the parent's files, which would make the parent seem alive.
    fn close_in_child(&self) {
        if let Ok(mut lock) = self.lock.try_lock() {
            *lock = None;
        }
    }

    fn keep(&self, folder: &Path) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = self.try_keep(&mut keeper, folder).map_err(not_kept).err();
        // It stays in the folder that it began with.
        let folder = keeper.as_ref().map_or(folder, Keeper::folder).to_owned();
        let met = keeper.as_ref().map(Keeper::take_problems);
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) =
            failure.clone().map(|error| (folder, error));
        // Whoever is told of problems may wait for a flush, which keeps figures, too.
        drop(keeper);
        for Problem { cause, text } in met.into_iter().flatten() {
            problems::report(&cause, &text);
        }
        failure.iter().for_each(report);
    }

    fn try_keep(&self, keeper: &mut Option<Keeper>, folder: &Path) -> io::Result<()> {
        let keeper = match keeper {
            Some(keeper) => keeper,
            None => {
                let mode = environment::CACHE_MODE.get().map_err(io::Error::other)?;
                let (started, lock) = Keeper::start(folder, mode.copied().unwrap_or_default())?;
                *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
                keeper.insert(started)
            }
        };
        keeper.keep()
    }
}

/// Starts to keep figures in the folder that the program or the environment names, unless that has begun.
pub(crate) fn tick(named: Option<&Path>) {
    if let Some(folder) = folder(named) {
        let here: &Arc<Here> = &HERE;
        let has_thread = here.has_thread.lock();
        let mut has_thread = has_thread.unwrap_or_else(PoisonError::into_inner);
        if !*has_thread {
            let (thread, own) = (thread::Builder::new(), Arc::clone(here));
            let spawned = thread.name("cachier-history".to_owned()).spawn(move || {
                loop {
                    // The thread survives a panic.
                    let _ = catch_unwind(AssertUnwindSafe(|| own.keep(&folder)));
                    thread::sleep(INTERVAL);
                }
            });
            *has_thread = spawned.is_ok();
        }
    }
}

/// Whether there is such a folder.
pub(crate) fn is_on(named: Option<&Path>) -> bool {
    folder(named).is_some()
}

/// Writes the current figures.
pub(crate) fn keep_on_flush(named: Option<&Path>) {
    if let Some(folder) = folder(named) {
        HERE.keep(&folder);
    }
}

/// Why no figures are kept in the folder that is named, if so: what it is, or what went wrong the last time. The environment's
/// errors are its own.
#[cfg(feature = "persistent")]
pub(crate) fn failure(named: Option<&Path>) -> Option<(PathBuf, Error)> {
    let folder = match (resolved(named), named) {
        (Ok(folder), _) => folder?,
        (Err(error), Some(named)) => return Some((named.to_owned(), error)),
        (Err(_), None) => return None,
    };
    let mode = environment::CACHE_MODE.get().ok()?;
    let last = HERE
        .failure
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    // Tried now, as nothing may have been kept yet.
    let opened = Folder::open(&folder, mode.copied().unwrap_or_default());
    opened
        .map_err(|error| (folder, not_kept(error)))
        .err()
        .or(last)
}

/// The folder to keep figures in. One that cannot be used is reported, and is none.
fn folder(named: Option<&Path>) -> Option<PathBuf> {
    resolved(named).unwrap_or_else(|error| {
        report(&not_kept(io::Error::other(error)));
        None
    })
}

/// The program's folder, or that of `CACHIER_METRICS_DIR`.
fn resolved(named: Option<&Path>) -> Result<Option<PathBuf>, Error> {
    match named {
        Some(named) => home::expand(named).map(Some),
        None => environment::METRICS_DIR.get().map(|folder| folder.cloned()),
    }
}

fn not_kept(error: io::Error) -> Error {
    let kind = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<Error>());
    let kind = kind.map_or(ErrorKind::Io, Error::kind);
    let message = format!("figures cannot be kept over restarts: {error}");
    Error::new(kind, Operation::Store, message)
}

fn report(error: &Error) {
    problems::report("history of metrics", &error.to_string());
}
