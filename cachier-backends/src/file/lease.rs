//! Leases: locked files next to their entries.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::entry_file::{Temporary, version_at};
use super::files::{NotAFile, existing, in_folder, open, open_or_create, remove_path};
use super::layout::KeyPaths;
use super::shard_table::ShardTable;
use super::{lock, owner};
use crate::backend::{EntryVersion, Lease};
use crate::blocking;
use crate::process::Process;

/// A lease held by this process, as long as the file is open.
pub(super) struct FileLease(LeaseFile);

/// The file of a lease, held by anyone or nobody.
///
/// A lease is valid while its file is at its path: removing the file ends the lease.
pub(super) struct LeaseFile {
    file: File,
    path: PathBuf,
    scope: PathBuf,
    /// Child processes do not own it.
    owner: Process,
}

/// The answer to a request for a lease.
pub(super) enum LeaseOutcome {
    Granted(FileLease),
    Held(Option<LeaseFile>),
    Changed,
}

/// How long the removal of a lease that turned out needless may wait for the shard table: its caller is waiting, too.
const MAX_NEEDLESS_WAIT: Duration = Duration::from_millis(20);

/// How often a previous owner may end its lease during our request.
const MAX_ATTEMPTS: u32 = 8;

impl FileLease {
    /// Requests the lease on an entry that was `seen`.
    pub(super) fn request(
        paths: &KeyPaths,
        seen: Option<&EntryVersion>,
    ) -> io::Result<LeaseOutcome> {
        // Saves waiters from becoming owner of an entry that has just been stored.
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
                // Somebody removed the file after we opened it.
                continue;
            }
            let lease = Self(lease);
            // The check that counts: from now on only unconditional operations change the entry.
            if !is_changed(paths, seen)? {
                return Ok(LeaseOutcome::Granted(lease));
            }
            // Dropped, it leaves its file where somebody has the shard table just now; a file that stays is a dead owner's.
            let _ = blocking::inline(MAX_NEEDLESS_WAIT, || lease.end());
            return Ok(LeaseOutcome::Changed);
        }
        Ok(LeaseOutcome::Held(None))
    }

    /// Takes the lease from its holder; returns the entry that it is on.
    ///
    /// A lock cannot be taken away, so the lease's file is replaced by another one, which is locked beforehand.
    pub(super) fn take_over(paths: &KeyPaths) -> io::Result<(Self, Option<EntryVersion>)> {
        for _ in 0..MAX_ATTEMPTS {
            let written = Temporary::write(&paths.folder, b"", SystemTime::now())?;
            let file = written.open()?;
            if !lock::try_lock(&file)? {
                return Err(io::ErrorKind::TimedOut.into());
            }
            owner::sign(&file)?;
            // A concurrent store has finished, or finds its lease ended.
            let _table = ShardTable::lock(&paths.scope)?;
            if existing(written.move_to(&paths.lease))?.is_none() {
                // Somebody took this process for stopped, and removed its temporary files.
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

    /// Ends the lease, unless it has ended.
    pub(super) fn end(&self) -> io::Result<()> {
        if !self.0.is_valid()? {
            return Ok(());
        }
        match ShardTable::lock_existing(&self.0.scope)? {
            Some(table) => self.0.end_under(&table),
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

    /// The file behind a lease of this process, or behind one that it saw somebody else hold.
    pub(super) fn of(lease: &Lease) -> Option<&Self> {
        lease
            .state::<FileLease>()
            .map(FileLease::file)
            .or_else(|| lease.state())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Records this process as the owner; `false` if somebody has ended the lease.
    fn sign(&self) -> io::Result<bool> {
        // A process that finds the previous owner gone ends its lease, after another look under the shard table's lock.
        let _table = match owner::is_signed(&self.file)? {
            true => Some(ShardTable::lock(&self.scope)?),
            false => None,
        };
        if !self.is_valid()? {
            return Ok(false);
        }
        owner::sign(&self.file)?;
        Ok(true)
    }

    /// Whether the lease has not been ended.
    pub(super) fn is_valid(&self) -> io::Result<bool> {
        Ok(self.owner.is_current() && lock::is_at(&self.file, &self.path)?)
    }

    /// Ends the lease, unless it has ended. Under the lock, the path cannot become the next owner's between check and
    /// removal.
    pub(super) fn end_under(&self, _table: &ShardTable) -> io::Result<()> {
        if self.is_valid()? {
            existing(fs::remove_file(&self.path))?;
        }
        Ok(())
    }
}

impl Drop for FileLease {
    fn drop(&mut self) {
        // May run in a task or after a timeout, and so cannot wait for the shard table. Otherwise the file stays, unlocked,
        // for the next owner or a cleanup.
        if let Ok(true) = self.0.is_valid()
            && let Ok(Some(table)) = ShardTable::try_lock(&self.0.scope)
        {
            let _ = self.0.end_under(&table);
        }
        if self.0.owner.is_current() {
            // Closing is not enough: child processes may have the file open.
            let _ = self.0.file.unlock();
        }
    }
}

/// Ends a lease whose lock is held only by children of its owner.
fn end_orphan(paths: &KeyPaths, file: &File) -> io::Result<()> {
    if let Some(_table) = ShardTable::lock_existing(&paths.scope)?
        && lock::is_at(file, &paths.lease)?
        && owner::has_ended(file)?
    {
        existing(fs::remove_file(&paths.lease))?;
    }
    Ok(())
}

/// Removes whatever is at the lease's path and cannot be one.
fn remove_non_file(paths: &KeyPaths) -> io::Result<()> {
    // Under the lock, so that a lease created meanwhile is not removed.
    let _table = ShardTable::lock(&paths.scope)?;
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
    use std::time::Instant;

    use super::*;
    use crate::error::ErrorKind;
    use crate::file::FileBackend;
    use crate::key::{Key, KeyHash, Scope, Version};
    use crate::{BlockingBackend, LeaseReply};

    /// Half of the time that an operation without a deadline would wait for the shard table.
    const MAX_QUICK: Duration = Duration::from_millis(250);

    /// Whether something takes less than that in at least one attempt: the machine may be busy.
    fn is_quick(mut run: impl FnMut()) -> bool {
        (0..5).any(|_| {
            let began = Instant::now();
            run();
            began.elapsed() < MAX_QUICK
        })
    }

    fn key() -> Key {
        let scope = Arc::new(Scope::new("default", "function"));
        Key::new(scope, Version::Unversioned, KeyHash::from_bytes([7; 32]))
    }

    #[test]
    fn dropping_a_lease_never_waits() {
        let dir = tempfile::tempdir().unwrap();
        let paths = KeyPaths::new(dir.path(), &key());
        let request = || FileLease::request(&paths, None).unwrap();
        assert!(is_quick(|| {
            let LeaseOutcome::Granted(lease) = request() else {
                panic!("nobody else wants it");
            };
            let _table = ShardTable::lock(&paths.scope).unwrap();
            drop(lease);
        }));
        assert!(paths.lease.exists(), "nothing goes without the shard table");

        let LeaseOutcome::Granted(lease) = request() else {
            panic!("nobody holds it");
        };
        drop(lease);
        assert!(!paths.lease.exists());
    }

    /// The record of an owner that is gone, at the lease's path.
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
    fn a_lease_ended_before_signing_is_not_owned() {
        let dir = tempfile::tempdir().unwrap();
        let paths = KeyPaths::new(dir.path(), &key());
        leave_record(&paths);
        let slow = LeaseFile::new(open(&paths.lease).unwrap(), &paths);
        assert!(lock::try_lock(&slow.file).unwrap());
        // Others take it for one held only by children of its owner.
        let LeaseOutcome::Granted(_lease) = FileLease::request(&paths, None).unwrap() else {
            panic!("nobody has signed it");
        };
        assert!(!slow.sign().unwrap());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn ending_and_signing_an_orphan_exclude_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let paths = KeyPaths::new(dir.path(), &key());
        leave_record(&paths);
        let slow = LeaseFile::new(open(&paths.lease).unwrap(), &paths);
        assert!(lock::try_lock(&slow.file).unwrap());
        let table = ShardTable::lock(&paths.scope).unwrap();
        let signed = blocking::inline(Duration::from_millis(1), || slow.sign());
        assert!(signed.is_err(), "somebody is looking");
        drop(table);
        assert!(slow.sign().unwrap());
        let request = FileLease::request(&paths, None).unwrap();
        assert!(matches!(request, LeaseOutcome::Held(Some(_))));
    }

    #[test]
    fn waiting_for_the_shard_table_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let backend = FileBackend::new(dir.path());
        assert!(is_quick(|| {
            let LeaseReply::Granted(lease) = backend.lease(&key(), None, MAX_QUICK).unwrap() else {
                panic!("nobody else wants it");
            };
            let _table = ShardTable::lock(&KeyPaths::new(dir.path(), &key()).scope).unwrap();
            let released = blocking::inline(Duration::from_millis(1), || backend.release(lease));
            assert_eq!(released.unwrap_err().kind(), ErrorKind::Timeout);
        }));
    }
}
