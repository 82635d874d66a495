//! A table of the index, with a fixed number of buckets.
//!
//! An item goes into the bucket of its hash, or the next one with a vacant slot. A bucket counts the items that
//! overflowed, which tells a lookup whether to go on.

use super::bucket::Bucket;
use super::catalog::{Position, Positions};
use super::summary::BUCKET_SLOTS;
use super::sync::{Guard, Shared};

/// Tables of fewer buckets are not made smaller when items are removed. The model checker wants less to do.
pub(super) const MIN_SHRUNK: usize = if cfg!(shuttle) { 2 } else { 64 };

pub(super) struct Table<T> {
    buckets: Vec<Bucket<T>>,
}

impl<T: 'static> Table<T> {
    /// An empty table; `buckets` is a power of two.
    pub(super) fn new(buckets: usize) -> Self {
        let mut table = Self {
            buckets: Vec::with_capacity(buckets),
        };
        for _ in 0..buckets {
            table.buckets.push(Bucket::new());
        }
        table
    }

    pub(super) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// The item with this hash for which `is_match` holds.
    #[inline]
    pub(super) fn find<'g>(
        &self,
        hash: u32,
        is_match: impl Fn(&T) -> bool,
        guard: &'g Guard,
    ) -> Option<&'g T> {
        let (_, item) = self.search(hash, is_match, guard)?;
        Some(item)
    }

    /// Where that item is.
    pub(super) fn position(
        &self,
        hash: u32,
        is_match: &dyn Fn(&T) -> bool,
        guard: &Guard,
    ) -> Option<Position> {
        let (position, _) = self.search(hash, is_match, guard)?;
        Some(position)
    }

    #[inline]
    fn search<'g>(
        &self,
        hash: u32,
        is_match: impl Fn(&T) -> bool,
        guard: &'g Guard,
    ) -> Option<(Position, &'g T)> {
        let mut bucket = self.home(hash);
        loop {
            let seen = self.buckets[bucket].summary.read();
            for slot in seen.candidates(hash) {
                if let Some(item) = self.buckets[bucket].get(slot, guard)
                    && is_match(item)
                {
                    return Some((Position::new(bucket, slot), item));
                }
            }
            bucket = self.next(bucket);
            // Every bucket of a small table may have overflowed.
            if !seen.has_overflow() || bucket == self.home(hash) {
                return None;
            }
        }
    }

    /// All slots, taken or not.
    pub(super) fn positions(&self) -> Positions {
        Position::all(self.buckets.len(), BUCKET_SLOTS)
    }

    pub(super) fn get<'g>(&self, position: Position, guard: &'g Guard) -> Option<&'g T> {
        self.buckets[position.bucket()].get(position.slot(), guard)
    }

    /// A reference that outlives the guard.
    pub(super) fn share(&self, position: Position, guard: &Guard) -> Option<Shared<T>> {
        self.buckets[position.bucket()].share(position.slot(), guard)
    }

    /// Whether too many buckets would overflow with one more item.
    pub(super) fn is_full(&self, items: usize) -> bool {
        (items + 1) * 4 > self.buckets.len() * BUCKET_SLOTS * 3
    }

    /// Whether a table of half the size would be far from full too.
    pub(super) fn is_sparse(&self, items: usize) -> bool {
        self.buckets.len() >= MIN_SHRUNK && items * 8 < self.buckets.len() * BUCKET_SLOTS
    }

    /// Puts an item into the first bucket with a slot to spare.
    pub(super) fn insert_item(&self, hash: u32, item: Shared<T>) -> Position {
        let mut bucket = self.home(hash);
        loop {
            let summary = &self.buckets[bucket].summary;
            if let Some(slot) = summary.read().vacant() {
                self.buckets[bucket].put(slot, hash, item);
                return Position::new(bucket, slot);
            }
            summary.add_overflow();
            bucket = self.next(bucket);
        }
    }

    /// Replaces an item by another one of the same key.
    pub(super) fn replace(&self, position: Position, item: Shared<T>) {
        self.buckets[position.bucket()].replace(position.slot(), item);
    }

    /// Removes the item with this hash.
    pub(super) fn take(&self, hash: u32, position: Position) {
        self.buckets[position.bucket()].take(position.slot());
        let mut bucket = self.home(hash);
        while bucket != position.bucket() {
            self.buckets[bucket].summary.remove_overflow();
            bucket = self.next(bucket);
        }
    }

    /// Releases all items of a table that is no longer in use.
    pub(super) fn abandon(&self) {
        for bucket in &self.buckets {
            bucket.abandon();
        }
    }

    #[inline]
    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    #[inline]
    fn next(&self, bucket: usize) -> usize {
        (bucket + 1) & (self.buckets.len() - 1)
    }
}
