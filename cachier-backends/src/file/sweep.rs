//! Removing files: one, all, the old ones, the oldest.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::files::{existing, open_or_create};
use super::layout::{FileName, Place};
use super::ledger::{Change, Ledger, Totals};
use super::lock;
use super::survey::{self, Found};

/// How long an entry can at most be in the writing. What is older was left by a writer that died.
const LONGEST_WRITING: Duration = Duration::from_secs(3600);

/// How many entries are evicted while others wait.
const EVICTED_AT_ONCE: usize = 64;

/// Removes an entry and ends the lease on it; whether there was an entry.
pub(super) fn remove(place: &Place) -> io::Result<bool> {
    let Some(ledger) = Ledger::lock_existing(&place.scope)? else {
        return Ok(false);
    };
    let removed = remove_under(&ledger, &place.entry)?;
    existing(fs::remove_file(&place.lease))?;
    Ok(removed.is_some())
}

/// Removes all entries of a function and ends all leases on them; how many entries there were.
pub(super) fn clear(scope: &Path) -> io::Result<u64> {
    let now = SystemTime::now();
    let mut cleared = 0;
    for shard in survey::shards(scope)? {
        // The whole shard under one lock: an owner that stores its entry now has done so before we
        // look, or finds its lease ended.
        let Some(ledger) = Ledger::lock_existing(scope)? else {
            break;
        };
        for name in survey::names(&shard)? {
            let path = shard.join(&name);
            match FileName::of(&name) {
                FileName::Entry => cleared += u64::from(remove_under(&ledger, &path)?.is_some()),
                FileName::LeaseOn(_) => drop(existing(fs::remove_file(path))?),
                FileName::Temporary(started) => remove_abandoned(&path, started, now)?,
                FileName::Foreign => {}
            }
        }
        drop(ledger);
        remove_if_empty(&shard);
    }
    Ok(cleared)
}

/// Ends all leases on entries of a function.
pub(super) fn clear_leases(scope: &Path) -> io::Result<()> {
    for shard in survey::shards(scope)? {
        let Some(_ledger) = Ledger::lock_existing(scope)? else {
            break;
        };
        for name in survey::names(&shard)? {
            if let FileName::LeaseOn(_) = FileName::of(&name) {
                existing(fs::remove_file(shard.join(&name)))?;
            }
        }
    }
    Ok(())
}

/// Removes the entries of a function that were created before a moment, and what writers and owners
/// left that died; how many entries there were.
pub(super) fn cleanup(scope: &Path, created_before: SystemTime) -> io::Result<u64> {
    let now = SystemTime::now();
    let mut removed = 0;
    for shard in survey::shards(scope)? {
        let Some(ledger) = Ledger::lock_existing(scope)? else {
            break;
        };
        for name in survey::names(&shard)? {
            let path = shard.join(&name);
            match FileName::of(&name) {
                FileName::Entry if is_older(&path, created_before)? => {
                    removed += u64::from(remove_under(&ledger, &path)?.is_some());
                }
                FileName::LeaseOn(_) => remove_unheld(&ledger, &path)?,
                FileName::Temporary(started) => remove_abandoned(&path, started, now)?,
                FileName::Entry | FileName::Foreign => {}
            }
        }
        drop(ledger);
        remove_if_empty(&shard);
    }
    survey::count(scope, now, |_| ())?;
    Ok(removed)
}

/// Removes the oldest entries of a function until the others take at most `capacity` bytes; how
/// many there were.
///
/// Entries that are being computed again stay. A sixteenth is left free, so that the next look
/// through the whole folder is not due with the next entry.
pub(super) fn evict(scope: &Path, capacity: u64, now: SystemTime) -> io::Result<u64> {
    let mut candidates = Vec::new();
    let totals = survey::count(scope, now, |found| candidates.push(found))?;
    if totals.bytes <= capacity {
        return Ok(0);
    }
    let leased = leased(scope)?;
    candidates.retain(|found| !leased.contains(&found.path));
    candidates.sort_by_key(|found| found.created);
    let target = capacity - capacity / 16;
    let mut evicted = 0;
    for some in candidates.chunks(EVICTED_AT_ONCE) {
        let ledger = Ledger::lock(scope)?;
        for found in some {
            if ledger.totals()?.is_none_or(|totals| totals.bytes <= target) {
                return Ok(evicted);
            }
            if !is_replaced(found)? {
                evicted += u64::from(remove_under(&ledger, &found.path)?.is_some());
            }
        }
    }
    Ok(evicted)
}

/// Removes an entry under the lock; how many bytes it had, if there was one.
fn remove_under(ledger: &Ledger, entry: &Path) -> io::Result<Option<u64>> {
    let Some(metadata) = existing(fs::symlink_metadata(entry))? else {
        return Ok(None);
    };
    if existing(fs::remove_file(entry))?.is_none() {
        return Ok(None);
    }
    let gone = Totals::one(metadata.len());
    ledger.note(Change {
        added: Totals::default(),
        gone,
    })?;
    Ok(Some(metadata.len()))
}

/// Removes the lease of an owner that died.
fn remove_unheld(_ledger: &Ledger, lease: &Path) -> io::Result<()> {
    let file = open_or_create(lease)?;
    if lock::try_lock(&file)? {
        existing(fs::remove_file(lease))?;
    }
    Ok(())
}

/// Removes what a writer left that died.
fn remove_abandoned(path: &Path, started: SystemTime, now: SystemTime) -> io::Result<()> {
    let age = now.duration_since(started).unwrap_or_default();
    if age > LONGEST_WRITING {
        existing(fs::remove_file(path))?;
    }
    Ok(())
}

/// Removes a shard that holds nothing any more, and its version if that holds no other.
fn remove_if_empty(shard: &Path) {
    // The system refuses to remove a folder that holds something, which is no failure here.
    if fs::remove_dir(shard).is_ok()
        && let Some(version) = shard.parent()
    {
        let _ = fs::remove_dir(version);
    }
}

fn is_older(entry: &Path, moment: SystemTime) -> io::Result<bool> {
    let metadata = existing(fs::symlink_metadata(entry))?;
    match metadata {
        Some(metadata) => Ok(metadata.modified()? < moment),
        None => Ok(false),
    }
}

/// Whether another entry has taken the place of one that was found.
fn is_replaced(found: &Found) -> io::Result<bool> {
    let there = Found::at(found.path.clone())?;
    Ok(there.is_none_or(|there| there.created != found.created))
}

/// The entries of a function on which there is a lease.
fn leased(scope: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut leased = BTreeSet::new();
    for shard in survey::shards(scope)? {
        for name in survey::names(&shard)? {
            if let FileName::LeaseOn(entry) = FileName::of(&name) {
                leased.insert(shard.join(entry));
            }
        }
    }
    Ok(leased)
}
