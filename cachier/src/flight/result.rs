//! What a flight hands to those who wait for it.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

/// A clone of an error for each waiter, where errors can be cloned.
pub type SharedError = Arc<dyn Any + Send + Sync>;

/// How a flight ended.
#[derive(Clone, Debug)]
pub(crate) enum FlightResult<V> {
    /// With this value.
    Value(V),
    /// With this value, which is still being stored: the flight goes on until it is. Whoever joined after this moment, when
    /// nobody had invalidated the key yet, waits to see whether somebody has.
    Storing(V, Option<Instant>),
    /// With this value, which somebody may have invalidated, be it before it was stored or since. Whoever joined after this
    /// moment, when nobody had, looks again.
    AsOf(V, Instant),
    /// The same with a value that is stale, as computing a new one has failed.
    Fallback(V, Option<Instant>),
    /// With an error that every waiter may have a clone of.
    Failure(SharedError),
    /// With a result that cannot be shared.
    NotShared,
    /// Without a result: its leader panicked or was cancelled.
    Abandoned,
}

impl<V> FlightResult<V> {
    /// The same with a value that is not stored: for those who joined by the moment when nobody had invalidated the key, if
    /// that is known.
    pub(crate) fn valid_as_of(self, valid_at: Option<Instant>) -> Self {
        match (self, valid_at) {
            (Self::Value(value), Some(valid_at)) => Self::AsOf(value, valid_at),
            (Self::Fallback(value, _), valid_at) => Self::Fallback(value, valid_at),
            (result, _) => result,
        }
    }

    /// Whether whoever joined at this moment has to wait for another landing.
    pub(super) fn keeps_waiting(&self, joined: Instant) -> bool {
        matches!(self, Self::Storing(_, Some(valid_at)) if joined > *valid_at)
    }
}
