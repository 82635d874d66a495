//! An entry under its key, as the index holds it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::entry::{Entry, NewEntry};

/// What a hit reads stands together, so that it mostly takes one cache line.
#[repr(C)]
pub(super) struct Node<K, V> {
    pub(super) key: K,
    pub(super) id: u32,
    pub(super) used: Used,
    pub(super) created: u64,
    pub(super) value: V,
    pub(super) compute_nanos: u64,
}

impl<K, V> Node<K, V> {
    pub(super) fn new(id: u32, key: K, entry: NewEntry<V>) -> Self {
        Self {
            key,
            id,
            used: Used::default(),
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

/// Whether an entry was used lately: set by hits, taken back by the policy.
#[derive(Default)]
pub(super) struct Used(AtomicBool);

impl Used {
    /// Writes only where there is something to change, so that hits on a popular entry share its cache
    /// line in peace.
    #[inline]
    pub(super) fn set(&self) {
        if !self.0.load(Relaxed) {
            self.0.store(true, Relaxed);
        }
    }

    pub(super) fn take(&self) -> bool {
        self.0.load(Relaxed) && self.0.swap(false, Relaxed)
    }
}
