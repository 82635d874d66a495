//! Removal of unused packages' folders.
//!
//! Nothing else is touched: no other names, no files, no targets of links. A folder is renamed before its content is
//! removed, so that a concurrent user starts with an empty folder rather than half of one.

use std::fs::{self, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::last_use::{LAST_USE_FILE, touch};
use super::name::is_of_package;
use crate::private_file;

/// How long an unused folder is kept.
const MAX_UNUSED_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The shortest time between two cleanings.
const CLEANING_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The file whose modification time is the last cleaning, locked while cleaning.
const LAST_CLEANING_FILE: &str = ".cleaned";

/// The suffix of a folder whose content is being removed; no package's folder has it.
const REMOVAL_SUFFIX: &str = ".unused";

/// The most files and folders removed at once.
const MAX_REMOVED_AT_ONCE: usize = 100_000;

/// Removes unused folders, except `in_use`.
pub(super) fn remove(packages: &Path, in_use: &Path, now: SystemTime) -> io::Result<()> {
    let mut left = MAX_REMOVED_AT_ONCE;
    at_most_daily(packages, now, || {
        let mut result = Ok(());
        for item in fs::read_dir(packages)? {
            let item = item?;
            if item.path() == in_use || !item.file_type()?.is_dir() {
                continue;
            }
            let removed = match renamed_for_removal(&item, now) {
                Ok(Some(folder)) => remove_folder(&folder, &mut left),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            // A folder that cannot be removed does not stop the others.
            result = result.and(removed);
        }
        result
    })
}

/// Cleans up, unless another process does, or has done so within the interval.
fn at_most_daily(
    packages: &Path,
    now: SystemTime,
    look: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let path = packages.join(LAST_CLEANING_FILE);
    let file = match private_file::open(&path) {
        Ok(file) => file,
        // Nothing can be 30 days old.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match touch(&path, now) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                touched => touched,
            };
        }
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(()),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    if is_older(file.metadata()?.modified()?, now, CLEANING_INTERVAL) {
        // First, so that a process that dies of it does not try again at every start.
        file.set_modified(now)?;
        look()?;
    }
    Ok(())
}

/// Renames a folder that is to be removed; `None` if it is in use.
fn renamed_for_removal(item: &fs::DirEntry, now: SystemTime) -> io::Result<Option<PathBuf>> {
    let path = item.path();
    let name = item.file_name();
    let Some(name) = name.to_str() else {
        return Ok(None);
    };
    if name.strip_suffix(REMOVAL_SUFFIX).is_some_and(is_of_package) {
        return Ok(Some(path));
    }
    if !is_of_package(name) || !is_unused(&path, now)? {
        return Ok(None);
    }
    let renamed_for_removal = path.with_file_name(format!("{name}{REMOVAL_SUFFIX}"));
    fs::rename(&path, &renamed_for_removal)?;
    if !is_unused(&renamed_for_removal, now)? {
        // Somebody used it meanwhile.
        fs::rename(&renamed_for_removal, &path)?;
        return Ok(None);
    }
    Ok(Some(renamed_for_removal))
}

/// Whether a folder is unused for long. Without a recorded use it counts as used now.
fn is_unused(folder: &Path, now: SystemTime) -> io::Result<bool> {
    let used = folder.join(LAST_USE_FILE);
    match fs::symlink_metadata(&used) {
        Ok(found) if found.is_file() => Ok(is_older(found.modified()?, now, MAX_UNUSED_TIME)),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => touch(&used, now).map(|()| false),
        Err(error) => Err(error),
    }
}

/// Whether a time is at least `age` ago. One in the future is not.
fn is_older(then: SystemTime, now: SystemTime, age: Duration) -> bool {
    now.duration_since(then).is_ok_and(|since| since >= age)
}

/// Removes a folder with its content, as far as `left` allows; does not follow links.
pub(super) fn remove_folder(folder: &Path, left: &mut usize) -> io::Result<()> {
    for item in fs::read_dir(folder)? {
        let item = item?;
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        if item.file_type()?.is_dir() {
            remove_folder(&item.path(), left)?;
        } else {
            fs::remove_file(item.path())?;
        }
    }
    match *left {
        0 => Ok(()),
        _ => fs::remove_dir(folder),
    }
}
