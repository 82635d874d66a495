//! The model, whole and broken.

/// A step that is left out, for the checker to find.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Whole,
    /// Unshared and overwriting computations are stored without a lease.
    WithoutLease,
    /// A refused value is shared with the waiters of the flight.
    SharesRefused,
    /// The same for a refresh.
    SharesRefusedRefresh,
    /// The same for a large value, refused when it is stored in the background.
    SharesRefusedLarge,
    /// The same for a large value that was to replace an entry invalidated before.
    SharesRefusedOverwrite,
    /// A stored value is shared with the waiters of the flight, even after an invalidation.
    SharesStored,
    /// A large value is shared with callers that join while it is being stored.
    SharesWhileStoring,
    /// A value computed without a lease, as the store gave no answer, is shared with the waiters of the flight.
    SharesUnleased,
    /// A value whose store failed is shared with callers that had joined the flight when it was sent.
    SharesUnstored,
    /// A lease is released although nobody knows whether the entry has been removed under it.
    ReleasesBeforeRemoval,
    /// Without leases, what has arrived after an invalidation of this process stays.
    KeepsLate,
    /// A refresh is not reserved before it leads its flight.
    WithoutReservation,
}
