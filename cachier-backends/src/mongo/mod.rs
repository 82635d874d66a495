//! Entries in a MongoDB collection, shared by machines.
//!
//! One document per key holds the entry and its lease, so that each change is a single atomic request. Two more
//! indexes: by function and age, for clean-ups and figures without reading documents, and a TTL index for expiry.
//!
//! The server takes documents of 16 MiB; larger entries are refused:
//! [`StoreReply::TooLarge`](crate::StoreReply::TooLarge).

mod backend;
mod connect;
mod documents;
mod error;
mod operations;
mod requests;

pub use backend::MongoBackend;
