//! Becoming the one that computes a key, or waiting for the one that does.

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
    ComputationId, FlightResult, Joined, Phase, Recheck, SharedError, current, depend,
};
use crate::storage::{Claim, Found, Notification, Store};
use crate::sync::Arc;

/// Pauses between two looks at another process's lease grow from the one to the other.
const LEASE_POLL_INTERVALS: (Duration, Duration) =
    (Duration::from_millis(1), Duration::from_millis(50));

/// The pause between two looks when changes are notified: an owner that dies is not.
const NOTIFIED_LEASE_POLL_INTERVAL: Duration = Duration::from_millis(500);

impl<T: Store> CallDriver<T> {
    /// Claims the key: first among the callers of this process, then among processes.
    pub(super) async fn claim(&mut self) {
        if self.leader.is_none() && !self.join() {
            return;
        }
        let Some(seen) = &self.seen else {
            // The storage failed to load; it is not asked for a lease either.
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
            Err(_) => self.go_without_store(),
        }
    }

    /// Claims the key whoever computes it, as that began too early.
    pub(super) async fn take_over(&mut self) {
        self.core.flights.forget(&self.key);
        self.supplant();
        match self.core.store.take_over(&self.session, &self.key).await {
            Ok(lease) => self.hold_lease(lease),
            Err(_) => self.go_without_store(),
        }
    }

    /// Sees to it that what is computed beside the one who holds the lease can be stored under that lease, so that it gives
    /// way to whatever ends it. What is known of the stored value then: if it has to be looked at again, that comes first.
    ///
    /// Where it comes out that nobody holds the lease, this call does, and leads the flight: whose else that may be, it will
    /// not be stored.
    pub(super) async fn claim_unshared(&mut self) -> LookupState {
        /// How often the owner may change just when it is looked at; then the result is not stored.
        const MAX_CLAIM_ATTEMPTS: u32 = 3;
        let core = self.core;
        if self.session.budget.left().is_zero() {
            // What another asked of the store has taken all of this call's time for it.
            self.session.timed_out(Operation::Lease);
            self.go_without_store();
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
                        self.supplant();
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
                    self.go_without_store();
                    return LookupState::Failed;
                }
            }
        }
        LookupState::Done
    }

    /// Leads the flight of the key, in place of whoever does.
    fn supplant(&mut self) {
        let _drops = T::defer_drops();
        let leader = self.core.flights.supplant(&self.key, ComputationId::next());
        self.leader = Some(leader);
    }

    /// Leads a flight; `false` when there is something else to do first.
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

    /// Waits for whoever computes the key; what its flight landed with, if it is one of this process.
    pub(super) async fn wait(&mut self) -> Option<FlightResult<Found<T::Value>>> {
        if self.leader.is_some() {
            self.wait_for_lease().await;
            return None;
        }
        self.wait_for_flight().await
    }

    /// Takes what another flight landed with; the outcome, when that is the result of this call too.
    pub(super) fn take_result(
        &mut self,
        result: FlightResult<Found<T::Value>>,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<Completion> {
        self.claim_state = ClaimState::Unclaimed;
        let joined = self.joined;
        // Whoever came before the key can have been invalidated may have what was computed before, too.
        let is_in_time = |valid_at: Instant| joined.is_some_and(|joined| joined <= valid_at);
        match result {
            FlightResult::Value(found) | FlightResult::Storing(found, _) => {
                self.take_shared(found, slot)
            }
            FlightResult::AsOf(found, valid_at) if is_in_time(valid_at) => {
                self.take_shared(found, slot)
            }
            FlightResult::Fallback(found, valid_at) if valid_at.is_none_or(is_in_time) => {
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

    async fn wait_for_flight(&mut self) -> Option<FlightResult<Found<T::Value>>> {
        let flight = Arc::clone(self.flight.as_ref()?);
        let Ok(_needs) = depend(current(), flight.computation) else {
            self.claim_state = ClaimState::Reentrant;
            return None;
        };
        let storing = flight.storing();
        let is_of_use = |found: &Found<T::Value>| matches!(self.sharing(found), Sharing::Take(_));
        if storing.as_ref().is_some_and(|found| !is_of_use(found)) {
            // To look again would lead to the same flight.
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
                self.go_without_store();
            }
        }
        None
    }

    /// What is to be done with a value that this call waited for.
    fn sharing(&self, found: &Found<T::Value>) -> Sharing {
        let (rules, max_age) = (&self.session.policy.rules, self.session.options.max_age);
        share(
            self.age(found),
            self.session.budget.waited(),
            rules,
            max_age,
        )
    }

    /// Takes what another flight of this process landed with.
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

    /// Takes the stale value that another flight of this process landed with as computing failed, if this call may be given it
    /// too.
    fn take_fallback(
        &mut self,
        found: Found<T::Value>,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<Completion> {
        let stored = Stored::Aged(self.age(&found));
        let (rules, max_age) = (&self.session.policy.rules, self.session.options.max_age);
        self.lookup = LookupState::Needed;
        if decide_result(ResultKind::Failed, stored, rules, max_age) != ResultAction::ServeStale {
            return None;
        }
        self.found = Some(found);
        self.serve_fallback(slot).map(|(_, completion)| completion)
    }

    /// Takes the failure that another flight of this process landed with, or the stale value, which this call may accept
    /// although that one did not.
    fn take_failure(
        &mut self,
        error: &SharedError,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<Completion> {
        let (rules, max_age) = (&self.session.policy.rules, self.session.options.max_age);
        let action = decide_result(ResultKind::Failed, self.fallback(), rules, max_age);
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

    /// Looks at the lease of another process until it is free, its value has come, or patience has run out.
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
                Err(_) => return self.go_without_store(),
            }
        }
    }

    /// Waits for a notice, or for a while where there is none; the next pause.
    async fn pause(&self, seen: &T::Seen, pause: Duration) -> Duration {
        let budget = &self.session.budget;
        let change = self.core.store.changed(&self.session, &self.key, seen);
        match budget.pause(NOTIFIED_LEASE_POLL_INTERVAL, change).await {
            Some(Notification::Unsupported) => {
                budget.pause(pause, pending::<()>()).await;
                (pause * 2).min(LEASE_POLL_INTERVALS.1)
            }
            Some(Notification::Received) | None => pause,
        }
    }

    /// The storage has failed, so the function is to run, whoever else runs it.
    fn go_without_store(&mut self) {
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
