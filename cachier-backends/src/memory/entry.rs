//! What goes into a store and what comes out.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::index::Item;

/// How much a store may hold. Without bounds it holds all that it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The most entries.
    pub entries: Option<u64>,
    /// The most bytes, of all entries together.
    pub bytes: Option<u64>,
}

/// A value with what is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<V> {
    /// The value itself.
    pub value: V,
    /// When it was computed, in nanoseconds of the caller's clock.
    pub created: u64,
    /// How long computing it took, in nanoseconds.
    pub compute_nanos: u64,
    /// Its size, where the caller can tell.
    pub bytes: Option<u64>,
}

/// What an insertion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Inserted {
    /// Whether the store kept the entry; one that no bound has room for it does not.
    pub kept: bool,
    /// How many other entries went to make room.
    pub evicted: u64,
    /// How many entries the store holds now.
    pub entries: u64,
}

/// An entry under its key, as the index holds it.
pub(super) struct Node<K, V> {
    pub(super) key: K,
    pub(super) entry: Entry<V>,
    pub(super) hash: u64,
    /// What the policy calls the entry; of no meaning in a store without bounds.
    pub(super) id: u32,
    pub(super) used: Used,
}

/// Whether an entry was used lately: set by hits, taken back by the policy.
#[derive(Default)]
pub(super) struct Used(AtomicBool);

impl Bounds {
    pub(super) fn are_set(&self) -> bool {
        self.entries.is_some() || self.bytes.is_some()
    }

    /// Whether the entry fits into an empty store. One whose size is unknown cannot be held to a
    /// bound in bytes.
    pub(super) fn admit<V>(&self, entry: &Entry<V>) -> bool {
        let fits = |limit| entry.bytes.is_some_and(|bytes| bytes <= limit);
        self.entries != Some(0) && self.bytes.is_none_or(fits)
    }

    /// Whether a store that holds this much has room for one more entry, of this size.
    pub(super) fn have_room(&self, entries: u64, bytes: u64, size: u64) -> bool {
        self.entries.is_none_or(|limit| entries < limit)
            && self
                .bytes
                .is_none_or(|limit| bytes.saturating_add(size) <= limit)
    }
}

impl<K, V> Item for Node<K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    #[inline]
    fn hash(&self) -> u64 {
        self.hash
    }
}

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
