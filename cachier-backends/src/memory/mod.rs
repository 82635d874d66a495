//! Typed entries in the memory of the process.
//!
//! [`MemoryStore`] holds the entries of one cached function as they are, never as bytes. A hit takes no lock, except in
//! a rare case, and writes to no shared memory.
//!
//! ```
//! use cachier_backends::memory::{Bounds, MemoryStore, NewEntry};
//!
//! let store: MemoryStore<String, u64> = MemoryStore::new(Bounds { entries: Some(2), bytes: None });
//! store.insert("a".to_owned(), NewEntry { value: 1, created: 0, since: 0, compute_nanos: 250, bytes: None });
//!
//! // The lookup borrows its key, and asks about freshness before it clones the value.
//! assert_eq!(store.get("a", Some(|since| since < 60)), Some(1));
//! assert_eq!(store.peek("a").unwrap().compute_nanos, 250);
//! ```
//!
//! - `index` finds an entry by its key: a lock-free hash table of `table`s of `bucket`s. `catalog` knows where each
//!   entry is.
//! - `word_index` does the same for keys and values of one machine word each (`word`), stored directly in
//!   `word_bucket`s. `contents` is either of the two.
//! - `policy` chooses which entry to evict: S3-FIFO, as plain logic.
//! - `writer` updates all of them consistently and within the bounds; `store` is the public interface.
//! - `sync` wraps the synchronisation primitives; `guard` determines when removed values are dropped.

mod bucket;
mod catalog;
mod column;
mod contents;
mod entry;
mod footprint;
mod guard;
mod index;
mod node;
mod policy;
mod sizes;
mod store;
mod summary;
mod sync;
mod table;
mod times;
pub mod word;
mod word_bucket;
mod word_index;
mod writer;

pub use entry::{Bounds, Entry, Inserted, NewEntry};
pub use guard::DeferDrops;
pub use store::{BorrowedKey, MemoryStore};

#[cfg(test)]
mod tests;
