//! Running the function, and storing and sharing its result.

use std::mem::{self, forget};
use std::time::Instant;

use cachier_backends::ErrorKind;
use cachier_backends::entry::AgeLimit;
use cachier_metrics::Reason;

use super::publish::{
    LocalClaim, after_store, count_removed, count_stored, end_flight, end_with_value, publish,
    remove, validity,
};
use super::state::{
    CallDriver, Computation, FoundOf, PlannedResult, Publication, Published, ResultPlan,
    RunningFunction, State, UnsharedOf,
};
use super::transition::RunSpec;
use super::work::{Cacheable, Slot, encode_checked};
use crate::call::Completion;
use crate::decision::{self, ResultAction, ResultKind, Rules};
use crate::flight::{ComputationId, FlightResult, Phase, Validity};
use crate::options::WantSize;
use crate::stamp::Stamp;
use crate::storage::{self, Store, Vacated};
use crate::trace;

/// Larger values are stored in the background.
const MAX_FOREGROUND_STORE_BYTES: u64 = 1024 * 1024;

impl<T: Store> CallDriver<T> {
    /// Prepares the run of the function, so that nested calls know which computation they are part of.
    pub(super) fn start_function(&mut self, reason: Reason) -> RunSpec {
        let function = &self.core.function;
        self.enter(Phase::Computing);
        if let Some(lease) = self.lease.as_deref().filter(|lease| !T::owns(lease)) {
            // Another's, for whom this computation has not waited.
            self.withdraw_on_loss(lease);
        }
        let (computation, process, unshared) = match &self.leader {
            Some(leader) => (leader.computation(), leader.process(), None),
            None => {
                let unshared = self.core.flights.unshared(&self.key);
                (ComputationId::next(), unshared.process(), Some(unshared))
            }
        };
        let begun = function.context.clock.now();
        self.state = State::Running(Box::new(RunningFunction {
            unshared,
            ..RunningFunction::start(function, reason, begun, computation, process)
        }));
        RunSpec {
            computation: Some(computation),
            cacheable: Cacheable::by(&self.session.policy),
            span: self.session.span.clone(),
        }
    }

    /// Ends the call in a child process forked by the function. Flight and lease belong to the parent, which ends them.
    pub(super) fn end_in_child(&mut self, mut run: RunningFunction<T>) -> State<T> {
        forget((self.leader.take(), self.lease.take()));
        forget((run.unshared.take(), run.needed.take()));
        State::Done(self.end_run(run, ResultKind::Unstorable, None).completion())
    }

    /// Decides what to do with the result.
    pub(super) fn plan_result(
        &mut self,
        mut run: RunningFunction<T>,
        kind: ResultKind,
        slot: &mut dyn Slot<T::Value>,
    ) -> PlannedResult<T> {
        let unshared = run.unshared.take();
        let computation = self.end_run(run, kind, slot.age_limit());
        self.back_off_after(kind);
        if T::IS_REMOTE {
            self.enter(Phase::Storing);
        }
        let (rules, max_age) = (self.rules(), self.session.options.max_age);
        let plan = match decision::decide_result(kind, self.fallback(), &rules, max_age) {
            ResultAction::Store => self.plan_value(slot, computation, unshared.as_ref()),
            ResultAction::Share => ResultPlan::Share(self.share_result(slot, computation.stamp)),
            ResultAction::Remove => {
                let result = self.share_result(slot, computation.stamp);
                self.plan_removal(result, unshared.as_ref())
            }
            ResultAction::ServeStale => match self.serve_fallback(slot) {
                Some((found, completion)) => ResultPlan::ServeStale(found, completion),
                None => ResultPlan::Share(self.share_result(slot, computation.stamp)),
            },
        };
        PlannedResult {
            plan,
            computation,
            unshared,
        }
    }

    /// Finishes the flight where the memory of the process is all that keeps the value; else the result goes to the store.
    pub(super) fn finish_at_once(
        &mut self,
        planned: PlannedResult<T>,
        slot: &mut dyn Slot<T::Value>,
    ) -> State<T> {
        match planned.plan {
            ResultPlan::Store(found) if self.core.store.keeps(&self.key, &found) => {
                self.lease = None;
                count_stored(&self.session, found.bytes);
                let stored = Some(storage::StoreOutcome::Done);
                let published = Published {
                    outcome: Publication::Stored(found, stored, None),
                    computation: planned.computation,
                    unshared: planned.unshared,
                };
                State::Done(self.finish_stored(published, slot))
            }
            plan => State::Storing(Box::new(PlannedResult { plan, ..planned })),
        }
    }

    /// Stores the result and shares it with the waiters.
    pub(super) async fn store_result(&mut self) {
        let State::Storing(planned) = mem::replace(&mut self.state, State::Lookup) else {
            unreachable!("the state is `Storing`");
        };
        let PlannedResult {
            plan,
            computation,
            unshared,
        } = *planned;
        self.state = match plan {
            ResultPlan::Store(found) => {
                let lease = self.lease.take();
                let valid_at = lease.as_deref().and_then(T::valid_at);
                let local_claim = LocalClaim::<T>(self.leader.as_ref(), unshared.as_ref());
                let (core, session, key) = (self.core, &self.session, &self.key);
                let sent_at = valid_at.map(|_| Instant::now());
                let stored = publish(core, session, key, &found, lease, local_claim).await;
                after_store(
                    core,
                    session,
                    key,
                    stored,
                    self.replaced(computation.reason),
                )
                .await;
                State::Finishing(Box::new(Published {
                    outcome: Publication::Stored(
                        found,
                        stored,
                        validity(stored, valid_at, sent_at),
                    ),
                    computation,
                    unshared,
                }))
            }
            ResultPlan::StoreInBackground(found) => {
                self.store_in_background(found, computation, unshared).await;
                State::Done(computation.completion())
            }
            ResultPlan::Remove(result) => State::Finishing(Box::new(Published {
                outcome: self.vacate(result, computation).await,
                computation,
                unshared,
            })),
            ResultPlan::Share(result) => {
                let validity = self.unleased(computation.began_at);
                self.finish_flight(result.valid_as_of(validity)).await;
                State::Done(computation.completion())
            }
            ResultPlan::ServeStale(found, completion) => {
                let validity = self.unleased(self.load_started);
                self.finish_flight(FlightResult::Fallback(found, validity))
                    .await;
                State::Done(completion)
            }
        };
    }

    /// Updates the memory of this process after the store, and finishes the flight.
    pub(super) fn finish_stored(
        &mut self,
        published: Published<T>,
        slot: &mut dyn Slot<T::Value>,
    ) -> Completion {
        let Published {
            outcome,
            computation,
            unshared,
        } = published;
        match outcome {
            Publication::Stored(found, stored, validity) => {
                self.note_stored(stored, found.stamp, slot);
                // The stored value may have been invalidated since: callers that joined meanwhile load again.
                let result = validity.map(|validity| FlightResult::AsOf(found.clone(), validity));
                let owner = (self.leader.take(), unshared);
                end_with_value(self.core, &self.key, found, owner, result, slot);
            }
            Publication::Removed(result, mut removed) => {
                slot.invalidated();
                let removal = self.core.store.removal(&self.core.function, &self.key);
                let remove = || removed |= removal();
                end_flight::<T>(self.leader.take(), unshared, remove, || result);
                count_removed(&self.core.function, removed);
            }
        }
        computation.completion()
    }

    /// Informs the near tier.
    fn note_stored(
        &self,
        stored: Option<storage::StoreOutcome>,
        stamp: Stamp,
        slot: &mut dyn Slot<T::Value>,
    ) {
        match stored {
            Some(storage::StoreOutcome::Done) => slot.stored(stamp),
            // Others have changed the entry, or its state is unknown.
            Some(storage::StoreOutcome::Refused | storage::StoreOutcome::TooLarge) | None => {
                slot.invalidated();
            }
        }
    }

    /// Records the end of the run.
    fn end_run(
        &self,
        mut run: RunningFunction<T>,
        kind: ResultKind,
        limit: Option<AgeLimit>,
    ) -> Computation {
        let stamp = run.end(self.core, &self.session.policy, kind, limit);
        if run.reason == Reason::Refresh && kind == ResultKind::Failed {
            trace::refresh_failed(&self.core.function.name);
        }
        Computation {
            reason: run.reason,
            began_at: run.began_at,
            stamp,
        }
    }

    /// Plans to store a value, if that is still wanted.
    fn plan_value(
        &mut self,
        slot: &mut dyn Slot<T::Value>,
        computation: Computation,
        unshared: Option<&UnsharedOf<T>>,
    ) -> ResultPlan<FoundOf<T>> {
        let function = &self.core.function;
        let want_size = function.wants_size(&self.session.policy);
        let found = match encode_checked(function, slot, computation.stamp, want_size) {
            Ok(found) => found,
            Err(error) => {
                self.session.record_failure(&error);
                return self.plan_unstorable(FlightResult::NotShared, unshared);
            }
        };
        if self.session.is_too_large(found.bytes) {
            return self.plan_unstorable(FlightResult::Value(found), unshared);
        }
        // Stores with leases accept nothing without one.
        let may_store = self.lease.is_some() || !self.core.store.fences(&self.core.function);
        if !may_store || !self.is_wanted(unshared) {
            ResultPlan::Share(FlightResult::Value(found))
        } else if found
            .bytes
            .is_some_and(|bytes| bytes > MAX_FOREGROUND_STORE_BYTES)
            && T::IS_REMOTE
        {
            // The near tier must not serve the old value either.
            slot.invalidated();
            ResultPlan::StoreInBackground(found)
        } else {
            ResultPlan::Store(found)
        }
    }

    /// A value that cannot be stored is treated like one that must not be.
    fn plan_unstorable(
        &self,
        result: FlightResult<FoundOf<T>>,
        unshared: Option<&UnsharedOf<T>>,
    ) -> ResultPlan<FoundOf<T>> {
        let (kind, rules) = (ResultKind::Unstorable, Rules::default());
        match decision::decide_result(kind, self.fallback(), &rules, None) {
            ResultAction::Remove => self.plan_removal(result, unshared),
            _ => ResultPlan::Share(result),
        }
    }

    /// The result for waiters when it is not stored.
    fn share_result(
        &self,
        slot: &mut dyn Slot<T::Value>,
        stamp: Stamp,
    ) -> FlightResult<FoundOf<T>> {
        if let Some(error) = slot.share_error() {
            return FlightResult::Failure(error);
        }
        match encode_checked(&self.core.function, slot, stamp, WantSize::No) {
            Ok(found) => FlightResult::Value(found),
            Err(error) => {
                if error.kind() == ErrorKind::Unfaithful {
                    self.session.record_failure(&error);
                }
                FlightResult::NotShared
            }
        }
    }

    /// Plans to remove the entry that the result replaces, if that is still wanted.
    fn plan_removal(
        &self,
        result: FlightResult<FoundOf<T>>,
        unshared: Option<&UnsharedOf<T>>,
    ) -> ResultPlan<FoundOf<T>> {
        match self.is_wanted(unshared) {
            true => ResultPlan::Remove(result),
            false => ResultPlan::Share(result),
        }
    }

    /// Whether the result may change the entry: this process has not changed it meanwhile, and the store works.
    fn is_wanted(&self, unshared: Option<&UnsharedOf<T>>) -> bool {
        !LocalClaim::<T>(self.leader.as_ref(), unshared).is_superseded()
            && self.stored() != decision::Stored::Unknown
    }

    /// Removes the replaced entry from the shared store.
    async fn vacate(
        &mut self,
        result: FlightResult<FoundOf<T>>,
        computation: Computation,
    ) -> Publication<FoundOf<T>> {
        let result = result.valid_as_of(self.unleased(computation.began_at));
        let (core, session) = (self.core, &self.session);
        let backoff = self.unstored_backoff(computation.reason);
        let lease = self.lease.take();
        let valid_at = lease.as_deref().and_then(T::valid_at);
        let lease = match lease {
            Some(lease) if T::owns(&lease) => *lease,
            // The owner of the lease began computing earlier, so its result goes too.
            _ => {
                let removed = remove(core, session, &self.key).await;
                if removed.is_none() {
                    backoff.begin(core, &self.key);
                }
                let validity = valid_at.map(Validity::Confirmed);
                return Publication::Removed(
                    result.valid_as_of(validity),
                    removed.unwrap_or(false),
                );
            }
        };
        match core.store.vacate(session, lease).await {
            Ok(Vacated::Done { lease, removed }) => {
                let result = result.valid_as_of(T::valid_at(&lease).map(Validity::Confirmed));
                core.store.release(session, lease).await;
                Publication::Removed(result, removed)
            }
            Ok(Vacated::Superseded) => {
                let validity = valid_at.map(Validity::Confirmed);
                Publication::Removed(result.valid_as_of(validity), false)
            }
            // The failure has been counted.
            Err(_) => {
                backoff.begin(core, &self.key);
                let validity = valid_at.map(Validity::Unconfirmed);
                Publication::Removed(result.valid_as_of(validity), false)
            }
        }
    }
}
