//! Typed entries in the memory of the process.
//!
//! [`MemoryStore`] holds the entries of one cached function as they are, never as bytes. A hit takes no lock, except in
//! a rare case, and writes to no shared memory.
//!
//! ```
//! use cachier_backends::memory::{Bounds, MemoryStore, NewEntry};
//!
//! let store: MemoryStore<String, u64> = MemoryStore::new(Bounds::new(Some(2), None));
//! store.insert("a".to_owned(), NewEntry::new(1, 0, 250));
//!
//! // The lookup borrows its key, and asks about freshness before it clones the value.
//! assert_eq!(store.get("a", Some(|since| since < 60)), Some(1));
//! assert_eq!(store.peek("a").unwrap().compute_nanos, 250);
//! ```
//!
//! - `index` finds a `node`, an entry with its key, by that key: a lock-free hash table of `table`s of `bucket`s.
//! - `word_index` does the same for keys and values of one machine word each (`word`), stored directly in
//!   `word_bucket`s, with the `times` of an entry in one word. `contents` is either of the two.
//! - `policy` chooses which entry to evict: S3-FIFO, as plain logic. It knows entries by `ids`, of which a `catalog` knows where
//!   each is; stores without bounds have neither.
//! - `writer` updates all of them consistently and within the bounds, one at a time under the `lock`. It sees them as `slots`,
//!   whatever the types, so that a program compiles it once; `store` is the public interface.
//! - `sync` wraps the synchronisation primitives; `guard` determines when removed values are dropped.
//!
//! # Why tables of its own
//!
//! Against two libraries whose readers take no lock either, each with a `u64` and the times of an entry under a `u64`, in one
//! process by turns (the least of 21 rounds of uniform hits, 2 × AMD EPYC; what the process takes for each entry):
//!
//! | | 10,000 | 1,000,000 | 10,000,000 |
//! |---|--:|--:|--:|
//! | this | 6.4 ns | 101 ns, 65 B | 156 ns, 42 B |
//! | `scc::HashIndex` 3 | 8.1 ns | 72 ns, 70 B | 137 ns, 46 B |
//! | `papaya` 0.2 | 14.0 ns | 102 ns | 124 ns, 53 B |
//!
//! The index of words earns its keep where the caches of programs are, below some ten thousand entries: its readers take no
//! guard there. In large tables `scc` is a little faster and about as small. It has no place for an entry's uses and id,
//! which eviction needs, and no model checker here can try it. One index for words and nodes would need a guard for words, or
//! `unsafe` for a pointer in the place of a word.

mod bucket;
mod catalog;
mod contents;
mod entry;
mod footprint;
mod guard;
mod ids;
mod index;
mod lock;
mod node;
mod policy;
mod sizes;
mod slots;
mod store;
mod summary;
mod sync;
mod table;
mod times;
pub mod word;
mod word_bucket;
mod word_index;
mod word_sizes;
mod writer;

pub use entry::{Bounds, Entry, Inserted, NewEntry};
pub use guard::DeferDrops;
pub use store::{BorrowedKey, MemoryStore};

#[cfg(test)]
mod tests;
