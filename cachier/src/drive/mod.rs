//! The driver: carries out what [`decide`] says, one step after another.
//!
//! There is one driver. Asynchronous callers await it; synchronous ones block on it, and then every step either is done
//! at once on their own thread or parks it.

mod claim;
mod clean_up;
mod compute;
mod entry;
mod errand;
mod on_thread;
mod pausing;
mod put;
mod refresh;
mod store_later;
mod work;

use std::mem;
use std::pin::Pin;
use std::time::{Duration, Instant};

use cachier_backends::process::PerProcess;
use cachier_metrics::{Outcome, Reason, StaleUse, Tier};

use self::clean_up::clean_up;
pub(crate) use self::clean_up::remove_later;
use self::compute::{Conclusive, Execution, Put};
pub(crate) use self::entry::EntryOperation;
use self::errand::Met;
pub(crate) use self::errand::{Asked, Ended, Errand, Plan, ToRun, carry_out};
pub(crate) use self::on_thread::{OnThread, RunOnThread, ThreadDriver};
pub(crate) use self::refresh::{Refreshing, Ticket, refresh, refresh_on_thread};
pub(crate) use self::work::{Cacheable, Compute, Served, Slot, Work};
use crate::call::{Call, Settled};
use crate::decision::{
    Action, Computed, Freshness, Intent, Pause, Running, Stored, decide, is_fresh,
};
use crate::flight::{Flight, Flights, Landing, Leader};
use crate::function::Function;
use crate::pauses::Pauses;
use crate::session::Session;
use crate::storage::{Found, Loaded, Tiers};
use crate::sync::Arc;

/// A function together with its storage and its flights.
pub struct Core<T: Tiers> {
    pub(crate) function: Function,
    pub(crate) tiers: T,
    /// Those of each process.
    pub(crate) flights: PerProcess<Flights<T::Key, Found<T::Value>>>,
    /// Those of each process, likewise.
    pub(crate) pauses: PerProcess<Pauses>,
}

/// One call on its way, in turns: one that may wait ([`proceed`](Self::proceed)), then one that meets the function and its
/// result ([`meet`](Self::meet)).
pub(crate) struct Drive<T: Tiers> {
    core: &'static Core<T>,
    key: T::Key,
    turn: Turn<T>,
    look: Look,
    found: Option<Found<T::Value>>,
    seen: Option<T::Seen>,
    /// When the stored value was created that this call has met.
    created: Option<u64>,
    running: Running,
    /// The flight of another caller.
    flight: Option<Arc<Flight<Found<T::Value>>>>,
    /// Dropped before the flight: whoever takes over after a panic or a cancellation needs it.
    lease: Option<Box<T::Lease>>,
    /// The flight of this call.
    leader: Option<Leader<'static, T::Key, Found<T::Value>>>,
    /// When this call first joined the flight of another caller.
    joined: Option<Instant>,
    /// When this call, leading a flight, began to ask for what it has found.
    looked_at: Option<Instant>,
    met_stale: bool,
    session: Session<'static>,
}

/// What is to be done next.
enum Turn<T: Tiers> {
    /// Look for the value, or wait for it.
    Seek,
    /// Act upon what that came to.
    Act(Step<Found<T::Value>>),
    /// Take the result of the function, which is running. In a box, as are the next two, so that a hit's turns are small.
    Run(Box<Execution<T>>),
    /// Store and share the result.
    Settle(Box<Conclusive<T>>),
    /// Keep the stored result in the memory of the process, and land.
    Land(Box<Put<T>>),
    /// Tell how it ended.
    End(Settled),
}

/// What is known about the stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Nothing yet, or nothing that still counts.
    Due,
    /// What [`Drive::found`] holds.
    Done,
    /// The storage failed.
    Failed,
}

impl<T: Tiers> Drive<T> {
    pub(crate) fn new(core: &'static Core<T>, session: Session<'static>, key: T::Key) -> Self {
        Self {
            core,
            key,
            turn: Turn::Seek,
            look: Look::Due,
            found: None,
            seen: None,
            created: None,
            running: Running::Unclaimed,
            flight: None,
            lease: None,
            leader: None,
            joined: None,
            looked_at: None,
            met_stale: false,
            session,
        }
    }

    /// Takes the turns that may wait, up to one that meets the function.
    ///
    /// What a hit does not come to is in boxes of its own, so that the future of a hit stays small. It is still split
    /// into two boxes, as allocators keep freed blocks at hand only up to a certain size: 1 KB with glibc.
    async fn proceed(&mut self) {
        match self.turn {
            Turn::Seek => self.turn = Turn::Act(Box::pin(self.seek()).await),
            Turn::Settle(_) => apart(|| self.settle()).await,
            Turn::Act(_) | Turn::Run(_) | Turn::Land(_) | Turn::End(_) => {}
        }
    }

    /// Takes a turn that meets the function or its result, which never waits.
    fn meet(&mut self, work: &mut dyn Work<T>) -> Met<Settled> {
        match mem::replace(&mut self.turn, Turn::Seek) {
            Turn::Act(step) => self.act(step, work),
            Turn::Land(put) => Met::End(self.land_stored(*put, work.slot())),
            Turn::End(settled) => Met::End(settled),
            Turn::Seek | Turn::Run(_) | Turn::Settle(_) => {
                unreachable!("what may wait comes first")
            }
        }
    }

    /// The function has run.
    fn computed(&mut self, computed: Computed, slot: &mut dyn Slot<T::Value>) {
        self.turn = match mem::replace(&mut self.turn, Turn::Seek) {
            Turn::Run(execution) if execution.has_forked() => self.disown(*execution),
            Turn::Run(execution) => {
                Turn::Settle(Box::new(self.conclude(*execution, computed, slot)))
            }
            _ => unreachable!("the function was not asked to run"),
        };
    }

    /// Ends the call: counts it, and starts what is to follow it.
    fn end(&mut self, settled: Settled) -> Call<()> {
        self.count_stale(settled.outcome);
        clean_up(self.core, &self.session);
        self.session.end(settled)
    }

    /// Ends a recomputation, which is no call.
    fn leave(&self, settled: Settled) -> Call<()> {
        self.session.report(settled)
    }

    fn act(&mut self, step: Step<Found<T::Value>>, work: &mut dyn Work<T>) -> Met<Settled> {
        let settled = match step {
            Step::Serve(freshness, age) => {
                let settled = self.serve(work.slot(), freshness, age);
                if freshness == Freshness::Stale && settled.is_some() {
                    self.refresh(work);
                }
                settled
            }
            Step::ServeStale(age, pause) => self.serve_paused(work.slot(), age, pause),
            Step::Take(landing) => self.take(landing, work.slot()),
            Step::Compute(Reason::Unavailable) if self.propagate(work.slot()) => {
                Some(Settled::own(Outcome::Unavailable))
            }
            Step::Compute(reason) => return Met::Function(self.begin(reason)),
        };
        settled.map_or(Met::Nothing, Met::End)
    }

    /// Goes on until the function is needed, or its result.
    async fn seek(&mut self) -> Step<Found<T::Value>> {
        loop {
            let options = &self.session.options;
            let (max_age, intent) = (options.max_age, options.intent);
            if intent == Intent::Use {
                self.look().await;
            }
            let stored = self.stored();
            self.met_stale |= self.is_stale(stored);
            let (pause, rules) = (self.pause_of(stored), &self.session.policy.rules);
            match decide(stored, pause, self.running, rules, max_age, intent) {
                Action::Serve(age) => return Step::Serve(Freshness::Fresh, age),
                Action::ServeStaleAndRefresh(age) => return Step::Serve(Freshness::Stale, age),
                Action::ServeStale(age, pause) => {
                    if self.leader.is_some() {
                        apart(|| self.land(Landing::Abandoned)).await;
                    }
                    return Step::ServeStale(age, pause);
                }
                Action::Claim => apart(|| self.claim()).await,
                Action::TakeOver => apart(|| self.take_over()).await,
                Action::Wait => {
                    if let Some(landing) = apart(|| self.wait()).await {
                        return Step::Take(landing);
                    }
                }
                Action::Compute(reason) => return Step::Compute(reason),
                Action::ComputeBeside(reason) => {
                    if apart(|| self.claim_beside()).await == Look::Done {
                        return Step::Compute(reason);
                    }
                }
            }
        }
    }

    /// Asks the storage, unless what it said still counts.
    async fn look(&mut self) {
        if self.look != Look::Due {
            return;
        }
        self.looked_at = (T::IS_REMOTE && self.leader.is_some()).then(Instant::now);
        match self.core.tiers.load(&self.session, &self.key).await {
            Ok(Loaded { found, seen }) => {
                self.look = Look::Done;
                self.created = found.as_ref().map(|found| found.stamp.created);
                self.found = found;
                self.seen = Some(seen);
            }
            Err(_) => self.look = Look::Failed,
        }
    }

    fn stored(&self) -> Stored {
        match (self.look, &self.found) {
            (Look::Failed, _) => Stored::Unknown,
            (_, Some(found)) => Stored::Aged(self.age(found)),
            (Look::Due, None) => Stored::Unseen,
            (Look::Done, None) => Stored::Absent,
        }
    }

    fn age(&self, found: &Found<T::Value>) -> Duration {
        self.core
            .tiers
            .age(&self.core.function, found.stamp.created)
    }

    fn is_stale(&self, stored: Stored) -> bool {
        let stale_after = self.session.policy.rules.stale_after;
        matches!(stored, Stored::Aged(age) if !is_fresh(age, stale_after, None))
    }

    /// Makes the stored value the result; a value that does not decode is as good as none.
    fn serve(
        &mut self,
        slot: &mut dyn Slot<T::Value>,
        freshness: Freshness,
        age: Duration,
    ) -> Option<Settled> {
        let found = self.found.take()?;
        let shared = self.leader.is_some().then(|| found.clone());
        let stamp = found.stamp;
        if let Err(error) = slot.serve(found) {
            self.session.failed(&error);
            return None;
        }
        if freshness == Freshness::Fresh {
            slot.stored(stamp);
        }
        let outcome = match freshness {
            Freshness::Stale => Outcome::Stale,
            Freshness::Fresh if self.session.budget.has_waited() => Outcome::Coalesced,
            Freshness::Fresh => Outcome::Hit,
        };
        if let (Some(leader), Some(found)) = (self.leader.take(), shared) {
            // Others may have invalidated it since.
            let landing = Landing::Value(found).unstored(self.looked_at);
            leader.land(|| (), || landing);
        }
        Some(Settled {
            outcome,
            age: Some(age),
            tier: Some(Tier::Backend),
            compute_nanos: Some(stamp.compute_nanos),
        })
    }

    /// Starts a recomputation in the background, unless one is running.
    fn refresh(&self, work: &mut dyn Work<T>) {
        let Some(seen) = self.seen.clone() else {
            return;
        };
        let (core, key) = (self.core, &self.key);
        let recheck = || core.tiers.recheck(key, &seen);
        let drops = T::defer_drops();
        let announced = core.flights.announce(key, recheck);
        drop(drops);
        // One that has failed just now is over by now, and its pause has begun.
        let is_due = |_: &_| self.current_pause().is_none();
        // The arguments are cloned only once it is known that they are needed.
        if let Some(announced) = announced.filter(is_due)
            && let Some(refreshing) = work.defer()
        {
            refreshing(Ticket {
                core,
                key: key.clone(),
                announced,
                seen,
                created: self.created,
            });
        }
    }

    fn propagate(&mut self, slot: &mut dyn Slot<T::Value>) -> bool {
        let error = self.session.first_error();
        error.is_some_and(|error| slot.propagate(&error) == Served::Yes)
    }

    /// Records, once for each call, that the stored value was stale.
    fn count_stale(&self, outcome: Outcome) {
        if let Some(metrics) = self.core.function.metrics
            && self.met_stale
        {
            metrics.stale_met(match outcome {
                Outcome::Stale => StaleUse::Served,
                _ => StaleUse::NotServed,
            });
        }
    }
}

/// A future that is seldom needed, in a box that shows nothing of it: it takes room neither in the future of a hit nor on
/// its stack.
#[cold]
#[inline(never)]
fn apart<'a, F>(make: impl FnOnce() -> F) -> Pin<Box<dyn Future<Output = F::Output> + Send + 'a>>
where
    F: Future + Send + 'a,
{
    Box::pin(make())
}

/// What seeking the value came to.
enum Step<Found> {
    /// Return the stored value, of this age; recompute one that is stale in the background.
    Serve(Freshness, Duration),
    /// Return the stored value, of this age, which is stale, without an attempt to recompute it.
    ServeStale(Duration, Pause),
    /// Return what another flight landed with, if this call can.
    Take(Landing<Found>),
    /// Run it for this reason.
    Compute(Reason),
}
