//! How large tables of words are, and how full.

use super::sync::{AtomicU32, AtomicU64};
use super::word_bucket::{SLOTS, WordBucket};

/// How many sizes of tables are small. The last of them has room for 17,000 entries. The model checker wants less to do.
pub(super) const SMALL: usize = if cfg!(shuttle) { 2 } else { 14 };

/// How many items so many buckets take before too many of them overflow. A large table is fuller: there each lookup waits
/// for memory, and the next bucket comes with the first.
pub(super) fn most_items(buckets: usize) -> usize {
    let percent = if buckets >> SMALL == 0 { 70 } else { 85 };
    buckets * SLOTS * percent / 100
}

/// The bytes of a table of so many buckets in a store that evicts, with the smaller ones that stay, and half of what moments of
/// freshness take, which not every store has.
pub(super) fn bytes_up_to(buckets: usize) -> u64 {
    let moments = size_of::<AtomicU64>();
    let index = size_of::<AtomicU64>() + size_of::<AtomicU32>() + moments / 2;
    let bucket = size_of::<WordBucket>() + SLOTS * index;
    let largest_small = 1 << (SMALL - 1);
    let small = 2 * buckets.min(largest_small) - 1;
    let large = if buckets > largest_small { buckets } else { 0 };
    (bucket * (small + large)) as u64
}
