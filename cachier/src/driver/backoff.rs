//! Backing off from the recomputation of a stale value after a failed attempt.

use std::thread;
use std::time::Duration;

use cachier_metrics::Reason;

use super::core::Core;
use super::state::{CallDriver, State};
use crate::decision::{Backoff, ResultKind, Rules, Stored, backoff_after_failure, is_fresh};
use crate::storage::Store;

impl<T: Store> Core<T> {
    /// Starts a backoff for the value created at `created`.
    pub(super) fn back_off(&self, key: &T::Key, created: u64, backoff: Backoff, length: Duration) {
        let now = self.function.context.clock.now();
        self.backoffs.note(key, created, backoff, length, now);
    }
}

/// The backoff after a failure to replace a value: when that was created, and for how long; `None` if there is none.
pub(super) struct FailedBackoff(Option<(u64, Duration)>);

/// The entry that a value is to replace.
pub(super) struct Replaced {
    pub(super) may_exist: bool,
    /// Begins if it stays although a refresh should have replaced it.
    pub(super) backoff: FailedBackoff,
}

impl FailedBackoff {
    pub(super) fn begin<T: Store>(self, core: &Core<T>, key: &T::Key) {
        if let Some((created, length)) = self.0 {
            core.back_off(key, created, Backoff::Failed, length);
        }
    }
}

impl<T: Store> CallDriver<T> {
    /// The backoff that applies to what is stored, if that is stale or due for a refresh.
    pub(super) fn backoff_of(&self, stored: Stored, rules: &Rules) -> Option<Backoff> {
        let max_age = self.session.options.max_age;
        let needs_another = |age| rules.is_due(age) || !is_fresh(age, rules.stale_after, max_age);
        match stored {
            Stored::Aged(age) if needs_another(age) => self.current_backoff(),
            _ => None,
        }
    }

    /// The backoff that applies to the value that this call has loaded.
    pub(super) fn current_backoff(&self) -> Option<Backoff> {
        self.backoff_and_end().map(|(backoff, _)| backoff)
    }

    /// Until when no hit may refresh the value that this call has loaded; `None` if one may at once, or none ever does.
    pub(super) fn rests_until(&self) -> Option<u64> {
        // Only copies ask, and other hits need not meet at the lock of the backoffs.
        self.core.function.options.near_cache?;
        self.session.policy.rules.refresh_after?;
        self.backoff_and_end().map(|(_, end)| end)
    }

    fn backoff_and_end(&self) -> Option<(Backoff, u64)> {
        let core = self.core;
        let now = core.function.context.clock.now();
        core.backoffs.find(&self.key, self.created?, now)
    }

    /// Starts a backoff if the function failed to replace the value that this call has loaded.
    pub(super) fn back_off_after(&self, kind: ResultKind) {
        if kind == ResultKind::Failed {
            self.failed_pause().begin(self.core, &self.key);
        }
    }

    /// The backoff that starts if a refresh can neither be stored nor remove what it replaces. A call that computes for itself
    /// starts none: it has a new value.
    pub(super) fn unstored_backoff(&self, reason: Reason) -> FailedBackoff {
        match reason {
            Reason::Refresh => self.failed_pause(),
            _ => FailedBackoff(None),
        }
    }

    /// The entry that the result of a computation for this reason is to replace.
    pub(super) fn replaced(&self, reason: Reason) -> Replaced {
        Replaced {
            may_exist: self.may_replace(),
            backoff: self.unstored_backoff(reason),
        }
    }

    fn failed_pause(&self) -> FailedBackoff {
        let length = backoff_after_failure(&self.session.policy.rules);
        FailedBackoff(self.created.zip(length))
    }
}

/// A panic of the function is a failure too.
impl<T: Store> Drop for CallDriver<T> {
    fn drop(&mut self) {
        if matches!(self.state, State::Running(_)) && thread::panicking() {
            self.back_off_after(ResultKind::Failed);
        }
    }
}
