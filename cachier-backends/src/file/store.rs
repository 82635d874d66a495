//! Putting an entry in its place, and making room for it.

use std::io;
use std::time::SystemTime;

use super::entry_file::{LARGEST, Temporary, version_at};
use super::layout::Place;
use super::lease::FileLease;
use super::ledger::{Ledger, Totals};
use super::sweep;
use crate::backend::{EntryVersion, StoreReply, StoreRequest};

/// Stores an entry, under a lease or unconditionally.
pub(super) fn store(place: &Place, request: &StoreRequest<'_>) -> io::Result<StoreReply> {
    let length = request.entry.len() as u64;
    let limit = request.capacity_bytes.unwrap_or(LARGEST).min(LARGEST);
    if length > limit {
        return Ok(StoreReply::TooLarge);
    }
    let permit = match &request.lease {
        None => Permit::Always,
        Some(lease) => match lease.state::<FileLease>() {
            Some(of_file) => Permit::Under(of_file, lease.seen()),
            None => return Err(io::Error::other("the lease is one of another backend")),
        },
    };
    // Before the lock: writing may take long.
    let written = Temporary::write(&place.folder, request.entry, request.created)?;
    let ledger = Ledger::lock(&place.scope)?;
    if !put(&ledger, place, written, length, &permit)? {
        return Ok(StoreReply::Superseded);
    }
    let Some(capacity) = request.capacity_bytes else {
        return Ok(StoreReply::Stored { evicted: 0 });
    };
    let now = SystemTime::now();
    let fits = |totals: Totals| totals.bytes <= capacity;
    let evicted = if ledger.totals(now)?.is_some_and(fits) {
        0
    } else {
        drop(ledger);
        sweep::evict(&place.scope, capacity, now)?
    };
    Ok(StoreReply::Stored { evicted })
}

/// Under what condition an entry may be put in its place.
enum Permit<'a> {
    Always,
    /// While the lease is valid and the entry the one that was seen.
    Under(&'a FileLease, Option<&'a EntryVersion>),
}

/// Moves a written entry to its place; whether it was permitted.
fn put(
    ledger: &Ledger,
    place: &Place,
    written: Temporary,
    length: u64,
    permit: &Permit<'_>,
) -> io::Result<bool> {
    let before = match (version_at(&place.entry), permit) {
        // What stands there and is no entry is replaced.
        (Err(_), Permit::Always) => None,
        (before, _) => before?,
    };
    let (version, replaced) = before.unzip();
    if let Permit::Under(lease, seen) = permit
        && !(lease.is_valid()? && version.as_ref() == *seen)
    {
        lease.end_under(ledger)?;
        return Ok(false);
    }
    written.move_to(&place.entry)?;
    if let Permit::Under(lease, _) = permit {
        lease.end_under(ledger)?;
    }
    let gone = replaced.map(Totals::one).unwrap_or_default();
    ledger.note(place.shard, Totals::one(length), gone)?;
    Ok(true)
}
