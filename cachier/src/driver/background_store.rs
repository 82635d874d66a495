//! Stores large values in the background.

use std::time::{Duration, Instant};

use cachier_metrics::Reason;

use super::publish::{LocalClaim, after_store, publish, validity};
use super::state::{CallDriver, Computation, FoundOf, UnsharedOf};
use crate::background::{WorkerPool, run_on_thread};
use crate::block_on::block_on;
use crate::flight::{FlightResult, Validity};
use crate::session::Session;
use crate::storage::{self, Store, Vacated};

/// The value must not be stored; for whom it is valid.
struct NotStored {
    validity: Option<Validity>,
}

impl<T: Store> CallDriver<T> {
    /// Stores a large value without blocking anybody: waiters get it now, and later callers get it from the flight.
    pub(super) async fn store_in_background(
        &mut self,
        found: FoundOf<T>,
        computation: Computation,
        unshared: Option<UnsharedOf<T>>,
    ) {
        let lease = match self.lease_for_background_store(computation).await {
            Ok(lease) => lease,
            Err(NotStored { validity }) => {
                return self
                    .finish_flight(FlightResult::Value(found).valid_as_of(validity))
                    .await;
            }
        };
        let (core, key) = (self.core, self.key.clone());
        let replaced = self.replaced(computation.reason);
        let leader = self.leader.take();
        let context = core.function.context;
        // Only large values are stored in the background; an unknown size counts as the largest.
        let bytes = found.bytes.unwrap_or(u64::MAX);
        let session = Session::continuing(&core.function, &self.session, bytes);
        if let Some(leader) = &leader {
            if let Some(lease) = &lease
                && leader.is_awaited()
            {
                core.store.renew(&self.session, lease).await;
            }
            let valid_at = lease.as_deref().and_then(T::valid_at);
            leader.share(FlightResult::Storing(found.clone(), valid_at));
        }
        let task = async move {
            let local_claim = LocalClaim::<T>(leader.as_ref(), unshared.as_ref());
            let valid_at = lease.as_deref().and_then(T::valid_at);
            let sent_at = valid_at.map(|_| Instant::now());
            let stored = match local_claim.is_superseded() {
                true => Some(storage::StoreOutcome::Refused),
                // The failure has been counted; the caller has its value.
                false => publish(core, &session, &key, &found, lease, local_claim).await,
            };
            // Loads in between may have kept the old value.
            core.store.forget_near(&key);
            after_store(core, &session, &key, stored, replaced).await;
            if let Some(leader) = leader {
                let result = FlightResult::Value(found);
                let validity = validity(stored, valid_at, sent_at);
                leader.finish(|| (), || result.valid_as_of(validity));
            }
        };
        // A thread also for async callers: their runtime may end before the store does.
        run_on_thread(context, WorkerPool::Storage, || block_on(task));
    }

    /// The lease for a store in the background. An entry that nobody may be served meanwhile is removed first.
    async fn lease_for_background_store(
        &mut self,
        computation: Computation,
    ) -> Result<Option<Box<T::Lease>>, NotStored> {
        let is_ended = computation.reason == Reason::Overwrite
            || self.session.options.max_age == Some(Duration::ZERO);
        let (core, session) = (self.core, &self.session);
        match self.lease.take() {
            Some(lease) if is_ended && T::owns(&lease) => {
                let valid_at = T::valid_at(&lease);
                match core.store.vacate(session, *lease).await {
                    Ok(Vacated::Done { lease, .. }) => {
                        self.withdraw_on_loss(&lease);
                        Ok(Some(Box::new(lease)))
                    }
                    Ok(Vacated::Superseded) => Err(NotStored {
                        validity: valid_at.map(Validity::Confirmed),
                    }),
                    Err(_) => Err(NotStored {
                        validity: valid_at.map(Validity::Unconfirmed),
                    }),
                }
            }
            None if is_ended => {
                // This ends nobody's lease. The failure has been counted.
                let _ = core.store.remove(session, &self.key).await;
                Ok(None)
            }
            lease => Ok(lease),
        }
    }
}
