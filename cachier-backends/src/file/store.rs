//! Putting an entry in its place, and making room for it.

use std::io;
use std::time::SystemTime;

use super::entry_file::{LARGEST, Temporary, version_at};
use super::files::existing;
use super::layout::Place;
use super::lease::LeaseFile;
use super::ledger::{Ledger, Totals};
use super::{counts, sweep};
use crate::backend::{EntryVersion, Lease, StoreReply, StoreRequest};

/// Stores an entry, under a lease or unconditionally.
pub(super) fn store(place: &Place, request: &StoreRequest<'_>) -> io::Result<StoreReply> {
    let length = request.entry.len() as u64;
    let limit = request.capacity_bytes.unwrap_or(LARGEST).min(LARGEST);
    if length > limit {
        return Ok(StoreReply::TooLarge);
    }
    let permit = match &request.lease {
        None => Permit::Always,
        Some(lease) => Permit::under(lease)?,
    };
    let Some(ledger) = write(place, request, &permit)? else {
        return Ok(StoreReply::Superseded);
    };
    let Some(capacity) = request.capacity_bytes else {
        return Ok(StoreReply::Stored { evicted: 0 });
    };
    // The entry is there, whatever comes of this: the next one makes room for both.
    let evicted = make_room(ledger, place, capacity, SystemTime::now()).unwrap_or(0);
    Ok(StoreReply::Stored { evicted })
}

/// Removes the entry of a lease; whether there was one, or `None` if the lease has ended or the entry has changed.
pub(super) fn vacate(place: &Place, lease: &Lease) -> io::Result<Option<bool>> {
    let permit = Permit::under(lease)?;
    let ledger = Ledger::lock(&place.scope)?;
    let there = version_at(&place.entry)?.map(|(version, _)| version);
    if !permit.allows(there.as_ref())? {
        return Ok(None);
    }
    let removed = sweep::remove_entry(&ledger, place.shard, &place.entry)?;
    Ok(Some(removed.is_some()))
}

/// Writes an entry and puts it in its place, where that is permitted; the ledger, which is locked still.
fn write(
    place: &Place,
    request: &StoreRequest<'_>,
    permit: &Permit<'_>,
) -> io::Result<Option<Ledger>> {
    for _ in 0..MAX_ATTEMPTS {
        // Before the lock: writing may take long.
        let written = Temporary::write(&place.folder, request.entry, request.created)?;
        let ledger = Ledger::lock(&place.scope)?;
        match put(&ledger, place, written, request.entry.len() as u64, permit)? {
            Put::Done => return Ok(Some(ledger)),
            Put::Refused => return Ok(None),
            Put::Taken => {}
        }
    }
    Ok(None)
}

/// Evicts entries until the others take at most `capacity` bytes; how many there were.
///
/// A count that is too old to be trusted is renewed for the shard of the entry alone: to count the whole folder would hold
/// up the caller, and the other shards have their turn with their own entries.
fn make_room(ledger: Ledger, place: &Place, capacity: u64, now: SystemTime) -> io::Result<u64> {
    if !ledger.is_known(place.shard, now)? {
        counts::count(&ledger, &place.scope, place.shard, now)?;
    }
    let fits = |totals: Totals| totals.bytes <= capacity;
    if ledger.noted_totals()?.is_some_and(fits) {
        return Ok(0);
    }
    drop(ledger);
    sweep::evict(&place.scope, capacity, now)
}

/// Under what condition an entry may be put in its place.
enum Permit<'a> {
    Always,
    /// While the lease is valid and the entry the one that was seen.
    Under(&'a LeaseFile, Option<&'a EntryVersion>),
}

impl<'a> Permit<'a> {
    fn under(lease: &'a Lease) -> io::Result<Self> {
        match LeaseFile::of(lease) {
            Some(file) => Ok(Self::Under(file, lease.seen())),
            None => Err(io::Error::other("the lease is one of another backend")),
        }
    }

    /// Whether it holds for the entry that is there.
    fn allows(&self, there: Option<&EntryVersion>) -> io::Result<bool> {
        match self {
            Self::Always => Ok(true),
            Self::Under(lease, seen) => Ok(there == *seen && lease.is_valid()?),
        }
    }
}

/// How often an entry is written that others take away, because a process was stopped that held the lock.
const MAX_ATTEMPTS: u32 = 3;

/// What became of a written entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    /// It is in its place.
    Done,
    /// It was not permitted.
    Refused,
    /// It was taken away before, so that another process could not put its own in place.
    Taken,
}

/// Moves a written entry to its place, where that is permitted.
fn put(
    ledger: &Ledger,
    place: &Place,
    written: Temporary,
    length: u64,
    permit: &Permit<'_>,
) -> io::Result<Put> {
    let before = match (version_at(&place.entry), permit) {
        // What stands there and is no entry is replaced.
        (Err(_), Permit::Always) => None,
        (before, _) => before?,
    };
    let (version, replaced) = before.unzip();
    if !permit.allows(version.as_ref())? {
        if let Permit::Under(lease, _) = permit {
            lease.end_under(ledger)?;
        }
        return Ok(Put::Refused);
    }
    let change = ledger.change(place.shard);
    if existing(written.move_to(&place.entry))?.is_none() {
        // Whoever was stopped itself does not try again: its entry may be an old one by now.
        let taken = match ledger.is_lost()? {
            true => Put::Refused,
            false => Put::Taken,
        };
        change.note(Totals::default(), Totals::default());
        return Ok(taken);
    }
    // From here on the entry is stored. A lease that could not be ended ends with its owner.
    if let Permit::Under(lease, _) = permit {
        let _ = lease.end_under(ledger);
    }
    let gone = replaced.map(Totals::one).unwrap_or_default();
    change.note(Totals::one(length), gone);
    Ok(Put::Done)
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
        let place = |shard| {
            let hash = KeyHash::from_bytes([shard; 32]);
            let scope = Arc::new(Scope::new("default", "function"));
            Place::new(dir.path(), &Key::new(scope, Version::Unversioned, hash))
        };
        let put = |shard| {
            let mut request = StoreRequest::new(&[0; 10], SystemTime::now());
            request.capacity_bytes = Some(1_000_000);
            store(&place(shard), &request).unwrap();
        };
        put(1);
        let scope = place(1).scope;
        let now = SystemTime::now();
        let wrong = Totals {
            entries: 3,
            bytes: 30,
        };
        let ledger = Ledger::lock(&scope).unwrap();
        Shard::all().for_each(|shard| ledger.counted(shard, wrong, now - DAY).unwrap());
        drop(ledger);

        put(2);

        let ledger = Ledger::lock(&scope).unwrap();
        let known = Shard::all().filter(|shard| ledger.is_known(*shard, now).unwrap());
        assert_eq!(known.count(), 1, "only where the entry is");
        let noted = ledger.noted_totals().unwrap().unwrap();
        assert_eq!(noted.entries, 3 * 255 + 1);
        assert_eq!(ledger.totals(now).unwrap(), None);
    }
}
