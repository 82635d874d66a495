//! Subscriptions to what a server announces: who is told, and when one that was lost is made again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Watchers;
use crate::backend::Change;

/// Those whom one backend tells what it hears.
pub(crate) struct Subscribers {
    /// What this backend calls itself in what it announces.
    origin: String,
    /// Told of what others do to entries.
    pub(crate) watchers: Arc<Watchers>,
    /// Told of what anybody does to entries and leases.
    pub(crate) waiters: Arc<Watchers>,
}

/// The backoff between attempts to listen: longer each time that there was no connection.
pub(crate) struct Backoff {
    next: Duration,
}

impl Subscribers {
    pub(crate) fn new(origin: String) -> Self {
        Self {
            origin,
            watchers: Arc::default(),
            waiters: Arc::default(),
        }
    }

    /// Tells those concerned what `origin` has done to the entries of a function.
    pub(crate) fn tell(&self, scope: &str, origin: &str, change: &Change) {
        self.waiters.notify(scope, change);
        if origin != self.origin {
            self.watchers.notify(scope, change);
        }
    }
}

impl Backoff {
    const MIN_DELAY: Duration = Duration::from_millis(50);
    const MAX_DELAY: Duration = Duration::from_secs(5);

    pub(crate) fn new() -> Self {
        Self {
            next: Self::MIN_DELAY,
        }
    }

    /// There is a connection: the next pause is short.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }

    pub(crate) async fn wait(&mut self) {
        sleep(self.next).await;
        self.next = (2 * self.next).min(Self::MAX_DELAY);
    }
}
