//! The type-independent state of an annotated function: identity, options, policy, metrics.

#[cfg(feature = "tokio")]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, TryLockError};
use std::thread;
use std::time::Duration;

use cachier_backends::process::{PerProcess, Process};
use cachier_backends::{Error, ErrorKind, Operation, Version};
use cachier_metrics::{CacheMetrics, Outcome, Tier};

use crate::context::Context;
use crate::gate::Gate;
#[cfg(feature = "memory")]
use crate::gate::Limit;
use crate::identity::{self, FunctionSpec, Package};
use crate::labels;
use crate::options::{AgeLimits, BackendName, Options, Policy, WantSize};
#[cfg(feature = "memory")]
use crate::refresh_after::RefreshAfter;
use crate::share::Share;
use crate::span::{self, CallOf, CallSpan};
use crate::switches::Switches;
use crate::timer::nanos;
use crate::trace;
use crate::usage_cache::UsageCache;
use crate::verification::{Finding, Verification};
use once_cell::race::OnceBox;

/// One annotated function in one context.
pub struct Function {
    /// The name in metrics and messages, shared by all instantiations of a generic function.
    pub(crate) name: String,
    /// The name with type arguments.
    pub(crate) typed_name: String,
    /// The unique name, in this process and in stores.
    pub(crate) storage_name: String,
    pub(crate) package: Package,
    pub(crate) options: Options,
    pub(crate) context: &'static Context,
    pub(crate) metrics: Option<&'static CacheMetrics>,
    gate: Gate,
    /// The most jitter that values in memory may have been stored with, in millionths.
    most_jitter: AtomicU32,
    /// The longest time that a value in memory took to compute since the last clear, in nanoseconds; kept for `refresh_after`
    /// alone.
    slowest: AtomicU64,
    policy: RwLock<Arc<Policy>>,
    /// The process that made it.
    process: Process,
    out_of_service: OnceBox<Error>,
    cleaned_up: AtomicU64,
    /// The last known usage of its store.
    pub(crate) usage_cache: PerProcess<UsageCache>,
    /// Whether a recomputation was lost with its runtime: the next ones start on cachier's own.
    #[cfg(feature = "tokio")]
    pub(crate) has_lost_runtime: AtomicBool,
    /// When a failure was last logged.
    warned: AtomicU64,
    pub(crate) verification: Verification,
}

impl Function {
    pub(crate) fn new(
        spec: FunctionSpec,
        context: &'static Context,
        metrics: Option<&'static CacheMetrics>,
    ) -> Self {
        let policy = Policy::resolve(&spec.options, &context.params());
        Self {
            name: identity::name(&spec),
            typed_name: identity::typed_name(&spec),
            storage_name: identity::storage_name(&spec),
            package: spec.package,
            gate: Gate::new(fresh_nanos(&policy, policy.jitter, 0)),
            most_jitter: AtomicU32::new(policy.jitter.millionths()),
            slowest: AtomicU64::new(0),
            verification: Verification::new(is_verified(&spec.options, &policy)),
            options: spec.options,
            policy: RwLock::new(Arc::new(policy)),
            process: Process::current(),
            context,
            metrics,
            out_of_service: OnceBox::new(),
            cleaned_up: AtomicU64::new(NEVER),
            usage_cache: PerProcess::new(|_| UsageCache::default()),
            #[cfg(feature = "tokio")]
            has_lost_runtime: AtomicBool::new(false),
            warned: AtomicU64::new(NEVER),
        }
    }

    /// Whether calls consult the cache.
    #[inline]
    pub(crate) fn is_enabled(&self) -> bool {
        self.gate.is_open()
    }

    pub(crate) fn set_enabled(&self, enabled: bool) {
        self.gate
            .set_open(enabled && self.out_of_service.get().is_none());
        if self.out_of_service.get().is_some() {
            // Set just now by another thread.
            self.gate.set_open(false);
        }
    }

    /// Whether a call is served a value in memory that counts from a moment; `None` if it is served any.
    #[cfg(feature = "memory")]
    #[inline]
    pub(crate) fn freshness(&self) -> Option<impl Fn(u64) -> bool + Copy> {
        let limit = self.gate.limit();
        (!limit.is_any()).then_some(move |since| self.is_younger(since, limit))
    }

    /// Whether at most as much time has passed as the limit allows. Not inlined: values that never become stale need no room
    /// for the clock in their hit path.
    #[cfg(feature = "memory")]
    #[inline(never)]
    fn is_younger(&self, created: u64, limit: Limit) -> bool {
        let nanos = limit.nanos();
        self.now_for(nanos).saturating_sub(created) <= nanos && nanos > 0
    }

    /// Whether a near copy that counts from a moment may be served now, and until when at the latest.
    #[cfg(feature = "memory")]
    #[inline]
    pub(crate) fn near_freshness(&self, until: u64) -> impl Fn(u64) -> bool + Copy {
        let limit = self.gate.limit();
        move |since| self.is_younger_before(since, limit, until)
    }

    #[cfg(feature = "memory")]
    #[inline(never)]
    fn is_younger_before(&self, created: u64, limit: Limit, until: u64) -> bool {
        let nanos = limit.nanos();
        let now = self.now_for(nanos);
        now <= created.saturating_add(nanos).min(until) && nanos > 0
    }

    /// The time, as [`near_freshness`](Self::near_freshness) reads it.
    #[cfg(feature = "memory")]
    pub(crate) fn near_now(&self) -> u64 {
        self.now_for(self.fresh_nanos())
    }

    /// The time, as precisely as an age limit of this many nanoseconds needs it.
    #[cfg(feature = "memory")]
    #[inline]
    fn now_for(&self, nanos: u64) -> u64 {
        let clock = &self.context.clock;
        if nanos < PRECISE_CLOCK_BELOW {
            clock.now()
        } else {
            clock.coarse()
        }
    }

    #[cfg(feature = "memory")]
    pub(crate) fn fresh_nanos(&self) -> u64 {
        self.gate.max_age()
    }

    /// Whether the switches enable the function.
    pub(crate) fn is_on(&self, switches: &Switches) -> bool {
        switches.is_on(&self.name, &self.typed_name)
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        match self.policy.try_read() {
            Ok(policy) => Arc::clone(&policy),
            Err(TryLockError::Poisoned(policy)) => Arc::clone(&policy.into_inner()),
            Err(TryLockError::WouldBlock) => self.policy_being_changed(),
        }
    }

    /// In a forked child, the thread that was changing it may not exist.
    #[cold]
    fn policy_being_changed(&self) -> Arc<Policy> {
        if self.process.is_current() {
            return Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner));
        }
        Arc::new(Policy::resolve(&self.options, &self.context.params()))
    }

    /// Applies changed parameters of the program.
    pub(crate) fn update_params(&self) {
        let policy = Policy::resolve(&self.options, &self.context.params());
        let jitter = policy.jitter.millionths();
        self.most_jitter.fetch_max(jitter, Ordering::SeqCst);
        self.verification
            .set_enabled(is_verified(&self.options, &policy));
        match self.policy_to_change() {
            // Under its lock, so that the age is never that of a former policy.
            Some(mut current) => {
                *current = Arc::new(policy);
                self.set_max_age(&current);
            }
            None => self.set_max_age(&policy),
        }
    }

    /// Notes how long a value took to compute that is about to be kept in memory.
    #[cfg(feature = "memory")]
    pub(crate) fn note_compute(&self, nanos: u64) {
        if !self.options.refresh_after.is_compiled_in() {
            return;
        }
        // Whatever counts now: the parameters may switch it on later.
        let is_slowest = self.slowest.fetch_max(nanos, Ordering::SeqCst) < nanos;
        if is_slowest && self.policy().rules.refresh_after == Some(RefreshAfter::Early) {
            self.renew_max_age();
        }
    }

    /// Forgets how long values took to compute. Comes before those in memory are, and before computations that began until now
    /// stop being stored: what is kept from then on is noted again.
    #[cfg(feature = "memory")]
    pub(crate) fn forget_computes(&self) {
        if self.slowest.swap(0, Ordering::SeqCst) > 0 {
            self.renew_max_age();
        }
    }

    #[cfg(feature = "memory")]
    fn renew_max_age(&self) {
        match self.policy_to_change() {
            Some(current) => self.set_max_age(&current),
            None => self.set_max_age(&self.policy()),
        }
    }

    /// Sets the age up to which hits ask no decision, again if others have noted anything meanwhile.
    fn set_max_age(&self, policy: &Policy) {
        let noted = || {
            let jitter = self.most_jitter.load(Ordering::SeqCst);
            (jitter, self.slowest.load(Ordering::SeqCst))
        };
        loop {
            let (jitter, slowest) = noted();
            let jitter_of = Share::of_millionths(jitter);
            self.gate
                .set_max_age(fresh_nanos(policy, jitter_of, slowest));
            if noted() == (jitter, slowest) {
                return;
            }
        }
    }

    /// `None` in a forked child where a thread that does not exist holds the lock: the policy then stays.
    fn policy_to_change(&self) -> Option<RwLockWriteGuard<'_, Arc<Policy>>> {
        if self.process.is_current() {
            return Some(self.policy.write().unwrap_or_else(PoisonError::into_inner));
        }
        for _ in 0..100 {
            match self.policy.try_write() {
                Ok(current) => return Some(current),
                Err(TryLockError::Poisoned(current)) => return Some(current.into_inner()),
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
            }
        }
        None
    }

    /// Takes the function out of service because another one has its name.
    pub(crate) fn mark_duplicate(&self) -> &Error {
        self.take_out_of_service(
            format!("two functions are named `{}`", self.name),
            "give one of them `name = \"…\"`; until then it is not cached",
        )
    }

    /// Takes the function out of service because different types of one name instantiate it.
    pub(crate) fn mark_ambiguous(&self) -> &Error {
        self.take_out_of_service(
            format!("the types of `{}` stand for several that have one name, such as two closures", self.name),
            "call it with types of different names, such as functions in place of closures; until then it is not cached",
        )
    }

    /// Takes the function out of service because its memory cannot be changed: a fork has left it so, or a thread that ends
    /// and can have no other do it.
    #[cfg(feature = "memory")]
    pub(crate) fn mark_lost(&self) -> &Error {
        self.take_out_of_service(
            format!(
                "this process was forked while another thread stored a value of `{}`, or at the end of a thread no other \
                 could be had to change one",
                self.name
            ),
            "fork before other threads call it, leave room for threads, and on Windows, where no thread starts at the end of \
             another, change it in no `Drop` of a thread-local; in this process it is not cached",
        )
    }

    fn take_out_of_service(&self, message: String, hint: &'static str) -> &Error {
        let error = self.out_of_service.get_or_init(|| {
            let error = Error::new(ErrorKind::Identity, Operation::Load, message);
            Box::new(error.with_hint(hint))
        });
        self.set_enabled(false);
        error
    }

    /// Whether to measure values.
    pub(crate) fn wants_size(&self, policy: &Policy) -> WantSize {
        match self.metrics {
            _ if self.options.capacity_bytes.is_some() => WantSize::Bounded,
            _ if policy.entry_size_limit.is_some() => WantSize::Needed,
            Some(_) => WantSize::Shown,
            None => WantSize::No,
        }
    }

    /// Counts a failure of the backend, if it is to be counted, tells of it once, and logs it unless one was logged lately.
    pub(crate) fn report(&self, error: &Error, metrics: Option<&CacheMetrics>) {
        /// The shortest time between two log messages of one function.
        const MIN_REPORT_INTERVAL: u64 = 10_000_000_000;
        if let Some(metrics) = metrics {
            metrics.backend_error(
                labels::operation(error.operation()),
                labels::error(error.kind()),
            );
        }
        match error.kind() {
            // Reported where it was found.
            ErrorKind::Unfaithful => return,
            ErrorKind::Codec => self.verification.suspect_values(),
            _ => {}
        }
        trace::store_problem(&self.name, || self.store(), error);
        let now = self.context.clock.coarse().max(1);
        let warned = self.warned.load(Ordering::Relaxed);
        let is_due = warned == NEVER || now.saturating_sub(warned) >= MIN_REPORT_INTERVAL;
        if is_due
            && self
                .warned
                .compare_exchange(warned, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            trace::backend_failed(&self.name, error);
        }
    }

    /// Its store, for messages.
    fn store(&self) -> trace::Store {
        let (backends, backend) = (&self.context.backends, &self.options.backend);
        trace::Store {
            backend: backends.label(backend),
            name: backends.store_name(backend, &self.policy(), self.package),
        }
    }

    /// The error of a finding; the first of each kind is shown to the user.
    pub(crate) fn report_finding(&self, finding: Finding) -> Error {
        let is_first = self.verification.is_first(&finding);
        let error = finding.into_error().at(format!("`{}`", self.name));
        if is_first {
            trace::backend_failed(&self.name, &error);
            trace::found(&error);
        }
        error
    }

    /// A value that cannot be serialized is computed again and again; the first one is shown to the user.
    #[cold]
    pub(crate) fn report_refusal(&self, error: &Error) {
        if self.verification.is_first_refusal() {
            trace::store_problem(&self.name, || self.store(), error);
        }
    }

    /// Traces a hit that was not timed.
    #[inline]
    pub(crate) fn explain_hit(&self, tier: Tier) {
        if span::may_listen() {
            self.explain_heard_hit(false, tier, None);
        }
    }

    /// The same for one that was, with the age of its value.
    pub(crate) fn explain_timed_hit(&self, tier: Tier, age: Duration) {
        if span::may_listen() {
            self.explain_heard_hit(true, tier, Some(age));
        }
    }

    #[cold]
    #[inline(never)]
    fn explain_heard_hit(&self, is_sampled: bool, tier: Tier, age: Option<Duration>) {
        trace::hit(&self.name);
        if CallSpan::is_chosen(is_sampled) {
            let span = self.call_span(is_sampled, &self.policy());
            span.end(Outcome::Hit, Some(tier), age);
        }
    }

    /// The span of a call that begins now.
    pub(crate) fn call_span(&self, is_sampled: bool, policy: &Policy) -> CallSpan {
        CallSpan::begin(
            is_sampled,
            CallOf {
                function: &self.name,
                backend: &|| self.context.backends.label(&self.options.backend),
                ttl: match policy.age_limits {
                    AgeLimits::OfFunction => policy.rules.stale_after,
                    AgeLimits::OfValues => None,
                },
            },
        )
    }

    /// Why the function is out of service, if it is.
    pub(crate) fn out_of_service(&self) -> Option<&Error> {
        self.out_of_service.get()
    }

    /// Fails if the function is out of service: the entries under its name may not be its own.
    pub(crate) fn in_service(&self) -> Result<(), Error> {
        self.out_of_service()
            .map_or(Ok(()), |error| Err(error.clone()))
    }

    /// The version part of the function's keys.
    pub(crate) fn version(&self) -> Version {
        self.options.version
    }

    /// Whether a clean-up is due, once in each interval; `true` starts the next interval.
    pub(crate) fn cleanup_is_due(&self, interval: Duration) -> bool {
        let now = self.context.clock.coarse().max(1);
        let last = self.cleaned_up.load(Ordering::Relaxed);
        let is_due = last == NEVER || now.saturating_sub(last) >= nanos(interval);
        is_due
            && self
                .cleaned_up
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// Below this age in nanoseconds, the ticks of the coarse clock (1 to 4 ms) would show.
const PRECISE_CLOCK_BELOW: u64 = 1_000_000_000;

/// The moment of something that has not happened.
const NEVER: u64 = 0;

/// Whether arguments and values are verified.
fn is_verified(options: &Options, policy: &Policy) -> bool {
    policy.verify && options.backend != BackendName::Memory
}

/// The age up to which the fast path may serve a value. Beyond the shortest limit that jitter leaves, and where a hit may start a
/// recomputation, the decision knows more.
fn fresh_nanos(policy: &Policy, jitter: Share, slowest: u64) -> u64 {
    let bound = match (policy.age_limits, policy.near_stale_after) {
        // The moments from which near copies count tell the rest.
        (AgeLimits::OfFunction, Some(near)) => Some(near_age(policy, near, jitter)),
        (AgeLimits::OfFunction, None) => policy.undecided_until(jitter, slowest),
        (AgeLimits::OfValues, None) if policy.rules.refresh_after.is_some() => Some(Duration::ZERO),
        (AgeLimits::OfValues, _) => Some(OWN_LIMITS_AGE),
    };
    bound.map_or(u64::MAX, nanos)
}

/// The age up to which near copies are served: the moment from which that counts is as much before their end, so they end where
/// they did when other bounds begin to count, until they are cleared. It tells no more than whether there are any, and which clock
/// shows when they end.
fn near_age(policy: &Policy, near: Duration, jitter: Share) -> Duration {
    let shortest = match policy.shortest_limit(jitter) {
        // Those of the shortest limits may be due at once; the function's own is none of nothing.
        Some(limit) if policy.rules.stale_after != Some(Duration::ZERO) => {
            limit.max(Duration::from_nanos(1)).min(near)
        }
        Some(_) => Duration::ZERO,
        None => near,
    };
    match shortest {
        Duration::ZERO => Duration::ZERO,
        short if nanos(short) < PRECISE_CLOCK_BELOW => {
            Duration::from_nanos(PRECISE_CLOCK_BELOW - 1)
        }
        _ => Duration::from_nanos(PRECISE_CLOCK_BELOW),
    }
}

/// The age up to which the fast path serves values with limits of their own: the moment from which that counts is as much
/// before the end of the limit.
pub(crate) const OWN_LIMITS_AGE: Duration = Duration::from_nanos(1);

#[cfg(all(test, feature = "memory"))]
#[path = "function_tests.rs"]
mod tests;
