//! What the entries of a function take in all, and the lock under which that changes.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::files::{existing, in_folder, open_or_create};
use super::layout::LEDGER;
use super::lock;

/// How many entries there are and how many bytes they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// A change of the totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) added: Totals,
    pub(super) gone: Totals,
}

/// The locked ledger of a function. While it exists, no other process puts an entry of the function
/// in place or removes one.
pub(super) struct Ledger {
    file: File,
}

/// How long counted totals are trusted: a writer that is killed at the wrong moment and a user who
/// removes files leave them wrong.
const TRUSTED: Duration = Duration::from_secs(600);

/// Entries, bytes, when they were counted in seconds since 1970; then a checksum of these.
const LENGTH: usize = 4 * 8;

impl Ledger {
    /// Locks the ledger of a function whose folder there is or will be.
    pub(super) fn lock(scope: &Path) -> io::Result<Self> {
        in_folder(scope, || Self::lock_in(scope))
    }

    /// Locks the ledger of a function, if the function has a folder.
    pub(super) fn lock_existing(scope: &Path) -> io::Result<Option<Self>> {
        existing(Self::lock_in(scope))
    }

    fn lock_in(scope: &Path) -> io::Result<Self> {
        let path = scope.join(LEDGER);
        loop {
            let file = open_or_create(&path)?;
            lock::lock_soon(&file)?;
            if lock::is_at(&file, &path)? {
                return Ok(Self { file });
            }
        }
    }

    /// The totals, if they are known and were counted lately.
    pub(super) fn trusted(&self, now: SystemTime) -> io::Result<Option<Totals>> {
        let known = self.read()?;
        Ok(known.and_then(|(totals, counted)| {
            // A clock that was set back also ends the trust.
            let age = now.duration_since(counted).ok()?;
            (age < TRUSTED).then_some(totals)
        }))
    }

    /// The totals, if they are known at all.
    pub(super) fn totals(&self) -> io::Result<Option<Totals>> {
        Ok(self.read()?.map(|(totals, _)| totals))
    }

    /// Notes a change; gives the new totals, if they are known.
    pub(super) fn note(&self, change: Change) -> io::Result<Option<Totals>> {
        let Some((totals, counted)) = self.read()? else {
            return Ok(None);
        };
        let totals = change.of(totals);
        self.write(totals, counted)?;
        Ok(Some(totals))
    }

    /// Notes totals that were counted.
    pub(super) fn counted(&self, totals: Totals, now: SystemTime) -> io::Result<()> {
        self.write(totals, now)
    }

    fn read(&self) -> io::Result<Option<(Totals, SystemTime)>> {
        let mut file = &self.file;
        let mut bytes = Vec::with_capacity(LENGTH);
        file.rewind()?;
        file.take(LENGTH as u64).read_to_end(&mut bytes)?;
        Ok(parse(&bytes))
    }

    fn write(&self, totals: Totals, counted: SystemTime) -> io::Result<()> {
        let mut file = &self.file;
        file.rewind()?;
        file.write_all(&format(totals, counted))
    }
}

impl Change {
    pub(super) fn of(self, totals: Totals) -> Totals {
        let change = |total: u64, added, gone| total.saturating_add(added).saturating_sub(gone);
        Totals {
            entries: change(totals.entries, self.added.entries, self.gone.entries),
            bytes: change(totals.bytes, self.added.bytes, self.gone.bytes),
        }
    }
}

impl Totals {
    pub(super) fn one(bytes: u64) -> Self {
        Self { entries: 1, bytes }
    }

    pub(super) fn add(&mut self, bytes: u64) {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

fn format(totals: Totals, counted: SystemTime) -> [u8; LENGTH] {
    let counted = counted.duration_since(UNIX_EPOCH).unwrap_or_default();
    let numbers = [totals.entries, totals.bytes, counted.as_secs()];
    let mut bytes = [0; LENGTH];
    for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    let checksum = checksum(&bytes[..24]);
    bytes[24..].copy_from_slice(&checksum);
    bytes
}

fn parse(bytes: &[u8]) -> Option<(Totals, SystemTime)> {
    let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
    if bytes[24..] != checksum(&bytes[..24]) {
        return None;
    }
    let number = |at: usize| Some(u64::from_le_bytes(*bytes[at..].first_chunk()?));
    let (entries, bytes, counted) = (number(0)?, number(8)?, number(16)?);
    let counted = UNIX_EPOCH.checked_add(Duration::from_secs(counted))?;
    Some((Totals { entries, bytes }, counted))
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let mut checksum = [0; 8];
    checksum.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    checksum
}
