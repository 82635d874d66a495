//! The bytes of an entry: key, value and overhead.

use std::hash::{Hash, Hasher};
use std::mem::needs_drop;

use super::node::Node;
use super::summary::BUCKET_SLOTS;
use crate::entry::{ALLOCATION, HEADER};

/// Less is padding.
const MAX_ALIGN: i64 = 8;

/// A writer's record of an entry: position, queue and perhaps a ghost, in lists with spare capacity.
const WRITER_RECORD: u64 = 30;

/// A node's overhead: a reference count and the link for reclamation.
const SHARED: u64 = 16 + ALLOCATION;

/// The share of the table, which is three to six eighths full; a bucket is a cache line.
const TABLE_SHARE: u64 = 64 * 16 / (9 * BUCKET_SLOTS as u64);

/// A key and a value behind a pointer; `value_heap` is what the value owns besides its `size_of`.
pub(super) fn of_node<K: Hash, V>(key: &K, value_heap: u64) -> u64 {
    let node = size_of::<Node<K, V>>() as u64;
    node + SHARED + TABLE_SHARE + WRITER_RECORD + heap_of_key(key) + value_heap
}

/// The bytes of this many entries of machine words, with tables of this size.
pub(super) fn of_words(entries: u64, tables: u64) -> u64 {
    tables + entries * WRITER_RECORD
}

/// The heap bytes of a key: the texts and lists that it hashes.
fn heap_of_key<K: Hash>(key: &K) -> u64 {
    if !needs_drop::<K>() {
        return 0;
    }
    let mut hashed = Hashed::default();
    key.hash(&mut hashed);
    let in_place = size_of::<K>() as u64;
    let mut arrays = Hashed {
        // There is a header too, or nothing would be on the heap.
        room: in_place.saturating_sub(HEADER),
        unexplained: in_place as i64 - (hashed.numbers + hashed.texts * HEADER) as i64,
        ..Hashed::default()
    };
    key.hash(&mut arrays);
    let (texts, bytes) = (
        hashed.texts - arrays.arrays,
        hashed.bytes - arrays.bytes_of_arrays,
    );
    let room = in_place.saturating_sub(arrays.bytes_of_arrays);
    // Headers beyond those that fit in place are in lists, as are numbers.
    let headers = texts.saturating_sub(room / HEADER) * HEADER;
    let numbers = hashed.numbers.saturating_sub(room);
    bytes + texts * ALLOCATION + headers + numbers
}

/// Counts what is hashed.
#[derive(Default)]
struct Hashed {
    /// Texts and lists of numbers, and arrays of them, which are hashed as lists are.
    texts: u64,
    /// Their bytes.
    bytes: u64,
    /// Bytes of numbers that are hashed one by one.
    numbers: u64,
    /// The key's size in place beyond numbers and headers; negative if that is less. Arrays explain it.
    unexplained: i64,
    /// For arrays, in place.
    room: u64,
    arrays: u64,
    bytes_of_arrays: u64,
    last: Last,
}

/// The last thing that was hashed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Other,
    Length,
    Text,
}

impl Hashed {
    /// A list or an array: the latter, if the key is then closer to what it takes in place.
    fn list(&mut self, bytes: u64) {
        let in_place = bytes as i64 - HEADER as i64;
        let is_padding = (0..MAX_ALIGN).contains(&self.unexplained);
        let has_room = self.bytes_of_arrays + bytes <= self.room;
        if !is_padding && has_room && (self.unexplained - in_place).abs() < self.unexplained.abs() {
            self.unexplained -= in_place;
            self.arrays += 1;
            self.bytes_of_arrays += bytes;
        }
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty),* $(,)?) => {$(
        fn $method(&mut self, _: $type) {
            self.numbers += size_of::<$type>() as u64;
            self.last = Last::Other;
        }
    )*};
}

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        let length = bytes.len() as u64;
        self.texts += 1;
        self.bytes += length;
        if self.last == Last::Length {
            self.list(length);
            self.last = Last::Other;
        } else {
            self.last = Last::Text;
        }
    }

    // A text is followed by a byte of its own.
    fn write_u8(&mut self, _: u8) {
        self.numbers += u64::from(self.last != Last::Text);
        self.last = Last::Other;
    }

    numbers! {
        write_u16: u16, write_u32: u32, write_u64: u64, write_u128: u128,
        write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64, write_i128: i128,
    }

    // The length of a list is part of its header.
    fn write_usize(&mut self, _: usize) {
        self.last = Last::Length;
    }

    // Discriminants mostly have room in unused bits.
    fn write_isize(&mut self, _: isize) {
        self.last = Last::Other;
    }

    fn finish(&self) -> u64 {
        0
    }
}
