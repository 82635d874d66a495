//! What a call site asks for, carried out in turns.
//!
//! Whatever may wait knows nothing of the function's types, and whatever knows them does not wait. So one body of code
//! serves all functions, only [`carry_out`] is compiled for each asynchronous one, and a call's future can be sent to
//! another thread whenever the function's own can.

use std::time::Duration;

use cachier_backends::Error;
use cachier_metrics::ComputeRecorder;

use super::core::Core;
use super::entry::{Entry, EntryOperation};
use super::state::Drive;
use super::turn::{Ended, Met, ToRun, apart};
use super::work::{Cacheable, Compute, Slot, Work};
use crate::call::{Call, CallOptions, Flavour, Settled};
use crate::decision::{Computed, Intent};
use crate::flight::within;
use crate::function::Function;
use crate::labels;
use crate::session::{Session, Start};
use crate::storage::Tiers;

/// What the companion, or the function itself, asks for.
pub enum Asked {
    /// One call.
    Call(CallOptions, Start),
    /// An operation on one entry.
    Entry(EntryOperation),
}

impl Asked {
    /// Whether the cache is not consulted.
    pub(crate) fn bypasses(&self, function: &Function) -> bool {
        match self {
            Self::Call(options, _) => options.bypasses || !function.is_enabled(),
            Self::Entry(_) => false,
        }
    }

    /// Whether it matters that the entry belongs to the arguments: not where it is to be forgotten.
    pub(crate) fn relies_on_entry(&self) -> bool {
        !matches!(self, Self::Entry(EntryOperation::Invalidate))
    }

    /// How old a value may be that a call is given at once, for calls that have not looked for one yet.
    pub(crate) fn max_age_at_hand(&self, function: &Function) -> Option<Option<Duration>> {
        match self {
            Self::Call(options, Start::Undecided) if options.intent == Intent::Use => {
                (!self.bypasses(function)).then_some(options.max_age)
            }
            _ => None,
        }
    }
}

/// What is asked of which function, and under which key.
pub struct Plan<T: Tiers> {
    pub(crate) core: &'static Core<T>,
    pub(crate) asked: Asked,
    /// How the call ended, where its value is at hand.
    pub(crate) given: Option<Settled>,
    /// `None` for a call that bypasses the cache.
    pub(crate) key: Option<Result<T::Key, Error>>,
}

/// What is asked for, on its way.
pub(crate) enum Errand<T: Tiers> {
    /// A call that the driver has no part in.
    Aside(Aside),
    /// A call.
    Call(Drive<T>),
    /// A recomputation in the background.
    Refresh(Drive<T>),
    /// An operation of the companion.
    Entry(Entry<T>),
}

/// Carries out what is asked for.
pub(crate) async fn carry_out<T: Tiers, F: Future>(
    errand: &mut Errand<T>,
    work: &mut impl Compute<T, F>,
) -> Ended {
    loop {
        errand.proceed().await;
        match errand.meet(work) {
            Met::Nothing => {}
            Met::Function(to_run) => {
                let cacheable = to_run.cacheable;
                let function = async {
                    let returned = work.begin(cacheable).await;
                    work.end(returned, cacheable)
                };
                let computed = within(to_run.computation, function).await;
                errand.computed(computed, work.slot());
            }
            Met::End(ended) => return ended,
        }
    }
}

impl<T: Tiers> Errand<T> {
    /// Begins to carry out a plan.
    pub(crate) fn open(plan: Plan<T>, flavour: Flavour, slot: &mut dyn Slot<T::Value>) -> Self {
        let Plan {
            core,
            asked,
            given,
            key,
        } = plan;
        let (options, start) = match asked {
            Asked::Call(options, start) => (options, start),
            Asked::Entry(operation) => {
                let key = key.unwrap_or_else(|| unreachable!("only calls go without a key"));
                return Self::Entry(Entry::new(core, flavour, operation, key, slot));
            }
        };
        let session = Session::of_call(&core.function, flavour, options, start);
        match session.usable(key) {
            Some(key) => Self::Call(Drive::new(core, session, key)),
            None => Self::Aside(Aside {
                session,
                settled: given,
                running: None,
            }),
        }
    }

    /// Waits for what comes before the next meeting.
    pub(super) async fn proceed(&mut self) {
        match self {
            Self::Aside(_) => {}
            Self::Call(drive) | Self::Refresh(drive) => drive.proceed().await,
            Self::Entry(entry) => apart(|| entry.proceed()).await,
        }
    }

    /// Meets the function or its result.
    pub(super) fn meet(&mut self, work: &mut dyn Work<T>) -> Met<Ended> {
        match self {
            Self::Aside(aside) => aside.meet().map(ended),
            Self::Call(drive) => drive.meet(work).map(|settled| ended(drive.end(settled))),
            Self::Refresh(drive) => drive.meet(work).map(|settled| ended(drive.leave(settled))),
            Self::Entry(entry) => entry.meet(work.slot()),
        }
    }

    /// The function has run.
    pub(super) fn computed(&mut self, computed: Computed, slot: &mut dyn Slot<T::Value>) {
        match self {
            Self::Aside(aside) => aside.computed(computed),
            Self::Call(drive) | Self::Refresh(drive) => drive.computed(computed, slot),
            Self::Entry(_) => unreachable!("an operation on an entry runs no function"),
        }
    }
}

fn ended(call: Call<()>) -> Ended {
    Ended::Call(Box::new(call))
}

/// A call whose value is at hand, or that bypasses the cache.
pub(crate) struct Aside {
    session: Session<'static>,
    /// How it ended: `None` until a function that bypasses the cache has run.
    settled: Option<Settled>,
    running: Option<ComputeRecorder>,
}

impl Aside {
    fn meet(&mut self) -> Met<Call<()>> {
        if let Some(settled) = self.settled {
            return Met::End(self.session.end(settled));
        }
        self.running = self.session.start_bypass();
        Met::Function(ToRun {
            computation: None,
            cacheable: Cacheable::Nothing,
        })
    }

    fn computed(&mut self, computed: Computed) {
        if let Some(running) = self.running.take() {
            running.finish(labels::computed(computed));
        }
        self.settled = Some(Settled::BYPASS);
    }
}
