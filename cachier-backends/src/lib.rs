//! The backend trait of cachier, its entry and key formats, and the backends themselves.
//!
//! This crate knows nothing of cached functions, their options or their metrics. A backend keeps
//! opaque entries under keys, hands out leases on them, and reports what it holds:
//!
//! - [`Key`] names an entry; its [`KeyHash`] comes from the [`canonical`] serialization of arguments.
//! - [`entry`] turns a value into the bytes that are stored, and hostile bytes back into a value.
//! - [`Backend`] is the trait that every backend implements, and [`BlockingBackend`] the same for
//!   clients that block; [`Blocking`] turns the second into the first.
//! - `file::FileBackend` keeps each entry in a file, shared by the processes of a machine.
//! - `memory::MemoryStore` keeps values as they are, in the memory of the process.
//! - `redis::RedisBackend`, `sql::SqlBackend`, `mongo::MongoBackend` and `s3::S3Backend` keep them on servers, shared by
//!   machines.

#![cfg_attr(docsrs, feature(doc_cfg))]

// Here, as it is compiled before cachier.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
compile_error!(
    "cachier needs a clock and threads, which wasm32-unknown-unknown does not have: the first call would trap. Leave it out \
     there: `#[cfg_attr(not(target_family = \"wasm\"), cachier::cachier)]` on the functions, and the dependency under \
     `[target.'cfg(not(target_family = \"wasm\"))'.dependencies]`"
);

#[cfg(feature = "persistent")]
mod backend;
#[cfg(feature = "persistent")]
pub mod blocking;
pub mod canonical;
#[cfg(feature = "_network")]
#[cfg_attr(
    docsrs,
    doc(cfg(any(
        feature = "mongo",
        feature = "mysql",
        feature = "postgres",
        feature = "redis",
        feature = "s3",
        feature = "sqlite"
    )))
)]
pub mod clients;
#[doc(hidden)]
pub mod cold;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "_folders")]
#[cfg_attr(docsrs, doc(cfg(any(feature = "file", feature = "sqlite"))))]
pub mod default_folder;
mod depth;
pub mod entry;
mod error;
#[cfg(feature = "file")]
pub mod file;
pub mod home;
#[cfg(feature = "persistent")]
mod key;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "mongo")]
pub mod mongo;
#[cfg(feature = "_network")]
mod network;
#[doc(hidden)]
pub mod private_file;
#[doc(hidden)]
pub mod private_folder;
pub mod process;
#[cfg(feature = "persistent")]
pub mod queue;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "_runtime")]
#[doc(hidden)]
pub mod runtime;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "_sql")]
#[cfg_attr(
    docsrs,
    doc(cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql")))
)]
pub mod sql;
#[cfg(feature = "persistent")]
mod unblock;
#[cfg(any(feature = "conformance", feature = "file", feature = "_network"))]
mod unique;
mod usage;
mod version;
pub mod workers;

#[cfg(feature = "persistent")]
pub use crate::backend::{
    Backend, Capabilities, Capability, Change, EntryVersion, Figures, IntoBackend, Lease,
    LeaseReply, Loaded, Pool, Renewal, StoreReply, StoreRequest, Vacated, WaitObserver, Watch,
    Watcher,
};
#[cfg(feature = "persistent")]
pub use crate::blocking::{Blocking, BlockingBackend};
pub use crate::error::{Error, ErrorKind, Operation};
#[cfg(feature = "persistent")]
pub use crate::key::{Key, KeyHash, KeySecret, Scope};
pub use crate::usage::{BoxFuture, Usage};
pub use crate::version::Version;

/// Support files that unit tests share with integration tests use this name of the crate.
#[cfg(test)]
extern crate self as cachier_backends;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

/// The README, whose code blocks are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
