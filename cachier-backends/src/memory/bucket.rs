//! A bucket of the index: seven slots in one cache line.

use std::sync::atomic::Ordering::{AcqRel, Acquire};

use super::summary::{BUCKET_SLOTS, Summary};
use super::sync::{AtomicShared, Guard, Shared, Tag};

/// Slots for items, with a summary that lookups read without following a pointer.
///
/// There is one writer at a time. It fills a slot before updating the summary, and empties it afterwards, so that a
/// reader who sees an item in the summary finds it.
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

    /// A reference that outlives the guard.
    pub(super) fn share(&self, slot: usize, guard: &Guard) -> Option<Shared<T>> {
        self.slots[slot].get_shared(Acquire, guard)
    }

    /// Fills a vacant slot.
    pub(super) fn put(&self, slot: usize, hash: u32, item: Shared<T>) {
        self.replace(slot, item);
        self.summary.add(slot, hash);
    }

    /// Replaces an item by another one of the same key, which is never absent in between.
    pub(super) fn replace(&self, slot: usize, item: Shared<T>) {
        self.slots[slot].swap((Some(item), Tag::None), AcqRel);
    }

    /// Empties a slot.
    pub(super) fn take(&self, slot: usize) {
        self.summary.remove(slot);
        self.slots[slot].swap((None, Tag::None), AcqRel);
    }

    /// Releases all items of a bucket that is no longer in use.
    pub(super) fn abandon(&self) {
        for slot in &self.slots {
            slot.swap((None, Tag::None), AcqRel);
        }
    }
}
