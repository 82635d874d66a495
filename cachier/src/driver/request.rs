//! Requests of a call site, and the driver that carries them out in steps.
//!
//! Code that waits knows nothing of the function's types, and code that knows them does not wait. So one driver serves all
//! functions, only [`drive`] is compiled for each async one, and a call's future is `Send` whenever the function's own is.

use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use cachier_backends::Error;
use cachier_backends::cold::boxed_cold;
use cachier_metrics::ComputeRecorder;

use super::core::Core;
use super::entry::{EntryDriver, EntryOperation};
use super::miss::MissDriver;
use super::state::CallDriver;
use super::transition::{Response, RunSpec, Transition};
use super::work::{AsyncWork, Cacheable, Slot, Work};
use crate::call::{Call, CallMode, CallOptions, Completion};
use crate::decision::{Intent, ResultKind};
use crate::function::Function;
use crate::labels;
use crate::session::{CallStart, Session};
use crate::storage::Store;

/// A request of a function or its companion.
pub enum Request {
    Call(CallOptions, CallStart),
    /// An operation on one entry.
    Entry(EntryOperation),
}

impl Request {
    /// Whether the request bypasses the cache.
    pub(crate) fn bypasses(&self, function: &Function) -> bool {
        match self {
            Self::Call(options, _) => options.bypasses || !function.is_enabled(),
            Self::Entry(_) => false,
        }
    }

    /// Whether the entry has to belong to the arguments; forgetting one does not need that.
    pub(crate) fn relies_on_entry(&self) -> bool {
        !matches!(self, Self::Entry(EntryOperation::Invalidate))
    }

    /// The largest age of a value that the call may be served at once, if it has not looked for one yet.
    pub(crate) fn immediate_max_age(&self, function: &Function) -> Option<Option<Duration>> {
        match self {
            Self::Call(options, CallStart::Undecided) if options.intent == Intent::Use => {
                (!self.bypasses(function)).then_some(options.max_age)
            }
            _ => None,
        }
    }
}

/// A request with its function and key.
pub struct PreparedRequest<T: Store> {
    pub(crate) core: &'static Core<T>,
    pub(crate) request: Request,
    /// The completion of a call whose value is at hand.
    pub(crate) ready: Option<Completion>,
    /// `None` for a call that bypasses the cache.
    pub(crate) key: Option<Result<T::Key, Error>>,
}

/// Drives one request.
///
/// Boxed where it is large, as it is moved about.
pub(crate) enum Driver<T: Store> {
    /// A request that is about to be [opened](Self::open).
    Prepared(PreparedRequest<T>),
    /// Being opened.
    Opening,
    /// A call that needs no store.
    Bypass(Box<BypassDriver>),
    /// A call whose key nobody else asks for.
    Miss(MissDriver<T>),
    Call(Box<CallDriver<T>>),
    /// A recomputation in the background.
    Refresh(Box<CallDriver<T>>),
    /// An operation of the companion.
    Entry(Box<EntryDriver<T>>),
}

/// Drives a request in a task.
pub struct TaskDriver<T: Store>(pub(crate) Driver<T>);

impl<T: Store> From<PreparedRequest<T>> for TaskDriver<T> {
    fn from(prepared: PreparedRequest<T>) -> Self {
        Self(Driver::Prepared(prepared))
    }
}

/// Drives a request to its response.
pub(crate) async fn drive<T: Store, F: Future>(
    driver: &mut Driver<T>,
    work: &mut impl AsyncWork<T, F>,
) -> Response {
    loop {
        {
            let mut proceeding = pin!(driver.proceed());
            poll_fn(|cx| poll_in_own_frame(proceeding.as_mut(), cx)).await;
        }
        match driver.step(work) {
            Transition::Wait => {}
            Transition::Run(spec) => {
                let cacheable = spec.cacheable;
                let returned = {
                    let mut function = pin!({
                        let _in_run = spec.enter();
                        work.begin(cacheable)
                    });
                    // One future: each more around the function is a frame more for each level of a recursion.
                    poll_fn(|cx| {
                        let _in_run = spec.enter();
                        function.as_mut().poll(cx)
                    })
                    .await
                };
                let kind = {
                    let _in_run = spec.enter();
                    work.end(returned, cacheable)
                };
                driver.computed(kind, work.slot());
            }
            Transition::Done(response) => return response,
        }
    }
}

/// Not inlined, so that a recursion does not keep on its stack what looking up and storing need.
#[inline(never)]
fn poll_in_own_frame<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(cx)
}

impl<T: Store> Driver<T> {
    /// Starts the request, if it is not yet. In place, because it is large.
    pub(crate) fn open(&mut self, mode: CallMode, slot: &mut dyn Slot<T::Value>) {
        if let Self::Prepared(_) = self
            && let Self::Prepared(prepared) = mem::replace(self, Self::Opening)
        {
            *self = Self::started(prepared, mode, slot);
        }
    }

    fn started(
        prepared: PreparedRequest<T>,
        mode: CallMode,
        slot: &mut dyn Slot<T::Value>,
    ) -> Self {
        let PreparedRequest {
            core,
            request,
            ready,
            key,
        } = prepared;
        let (options, start) = match request {
            Request::Call(options, start) => (options, start),
            Request::Entry(operation) => {
                let key = key.unwrap_or_else(|| unreachable!("only calls go without a key"));
                let entry = EntryDriver::new(core, mode, operation, key, slot);
                return Self::Entry(Box::new(entry));
            }
        };
        let key = match (key, start) {
            (Some(Ok(key)), CallStart::Decided(sampled)) if options == CallOptions::new() => {
                match MissDriver::begin(core, key, mode, sampled) {
                    Ok(miss) => return Self::Miss(miss),
                    Err(key) => Some(Ok(key)),
                }
            }
            (key, _) => key,
        };
        let session = Session::for_call(&core.function, mode, options, start);
        match session.usable_key(key) {
            Some(key) => Self::Call(Box::new(CallDriver::new(core, session, key))),
            None => Self::Bypass(Box::new(BypassDriver {
                session,
                completion: ready,
                running: None,
            })),
        }
    }

    /// Waits for whatever comes before the next step.
    pub(super) async fn proceed(&mut self) {
        match self {
            Self::Prepared(_) | Self::Opening => unreachable!("it is opened first"),
            Self::Bypass(_) | Self::Miss(_) => {}
            Self::Call(call) | Self::Refresh(call) => call.proceed().await,
            Self::Entry(entry) => boxed_cold(|| entry.proceed()).await,
        }
    }

    /// Whether nothing comes before the next step.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::Bypass(_) | Self::Miss(_) => true,
            Self::Call(call) | Self::Refresh(call) => call.is_ready(),
            Self::Prepared(_) | Self::Opening | Self::Entry(_) => false,
        }
    }

    /// Takes a step with the function or its result.
    #[inline(never)]
    pub(super) fn step(&mut self, work: &mut dyn Work<T>) -> Transition<Response> {
        match self {
            Self::Prepared(_) | Self::Opening => unreachable!("it is opened first"),
            Self::Bypass(bypass) => bypass.step().map(response),
            Self::Miss(miss) => miss.step().map(|()| Response::Value),
            Self::Call(call) => call
                .step(work)
                .map(|completion| response(call.end(completion))),
            Self::Refresh(call) => call
                .step(work)
                .map(|completion| response(call.end_refresh(completion))),
            Self::Entry(entry) => entry.step(work.slot()),
        }
    }

    /// Takes the result of the function.
    #[inline(never)]
    pub(super) fn computed(&mut self, kind: ResultKind, slot: &mut dyn Slot<T::Value>) {
        match self {
            Self::Bypass(bypass) => bypass.computed(kind),
            Self::Miss(miss) => {
                if let Some(mut call) = miss.computed(kind, slot) {
                    call.computed(kind, slot);
                    *self = Self::Call(Box::new(call));
                }
            }
            Self::Call(call) | Self::Refresh(call) => call.computed(kind, slot),
            Self::Prepared(_) | Self::Opening | Self::Entry(_) => {
                unreachable!("only calls run a function, and once they are open")
            }
        }
    }
}

fn response(call: Call<()>) -> Response {
    Response::Call(Box::new(call))
}

/// A call whose value is at hand, or that bypasses the cache.
pub(crate) struct BypassDriver {
    session: Session<'static>,
    /// `None` until a function that bypasses the cache has run.
    completion: Option<Completion>,
    running: Option<ComputeRecorder>,
}

impl BypassDriver {
    fn step(&mut self) -> Transition<Call<()>> {
        if let Some(completion) = self.completion {
            return Transition::Done(self.session.end(completion));
        }
        self.running = self.session.start_bypass();
        Transition::Run(RunSpec {
            computation: None,
            cacheable: Cacheable::Nothing,
            span: self.session.span.clone(),
        })
    }

    fn computed(&mut self, kind: ResultKind) {
        if let Some(running) = self.running.take() {
            running.finish(labels::result(kind));
        }
        self.completion = Some(Completion::BYPASS);
    }
}
