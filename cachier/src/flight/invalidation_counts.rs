//! Invalidations of keys that are computed outside any flight.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

/// How often keys were invalidated while they were being computed outside any flight.
pub(super) struct InvalidationCounts<K>(HashMap<K, KeyCounts, RandomState>);

#[derive(Default)]
struct KeyCounts {
    computing: usize,
    forgotten: u64,
}

impl<K> InvalidationCounts<K> {
    pub(super) fn new() -> Self {
        Self(HashMap::default())
    }

    #[cfg(all(test, not(shuttle)))]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn forget_all(&mut self) {
        for counts in self.0.values_mut() {
            counts.forgotten += 1;
        }
    }
}

impl<K: Eq + Hash> InvalidationCounts<K> {
    pub(super) fn forget(&mut self, key: &K) {
        if let Some(counts) = self.0.get_mut(key) {
            counts.forgotten += 1;
        }
    }

    /// Adds a computation of the key; returns its count of invalidations.
    pub(super) fn begin(&mut self, key: K) -> u64 {
        let counts = self.0.entry(key).or_default();
        counts.computing += 1;
        counts.forgotten
    }

    pub(super) fn forgotten(&self, key: &K) -> u64 {
        self.0.get(key).map_or(0, |counts| counts.forgotten)
    }

    /// Removes a computation of the key; returns the key if it was the last.
    pub(super) fn end(&mut self, key: &K) -> Option<K> {
        let counts = self.0.get_mut(key)?;
        counts.computing -= 1;
        if counts.computing > 0 {
            return None;
        }
        self.0.remove_entry(key).map(|(key, _)| key)
    }
}
