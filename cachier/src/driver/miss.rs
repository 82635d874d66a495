//! A miss in memory that nobody else waits for.
//!
//! It decides and leads a flight as any call does, but has no session, and nothing to wait for. Whatever is out of the
//! ordinary, before the function runs or after it, is left to [`CallDriver`].

use std::sync::Arc;

use cachier_metrics::{CallRecorder, Outcome, Reason, Sampled};

use super::cleanup::start_cleanup;
use super::core::Core;
use super::publish::end_with_value;
use super::state::{CallDriver, FoundOf, LeaderOf, LookupState, RunningFunction, State};
use super::transition::{RunSpec, Transition};
use super::work::{Cacheable, Slot};
use crate::call::CallMode;
use crate::decision::{
    Action, ClaimState, Intent, ResultAction, ResultKind, Rules, Stored, decide, decide_result,
};
use crate::flight::ComputationId;
use crate::options::Policy;
use crate::session::Session;
use crate::span::{CallSpan, may_listen};
use crate::stamp::Stamp;
use crate::storage::Store;
use crate::trace;

/// Drives a call whose key is absent and computed by nobody.
pub(crate) struct MissDriver<T: Store> {
    core: &'static Core<T>,
    policy: Arc<Policy>,
    recorder: Option<CallRecorder>,
    /// `None` once it has run, as is the next.
    function: Option<RunningFunction<T>>,
    leader: Option<LeaderOf<T>>,
    mode: CallMode,
}

impl<T: Store> MissDriver<T> {
    /// Leads a flight for the key of a call without options, and returns the key where something is stored or another caller
    /// computes it.
    pub(super) fn begin(
        core: &'static Core<T>,
        key: T::Key,
        mode: CallMode,
        sampled: Option<Sampled>,
    ) -> Result<Self, T::Key> {
        // Whoever listens is told more than is known here.
        let (Some(seen), false) = (core.store.seen_absent(), may_listen()) else {
            return Err(key);
        };
        trace::check_environment();
        let function = &core.function;
        let policy = function.policy();
        let Some(reason) = reason_of_miss(&policy.rules) else {
            return Err(key);
        };
        let clock = &function.context.clock;
        let started = match function.metrics {
            Some(_) => clock.now(),
            // Nobody reads how long the function takes.
            None => clock.coarse(),
        };
        // It stays in the first phase: where there is no store to wait for, all phases are waited for alike.
        let leader = {
            let _drops = T::defer_drops();
            let recheck = |key: &T::Key| core.store.recheck(key, &seen);
            core.flights.lead(key, ComputationId::next(), recheck)?
        };
        let recorder = function
            .metrics
            .map(|metrics| metrics.start_call(sampled, Some(started)));
        let (computation, process) = (leader.computation(), leader.process());
        let function = RunningFunction::start(function, reason, started, computation, process);
        Ok(Self {
            core,
            policy,
            recorder,
            function: Some(function),
            leader: Some(leader),
            mode,
        })
    }

    /// The next step: to run the function, or the end of the call.
    pub(super) fn step(&self) -> Transition<()> {
        match &self.leader {
            Some(leader) => Transition::Run(RunSpec {
                computation: Some(leader.computation()),
                cacheable: Cacheable::by(&self.policy),
                span: CallSpan::default(),
            }),
            None => Transition::Done(()),
        }
    }

    /// Takes the result of the function, and ends the call; or returns the driver that can.
    pub(super) fn computed(
        &mut self,
        kind: ResultKind,
        slot: &mut dyn Slot<T::Value>,
    ) -> Option<CallDriver<T>> {
        let (function, leader) = (self.function.as_mut()?, self.leader.as_ref()?);
        let stamp = function.end(self.core, &self.policy, kind, slot.age_limit());
        let is_wanted = !function.has_forked() && !leader.is_superseded();
        let found = is_wanted.then(|| self.to_keep(leader.key(), kind, slot, stamp));
        match found.flatten() {
            Some(found) => {
                self.end(found, slot);
                None
            }
            None => self.hand_over(),
        }
    }

    /// The value, if all that is to be done with it is to keep it.
    fn to_keep(
        &self,
        key: &T::Key,
        kind: ResultKind,
        slot: &dyn Slot<T::Value>,
        stamp: Stamp,
    ) -> Option<FoundOf<T>> {
        let Self { core, policy, .. } = self;
        let action = decide_result(kind, Stored::Absent, &policy.rules, None);
        if action != ResultAction::Store || policy.entry_size_limit.is_some() {
            return None;
        }
        let found = slot.encode(stamp, core.function.wants_size(policy)).ok()?;
        core.store.keeps(key, &found).then_some(found)
    }

    /// Keeps the value, and ends the flight and the call.
    fn end(&mut self, found: FoundOf<T>, slot: &mut dyn Slot<T::Value>) {
        self.function = None;
        if let (Some(recorder), Some(bytes)) = (&self.recorder, found.bytes) {
            recorder.stored(bytes);
        }
        slot.stored(found.stamp);
        if let Some(leader) = self.leader.take() {
            let key = leader.key().clone();
            end_with_value(self.core, &key, found, (Some(leader), None), None, slot);
        }
        start_cleanup(self.core, &self.policy);
        if let Some(recorder) = self.recorder.take() {
            recorder.finish(Outcome::Miss, None, None);
        }
    }

    /// The driver of any call, in the midst of this one.
    fn hand_over(&mut self) -> Option<CallDriver<T>> {
        let (function, leader) = (self.function.take()?, self.leader.take()?);
        let Self { core, mode, .. } = *self;
        let recorder = self.recorder.take();
        let session = Session::continued(&core.function, mode, recorder, function.begun);
        let mut call = CallDriver::new(core, session, leader.key().clone());
        call.lookup = LookupState::Done;
        call.seen = core.store.seen_absent();
        call.claim_state = ClaimState::Own;
        call.lease = core.store.claim_at_once().map(Box::new);
        call.leader = Some(leader);
        call.state = State::Running(Box::new(function));
        Some(call)
    }
}

/// Why the function runs if nothing is stored and nobody else computes.
fn reason_of_miss(rules: &Rules) -> Option<Reason> {
    let (stored, claim) = (Stored::Absent, ClaimState::Own);
    match decide(stored, None, claim, rules, None, Intent::Use) {
        Action::Compute(reason) => Some(reason),
        _ => None,
    }
}
