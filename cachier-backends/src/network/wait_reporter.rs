//! How long operations wait for a connection.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::backend::WaitObserver;

/// Passes on how long was waited, once somebody wants to know.
#[derive(Clone, Default)]
pub(crate) struct WaitReporter(Arc<OnceLock<Arc<WaitObserver>>>);

impl WaitReporter {
    /// From now on `observer` is told, unless another one is already.
    pub(crate) fn observe(&self, observer: Arc<WaitObserver>) {
        let _ = self.0.set(observer);
    }

    /// A connection was free at once.
    pub(crate) fn not_waited(&self) {
        self.report(Duration::ZERO);
    }

    /// A connection was waited for since then.
    pub(crate) fn waited_since(&self, started: Instant) {
        self.report(started.elapsed());
    }

    pub(crate) fn report(&self, waited: Duration) {
        if let Some(observer) = self.0.get() {
            observer(waited);
        }
    }
}
