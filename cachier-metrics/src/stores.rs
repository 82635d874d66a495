//! Figures of stores: one backend instance each, whichever functions use it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::nanos;
use crate::histogram::{Histogram, LazyHistogram, SECONDS};
use crate::labels::Operation;
use crate::per_process::{PerProcess, copied};
use crate::sync::{Mutex, MutexGuard, lock};

/// The figures of a store at one moment; unknown ones are absent.
///
/// ```
/// use cachier_metrics::{Operation, StoreFigures};
///
/// let mut figures = StoreFigures::new("redis", "redis.internal:6379");
/// figures.round_trips = vec![(Operation::Load, 12)];
/// assert!(!figures.breaker_open);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreFigures {
    /// The kind of backend: `redis`.
    pub backend: String,
    /// Its configured name or address, without credentials.
    pub store: String,
    /// Requests sent, by operation.
    pub round_trips: Vec<(Operation, u64)>,
    /// Whether the circuit breaker answers for the backend.
    pub breaker_open: bool,
    /// Idle connections.
    pub idle_connections: Option<u64>,
    /// Connections in use.
    pub busy_connections: Option<u64>,
    /// The maximum.
    pub max_connections: Option<u64>,
    /// Waits for a connection, in nanoseconds.
    pub pool_waits: Histogram,
}

impl StoreFigures {
    /// A store without known figures.
    pub fn new(backend: impl Into<String>, store: impl Into<String>) -> Self {
        Self {
            backend: backend.into(),
            store: store.into(),
            round_trips: Vec::new(),
            breaker_open: false,
            idle_connections: None,
            busy_connections: None,
            max_connections: None,
            pool_waits: Histogram::default(),
        }
    }
}

/// A histogram of durations, recorded by any thread.
///
/// ```
/// use std::time::Duration;
/// use cachier_metrics::Durations;
///
/// let waits = Durations::new();
/// waits.record(Duration::from_millis(2));
/// assert_eq!(waits.read().count(), 1);
/// ```
#[derive(Debug)]
pub struct Durations(LazyHistogram);

impl Durations {
    /// An empty histogram.
    #[must_use]
    pub const fn new() -> Self {
        Self(LazyHistogram::new(&SECONDS))
    }

    /// Records a duration.
    pub fn record(&self, duration: Duration) {
        self.0.record(nanos(duration), 1);
    }

    /// The durations so far, in nanoseconds.
    #[must_use]
    pub fn read(&self) -> Histogram {
        self.0.read()
    }
}

impl Default for Durations {
    fn default() -> Self {
        Self::new()
    }
}

/// A source of stores' figures, listed for exporters until dropped.
///
/// ```
/// use cachier_metrics::{StoreFigures, StoreSource};
///
/// let listed = StoreSource::listed(|| vec![StoreFigures::new("redis", "redis.internal:6379")]);
/// drop(listed); // exporters ask it no more
/// ```
pub struct StoreSource {
    source: Arc<Source>,
}

type Source = dyn Fn() -> Vec<StoreFigures> + Send + Sync;

static SOURCES: PerProcess<Mutex<Vec<Arc<Source>>>> = PerProcess::new();

impl StoreSource {
    /// Lists `figures` as a source for all exporters of the process.
    pub fn listed(figures: impl Fn() -> Vec<StoreFigures> + Send + Sync + 'static) -> Self {
        let source: Arc<Source> = Arc::new(figures);
        sources().push(Arc::clone(&source));
        Self { source }
    }
}

impl Drop for StoreSource {
    fn drop(&mut self) {
        sources().retain(|source| !Arc::ptr_eq(source, &self.source));
    }
}

impl fmt::Debug for StoreSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSource").finish_non_exhaustive()
    }
}

/// The figures of all stores of the process, sorted, each store once.
pub(crate) fn stores() -> Vec<StoreFigures> {
    // Called outside the lock, as a source may take a while.
    let sources = sources().clone();
    let mut stores: Vec<_> = sources.iter().flat_map(|source| source()).collect();
    let name = |store: &StoreFigures| (store.backend.clone(), store.store.clone());
    stores.sort_by_key(name);
    stores.dedup_by_key(|store| name(store));
    stores
}

fn sources() -> MutexGuard<'static, Vec<Arc<Source>>> {
    lock(SOURCES.get(copied))
}
