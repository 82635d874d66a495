//! A bucket's summary, read without following a pointer: eight bytes in one word.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::sync::AtomicU64;

/// Items per bucket.
pub(super) const BUCKET_SLOTS: usize = 7;

/// The lowest bit of each byte.
const LOW_BITS: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each slot's byte.
const SLOT_BITS: u64 = 0x0080_8080_8080_8080;
/// The position of the overflow counter.
const OVERFLOW_SHIFT: u32 = 56;

/// One byte of the item's hash per slot, 0 if vacant. The top byte counts the items that overflowed into a later
/// bucket. There is one writer at a time.
#[derive(Default)]
pub(super) struct Summary(AtomicU64);

/// A summary at one moment.
#[derive(Clone, Copy)]
pub(super) struct SummarySnapshot(u64);

/// The slots that may hold the item.
pub(super) struct Candidates(u64);

impl Summary {
    #[inline]
    pub(super) fn read(&self) -> SummarySnapshot {
        SummarySnapshot(self.0.load(Acquire))
    }

    pub(super) fn add(&self, slot: usize, hash: u32) {
        self.set_byte(slot as u32 * 8, byte_of(hash));
    }

    pub(super) fn remove(&self, slot: usize) {
        self.set_byte(slot as u32 * 8, 0);
    }

    /// Counts an item that overflows into a later bucket.
    pub(super) fn add_overflow(&self) {
        let overflow = self.read().overflow();
        self.set_byte(OVERFLOW_SHIFT, overflow.saturating_add(1));
    }

    /// Undoes the count. A saturated count stays.
    pub(super) fn remove_overflow(&self) {
        let overflow = self.read().overflow();
        if overflow < u8::MAX {
            self.set_byte(OVERFLOW_SHIFT, overflow - 1);
        }
    }

    fn set_byte(&self, shift: u32, byte: u8) {
        let others = self.0.load(Relaxed) & !(0xff << shift);
        let all = others | u64::from(byte) << shift;
        self.0.store(all, Release);
    }
}

impl SummarySnapshot {
    /// The slots whose byte matches the hash; rarely others.
    #[inline]
    pub(super) fn candidates(self, hash: u32) -> Candidates {
        // A matching byte becomes zero, and the subtraction then sets its highest bit.
        let differing = self.0 ^ (LOW_BITS * u64::from(byte_of(hash)));
        Candidates(differing.wrapping_sub(LOW_BITS) & !differing & SLOT_BITS)
    }

    pub(super) fn vacant(self) -> Option<usize> {
        (0..BUCKET_SLOTS).find(|slot| self.0 >> (slot * 8) & 0xff == 0)
    }

    /// Whether an item that belongs here may be in a later bucket.
    #[inline]
    pub(super) fn has_overflow(self) -> bool {
        self.overflow() > 0
    }

    #[inline]
    fn overflow(self) -> u8 {
        (self.0 >> OVERFLOW_SHIFT) as u8
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

/// The byte that represents a hash; disjoint from the bits that choose the bucket.
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
        fn an_items_slot_is_always_a_candidate(
            hashes in prop::collection::vec(prop::option::of(any::<u32>()), BUCKET_SLOTS),
            overflow in any::<u8>(),
        ) {
            let summary = Summary::default();
            (0..overflow).for_each(|_| summary.add_overflow());
            for (slot, hash) in hashes.iter().enumerate() {
                summary.add(slot, hash.unwrap_or(0));
                if hash.is_none() {
                    summary.remove(slot);
                }
            }
            let seen = summary.read();
            prop_assert_eq!(seen.vacant(), hashes.iter().position(Option::is_none));
            prop_assert_eq!(seen.has_overflow(), overflow > 0);
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
        (0..BUCKET_SLOTS).for_each(|slot| summary.add(slot, hash(slot as u32)));
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
    fn overflow_is_counted_up_to_saturation() {
        let summary = Summary::default();
        (0..254).for_each(|_| summary.add_overflow());
        (0..254).for_each(|_| summary.remove_overflow());
        assert!(!summary.read().has_overflow());
        (0..300).for_each(|_| summary.add_overflow());
        (0..300).for_each(|_| summary.remove_overflow());
        assert!(summary.read().has_overflow());
    }
}
