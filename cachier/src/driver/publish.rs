//! Publishes results to other processes and to waiters.

use std::time::Instant;

use cachier_metrics::RemovalCause;

use super::backoff::Replaced;
use super::core::Core;
use super::state::{CallDriver, FoundOf, LeaderOf, UnsharedOf};
use super::work::Slot;
use crate::flight::{FlightResult, Leader, UnsharedComputation, Validity};
use crate::function::Function;
use crate::options::WantSize;
use crate::session::Session;
use crate::storage::{self, Store};

/// The leader or the unshared computation: tells whether this process has invalidated the key meanwhile.
pub(super) struct LocalClaim<'a, T: Store>(
    pub(super) Option<&'a LeaderOf<T>>,
    pub(super) Option<&'a UnsharedOf<T>>,
);

impl<T: Store> LocalClaim<'_, T> {
    pub(super) fn is_superseded(&self) -> bool {
        match self.0 {
            Some(leader) => leader.is_superseded(),
            None => self.1.is_some_and(UnsharedComputation::is_superseded),
        }
    }
}

/// Ends a computation: applies `change` to the memory of the process if that is still wanted, and shares the result.
pub(super) fn end_flight<T: Store>(
    leader: Option<LeaderOf<T>>,
    unshared: Option<UnsharedOf<T>>,
    change: impl FnOnce(),
    share: impl FnOnce() -> FlightResult<FoundOf<T>>,
) {
    let _drops = T::defer_drops();
    if let Some(leader) = leader {
        leader.finish(change, share);
    } else if let Some(unshared) = unshared {
        unshared.store(change);
    }
}

/// Ends a computation whose value is stored as far as others see it: inserts it into the memory of the process, and shares
/// the result, or else the value.
pub(super) fn end_with_value<T: Store>(
    core: &'static Core<T>,
    key: &T::Key,
    found: FoundOf<T>,
    (leader, unshared): (Option<LeaderOf<T>>, Option<UnsharedOf<T>>),
    result: Option<FlightResult<FoundOf<T>>>,
    slot: &dyn Slot<T::Value>,
) {
    let stamp = found.stamp;
    let shared = || match slot.encode(stamp, WantSize::No) {
        Ok(found) => FlightResult::Value(found),
        Err(_) => FlightResult::NotShared,
    };
    let share = || result.unwrap_or_else(shared);
    core.store.insert(&core.function, key, found, |insert| {
        // Shared and returned even if the memory has no room for it.
        end_flight::<T>(leader, unshared, || _ = insert(), share);
    });
}

/// The validity of a value that was sent under a lease: for callers that came before, unless the store refused it or did not
/// answer.
pub(super) fn validity(
    stored: Option<storage::StoreOutcome>,
    valid_at: Option<Instant>,
    sent_at: Option<Instant>,
) -> Option<Validity> {
    match stored {
        Some(storage::StoreOutcome::Refused) => valid_at.map(Validity::Confirmed),
        Some(storage::StoreOutcome::Done | storage::StoreOutcome::TooLarge) => {
            sent_at.map(Validity::Confirmed)
        }
        None => valid_at.map(Validity::Unconfirmed),
    }
}

/// Stores where other processes see it; `None` after a failure, which has been counted.
pub(super) async fn publish<T: Store>(
    core: &Core<T>,
    session: &Session<'_>,
    key: &T::Key,
    found: &FoundOf<T>,
    lease: Option<Box<T::Lease>>,
    local_claim: LocalClaim<'_, T>,
) -> Option<storage::StoreOutcome> {
    let lease = lease.map(|lease| *lease);
    let stored = core.store.store(session, key, found, lease).await;
    if let Ok(storage::StoreOutcome::Done) = &stored {
        count_stored(session, found.bytes);
    }
    if T::IS_REMOTE && !core.store.fences(&core.function) && local_claim.is_superseded() {
        // Without a lease the store may have arrived after an invalidation, so the entry is removed.
        let _ = core.store.remove(session, key).await;
        return Some(storage::StoreOutcome::Refused);
    }
    stored.ok()
}

/// Counts a value of this size that has been stored.
pub(super) fn count_stored(session: &Session<'_>, bytes: Option<u64>) {
    if let (Some(metrics), Some(bytes)) = (session.function().metrics, bytes) {
        metrics.stored(bytes, session.sampled());
    }
    session.span.item_size(bytes);
}

/// Cleans up after a store with this answer, `None` if it failed: the old entry of a value that is too large is removed. Where it
/// may still be there, its next recomputation has to wait.
pub(super) async fn after_store<T: Store>(
    core: &Core<T>,
    session: &Session<'_>,
    key: &T::Key,
    stored: Option<storage::StoreOutcome>,
    replaced: Replaced,
) {
    let is_kept = match stored {
        None => true,
        Some(storage::StoreOutcome::TooLarge) if replaced.may_exist => {
            let removed = remove(core, session, key).await;
            count_removed(&core.function, removed.unwrap_or(false));
            removed.is_none()
        }
        Some(_) => false,
    };
    if is_kept {
        replaced.backoff.begin(core, key);
    }
}

/// Removes the entry from the shared store; whether there was one. `None` after a failure, which has been counted.
pub(super) async fn remove<T: Store>(
    core: &Core<T>,
    session: &Session<'_>,
    key: &T::Key,
) -> Option<bool> {
    match T::IS_REMOTE {
        true => core.store.remove(session, key).await.ok(),
        false => Some(false),
    }
}

pub(super) fn count_removed(function: &Function, removed: bool) {
    if let Some(metrics) = function.metrics {
        metrics.removed(RemovalCause::Gone, removed.into());
    }
}

impl<T: Store> CallDriver<T> {
    /// The validity of a result computed without a lease, given when its leader began to read: nobody is told that the
    /// key is invalidated meanwhile. `None` under a lease, and where there are none.
    pub(super) fn unleased(&self, began: Option<Instant>) -> Option<Validity> {
        let is_unleased = self.leader.is_some()
            && self.lease.is_none()
            && self.core.store.fences(&self.core.function);
        began.filter(|_| is_unleased).map(Validity::Unconfirmed)
    }

    /// Shares a result that is not stored with the waiters.
    pub(super) async fn finish_flight(&mut self, result: FlightResult<FoundOf<T>>) {
        let (core, session) = (self.core, &self.session);
        let result = match self.lease.take() {
            Some(lease) => {
                if self.leader.as_ref().is_some_and(Leader::is_awaited) {
                    core.store.renew(session, &lease).await;
                }
                let result = result.valid_as_of(T::valid_at(&lease).map(Validity::Confirmed));
                core.store.release(session, *lease).await;
                result
            }
            None => result,
        };
        if let Some(leader) = self.leader.take() {
            leader.finish(|| (), || result);
        }
    }
}
