//! The steps of a call.

use std::mem;
use std::time::{Duration, Instant};

use cachier_backends::cold::boxed_cold;
use cachier_metrics::{Outcome, Reason, StaleUse};

use super::cleanup::start_cleanup;
use super::refresh_request::RefreshRequest;
use super::state::{CallDriver, LookupState, State, Step};
use super::transition::Transition;
use super::work::{Slot, Work};
use crate::call::{Call, Completion};
use crate::decision::{Action, Freshness, Intent, ResultKind, Rules, Stored, decide, is_fresh};
use crate::flight::FlightResult;
use crate::storage::{Found, Loaded, Store};

impl<T: Store> CallDriver<T> {
    /// Waits for the next step.
    ///
    /// Cold paths are boxed to keep a hit's future small. That is split into two boxes, because allocators cache freed
    /// blocks only up to a certain size: 1 KB with glibc.
    pub(super) async fn proceed(&mut self) {
        match self.state {
            State::Lookup => self.state = State::Ready(Box::pin(self.look_up()).await),
            State::Storing(_) => boxed_cold(|| self.store_result()).await,
            State::Ready(_) | State::Running(_) | State::Finishing(_) | State::Done(_) => {}
        }
    }

    /// Whether the next step can be taken at once.
    pub(super) fn is_ready(&self) -> bool {
        !matches!(self.state, State::Lookup | State::Storing(_))
    }

    /// Takes the next step, which never waits.
    pub(super) fn step(&mut self, work: &mut dyn Work<T>) -> Transition<Completion> {
        match mem::replace(&mut self.state, State::Lookup) {
            State::Ready(step) => self.apply(step, work),
            State::Finishing(published) => {
                Transition::Done(self.finish_stored(*published, work.slot()))
            }
            State::Done(completion) => Transition::Done(completion),
            State::Lookup | State::Running(_) | State::Storing(_) => {
                unreachable!("`proceed` comes before `step`")
            }
        }
    }

    /// Takes the result of the function.
    pub(super) fn computed(&mut self, kind: ResultKind, slot: &mut dyn Slot<T::Value>) {
        self.state = match mem::replace(&mut self.state, State::Lookup) {
            State::Running(run) if run.has_forked() => self.end_in_child(*run),
            State::Running(run) => {
                let planned = self.plan_result(*run, kind, slot);
                self.finish_at_once(planned, slot)
            }
            _ => unreachable!("no run was requested"),
        };
    }

    /// Ends the call: counts it, and starts a clean-up if one is due.
    pub(super) fn end(&mut self, completion: Completion) -> Call<()> {
        self.count_stale(completion.outcome);
        start_cleanup(self.core, &self.session.policy);
        self.session.end(completion)
    }

    /// Ends a recomputation, which is not a call.
    pub(super) fn end_refresh(&self, completion: Completion) -> Call<()> {
        self.session.report(completion)
    }

    fn apply(
        &mut self,
        step: Step<Found<T::Value>>,
        work: &mut dyn Work<T>,
    ) -> Transition<Completion> {
        let completion = match step {
            Step::Serve(age) => self.serve(work.slot(), Freshness::Fresh, age),
            Step::ServeAndRefresh(freshness, age) => {
                let completion = self.serve(work.slot(), freshness, age);
                if completion.is_some() {
                    self.refresh(work);
                }
                completion
            }
            Step::ServeStale(age, backoff) => self.serve_backed_off(work.slot(), age, backoff),
            Step::Take(result) => self.take_result(result, work.slot()),
            Step::Compute(Reason::Unavailable) if self.propagate(work.slot()) => {
                Some(Completion::uncached(Outcome::Unavailable))
            }
            Step::Compute(reason) => return Transition::Run(self.start_function(reason)),
        };
        completion.map_or(Transition::Wait, Transition::Done)
    }

    /// Looks for the value until there is a step to take.
    async fn look_up(&mut self) -> Step<Found<T::Value>> {
        loop {
            let options = &self.session.options;
            let (max_age, intent) = (options.max_age, options.intent);
            if intent == Intent::Use {
                self.load().await;
            }
            let stored = self.stored();
            let rules = self.rules_with_lead();
            let is_stale = is_stale(stored, &rules, max_age);
            let backoff = self.backoff_of(stored, &rules);
            let action = decide(stored, backoff, self.claim_state, &rules, max_age, intent);
            self.saw_stale |= is_stale;
            match action {
                Action::Serve(age) => return Step::Serve(age),
                Action::ServeAndRefresh(freshness, age) => {
                    return Step::ServeAndRefresh(freshness, age);
                }
                Action::ServeStale(age, backoff) => {
                    if self.leader.is_some() {
                        boxed_cold(|| self.finish_flight(FlightResult::Abandoned)).await;
                    }
                    return Step::ServeStale(age, backoff);
                }
                Action::Claim if self.claim_at_once() => {}
                Action::Claim => boxed_cold(|| self.claim()).await,
                Action::TakeOver => boxed_cold(|| self.take_over()).await,
                Action::Wait => {
                    if let Some(result) = boxed_cold(|| self.wait()).await {
                        return Step::Take(result);
                    }
                }
                Action::Compute(reason) => return Step::Compute(reason),
                Action::ComputeUnshared(reason) => {
                    if boxed_cold(|| self.claim_unshared()).await == LookupState::Done {
                        return Step::Compute(reason);
                    }
                }
            }
        }
    }

    /// Loads the entry, unless what was loaded still counts.
    async fn load(&mut self) {
        if self.lookup != LookupState::Needed {
            return;
        }
        let started = T::IS_REMOTE.then(Instant::now);
        match self.core.store.load(&self.session, &self.key).await {
            Ok(Loaded { found, seen }) => {
                self.lookup = LookupState::Done;
                self.load_started = started;
                self.created = found.as_ref().map(|found| found.stamp.created);
                self.found = found;
                self.seen = Some(seen);
            }
            Err(_) => self.lookup = LookupState::Failed,
        }
    }

    /// Starts a recomputation in the background, unless one is running.
    fn refresh(&self, work: &mut dyn Work<T>) {
        let Some(seen) = self.seen.clone() else {
            return;
        };
        let (core, key) = (self.core, &self.key);
        let recheck = || core.store.recheck(key, &seen);
        let drops = T::defer_drops();
        let reservation = core.flights.reserve(key, recheck);
        drop(drops);
        // A refresh that has just failed has ended its reservation and started a backoff.
        let is_due = |_: &_| self.current_backoff().is_none();
        // The arguments are cloned only once they are needed.
        if let Some(reservation) = reservation.filter(is_due)
            && let Some(spawn) = work.defer()
        {
            spawn(RefreshRequest {
                core,
                key: key.clone(),
                reservation,
                seen,
                created: self.created,
            });
        }
    }

    /// Records, once for each call, that the stored value was stale.
    fn count_stale(&self, outcome: Outcome) {
        if let Some(metrics) = self.core.function.metrics
            && self.saw_stale
        {
            metrics.stale_found(match outcome {
                Outcome::Stale => StaleUse::Served,
                _ => StaleUse::NotServed,
            });
        }
    }
}

fn is_stale(stored: Stored, rules: &Rules, max_age: Option<Duration>) -> bool {
    matches!(stored, Stored::Aged(age) if !is_fresh(age, rules.stale_after, max_age))
}
