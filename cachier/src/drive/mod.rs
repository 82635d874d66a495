//! The driver: carries out what [`decide`] says, one step after another.
//!
//! There is one driver. Asynchronous callers await it; synchronous ones block on it, and then every step either is done
//! at once on their own thread or parks it.

mod claim;
mod clean_up;
mod compute;
mod on_thread;
mod refresh;
mod session;
mod work;

use std::time::Duration;

use cachier_metrics::{Outcome, Reason, StaleUse, Tier};

pub(crate) use self::clean_up::clean_up;
pub(crate) use self::on_thread::{OnThread, RunOnThread, drive_on_thread};
pub(crate) use self::refresh::{Refreshing, Ticket, refresh};
pub(crate) use self::session::Flavour;
pub(crate) use self::session::Session;
pub use self::session::Start;
pub(crate) use self::work::{Cacheable, Served, Slot, WantSize, Work};
use crate::decision::{Action, Intent, Running, Stored, decide, is_fresh};
use crate::flight::{Flight, Flights, Landing, Leader};
use crate::function::Function;
use crate::storage::{Found, Loaded, Tiers};
use crate::sync::Arc;

/// A function together with its storage and its flights.
pub struct Core<T: Tiers> {
    pub(crate) function: Function,
    pub(crate) tiers: T,
    pub(crate) flights: Flights<T::Key, Found<T::Value>>,
}

/// How a call ended; its result is in the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    pub(crate) outcome: Outcome,
    pub(crate) age: Option<Duration>,
    pub(crate) tier: Option<Tier>,
    /// How long the served value once took to compute.
    pub(crate) compute_nanos: Option<u64>,
}

impl Settled {
    /// The cache was not consulted.
    pub(crate) const BYPASS: Self = Self::own(Outcome::Bypass);

    const fn own(outcome: Outcome) -> Self {
        Self {
            outcome,
            age: None,
            tier: None,
            compute_nanos: None,
        }
    }
}

/// Carries one call to its end.
pub(crate) async fn run<T, W>(
    core: &'static Core<T>,
    session: &Session<'_>,
    key: &T::Key,
    work: &mut W,
) -> Settled
where
    T: Tiers,
    W: Work<Value = T::Value, Refresh = Refreshing<T>>,
{
    let mut drive = Drive::new(core, session, key);
    let settled = drive.steps(work).await;
    drive.count_stale(settled.outcome);
    settled
}

/// One call on its way.
struct Drive<'a, T: Tiers> {
    core: &'static Core<T>,
    session: &'a Session<'a>,
    key: &'a T::Key,
    look: Look,
    found: Option<Found<T::Value>>,
    seen: Option<T::Seen>,
    running: Running,
    /// The flight of another caller.
    flight: Option<Arc<Flight<Found<T::Value>>>>,
    /// Dropped before the flight: whoever takes over after a panic or a cancellation needs it.
    lease: Option<T::Lease>,
    /// The flight of this call.
    leader: Option<Leader<'static, T::Key, Found<T::Value>>>,
    waiting_since: Option<u64>,
    met_stale: bool,
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

impl<'a, T: Tiers> Drive<'a, T> {
    fn new(core: &'static Core<T>, session: &'a Session<'a>, key: &'a T::Key) -> Self {
        Self {
            core,
            session,
            key,
            look: Look::Due,
            found: None,
            seen: None,
            running: Running::Unclaimed,
            flight: None,
            lease: None,
            leader: None,
            waiting_since: None,
            met_stale: false,
        }
    }

    /// What knows the function is thin, for there is one of it for each: the rest is the same for all.
    ///
    /// What a hit does not come to is in boxes of its own, so that the future of a hit stays small.
    async fn steps<W>(&mut self, work: &mut W) -> Settled
    where
        W: Work<Value = T::Value, Refresh = Refreshing<T>>,
    {
        loop {
            let settled = match self.advance().await {
                Step::Serve => self.serve(work.slot(), Freshness::Fresh),
                Step::ServeStale => {
                    let settled = self.serve(work.slot(), Freshness::Stale);
                    if settled.is_some() {
                        self.refresh(&mut || work.defer());
                    }
                    settled
                }
                Step::Take(landing) => self.take(landing, work.slot()),
                Step::Compute(Reason::Unavailable) if self.propagate(work.slot()) => {
                    Some(Settled::own(Outcome::Unavailable))
                }
                Step::Compute(reason) => Some(Box::pin(self.compute(work, reason)).await),
            };
            if let Some(settled) = settled {
                return settled;
            }
        }
    }

    /// Goes on until the function is needed, or its result.
    async fn advance(&mut self) -> Step<Found<T::Value>> {
        let options = &self.session.options;
        loop {
            if options.intent == Intent::Use {
                self.look().await;
            }
            let rules = &self.session.policy.rules;
            match decide(
                self.stored(),
                self.running,
                rules,
                options.max_age,
                options.intent,
            ) {
                Action::Serve => return Step::Serve,
                Action::ServeStaleAndRefresh => return Step::ServeStale,
                Action::Claim => Box::pin(self.claim()).await,
                Action::Wait => {
                    if let Some(landing) = Box::pin(self.wait()).await {
                        return Step::Take(landing);
                    }
                }
                Action::Compute(reason) => return Step::Compute(reason),
            }
        }
    }

    /// Asks the storage, unless what it said still counts.
    async fn look(&mut self) {
        if self.look != Look::Due {
            return;
        }
        match self.core.tiers.load(self.session, self.key).await {
            Ok(Loaded { found, seen }) => {
                self.look = Look::Done;
                self.found = found;
                self.seen = Some(seen);
            }
            Err(_) => self.look = Look::Failed,
        }
        self.met_stale |= self.is_stale();
    }

    fn stored(&self) -> Stored {
        match (self.look, &self.found) {
            (Look::Failed, _) => Stored::Unknown,
            (_, None) => Stored::Absent,
            (_, Some(found)) => Stored::Aged(self.age(found)),
        }
    }

    fn age(&self, found: &Found<T::Value>) -> Duration {
        self.core
            .tiers
            .age(&self.core.function, found.stamp.created)
    }

    fn is_stale(&self) -> bool {
        match (self.session.policy.rules.stale_after, &self.found) {
            (Some(stale_after), Some(found)) => !is_fresh(self.age(found), Some(stale_after), None),
            _ => false,
        }
    }

    /// Makes the stored value the result; a value that does not decode is as good as none.
    fn serve(&mut self, slot: &mut dyn Slot<T::Value>, freshness: Freshness) -> Option<Settled> {
        let found = self.found.take()?;
        let age = self.age(&found);
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
            Freshness::Fresh if self.waiting_since.is_some() => Outcome::Coalesced,
            Freshness::Fresh => Outcome::Hit,
        };
        if let (Some(leader), Some(found)) = (self.leader.take(), shared) {
            leader.land(|| (), || Landing::Value(found));
        }
        Some(Settled {
            outcome,
            age: Some(age),
            tier: Some(Tier::Backend),
            compute_nanos: Some(stamp.compute_nanos),
        })
    }

    /// Starts a recomputation in the background, unless one is running.
    fn refresh(&self, defer: &mut dyn FnMut() -> Option<Refreshing<T>>) {
        let Some(seen) = self.seen.clone() else {
            return;
        };
        let core = self.core;
        if core.tiers.is_computed_elsewhere(&core.function, self.key) {
            return;
        }
        let recheck = || core.tiers.recheck(self.key, &seen);
        // The arguments are cloned only once it is known that they are needed.
        if let Some(announced) = core.flights.announce(self.key, recheck)
            && let Some(refreshing) = defer()
        {
            refreshing(Ticket {
                core,
                key: self.key.clone(),
                announced,
                seen,
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

/// What is to be done with the function, or with its result.
enum Step<Found> {
    /// Return the stored value, which is fresh.
    Serve,
    /// Return the stored value, which is stale, and recompute it in the background.
    ServeStale,
    /// Return what another flight landed with, if this call can.
    Take(Landing<Found>),
    /// Run it for this reason.
    Compute(Reason),
}

/// Which kind of stored value is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freshness {
    Fresh,
    Stale,
}
