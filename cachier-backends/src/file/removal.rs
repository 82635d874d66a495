//! Removal of entries: one, all, old ones, and eviction.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::files::{NotAFile, existing, open, remove_path};
use super::layout::{self, FileName, KeyPaths, Shard};
use super::scan::{self, ScannedEntry};
use super::shard_row::Totals;
use super::shard_table::ShardTable;
use super::{counts, lock, owner};

/// The longest that writing an entry may take. Older temporary files are abandoned.
const MAX_WRITE_TIME: Duration = Duration::from_secs(3600);

/// Entries evicted under one lock.
const EVICTION_BATCH: usize = 64;

/// How often a removal is repeated after the lock was lost because this process had been stopped.
const MAX_ATTEMPTS: u32 = 4;

/// Removes an entry and ends the lease on it; whether there was an entry.
pub(super) fn remove(paths: &KeyPaths) -> io::Result<bool> {
    let mut removed = false;
    until_lock_is_kept(|| {
        let Some(table) = ShardTable::lock_existing(&paths.scope)? else {
            return Ok(IsLost(false));
        };
        removed |= remove_entry(&table, paths.shard, &paths.entry)?.is_some();
        remove_path(&paths.lease)?;
        table.is_lost().map(IsLost)
    })?;
    Ok(removed)
}

/// Removes all entries of a function and ends all leases on them; returns the number of entries.
pub(super) fn clear(scope: &Path, now: SystemTime) -> io::Result<u64> {
    let mut cleared = 0;
    for shard in scan::shards(scope)? {
        until_lock_is_kept(|| {
            // One lock for the whole shard: a concurrent store has finished, or finds its lease ended.
            let table = ShardTable::lock(scope)?;
            cleared += clear_shard(&table, scope, shard, now)?;
            table.is_lost().map(IsLost)
        })?;
    }
    Ok(cleared)
}

/// Whether the lock was lost during an attempt.
struct IsLost(bool);

/// Repeats a removal whose lock was lost, as others may have stored meanwhile.
fn until_lock_is_kept(mut attempt: impl FnMut() -> io::Result<IsLost>) -> io::Result<()> {
    for _ in 0..MAX_ATTEMPTS {
        if let IsLost(false) = attempt()? {
            return Ok(());
        }
    }
    Err(lock::LockTimedOut::error())
}

fn clear_shard(table: &ShardTable, scope: &Path, shard: Shard, now: SystemTime) -> io::Result<u64> {
    let mut cleared = 0;
    for path in scan::files(scope, shard)? {
        match FileName::of(&path) {
            FileName::Entry => {
                cleared += u64::from(remove_entry(table, shard, &path)?.is_some());
            }
            FileName::Lease => drop(remove_path(&path)?),
            FileName::Temporary(started) => remove_abandoned(&path, started, now)?,
            FileName::Foreign => {}
        }
    }
    remove_if_empty(scope, shard)?;
    Ok(cleared)
}

/// Ends all leases on a function's entries.
pub(super) fn clear_leases(scope: &Path) -> io::Result<()> {
    for shard in scan::shards(scope)? {
        let _table = ShardTable::lock(scope)?;
        for path in scan::files(scope, shard)? {
            if FileName::of(&path) == FileName::Lease {
                remove_path(&path)?;
            }
        }
    }
    Ok(())
}

/// Removes a function's entries created before a moment, and files abandoned by dead processes; returns the number of
/// entries.
pub(super) fn cleanup(
    scope: &Path,
    created_before: SystemTime,
    now: SystemTime,
) -> io::Result<u64> {
    let mut removed = 0;
    for shard in scan::shards(scope)? {
        let table = ShardTable::lock(scope)?;
        for path in scan::files(scope, shard)? {
            match FileName::of(&path) {
                FileName::Entry
                    if is_older(&path, shard, created_before)? && !is_leased(&path)? =>
                {
                    removed += u64::from(remove_entry(&table, shard, &path)?.is_some());
                }
                FileName::Lease => remove_unheld(&table, &path)?,
                FileName::Temporary(started) => remove_abandoned(&path, started, now)?,
                FileName::Entry | FileName::Foreign => {}
            }
        }
        counts::count(&table, scope, shard, now)?;
        remove_if_empty(scope, shard)?;
    }
    Ok(removed)
}

/// Removes a function's oldest entries until the others take at most `capacity` bytes; returns how many.
///
/// Entries being recomputed stay. A sixteenth of the capacity is left free, so that the next entry does not trigger
/// another scan.
pub(super) fn evict(scope: &Path, capacity: u64, now: SystemTime) -> io::Result<u64> {
    let fits = |totals: Totals| totals.bytes <= capacity;
    if counts::totals(scope, now)?.is_none_or(fits) {
        return Ok(0);
    }
    let target = capacity - capacity / 16;
    evict_some(scope, &evictable(scope)?, target, now)
}

/// Removes these entries, as long as they are what was found, until all take at most `target` bytes.
fn evict_some(
    scope: &Path,
    oldest: &[ScannedEntry],
    target: u64,
    now: SystemTime,
) -> io::Result<u64> {
    let mut evicted = 0;
    for some in oldest.chunks(EVICTION_BATCH) {
        let table = ShardTable::lock(scope)?;
        let Some(mut totals) = table.totals(now)? else {
            break;
        };
        for found in some {
            if totals.bytes <= target {
                return Ok(evicted);
            }
            if !is_replaced(found)?
                && let Some(gone) = remove_entry(&table, found.shard, &found.path)?
            {
                totals.subtract(gone);
                evicted += 1;
            }
        }
    }
    Ok(evicted)
}

/// A function's entries without a lease, oldest first.
fn evictable(scope: &Path) -> io::Result<Vec<ScannedEntry>> {
    let mut entries = Vec::new();
    let mut leases = BTreeSet::new();
    for shard in scan::shards(scope)? {
        for path in scan::files(scope, shard)? {
            if FileName::of(&path) == FileName::Lease {
                leases.insert(path.with_extension(""));
            } else {
                entries.extend(ScannedEntry::at(path, shard)?);
            }
        }
    }
    entries.retain(|found| !leases.contains::<PathBuf>(&found.path));
    entries.sort_by_key(|found| found.created);
    Ok(entries)
}

/// Removes an entry under the lock; returns its totals, if it existed.
pub(super) fn remove_entry(
    table: &ShardTable,
    shard: Shard,
    entry: &Path,
) -> io::Result<Option<Totals>> {
    let Some(metadata) = existing(fs::symlink_metadata(entry))? else {
        return Ok(None);
    };
    let update = table.begin_update(shard);
    let removed = remove_path(entry)?;
    let gone = removed.map(|()| Totals::one(metadata.len()));
    update.commit(Totals::default(), gone.unwrap_or_default());
    Ok(gone)
}

/// Removes the lease of a dead owner.
fn remove_unheld(_table: &ShardTable, lease: &Path) -> io::Result<()> {
    if !is_held(lease)? {
        remove_path(lease)?;
    }
    Ok(())
}

/// Whether somebody is recomputing an entry.
fn is_leased(entry: &Path) -> io::Result<bool> {
    is_held(&layout::lease_of(entry))
}

/// Whether a lease's file is locked by its owner.
fn is_held(lease: &Path) -> io::Result<bool> {
    match existing(open(lease)) {
        Err(error) if NotAFile::of(&error).is_some() => Ok(false),
        opened => match opened? {
            Some(file) => Ok(!lock::try_lock(&file)? && !owner::has_ended(&file)?),
            None => Ok(false),
        },
    }
}

/// Removes the temporary file of a dead writer.
fn remove_abandoned(path: &Path, started: SystemTime, now: SystemTime) -> io::Result<()> {
    let age = now.duration_since(started).unwrap_or_default();
    if age > MAX_WRITE_TIME {
        remove_path(path)?;
    }
    Ok(())
}

/// Removes empty folders of a shard, and of versions.
fn remove_if_empty(scope: &Path, shard: Shard) -> io::Result<()> {
    for folder in scan::shard_folders(scope, shard)? {
        // Fails for folders that are not empty.
        if fs::remove_dir(&folder).is_ok()
            && let Some(version) = folder.parent()
        {
            let _ = fs::remove_dir(version);
        }
    }
    Ok(())
}

fn is_older(entry: &Path, shard: Shard, moment: SystemTime) -> io::Result<bool> {
    let found = ScannedEntry::at(entry.to_owned(), shard)?;
    Ok(found.is_some_and(|found| found.created < moment))
}

/// Whether a scanned entry has been replaced.
fn is_replaced(found: &ScannedEntry) -> io::Result<bool> {
    let there = ScannedEntry::at(found.path.clone(), found.shard)?;
    Ok(there.is_none_or(|there| there.created != found.created))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::super::layout::KeyPaths;
    use super::super::store::store;
    use super::*;
    use crate::backend::StoreRequest;
    use crate::key::{Key, KeyHash, Scope, Version};

    #[test]
    fn a_removal_that_loses_each_lock_fails() {
        let attempts = |lost: u32| {
            let mut attempts = 0;
            let done = until_lock_is_kept(|| {
                attempts += 1;
                Ok(IsLost(attempts <= lost))
            });
            (attempts, done.is_ok())
        };
        assert_eq!([0, 3].map(attempts), [(1, true), (4, true)]);
        assert_eq!(attempts(4), (4, false));
    }

    #[test]
    fn replaced_entries_are_not_evicted() {
        let dir = tempfile::tempdir().unwrap();
        let paths = |shard| {
            let hash = KeyHash::from_bytes([shard; 32]);
            let scope = Arc::new(Scope::new("default", "function"));
            KeyPaths::new(dir.path(), &Key::new(scope, Version::Unversioned, hash))
        };
        let now = SystemTime::now();
        let put = |shard, age| {
            let request = StoreRequest::new(&[0; 10], now - Duration::from_secs(age));
            store(&paths(shard), &request).unwrap();
        };
        (1..=3).for_each(|shard| put(shard, 100));
        let scope = paths(1).scope;
        counts::totals(&scope, now).unwrap();
        let found = evictable(&scope).unwrap();
        put(2, 50);

        assert_eq!(evict_some(&scope, &found, 0, now).unwrap(), 2);
        let left = evictable(&scope).unwrap();
        assert_eq!(left.len(), 1, "the newer one stays");
    }
}
