//! Where new connections lead.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Identifies the file of a connection; `None` for servers.
pub(super) type FileId = Option<(u64, u64)>;

/// Where new connections lead. A removed file lives on for those who have it open, while nobody else sees their
/// changes.
pub(super) struct Destination {
    probe: Option<Box<dyn Fn() -> FileId + Send + Sync>>,
    observed: Mutex<Observed>,
}

#[derive(Default)]
struct Observed {
    file: FileId,
    at: Option<Instant>,
}

const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Destination {
    /// A server, identified by its address.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(super) fn of_server() -> Self {
        let (probe, observed) = (None, Mutex::default());
        Self { probe, observed }
    }

    /// A file, identified by `probe`.
    #[cfg(feature = "sqlite")]
    pub(super) fn of_file(probe: impl Fn() -> FileId + Send + Sync + 'static) -> Self {
        Self {
            probe: Some(Box::new(probe)),
            observed: Mutex::default(),
        }
    }

    /// The file seen last.
    pub(super) fn file(&self) -> FileId {
        match self.probe {
            Some(_) => self.observed().file,
            None => None,
        }
    }

    /// Checks the file, unless that was done just now; whether it is another one.
    pub(super) fn has_changed(&self, now: Instant) -> bool {
        let is_due = |observed: &Observed| {
            let since = observed.at.map(|at| now.saturating_duration_since(at));
            since.is_none_or(|since| since >= RECHECK_INTERVAL)
        };
        self.probe.is_some() && is_due(&self.observed()) && self.check(now)
    }

    /// Checks the file; whether it is another one.
    pub(super) fn check(&self, now: Instant) -> bool {
        let Some(probe) = &self.probe else {
            return false;
        };
        let found = Observed {
            file: probe(),
            at: Some(now),
        };
        let file = found.file;
        std::mem::replace(&mut *self.observed(), found).file != file
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
