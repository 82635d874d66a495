//! Running the function, and what becomes of its result.

use std::mem::{self, forget};

use cachier_backends::ErrorKind;
use cachier_backends::process::Process;
use cachier_metrics::{ComputeRecorder, Outcome, Reason, Tier};

use super::work::faithful;
use super::{Cacheable, Core, Drive, Session, Settled, Slot, ToRun, Turn, WantSize};
use crate::background::{Crew, run_on_thread};
use crate::block_on::block_on;
use crate::decision::{self, Computed, Settlement};
use crate::flight::{ComputationId, Dependency, Landing, Solo, current, depend};
use crate::labels;
use crate::storage::{self, Found, Stamp, Tiers};
use crate::trace;

/// Values of more bytes than this are stored in the background.
const STORED_AT_ONCE: u64 = 1024 * 1024;

/// The function at work.
pub(super) struct Execution<T: Tiers> {
    reason: Reason,
    solo: Option<SoloOf<T>>,
    needed: Option<Dependency>,
    recorder: Option<ComputeRecorder>,
    begun: u64,
    /// Where it began.
    process: Process,
}

impl<T: Tiers> Execution<T> {
    /// Whether the function has forked, and this is the child.
    pub(super) fn has_forked(&self) -> bool {
        !self.process.is_current()
    }
}

/// A computation that no flight carries.
type SoloOf<T> = Solo<'static, <T as Tiers>::Key, FoundOf<T>>;

type FoundOf<T> = Found<<T as Tiers>::Value>;

/// What becomes of a result, and what is known of the computation.
pub(super) struct Conclusive<T: Tiers> {
    conclusion: Conclusion<FoundOf<T>>,
    computation: Concluded,
    solo: Option<SoloOf<T>>,
}

/// A computation that has come to its end.
#[derive(Clone, Copy)]
struct Concluded {
    reason: Reason,
    stamp: Stamp,
}

/// A result that other processes can see, where they are to.
pub(super) struct Put<T: Tiers> {
    found: FoundOf<T>,
    stored: storage::Stored,
    computation: Concluded,
    solo: Option<SoloOf<T>>,
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
        let (computation, process, solo) = match &self.leader {
            Some(leader) => (leader.computation(), leader.process(), None),
            None => {
                let solo = self.core.flights.solo(&self.key);
                (ComputationId::next(), solo.process(), Some(solo))
            }
        };
        self.turn = Turn::Run(Box::new(Execution {
            reason,
            solo,
            needed: depend(current(), computation).ok(),
            recorder: function
                .metrics
                .map(|metrics| metrics.start_compute(reason)),
            begun: function.world.clock.now(),
            process,
        }));
        ToRun {
            computation: Some(computation),
            cacheable: self.cacheable(),
        }
    }

    /// Ends the call in a child that its function has forked, which has a result of its own. The flight and the lease are
    /// the parent's, which ends them.
    pub(super) fn disown(&mut self, mut execution: Execution<T>) -> Turn<T> {
        forget((self.leader.take(), self.lease.take()));
        forget((execution.solo.take(), execution.needed.take()));
        Turn::End(self.finish(execution, Computed::Unstorable).settled())
    }

    /// Decides what is to become of the result.
    pub(super) fn conclude(
        &mut self,
        mut execution: Execution<T>,
        computed: Computed,
        slot: &mut dyn Slot<T::Value>,
    ) -> Conclusive<T> {
        let solo = execution.solo.take();
        let computation = self.finish(execution, computed);
        let (rules, max_age) = (&self.session.policy.rules, self.session.options.max_age);
        let conclusion = match decision::settle(computed, self.fallback(), rules, max_age) {
            Settlement::Store => self.conclude_value(slot, computation, solo.as_ref()),
            Settlement::Share => Conclusion::Land(self.share(slot, computation.stamp)),
            Settlement::ServeStale => match self.stand_in(slot) {
                Some((found, settled)) => Conclusion::ServeStale(found, settled),
                None => Conclusion::Land(self.share(slot, computation.stamp)),
            },
        };
        Conclusive {
            conclusion,
            computation,
            solo,
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
            solo,
        } = *conclusive;
        self.turn = match conclusion {
            Conclusion::Store(found) => {
                let lease = self.lease.take();
                let (core, session, key) = (self.core, &self.session, &self.key);
                let stored = put(core, session, key, &found, lease, solo.as_ref()).await;
                Turn::Land(Box::new(Put {
                    found,
                    stored,
                    computation,
                    solo,
                }))
            }
            Conclusion::StoreLater(found) => {
                if solo.is_some() && matches!(computation.reason, Reason::Overwrite | Reason::Stale)
                {
                    // Nobody is to be given the old value meanwhile. A failure has been counted.
                    let _ = self.core.tiers.remove(&self.session, &self.key).await;
                }
                self.store_later(found, solo);
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
    pub(super) fn land_stored(&mut self, put: Put<T>, slot: &mut dyn Slot<T::Value>) -> Settled {
        let Put {
            found,
            stored,
            computation,
            solo,
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
        if let Some(leader) = self.leader.take() {
            leader.land(insert, || match slot.kept(stamp, WantSize::No) {
                Ok(found) => Landing::Value(found),
                Err(_) => Landing::NotShared,
            });
        } else if let Some(solo) = solo {
            solo.store(insert);
        }
        computation.settled()
    }

    /// The function has run: when that was, and how long it took.
    fn finish(&self, execution: Execution<T>, computed: Computed) -> Concluded {
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
            stamp: self.session.stamp(created, compute_nanos),
        }
    }

    /// A result that may be stored is, where it is still wanted.
    fn conclude_value(
        &mut self,
        slot: &mut dyn Slot<T::Value>,
        computation: Concluded,
        solo: Option<&SoloOf<T>>,
    ) -> Conclusion<FoundOf<T>> {
        let want_size = self.core.function.wants_size();
        let function = &self.core.function;
        let found = match faithful(function, slot, computation.stamp, want_size) {
            Ok(found) => found,
            Err(error) => {
                self.session.failed(&error);
                return Conclusion::Land(Landing::NotShared);
            }
        };
        let is_superseded = match &self.leader {
            Some(leader) => leader.is_superseded(),
            None => solo.is_some_and(Solo::is_superseded),
        };
        let is_wanted = !self.session.is_too_large(found.bytes) && !is_superseded;
        if !is_wanted || self.stored() == decision::Stored::Unknown {
            Conclusion::Land(Landing::Value(found))
        } else if found.bytes.is_some_and(|bytes| bytes > STORED_AT_ONCE) && T::IS_REMOTE {
            // In front of the backend, too, the old value has had its day.
            slot.invalidated();
            Conclusion::StoreLater(found)
        } else {
            Conclusion::Store(found)
        }
    }

    /// What the waiters get of a result that is not stored.
    fn share(&self, slot: &mut dyn Slot<T::Value>, stamp: Stamp) -> Landing<FoundOf<T>> {
        if let Some(error) = slot.share_error() {
            return Landing::Failure(error);
        }
        match faithful(&self.core.function, slot, stamp, WantSize::No) {
            Ok(found) => Landing::Value(found),
            Err(error) => {
                if error.kind() == ErrorKind::Unfaithful {
                    self.session.failed(&error);
                }
                Landing::NotShared
            }
        }
    }

    /// Stores a large value without holding up anybody: who waits has it now, and who comes before it is stored has it from
    /// the flight.
    fn store_later(&mut self, found: FoundOf<T>, solo: Option<SoloOf<T>>) {
        let (core, key) = (self.core, self.key.clone());
        let (leader, lease) = (self.leader.take(), self.lease.take());
        let world = core.function.world;
        let session = Session::after(&core.function, &self.session);
        if let Some(leader) = &leader {
            leader.share(Landing::Storing(found.clone()));
        }
        let task = async move {
            if !solo.as_ref().is_some_and(Solo::is_superseded) {
                // A failure has been counted; the caller has its value.
                put(core, &session, &key, &found, lease, solo.as_ref()).await;
            }
            if let Some(leader) = leader {
                leader.land(|| (), || Landing::Value(found));
            }
        };
        // Also for a task, whose runtime may end before this does.
        run_on_thread(world, Crew::Storage, || block_on(task));
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
    pub(super) fn stand_in(
        &mut self,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<(Found<T::Value>, Settled)> {
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
    pub(super) fn fallback(&self) -> decision::Stored {
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

/// Stores in the tiers that other processes see; a failure has been counted then.
async fn put<T: Tiers>(
    core: &Core<T>,
    session: &Session<'_>,
    key: &T::Key,
    found: &FoundOf<T>,
    lease: Option<Box<T::Lease>>,
    solo: Option<&SoloOf<T>>,
) -> storage::Stored {
    let lease = lease.map(|lease| *lease);
    let stored = core.tiers.store(session, key, found, lease).await;
    if let (Ok(storage::Stored::Done), Some(metrics), Some(bytes)) =
        (&stored, core.function.metrics, found.bytes)
    {
        metrics.stored(bytes, session.sampled());
    }
    if T::IS_REMOTE && solo.is_some_and(Solo::is_superseded) {
        // No lease has kept it from arriving after an invalidation, so it goes again.
        let _ = core.tiers.remove(session, key).await;
        return storage::Stored::Refused;
    }
    stored.unwrap_or(storage::Stored::Refused)
}
