//! Seven slots of the index in one cache line.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::sync::{AtomicShared, AtomicU64, Guard, Shared, Tag};

/// How many items a bucket takes.
pub(super) const WIDTH: usize = 7;

/// The lowest bit of each byte.
const LOW: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte that stands for a slot.
const SLOTS: u64 = 0x0080_8080_8080_8080;
/// Where the byte that counts passers-by begins.
const PASSED: u32 = 56;

/// Slots for items, and beside them what a lookup can know without following a pointer.
///
/// One thread at a time writes. A slot is written before its byte is set, and cleared after, so that
/// a reader who sees the byte of an item that stays also sees the item.
#[repr(align(64))]
pub(super) struct Bucket<T> {
    /// For each slot a byte of its item's hash, 0 if it is vacant; and in the top byte, how many items
    /// passed on to a later bucket because this one was full.
    summary: AtomicU64,
    slots: [AtomicShared<T>; WIDTH],
}

/// What a reader saw of a bucket.
#[derive(Clone, Copy)]
pub(super) struct Summary(u64);

/// Slots whose item may be the one that is looked for.
pub(super) struct Candidates(u64);

impl<T: 'static> Bucket<T> {
    pub(super) fn new() -> Self {
        Self {
            summary: AtomicU64::new(0),
            slots: std::array::from_fn(|_| AtomicShared::null()),
        }
    }

    #[inline]
    pub(super) fn summary(&self) -> Summary {
        Summary(self.summary.load(Acquire))
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
        self.set_byte(slot as u32 * 8, byte_of(hash));
    }

    /// Puts an item of the same key into the slot; the key is never absent in between.
    pub(super) fn replace(&self, slot: usize, item: Shared<T>) -> Option<Shared<T>> {
        self.slots[slot].swap((Some(item), Tag::None), AcqRel).0
    }

    /// Empties a slot.
    pub(super) fn take(&self, slot: usize) -> Option<Shared<T>> {
        self.set_byte(slot as u32 * 8, 0);
        self.slots[slot].swap((None, Tag::None), AcqRel).0
    }

    /// Empties all slots.
    pub(super) fn wipe(&self) {
        for slot in &self.slots {
            drop(slot.swap((None, Tag::None), AcqRel));
        }
    }

    /// Counts an item that goes to a later bucket.
    pub(super) fn pass(&self) {
        let passed = self.summary().passed();
        self.set_byte(PASSED, passed.saturating_add(1));
    }

    /// Counts it out again. A full count has lost track and stays.
    pub(super) fn unpass(&self) {
        let passed = self.summary().passed();
        if passed < u8::MAX {
            self.set_byte(PASSED, passed - 1);
        }
    }

    fn set_byte(&self, shift: u32, byte: u8) {
        let others = self.summary.load(Relaxed) & !(0xff << shift);
        self.summary
            .store(others | u64::from(byte) << shift, Release);
    }
}

impl Summary {
    /// The slots whose byte agrees with the hash, and rarely another.
    #[inline]
    pub(super) fn candidates(self, hash: u32) -> Candidates {
        // A byte becomes zero where it agrees; the subtraction borrows from its highest bit then.
        let differing = self.0 ^ (LOW * u64::from(byte_of(hash)));
        Candidates(differing.wrapping_sub(LOW) & !differing & SLOTS)
    }

    pub(super) fn vacant(self) -> Option<usize> {
        (0..WIDTH).find(|slot| self.0 >> (slot * 8) & 0xff == 0)
    }

    /// Whether an item that belongs here may stand in a later bucket.
    #[inline]
    pub(super) fn goes_on(self) -> bool {
        self.passed() > 0
    }

    #[inline]
    fn passed(self) -> u8 {
        (self.0 >> PASSED) as u8
    }
}

impl Iterator for Candidates {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = self.0.trailing_zeros() as usize / 8;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

/// The byte of the hash that the summary keeps: not one of those that choose the bucket.
#[inline]
fn byte_of(hash: u32) -> u8 {
    ((hash >> 24) as u8).max(1)
}
