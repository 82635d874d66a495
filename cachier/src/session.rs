//! A session: one call's policy, measurements and budget.

#[cfg(feature = "persistent")]
mod operation;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cachier_backends::{Error, ErrorKind, Operation};
use cachier_metrics::{CacheMetrics, CallRecorder, ComputeRecorder, LocalSlot, Reason, Sampled};

use crate::budget::{Budget, OperationTimeout};
use crate::call::{Call, CallMode, CallOptions, Completion};
use crate::function::Function;
use crate::options::{BackendName, Policy};
use crate::span::CallSpan;
use crate::timer::nanos;
use crate::trace;

/// One call, or one piece of background work.
pub struct Session<'a> {
    function: &'a Function,
    pub(crate) mode: CallMode,
    pub(crate) policy: Arc<Policy>,
    /// Where the backend's operations and failures are counted, if anywhere.
    metrics: Option<&'static CacheMetrics>,
    pub(crate) options: CallOptions,
    pub(crate) recorder: Option<CallRecorder>,
    /// The weight of the backend's measurements, if they are sampled.
    sampled: Option<Sampled>,
    pub(crate) started: u64,
    first_error: OnceLock<Error>,
    /// Whether an expired entry was loaded.
    saw_expired: AtomicBool,
    /// The budget that every wait draws on.
    pub(crate) budget: Budget,
    /// Whether its operations probe an open breaker.
    pub(crate) from_companion: bool,
    /// Whether an operation of it has had a permit.
    has_begun: AtomicBool,
    pub(crate) span: CallSpan,
}

impl<'a> Session<'a> {
    /// A session for background work on a whole function: not measured, with a long timeout.
    pub(crate) fn unmeasured(function: &'a Function, mode: CallMode) -> Self {
        Self::with_allowance(function, mode, BACKGROUND_TIMEOUT)
    }

    /// The same with this timeout, if that is longer than a call's.
    pub(crate) fn with_allowance(
        function: &'a Function,
        mode: CallMode,
        allowance: Duration,
    ) -> Self {
        let now = function.context.clock.now();
        let session = Self::new(function, mode, CallOptions::new(), None, now);
        let allowance = session.policy.operation_timeout.max(allowance);
        Self {
            budget: budget(function, &session.policy, allowance),
            ..session
        }
    }

    /// A session for an operation of the companion.
    pub(crate) fn for_companion(function: &'a Function, mode: CallMode) -> Self {
        Self {
            from_companion: true,
            ..Self::unmeasured(function, mode)
        }
    }

    /// The same for one key, without a value unless it is [extended](Self::extend_for_value) for one.
    pub(crate) fn for_one_key(function: &'a Function, mode: CallMode) -> Self {
        Self {
            from_companion: true,
            ..Self::in_background(function, mode)
        }
    }

    /// A session for background work on one key, without a large value.
    pub(crate) fn in_background(function: &'a Function, mode: CallMode) -> Self {
        Self::with_allowance(function, mode, one_key_timeout(0))
    }

    /// Extends the timeout for a value of this many bytes. Called before the first operation.
    pub(crate) fn extend_for_value(&mut self, bytes: u64) {
        let allowance = self.policy.operation_timeout.max(one_key_timeout(bytes));
        self.budget = budget(self.function, &self.policy, allowance);
    }

    /// The same without a trace in metrics.
    pub(crate) fn uncounted(function: &'a Function, mode: CallMode) -> Self {
        Self {
            metrics: None,
            ..Self::for_one_key(function, mode)
        }
    }

    /// A session for a recomputation in the background: sampled like a call. A large value is stored by
    /// [another](Self::continuing).
    pub(crate) fn for_refresh(function: &'a Function, mode: CallMode) -> Self {
        let metrics = function.metrics;
        Self {
            sampled: metrics.and_then(|metrics| metrics.local(&SLOT).sample()),
            ..Self::in_background(function, mode)
        }
    }

    /// A session that continues a call on a background thread, to store a value of this many bytes: measured if the call is.
    pub(crate) fn continuing(function: &'a Function, call: &Session<'_>, bytes: u64) -> Self {
        Self {
            sampled: call.sampled,
            saw_expired: AtomicBool::new(call.replaces_expired()),
            has_begun: AtomicBool::new(true),
            ..Self::with_allowance(function, CallMode::Sync, one_key_timeout(bytes))
        }
    }

    /// A session for a call, measured if the function has metrics.
    pub(crate) fn for_call(
        function: &'a Function,
        mode: CallMode,
        options: CallOptions,
        start: CallStart,
    ) -> Self {
        let started = function.context.clock.now();
        let recorder = function
            .metrics
            .map(|metrics| metrics.start_call(start.decide(metrics), Some(started)));
        let session = Self::new(function, mode, options, recorder, started);
        let span = function.call_span(session.sampled.is_some(), &session.policy);
        Self { span, ..session }
    }

    /// A session for the rest of a call without options, which began then and is measured so.
    pub(crate) fn continued(
        function: &'a Function,
        mode: CallMode,
        recorder: Option<CallRecorder>,
        started: u64,
    ) -> Self {
        Self::new(function, mode, CallOptions::new(), recorder, started)
    }

    fn new(
        function: &'a Function,
        mode: CallMode,
        options: CallOptions,
        recorder: Option<CallRecorder>,
        started: u64,
    ) -> Self {
        trace::check_environment();
        let policy = function.policy();
        Self {
            function,
            mode,
            budget: budget(function, &policy, policy.operation_timeout),
            policy,
            metrics: function.metrics,
            options,
            sampled: recorder.as_ref().and_then(CallRecorder::sampled),
            recorder,
            started,
            first_error: OnceLock::new(),
            saw_expired: AtomicBool::new(false),
            from_companion: false,
            has_begun: AtomicBool::new(false),
            span: CallSpan::default(),
        }
    }

    /// The key, unless it failed or the call bypasses the cache.
    pub(crate) fn usable_key<K>(&self, keyed: Option<Result<K, Error>>) -> Option<K> {
        match keyed {
            Some(Ok(keyed)) => Some(keyed),
            Some(Err(error)) => {
                self.record_failure(&error);
                None
            }
            _ => {
                self.note_out_of_service();
                None
            }
        }
    }

    pub(crate) fn start_bypass(&self) -> Option<ComputeRecorder> {
        Some(self.function.metrics?.start_compute(Reason::Uncacheable))
    }

    /// Ends the call: counts and traces it.
    pub(crate) fn end(&mut self, completion: Completion) -> Call<()> {
        let call = self.report(completion);
        if let Some(recorder) = self.recorder.take() {
            recorder.finish(
                completion.outcome,
                completion.age.map(nanos),
                completion.compute_nanos,
            );
        }
        self.span.end(call.outcome, call.tier, call.age);
        trace::call(&self.function.name, &call);
        call
    }

    /// The report of a call that ended so.
    pub(crate) fn report(&self, completion: Completion) -> Call<()> {
        Call {
            value: (),
            outcome: completion.outcome,
            age: completion.age,
            tier: completion.tier,
            elapsed: self.elapsed(),
            backend_error: self.first_error(),
        }
    }

    fn note_out_of_service(&self) {
        if let Some(error) = self.function.out_of_service() {
            self.first_error.get_or_init(|| error.clone());
        }
    }

    pub(crate) fn function(&self) -> &'a Function {
        self.function
    }

    /// Since the call began.
    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_nanos(
            self.function
                .context
                .clock
                .now()
                .saturating_sub(self.started),
        )
    }

    /// The stored entry has expired, so it counts as absent.
    pub(crate) fn note_expired(&self) {
        self.saw_expired.store(true, Ordering::Relaxed);
    }

    /// Whether a value stored now replaces an expired entry.
    pub(crate) fn replaces_expired(&self) -> bool {
        self.saw_expired.load(Ordering::Relaxed)
    }

    /// The weight of the call, if it is sampled.
    pub(crate) fn sampled(&self) -> Option<Sampled> {
        self.sampled
    }

    /// Whether a value of this size exceeds `entry_size_limit`; it is counted then.
    pub(crate) fn is_too_large(&self, bytes: Option<u64>) -> bool {
        let Some((limit, bytes)) = self.policy.entry_size_limit.zip(bytes) else {
            return false;
        };
        if bytes > limit
            && let Some(metrics) = self.function.metrics
        {
            metrics.rejected(bytes);
        }
        bytes > limit
    }

    /// Waiting for another's store operation has used up this call's time for the store.
    pub(crate) fn timed_out(&self, operation: Operation) {
        self.record_failure(&OperationTimeout::NoAnswer.error(operation));
    }

    /// Counts and logs a failure of the backend, and keeps the first.
    pub(crate) fn record_failure(&self, error: &Error) {
        self.function.report(error, self.metrics);
        self.first_error.get_or_init(|| error.clone());
    }

    /// Adds a hint to a failed removal by the companion, if the store may not have been reached.
    pub(crate) fn explain_unconfirmed(&self, error: Error) -> Error {
        use ErrorKind::{BreakerOpen, Connect, Io, Protocol, Timeout};
        match error.kind() {
            Timeout | Connect | BreakerOpen | Io | Protocol if self.from_companion => error.with_hint(
                "the store was not reached, or has not confirmed it: what it holds may be served again; \
                 gone are the copies in the memory of this process",
            ),
            _ => error,
        }
    }

    pub(crate) fn first_error(&self) -> Option<Error> {
        self.first_error.get().cloned()
    }
}

/// The shortest timeout of operations on whole functions, and the longest of those on one key.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(60);

/// The shortest timeout of background work and of the companion on one key, without a value or with a small one. A request on
/// a lost connection holds that connection until then, and a refresh its flight and its lease: with a long timeout, a few of
/// them would leave no connection for the calls.
const ONE_KEY_TIMEOUT: Duration = Duration::from_secs(5);

/// The size of the largest small value, in bytes.
const MAX_SMALL_VALUE: u64 = 1 << 20;

/// The throughput assumed for larger values, in bytes per second.
const MIN_THROUGHPUT: u64 = 1 << 20;

/// The shortest timeout for one key with a value of this many bytes.
fn one_key_timeout(bytes: u64) -> Duration {
    let more = bytes
        .saturating_sub(MAX_SMALL_VALUE)
        .div_ceil(MIN_THROUGHPUT);
    let timeout = ONE_KEY_TIMEOUT.saturating_add(Duration::from_secs(more));
    timeout.min(BACKGROUND_TIMEOUT)
}

/// Whether a call is sampled: decided once for each call.
#[derive(Clone, Copy, Debug)]
pub enum CallStart {
    /// Not decided yet: the call comes from the companion, or its cache is disabled.
    Undecided,
    /// Decided when the call began: how many calls this one stands for, if it is sampled.
    Decided(Option<Sampled>),
}

thread_local! {
    /// Shared by calls that begin off the fast path, without the slot of their function.
    static SLOT: LocalSlot = const { LocalSlot::new() };
}

impl CallStart {
    fn decide(self, metrics: &'static CacheMetrics) -> Option<Sampled> {
        match self {
            Self::Undecided => metrics.local(&SLOT).sample(),
            Self::Decided(sampled) => sampled,
        }
    }
}

/// A session's budget. A function that keeps its values in memory waits for no store.
fn budget(function: &Function, policy: &Policy, store: Duration) -> Budget {
    let store = match function.options.backend {
        BackendName::Memory => Duration::MAX,
        _ => store,
    };
    Budget::new(function.context.timer, store, policy.wait_for_calc_timeout)
}

impl OperationTimeout {
    fn error(self, operation: Operation) -> Error {
        let error = |message| Error::new(ErrorKind::Timeout, operation, message);
        match self {
            Self::NoAnswer => error("the backend did not answer in time"),
            Self::NoPermit => {
                error("the backend did not answer those in time who came first").caused_by_caller()
            }
        }
        .with_hint("the limit is `operation_timeout`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_timeout_grows_with_its_value() {
        let seconds = |bytes| one_key_timeout(bytes).as_secs();
        assert_eq!([0, 1, 1 << 20].map(seconds), [5; 3]);
        assert_eq!([(1 << 20) + 1, 11 << 20].map(seconds), [6, 15]);
        assert_eq!([56 << 20, 1 << 40, u64::MAX].map(seconds), [60; 3]);
    }
}
