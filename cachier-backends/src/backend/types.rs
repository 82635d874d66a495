//! Arguments and results of a backend's operations.

use std::time::SystemTime;

use super::{EntryVersion, Lease};

/// A loaded entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The stored bytes, as they are: the backend does not look into them.
    pub bytes: Vec<u8>,
    /// The version of the entry.
    pub version: EntryVersion,
}

/// An entry to store.
#[derive(Debug)]
#[non_exhaustive]
pub struct StoreRequest<'a> {
    /// The bytes to store, as [`entry::encode`](crate::entry::encode) made them: a backend may tell
    /// two entries apart by their length and their first 16 bytes, which hold a checksum of the rest.
    pub entry: &'a [u8],
    /// When its value was computed: the age by which old entries are removed.
    pub created: SystemTime,
    /// From when on the store may drop it.
    pub expires: Option<SystemTime>,
    /// The lease under which to store; without one, storing is unconditional.
    pub lease: Option<Lease>,
    /// The most bytes that the entries of the function may take together.
    pub capacity_bytes: Option<u64>,
}

/// The answer to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreReply {
    /// The entry is stored.
    Stored {
        /// How many older entries went to make room for it.
        evicted: u64,
    },
    /// Nothing is stored: the lease has ended, or the entry has changed since it was granted.
    Superseded,
    /// Nothing is stored: the entry alone is larger than `capacity_bytes`, or than the store takes.
    TooLarge,
}

/// What a store holds of one function. What it cannot tell is absent, not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many entries.
    pub entries: Option<u64>,
    /// How many bytes they take.
    pub bytes: Option<u64>,
}

impl<'a> StoreRequest<'a> {
    /// Stores `entry` unconditionally, its value computed at `created`.
    #[must_use]
    pub fn new(entry: &'a [u8], created: SystemTime) -> Self {
        Self {
            entry,
            created,
            expires: None,
            lease: None,
            capacity_bytes: None,
        }
    }

    /// The same request, under a lease.
    #[must_use]
    pub fn under(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }
}
