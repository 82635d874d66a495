//! The state of one call, as it goes through the driver.

use std::time::{Duration, Instant};

use cachier_backends::process::Process;
use cachier_metrics::{ComputeRecorder, Outcome, Reason};

use super::core::Core;
use crate::call::Completion;
use crate::decision::{Backoff, ClaimState, Freshness, Stored};
use crate::flight::{Dependency, Flight, FlightResult, Leader, Phase, UnsharedComputation};
use crate::session::Session;
use crate::stamp::Stamp;
use crate::storage::{self, Found, Store};
use crate::sync::Arc;

/// One call on its way, in turns: one that may wait ([`proceed`](Self::proceed)), then one that meets the function and its
/// result ([`step`](Self::step)).
pub(crate) struct CallDriver<T: Store> {
    pub(super) core: &'static Core<T>,
    pub(super) key: T::Key,
    pub(super) state: State<T>,
    pub(super) lookup: LookupState,
    pub(super) found: Option<Found<T::Value>>,
    pub(super) seen: Option<T::Seen>,
    /// When the stored value was created that this call has met.
    pub(super) created: Option<u64>,
    pub(super) claim_state: ClaimState,
    /// The flight of another caller.
    pub(super) flight: Option<Arc<Flight<Found<T::Value>>>>,
    /// Dropped before the flight: whoever takes over after a panic or a cancellation needs it.
    pub(super) lease: Option<Box<T::Lease>>,
    /// The flight of this call.
    pub(super) leader: Option<Leader<'static, T::Key, Found<T::Value>>>,
    /// When this call first joined the flight of another caller.
    pub(super) joined: Option<Instant>,
    /// When this call, leading a flight, began to ask for what it has found.
    pub(super) load_started: Option<Instant>,
    pub(super) saw_stale: bool,
    pub(super) session: Session<'static>,
}

/// What is to be done next.
pub(super) enum State<T: Store> {
    /// Look for the value, or wait for it.
    Lookup,
    /// Act upon what that came to.
    Ready(Step<Found<T::Value>>),
    /// Take the result of the function, which is running. In a box, as are the next two, so that a hit's turns are small.
    Running(Box<RunningFunction<T>>),
    /// Store and share the result.
    Storing(Box<PlannedResult<T>>),
    /// Keep the stored result in the memory of the process, and land.
    Finishing(Box<Published<T>>),
    /// Tell how it ended.
    Done(Completion),
}

/// What is known about the stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookupState {
    /// Nothing yet, or nothing that still counts.
    Needed,
    /// What [`CallDriver::found`] holds.
    Done,
    /// The storage failed.
    Failed,
}

/// What seeking the value came to.
pub(super) enum Step<Found> {
    /// Return the stored value, of this age; recompute one that is stale in the background.
    Serve(Freshness, Duration),
    /// Return the stored value, of this age, which is stale, without an attempt to recompute it.
    ServeStale(Duration, Backoff),
    /// Return what another flight landed with, if this call can.
    Take(FlightResult<Found>),
    /// Run it for this reason.
    Compute(Reason),
}

/// The function at work.
pub(super) struct RunningFunction<T: Store> {
    pub(super) reason: Reason,
    pub(super) unshared: Option<UnsharedOf<T>>,
    pub(super) needed: Option<Dependency>,
    pub(super) recorder: Option<ComputeRecorder>,
    pub(super) begun: u64,
    /// Where it began.
    pub(super) process: Process,
}

/// A computation that no flight carries.
pub(super) type UnsharedOf<T> = UnsharedComputation<'static, <T as Store>::Key, FoundOf<T>>;

pub(super) type FoundOf<T> = Found<<T as Store>::Value>;

/// What becomes of a result, and what is known of the computation.
pub(super) struct PlannedResult<T: Store> {
    pub(super) plan: ResultPlan<FoundOf<T>>,
    pub(super) computation: Computation,
    pub(super) unshared: Option<UnsharedOf<T>>,
}

/// What becomes of a result.
pub(super) enum ResultPlan<Found> {
    /// It is stored, and shared.
    Store(Found),
    /// It is stored in the background.
    StoreInBackground(Found),
    /// It is only shared, as far as it can be.
    Share(FlightResult<Found>),
    /// The same, and what it was to replace is removed.
    Remove(FlightResult<Found>),
    /// This value, which is stale, takes its place.
    ServeStale(Found, Completion),
}

/// A computation that has come to its end.
#[derive(Clone, Copy)]
pub(super) struct Computation {
    pub(super) reason: Reason,
    pub(super) stamp: Stamp,
}

/// What has become of a result where other processes can see it; the memory of this one follows.
pub(super) struct Published<T: Store> {
    pub(super) outcome: Publication<FoundOf<T>>,
    pub(super) computation: Computation,
    pub(super) unshared: Option<UnsharedOf<T>>,
}

pub(super) enum Publication<Found> {
    /// It is stored, or not: `None` if the storage failed. The last moment at which nobody is known to have invalidated the
    /// key, where others can.
    Stored(Found, Option<storage::StoreOutcome>, Option<Instant>),
    /// There is nothing to be stored. What the waiters get, and whether there was an entry, which is gone.
    Removed(FlightResult<Found>, bool),
}

impl<T: Store> CallDriver<T> {
    pub(crate) fn new(core: &'static Core<T>, session: Session<'static>, key: T::Key) -> Self {
        Self {
            core,
            key,
            state: State::Lookup,
            lookup: LookupState::Needed,
            found: None,
            seen: None,
            created: None,
            claim_state: ClaimState::Unclaimed,
            flight: None,
            lease: None,
            leader: None,
            joined: None,
            load_started: None,
            saw_stale: false,
            session,
        }
    }

    pub(super) fn stored(&self) -> Stored {
        match (self.lookup, &self.found) {
            (LookupState::Failed, _) => Stored::Unknown,
            (_, Some(found)) => Stored::Aged(self.age(found)),
            (LookupState::Needed, None) => Stored::Unseen,
            (LookupState::Done, None) => Stored::Absent,
        }
    }

    pub(super) fn age(&self, found: &Found<T::Value>) -> Duration {
        self.core
            .store
            .age(&self.core.function, found.stamp.created)
    }

    /// What could be served in place of a failure: also when the storage has failed since.
    pub(super) fn fallback(&self) -> Stored {
        match &self.found {
            Some(found) => Stored::Aged(self.age(found)),
            None if self.lookup == LookupState::Needed => Stored::Unseen,
            None => Stored::Absent,
        }
    }

    /// Whether there may be an entry that the result takes the place of.
    pub(super) fn may_replace(&self) -> bool {
        self.fallback() != Stored::Absent
    }

    /// Tells those who wait for the flight of this call what they wait for from now on.
    pub(super) fn enter(&self, phase: Phase) {
        if let Some(leader) = &self.leader {
            leader.enter(phase);
        }
    }

    /// Computes as the owner of the lease. Once that is known to be lost, nobody joins the flight any more.
    pub(super) fn hold_lease(&mut self, lease: T::Lease) {
        if let Some(leader) = &self.leader {
            let (core, key, computation) = (self.core, self.key.clone(), leader.computation());
            T::on_loss(&lease, move || core.flights.withdraw(&key, computation));
        }
        self.lease = Some(Box::new(lease));
        self.claim_state = ClaimState::Own;
    }
}

impl<T: Store> RunningFunction<T> {
    /// Whether the function has forked, and this is the child.
    pub(super) fn has_forked(&self) -> bool {
        !self.process.is_current()
    }
}

impl Computation {
    /// How a call ends that has this result.
    pub(super) fn completion(self) -> Completion {
        Completion::uncached(match self.reason {
            Reason::Unavailable => Outcome::Unavailable,
            _ => Outcome::Miss,
        })
    }
}
