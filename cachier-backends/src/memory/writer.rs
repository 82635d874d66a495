//! The writing side of a store, which keeps it within its bounds.

use super::catalog::{Catalog, Position};
use super::entry::Bounds;
use super::index::Release;
use super::policy::{Arrival, Policy};
use super::sizes::{Size, Sizes};
use super::slots::{Destination, Insertion, Slots};
use super::sync::{Guard, MutexGuard};

/// Data for writers only, under the lock.
pub(super) struct WriterState {
    entries: usize,
    sizes: Sizes,
    /// Absent in a store without bounds, which evicts nothing.
    ranks: Option<Ranks>,
}

/// Which entry to evict, by id, and where each of them is.
#[derive(Default)]
struct Ranks {
    catalog: Catalog,
    policy: Policy,
}

/// The only writer of a store while it holds the lock.
///
/// Removed items are dropped with the outermost guard of the thread or later, so the guard must be older than the lock.
pub(super) struct Writer<'a> {
    pub(super) bounds: Bounds,
    pub(super) slots: &'a dyn Slots,
    pub(super) state: MutexGuard<'a, WriterState>,
    pub(super) guard: &'a Guard,
}

impl Writer<'_> {
    pub(super) fn remove(&mut self, position: Position) {
        self.take_out(position);
        self.shrink_to_few();
    }

    pub(super) fn remove_older_than(&mut self, created_before: u64) -> u64 {
        let mut removed = 0;
        for position in self.slots.positions(self.guard) {
            let since = self.slots.since(position, self.guard);
            if since.is_some_and(|since| since < created_before) {
                self.take_out(position);
                removed += 1;
            }
        }
        self.shrink_to_few();
        removed
    }

    /// Removes all entries; they should be released after unlocking.
    pub(super) fn clear(&mut self) -> Option<Box<dyn Release>> {
        let retired = self.slots.clear(self.guard);
        *self.state = WriterState::new(self.bounds);
        retired
    }

    /// Inserts an entry of this hash and size, replacing the `former` one of its key; returns how many others were evicted.
    pub(super) fn insert(
        &mut self,
        former: Option<Position>,
        (hash, bytes): (u32, Option<u64>),
        entry: &mut dyn Insertion,
    ) -> u64 {
        // Forgotten first, so that it is not evicted to make room for its successor. It stays in the index until the
        // successor replaces it.
        if let Some(position) = former {
            self.forget(position);
        }
        let size = bytes.filter(|_| self.slots.are_sized());
        let evicted = self.make_room(size);
        let (position, arrival) = match former {
            Some(position) => {
                let former = Destination::Former(position);
                (entry.put(former, self.guard), Arrival::Replacement)
            }
            None => {
                let WriterState { entries, ranks, .. } = &mut *self.state;
                let moved = &mut |id, position| Ranks::moved(ranks.as_mut(), id, position);
                let new = Destination::New(*entries, moved);
                (entry.put(new, self.guard), Arrival::New)
            }
        };
        let id = self.state.enter(position, hash, Size::new(size), arrival);
        self.slots.set_id(position, id, self.guard);
        if evicted > 0 {
            self.shrink_to_few();
        }
        evicted
    }

    fn take_out(&mut self, position: Position) {
        self.forget(position);
        self.slots.remove(position, self.guard);
    }

    /// Removes an entry from all but the index.
    fn forget(&mut self, position: Position) {
        self.count_out(position);
        if let Some(ranks) = &mut self.state.ranks {
            let id = self.slots.id(position, self.guard);
            ranks.policy.remove(id);
            ranks.catalog.remove(id);
        }
    }

    fn count_out(&mut self, position: Position) {
        let size = self.slots.size(position, self.guard);
        self.state.entries -= 1;
        self.state.sizes.remove(size);
    }

    /// Gives memory back where few entries are left of many. The positions that the caller knows are out of date then.
    fn shrink_to_few(&mut self) {
        while self.slots.are_sparse(self.state.entries, self.guard) {
            let mut ranks = self.state.ranks.as_mut();
            let ids = ranks.as_mut().map(|ranks| ranks.renumber());
            let mut moved = |former: u32, position| {
                let id = ids.as_ref().map_or(former, |ids| ids[former as usize]);
                Ranks::moved(ranks.as_deref_mut(), id, position)
            };
            self.slots.shrink(&mut moved, self.guard);
        }
    }

    /// Evicts until there is room for one more entry of this size.
    fn make_room(&mut self, size: Option<u64>) -> u64 {
        let mut evicted = 0;
        while !self.state.has_room(&self.bounds, size) && self.evict() {
            evicted += 1;
        }
        evicted
    }

    /// Evicts an entry, if there is one.
    fn evict(&mut self) -> bool {
        let Some(Ranks { catalog, policy }) = &mut self.state.ranks else {
            return false;
        };
        let mut spend_use = |id| self.slots.spend_use(catalog.position(id), self.guard);
        let Some(id) = policy.evict(&mut spend_use) else {
            return false;
        };
        let position = catalog.position(id);
        catalog.remove(id);
        self.count_out(position);
        self.slots.remove(position, self.guard);
        true
    }
}

impl WriterState {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            entries: 0,
            sizes: Sizes::default(),
            ranks: bounds.are_set().then(Ranks::default),
        }
    }

    pub(super) fn entries(&self) -> u64 {
        self.entries as u64
    }

    pub(super) fn bytes(&self) -> Option<u64> {
        self.sizes.total(self.entries)
    }

    fn has_room(&self, bounds: &Bounds, size: Option<u64>) -> bool {
        bounds.have_room(self.entries, self.sizes.sum(), size)
    }

    /// Counts an entry that is in the index; returns its id.
    fn enter(&mut self, position: Position, hash: u32, size: Size, arrival: Arrival) -> u32 {
        self.entries += 1;
        self.sizes.add(size);
        let Some(ranks) = &mut self.ranks else {
            return 0;
        };
        let id = ranks.catalog.next_id();
        ranks.catalog.insert(position);
        ranks.policy.enter(id, hash, arrival);
        id
    }
}

impl Ranks {
    /// Notes where an entry has moved to; returns its id.
    fn moved(ranks: Option<&mut Self>, id: u32, position: Position) -> u32 {
        if let Some(ranks) = ranks {
            ranks.catalog.set_position(id, position);
        }
        id
    }

    /// Renumbers the entries without gaps; returns the new id of each former one.
    fn renumber(&mut self) -> Vec<u32> {
        let ids = self.catalog.renumber();
        self.policy.renumber(&ids);
        ids
    }
}
