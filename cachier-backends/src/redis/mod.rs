//! Entries on a Redis or Valkey server, shared by machines.
//!
//! # Layout
//! The entries of a function are spread over 16 *shards*, each in one slot of a cluster. All names of a shard begin
//! with `cachier:{cachier/2/{namespace}/{function}#{shard}}`:
//!
//! | name | what |
//! |---|---|
//! | `…/{version}/{hash}` | an entry: a string, with a native expiry if its value has one |
//! | `…/lease/{version}/{hash}` | a lease: its generation and its owner's token, with a native expiry |
//! | `…/generation` | renewed when leases are cleared: leases of other generations are invalid |
//! | `…/index`, `…/expiry`, `…/sizes` | the books: when each entry was created and expires, and its size |
//!
//! Scripts change an entry, its lease and its books together, and publish the change on
//! `cachier:changes/cachier/2/{namespace}/{function}`. A hit is one `GET`; when many wait on a connection to a single
//! server, they are written together.
//!
//! While a cluster moves a slot to another node, it refuses the slot's scripts, which are retried until the move is
//! complete; hits go on.
//!
//! The server should have a `maxmemory-policy` of `noeviction`. With any other, it may drop leases, and then something
//! is computed twice; or the books, which expire with the last of their entries, and then
//! [`clear`](crate::Backend::clear) misses entries and [`usage`](crate::Backend::usage) counts too few.

mod address;
mod all_shards;
mod backend;
mod error;
mod link;
mod names;
mod operations;
mod scripts;
mod single;
mod source;
mod stall;
mod subscribe;

pub use backend::RedisBackend;
