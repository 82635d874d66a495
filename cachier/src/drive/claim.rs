//! Becoming the one that computes a key, or waiting for the one that does.

use std::future::pending;
use std::time::Duration;

use cachier_metrics::{Outcome, Tier, WaitScope};

use super::{Drive, Look, Served, Settled, Slot};
use crate::decision::{Computed, Running, Settlement, is_fresh, settle};
use crate::flight::{ComputationId, Joined, Landing, Recheck, current, depend};
use crate::private::SharedError;
use crate::storage::{Claim, Found, Notice, Tiers};
use crate::sync::Arc;
use crate::timer::Timer;

/// Pauses between two looks at another process's lease grow from the one to the other.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// The pause between two looks when changes are notified: an owner that dies is not.
const NOTIFIED: Duration = Duration::from_millis(500);

impl<T: Tiers> Drive<T> {
    /// Claims the key: first among the callers of this process, then among processes.
    pub(super) async fn claim(&mut self) {
        if self.leader.is_none() && !self.join() {
            return;
        }
        let Some(seen) = &self.seen else {
            // The storage failed to load; it is not asked for a lease either.
            self.running = Running::Mine;
            return;
        };
        match self.core.tiers.claim(&self.session, &self.key, seen).await {
            Ok(Claim::Granted(lease)) => {
                self.lease = Some(Box::new(lease));
                self.running = Running::Mine;
            }
            Ok(Claim::Held) => self.running = Running::Other,
            Ok(Claim::Changed) => self.look = Look::Due,
            Err(_) => {
                self.look = Look::Failed;
                self.running = Running::Mine;
            }
        }
    }

    /// Leads a flight; `false` when there is something else to do first.
    fn join(&mut self) -> bool {
        let core = self.core;
        let seen = self.seen.as_ref();
        let recheck = || {
            seen.map_or(Recheck::Unchanged, |seen| {
                core.tiers.recheck(&self.key, seen)
            })
        };
        let _drops = T::defer_drops();
        match core.flights.join(&self.key, ComputationId::next(), recheck) {
            Joined::Leads(leader) => {
                self.leader = Some(leader);
                return true;
            }
            Joined::Waits(flight) => {
                self.flight = Some(flight);
                self.running = Running::Other;
            }
            Joined::Landed => self.look = Look::Due,
        }
        false
    }

    /// Waits for whoever computes the key; what its flight landed with, if it is one of this process.
    pub(super) async fn wait(&mut self) -> Option<Landing<Found<T::Value>>> {
        let now = self.core.function.world.clock.now();
        self.waiting_since.get_or_insert(now);
        if self.leader.is_some() {
            self.wait_for_lease().await;
            return None;
        }
        self.wait_for_flight().await
    }

    /// Takes what another flight landed with; the outcome, when that is the result of this call too.
    pub(super) fn take(
        &mut self,
        landing: Landing<Found<T::Value>>,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<Settled> {
        self.running = Running::Unclaimed;
        match landing {
            Landing::Storing(found) if !self.is_young(&found) => {
                // It has been at hand for too long. To look again would lead to the same flight.
                self.running = Running::NotShared;
            }
            Landing::Value(found) | Landing::Storing(found) => {
                return self.take_shared(found, slot);
            }
            Landing::Failure(error) => return self.take_failure(&error, slot),
            Landing::NotShared => self.running = Running::NotShared,
            Landing::Abandoned => self.look = Look::Due,
        }
        None
    }

    /// Whether a value is fresh enough for this call, which began before the value was there or a little later.
    fn is_young(&self, found: &Found<T::Value>) -> bool {
        let unless_zero = |bound: &Duration| !bound.is_zero();
        let stale_after = self.session.policy.rules.stale_after.filter(unless_zero);
        let max_age = self.session.options.max_age.filter(unless_zero);
        is_fresh(self.age(found), stale_after, max_age)
    }

    async fn wait_for_flight(&mut self) -> Option<Landing<Found<T::Value>>> {
        let flight = Arc::clone(self.flight.as_ref()?);
        let Ok(_needs) = depend(current(), flight.computation) else {
            self.running = Running::Reentrant;
            return None;
        };
        let _waiting = self
            .session
            .recorder
            .as_ref()
            .map(|recorder| recorder.wait(WaitScope::Process));
        let timer = &self.core.function.world.timer;
        let landing = timer.within(self.patience(), flight.landing()).await;
        if landing.is_none() {
            self.wait_too_long();
        }
        landing
    }

    /// Takes what another flight of this process landed with.
    fn take_shared(
        &mut self,
        found: Found<T::Value>,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<Settled> {
        let age = self.age(&found);
        let compute_nanos = Some(found.stamp.compute_nanos);
        let max_age = self
            .session
            .options
            .max_age
            .filter(|max_age| !max_age.is_zero());
        if !is_fresh(age, None, max_age) {
            self.look = Look::Due;
            return None;
        }
        let stale_after = self
            .session
            .policy
            .rules
            .stale_after
            .filter(|bound| !bound.is_zero());
        let outcome = match is_fresh(age, stale_after, None) {
            true => Outcome::Coalesced,
            false => Outcome::Stale,
        };
        if let Err(error) = slot.serve(found) {
            self.session.failed(&error);
            self.running = Running::NotShared;
            return None;
        }
        let tier = (outcome == Outcome::Stale).then_some(Tier::Backend);
        Some(Settled {
            outcome,
            age: Some(age),
            tier,
            compute_nanos,
        })
    }

    /// Takes the failure that another flight of this process landed with, or the stale value, which this call may accept
    /// although that one did not.
    fn take_failure(
        &mut self,
        error: &SharedError,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<Settled> {
        let (rules, max_age) = (&self.session.policy.rules, self.session.options.max_age);
        let settlement = settle(Computed::Failed, self.fallback(), rules, max_age);
        if settlement == Settlement::ServeStale
            && let Some((_, settled)) = self.stand_in(slot)
        {
            return Some(settled);
        }
        if slot.serve_error(error) == Served::Yes {
            return Some(Settled::own(Outcome::Coalesced));
        }
        self.running = Running::NotShared;
        None
    }

    /// Looks at the lease of another process until it is free, its value has come, or patience has run out.
    async fn wait_for_lease(&mut self) {
        let core = self.core;
        let Some(seen) = self.seen.clone() else {
            self.running = Running::Unclaimed;
            return;
        };
        let _waiting = self
            .session
            .recorder
            .as_ref()
            .map(|recorder| recorder.wait(WaitScope::Lease));
        let mut pause = PAUSES.0;
        loop {
            let patience = self.patience();
            if patience.is_some_and(|patience| patience.is_zero()) {
                return self.wait_too_long();
            }
            pause = self.pause(&seen, pause, patience).await;
            self.session.renew_budget();
            match core.tiers.claim(&self.session, &self.key, &seen).await {
                Ok(Claim::Granted(lease)) => {
                    self.lease = Some(Box::new(lease));
                    self.running = Running::Mine;
                    return;
                }
                Ok(Claim::Held) => {}
                Ok(Claim::Changed) => {
                    self.look = Look::Due;
                    self.running = Running::Unclaimed;
                    return;
                }
                Err(_) => {
                    self.look = Look::Failed;
                    self.running = Running::Mine;
                    return;
                }
            }
        }
    }

    /// Waits for a notice, or for a while where there is none; the next pause.
    async fn pause(&self, seen: &T::Seen, pause: Duration, patience: Option<Duration>) -> Duration {
        // The owner lives by the system's clock, whatever clock this world has.
        let timer = Timer::of_system();
        let at_most = |pause: Duration| Some(pause.min(patience.unwrap_or(pause)));
        let change = self.core.tiers.change(&self.session, &self.key, seen);
        match timer.within(at_most(NOTIFIED), change).await {
            Some(Notice::None) => {
                timer.within(at_most(pause), pending::<()>()).await;
                (pause * 2).min(PAUSES.1)
            }
            Some(Notice::Given) | None => pause,
        }
    }

    fn wait_too_long(&mut self) {
        self.running = Running::WaitedTooLong;
        if let Some(metrics) = self.core.function.metrics {
            metrics.wait_timeout();
        }
    }

    /// How long this call may still wait for others; `None` is for ever.
    fn patience(&self) -> Option<Duration> {
        let timeout = self.session.policy.wait_for_calc_timeout?;
        let now = self.core.function.world.clock.now();
        let waited = now.saturating_sub(self.waiting_since.unwrap_or(now));
        Some(timeout.saturating_sub(Duration::from_nanos(waited)))
    }
}
