//! The bytes of an entry: key, value and overhead.

use std::hash::{Hash, Hasher};

use super::node::Node;
use super::summary::BUCKET_SLOTS;
use crate::entry::{ALLOCATION, HEADER};

/// A writer's record of an entry: position, size, queue and perhaps a ghost, in lists with spare capacity.
const LEDGER: u64 = 44;

/// The same for a machine word, whose size is fixed.
const WORD_LEDGER: u64 = 34;

/// A node's overhead: a reference count and the link for reclamation.
const SHARED: u64 = 16 + ALLOCATION;

/// The share of the table, which is three to six eighths full; a bucket is a cache line.
const TABLE_SHARE: u64 = 64 * 16 / (9 * BUCKET_SLOTS as u64);

/// A key and a value behind a pointer; `value_heap` is what the value owns besides its `size_of`.
pub(super) fn of_node<K: Hash, V>(key: &K, value_heap: u64) -> u64 {
    let node = size_of::<Node<K, V>>() as u64;
    node + SHARED + TABLE_SHARE + LEDGER + heap_of_key(key) + value_heap
}

/// So many machine words, with tables of this size.
pub(super) fn of_words(entries: u64, tables: u64) -> u64 {
    tables + entries * WORD_LEDGER
}

/// What a key owns besides its `size_of`: the texts and lists that it hashes.
fn heap_of_key<K: Hash>(key: &K) -> u64 {
    let mut hashed = Hashed::default();
    key.hash(&mut hashed);
    let in_place = size_of::<K>() as u64;
    // So many headers have room where the key stands; others stand in lists, as do numbers that have none.
    let headers = hashed.texts.saturating_sub(in_place / HEADER) * HEADER;
    let numbers = hashed.numbers.saturating_sub(in_place);
    hashed.bytes + hashed.texts * ALLOCATION + headers + numbers
}

/// Counts what is hashed.
#[derive(Default)]
struct Hashed {
    /// Texts and lists of numbers.
    texts: u64,
    /// Their bytes.
    bytes: u64,
    /// Bytes of numbers that are hashed one by one.
    numbers: u64,
}

macro_rules! numbers {
    ($($method:ident: $type:ty),* $(,)?) => {$(
        fn $method(&mut self, _: $type) {
            self.numbers += size_of::<$type>() as u64;
        }
    )*};
}

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        self.texts += 1;
        self.bytes += bytes.len() as u64;
    }

    // A text is followed by a byte of its own.
    fn write_u8(&mut self, _: u8) {
        self.numbers += 1;
    }

    numbers! {
        write_u16: u16, write_u32: u32, write_u64: u64, write_u128: u128,
        write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64, write_i128: i128,
    }

    // The length of a list is part of its header.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        0
    }
}
