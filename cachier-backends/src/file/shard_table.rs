//! The size of a function's entries per shard, and the lock under which entries change.
//!
//! A holder of the lock may be stopped. A waiter that sees no activity replaces the shard table, and removes what the holder
//! was about to move into place: see [`replace`](ShardTable::replace).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use super::entry_file::{Temporary, remove_unfinished};
use super::files::{existing, in_folder, open_or_create};
use super::layout::{SHARD_TABLE_FILE, Shard};
use super::lock::{self, LockAttempt, LockTimedOut, LockTimeout};
use super::lock_queue::{QueuePosition, enqueue};
use super::shard_row::{ROW_BYTES, Row, Totals, row_offset};

/// The locked shard table of a function, a row for each shard. While it exists, nobody else adds or removes entries.
pub(super) struct ShardTable {
    file: File,
    scope: PathBuf,
    since: Instant,
    /// Released after the lock. `None` if there was no queueing.
    _position: Option<QueuePosition>,
}

/// How often the shard table may be replaced while it is being locked.
const MAX_REPLACEMENTS: u32 = 64;

impl ShardTable {
    /// Locks a function's shard table, creating the function's folder if need be.
    pub(super) fn lock(scope: &Path) -> io::Result<Self> {
        in_folder(scope, || Self::lock_in(scope))
    }

    /// Locks a function's shard table, if the function has a folder.
    pub(super) fn lock_existing(scope: &Path) -> io::Result<Option<Self>> {
        existing(Self::lock_in(scope))
    }

    /// Locks a function's shard table, if the function has a folder and the lock is free.
    pub(super) fn try_lock(scope: &Path) -> io::Result<Option<Self>> {
        let path = scope.join(SHARD_TABLE_FILE);
        let Some(file) = existing(open_or_create(&path))? else {
            return Ok(None);
        };
        let is_ours = lock::try_lock(&file)? && lock::is_at(&file, &path)?;
        Ok(is_ours.then(|| Self::locked(file, scope, None)))
    }

    fn lock_in(scope: &Path) -> io::Result<Self> {
        let timeout = LockTimeout::of_this_thread();
        let position = enqueue(&scope.join(SHARD_TABLE_FILE), timeout.deadline())
            .ok_or_else(LockTimedOut::error)?;
        Self::lock_by(scope, &timeout, Some(position))
    }

    fn lock_by(
        scope: &Path,
        timeout: &LockTimeout,
        mut position: Option<QueuePosition>,
    ) -> io::Result<Self> {
        let path = scope.join(SHARD_TABLE_FILE);
        for _ in 0..MAX_REPLACEMENTS {
            let file = open_or_create(&path)?;
            match lock::lock_within(&file, timeout)? {
                LockAttempt::Locked if lock::is_at(&file, &path)? => {
                    return Ok(Self::locked(file, scope, position.take()));
                }
                LockAttempt::Locked => {}
                LockAttempt::Stuck => {
                    if let Some(file) = Self::replace(scope, &file)? {
                        return Ok(Self::locked(file, scope, position.take()));
                    }
                }
            }
        }
        Err(LockTimedOut::error())
    }

    fn locked(file: File, scope: &Path, position: Option<QueuePosition>) -> Self {
        lock::touch(&file);
        Self {
            file,
            scope: scope.to_owned(),
            since: Instant::now(),
            _position: position,
        }
    }

    /// Replaces the shard table of an inactive holder by a new, locked one; `None` if somebody else has.
    ///
    /// The holder may resume at any moment. Temporary files that it could still move into place are removed before
    /// anybody else gets the lock. Anything else that it may do removes an entry or a lease, which costs a computation
    /// at most; and it notices, and has the shard counted again.
    fn replace(scope: &Path, stuck: &File) -> io::Result<Option<File>> {
        let path = scope.join(SHARD_TABLE_FILE);
        let written = Temporary::write(scope, b"", SystemTime::now())?;
        let file = written.open()?;
        if !lock::try_lock(&file)? {
            return Ok(None);
        }
        // If this fails, nothing has happened; once it succeeds, later failures can do no harm.
        remove_unfinished(scope, || ())?;
        if !lock::is_at(stuck, &path)? {
            return Ok(None);
        }
        written.move_to(&path)?;
        remove_unfinished(scope, || lock::touch(&file))?;
        Ok(lock::is_at(&file, &path)?.then_some(file))
    }

    /// Whether the shard table has been replaced because its holder seemed to be stopped.
    pub(super) fn is_lost(&self) -> io::Result<bool> {
        Ok(lock::may_be_lost(self.since)
            && !lock::is_at(&self.file, &self.scope.join(SHARD_TABLE_FILE))?)
    }

    /// Totals of all shards, if all were counted recently.
    pub(super) fn totals(&self, now: SystemTime) -> io::Result<Option<Totals>> {
        self.sum(|row| row.is_recent(now))
    }

    /// Totals of all shards, if all are known, however old the counts are.
    pub(super) fn recorded_totals(&self) -> io::Result<Option<Totals>> {
        self.sum(|_| true)
    }

    /// Totals of all shards, if all their rows exist and are acceptable.
    fn sum(&self, is_acceptable: impl Fn(&Row) -> bool) -> io::Result<Option<Totals>> {
        let bytes = self.read(0, ROW_BYTES * Shard::COUNT)?;
        let mut totals = Totals::default();
        for shard in Shard::all() {
            let row = bytes.get(row_offset(shard)..).and_then(Row::parse);
            match row.filter(&is_acceptable) {
                Some(row) => totals.add(row.totals),
                None => return Ok(None),
            }
        }
        Ok(Some(totals))
    }

    /// Whether a shard was counted recently.
    pub(super) fn is_known(&self, shard: Shard, now: SystemTime) -> io::Result<bool> {
        let row = self.row(shard)?;
        Ok(row.is_some_and(|row| row.is_recent(now)))
    }

    /// Begins an update of a shard.
    pub(super) fn begin_update(&self, shard: Shard) -> ShardUpdate<'_> {
        // An unreadable shard table counts as unknown, and is counted again in a while.
        let before = self.row(shard).ok().flatten();
        if before.is_some() {
            let _ = self.forget(shard);
        }
        ShardUpdate {
            table: self,
            shard,
            before,
        }
    }

    /// Makes a shard's totals unknown.
    fn forget(&self, shard: Shard) -> io::Result<()> {
        self.write(shard, [0; ROW_BYTES])
    }

    /// Records a shard's totals, counted under this lock.
    pub(super) fn record_count(
        &self,
        shard: Shard,
        totals: Totals,
        now: SystemTime,
    ) -> io::Result<()> {
        let counted = now;
        self.write(shard, Row { totals, counted }.to_bytes())
    }

    fn row(&self, shard: Shard) -> io::Result<Option<Row>> {
        Ok(Row::parse(&self.read(row_offset(shard), ROW_BYTES)?))
    }

    fn read(&self, start: usize, length: usize) -> io::Result<Vec<u8>> {
        let mut file = &self.file;
        let mut bytes = Vec::with_capacity(length);
        file.seek(SeekFrom::Start(start as u64))?;
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&self, shard: Shard, row: [u8; ROW_BYTES]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(row_offset(shard) as u64))?;
        file.write_all(&row)
    }
}

/// An unfinished update of a shard. The shard's totals are unknown until it is committed: if the process is killed
/// before that, the shard is counted again.
pub(super) struct ShardUpdate<'a> {
    table: &'a ShardTable,
    shard: Shard,
    before: Option<Row>,
}

impl ShardUpdate<'_> {
    /// Records what was added to and removed from the shard.
    pub(super) fn commit(self, added: Totals, gone: Totals) {
        let (table, shard) = (self.table, self.shard);
        if let Some(mut row) = self.before {
            row.totals.add(added);
            row.totals.subtract(gone);
            // A failed write leaves the totals unknown.
            let _ = table.write(shard, row.to_bytes());
        }
        if let Ok(true) = table.is_lost() {
            self.forget_in_successor();
        }
    }

    /// Makes the shard's totals unknown in the shard table that has replaced this one.
    #[cold]
    fn forget_in_successor(&self) {
        // This thread is at the head of the queue already.
        let timeout = LockTimeout::of_this_thread();
        if let Ok(table) = ShardTable::lock_by(&self.table.scope, &timeout, None) {
            let _ = table.forget(self.shard);
        }
    }
}

impl Drop for ShardTable {
    fn drop(&mut self) {
        // Closing is not enough: a forked process may have the file open.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::sync::Arc;

    use super::super::layout::KeyPaths;
    use super::super::{counts, removal};
    use super::*;
    use crate::key::{Key, KeyHash, Scope, Version};

    fn paths(dir: &Path) -> KeyPaths {
        let scope = Arc::new(Scope::new("default", "function"));
        let hash = KeyHash::from_bytes([7; 32]);
        KeyPaths::new(dir, &Key::new(scope, Version::Unversioned, hash))
    }

    fn write(paths: &KeyPaths) -> Temporary {
        Temporary::write(&paths.folder, b"entry", SystemTime::now()).unwrap()
    }

    fn entries(paths: &KeyPaths) -> u64 {
        let totals = counts::totals(&paths.scope, SystemTime::now());
        totals.unwrap().unwrap().entries
    }

    /// The shard table, locked by a process outside this one's queue.
    fn held_elsewhere(paths: &KeyPaths) -> ShardTable {
        let file = open_or_create(&paths.scope.join(SHARD_TABLE_FILE)).unwrap();
        assert!(lock::try_lock(&file).unwrap());
        ShardTable::locked(file, &paths.scope, None)
    }

    #[test]
    fn an_uncommitted_update_makes_the_shard_counted() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        let written = write(&paths);
        assert_eq!(entries(&paths), 0);
        let table = ShardTable::lock(&paths.scope).unwrap();
        let update = table.begin_update(paths.shard);
        written.move_to(&paths.entry).unwrap();
        // Here the process is killed.
        let _ = update;
        drop(table);
        assert_eq!(entries(&paths), 1);
    }

    #[test]
    fn a_stopped_holders_temporary_files_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        let written = write(&paths);
        let stopped = held_elsewhere(&paths);
        assert!(!removal::remove(&paths).unwrap(), "there is nothing yet");
        assert!(stopped.is_lost().unwrap());
        let moved = existing(written.move_to(&paths.entry));
        assert!(moved.unwrap().is_none());
        assert!(!paths.entry.exists());
    }

    #[test]
    fn a_resumed_holder_has_its_shard_counted() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        write(&paths).move_to(&paths.entry).unwrap();
        let stopped = held_elsewhere(&paths);
        assert_eq!(entries(&paths), 1);
        let update = stopped.begin_update(paths.shard);
        fs::remove_file(&paths.entry).unwrap();
        assert_eq!(entries(&paths), 1, "nobody knows yet");
        update.commit(Totals::default(), Totals::one(5));
        assert_eq!(entries(&paths), 0);
    }
}
