//! An entry under its key, as the index holds it.

use std::sync::atomic::Ordering::Relaxed;

use super::entry::{Entry, NewEntry};
use super::sync::AtomicU8;

/// What a hit reads stands together, so that it mostly takes one cache line.
#[repr(C)]
pub(super) struct Node<K, V> {
    pub(super) key: K,
    pub(super) id: u32,
    pub(super) uses: Uses,
    pub(super) created: u64,
    pub(super) value: V,
    pub(super) compute_nanos: u64,
}

impl<K, V> Node<K, V> {
    pub(super) fn new(id: u32, key: K, entry: NewEntry<V>) -> Self {
        Self {
            key,
            id,
            uses: Uses::default(),
            created: entry.created,
            value: entry.value,
            compute_nanos: entry.compute_nanos,
        }
    }
}

impl<K, V: Clone> Node<K, V> {
    #[inline]
    pub(super) fn entry(&self) -> Entry<V> {
        Entry {
            value: self.value.clone(),
            created: self.created,
            compute_nanos: self.compute_nanos,
        }
    }
}

/// How often an entry was used lately, up to three times: counted by hits, spent by the policy.
///
/// Counting is not exact where threads meet, and need not be.
#[derive(Default)]
pub(super) struct Uses(AtomicU8);

impl Uses {
    const MOST: u8 = 3;

    /// Writes only where there is something to change, so that hits on a popular entry share its cache
    /// line in peace.
    #[inline]
    pub(super) fn count(&self) {
        let uses = self.0.load(Relaxed);
        if uses < Self::MOST {
            self.0.store(uses + 1, Relaxed);
        }
    }

    /// Takes a use away; `false` if there is none.
    pub(super) fn spend(&self) -> bool {
        let uses = self.0.load(Relaxed);
        if uses > 0 {
            self.0.store(uses - 1, Relaxed);
        }
        uses > 0
    }
}
