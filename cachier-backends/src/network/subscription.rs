//! Subscriptions to a server's announcements: who is notified, and the backoff between reconnects.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::watchers::Watchers;
use crate::backend::Change;

/// Subscribers to the changes that one backend receives.
pub(crate) struct Subscribers {
    /// The name under which this backend announces its own changes.
    origin: String,
    /// Notified of changes to entries made by others.
    pub(crate) watchers: Arc<Watchers>,
    /// Notified of all changes to entries and leases.
    pub(crate) waiters: Arc<Watchers>,
}

/// Exponential backoff between attempts to subscribe.
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

    /// Notifies of a change that `origin` made to the entries of a function.
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

    /// Resets the delay after a successful connect.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }

    pub(crate) async fn wait(&mut self) {
        sleep(self.next).await;
        self.next = (2 * self.next).min(Self::MAX_DELAY);
    }
}
