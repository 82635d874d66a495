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
    /// A value that may have been invalidated, before it was stored or since.
    AsOf(V, Validity),
    /// The same with the stale value, as computing a new one failed.
    Fallback(V, Option<Validity>),
    /// An error that all waiters can share.
    Failure(SharedError),
    /// A result that cannot be shared.
    NotShared,
    /// No result: the leader panicked or was cancelled.
    Abandoned,
}

/// The callers for which a value is recent enough, although others may have invalidated its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    /// Callers that joined by this moment, when the store last said that the key is valid.
    Confirmed(Instant),
    /// The store could not be asked: those that joined by this moment, before which nothing was read, and those whose
    /// own lookup failed, so that a store that is down ends no single flight.
    Unconfirmed(Instant),
}

impl Validity {
    /// Whether it covers a caller that joined at this moment.
    pub(crate) fn covers(self, joined: Instant, lookup: LookupResult) -> bool {
        match (self, lookup) {
            (Self::Unconfirmed(_), LookupResult::Failed) => true,
            (Self::Confirmed(moment) | Self::Unconfirmed(moment), _) => joined <= moment,
        }
    }
}

/// How the lookup of a caller ended, before it joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookupResult {
    Answered,
    Failed,
}

impl<V> FlightResult<V> {
    /// The same result for a value that others may have invalidated, unless that is already known of it.
    pub(crate) fn valid_as_of(self, validity: Option<Validity>) -> Self {
        match (self, validity) {
            (Self::Value(value), Some(validity)) => Self::AsOf(value, validity),
            (Self::Fallback(value, None), validity) => Self::Fallback(value, validity),
            (result, _) => result,
        }
    }

    /// Whether a caller that joined at this moment has to wait for another result.
    pub(super) fn keeps_waiting(&self, joined: Instant) -> bool {
        matches!(self, Self::Storing(_, Some(valid_at)) if joined > *valid_at)
    }
}
