//! Serving what is stored.

use std::time::Duration;

use cachier_metrics::{Outcome, Tier};

use super::state::CallDriver;
use super::work::{Served, Slot};
use crate::call::Completion;
use crate::decision::{Backoff, Freshness};
use crate::flight::{FlightResult, Validity};
use crate::storage::{Found, Store};

impl<T: Store> CallDriver<T> {
    /// Serves the stored value; one that does not decode counts as absent.
    pub(super) fn serve(
        &mut self,
        slot: &mut dyn Slot<T::Value>,
        freshness: Freshness,
        age: Duration,
    ) -> Option<Completion> {
        let found = self.found.take()?;
        let shared = self.leader.is_some().then(|| found.clone());
        let stamp = found.stamp;
        self.session.span.item_size(found.bytes);
        if let Err(error) = slot.serve(found) {
            self.session.record_failure(&error);
            return None;
        }
        self.core.store.used(&self.key);
        if freshness == Freshness::Fresh {
            slot.loaded(stamp, self.rests_until());
        }
        let outcome = match freshness {
            Freshness::Stale => Outcome::Stale,
            Freshness::Fresh if self.session.budget.has_waited() => Outcome::Coalesced,
            Freshness::Fresh => Outcome::Hit,
        };
        if let (Some(leader), Some(found)) = (self.leader.take(), shared) {
            // Others may have invalidated it since.
            let validity = self.load_started.map(Validity::Confirmed);
            let result = FlightResult::Value(found).valid_as_of(validity);
            leader.finish(|| (), || result);
        }
        Some(Completion {
            outcome,
            age: Some(age),
            tier: Some(Tier::Backend),
            compute_nanos: Some(stamp.compute_nanos),
        })
    }

    /// Serves the stale value without an attempt to recompute it.
    pub(super) fn serve_backed_off(
        &mut self,
        slot: &mut dyn Slot<T::Value>,
        age: Duration,
        backoff: Backoff,
    ) -> Option<Completion> {
        let completion = self.serve(slot, Freshness::Stale, age)?;
        if let (Some(metrics), Backoff::Failed) = (self.core.function.metrics, backoff) {
            metrics.refresh_suppressed();
        }
        Some(completion)
    }

    /// Serves the stale value instead of the failure.
    pub(super) fn serve_fallback(
        &mut self,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<(Found<T::Value>, Completion)> {
        let found = self.found.take()?;
        if let Err(error) = slot.serve(found.clone()) {
            self.session.record_failure(&error);
            return None;
        }
        let completion = Completion {
            outcome: Outcome::Stale,
            age: Some(self.age(&found)),
            tier: Some(Tier::Backend),
            compute_nanos: Some(found.stamp.compute_nanos),
        };
        Some((found, completion))
    }

    /// Returns the backend's failure, where the function propagates it.
    pub(super) fn propagate(&mut self, slot: &mut dyn Slot<T::Value>) -> bool {
        let error = self.session.first_error();
        error.is_some_and(|error| slot.propagate(&error) == Served::Yes)
    }
}
