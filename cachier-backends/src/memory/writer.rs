//! The writing side of a store, which keeps it within its bounds.

use super::catalog::Catalog;
use super::contents::{Contents, Wanted};
use super::entry::{Bounds, NewEntry};
use super::index::Retired;
use super::node::Node;
use super::policy::{Arrival, Policy};
use super::sizes::Sizes;
use super::sync::{Guard, MutexGuard};

/// Data for writers only, under the lock, by entry id.
pub(super) struct WriterState {
    catalog: Catalog,
    sizes: Sizes,
    /// Absent in a store without bounds.
    policy: Option<Policy>,
}

/// The only writer of a store while it holds the lock.
///
/// Removed items are dropped with the outermost guard of the thread or later, so the guard must be older than the lock.
pub(super) struct Writer<'a, K, V> {
    pub(super) bounds: Bounds,
    pub(super) contents: &'a Contents<K, V>,
    pub(super) state: MutexGuard<'a, WriterState>,
    pub(super) guard: &'a Guard,
}

impl<K, V> Writer<'_, K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// The id of a key's entry.
    pub(super) fn find(&self, wanted: &Wanted<'_, K>) -> Option<u32> {
        self.contents.find(wanted, self.guard)
    }

    pub(super) fn remove(&mut self, id: u32) {
        self.take_out(id);
        self.shrink_to_few();
    }

    pub(super) fn remove_older_than(&mut self, created_before: u64) -> u64 {
        let mut removed = 0;
        for id in self.state.catalog.ids() {
            let since = self.contents.since(&self.state.catalog, id, self.guard);
            if since < created_before {
                self.take_out(id);
                removed += 1;
            }
        }
        self.shrink_to_few();
        removed
    }

    /// Removes all entries; they should be released after unlocking.
    pub(super) fn clear(&mut self) -> Option<Retired<Node<K, V>>> {
        let catalog = &mut self.state.catalog;
        let retired = self.contents.clear(catalog, self.guard);
        *self.state = WriterState::new(self.bounds);
        retired
    }

    /// Inserts an entry, replacing `former` if there is one; returns how many others were evicted.
    pub(super) fn insert(
        &mut self,
        former: Option<u32>,
        key: K,
        hash: u32,
        new: NewEntry<V>,
    ) -> u64 {
        // Removed from the policy first, so that it is not evicted to make room for its successor. It stays in the
        // index until the successor replaces it.
        if let Some(id) = former {
            self.state.remove_record(id);
        }
        let size = new.bytes.filter(|_| self.contents.words().is_none());
        let evicted = self.make_room(former, size);
        let catalog = &mut self.state.catalog;
        let id = former.unwrap_or_else(|| catalog.next_id());
        if former.is_some() {
            self.contents.replace(catalog, id, key, new, self.guard);
            self.state.enter(id, hash, size, Arrival::Replacement);
        } else {
            self.contents.insert(catalog, hash, key, new, self.guard);
            self.state.enter(id, hash, size, Arrival::New);
        }
        if evicted > 0 {
            self.shrink_to_few();
        }
        evicted
    }

    fn take_out(&mut self, id: u32) {
        self.state.remove_record(id);
        let catalog = &mut self.state.catalog;
        self.contents.remove(catalog, id, self.guard);
    }

    /// Gives memory back where few entries are left of many. The ids that the caller knows are out of date then.
    fn shrink_to_few(&mut self) {
        while self
            .contents
            .are_sparse(self.state.catalog.len(), self.guard)
        {
            self.state.renumber();
            let catalog = &mut self.state.catalog;
            self.contents.shrink(catalog, self.guard);
        }
    }

    /// Evicts until there is room for one more entry, not counting the former one.
    fn make_room(&mut self, former: Option<u32>, size: Option<u64>) -> u64 {
        let mut evicted = 0;
        while !self.state.has_room(&self.bounds, former, size) {
            let Some(id) = self.evict() else { break };
            self.state.sizes.remove(id);
            self.contents
                .remove(&mut self.state.catalog, id, self.guard);
            evicted += 1;
        }
        evicted
    }

    fn evict(&mut self) -> Option<u32> {
        let WriterState {
            catalog, policy, ..
        } = &mut *self.state;
        let mut spend_use = |id| self.contents.spend_use(catalog, id, self.guard);
        policy.as_mut()?.evict(&mut spend_use)
    }
}

impl WriterState {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            catalog: Catalog::default(),
            sizes: Sizes::default(),
            policy: bounds.are_set().then(Policy::default),
        }
    }

    pub(super) fn entries(&self) -> u64 {
        self.catalog.len() as u64
    }

    pub(super) fn bytes(&self) -> Option<u64> {
        self.sizes.total(self.catalog.len())
    }

    fn has_room(&self, bounds: &Bounds, former: Option<u32>, size: Option<u64>) -> bool {
        let entries = self.catalog.len() - usize::from(former.is_some());
        bounds.have_room(entries, self.sizes.sum(), size)
    }

    fn enter(&mut self, id: u32, hash: u32, size: Option<u64>, arrival: Arrival) {
        self.sizes.add(id, size);
        if let Some(policy) = &mut self.policy {
            policy.enter(id, hash, arrival);
        }
    }

    /// Numbers the entries anew, without gaps.
    fn renumber(&mut self) {
        let ids = self.catalog.renumber();
        self.sizes.renumber(&ids);
        if let Some(policy) = &mut self.policy {
            policy.renumber(&ids);
        }
    }

    /// Forgets the size and rank of an entry.
    fn remove_record(&mut self, id: u32) {
        self.sizes.remove(id);
        if let Some(policy) = &mut self.policy {
            policy.remove(id);
        }
    }
}
