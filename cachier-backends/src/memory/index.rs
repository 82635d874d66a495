//! A hash table with lock-free readers and one writer at a time.
//!
//! Three rules let a lookup see every item that is present throughout:
//!
//! - An item stays in its slot of a table until it is removed.
//! - A new item of the same key takes the place of the old one in a single step.
//! - A table that is full is copied into a larger one, and one that is nearly empty into a smaller one, which then
//!   becomes the current one as a whole.
//!   The old table does not change any more: who reads it sees what was there when they came.
//!
//! Removed items and old tables are freed by epoch-based reclamation, when no guard can reach them any more.

use std::sync::atomic::Ordering::{AcqRel, Acquire};

use super::catalog::{Position, Positions};
use super::sync::{AtomicShared, Guard, Shared, Tag};
use super::table::Table;

pub(super) struct Index<T> {
    table: AtomicShared<Table<T>>,
}

/// The index's view of an item.
pub(super) trait Item: Send + Sync + 'static {
    fn hash(&self) -> u32;
    /// Its id in the catalog, if there is one.
    fn id(&self) -> u32;
    fn set_id(&self, id: u32);
}

/// Notes where an item of this id has moved to, and says which id it has from now on.
pub(super) type Moved<'a> = &'a mut dyn FnMut(u32, Position) -> u32;

/// Items that are out of use, of whatever type.
pub(super) trait Release {
    /// Releases them now, rather than when their table is freed.
    fn release(self: Box<Self>);
}

/// A retired table, with the items removed with it.
pub(super) struct Retired<T>(Shared<Table<T>>);

impl<T: Item> Index<T> {
    pub(super) fn new() -> Self {
        Self {
            table: AtomicShared::new(Table::new(1)),
        }
    }

    /// The item with this hash for which `is_match` holds.
    #[inline]
    pub(super) fn find<'g>(
        &self,
        hash: u32,
        is_match: impl Fn(&T) -> bool,
        guard: &'g Guard,
    ) -> Option<&'g T> {
        self.table(guard).find(hash, is_match, guard)
    }

    /// Where that item is; for the writer.
    pub(super) fn position(
        &self,
        hash: u32,
        is_match: &dyn Fn(&T) -> bool,
        guard: &Guard,
    ) -> Option<Position> {
        self.table(guard).position(hash, is_match, guard)
    }

    pub(super) fn get<'g>(&self, position: Position, guard: &'g Guard) -> Option<&'g T> {
        self.table(guard).get(position, guard)
    }

    /// All slots, taken or not.
    pub(super) fn positions(&self, guard: &Guard) -> Positions {
        self.table(guard).positions()
    }

    /// Adds an item with a new key. `items` is the number of items before.
    pub(super) fn insert(
        &self,
        items: usize,
        item: T,
        moved: Moved<'_>,
        guard: &Guard,
    ) -> Position {
        let table = self.table(guard);
        if table.is_full(items) {
            self.resize(table.buckets() * 2, moved, guard);
        }
        let hash = item.hash();
        self.table(guard).insert_item(hash, Shared::new(item))
    }

    /// Replaces the item of the same key.
    pub(super) fn replace(&self, position: Position, item: T, guard: &Guard) {
        self.table(guard).replace(position, Shared::new(item));
    }

    pub(super) fn remove(&self, position: Position, guard: &Guard) {
        let table = self.table(guard);
        if let Some(item) = table.get(position, guard) {
            table.take(item.hash(), position);
        }
    }

    /// Whether few items are left of many.
    pub(super) fn is_sparse(&self, items: usize, guard: &Guard) -> bool {
        self.table(guard).is_sparse(items)
    }

    /// Halves the table.
    pub(super) fn shrink(&self, moved: Moved<'_>, guard: &Guard) {
        self.resize(self.table(guard).buckets() / 2, moved, guard);
    }

    /// Removes all items at once.
    pub(super) fn clear(&self, guard: &Guard) -> Retired<T> {
        self.publish(Table::new(1), guard)
    }

    /// Switches to another table with this many buckets.
    fn resize(&self, buckets: usize, moved: Moved<'_>, guard: &Guard) {
        let (old, new) = (self.table(guard), Table::new(buckets));
        for slot in old.positions() {
            let Some(item) = old.share(slot, guard) else {
                continue;
            };
            let (hash, id) = (item.hash(), item.id());
            let position = new.insert_item(hash, item);
            if let Some(item) = new.get(position, guard) {
                item.set_id(moved(id, position));
            }
        }
        self.publish(new, guard);
    }

    fn publish(&self, table: Table<T>, _guard: &Guard) -> Retired<T> {
        let table = Some(Shared::new(table));
        let (former, _) = self.table.swap((table, Tag::None), AcqRel);
        Retired(former.expect("an index always has a table"))
    }

    #[inline]
    fn table<'g>(&self, guard: &'g Guard) -> &'g Table<T> {
        let table = self.table.load(Acquire, guard);
        table.as_ref().expect("an index always has a table")
    }
}

impl<T: 'static> Release for Retired<T> {
    /// Takes time in proportion to the number of items.
    fn release(self: Box<Self>) {
        self.0.abandon();
    }
}
