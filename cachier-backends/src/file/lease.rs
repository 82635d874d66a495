//! The right to compute an entry: a locked file beside it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::entry_file::{Temporary, version_at};
use super::files::{NotAFile, existing, in_folder, open, open_or_create, remove_path};
use super::layout::KeyPaths;
use super::ledger::Ledger;
use super::{lock, owner};
use crate::backend::{EntryVersion, Lease};
use crate::process::Process;

/// A lease that this process holds, as long as it keeps the file open.
pub(super) struct FileLease(LeaseFile);

/// The file of a lease, whoever holds that.
///
/// The lease is valid while the file is still at its path: whoever removes it ends the lease.
pub(super) struct LeaseFile {
    file: File,
    path: PathBuf,
    scope: PathBuf,
    /// In its children it is nobody's.
    owner: Process,
}

/// The answer to a request for a lease.
pub(super) enum LeaseOutcome {
    Granted(FileLease),
    Held(Option<LeaseFile>),
    Changed,
}

/// How often the owner before may end its lease just when it is our turn.
const MAX_ATTEMPTS: u32 = 8;

impl FileLease {
    /// Asks for the lease on an entry that was `seen`.
    pub(super) fn request(
        paths: &KeyPaths,
        seen: Option<&EntryVersion>,
    ) -> io::Result<LeaseOutcome> {
        // This look saves those who wait for an entry from becoming its owner only to see it.
        if is_changed(paths, seen)? {
            return Ok(LeaseOutcome::Changed);
        }
        for _ in 0..MAX_ATTEMPTS {
            let file = match in_folder(&paths.folder, || open_or_create(&paths.lease)) {
                Err(error) if NotAFile::of(&error).is_some() => {
                    remove_non_file(paths)?;
                    continue;
                }
                opened => opened?,
            };
            let is_ours = lock::try_lock(&file)?;
            if !is_ours && owner::has_ended(&file)? {
                end_orphan(paths, &file)?;
                continue;
            }
            let lease = LeaseFile::new(file, paths);
            if !is_ours {
                return Ok(LeaseOutcome::Held(Some(lease)));
            }
            if !lease.sign()? {
                // Somebody removed the file between our opening and our signing.
                continue;
            }
            let lease = Self(lease);
            // And this look counts: from now on only those change it who do not ask for leases.
            return Ok(if is_changed(paths, seen)? {
                LeaseOutcome::Changed
            } else {
                LeaseOutcome::Granted(lease)
            });
        }
        Ok(LeaseOutcome::Held(None))
    }

    /// Takes the lease, whoever holds it; the entry that it is for.
    ///
    /// A lock cannot be taken from its owner. So another file, locked before anybody sees it, takes the place of that.
    pub(super) fn take_over(paths: &KeyPaths) -> io::Result<(Self, Option<EntryVersion>)> {
        for _ in 0..MAX_ATTEMPTS {
            let written = Temporary::write(&paths.folder, b"", SystemTime::now())?;
            let file = written.open()?;
            if !lock::try_lock(&file)? {
                return Err(io::ErrorKind::TimedOut.into());
            }
            owner::sign(&file)?;
            // An owner that is about to store has done so before, or finds its lease ended.
            let _ledger = Ledger::lock(&paths.scope)?;
            if existing(written.move_to(&paths.lease))?.is_none() {
                // It was taken away, so that a process that was stopped could put nothing in place.
                continue;
            }
            let lease = Self(LeaseFile::new(file, paths));
            let there = version_at(&paths.entry)?;
            return Ok((lease, there.map(|(version, _)| version)));
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    pub(super) fn file(&self) -> &LeaseFile {
        &self.0
    }

    /// Ends the lease, if nobody has.
    pub(super) fn end(&self) -> io::Result<()> {
        if !self.0.is_valid()? {
            return Ok(());
        }
        match Ledger::lock_existing(&self.0.scope)? {
            Some(ledger) => self.0.end_under(&ledger),
            None => Ok(()),
        }
    }
}

impl LeaseFile {
    fn new(file: File, paths: &KeyPaths) -> Self {
        Self {
            file,
            path: paths.lease.clone(),
            scope: paths.scope.clone(),
            owner: Process::current(),
        }
    }

    /// The file of a lease that this process holds, or that it has seen somebody else hold.
    pub(super) fn of(lease: &Lease) -> Option<&Self> {
        lease
            .state::<FileLease>()
            .map(FileLease::file)
            .or_else(|| lease.state())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes whose the lease is, which this process has locked; `false` if somebody has ended it.
    fn sign(&self) -> io::Result<bool> {
        // Who finds that the owner before is gone ends the lease as that one's, and looks once more under the ledger.
        let _ledger = match owner::is_signed(&self.file)? {
            true => Some(Ledger::lock(&self.scope)?),
            false => None,
        };
        if !self.is_valid()? {
            return Ok(false);
        }
        owner::sign(&self.file)?;
        Ok(true)
    }

    /// Whether nobody has ended the lease.
    pub(super) fn is_valid(&self) -> io::Result<bool> {
        Ok(self.owner.is_current() && lock::is_at(&self.file, &self.path)?)
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
        if let Ok(true) = self.0.is_valid()
            && let Ok(Some(ledger)) = Ledger::try_lock(&self.0.scope)
        {
            let _ = self.0.end_under(&ledger);
        }
        if self.0.owner.is_current() {
            // To close the file would not do: children may have it open.
            let _ = self.0.file.unlock();
        }
    }
}

/// Ends a lease that only children of its owner hold.
fn end_orphan(paths: &KeyPaths, file: &File) -> io::Result<()> {
    if let Some(_ledger) = Ledger::lock_existing(&paths.scope)?
        && lock::is_at(file, &paths.lease)?
        && owner::has_ended(file)?
    {
        existing(fs::remove_file(&paths.lease))?;
    }
    Ok(())
}

/// Removes what stands in the place of the lease and can be none.
fn remove_non_file(paths: &KeyPaths) -> io::Result<()> {
    // Under the lock, so that nobody removes the lease that another has put in its place meanwhile.
    let _ledger = Ledger::lock(&paths.scope)?;
    match existing(open(&paths.lease)) {
        Err(error) if NotAFile::of(&error).is_some() => remove_path(&paths.lease).map(drop),
        opened => opened.map(drop),
    }
}

fn is_changed(paths: &KeyPaths, seen: Option<&EntryVersion>) -> io::Result<bool> {
    let there = version_at(&paths.entry)?;
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
        let paths = KeyPaths::new(dir.path(), &key());
        let request = || FileLease::request(&paths, None).unwrap();
        assert!(is_quick(|| {
            let LeaseOutcome::Granted(lease) = request() else {
                panic!("nobody else wants it");
            };
            let _ledger = Ledger::lock(&paths.scope).unwrap();
            drop(lease);
        }));
        assert!(paths.lease.exists(), "nothing goes without the ledger");

        let LeaseOutcome::Granted(lease) = request() else {
            panic!("nobody holds it");
        };
        drop(lease);
        assert!(!paths.lease.exists());
    }

    /// The record of an owner that is gone, at the place of the lease.
    #[cfg(target_os = "linux")]
    fn leave_record(paths: &KeyPaths) {
        let file = in_folder(&paths.folder, || open_or_create(&paths.lease)).unwrap();
        owner::sign(&file).unwrap();
        let record = fs::read_to_string(&paths.lease).unwrap();
        let (process, _) = record.trim_end().rsplit_once(' ').unwrap();
        let of_another = format!("{:128}", format!("{process} 1"));
        fs::write(&paths.lease, of_another).unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_owner_whose_lease_was_ended_before_it_signed_owns_none() {
        let dir = tempfile::tempdir().unwrap();
        let paths = KeyPaths::new(dir.path(), &key());
        leave_record(&paths);
        let slow = LeaseFile::new(open(&paths.lease).unwrap(), &paths);
        assert!(lock::try_lock(&slow.file).unwrap());
        // The others take it for one that only the children of its owner hold.
        let LeaseOutcome::Granted(_lease) = FileLease::request(&paths, None).unwrap() else {
            panic!("nobody has signed it");
        };
        assert!(!slow.sign().unwrap());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn who_ends_an_orphan_and_who_signs_it_take_turns() {
        let dir = tempfile::tempdir().unwrap();
        let paths = KeyPaths::new(dir.path(), &key());
        leave_record(&paths);
        let slow = LeaseFile::new(open(&paths.lease).unwrap(), &paths);
        assert!(lock::try_lock(&slow.file).unwrap());
        let ledger = Ledger::lock(&paths.scope).unwrap();
        let signed = blocking::inline(Duration::from_millis(1), || slow.sign());
        assert!(signed.is_err(), "somebody is looking");
        drop(ledger);
        assert!(slow.sign().unwrap());
        let request = FileLease::request(&paths, None).unwrap();
        assert!(matches!(request, LeaseOutcome::Held(Some(_))));
    }

    #[test]
    fn an_operation_waits_for_the_ledger_no_longer_than_it_is_allowed_to() {
        let dir = tempfile::tempdir().unwrap();
        let backend = FileBackend::new(dir.path());
        assert!(is_quick(|| {
            let LeaseReply::Granted(lease) = backend.lease(&key(), None, MOMENT).unwrap() else {
                panic!("nobody else wants it");
            };
            let _ledger = Ledger::lock(&KeyPaths::new(dir.path(), &key()).scope).unwrap();
            let released = blocking::inline(Duration::from_millis(1), || backend.release(lease));
            assert_eq!(released.unwrap_err().kind(), ErrorKind::Timeout);
        }));
    }
}
