//! What the entries of a function take, shard by shard, and the lock under which that changes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::files::{existing, in_folder, open_or_create};
use super::layout::{LEDGER, Shard};
use super::lock;

/// How many entries there are and how many bytes they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// The locked ledger of a function. While it exists, nobody else puts an entry of the function in
/// place or removes one.
pub(super) struct Ledger {
    file: File,
}

/// How long counted totals are trusted: a writer that is killed at the wrong moment and a user who
/// removes files leave them wrong.
const TRUSTED: Duration = Duration::from_secs(600);

/// How often another file may take the ledger's place while it is being locked.
const MAX_REPLACEMENTS: u32 = 64;

/// A line holds entries, bytes, when they were counted in seconds since 1970, and a check of these.
const LINE: usize = 4 * 8;

impl Ledger {
    /// Locks the ledger of a function whose folder there is or will be.
    pub(super) fn lock(scope: &Path) -> io::Result<Self> {
        in_folder(scope, || Self::lock_in(scope))
    }

    /// Locks the ledger of a function, if the function has a folder.
    pub(super) fn lock_existing(scope: &Path) -> io::Result<Option<Self>> {
        existing(Self::lock_in(scope))
    }

    /// Locks the ledger of a function, if the function has a folder and nobody has locked it right now.
    pub(super) fn try_lock(scope: &Path) -> io::Result<Option<Self>> {
        let path = scope.join(LEDGER);
        let Some(file) = existing(open_or_create(&path))? else {
            return Ok(None);
        };
        let is_ours = lock::try_lock(&file)? && lock::is_at(&file, &path)?;
        Ok(is_ours.then_some(Self { file }))
    }

    fn lock_in(scope: &Path) -> io::Result<Self> {
        let path = scope.join(LEDGER);
        for _ in 0..MAX_REPLACEMENTS {
            let file = open_or_create(&path)?;
            lock::lock_soon(&file)?;
            if lock::is_at(&file, &path)? {
                return Ok(Self { file });
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// What all shards hold, if that is known and was counted lately.
    pub(super) fn totals(&self, now: SystemTime) -> io::Result<Option<Totals>> {
        self.sum(|line| line.is_trusted(now))
    }

    /// What all shards hold, if that is known, however long ago it was counted.
    pub(super) fn noted_totals(&self) -> io::Result<Option<Totals>> {
        self.sum(|_| true)
    }

    /// What all shards hold, if all their lines are there and acceptable.
    fn sum(&self, is_acceptable: impl Fn(&Line) -> bool) -> io::Result<Option<Totals>> {
        let bytes = self.read(0, LINE * Shard::COUNT)?;
        let mut totals = Totals::default();
        for shard in Shard::all() {
            let line = bytes.get(line_of(shard)..).and_then(parse);
            match line.filter(&is_acceptable) {
                Some(line) => totals.add(line.totals),
                None => return Ok(None),
            }
        }
        Ok(Some(totals))
    }

    /// Whether what a shard holds is known and was counted lately.
    pub(super) fn is_known(&self, shard: Shard, now: SystemTime) -> io::Result<bool> {
        let line = self.line(shard)?;
        Ok(line.is_some_and(|line| line.is_trusted(now)))
    }

    /// Notes what has been added to a shard and what is gone from it.
    pub(super) fn note(&self, shard: Shard, added: Totals, gone: Totals) -> io::Result<()> {
        let Some(mut line) = self.line(shard)? else {
            return Ok(());
        };
        line.totals.add(added);
        line.totals.subtract(gone);
        self.write(shard, line)
    }

    /// Notes what a shard holds, counted under this lock.
    pub(super) fn counted(&self, shard: Shard, totals: Totals, now: SystemTime) -> io::Result<()> {
        let counted = now;
        self.write(shard, Line { totals, counted })
    }

    fn line(&self, shard: Shard) -> io::Result<Option<Line>> {
        Ok(parse(&self.read(line_of(shard), LINE)?))
    }

    fn read(&self, start: usize, length: usize) -> io::Result<Vec<u8>> {
        let mut file = &self.file;
        let mut bytes = Vec::with_capacity(length);
        file.seek(SeekFrom::Start(start as u64))?;
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&self, shard: Shard, line: Line) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(line_of(shard) as u64))?;
        file.write_all(&format(line))
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // To close the file would not do: a process that was forked meanwhile has it open.
        let _ = self.file.unlock();
    }
}

impl Totals {
    pub(super) fn one(bytes: u64) -> Self {
        Self { entries: 1, bytes }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.entries = self.entries.saturating_add(other.entries);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    pub(super) fn subtract(&mut self, other: Self) {
        self.entries = self.entries.saturating_sub(other.entries);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }
}

/// What the ledger says of one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    totals: Totals,
    counted: SystemTime,
}

impl Line {
    fn is_trusted(&self, now: SystemTime) -> bool {
        // A clock that was set back also ends the trust.
        now.duration_since(self.counted)
            .is_ok_and(|age| age < TRUSTED)
    }
}

fn line_of(shard: Shard) -> usize {
    LINE * shard.index()
}

fn format(line: Line) -> [u8; LINE] {
    let counted = line.counted.duration_since(UNIX_EPOCH).unwrap_or_default();
    let numbers = [line.totals.entries, line.totals.bytes, counted.as_secs()];
    let mut bytes = [0; LINE];
    let all = numbers.into_iter().chain([check(numbers)]);
    for (place, number) in bytes.chunks_exact_mut(8).zip(all) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

/// Reads a line; `None` if there is none, as in a new ledger and in one that is not ours.
fn parse(bytes: &[u8]) -> Option<Line> {
    let number = |at: usize| Some(u64::from_le_bytes(*bytes.get(8 * at..)?.first_chunk()?));
    let numbers = [number(0)?, number(1)?, number(2)?];
    if number(3)? != check(numbers) {
        return None;
    }
    let [entries, bytes, counted] = numbers;
    Some(Line {
        totals: Totals { entries, bytes },
        counted: UNIX_EPOCH.checked_add(Duration::from_secs(counted))?,
    })
}

/// Tells a line from what was never written, not from what was written to deceive.
fn check([entries, bytes, counted]: [u64; 3]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = (entries ^ ODD).wrapping_mul(ODD) ^ bytes;
    (mixed.wrapping_mul(ODD) ^ counted).wrapping_mul(ODD) ^ 1
}
