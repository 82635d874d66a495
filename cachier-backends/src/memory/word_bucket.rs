//! Three entries in one cache line, each with a key and a value of one word.
//!
//! Readers take no lock and write nothing: they read the bucket's state, the words, and the state again. Words read
//! during a change are discarded (a *sequence lock*; with atomics as in Boehm: "Can seqlocks get along with programming
//! language memory models?", MSPC 2012).

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::node::Uses;
use super::sync::{AtomicU64, fence};

/// Entries per bucket.
pub(super) const SLOTS: usize = 3;

/// There is one writer at a time.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct WordBucket {
    state: AtomicU64,
    slots: [Slot; SLOTS],
    /// In the rest of the cache line, so that counting a use touches no other. Not guarded by the state.
    uses: [Uses; SLOTS],
}

#[derive(Default)]
struct Slot {
    key: AtomicU64,
    value: AtomicU64,
}

/// The result of a lookup in a bucket.
pub(super) enum Lookup {
    /// A value, its slot, and the state of the bucket.
    Value(u64, usize, State),
    /// The key is not here, but may be in a later bucket.
    Overflow,
    Absent,
    /// A writer was at work, or the bucket is closed: look again.
    TornRead,
}

/// Taken slots, overflow count, whether a writer is at work, and a version.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State(u64);

impl WordBucket {
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn find(&self, key: u64) -> Lookup {
        let before = State(self.state.load(Acquire));
        // An emptied slot keeps its key. If several slots have the same key, the lowest is valid: an item goes into the
        // lowest vacant slot, so the slots below it held other keys at that time, and do as long as it stays.
        let mut number = SLOTS;
        for lower in (0..SLOTS).rev() {
            if self.slots[lower].key.load(Relaxed) == key {
                number = lower;
            }
        }
        let slot = self.slots.get(number);
        let value = slot.map(|slot| slot.value.load(Relaxed));
        if before.is_being_written() || !self.is_still(before) {
            return Lookup::TornRead;
        }
        match value {
            Some(value) if before.has(number) => Lookup::Value(value, number, before),
            _ if before.overflow() > 0 => Lookup::Overflow,
            _ => Lookup::Absent,
        }
    }

    /// Whether nothing has changed since, so that the words read meanwhile are consistent.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn is_still(&self, state: State) -> bool {
        fence(Acquire);
        State(self.state.load(Relaxed)) == state
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn uses(&self, slot: usize) -> &Uses {
        &self.uses[slot]
    }

    pub(super) fn is_taken(&self, slot: usize) -> bool {
        self.now().has(slot)
    }

    pub(super) fn vacant(&self) -> Option<usize> {
        let now = self.now();
        (0..SLOTS).find(|slot| !now.has(*slot))
    }

    /// Fills a vacant slot, or replaces its value under the same key. `with_slot` writes data stored next to the slot,
    /// whose changes readers notice, too.
    pub(super) fn put(&self, slot: usize, (key, value): (u64, u64), with_slot: impl FnOnce()) {
        self.change(|slots, state| {
            slots[slot].key.store(key, Relaxed);
            slots[slot].value.store(value, Relaxed);
            with_slot();
            State(state.0 | 1 << slot)
        });
    }

    pub(super) fn take(&self, slot: usize) {
        self.change(|_, state| State(state.0 & !(1 << slot)));
    }

    /// The key and value of a taken slot; for the writer.
    pub(super) fn entry(&self, slot: usize) -> (u64, u64) {
        let slot = &self.slots[slot];
        (slot.key.load(Relaxed), slot.value.load(Relaxed))
    }

    /// Counts an item that overflows into a later bucket.
    pub(super) fn add_overflow(&self) {
        self.change(|_, state| state.with_overflow(state.overflow().saturating_add(1)));
    }

    /// Undoes the count. A saturated count stays.
    pub(super) fn remove_overflow(&self) {
        self.change(|_, state| match state.overflow() {
            u8::MAX => state,
            overflow => state.with_overflow(overflow - 1),
        });
    }

    /// Empties all slots, and resets the overflow count.
    pub(super) fn clear(&self) {
        self.change(|_, state| state.emptied());
    }

    /// Empties all slots, and has readers look elsewhere until the bucket is [opened](Self::open) again.
    pub(super) fn close(&self) {
        self.change(|_, state| State(state.emptied().0 | State::WRITING));
    }

    pub(super) fn open(&self) {
        let now = self.now();
        self.state
            .store(State(now.0 & !State::WRITING).next().0, Release);
    }

    fn change(&self, change: impl FnOnce(&[Slot; SLOTS], State) -> State) {
        let before = self.now();
        self.state.store(before.0 | State::WRITING, Relaxed);
        fence(Release);
        let after = change(&self.slots, before);
        self.state.store(after.next().0, Release);
    }

    fn now(&self) -> State {
        State(self.state.load(Relaxed))
    }
}

impl State {
    const TAKEN: u64 = (1 << SLOTS) - 1;
    const OVERFLOW_SHIFT: u32 = 8;
    const OVERFLOW: u64 = 0xff << Self::OVERFLOW_SHIFT;
    const WRITING: u64 = 1 << 16;
    const VERSION: u64 = 1 << 17;

    fn emptied(self) -> Self {
        Self(self.0 & !(Self::TAKEN | Self::OVERFLOW))
    }

    /// Whether a slot is taken.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn has(self, slot: usize) -> bool {
        self.0 >> slot & 1 != 0
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn overflow(self) -> u8 {
        (self.0 >> Self::OVERFLOW_SHIFT) as u8
    }

    fn with_overflow(self, overflow: u8) -> Self {
        Self(self.0 & !Self::OVERFLOW | u64::from(overflow) << Self::OVERFLOW_SHIFT)
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn is_being_written(self) -> bool {
        self.0 & Self::WRITING != 0
    }

    /// The state after a change, which concurrent readers notice.
    fn next(self) -> Self {
        Self(self.0.wrapping_add(Self::VERSION))
    }
}
