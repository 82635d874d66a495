//! Where connections lead.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Which file a connection has open; of a server nothing needs to be known.
pub(super) type FileId = Option<(u64, u64)>;

/// Where new connections lead. A file that was removed goes on for those that have it open, and nobody else sees what they
/// store.
pub(super) struct Destination {
    probe: Option<Box<dyn Fn() -> FileId + Send + Sync>>,
    observed: Mutex<Observed>,
}

#[derive(Default)]
struct Observed {
    file: FileId,
    at: Option<Instant>,
}

/// How long a look is good for.
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Destination {
    /// A server, which is known by its address.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(super) fn of_server() -> Self {
        let (probe, observed) = (None, Mutex::default());
        Self { probe, observed }
    }

    /// A file, which is known by what `probe` finds.
    #[cfg(feature = "sqlite")]
    pub(super) fn of_file(probe: impl Fn() -> FileId + Send + Sync + 'static) -> Self {
        Self {
            probe: Some(Box::new(probe)),
            observed: Mutex::default(),
        }
    }

    /// What was there when it was last looked.
    pub(super) fn file(&self) -> FileId {
        match self.probe {
            Some(_) => self.observed().file,
            None => None,
        }
    }

    /// Looks what is there, unless that was done a moment ago; whether it is something else.
    pub(super) fn has_changed(&self, now: Instant) -> bool {
        let is_due = |observed: &Observed| {
            let since = observed.at.map(|at| now.saturating_duration_since(at));
            since.is_none_or(|since| since >= RECHECK_INTERVAL)
        };
        self.probe.is_some() && is_due(&self.observed()) && self.check(now)
    }

    /// Looks what is there; whether it is something else.
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
