//! Arguments and results of a backend's operations.

use std::time::SystemTime;

use super::lease::Lease;
use super::version::EntryVersion;

/// A loaded entry.
///
/// ```
/// use cachier_backends::{EntryVersion, Loaded};
///
/// fn loaded(bytes: Vec<u8>) -> Loaded {
///     let version = EntryVersion::of_content(&bytes);
///     Loaded::new(bytes, version)
/// }
///
/// assert_eq!(loaded(b"entry".to_vec()), loaded(b"entry".to_vec()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded {
    /// The stored bytes, not interpreted by the backend.
    pub bytes: Vec<u8>,
    /// The version of the entry.
    pub version: EntryVersion,
}

/// An entry to store.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use cachier_backends::StoreRequest;
///
/// let now = SystemTime::now();
/// let mut request = StoreRequest::new(b"entry", now);
/// request.expires = Some(now + Duration::from_secs(3600));
/// assert!(request.lease.is_none(), "stored whatever others do");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct StoreRequest<'a> {
    /// The bytes to store, made by [`entry::encode`](crate::entry::encode): a backend may distinguish entries by their
    /// length and first 16 bytes, which hold a checksum of the rest.
    pub entry: &'a [u8],
    /// When its value was computed, or where that has an age limit of its own, when it gets stale: determines the age for
    /// removing old entries.
    pub created: SystemTime,
    /// The time from which the store may drop it.
    pub expires: Option<SystemTime>,
    /// The lease under which to store; without one, storing is unconditional.
    pub lease: Option<Lease>,
    /// The maximal total size of the function's entries.
    pub capacity_bytes: Option<u64>,
}

/// The answer to a store.
///
/// ```
/// use cachier_backends::StoreReply;
///
/// fn is_stored(reply: StoreReply) -> bool {
///     matches!(reply, StoreReply::Stored { .. })
/// }
///
/// assert!(is_stored(StoreReply::Stored { evicted: 2 }));
/// assert!(!is_stored(StoreReply::TooLarge));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreReply {
    /// The entry is stored.
    Stored {
        /// How many older entries were evicted to make room.
        evicted: u64,
    },
    /// Nothing is stored: the lease has ended, or the entry has changed since it was granted.
    Superseded,
    /// Nothing is stored: the entry alone exceeds `capacity_bytes`, or the store's limit.
    TooLarge,
}

impl Loaded {
    /// The stored bytes, and the version that tells them apart from what is stored later.
    #[must_use]
    pub fn new(bytes: Vec<u8>, version: EntryVersion) -> Self {
        Self { bytes, version }
    }
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
