//! Running the function, and what becomes of its result.

use std::mem::{self, forget};
use std::time::Instant;

use cachier_backends::ErrorKind;
use cachier_metrics::Reason;

use super::put::{Superseded, count_gone, end_flight, put, remove, remove_replaced, valid_when};
use super::state::{
    CallDriver, Concluded, Conclusion, Conclusive, Execution, FoundOf, Put, PutOutcome, SoloOf,
    State,
};
use super::transition::RunSpec;
use super::work::{Cacheable, Slot, faithful};
use crate::call::Settled;
use crate::decision::{self, Computed, Rules, Settlement};
use crate::flight::{ComputationId, Landing, Phase, current, depend};
use crate::labels;
use crate::options::WantSize;
use crate::stamp::Stamp;
use crate::storage::{self, Tiers, Vacated};
use crate::trace;

/// Values of more bytes than this are stored in the background.
const STORED_AT_ONCE: u64 = 1024 * 1024;

impl<T: Tiers> CallDriver<T> {
    /// Begins to run the function, so that calls in its body know what they are part of.
    pub(super) fn begin(&mut self, reason: Reason) -> RunSpec {
        let function = &self.core.function;
        self.enter(Phase::Computing);
        let (computation, process, solo) = match &self.leader {
            Some(leader) => (leader.computation(), leader.process(), None),
            None => {
                let solo = self.core.flights.solo(&self.key);
                (ComputationId::next(), solo.process(), Some(solo))
            }
        };
        self.state = State::Running(Box::new(Execution {
            reason,
            solo,
            needed: depend(current(), computation).ok(),
            recorder: function
                .metrics
                .map(|metrics| metrics.start_compute(reason)),
            begun: function.context.clock.now(),
            process,
        }));
        RunSpec {
            computation: Some(computation),
            cacheable: self.cacheable(),
        }
    }

    /// Ends the call in a child that its function has forked, which has a result of its own. The flight and the lease are
    /// the parent's, which ends them.
    pub(super) fn disown(&mut self, mut execution: Execution<T>) -> State<T> {
        forget((self.leader.take(), self.lease.take()));
        forget((execution.solo.take(), execution.needed.take()));
        State::Done(self.finish(execution, Computed::Unstorable).settled())
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
        self.pause_after(computed);
        if T::IS_REMOTE {
            self.enter(Phase::Storing);
        }
        let (rules, max_age) = (&self.session.policy.rules, self.session.options.max_age);
        let conclusion = match decision::settle(computed, self.fallback(), rules, max_age) {
            Settlement::Store => self.conclude_value(slot, computation, solo.as_ref()),
            Settlement::Share => Conclusion::Land(self.share(slot, computation.stamp)),
            Settlement::Remove => {
                let landing = self.share(slot, computation.stamp);
                self.conclude_gone(landing, solo.as_ref())
            }
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
        let State::Storing(conclusive) = mem::replace(&mut self.state, State::Lookup) else {
            unreachable!("it is the state to settle");
        };
        let Conclusive {
            conclusion,
            computation,
            solo,
        } = *conclusive;
        self.state = match conclusion {
            Conclusion::Store(found) => {
                let lease = self.lease.take();
                let valid_at = lease.as_deref().and_then(T::valid_at);
                let superseded = Superseded::<T>(self.leader.as_ref(), solo.as_ref());
                let (core, session, key) = (self.core, &self.session, &self.key);
                let sent_at = valid_at.map(|_| Instant::now());
                let stored = put(core, session, key, &found, lease, superseded).await;
                if stored == Some(storage::Stored::TooLarge) && self.may_replace() {
                    remove_replaced(core, session, key).await;
                }
                if stored.is_none() {
                    self.unstored_pause(computation.reason).begin(core, key);
                }
                State::Finishing(Box::new(Put {
                    outcome: PutOutcome::Stored(
                        found,
                        stored,
                        valid_when(stored, valid_at, sent_at),
                    ),
                    computation,
                    solo,
                }))
            }
            Conclusion::StoreLater(found) => {
                self.store_in_background(found, computation, solo).await;
                State::Done(computation.settled())
            }
            Conclusion::Gone(landing) => State::Finishing(Box::new(Put {
                outcome: self.vacate(landing).await,
                computation,
                solo,
            })),
            Conclusion::Land(landing) => {
                self.land(landing).await;
                State::Done(computation.settled())
            }
            Conclusion::ServeStale(found, settled) => {
                self.land(Landing::StandIn(found, None)).await;
                State::Done(settled)
            }
        };
    }

    /// Does in the memory of the process what was done where others see it, and lands the flight.
    pub(super) fn land_stored(&mut self, put: Put<T>, slot: &mut dyn Slot<T::Value>) -> Settled {
        let Put {
            outcome,
            computation,
            solo,
        } = put;
        match outcome {
            PutOutcome::Stored(found, stored, valid_at) => {
                let stamp = computation.stamp;
                self.note_stored(stored, stamp, slot);
                // What is stored may have been invalidated since: who has joined meanwhile looks again.
                let landing = valid_at.map(|valid_at| Landing::Unstored(found.clone(), valid_at));
                let (core, key) = (self.core, &self.key);
                let insertion = core.tiers.insertion(&core.function, key, found);
                // Shared and returned all the same where the memory has no room for it.
                let insert = || _ = insertion();
                let shared = || match slot.kept(stamp, WantSize::No) {
                    Ok(found) => Landing::Value(found),
                    Err(_) => Landing::NotShared,
                };
                let share = || landing.unwrap_or_else(shared);
                end_flight::<T>(self.leader.take(), solo, insert, share);
            }
            PutOutcome::Gone(landing, mut removed) => {
                slot.invalidated();
                let removal = self.core.tiers.removal(&self.key);
                let remove = || removed |= removal();
                end_flight::<T>(self.leader.take(), solo, remove, || landing);
                count_gone(&self.core.function, removed);
            }
        }
        computation.settled()
    }

    /// Tells what stands in front of the storage.
    fn note_stored(
        &self,
        stored: Option<storage::Stored>,
        stamp: Stamp,
        slot: &mut dyn Slot<T::Value>,
    ) {
        match stored {
            Some(storage::Stored::Done) => slot.stored(stamp),
            // Others have changed the entry, or nobody knows what has become of it.
            Some(storage::Stored::Refused | storage::Stored::TooLarge) | None => {
                slot.invalidated();
            }
        }
    }

    /// The function has run: when that was, and how long it took.
    fn finish(&self, execution: Execution<T>, computed: Computed) -> Concluded {
        let function = &self.core.function;
        let compute_nanos = function.context.clock.now().saturating_sub(execution.begun);
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
                return self.conclude_unstorable(Landing::NotShared, solo);
            }
        };
        if self.session.is_too_large(found.bytes) {
            return self.conclude_unstorable(Landing::Value(found), solo);
        }
        // Where there are leases, nothing is stored without one.
        let may_store = self.lease.is_some() || !self.core.tiers.fences(&self.core.function);
        if !may_store || !self.is_wanted(solo) {
            Conclusion::Land(Landing::Value(found))
        } else if found.bytes.is_some_and(|bytes| bytes > STORED_AT_ONCE) && T::IS_REMOTE {
            // In front of the backend, too, the old value has had its day.
            slot.invalidated();
            Conclusion::StoreLater(found)
        } else {
            Conclusion::Store(found)
        }
    }

    /// A result that cannot be stored is shared, as one is that must not be.
    fn conclude_unstorable(
        &self,
        landing: Landing<FoundOf<T>>,
        solo: Option<&SoloOf<T>>,
    ) -> Conclusion<FoundOf<T>> {
        let (computed, rules) = (Computed::Unstorable, Rules::default());
        match decision::settle(computed, self.fallback(), &rules, None) {
            Settlement::Remove => self.conclude_gone(landing, solo),
            _ => Conclusion::Land(landing),
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

    /// A result that may not be stored takes what it was to replace with it, where it is still wanted.
    fn conclude_gone(
        &self,
        landing: Landing<FoundOf<T>>,
        solo: Option<&SoloOf<T>>,
    ) -> Conclusion<FoundOf<T>> {
        match self.is_wanted(solo) {
            true => Conclusion::Gone(landing),
            false => Conclusion::Land(landing),
        }
    }

    /// Whether what was computed may change what is stored: nothing has happened to that meanwhile in this process, and the
    /// storage did not fail.
    fn is_wanted(&self, solo: Option<&SoloOf<T>>) -> bool {
        !Superseded::<T>(self.leader.as_ref(), solo).is_so()
            && self.stored() != decision::Stored::Unknown
    }

    /// Removes the entry that the result was to replace, as far as other processes see it.
    async fn vacate(&mut self, landing: Landing<FoundOf<T>>) -> PutOutcome<FoundOf<T>> {
        let (core, session) = (self.core, &self.session);
        let lease = self.lease.take();
        let valid_at = lease.as_deref().and_then(T::valid_at);
        let lease = match lease {
            Some(lease) if T::owns(&lease) => *lease,
            // What the owner of the lease computes began earlier: it goes, too.
            _ => {
                let removed = remove(core, session, &self.key).await;
                return PutOutcome::Gone(landing.unstored(valid_at), removed);
            }
        };
        match core.tiers.vacate(session, lease).await {
            Ok(Vacated::Done { lease, removed }) => {
                let landing = landing.unstored(T::valid_at(&lease));
                core.tiers.release(session, lease).await;
                PutOutcome::Gone(landing, removed)
            }
            // A failure has been counted.
            Ok(Vacated::Superseded) | Err(_) => PutOutcome::Gone(landing.unstored(valid_at), false),
        }
    }

    fn cacheable(&self) -> Cacheable {
        match self.session.policy.allow_none {
            true => Cacheable::ValuesAndNone,
            false => Cacheable::Values,
        }
    }
}
