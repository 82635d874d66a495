//! What is known of the items in a bucket without following a pointer: eight bytes in one word.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::sync::AtomicU64;

/// How many items a bucket takes.
pub(super) const WIDTH: usize = 7;

/// The lowest bit of each byte.
const LOW: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte that stands for a slot.
const SLOTS: u64 = 0x0080_8080_8080_8080;
/// Where the byte begins that counts passers-by.
const PASSED: u32 = 56;

/// For each slot a byte of its item's hash, 0 if it is vacant; and in the top byte, how many items
/// went on to a later bucket because this one was full. One thread at a time writes.
#[derive(Default)]
pub(super) struct Summary(AtomicU64);

/// A summary as it was when it was read.
#[derive(Clone, Copy)]
pub(super) struct Seen(u64);

/// Slots whose item may be the one that is looked for.
pub(super) struct Candidates(u64);

impl Summary {
    #[inline]
    pub(super) fn read(&self) -> Seen {
        Seen(self.0.load(Acquire))
    }

    pub(super) fn add(&self, slot: usize, hash: u32) {
        self.set_byte(slot as u32 * 8, byte_of(hash));
    }

    pub(super) fn remove(&self, slot: usize) {
        self.set_byte(slot as u32 * 8, 0);
    }

    /// Counts an item that goes on to a later bucket.
    pub(super) fn pass(&self) {
        let passed = self.read().passed();
        self.set_byte(PASSED, passed.saturating_add(1));
    }

    /// Counts it out again. A full count has lost track and stays.
    pub(super) fn unpass(&self) {
        let passed = self.read().passed();
        if passed < u8::MAX {
            self.set_byte(PASSED, passed - 1);
        }
    }

    fn set_byte(&self, shift: u32, byte: u8) {
        let others = self.0.load(Relaxed) & !(0xff << shift);
        let all = others | u64::from(byte) << shift;
        self.0.store(all, Release);
    }
}

impl Seen {
    /// The slots whose byte agrees with the hash, and rarely another.
    #[inline]
    pub(super) fn candidates(self, hash: u32) -> Candidates {
        // A byte becomes zero where it agrees; subtracting one then borrows from its highest bit.
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

/// The byte of the hash that stands for it: not one of those that choose the bucket.
#[inline]
fn byte_of(hash: u32) -> u8 {
    ((hash >> 24) as u8).max(1)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_slot_of_an_item_is_always_a_candidate(
            hashes in prop::collection::vec(prop::option::of(any::<u32>()), WIDTH),
            passed in any::<u8>(),
        ) {
            let summary = Summary::default();
            (0..passed).for_each(|_| summary.pass());
            for (slot, hash) in hashes.iter().enumerate() {
                summary.add(slot, hash.unwrap_or(0));
                if hash.is_none() {
                    summary.remove(slot);
                }
            }
            let seen = summary.read();
            prop_assert_eq!(seen.vacant(), hashes.iter().position(Option::is_none));
            prop_assert_eq!(seen.goes_on(), passed > 0);
            for (slot, hash) in hashes.iter().enumerate() {
                if let Some(hash) = *hash {
                    prop_assert!(seen.candidates(hash).any(|candidate| candidate == slot));
                }
            }
        }
    }

    #[test]
    fn a_stranger_is_rarely_a_candidate() {
        let summary = Summary::default();
        let hash = |n: u32| n.wrapping_mul(0x9e37_79b9);
        (0..WIDTH).for_each(|slot| summary.add(slot, hash(slot as u32)));
        let strangers = (1000..11_000).map(hash);
        let taken: usize = strangers
            .map(|n| summary.read().candidates(n).count())
            .sum();
        assert!(
            taken < 500,
            "{taken} of 70,000, where one in 256 is to be expected"
        );
    }

    #[test]
    fn passers_by_are_counted_until_the_count_is_full() {
        let summary = Summary::default();
        (0..254).for_each(|_| summary.pass());
        (0..254).for_each(|_| summary.unpass());
        assert!(!summary.read().goes_on());
        (0..300).for_each(|_| summary.pass());
        (0..300).for_each(|_| summary.unpass());
        assert!(summary.read().goes_on());
    }
}
