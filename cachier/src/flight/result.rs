//! Results of flights.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

/// An error that can be cloned for each waiter.
pub type SharedError = Arc<dyn Any + Send + Sync>;

/// The result of a flight.
#[derive(Clone, Debug)]
pub(crate) enum FlightResult<V> {
    /// A value.
    Value(V),
    /// A value that is still being stored; the flight goes on until it is. Callers that joined after this moment, when the
    /// key was last known to be valid, wait for the end.
    Storing(V, Option<Instant>),
    /// A value that may have been invalidated, before it was stored or since. Callers that joined after this moment, when
    /// the key was last known to be valid, load again.
    AsOf(V, Instant),
    /// The same with the stale value, as computing a new one failed.
    Fallback(V, Option<Instant>),
    /// An error that all waiters can share.
    Failure(SharedError),
    /// A result that cannot be shared.
    NotShared,
    /// No result: the leader panicked or was cancelled.
    Abandoned,
}

impl<V> FlightResult<V> {
    /// The same result for a value that is not stored: it counts for callers that joined by this moment, when the key was
    /// last known to be valid.
    pub(crate) fn valid_as_of(self, valid_at: Option<Instant>) -> Self {
        match (self, valid_at) {
            (Self::Value(value), Some(valid_at)) => Self::AsOf(value, valid_at),
            (Self::Fallback(value, _), valid_at) => Self::Fallback(value, valid_at),
            (result, _) => result,
        }
    }

    /// Whether a caller that joined at this moment has to wait for another result.
    pub(super) fn keeps_waiting(&self, joined: Instant) -> bool {
        matches!(self, Self::Storing(_, Some(valid_at)) if joined > *valid_at)
    }
}
