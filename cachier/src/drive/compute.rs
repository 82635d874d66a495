//! Running the function, and what becomes of its result.

use futures_lite::future::block_on;

use cachier_metrics::{ComputeRecorder, ComputeResult, Outcome, Reason, Tier};

use super::{Cacheable, Core, Drive, Flavour, Session, Settled, Slot, WantSize, Work};
use crate::background::{run_as_task, run_on_thread};
use crate::decision::{Computed, Settlement, Stored, settle};
use crate::flight::{ComputationId, Dependency, Epoch, Landing, current, depend, within};
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
        let execution = self.begin(reason);
        let work_done = work.compute(self.cacheable());
        let computed = within(execution.computation, work_done).await;
        let epoch = execution.epoch;
        let stamp = self.end(execution, computed);
        match self.conclude(work.slot(), computed, stamp, epoch) {
            Conclusion::Store(found) => {
                let stored = self.put(&found).await;
                self.land_stored(work.slot(), found, stored, stamp, epoch);
            }
            Conclusion::StoreLater(found) => self.store_later(found, epoch),
            Conclusion::Land(landing) => self.land(landing).await,
            Conclusion::ServeStale(found, settled) => {
                self.land(Landing::Value(found)).await;
                return settled;
            }
        }
        Settled::own(match reason {
            Reason::Unavailable => Outcome::Unavailable,
            _ => Outcome::Miss,
        })
    }

    /// Begins to run the function, so that calls in its body know what they are part of.
    fn begin(&self, reason: Reason) -> Execution {
        let function = &self.core.function;
        if reason == Reason::Overwrite {
            // What is being computed now began earlier than this call; it must not replace this result.
            self.core.flights.forget(self.key);
        }
        let computation = match &self.leader {
            Some(leader) => leader.computation(),
            None => ComputationId::next(),
        };
        Execution {
            reason,
            computation,
            epoch: self.core.flights.epoch(self.key),
            _needed: depend(current(), computation).ok(),
            recorder: function
                .metrics
                .map(|metrics| metrics.start_compute(reason)),
            begun: function.world.clock.now(),
        }
    }

    /// The function has run: when that was, and how long it took.
    fn end(&self, execution: Execution, computed: Computed) -> Stamp {
        let function = &self.core.function;
        let compute_nanos = function.world.clock.now().saturating_sub(execution.begun);
        if let Some(recorder) = execution.recorder {
            recorder.finish(match computed {
                Computed::Storable | Computed::Unstorable => ComputeResult::Value,
                Computed::Failed => ComputeResult::Error,
            });
        }
        if execution.reason == Reason::Refresh && computed == Computed::Failed {
            trace::refresh_failed(&function.name);
        }
        let created = self.core.tiers.now(function);
        self.session.stamp(created, compute_nanos)
    }

    /// What is to become of the result.
    fn conclude(
        &mut self,
        slot: &mut dyn Slot<T::Value>,
        computed: Computed,
        stamp: Stamp,
        epoch: Epoch,
    ) -> Conclusion<Found<T::Value>> {
        match settle(computed, self.fallback(), &self.session.policy.rules) {
            Settlement::Store => self.conclude_value(slot, stamp, epoch),
            Settlement::Share => Conclusion::Land(share(slot, stamp)),
            Settlement::ServeStale => match self.stand_in(slot) {
                Some((found, settled)) => Conclusion::ServeStale(found, settled),
                None => Conclusion::Land(share(slot, stamp)),
            },
        }
    }

    /// A result that may be stored is, where it is still wanted.
    fn conclude_value(
        &mut self,
        slot: &mut dyn Slot<T::Value>,
        stamp: Stamp,
        epoch: Epoch,
    ) -> Conclusion<Found<T::Value>> {
        let want_size = self.core.function.wants_size();
        let found = match slot.kept(stamp, want_size) {
            Ok(found) => found,
            Err(error) => {
                self.session.failed(&error);
                return Conclusion::Land(Landing::NotShared);
            }
        };
        let is_wanted = !self.session.is_too_large(found.bytes) && !self.is_superseded(epoch);
        if !is_wanted || self.stored() == Stored::Unknown {
            Conclusion::Land(Landing::Value(found))
        } else if found.bytes.is_some_and(|bytes| bytes > STORED_AT_ONCE) && T::IS_REMOTE {
            Conclusion::StoreLater(found)
        } else {
            Conclusion::Store(found)
        }
    }

    /// Stores in the tiers that other processes see.
    async fn put(&mut self, found: &Found<T::Value>) -> storage::Stored {
        let lease = self.lease.take();
        put(self.core, self.session, self.key, found, lease).await
    }

    /// Stores in the memory of the process, and lands the flight.
    fn land_stored(
        &mut self,
        slot: &mut dyn Slot<T::Value>,
        found: Found<T::Value>,
        stored: storage::Stored,
        stamp: Stamp,
        epoch: Epoch,
    ) {
        if stored == storage::Stored::Done {
            slot.stored(stamp);
        }
        let core = self.core;
        let _drops = T::defer_drops();
        let insertion = core.tiers.insertion(&core.function, self.key, found);
        // Shared and returned all the same where the memory has no room for it.
        let insert = || _ = insertion();
        match self.leader.take() {
            Some(leader) => {
                leader.land(insert, || match slot.kept(stamp, WantSize::No) {
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
        let session = Session::after(&core.function, self.session);
        let task = async move {
            if leader.is_some() || core.flights.epoch(&key) == epoch {
                // A failure has been counted; the caller has its value.
                put(core, &session, &key, &found, lease).await;
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
    async fn land(&mut self, landing: Landing<Found<T::Value>>) {
        if let Some(lease) = self.lease.take() {
            self.core.tiers.release(self.session, lease).await;
        }
        if let Some(leader) = self.leader.take() {
            leader.land(|| (), || landing);
        }
    }

    /// Serves the stale value instead of the failure.
    fn stand_in(&mut self, slot: &mut dyn Slot<T::Value>) -> Option<(Found<T::Value>, Settled)> {
        let found = self.found.take()?;
        if let Err(error) = slot.serve(found.clone()) {
            self.session.failed(&error);
            return None;
        }
        let settled = Settled {
            outcome: Outcome::Stale,
            age: Some(self.age(&found)),
            tier: Some(Tier::Backend),
            compute_nanos: Some(found.stamp.compute_nanos),
        };
        Some((found, settled))
    }

    /// What could be served in place of a failure: also when the storage has failed since.
    fn fallback(&self) -> Stored {
        match &self.found {
            Some(found) => Stored::Aged(self.age(found)),
            None => Stored::Absent,
        }
    }

    fn cacheable(&self) -> Cacheable {
        match self.session.policy.allow_none {
            true => Cacheable::ValuesAndNone,
            false => Cacheable::Values,
        }
    }

    fn is_superseded(&self, epoch: Epoch) -> bool {
        match &self.leader {
            Some(leader) => leader.is_superseded(),
            None => self.core.flights.epoch(self.key) != epoch,
        }
    }
}

/// The function at work.
struct Execution {
    reason: Reason,
    computation: ComputationId,
    /// The state of the key when it began.
    epoch: Epoch,
    _needed: Option<Dependency>,
    recorder: Option<ComputeRecorder>,
    begun: u64,
}

/// What becomes of a result.
enum Conclusion<Found> {
    /// It is stored, and shared.
    Store(Found),
    /// It is stored in the background.
    StoreLater(Found),
    /// It is only shared, as far as it can be.
    Land(Landing<Found>),
    /// This value, which is stale, takes its place.
    ServeStale(Found, Settled),
}

/// What the waiters get of a result that is not stored.
fn share<V>(slot: &mut dyn Slot<V>, stamp: Stamp) -> Landing<Found<V>> {
    if let Some(error) = slot.share_error() {
        return Landing::Failure(error);
    }
    match slot.kept(stamp, WantSize::No) {
        Ok(found) => Landing::Value(found),
        Err(_) => Landing::NotShared,
    }
}

/// Stores in the tiers that other processes see; a failure has been counted then.
async fn put<T: Tiers>(
    core: &Core<T>,
    session: &Session<'_>,
    key: &T::Key,
    found: &Found<T::Value>,
    lease: Option<T::Lease>,
) -> storage::Stored {
    let stored = core.tiers.store(session, key, found, lease).await;
    if let (Ok(storage::Stored::Done), Some(metrics), Some(bytes)) =
        (&stored, core.function.metrics, found.bytes)
    {
        metrics.stored(bytes, session.sampled());
    }
    stored.unwrap_or(storage::Stored::Refused)
}
