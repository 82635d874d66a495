//! Putting an entry in its place, and making room for it.

use std::io;
use std::time::SystemTime;

use super::entry_file::{MAX_ENTRY_BYTES, Temporary, version_at};
use super::files::existing;
use super::layout::KeyPaths;
use super::lease::LeaseFile;
use super::ledger::{Ledger, Totals};
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
    let Some(ledger) = write(paths, request, &condition)? else {
        return Ok(StoreReply::Superseded);
    };
    let Some(capacity) = request.capacity_bytes else {
        return Ok(StoreReply::Stored { evicted: 0 });
    };
    // The entry is there, whatever comes of this: the next one makes room for both.
    let evicted = make_room(ledger, paths, capacity, SystemTime::now()).unwrap_or(0);
    Ok(StoreReply::Stored { evicted })
}

/// Removes the entry of a lease; whether there was one, or `None` if the lease has ended or the entry has changed.
pub(super) fn vacate(paths: &KeyPaths, lease: &Lease) -> io::Result<Option<bool>> {
    let condition = Condition::under(lease)?;
    let ledger = Ledger::lock(&paths.scope)?;
    let there = version_at(&paths.entry)?.map(|(version, _)| version);
    if !condition.holds_for(there.as_ref())? {
        return Ok(None);
    }
    let removed = removal::remove_entry(&ledger, paths.shard, &paths.entry)?;
    Ok(Some(removed.is_some()))
}

/// Writes an entry and puts it in its place, where that is permitted; the ledger, which is locked still.
fn write(
    paths: &KeyPaths,
    request: &StoreRequest<'_>,
    condition: &Condition<'_>,
) -> io::Result<Option<Ledger>> {
    for _ in 0..MAX_ATTEMPTS {
        // Before the lock: writing may take long.
        let written = Temporary::write(&paths.folder, request.entry, request.created)?;
        let ledger = Ledger::lock(&paths.scope)?;
        match put(
            &ledger,
            paths,
            written,
            request.entry.len() as u64,
            condition,
        )? {
            PutOutcome::Done => return Ok(Some(ledger)),
            PutOutcome::Refused => return Ok(None),
            PutOutcome::Displaced => {}
        }
    }
    Ok(None)
}

/// Evicts entries until the others take at most `capacity` bytes; how many there were.
///
/// A count that is too old to be trusted is renewed for the shard of the entry alone: to count the whole folder would hold
/// up the caller, and the other shards have their turn with their own entries.
fn make_room(ledger: Ledger, paths: &KeyPaths, capacity: u64, now: SystemTime) -> io::Result<u64> {
    if !ledger.is_known(paths.shard, now)? {
        counts::count(&ledger, &paths.scope, paths.shard, now)?;
    }
    let fits = |totals: Totals| totals.bytes <= capacity;
    if ledger.recorded_totals()?.is_some_and(fits) {
        return Ok(0);
    }
    drop(ledger);
    removal::evict(&paths.scope, capacity, now)
}

/// Under what condition an entry may be put in its place.
enum Condition<'a> {
    Always,
    /// While the lease is valid and the entry the one that was seen.
    Leased(&'a LeaseFile, Option<&'a EntryVersion>),
}

impl<'a> Condition<'a> {
    fn under(lease: &'a Lease) -> io::Result<Self> {
        match LeaseFile::of(lease) {
            Some(file) => Ok(Self::Leased(file, lease.seen())),
            None => Err(io::Error::other("the lease is one of another backend")),
        }
    }

    /// Whether it holds for the entry that is there.
    fn holds_for(&self, there: Option<&EntryVersion>) -> io::Result<bool> {
        match self {
            Self::Always => Ok(true),
            Self::Leased(lease, seen) => Ok(there == *seen && lease.is_valid()?),
        }
    }
}

/// How often an entry is written that others take away, because a process was stopped that held the lock.
const MAX_ATTEMPTS: u32 = 3;

/// What became of a written entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PutOutcome {
    /// It is in its place.
    Done,
    /// It was not permitted.
    Refused,
    /// It was taken away before, so that another process could not put its own in place.
    Displaced,
}

/// Moves a written entry to its place, where that is permitted.
fn put(
    ledger: &Ledger,
    paths: &KeyPaths,
    written: Temporary,
    length: u64,
    condition: &Condition<'_>,
) -> io::Result<PutOutcome> {
    let before = match (version_at(&paths.entry), condition) {
        // What stands there and is no entry is replaced.
        (Err(_), Condition::Always) => None,
        (before, _) => before?,
    };
    let (version, replaced) = before.unzip();
    if !condition.holds_for(version.as_ref())? {
        if let Condition::Leased(lease, _) = condition {
            lease.end_under(ledger)?;
        }
        return Ok(PutOutcome::Refused);
    }
    let update = ledger.begin_update(paths.shard);
    if existing(written.move_to(&paths.entry))?.is_none() {
        // Whoever was stopped itself does not try again: its entry may be an old one by now.
        let outcome = match ledger.is_lost()? {
            true => PutOutcome::Refused,
            false => PutOutcome::Displaced,
        };
        update.commit(Totals::default(), Totals::default());
        return Ok(outcome);
    }
    // From here on the entry is stored. A lease that could not be ended ends with its owner.
    if let Condition::Leased(lease, _) = condition {
        let _ = lease.end_under(ledger);
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
    fn a_count_that_is_too_old_is_renewed_for_one_shard_with_each_entry() {
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
        let ledger = Ledger::lock(&scope).unwrap();
        Shard::all().for_each(|shard| ledger.record_count(shard, wrong, now - DAY).unwrap());
        drop(ledger);

        put(2);

        let ledger = Ledger::lock(&scope).unwrap();
        let known = Shard::all().filter(|shard| ledger.is_known(*shard, now).unwrap());
        assert_eq!(known.count(), 1, "only where the entry is");
        let noted = ledger.recorded_totals().unwrap().unwrap();
        assert_eq!(noted.entries, 3 * 255 + 1);
        assert_eq!(ledger.totals(now).unwrap(), None);
    }
}
