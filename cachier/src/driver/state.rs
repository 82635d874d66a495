//! The state of one call.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use cachier_backends::entry::AgeLimit;
use cachier_backends::process::Process;
use cachier_metrics::{ComputeRecorder, Outcome, Reason};

use super::core::Core;
use crate::call::Completion;
use crate::decision::{Backoff, ClaimState, Freshness, ResultKind, Rules, Stored, early_lead};
use crate::flight::{
    ComputationId, Dependency, Flight, FlightResult, Leader, Phase, UnsharedComputation, Validity,
    current, depend,
};
use crate::function::Function;
use crate::labels;
use crate::options::Policy;
use crate::refresh_after::RefreshAfter;
use crate::session::Session;
use crate::stamp::Stamp;
use crate::storage::{self, Found, Store};
use crate::sync::Arc;

/// Drives one call, alternating between waiting ([`proceed`](Self::proceed)) and using the function or its result
/// ([`step`](Self::step)).
pub(crate) struct CallDriver<T: Store> {
    pub(super) core: &'static Core<T>,
    pub(super) key: T::Key,
    pub(super) state: State<T>,
    pub(super) lookup: LookupState,
    pub(super) found: Option<Found<T::Value>>,
    pub(super) seen: Option<T::Seen>,
    /// When the loaded value was created.
    pub(super) created: Option<u64>,
    pub(super) claim_state: ClaimState,
    /// The flight that this call has joined.
    pub(super) flight: Option<Arc<Flight<Found<T::Value>>>>,
    /// Dropped before the flight: the next leader, after a panic or a cancellation, needs the lease.
    pub(super) lease: Option<Box<T::Lease>>,
    /// The flight that this call leads.
    pub(super) leader: Option<LeaderOf<T>>,
    /// When this call first joined a flight.
    pub(super) joined: Option<Instant>,
    /// When this call began to load what it has loaded, where others can invalidate it.
    pub(super) load_started: Option<Instant>,
    pub(super) saw_stale: bool,
    pub(super) session: Session<'static>,
}

/// The next step of a call.
pub(super) enum State<T: Store> {
    /// Look for the value, or wait for it.
    Lookup,
    /// Carry out the next step.
    Ready(Step<Found<T::Value>>),
    /// Run the function. Boxed, like the next two, to keep a hit's state small.
    Running(Box<RunningFunction<T>>),
    /// Store and share the result.
    Storing(Box<PlannedResult<T>>),
    /// Update the memory of the process, and finish the flight.
    Finishing(Box<Published<T>>),
    /// Return.
    Done(Completion),
}

/// The progress of the lookup of a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookupState {
    /// Nothing, or nothing that still counts.
    Needed,
    /// Its result is in [`CallDriver::found`].
    Done,
    /// The store failed.
    Failed,
}

/// A step that does not wait.
pub(super) enum Step<Found> {
    /// Serve the stored value of this age, which is fresh.
    Serve(Duration),
    /// Serve the stored value of this age, and refresh it in the background.
    ServeAndRefresh(Freshness, Duration),
    /// Serve the stale value of this age, and do not refresh it.
    ServeStale(Duration, Backoff),
    /// Take the result of another flight, if this call can use it.
    Take(FlightResult<Found>),
    /// Run the function.
    Compute(Reason),
}

/// A run of the function.
pub(super) struct RunningFunction<T: Store> {
    pub(super) reason: Reason,
    pub(super) unshared: Option<UnsharedOf<T>>,
    pub(super) needed: Option<Dependency>,
    pub(super) recorder: Option<ComputeRecorder>,
    pub(super) begun: u64,
    /// The same moment for those who wait, where others can invalidate the result.
    pub(super) began_at: Option<Instant>,
    /// The process in which it started.
    pub(super) process: Process,
}

pub(super) type UnsharedOf<T> = UnsharedComputation<'static, <T as Store>::Key, FoundOf<T>>;

pub(super) type LeaderOf<T> = Leader<'static, <T as Store>::Key, FoundOf<T>>;

pub(super) type FoundOf<T> = Found<<T as Store>::Value>;

/// A computation and what to do with its result.
pub(super) struct PlannedResult<T: Store> {
    pub(super) plan: ResultPlan<FoundOf<T>>,
    pub(super) computation: Computation,
    pub(super) unshared: Option<UnsharedOf<T>>,
}

/// The plan for a computed result.
pub(super) enum ResultPlan<Found> {
    /// Store and share it.
    Store(Found),
    /// Share it, and store it in the background.
    StoreInBackground(Found),
    /// Share it, as far as that is possible.
    Share(FlightResult<Found>),
    /// Share it, and remove the entry that it replaces.
    Remove(FlightResult<Found>),
    /// Serve this stale value instead.
    ServeStale(Found, Completion),
}

/// A finished computation.
#[derive(Clone, Copy)]
pub(super) struct Computation {
    pub(super) reason: Reason,
    pub(super) began_at: Option<Instant>,
    pub(super) stamp: Stamp,
}

/// The store's treatment of a result; the memory of the process follows.
pub(super) struct Published<T: Store> {
    pub(super) outcome: Publication<FoundOf<T>>,
    pub(super) computation: Computation,
    pub(super) unshared: Option<UnsharedOf<T>>,
}

pub(super) enum Publication<Found> {
    /// The store's answer, `None` if it failed, and for whom the value is valid, where others can invalidate it.
    Stored(Found, Option<storage::StoreOutcome>, Option<Validity>),
    /// There was nothing to store. The waiters' result, and whether an entry was removed.
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

    /// The rules for the value that this call has found, if any.
    pub(super) fn rules(&self) -> Cow<'_, Rules> {
        let ageing = self.found.as_ref().map(|found| found.stamp.ageing);
        let rules = &self.session.policy.rules;
        rules.for_value(ageing.unwrap_or_default())
    }

    /// The same for a decision, which takes a draw where the value is refreshed at random.
    pub(super) fn rules_with_lead(&self) -> Cow<'_, Rules> {
        let mut rules = self.rules();
        if let (Some(RefreshAfter::Early), Some(found)) = (rules.refresh_after, &self.found) {
            let drawn = self.core.function.context.random.bits();
            rules.to_mut().early_lead = early_lead(found.stamp.compute_nanos, drawn);
        }
        rules
    }

    /// The value to serve in place of a failure, even if the store has failed since.
    pub(super) fn fallback(&self) -> Stored {
        match &self.found {
            Some(found) => Stored::Aged(self.age(found)),
            None if self.lookup == LookupState::Needed => Stored::Unseen,
            None => Stored::Absent,
        }
    }

    /// Whether there may be an entry that the result replaces.
    pub(super) fn may_replace(&self) -> bool {
        self.fallback() != Stored::Absent
    }

    /// Tells the waiters which phase the flight enters.
    pub(super) fn enter(&self, phase: Phase) {
        if let Some(leader) = &self.leader {
            leader.enter(phase);
        }
    }

    /// Computes as the owner of the lease. Once the lease is known to be lost, nobody joins the flight any more.
    pub(super) fn hold_lease(&mut self, lease: T::Lease) {
        self.withdraw_on_loss(&lease);
        self.lease = Some(Box::new(lease));
        self.claim_state = ClaimState::Own;
    }

    /// Takes the flight out of the table as soon as the lease is lost.
    pub(super) fn withdraw_on_loss(&self, lease: &T::Lease) {
        if let Some(leader) = &self.leader {
            let (core, key, computation) = (self.core, self.key.clone(), leader.computation());
            let withdraw = move || core.flights.withdraw(&key, computation);
            core.store.on_loss(&core.function, lease, withdraw);
        }
    }
}

impl<T: Store> RunningFunction<T> {
    /// The function begins to run now, as this computation.
    pub(super) fn start(
        function: &Function,
        reason: Reason,
        begun: u64,
        computation: ComputationId,
        process: Process,
    ) -> Self {
        Self {
            reason,
            unshared: None,
            needed: depend(current(), computation).ok(),
            recorder: function
                .metrics
                .map(|metrics| metrics.start_compute(reason)),
            begun,
            began_at: T::IS_REMOTE.then(Instant::now),
            process,
        }
    }

    /// It has run, with a result of this kind, which may have an age limit of its own: the stamp of that.
    pub(super) fn end(
        &mut self,
        core: &Core<T>,
        policy: &Policy,
        kind: ResultKind,
        limit: Option<AgeLimit>,
    ) -> Stamp {
        let function = &core.function;
        let ended = function.context.clock.now();
        if let Some(recorder) = self.recorder.take() {
            recorder.finish(labels::result(kind));
        }
        let created = core.store.created_at(function, ended);
        let ageing = policy.ageing(limit, &function.context.random);
        policy.stamp(created, ended.saturating_sub(self.begun), ended, ageing)
    }

    /// Whether this is a child process forked by the function.
    pub(super) fn has_forked(&self) -> bool {
        !self.process.is_current()
    }
}

impl Computation {
    /// The completion of a call with this result.
    pub(super) fn completion(self) -> Completion {
        Completion::uncached(match self.reason {
            Reason::Unavailable => Outcome::Unavailable,
            _ => Outcome::Miss,
        })
    }
}
