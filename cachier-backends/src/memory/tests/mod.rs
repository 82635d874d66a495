//! The store against a model, single- and multi-threaded; `check` is for the model checker.
#![allow(clippy::unwrap_used)]

#[cfg(shuttle)]
mod check;
#[cfg(not(shuttle))]
mod drops;
#[cfg(not(shuttle))]
mod edges;
#[cfg(not(shuttle))]
mod model;
#[cfg(not(shuttle))]
mod policy;
#[cfg(not(shuttle))]
mod threads;

use super::{Bounds, MemoryStore, NewEntry};

/// Every value is fresh.
const ANY: Option<fn(u64) -> bool> = None;
/// No value is fresh.
#[cfg(not(shuttle))]
const NONE: Option<fn(u64) -> bool> = Some(|_| false);

/// An entry where only the value matters.
fn plain<V>(value: V) -> NewEntry<V> {
    NewEntry::new(value, 0, 0)
}

#[cfg(not(shuttle))]
fn unbounded<K, V>() -> MemoryStore<K, V>
where
    K: Eq + std::hash::Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    MemoryStore::new(Bounds::default())
}

fn at_most<K, V>(entries: u64) -> MemoryStore<K, V>
where
    K: Eq + std::hash::Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    MemoryStore::new(Bounds::new(Some(entries), None))
}
