//! How long operations wait for a connection.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::backend::WaitObserver;

/// Passes on how long was waited, once somebody wants to know.
#[derive(Clone, Default)]
pub(crate) struct Waits(Arc<OnceLock<Arc<WaitObserver>>>);

impl Waits {
    /// From now on `observer` is told, unless another one is already.
    pub(crate) fn observe(&self, observer: Arc<WaitObserver>) {
        let _ = self.0.set(observer);
    }

    /// A connection was free at once.
    pub(crate) fn none(&self) {
        self.note(Duration::ZERO);
    }

    /// A connection was waited for since then.
    pub(crate) fn since(&self, started: Instant) {
        self.note(started.elapsed());
    }

    pub(crate) fn note(&self, waited: Duration) {
        if let Some(observer) = self.0.get() {
            observer(waited);
        }
    }
}
