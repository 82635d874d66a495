//! How long operations wait for a connection.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::backend::WaitObserver;

/// Reports waits to an observer, once there is one.
#[derive(Clone, Default)]
pub(crate) struct WaitReporter(Arc<OnceLock<Arc<WaitObserver>>>);

impl WaitReporter {
    /// Reports to `observer` from now on, unless there is one already.
    pub(crate) fn observe(&self, observer: Arc<WaitObserver>) {
        let _ = self.0.set(observer);
    }

    /// Reports that a connection was free at once.
    pub(crate) fn not_waited(&self) {
        self.report(Duration::ZERO);
    }

    /// Reports a wait for a connection since `started`.
    pub(crate) fn waited_since(&self, started: Instant) {
        self.report(started.elapsed());
    }

    pub(crate) fn report(&self, waited: Duration) {
        if let Some(observer) = self.0.get() {
            observer(waited);
        }
    }
}
