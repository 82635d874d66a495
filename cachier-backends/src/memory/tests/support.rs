//! Stores and entries for tests.

use crate::memory::{Bounds, MemoryStore, NewEntry};

/// Every value is fresh.
pub(super) const ANY: Option<fn(u64) -> bool> = None;
/// No value is fresh.
#[cfg(not(shuttle))]
pub(super) const NONE: Option<fn(u64) -> bool> = Some(|_| false);

/// An entry where only the value matters.
pub(super) fn plain<V>(value: V) -> NewEntry<V> {
    NewEntry::new(value, 0, 0)
}

#[cfg(not(shuttle))]
pub(super) fn unbounded<K, V>() -> MemoryStore<K, V>
where
    K: Eq + std::hash::Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    MemoryStore::new(Bounds::default())
}

pub(super) fn at_most<K, V>(entries: u64) -> MemoryStore<K, V>
where
    K: Eq + std::hash::Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    MemoryStore::new(Bounds::new(Some(entries), None))
}
