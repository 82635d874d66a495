//! Figures that a backend reports about its requests and connections.

use std::time::Duration;

use crate::error::Operation;

/// Requests and connections of a backend. Unknown figures are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Requests sent, by operation; empty if unknown.
    pub round_trips: Vec<(Operation, u64)>,
    /// The connection pool.
    pub pool: Option<Pool>,
}

/// Called with the time that an operation waited for a connection; zero if one was free.
pub type WaitObserver = dyn Fn(Duration) + Send + Sync;

/// The connections of a client, over all runtimes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pool {
    /// Idle connections.
    pub idle: u64,
    /// Connections in use.
    pub busy: u64,
    /// The maximum; `None` if unbounded.
    pub max: Option<u64>,
}

impl Pool {
    /// A pool with these counts.
    #[must_use]
    pub fn new(idle: u64, busy: u64, max: Option<u64>) -> Self {
        Self { idle, busy, max }
    }
}
