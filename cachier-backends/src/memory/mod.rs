//! Typed entries in the memory of the process.
//!
//! [`MemoryStore`] holds the entries of one cached function: keys and values as they are, never as
//! bytes. A hit takes no lock and writes to nothing that threads share; see [`MemoryStore::get`].
//!
//! ```
//! use cachier_backends::memory::{Bounds, Entry, MemoryStore};
//!
//! let store: MemoryStore<String, u64> = MemoryStore::new(Bounds { entries: Some(2), bytes: None });
//! store.insert("a".to_owned(), Entry { value: 1, created: 0, compute_nanos: 250, bytes: None });
//!
//! // The lookup borrows its key, and asks about freshness before it clones the value.
//! let hit = store.get("a", |created| created < 60).unwrap();
//! assert_eq!((hit.value, hit.compute_nanos), (1, 250));
//! ```
//!
//! - `index` finds an entry by its key: a hash table that is read without a lock.
//! - `policy` chooses the entry that goes when a bound is reached: S3-FIFO, as plain logic;
//!   `residents` keeps the entries in its order.
//! - `writer` keeps both in step and within the bounds; `store` is the public face.
//! - `reclaim` says when what was removed is dropped.

mod entry;
mod index;
mod policy;
mod reclaim;
mod residents;
mod store;
mod writer;

pub use entry::{Bounds, Entry, Inserted};
pub use reclaim::DeferDrops;
pub use store::MemoryStore;
