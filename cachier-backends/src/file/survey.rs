//! Looking through the folder of a function.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::files::existing;
use super::layout::FileName;
use super::ledger::{Change, Ledger, Totals};

/// An entry's file.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) created: SystemTime,
    pub(super) bytes: u64,
}

/// What a function holds: from the ledger, or counted where that does not know.
pub(super) fn totals(scope: &Path) -> io::Result<Totals> {
    let now = SystemTime::now();
    let Some(ledger) = Ledger::lock_existing(scope)? else {
        return Ok(Totals::default());
    };
    if let Some(totals) = ledger.trusted(now)? {
        return Ok(totals);
    }
    drop(ledger);
    count(scope, now, |_| ())
}

/// Counts what a function holds, shows each entry, and tells the ledger.
///
/// Others go on meanwhile. What they add and remove is taken from the ledger, where it may have
/// been seen as well: the next count puts that right.
pub(super) fn count(
    scope: &Path,
    now: SystemTime,
    mut show: impl FnMut(Found),
) -> io::Result<Totals> {
    let Some(ledger) = Ledger::lock_existing(scope)? else {
        return Ok(Totals::default());
    };
    let before = ledger.totals()?;
    drop(ledger);
    let mut counted = Totals::default();
    for shard in shards(scope)? {
        for name in names(&shard)? {
            if FileName::of(&name) == FileName::Entry
                && let Some(found) = Found::at(shard.join(name))?
            {
                counted.add(found.bytes);
                show(found);
            }
        }
    }
    let ledger = Ledger::lock(scope)?;
    if let (Some(before), Some(after)) = (before, ledger.totals()?) {
        let meanwhile = Change {
            added: after,
            gone: before,
        };
        counted = meanwhile.of(counted);
    }
    ledger.counted(counted, now)?;
    Ok(counted)
}

/// The folders that hold a function's entries, of all versions.
pub(super) fn shards(scope: &Path) -> io::Result<Vec<PathBuf>> {
    let mut shards = Vec::new();
    for version in folders(scope)? {
        shards.extend(folders(&version)?);
    }
    Ok(shards)
}

/// The names of what a folder holds; none if it is gone.
pub(super) fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let Some(found) = existing(fs::read_dir(folder))? else {
        return Ok(Vec::new());
    };
    found
        .map(|item| item.map(|item| item.file_name()))
        .collect()
}

impl Found {
    /// What there is at the path of an entry, if there still is something.
    pub(super) fn at(path: PathBuf) -> io::Result<Option<Self>> {
        let Some(metadata) = existing(fs::symlink_metadata(&path))? else {
            return Ok(None);
        };
        Ok(Some(Self {
            created: metadata.modified()?,
            bytes: metadata.len(),
            path,
        }))
    }
}

fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let Some(found) = existing(fs::read_dir(folder))? else {
        return Ok(Vec::new());
    };
    let mut folders = Vec::new();
    for item in found {
        let item = item?;
        // Hidden ones are not ours.
        if item.file_type()?.is_dir() && !is_hidden(&item.file_name()) {
            folders.push(item.path());
        }
    }
    Ok(folders)
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}
