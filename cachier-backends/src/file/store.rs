//! Storing entries, and making room for them.

use std::io;
use std::time::SystemTime;

use super::entry_file::{MAX_ENTRY_BYTES, Temporary, version_at};
use super::files::existing;
use super::layout::KeyPaths;
use super::lease::LeaseFile;
use super::shard_row::Totals;
use super::shard_table::ShardTable;
use super::{counts, removal};
use crate::backend::{EntryVersion, Lease, StoreReply, StoreRequest};

/// Stores an entry, under a lease or unconditionally.
pub(super) fn store(paths: &KeyPaths, request: &StoreRequest<'_>) -> io::Result<StoreReply> {
    let length = request.entry.len() as u64;
    let limit = request
        .capacity_bytes
        .unwrap_or(MAX_ENTRY_BYTES)
        .min(MAX_ENTRY_BYTES);
    if length > limit {
        return Ok(StoreReply::TooLarge);
    }
    let condition = match &request.lease {
        None => Condition::Always,
        Some(lease) => Condition::under(lease)?,
    };
    let Some(table) = write(paths, request, &condition)? else {
        return Ok(StoreReply::Superseded);
    };
    let Some(capacity) = request.capacity_bytes else {
        return Ok(StoreReply::Stored { evicted: 0 });
    };
    // The entry is stored, whether or not this fails; the next store makes room for both.
    let evicted = make_room(table, paths, capacity, SystemTime::now()).unwrap_or(0);
    Ok(StoreReply::Stored { evicted })
}

/// Removes the entry of a lease, if it is still there; whether it was, or `None` if the lease has ended or the entry has changed.
pub(super) fn vacate(paths: &KeyPaths, lease: &Lease) -> io::Result<Option<bool>> {
    let file = file_of(lease)?;
    let table = ShardTable::lock(&paths.scope)?;
    let there = version_at(&paths.entry)?.map(|(version, _)| version);
    let is_changed = there.is_some() && there.as_ref() != lease.seen();
    if is_changed || !file.is_valid()? {
        return Ok(None);
    }
    let removed = removal::remove_entry(&table, paths.shard, &paths.entry)?;
    Ok(Some(removed.is_some()))
}

/// Writes an entry and moves it into place if the condition holds; returns the locked shard table.
fn write(
    paths: &KeyPaths,
    request: &StoreRequest<'_>,
    condition: &Condition<'_>,
) -> io::Result<Option<ShardTable>> {
    for _ in 0..MAX_ATTEMPTS {
        // Before locking, as writing may take long.
        let written = Temporary::write(&paths.folder, request.entry, request.created)?;
        let table = ShardTable::lock(&paths.scope)?;
        match put(
            &table,
            paths,
            written,
            request.entry.len() as u64,
            condition,
        )? {
            PutOutcome::Done => return Ok(Some(table)),
            PutOutcome::Refused => return Ok(None),
            PutOutcome::Displaced => {}
        }
    }
    Ok(None)
}

/// Evicts entries until the others take at most `capacity` bytes; returns how many.
///
/// An outdated count is renewed for the entry's shard only: counting the whole folder would delay the caller, and other
/// shards are counted with entries of their own.
fn make_room(
    table: ShardTable,
    paths: &KeyPaths,
    capacity: u64,
    now: SystemTime,
) -> io::Result<u64> {
    if !table.is_known(paths.shard, now)? {
        counts::count(&table, &paths.scope, paths.shard, now)?;
    }
    let fits = |totals: Totals| totals.bytes <= capacity;
    if table.recorded_totals()?.is_some_and(fits) {
        return Ok(0);
    }
    drop(table);
    removal::evict(&paths.scope, capacity, now)
}

/// The condition for moving an entry into place.
enum Condition<'a> {
    Always,
    /// The lease is valid and the entry unchanged.
    Leased(&'a LeaseFile, Option<&'a EntryVersion>),
}

impl<'a> Condition<'a> {
    fn under(lease: &'a Lease) -> io::Result<Self> {
        Ok(Self::Leased(file_of(lease)?, lease.seen()))
    }

    /// Whether the condition holds for the current entry.
    fn holds_for(&self, there: Option<&EntryVersion>) -> io::Result<bool> {
        match self {
            Self::Always => Ok(true),
            Self::Leased(lease, seen) => Ok(there == *seen && lease.is_valid()?),
        }
    }
}

fn file_of(lease: &Lease) -> io::Result<&LeaseFile> {
    LeaseFile::of(lease).ok_or_else(|| io::Error::other("the lease is one of another backend"))
}

/// How often to write an entry whose temporary file others remove because a lock holder was stopped.
const MAX_ATTEMPTS: u32 = 3;

/// The result of moving an entry into place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PutOutcome {
    Done,
    /// The condition does not hold.
    Refused,
    /// Somebody removed the temporary file, to keep a stopped process from moving its own.
    Displaced,
}

/// Moves a written entry into place if the condition holds.
fn put(
    table: &ShardTable,
    paths: &KeyPaths,
    written: Temporary,
    length: u64,
    condition: &Condition<'_>,
) -> io::Result<PutOutcome> {
    let before = match (version_at(&paths.entry), condition) {
        // Anything that is not an entry is replaced.
        (Err(_), Condition::Always) => None,
        (before, _) => before?,
    };
    let (version, replaced) = before.unzip();
    if !condition.holds_for(version.as_ref())? {
        if let Condition::Leased(lease, _) = condition {
            lease.end_under(table)?;
        }
        return Ok(PutOutcome::Refused);
    }
    let update = table.begin_update(paths.shard);
    if existing(written.move_to(&paths.entry))?.is_none() {
        // If this process itself was stopped it does not retry: its entry may be outdated.
        let outcome = match table.is_lost()? {
            true => PutOutcome::Refused,
            false => PutOutcome::Displaced,
        };
        update.commit(Totals::default(), Totals::default());
        return Ok(outcome);
    }
    // The entry is stored now. A lease that cannot be ended ends with its owner.
    if let Condition::Leased(lease, _) = condition {
        let _ = lease.end_under(table);
    }
    let gone = replaced.map(Totals::one).unwrap_or_default();
    update.commit(Totals::one(length), gone);
    Ok(PutOutcome::Done)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::time::Duration;

    use super::super::layout::Shard;
    use super::*;
    use crate::key::{Key, KeyHash, Scope, Version};

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn outdated_counts_are_renewed_shard_by_shard() {
        let dir = tempfile::tempdir().unwrap();
        let paths = |shard| {
            let hash = KeyHash::from_bytes([shard; 32]);
            let scope = Arc::new(Scope::new("default", "function"));
            KeyPaths::new(dir.path(), &Key::new(scope, Version::Unversioned, hash))
        };
        let put = |shard| {
            let mut request = StoreRequest::new(&[0; 10], SystemTime::now());
            request.capacity_bytes = Some(1_000_000);
            store(&paths(shard), &request).unwrap();
        };
        put(1);
        let scope = paths(1).scope;
        let now = SystemTime::now();
        let wrong = Totals {
            entries: 3,
            bytes: 30,
        };
        let table = ShardTable::lock(&scope).unwrap();
        Shard::all().for_each(|shard| table.record_count(shard, wrong, now - DAY).unwrap());
        drop(table);

        put(2);

        let table = ShardTable::lock(&scope).unwrap();
        let known = Shard::all().filter(|shard| table.is_known(*shard, now).unwrap());
        assert_eq!(known.count(), 1, "only where the entry is");
        let noted = table.recorded_totals().unwrap().unwrap();
        assert_eq!(noted.entries, 3 * 255 + 1);
        assert_eq!(table.totals(now).unwrap(), None);
    }
}
