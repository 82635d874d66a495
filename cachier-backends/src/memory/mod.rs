//! Typed entries in the memory of the process.
//!
//! [`MemoryStore`] holds the entries of one cached function: keys and values as they are, never as
//! bytes. A hit takes no lock, but for a rare case, and writes to nothing that threads share; see
//! [`MemoryStore`].
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
//! - `index` finds an entry by its key: a hash table that is read without a lock, made of `table`s of
//!   `bucket`s. `catalog` knows where each entry stands.
//! - `word_index` does the same for keys and values that are one machine word each (`word`), which stand in its
//!   `word_bucket`s themselves. `contents` is either of the two.
//! - `policy` chooses the entry that goes when a bound is reached: S3-FIFO, as plain logic.
//! - `writer` changes all of them in step and keeps to the bounds; `store` is the public face.
//! - `sync` names what synchronises; `guard` says when what was removed is dropped.

mod bucket;
mod catalog;
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
pub mod word;
mod word_bucket;
mod word_index;
mod writer;

pub use entry::{Bounds, Entry, Inserted, NewEntry};
pub use guard::DeferDrops;
pub use store::{BorrowedKey, MemoryStore};

#[cfg(test)]
mod tests;
