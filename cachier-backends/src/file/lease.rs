//! The right to compute an entry: a locked file beside it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::entry_file::version_at;
use super::files::{existing, in_folder, open_or_create};
use super::layout::Place;
use super::ledger::Ledger;
use super::lock;
use crate::backend::EntryVersion;

/// A lease that this process holds, as long as it keeps the file open.
///
/// The lease is valid while the file is still at its path: whoever removes it ends the lease.
pub(super) struct FileLease {
    file: File,
    path: PathBuf,
    scope: PathBuf,
}

/// The answer to a request for a lease.
pub(super) enum Request {
    Granted(FileLease),
    Held,
    Changed,
}

/// How often the owner before may end its lease just when it is our turn.
const ATTEMPTS: u32 = 8;

impl FileLease {
    /// Asks for the lease on an entry that was `seen`.
    pub(super) fn request(place: &Place, seen: Option<&EntryVersion>) -> io::Result<Request> {
        // This look saves those who wait for an entry from becoming its owner only to see it.
        if is_changed(place, seen)? {
            return Ok(Request::Changed);
        }
        for _ in 0..ATTEMPTS {
            let file = in_folder(&place.folder, || open_or_create(&place.lease))?;
            if !lock::try_lock(&file)? {
                return Ok(Request::Held);
            }
            if !lock::is_at(&file, &place.lease)? {
                // The owner before removed the file between our opening and our locking.
                continue;
            }
            let lease = Self {
                file,
                path: place.lease.clone(),
                scope: place.scope.clone(),
            };
            // And this look counts: from now on only those change it who do not ask for leases.
            return Ok(if is_changed(place, seen)? {
                Request::Changed
            } else {
                Request::Granted(lease)
            });
        }
        Ok(Request::Held)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nobody has ended the lease.
    pub(super) fn is_valid(&self) -> io::Result<bool> {
        lock::is_at(&self.file, &self.path)
    }

    /// Ends the lease, if nobody has.
    pub(super) fn end(&self) -> io::Result<()> {
        if !self.is_valid()? {
            return Ok(());
        }
        match Ledger::lock_existing(&self.scope)? {
            Some(ledger) => self.end_under(&ledger),
            None => Ok(()),
        }
    }

    /// Ends the lease, if nobody has: between the look and the removal the path cannot become that
    /// of the next owner.
    pub(super) fn end_under(&self, _ledger: &Ledger) -> io::Result<()> {
        if self.is_valid()? {
            existing(fs::remove_file(&self.path))?;
        }
        Ok(())
    }
}

impl Drop for FileLease {
    fn drop(&mut self) {
        // If the file cannot be removed it stays, unlocked, for the next owner or a cleanup.
        let _ = self.end();
    }
}

fn is_changed(place: &Place, seen: Option<&EntryVersion>) -> io::Result<bool> {
    let there = version_at(&place.entry)?;
    Ok(there.as_ref().map(|(version, _)| version) != seen)
}
