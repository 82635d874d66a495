//! Claiming a key: this call computes it, or waits for its owner.

use std::future::pending;
use std::time::{Duration, Instant};

use cachier_backends::Operation;
use cachier_metrics::{Outcome, Tier, WaitScope};

use super::state::{CallDriver, LookupState};
use super::work::{Served, Slot};
use crate::budget::BudgetSpent;
use crate::call::Completion;
use crate::decision::{
    ClaimState, Freshness, ResultAction, ResultKind, Sharing, Stored, decide_result, share,
};
use crate::flight::{
    ComputationId, FlightResult, Joined, LookupResult, Phase, Recheck, SharedError, Validity,
    current, depend,
};
use crate::storage::{Claim, Found, Notification, Store};
use crate::sync::Arc;

/// Shortest and longest interval between two polls of another process's lease.
const LEASE_POLL_INTERVALS: (Duration, Duration) =
    (Duration::from_millis(1), Duration::from_millis(50));

/// The interval between two polls where the store notifies of changes. It does not notify of an owner that died.
const NOTIFIED_LEASE_POLL_INTERVAL: Duration = Duration::from_millis(500);

impl<T: Store> CallDriver<T> {
    /// Claims the key, first among the callers of this process, then among processes.
    pub(super) async fn claim(&mut self) {
        if self.leader.is_none() && !self.join() {
            return;
        }
        let Some(seen) = &self.seen else {
            // The load failed, so the store is not asked for a lease either.
            self.claim_state = ClaimState::Own;
            return;
        };
        match self.core.store.claim(&self.session, &self.key, seen).await {
            Ok(Claim::Granted(lease)) => self.hold_lease(lease),
            Ok(Claim::Held(lease)) => {
                self.lease = lease.map(Box::new);
                self.claim_state = ClaimState::Other;
            }
            Ok(Claim::Changed) => self.lookup = LookupState::Needed,
            Err(_) => self.proceed_without_store(),
        }
    }

    /// Claims the key among the callers of this process, where that is all; `false` where it is not.
    pub(super) fn claim_at_once(&mut self) -> bool {
        let Some(lease) = self.core.store.claim_at_once() else {
            return false;
        };
        if self.leader.is_some() || self.join() {
            self.hold_lease(lease);
        }
        true
    }

    /// Claims the key over any current owner, which began too early.
    pub(super) async fn take_over(&mut self) {
        self.core.flights.forget(&self.key);
        self.replace_leader();
        match self.core.store.take_over(&self.session, &self.key).await {
            Ok(lease) => self.hold_lease(lease),
            Err(_) => self.proceed_without_store(),
        }
    }

    /// Obtains a lease for a computation outside the flight: the owner's, so that whatever ends that lease also refuses this
    /// store. Returns `Needed` where the entry has to be loaded again first.
    ///
    /// If nobody holds the lease, this call takes it and leads the flight: whatever another leader computes can no longer be
    /// stored.
    pub(super) async fn claim_unshared(&mut self) -> LookupState {
        /// Attempts while the owner keeps changing; after that the result is not stored.
        const MAX_CLAIM_ATTEMPTS: u32 = 3;
        let core = self.core;
        if self.session.budget.left().is_zero() {
            // Waiting for another's store operation has used up this call's time for the store.
            self.session.timed_out(Operation::Lease);
            self.proceed_without_store();
            return LookupState::Failed;
        }
        for _ in 0..MAX_CLAIM_ATTEMPTS {
            let (None, Some(seen)) = (&self.lease, &self.seen) else {
                break;
            };
            if !core.store.fences(&core.function) {
                break;
            }
            match core.store.claim(&self.session, &self.key, seen).await {
                Ok(Claim::Granted(lease)) => {
                    if self.leader.is_none() {
                        self.replace_leader();
                    }
                    self.hold_lease(lease);
                }
                Ok(Claim::Held(lease)) => self.lease = lease.map(Box::new),
                Ok(Claim::Changed) => {
                    self.lookup = LookupState::Needed;
                    self.claim_state = ClaimState::Unclaimed;
                    return LookupState::Needed;
                }
                Err(_) => {
                    self.proceed_without_store();
                    return LookupState::Failed;
                }
            }
        }
        LookupState::Done
    }

    /// Leads the key's flight in place of its current leader.
    fn replace_leader(&mut self) {
        let _drops = T::defer_drops();
        let leader = self
            .core
            .flights
            .replace_leader(&self.key, ComputationId::next());
        self.leader = Some(leader);
    }

    /// Becomes the leader of a flight; `false` if there is something else to do first.
    fn join(&mut self) -> bool {
        let core = self.core;
        let seen = self.seen.as_ref();
        let recheck = || {
            seen.map_or(Recheck::Unchanged, |seen| {
                core.store.recheck(&self.key, seen)
            })
        };
        let _drops = T::defer_drops();
        match core.flights.join(&self.key, ComputationId::next(), recheck) {
            Joined::Leader(leader) => {
                self.leader = Some(leader);
                return true;
            }
            Joined::Waiter(flight) => {
                self.flight = Some(flight);
                self.joined.get_or_insert_with(Instant::now);
                self.claim_state = ClaimState::Other;
            }
            Joined::Finished => self.lookup = LookupState::Needed,
        }
        false
    }

    /// Waits for the owner of the key; the flight's result, if it is a flight of this process.
    pub(super) async fn wait(&mut self) -> Option<FlightResult<Found<T::Value>>> {
        if self.leader.is_some() {
            self.wait_for_lease().await;
            return None;
        }
        self.wait_for_flight().await
    }

    /// Takes the result of another flight; the completion, if that is this call's result too.
    pub(super) fn take_result(
        &mut self,
        result: FlightResult<Found<T::Value>>,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<Completion> {
        self.claim_state = ClaimState::Unclaimed;
        let (joined, lookup) = (self.joined, self.lookup_result());
        let is_covered =
            |validity: Validity| joined.is_some_and(|joined| validity.covers(joined, lookup));
        match result {
            FlightResult::Value(found) | FlightResult::Storing(found, _) => {
                self.take_shared(found, slot)
            }
            FlightResult::AsOf(found, validity) if is_covered(validity) => {
                self.take_shared(found, slot)
            }
            FlightResult::Fallback(found, validity) if validity.is_none_or(is_covered) => {
                self.take_fallback(found, slot)
            }
            FlightResult::Failure(error) => self.take_failure(&error, slot),
            FlightResult::NotShared => {
                self.claim_state = ClaimState::NotShared;
                None
            }
            FlightResult::AsOf(..) | FlightResult::Fallback(..) | FlightResult::Abandoned => {
                self.lookup = LookupState::Needed;
                None
            }
        }
    }

    fn lookup_result(&self) -> LookupResult {
        match self.lookup {
            LookupState::Failed => LookupResult::Failed,
            LookupState::Needed | LookupState::Done => LookupResult::Answered,
        }
    }

    async fn wait_for_flight(&mut self) -> Option<FlightResult<Found<T::Value>>> {
        let flight = Arc::clone(self.flight.as_ref()?);
        let Ok(_needs) = depend(current(), flight.computation) else {
            self.claim_state = ClaimState::Reentrant;
            return None;
        };
        let storing = flight.storing();
        let is_of_use = |found: &Found<T::Value>| matches!(self.sharing(found), Sharing::Take(_));
        if storing.as_ref().is_some_and(|found| !is_of_use(found)) {
            // Loading again would lead to the same flight.
            self.claim_state = ClaimState::NotShared;
            return None;
        }
        let _waiting = self
            .session
            .recorder
            .as_ref()
            .map(|recorder| recorder.wait(WaitScope::Process));
        let joined = self.joined.unwrap_or_else(Instant::now);
        let (core, budget) = (self.core, &self.session.budget);
        let moved = || core.store.queue_moved_at(&core.function);
        match flight.result(joined, budget, moved).await {
            Ok(result) => return Some(result),
            Err(BudgetSpent::Waiting) => self.give_up_waiting(),
            Err(BudgetSpent::Store) => {
                self.session.timed_out(match flight.phase() {
                    Phase::Storing => Operation::Store,
                    Phase::Claiming | Phase::Computing => Operation::Load,
                });
                self.proceed_without_store();
            }
        }
        None
    }

    /// How to use a value that this call waited for.
    fn sharing(&self, found: &Found<T::Value>) -> Sharing {
        let rules = self.session.policy.rules.for_value(found.stamp.ageing);
        share(
            self.age(found),
            self.session.budget.waited(),
            &rules,
            self.session.options.max_age,
        )
    }

    /// Takes a value from another flight of this process.
    fn take_shared(
        &mut self,
        found: Found<T::Value>,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<Completion> {
        let age = self.age(&found);
        let compute_nanos = Some(found.stamp.compute_nanos);
        let outcome = match self.sharing(&found) {
            Sharing::Take(Freshness::Fresh) => Outcome::Coalesced,
            Sharing::Take(Freshness::Stale) => Outcome::Stale,
            Sharing::LookAgain => {
                self.lookup = LookupState::Needed;
                return None;
            }
            Sharing::ComputeUnshared => {
                self.claim_state = ClaimState::NotShared;
                return None;
            }
        };
        if let Err(error) = slot.serve(found) {
            self.session.record_failure(&error);
            self.claim_state = ClaimState::NotShared;
            return None;
        }
        let tier = (outcome == Outcome::Stale).then_some(Tier::Backend);
        Some(Completion {
            outcome,
            age: Some(age),
            tier,
            compute_nanos,
        })
    }

    /// Takes the stale value that another flight fell back to after a failure, if this call accepts it.
    fn take_fallback(
        &mut self,
        found: Found<T::Value>,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<Completion> {
        let stored = Stored::Aged(self.age(&found));
        let rules = self.session.policy.rules.for_value(found.stamp.ageing);
        let max_age = self.session.options.max_age;
        self.lookup = LookupState::Needed;
        if decide_result(ResultKind::Failed, stored, &rules, max_age) != ResultAction::ServeStale {
            return None;
        }
        self.found = Some(found);
        self.serve_fallback(slot).map(|(_, completion)| completion)
    }

    /// Takes the failure of another flight, or the stale value, which this call may accept although that one did not.
    fn take_failure(
        &mut self,
        error: &SharedError,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<Completion> {
        let (rules, max_age) = (self.rules(), self.session.options.max_age);
        let action = decide_result(ResultKind::Failed, self.fallback(), &rules, max_age);
        if action == ResultAction::ServeStale
            && let Some((_, completion)) = self.serve_fallback(slot)
        {
            return Some(completion);
        }
        if slot.serve_error(error) == Served::Yes {
            return Some(Completion::uncached(Outcome::Coalesced));
        }
        self.claim_state = ClaimState::NotShared;
        None
    }

    /// Polls the lease of another process until it is free, its value has arrived, or the wait limit is reached.
    async fn wait_for_lease(&mut self) {
        let core = self.core;
        let Some(seen) = self.seen.clone() else {
            self.claim_state = ClaimState::Unclaimed;
            return;
        };
        let _waiting = self
            .session
            .recorder
            .as_ref()
            .map(|recorder| recorder.wait(WaitScope::Lease));
        self.enter(Phase::Computing);
        let mut pause = LEASE_POLL_INTERVALS.0;
        loop {
            let budget = &self.session.budget;
            if budget.wait_limit().is_some_and(|left| left.is_zero()) {
                return self.give_up_waiting();
            }
            pause = self.pause(&seen, pause).await;
            let claim = core.store.claim(&self.session, &self.key, &seen);
            let is_computing = |claim: &Result<_, _>| matches!(claim, Ok(Claim::Held(_)));
            match self.session.budget.poll_owner(claim, is_computing).await {
                Ok(Claim::Granted(lease)) => return self.hold_lease(lease),
                Ok(Claim::Held(lease)) => self.lease = lease.map(Box::new),
                Ok(Claim::Changed) => {
                    self.enter(Phase::Claiming);
                    self.lease = None;
                    self.lookup = LookupState::Needed;
                    self.claim_state = ClaimState::Unclaimed;
                    return;
                }
                Err(_) => return self.proceed_without_store(),
            }
        }
    }

    /// Waits for a notification, or for the pause where the store has none; returns the next pause.
    async fn pause(&self, seen: &T::Seen, pause: Duration) -> Duration {
        let budget = &self.session.budget;
        let (store, session, key) = (&self.core.store, &self.session, &self.key);
        let change = |bounded| store.changed(session, key, seen, bounded);
        match budget.pause(NOTIFIED_LEASE_POLL_INTERVAL, change).await {
            Some(Notification::Unsupported) => {
                budget.pause(pause, |_| pending::<()>()).await;
                (pause * 2).min(LEASE_POLL_INTERVALS.1)
            }
            Some(Notification::Received) | None => pause,
        }
    }

    /// The store has failed, so the function runs here, even if others run it too.
    fn proceed_without_store(&mut self) {
        // Another's, if any.
        self.lease = None;
        self.lookup = LookupState::Failed;
        self.claim_state = ClaimState::Own;
    }

    fn give_up_waiting(&mut self) {
        self.claim_state = ClaimState::WaitedTooLong;
        if let Some(metrics) = self.core.function.metrics {
            metrics.wait_timeout();
        }
    }
}
