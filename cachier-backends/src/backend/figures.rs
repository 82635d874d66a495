//! Figures that a backend reports about its requests and connections.

use std::time::Duration;

use crate::error::Operation;

/// Requests and connections of a backend. Unknown figures are absent.
///
/// ```
/// use cachier_backends::{Figures, Operation, Pool};
///
/// let mut figures = Figures::default();
/// figures.round_trips = vec![(Operation::Load, 12), (Operation::Store, 1)];
/// figures.pool = Some(Pool::new(3, 1, Some(8)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Requests sent, by operation; empty if unknown.
    pub round_trips: Vec<(Operation, u64)>,
    /// The connection pool.
    pub pool: Option<Pool>,
}

/// Called with the time that an operation waited for a connection; zero if one was free.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
/// use std::time::Duration;
/// use cachier_backends::WaitObserver;
///
/// let waited = Arc::new(AtomicU64::new(0));
/// let sum = Arc::clone(&waited);
/// let observer: Arc<WaitObserver> = Arc::new(move |wait| {
///     sum.fetch_add(wait.as_micros() as u64, Ordering::Relaxed);
/// });
/// observer(Duration::from_millis(2));
/// assert_eq!(waited.load(Ordering::Relaxed), 2000);
/// ```
pub type WaitObserver = dyn Fn(Duration) + Send + Sync;

/// The connections of a client, over all runtimes.
///
/// ```
/// use cachier_backends::Pool;
///
/// let pool = Pool::new(3, 1, Some(8));
/// assert_eq!(pool.idle + pool.busy, 4);
/// ```
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
