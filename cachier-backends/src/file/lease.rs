//! The right to compute an entry: a locked file beside it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::entry_file::version_at;
use super::files::{existing, in_folder, open_or_create};
use super::layout::Place;
use super::ledger::Ledger;
use super::{lock, owner};
use crate::backend::EntryVersion;
use crate::process::Process;

/// A lease that this process holds, as long as it keeps the file open.
///
/// The lease is valid while the file is still at its path: whoever removes it ends the lease.
pub(super) struct FileLease {
    file: File,
    path: PathBuf,
    scope: PathBuf,
    /// In its children it is nobody's.
    owner: Process,
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
                if owner::is_gone(&file)? {
                    end_orphan(place, &file)?;
                    continue;
                }
                return Ok(Request::Held);
            }
            if !lock::is_at(&file, &place.lease)? {
                // The owner before removed the file between our opening and our locking.
                continue;
            }
            owner::sign(&file)?;
            let lease = Self {
                file,
                path: place.lease.clone(),
                scope: place.scope.clone(),
                owner: Process::current(),
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
        Ok(self.owner.is_current() && lock::is_at(&self.file, &self.path)?)
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
        // Whoever drops it may be a task, or a caller out of time, and cannot wait for the ledger. If the file cannot be
        // removed at once it stays, unlocked, for the next owner or a cleanup.
        if let Ok(true) = self.is_valid()
            && let Ok(Some(ledger)) = Ledger::try_lock(&self.scope)
        {
            let _ = self.end_under(&ledger);
        }
        if self.owner.is_current() {
            // To close the file would not do: children may have it open.
            let _ = self.file.unlock();
        }
    }
}

/// Ends a lease that only children of its owner hold.
fn end_orphan(place: &Place, file: &File) -> io::Result<()> {
    if let Some(_ledger) = Ledger::lock_existing(&place.scope)?
        && lock::is_at(file, &place.lease)?
        && owner::is_gone(file)?
    {
        existing(fs::remove_file(&place.lease))?;
    }
    Ok(())
}

fn is_changed(place: &Place, seen: Option<&EntryVersion>) -> io::Result<bool> {
    let there = version_at(&place.entry)?;
    Ok(there.as_ref().map(|(version, _)| version) != seen)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::blocking;
    use crate::error::ErrorKind;
    use crate::file::FileBackend;
    use crate::key::{Key, KeyHash, Scope, Version};
    use crate::{BlockingBackend, LeaseReply};

    /// Half the time for which an operation that may take its time waits for the ledger.
    const MOMENT: Duration = Duration::from_millis(250);

    /// Whether something takes less than that, if not each time: the machine may be busy.
    fn is_quick(mut run: impl FnMut()) -> bool {
        (0..5).any(|_| {
            let began = Instant::now();
            run();
            began.elapsed() < MOMENT
        })
    }

    fn key() -> Key {
        let scope = Arc::new(Scope::new("default", "function"));
        Key::new(scope, Version::Unversioned, KeyHash::from_bytes([7; 32]))
    }

    #[test]
    fn a_lease_is_dropped_without_waiting_for_the_ledger_and_can_be_had_again() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path(), &key());
        let request = || FileLease::request(&place, None).unwrap();
        assert!(is_quick(|| {
            let Request::Granted(lease) = request() else {
                panic!("nobody else wants it");
            };
            let _ledger = Ledger::lock(&place.scope).unwrap();
            drop(lease);
        }));
        assert!(place.lease.exists(), "nothing goes without the ledger");

        let Request::Granted(lease) = request() else {
            panic!("nobody holds it");
        };
        drop(lease);
        assert!(!place.lease.exists());
    }

    #[test]
    fn an_operation_waits_for_the_ledger_no_longer_than_it_is_allowed_to() {
        let dir = tempfile::tempdir().unwrap();
        let backend = FileBackend::new(dir.path());
        assert!(is_quick(|| {
            let LeaseReply::Granted(lease) = backend.lease(&key(), None, MOMENT).unwrap() else {
                panic!("nobody else wants it");
            };
            let _ledger = Ledger::lock(&Place::new(dir.path(), &key()).scope).unwrap();
            let released = blocking::inline(Duration::from_millis(1), || backend.release(lease));
            assert_eq!(released.unwrap_err().kind(), ErrorKind::Timeout);
        }));
    }
}
