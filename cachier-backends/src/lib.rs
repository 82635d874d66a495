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

mod backend;
pub mod blocking;
pub mod canonical;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod entry;
mod error;
#[cfg(feature = "file")]
pub mod file;
mod key;
#[cfg(feature = "memory")]
pub mod memory;

pub use crate::backend::{
    Backend, BoxFuture, Capabilities, Capability, EntryVersion, Lease, LeaseReply, Loaded, Renewal,
    StoreReply, StoreRequest, Usage,
};
pub use crate::blocking::{Blocking, BlockingBackend};
pub use crate::error::{Error, ErrorKind, Operation};
pub use crate::key::{Key, KeyHash, KeySecret, Scope, Version};
