//! Running the function, and what becomes of its result.

use std::time::Duration;

use cachier_backends::Error;
use futures_lite::future::block_on;

use cachier_metrics::{ComputeResult, Outcome, Reason, Tier};

use super::{Cacheable, Core, Drive, Flavour, Session, Settled, WantSize, Work};
use crate::background::{run_as_task, run_on_thread};
use crate::decision::{Computed, Settlement, Stored, settle};
use crate::flight::{ComputationId, Epoch, Landing, current, depend, within};
use crate::storage::{self, Found, Stamp, Tiers};
use crate::trace;

/// Values of more bytes than this are stored in the background.
const STORED_AT_ONCE: u64 = 1024 * 1024;

impl<T: Tiers> Drive<'_, T> {
    /// Calls the function, then stores, shares and returns its result as [`settle`] says.
    pub(super) async fn compute<W>(&mut self, work: &mut W, reason: Reason) -> Settled
    where
        W: Work<Value = T::Value>,
    {
        if reason == Reason::Overwrite {
            // What is being computed now began earlier than this call; it must not replace this result.
            self.core.flights.forget(self.key);
        }
        let epoch = self.core.flights.epoch(self.key);
        let (computed, took) = self.execute(work, reason).await;
        let stamp = Stamp {
            created: self.core.tiers.now(&self.core.function),
            compute_nanos: crate::timer::nanos(took),
        };
        match settle(computed, self.fallback(), &self.session.policy.rules) {
            Settlement::Store => self.store(work, stamp, epoch).await,
            Settlement::Share => self.share(work, stamp).await,
            Settlement::ServeStale => {
                if let Some(settled) = self.stand_in(work).await {
                    return settled;
                }
                self.share(work, stamp).await;
            }
        }
        Settled::own(match reason {
            Reason::Unavailable => Outcome::Unavailable,
            _ => Outcome::Miss,
        })
    }

    /// Runs the function, so that calls in its body know what they are part of.
    async fn execute<W>(&self, work: &mut W, reason: Reason) -> (Computed, Duration)
    where
        W: Work<Value = T::Value>,
    {
        let function = &self.core.function;
        let computation = match &self.leader {
            Some(leader) => leader.computation(),
            None => ComputationId::next(),
        };
        let _needed = depend(current(), computation);
        let cacheable = match self.session.policy.allow_none {
            true => Cacheable::ValuesAndNone,
            false => Cacheable::Values,
        };
        let recorder = function
            .metrics
            .map(|metrics| metrics.start_compute(reason));
        let begun = function.world.clock.now();
        let computed = within(computation, work.compute(cacheable)).await;
        let took = Duration::from_nanos(function.world.clock.now().saturating_sub(begun));
        if let Some(recorder) = recorder {
            recorder.finish(match computed {
                Computed::Storable | Computed::Unstorable => ComputeResult::Value,
                Computed::Failed => ComputeResult::Error,
            });
        }
        if reason == Reason::Refresh && computed == Computed::Failed {
            trace::refresh_failed(&function.name);
        }
        (computed, took)
    }

    /// Stores the result where it is still wanted, and lands the flight.
    async fn store<W: Work<Value = T::Value>>(&mut self, work: &mut W, stamp: Stamp, epoch: Epoch) {
        let want_size = self.core.function.wants_size();
        let found = match work.slot().kept(stamp, want_size) {
            Ok(found) => found,
            Err(error) => {
                self.session.failed(&error);
                return self.end_unshared().await;
            }
        };
        let is_wanted = !self.is_too_large(&found) && !self.is_superseded(epoch);
        if !is_wanted || self.stored() == Stored::Unknown {
            return self.land_unstored(found).await;
        }
        if found.bytes.is_some_and(|bytes| bytes > STORED_AT_ONCE) && T::IS_REMOTE {
            return self.store_later(found, epoch);
        }
        let stored = put(self.core, self.session, self.key, &found, self.lease.take()).await;
        if stored.is_ok_and(|stored| stored == storage::Stored::Done) {
            work.slot().stored(stamp);
        }
        let (core, key) = (self.core, self.key.clone());
        let _drops = T::defer_drops();
        let insert = || core.tiers.insert(&core.function, key, found);
        match self.leader.take() {
            Some(leader) => {
                leader.land(insert, || match work.slot().kept(stamp, WantSize::No) {
                    Ok(found) => Landing::Value(found),
                    Err(_) => Landing::NotShared,
                });
            }
            None => {
                core.flights.store_since(self.key, epoch, insert);
            }
        }
    }

    /// Stores a large value without holding up the caller; the flight lands when it is stored.
    fn store_later(&mut self, found: Found<T::Value>, epoch: Epoch) {
        let (core, key) = (self.core, self.key.clone());
        let (leader, lease, flavour) =
            (self.leader.take(), self.lease.take(), self.session.flavour);
        let world = core.function.world;
        let task = async move {
            let session = Session::unmeasured(&core.function, flavour);
            if leader.is_some() || core.flights.epoch(&key) == epoch {
                // A failure has been counted; the caller has its value.
                let _ = put(core, &session, &key, &found, lease).await;
            }
            if let Some(leader) = leader {
                leader.land(|| (), || Landing::Value(found));
            }
        };
        match flavour {
            Flavour::Sync => run_on_thread(world, || block_on(task)),
            Flavour::Async => run_as_task(world, task),
        }
    }

    /// Hands a result that is not stored to the waiters of this flight.
    async fn share<W: Work<Value = T::Value>>(&mut self, work: &mut W, stamp: Stamp) {
        if let Some(error) = work.slot().share_error() {
            self.release().await;
            if let Some(leader) = self.leader.take() {
                leader.land(|| (), || Landing::Failure(error));
            }
            return;
        }
        match work.slot().kept(stamp, WantSize::No) {
            Ok(found) => self.land_unstored(found).await,
            Err(_) => self.end_unshared().await,
        }
    }

    async fn land_unstored(&mut self, found: Found<T::Value>) {
        self.release().await;
        if let Some(leader) = self.leader.take() {
            leader.land(|| (), || Landing::Value(found));
        }
    }

    async fn end_unshared(&mut self) {
        self.release().await;
        if let Some(leader) = self.leader.take() {
            leader.land(|| (), || Landing::NotShared);
        }
    }

    /// Serves the stale value instead of the failure.
    async fn stand_in<W: Work<Value = T::Value>>(&mut self, work: &mut W) -> Option<Settled> {
        let found = self.found.take()?;
        let age = Some(self.age(&found));
        let compute_nanos = Some(found.stamp.compute_nanos);
        if let Err(error) = work.slot().serve(found.clone()) {
            self.session.failed(&error);
            return None;
        }
        self.land_unstored(found).await;
        Some(Settled {
            outcome: Outcome::Stale,
            age,
            tier: Some(Tier::Backend),
            compute_nanos,
        })
    }

    /// What could be served in place of a failure: also when the storage has failed since.
    fn fallback(&self) -> Stored {
        match &self.found {
            Some(found) => Stored::Aged(self.age(found)),
            None => Stored::Absent,
        }
    }

    async fn release(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.core.tiers.release(self.session, lease).await;
        }
    }

    fn is_too_large(&self, found: &Found<T::Value>) -> bool {
        let Some((limit, bytes)) = self.session.policy.entry_size_limit.zip(found.bytes) else {
            return false;
        };
        if bytes > limit
            && let Some(metrics) = self.core.function.metrics
        {
            metrics.rejected(bytes);
        }
        bytes > limit
    }

    fn is_superseded(&self, epoch: Epoch) -> bool {
        match &self.leader {
            Some(leader) => leader.is_superseded(),
            None => self.core.flights.epoch(self.key) != epoch,
        }
    }
}

/// Stores in the tiers that other processes see.
async fn put<T: Tiers>(
    core: &Core<T>,
    session: &Session<'_>,
    key: &T::Key,
    found: &Found<T::Value>,
    lease: Option<T::Lease>,
) -> Result<storage::Stored, Error> {
    let stored = core.tiers.store(session, key, found, lease).await;
    if let (Ok(storage::Stored::Done), Some(recorder), Some(bytes)) =
        (&stored, &session.recorder, found.bytes)
    {
        recorder.stored(bytes);
    }
    stored
}
