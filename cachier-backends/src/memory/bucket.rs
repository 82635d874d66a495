//! Seven slots of the index in one cache line.

use std::sync::atomic::Ordering::{AcqRel, Acquire};

use super::summary::{BUCKET_SLOTS, Summary};
use super::sync::{AtomicShared, Guard, Shared, Tag};

/// Slots for items, and beside them what a lookup can know without following a pointer.
///
/// One thread at a time writes. A slot is filled before the summary says so, and emptied after, so
/// that a reader who learns of an item that stays also finds it.
#[repr(align(64))]
pub(super) struct Bucket<T> {
    pub(super) summary: Summary,
    slots: [AtomicShared<T>; BUCKET_SLOTS],
}

impl<T: 'static> Bucket<T> {
    pub(super) fn new() -> Self {
        Self {
            summary: Summary::default(),
            slots: [const { AtomicShared::null() }; BUCKET_SLOTS],
        }
    }

    #[inline]
    pub(super) fn get<'g>(&self, slot: usize, guard: &'g Guard) -> Option<&'g T> {
        self.slots[slot].load(Acquire, guard).as_ref()
    }

    /// The same, to be kept for longer than the guard.
    pub(super) fn share(&self, slot: usize, guard: &Guard) -> Option<Shared<T>> {
        self.slots[slot].get_shared(Acquire, guard)
    }

    /// Fills a vacant slot.
    pub(super) fn put(&self, slot: usize, hash: u32, item: Shared<T>) {
        self.replace(slot, item);
        self.summary.add(slot, hash);
    }

    /// Puts an item of the same key into the slot; the key is never absent in between.
    pub(super) fn replace(&self, slot: usize, item: Shared<T>) {
        self.slots[slot].swap((Some(item), Tag::None), AcqRel);
    }

    /// Empties a slot.
    pub(super) fn take(&self, slot: usize) {
        self.summary.remove(slot);
        self.slots[slot].swap((None, Tag::None), AcqRel);
    }

    /// Lets go of all items; nobody may look for them here any more.
    pub(super) fn abandon(&self) {
        for slot in &self.slots {
            slot.swap((None, Tag::None), AcqRel);
        }
    }
}
