//! Running the function, and what becomes of its result.

use std::mem;

use futures_lite::future::block_on;

use cachier_metrics::{ComputeRecorder, Outcome, Reason, Tier};

use super::{Cacheable, Core, Drive, Flavour, Session, Settled, Slot, ToRun, Turn, WantSize};
use crate::background::{run_as_task, run_on_thread};
use crate::decision::{self, Computed, Settlement};
use crate::flight::{ComputationId, Dependency, Epoch, Landing, current, depend};
use crate::labels;
use crate::storage::{self, Found, Stamp, Tiers};
use crate::trace;

/// Values of more bytes than this are stored in the background.
const STORED_AT_ONCE: u64 = 1024 * 1024;

/// The function at work.
pub(super) struct Execution {
    reason: Reason,
    /// The state of the key when it began.
    epoch: Epoch,
    _needed: Option<Dependency>,
    recorder: Option<ComputeRecorder>,
    begun: u64,
}

/// What becomes of a result, and what is known of the computation.
pub(super) struct Conclusive<Found> {
    conclusion: Conclusion<Found>,
    computation: Concluded,
}

/// A computation that has come to its end.
#[derive(Clone, Copy)]
struct Concluded {
    reason: Reason,
    epoch: Epoch,
    stamp: Stamp,
}

/// A result that other processes can see, where they are to.
pub(super) struct Put<Found> {
    found: Found,
    stored: storage::Stored,
    computation: Concluded,
}

impl Concluded {
    /// How a call ends that has this result.
    fn settled(self) -> Settled {
        Settled::own(match self.reason {
            Reason::Unavailable => Outcome::Unavailable,
            _ => Outcome::Miss,
        })
    }
}

impl<T: Tiers> Drive<T> {
    /// Begins to run the function, so that calls in its body know what they are part of.
    pub(super) fn begin(&mut self, reason: Reason) -> ToRun {
        let function = &self.core.function;
        if reason == Reason::Overwrite {
            // What is being computed now began earlier than this call; it must not replace this result.
            self.core.flights.forget(&self.key);
        }
        let computation = match &self.leader {
            Some(leader) => leader.computation(),
            None => ComputationId::next(),
        };
        self.turn = Turn::Run(Box::new(Execution {
            reason,
            epoch: self.core.flights.epoch(&self.key),
            _needed: depend(current(), computation).ok(),
            recorder: function
                .metrics
                .map(|metrics| metrics.start_compute(reason)),
            begun: function.world.clock.now(),
        }));
        ToRun {
            computation: Some(computation),
            cacheable: self.cacheable(),
        }
    }

    /// Decides what is to become of the result.
    pub(super) fn conclude(
        &mut self,
        execution: Execution,
        computed: Computed,
        slot: &mut dyn Slot<T::Value>,
    ) -> Conclusive<Found<T::Value>> {
        let computation = self.finish(execution, computed);
        let rules = &self.session.policy.rules;
        let conclusion = match decision::settle(computed, self.fallback(), rules) {
            Settlement::Store => self.conclude_value(slot, computation),
            Settlement::Share => Conclusion::Land(share(slot, computation.stamp)),
            Settlement::ServeStale => match self.stand_in(slot) {
                Some((found, settled)) => Conclusion::ServeStale(found, settled),
                None => Conclusion::Land(share(slot, computation.stamp)),
            },
        };
        Conclusive {
            conclusion,
            computation,
        }
    }

    /// Stores the result, and shares it with those who wait for it.
    pub(super) async fn settle(&mut self) {
        let Turn::Settle(conclusive) = mem::replace(&mut self.turn, Turn::Seek) else {
            unreachable!("it is the turn to settle");
        };
        let Conclusive {
            conclusion,
            computation,
        } = *conclusive;
        self.turn = match conclusion {
            Conclusion::Store(found) => {
                let lease = self.lease.take();
                let stored = put(self.core, &self.session, &self.key, &found, lease).await;
                Turn::Land(Box::new(Put {
                    found,
                    stored,
                    computation,
                }))
            }
            Conclusion::StoreLater(found) => {
                self.store_later(found, computation.epoch);
                Turn::End(computation.settled())
            }
            Conclusion::Land(landing) => {
                self.land(landing).await;
                Turn::End(computation.settled())
            }
            Conclusion::ServeStale(found, settled) => {
                self.land(Landing::Value(found)).await;
                Turn::End(settled)
            }
        };
    }

    /// Stores in the memory of the process, and lands the flight.
    pub(super) fn land_stored(
        &mut self,
        put: Put<Found<T::Value>>,
        slot: &mut dyn Slot<T::Value>,
    ) -> Settled {
        let Put {
            found,
            stored,
            computation,
        } = put;
        let stamp = computation.stamp;
        if stored == storage::Stored::Done {
            slot.stored(stamp);
        }
        let (core, key) = (self.core, &self.key);
        let _drops = T::defer_drops();
        let insertion = core.tiers.insertion(&core.function, key, found);
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
                core.flights.store_since(key, computation.epoch, insert);
            }
        }
        computation.settled()
    }

    /// The function has run: when that was, and how long it took.
    fn finish(&self, execution: Execution, computed: Computed) -> Concluded {
        let function = &self.core.function;
        let compute_nanos = function.world.clock.now().saturating_sub(execution.begun);
        if let Some(recorder) = execution.recorder {
            recorder.finish(labels::computed(computed));
        }
        if execution.reason == Reason::Refresh && computed == Computed::Failed {
            trace::refresh_failed(&function.name);
        }
        let created = self.core.tiers.now(function);
        Concluded {
            reason: execution.reason,
            epoch: execution.epoch,
            stamp: self.session.stamp(created, compute_nanos),
        }
    }

    /// A result that may be stored is, where it is still wanted.
    fn conclude_value(
        &mut self,
        slot: &mut dyn Slot<T::Value>,
        computation: Concluded,
    ) -> Conclusion<Found<T::Value>> {
        let want_size = self.core.function.wants_size();
        let found = match slot.kept(computation.stamp, want_size) {
            Ok(found) => found,
            Err(error) => {
                self.session.failed(&error);
                return Conclusion::Land(Landing::NotShared);
            }
        };
        let is_wanted =
            !self.session.is_too_large(found.bytes) && !self.is_superseded(computation.epoch);
        if !is_wanted || self.stored() == decision::Stored::Unknown {
            Conclusion::Land(Landing::Value(found))
        } else if found.bytes.is_some_and(|bytes| bytes > STORED_AT_ONCE) && T::IS_REMOTE {
            Conclusion::StoreLater(found)
        } else {
            Conclusion::Store(found)
        }
    }

    /// Stores a large value without holding up the caller; the flight lands when it is stored.
    fn store_later(&mut self, found: Found<T::Value>, epoch: Epoch) {
        let (core, key) = (self.core, self.key.clone());
        let (leader, lease, flavour) =
            (self.leader.take(), self.lease.take(), self.session.flavour);
        let world = core.function.world;
        let session = Session::after(&core.function, &self.session);
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
            self.core.tiers.release(&self.session, *lease).await;
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
    fn fallback(&self) -> decision::Stored {
        match &self.found {
            Some(found) => decision::Stored::Aged(self.age(found)),
            None => decision::Stored::Absent,
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
            None => self.core.flights.epoch(&self.key) != epoch,
        }
    }
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
    lease: Option<Box<T::Lease>>,
) -> storage::Stored {
    let lease = lease.map(|lease| *lease);
    let stored = core.tiers.store(session, key, found, lease).await;
    if let (Ok(storage::Stored::Done), Some(metrics), Some(bytes)) =
        (&stored, core.function.metrics, found.bytes)
    {
        metrics.stored(bytes, session.sampled());
    }
    stored.unwrap_or(storage::Stored::Refused)
}
