//! An entry with its key, as stored in the index.

use std::sync::atomic::Ordering::Relaxed;

use super::entry::{Entry, NewEntry};
use super::index::Item;
use super::sizes::Size;
use super::sync::{AtomicU8, AtomicU32};
use super::times::RoundedNanos;

/// Fields that hits read come together, to be mostly in one cache line.
#[repr(C)]
pub(super) struct Node<K, V> {
    pub(super) key: K,
    compute: RoundedNanos,
    pub(super) uses: Uses,
    pub(super) size: Size,
    pub(super) since: u64,
    pub(super) value: V,
    pub(super) created: u64,
    hash: u32,
    id: AtomicU32,
}

impl<K, V> Node<K, V> {
    pub(super) fn new(hash: u32, key: K, entry: NewEntry<V>) -> Self {
        Self {
            key,
            compute: RoundedNanos::new(entry.compute_nanos),
            uses: Uses::default(),
            size: Size::new(entry.bytes),
            since: entry.since,
            value: entry.value,
            created: entry.created,
            hash,
            id: AtomicU32::new(0),
        }
    }

    /// This value with the entry's times.
    pub(super) fn entry(&self, value: V) -> Entry<V> {
        Entry {
            value,
            created: self.created,
            compute_nanos: self.compute.nanos(),
        }
    }
}

impl<K: Send + Sync + 'static, V: Send + Sync + 'static> Item for Node<K, V> {
    fn hash(&self) -> u32 {
        self.hash
    }

    fn id(&self) -> u32 {
        self.id.load(Relaxed)
    }

    fn set_id(&self, id: u32) {
        self.id.store(id, Relaxed);
    }
}

/// Recent uses of an entry, at most three: counted by hits, spent by the policy.
///
/// Concurrent counts may get lost, which is fine.
#[derive(Default)]
pub(super) struct Uses(AtomicU8);

impl Uses {
    const MAX_USES: u8 = 3;

    /// Writes only changes, so that hits on a popular entry share its cache line.
    #[inline]
    pub(super) fn count(&self) {
        let uses = self.0.load(Relaxed);
        if uses < Self::MAX_USES {
            self.0.store(uses + 1, Relaxed);
        }
    }

    pub(super) fn copy(&self) -> u8 {
        self.0.load(Relaxed)
    }

    pub(super) fn set(&self, uses: u8) {
        self.0.store(uses, Relaxed);
    }

    /// Spends a use; `false` if there is none left.
    pub(super) fn spend(&self) -> bool {
        let uses = self.0.load(Relaxed);
        if uses > 0 {
            self.0.store(uses - 1, Relaxed);
        }
        uses > 0
    }
}
