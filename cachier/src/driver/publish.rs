//! Where the result of a computation goes: into the tiers that other processes see, and to those who wait.

use std::time::Instant;

use cachier_metrics::RemovalCause;

use super::core::Core;
use super::state::{CallDriver, FoundOf, UnsharedOf};
use crate::flight::{FlightResult, Leader, UnsharedComputation};
use crate::function::Function;
use crate::session::Session;
use crate::storage::{self, Store};

/// Whether something has happened to the key in this process since a computation began, inside a flight or outside any.
pub(super) struct LocalClaim<'a, T: Store>(
    pub(super) Option<&'a Leader<'static, T::Key, FoundOf<T>>>,
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

/// Ends a computation: changes the memory of the process if that is still wanted, and tells those who wait.
pub(super) fn end_flight<T: Store>(
    leader: Option<Leader<'static, T::Key, FoundOf<T>>>,
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

/// The last moment at which nobody is known to have invalidated what was to be stored: when that was sent, unless it was
/// refused.
pub(super) fn last_valid_at(
    stored: Option<storage::StoreOutcome>,
    valid_at: Option<Instant>,
    sent_at: Option<Instant>,
) -> Option<Instant> {
    match stored {
        Some(storage::StoreOutcome::Refused) => valid_at,
        _ => sent_at,
    }
}

/// Stores in the tiers that other processes see; `None` after a failure, which has been counted.
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
    if let (Ok(storage::StoreOutcome::Done), Some(metrics), Some(bytes)) =
        (&stored, core.function.metrics, found.bytes)
    {
        metrics.stored(bytes, session.sampled());
    }
    if T::IS_REMOTE && !core.store.fences(&core.function) && local_claim.is_superseded() {
        // No lease has kept it from arriving after an invalidation, so it goes again.
        let _ = core.store.remove(session, key).await;
        return Some(storage::StoreOutcome::Refused);
    }
    stored.ok()
}

/// Removes the entry in place of which nothing could be stored.
pub(super) async fn remove_replaced<T: Store>(core: &Core<T>, session: &Session<'_>, key: &T::Key) {
    let removed = remove(core, session, key).await;
    count_removed(&core.function, removed);
}

/// Removes the entry that other processes see. A failure has been counted.
pub(super) async fn remove<T: Store>(core: &Core<T>, session: &Session<'_>, key: &T::Key) -> bool {
    T::IS_REMOTE && core.store.remove(session, key).await.unwrap_or(false)
}

pub(super) fn count_removed(function: &Function, removed: bool) {
    if let Some(metrics) = function.metrics {
        metrics.removed(RemovalCause::Gone, removed.into());
    }
}

impl<T: Store> CallDriver<T> {
    /// Hands a result that is not stored to the waiters of this flight.
    pub(super) async fn finish_flight(&mut self, result: FlightResult<FoundOf<T>>) {
        let (core, session) = (self.core, &self.session);
        let result = match self.lease.take() {
            Some(lease) => {
                if self.leader.as_ref().is_some_and(Leader::is_awaited) {
                    core.store.renew(session, &lease).await;
                }
                let result = result.valid_as_of(T::valid_at(&lease));
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
