//! The rows of a shard table, one for each shard.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::layout::Shard;

/// Number and total size of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// A row holds entries, bytes, the time of counting in seconds since 1970, and a checksum.
pub(super) const ROW_BYTES: usize = 4 * 8;

/// How long counts are trusted: a machine crash, or a user who removes files, makes them wrong.
const MAX_COUNT_AGE: Duration = Duration::from_secs(600);

/// The record of one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) totals: Totals,
    pub(super) counted: SystemTime,
}

impl Row {
    /// Parses a row; `None` if there is none, as in a new shard table or a foreign file.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(*bytes.get(8 * at..)?.first_chunk()?));
        let numbers = [number(0)?, number(1)?, number(2)?];
        if number(3)? != check(numbers) {
            return None;
        }
        let [entries, bytes, counted] = numbers;
        Some(Self {
            totals: Totals { entries, bytes },
            counted: UNIX_EPOCH.checked_add(Duration::from_secs(counted))?,
        })
    }

    pub(super) fn to_bytes(self) -> [u8; ROW_BYTES] {
        let counted = self.counted.duration_since(UNIX_EPOCH).unwrap_or_default();
        let numbers = [self.totals.entries, self.totals.bytes, counted.as_secs()];
        let mut bytes = [0; ROW_BYTES];
        let all = numbers.into_iter().chain([check(numbers)]);
        for (place, number) in bytes.chunks_exact_mut(8).zip(all) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Whether the count is recent enough to be trusted.
    pub(super) fn is_recent(&self, now: SystemTime) -> bool {
        // A count from the future is not trusted: the clock was set back.
        now.duration_since(self.counted)
            .is_ok_and(|age| age < MAX_COUNT_AGE)
    }
}

/// Where the row of a shard begins, in bytes.
pub(super) fn row_offset(shard: Shard) -> usize {
    ROW_BYTES * shard.index()
}

/// Detects rows that were never written, not forged ones.
fn check([entries, bytes, counted]: [u64; 3]) -> u64 {
    const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = (entries ^ GOLDEN_RATIO).wrapping_mul(GOLDEN_RATIO) ^ bytes;
    (mixed.wrapping_mul(GOLDEN_RATIO) ^ counted).wrapping_mul(GOLDEN_RATIO) ^ 1
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
