//! An entry with its key, as stored in the index.

use std::sync::atomic::Ordering::Relaxed;

use super::entry::{NewEntry, Times};
use super::sync::{AtomicU8, AtomicU32};

/// Fields that hits read come together, to be mostly in one cache line.
#[repr(C)]
pub(super) struct Node<K, V> {
    pub(super) key: K,
    /// Of concern to writers alone.
    pub(super) id: AtomicU32,
    pub(super) uses: Uses,
    pub(super) since: u64,
    pub(super) value: V,
    pub(super) times: Times,
}

impl<K, V> Node<K, V> {
    pub(super) fn new(id: u32, key: K, entry: NewEntry<V>) -> Self {
        Self {
            key,
            id: AtomicU32::new(id),
            uses: Uses::default(),
            since: entry.since,
            times: entry.times(),
            value: entry.value,
        }
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
