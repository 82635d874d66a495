//! What a backend tells about its work.

use std::time::Duration;

use crate::error::Operation;

/// What a backend tells about its requests and connections. What it cannot tell is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// How many requests were sent, by what they were for; empty if the client does not tell.
    pub round_trips: Vec<(Operation, u64)>,
    /// The connections.
    pub pool: Option<Pool>,
}

/// Is told how long an operation has waited for a connection; zero if one was free.
pub type WaitObserver = dyn Fn(Duration) + Send + Sync;

/// The connections of a client, of all runtimes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pool {
    /// Connections that nobody uses right now.
    pub idle: u64,
    /// Connections in use.
    pub busy: u64,
    /// The most that there may be; `None` if there is no bound.
    pub max: Option<u64>,
}

impl Pool {
    /// So many connections.
    #[must_use]
    pub fn new(idle: u64, busy: u64, max: Option<u64>) -> Self {
        Self { idle, busy, max }
    }
}
