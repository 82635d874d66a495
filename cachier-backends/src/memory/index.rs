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

use super::catalog::{Catalog, Record};
use super::sync::{AtomicShared, Guard, Shared, Tag};
use super::table::Table;

pub(super) struct Index<T> {
    table: AtomicShared<Table<T>>,
}

/// A retired table, with the items removed with it.
pub(super) struct Retired<T>(Shared<Table<T>>);

impl<T: Send + Sync + 'static> Index<T> {
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

    pub(super) fn get<'g>(&self, catalog: &Catalog, id: u32, guard: &'g Guard) -> &'g T {
        let item = self.table(guard).get(catalog.position(id), guard);
        item.expect("a catalogued item is in its place")
    }

    /// Adds an item for a new key, under the catalog's next id.
    pub(super) fn insert(&self, catalog: &mut Catalog, hash: u32, item: T, guard: &Guard) {
        let table = self.table(guard);
        if table.is_full(catalog.len()) {
            self.resize(catalog, table.buckets() * 2, |_, _| {}, guard);
        }
        let position = self.table(guard).insert_item(hash, Shared::new(item));
        catalog.insert(Record { hash, position });
    }

    /// Replaces the item of the same key and id.
    pub(super) fn replace(&self, catalog: &mut Catalog, id: u32, item: T, guard: &Guard) {
        let table = self.table(guard);
        table.replace(catalog.position(id), Shared::new(item));
    }

    pub(super) fn remove(&self, catalog: &mut Catalog, id: u32, guard: &Guard) {
        let Record { hash, position } = catalog.remove(id);
        self.table(guard).take(hash, position);
    }

    /// Whether few items are left of many.
    pub(super) fn is_sparse(&self, items: usize, guard: &Guard) -> bool {
        self.table(guard).is_sparse(items)
    }

    /// Halves the table. Each item is told the id that the catalog has for it.
    pub(super) fn shrink(&self, catalog: &mut Catalog, tell: impl Fn(&T, u32), guard: &Guard) {
        self.resize(catalog, self.table(guard).buckets() / 2, tell, guard);
    }

    /// Removes all items at once.
    pub(super) fn clear(&self, catalog: &mut Catalog, guard: &Guard) -> Retired<T> {
        *catalog = Catalog::default();
        self.publish(Table::new(1), guard)
    }

    /// Puts another table into use, of so many buckets.
    fn resize(&self, catalog: &mut Catalog, buckets: usize, tell: impl Fn(&T, u32), guard: &Guard) {
        let (old, new) = (self.table(guard), Table::new(buckets));
        for (id, record) in catalog.records_mut() {
            let item = old.share(record.position, guard);
            let item = item.expect("a catalogued item is in its place");
            tell(&item, id);
            record.position = new.insert_item(record.hash, item);
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

impl<T: 'static> Retired<T> {
    /// Releases the items now, rather than when the table is freed. Takes time in proportion to their number.
    pub(super) fn release(self) {
        self.0.abandon();
    }
}
