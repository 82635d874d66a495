//! A hash table that many threads read without a lock while one at a time writes.
//!
//! Open addressing with linear probing. A slot is empty, holds an item, or holds the tombstone of a
//! removed one. Three rules make a lookup that takes no lock right:
//!
//! - An item never moves within a table, and a slot that once held one never becomes empty while a
//!   later slot may depend on it; so a probe cannot miss an item that is there all along.
//! - An item is replaced in its slot by a single swap; so its key is never absent in between.
//! - A table that fills up is rebuilt aside and published whole; readers of the old table see what
//!   was there when they began.
//!
//! Removed items and replaced tables are freed by epoch-based reclamation once no reader can hold
//! them. Writers prove that they are alone by lending the [`Occupancy`], which lives in a mutex.

use std::sync::atomic::Ordering::{AcqRel, Acquire};

use sdd::{AtomicShared, Guard, Ptr, Shared, Tag};

const MIN_SLOTS: usize = 8;

/// The tags of a slot without an item.
const EMPTY: Tag = Tag::None;
const TOMBSTONE: Tag = Tag::First;

/// What a table holds: something that remembers the hash of its key.
pub(super) trait Item: Send + Sync + 'static {
    fn hash(&self) -> u64;
}

/// The table, as readers and writers share it.
pub(super) struct Index<T> {
    table: AtomicShared<Table<T>>,
}

/// How full the table is: the state that writers alone need.
#[derive(Default)]
pub(super) struct Occupancy {
    items: usize,
    tombstones: usize,
}

/// Where an item stands in the current table; good until the next insertion.
#[derive(Clone, Copy)]
pub(super) struct Position(usize);

/// A table that was taken out of use, with the items that it still holds.
pub(super) struct Retired<T>(Shared<Table<T>>);

struct Table<T> {
    /// A power of two, of which at least one is empty.
    slots: Box<[AtomicShared<T>]>,
}

enum Slot<'g, T> {
    Empty,
    Tombstone,
    Item(&'g T),
    /// An item whose hash differs already in the bits that the slot holds beside the pointer.
    Other,
}

impl<T: Item> Index<T> {
    pub(super) fn new() -> Self {
        Self {
            table: AtomicShared::new(Table::with_slots(MIN_SLOTS)),
        }
    }

    /// The item of this hash for which `is_match` holds.
    #[inline]
    pub(super) fn find<'g>(
        &self,
        hash: u64,
        is_match: impl Fn(&T) -> bool,
        guard: &'g Guard,
    ) -> Option<&'g T> {
        let table = self.table(guard);
        table.position(hash, is_match, guard).map(|(_, item)| item)
    }

    /// The same, with the place where a writer can replace or remove it.
    pub(super) fn locate<'g>(
        &self,
        hash: u64,
        is_match: impl Fn(&T) -> bool,
        _alone: &Occupancy,
        guard: &'g Guard,
    ) -> Option<(Position, &'g T)> {
        self.table(guard).position(hash, is_match, guard)
    }

    /// All items, in no order.
    pub(super) fn iter<'g>(
        &self,
        guard: &'g Guard,
    ) -> impl Iterator<Item = (Position, &'g T)> + use<'g, T> {
        let slots = self.table(guard).slots.iter().enumerate();
        slots.filter_map(|(position, slot)| {
            let item = slot.load(Acquire, guard).as_ref()?;
            Some((Position(position), item))
        })
    }

    /// Adds an item whose key the table does not hold.
    pub(super) fn insert(&self, item: Shared<T>, alone: &mut Occupancy, guard: &Guard) {
        if self.table(guard).is_full(alone) {
            self.rebuild(alone, guard);
        }
        if self.table(guard).place(item, guard) == TOMBSTONE {
            alone.tombstones -= 1;
        }
        alone.items += 1;
    }

    /// Puts an item of the same key in the place of the one that stands there.
    pub(super) fn replace(
        &self,
        position: Position,
        item: Shared<T>,
        _alone: &mut Occupancy,
        guard: &Guard,
    ) {
        let tag = fingerprint(item.hash());
        let slot = &self.table(guard).slots[position.0];
        drop(slot.swap((Some(item), tag), AcqRel));
    }

    pub(super) fn remove(&self, position: Position, alone: &mut Occupancy, guard: &Guard) {
        let table = self.table(guard);
        let next = table.slots[(position.0 + 1) & table.mask()].load(Acquire, guard);
        // No probe goes on from the last slot of a run, so that it can become empty.
        let is_last = next.is_null() && next.tag() == EMPTY;
        let left = if is_last { EMPTY } else { TOMBSTONE };
        drop(table.slots[position.0].swap((None, left), AcqRel));
        alone.items -= 1;
        alone.tombstones += usize::from(!is_last);
    }

    /// Publishes an empty table and hands out the old one.
    pub(super) fn clear(&self, alone: &mut Occupancy, guard: &Guard) -> Retired<T> {
        *alone = Occupancy::default();
        self.publish(Table::with_slots(MIN_SLOTS), guard)
    }

    fn rebuild(&self, alone: &mut Occupancy, guard: &Guard) {
        let old = self.table(guard);
        let roomy = ((alone.items + 1) * 2).next_power_of_two();
        let new = Table::with_slots(roomy.max(MIN_SLOTS));
        for item in old
            .slots
            .iter()
            .filter_map(|s| s.get_shared(Acquire, guard))
        {
            new.place(item, guard);
        }
        alone.tombstones = 0;
        self.publish(new, guard);
    }

    fn publish(&self, table: Table<T>, _guard: &Guard) -> Retired<T> {
        let (old, _) = self
            .table
            .swap((Some(Shared::new(table)), Tag::None), AcqRel);
        Retired(old.expect("an index always has a table"))
    }

    #[inline]
    fn table<'g>(&self, guard: &'g Guard) -> &'g Table<T> {
        let table = self.table.load(Acquire, guard);
        table.as_ref().expect("an index always has a table")
    }
}

impl<T> Retired<T> {
    /// Lets go of the items one by one, so that they do not wait until the table itself is freed.
    pub(super) fn drain(self) {
        for slot in &self.0.slots {
            drop(slot.swap((None, EMPTY), AcqRel));
        }
    }
}

impl<T: Item> Table<T> {
    fn with_slots(slots: usize) -> Self {
        debug_assert!(slots.is_power_of_two());
        Self {
            slots: (0..slots).map(|_| AtomicShared::null()).collect(),
        }
    }

    #[inline]
    fn mask(&self) -> usize {
        self.slots.len() - 1
    }

    /// More than three quarters taken: probes would become long.
    fn is_full(&self, alone: &Occupancy) -> bool {
        (alone.items + alone.tombstones + 1) * 4 > self.slots.len() * 3
    }

    #[inline]
    fn position<'g>(
        &self,
        hash: u64,
        is_match: impl Fn(&T) -> bool,
        guard: &'g Guard,
    ) -> Option<(Position, &'g T)> {
        let mut position = hash as usize & self.mask();
        loop {
            match Slot::read(self.slots[position].load(Acquire, guard), hash) {
                Slot::Item(item) if item.hash() == hash && is_match(item) => {
                    return Some((Position(position), item));
                }
                Slot::Empty => return None,
                _ => position = (position + 1) & self.mask(),
            }
        }
    }

    /// Puts the item into the first slot of its run that holds none; returns the slot's former tag.
    fn place(&self, item: Shared<T>, guard: &Guard) -> Tag {
        let hash = item.hash();
        let mut position = hash as usize & self.mask();
        while !self.slots[position].load(Acquire, guard).is_null() {
            position = (position + 1) & self.mask();
        }
        let new = (Some(item), fingerprint(hash));
        self.slots[position].swap(new, AcqRel).1
    }
}

impl<'g, T> Slot<'g, T> {
    #[inline]
    fn read(pointer: Ptr<'g, T>, hash: u64) -> Self {
        match pointer.as_ref() {
            Some(item) if pointer.tag() == fingerprint(hash) => Slot::Item(item),
            Some(_) => Slot::Other,
            None if pointer.tag() == EMPTY => Slot::Empty,
            None => Slot::Tombstone,
        }
    }
}

/// The top two bits of the hash, kept in the slot: three of four strangers are told apart without
/// following the pointer.
#[inline]
fn fingerprint(hash: u64) -> Tag {
    match hash >> 62 {
        0 => Tag::None,
        1 => Tag::First,
        2 => Tag::Second,
        _ => Tag::Both,
    }
}
