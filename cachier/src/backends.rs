//! Backends by name: what the program registered, else what the environment and the platform say.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use cachier_backends::process::{PerProcess, copied};
use cachier_backends::{Backend, Error, ErrorKind, Figures, Operation, queue};
use cachier_metrics::{Clock, Durations, StoreFigures};

use crate::breaker::{Admission, Breaker, Limits, is_unanswered};
use crate::budget::Budget;
use crate::builtin;
use crate::environment;
use crate::folder::Folder;
use crate::identity::Package;
use crate::labels;
use crate::limiter::{ConcurrencyLimiter, Permit, Rejected};
use crate::options::{BackendName, GlobalParams, Policy};
use crate::sent::{Caller, SendTime};

/// A backend behind its breaker and its concurrency limits.
pub(crate) struct BackendHandle {
    pub(crate) backend: Arc<dyn Backend>,
    /// One per process: it knows that process's connections.
    breaker: PerProcess<Mutex<Breaker>>,
    /// Whether the breaker is in its initial state, so that nobody needs its lock. Written under the lock.
    is_calm: AtomicBool,
    /// When the store last answered anybody, or [`NEVER`].
    answered: AtomicU64,
    /// One for tasks and one for threads, as tasks may depend on the threads.
    limiters: [ConcurrencyLimiter; 2],
    /// Those who wait for the answer to a probe.
    waiting: PerProcess<Mutex<Vec<Waker>>>,
    waits: Arc<Durations>,
}

const NEVER: u64 = u64::MAX;

impl BackendHandle {
    fn new(backend: Arc<dyn Backend>) -> Arc<Self> {
        let waits = Arc::new(Durations::new());
        let of_backend = Arc::clone(&waits);
        backend.observe_waits(Arc::new(move |waited| of_backend.record(waited)));
        Arc::new(Self {
            backend,
            breaker: PerProcess::new(|_| Mutex::default()),
            is_calm: AtomicBool::new(true),
            answered: AtomicU64::new(NEVER),
            limiters: Default::default(),
            waiting: PerProcess::new(|_| Mutex::default()),
            waits,
        })
    }

    /// Whether an operation may be sent now. It may be the probe of an open breaker, so its result must be
    /// [recorded](Self::record).
    pub(crate) fn acquire(&self, operation: Operation, now: u64) -> Result<SendTime, Error> {
        if self.is_calm.load(Ordering::Acquire) {
            return Ok(SendTime::at(now));
        }
        let mut breaker = self.breaker();
        match breaker.admit(now) {
            Admission::Granted => Ok(SendTime::as_probe(now, breaker.probe())),
            Admission::Refused | Admission::Awaited => Err(self.breaker_open(operation)),
        }
    }

    /// Like [`acquire`](Self::acquire), for an operation that probes an open breaker at any time. While another probe is
    /// running, this waits for its answer.
    pub(crate) async fn acquire_probe(
        &self,
        operation: Operation,
        clock: &Clock,
        budget: &Budget,
    ) -> Result<SendTime, Error> {
        let permission = self.probe(operation, clock);
        // It waits for the store itself, in no queue.
        match budget.operation(|| None, permission).await {
            Ok(sent) => sent,
            Err(_) => Err(self.breaker_open(operation)),
        }
    }

    /// When a probe may be sent, or another's has been answered.
    async fn probe(&self, operation: Operation, clock: &Clock) -> Result<SendTime, Error> {
        let now = clock.now();
        if self.is_calm.load(Ordering::Acquire) {
            return Ok(SendTime::at(now));
        }
        // The answer to a running probe counts for this operation too. If that probe is given up, this one takes its place.
        let mut acquire: fn(&mut Breaker, u64) -> Admission = Breaker::admit_probe;
        loop {
            let now = clock.now();
            let (permit, probe) = {
                let mut breaker = self.breaker();
                (acquire(&mut breaker, now), breaker.probe())
            };
            match permit {
                Admission::Granted => return Ok(SendTime::as_probe(now, probe)),
                Admission::Refused => return Err(self.breaker_open(operation)),
                Admission::Awaited => self.probe_finished().await,
            }
            acquire = Breaker::admit;
        }
    }

    /// Lets another operation be the probe if this one was and ended without a result.
    pub(crate) fn give_up(&self, sent: &SendTime) {
        if let Some(probe) = sent.probe()
            && self.breaker().probe() == Some(probe)
        {
            self.update_breaker(|breaker| breaker.given_up(probe));
        }
    }

    /// Waits for a permit; probes need none. The operation is refused if the breaker opens meanwhile.
    pub(crate) async fn permit(
        &self,
        operation: Operation,
        caller: &Caller<'_>,
        sent: &SendTime,
    ) -> Result<Option<Permit<'_>>, Error> {
        if !self.is_calm.load(Ordering::Acquire) && self.is_open() {
            return Ok(None);
        }
        let (timer, limit) = (caller.timer, caller.operation_timeout);
        let limiter = &self.limiters[caller.mode as usize];
        let permit = limiter.join(caller.priority, timer, sent.moment(), limit / 2);
        if permit.is_acquired {
            return Ok(Some(permit));
        }
        // Boxed to keep the future of operations that need not wait small.
        Box::pin(self.wait(operation, caller, sent, permit)).await
    }

    async fn wait<'a>(
        &'a self,
        operation: Operation,
        caller: &Caller<'_>,
        sent: &SendTime,
        permit: Permit<'a>,
    ) -> Result<Option<Permit<'a>>, Error> {
        match queue::waiting(permit.acquired()).await {
            Ok(()) => {
                sent.wait_until(caller.clock.now());
                Ok(Some(permit))
            }
            Err(Rejected) if caller.is_of_companion => {
                drop(permit);
                let as_probe = self.probe(operation, caller.clock).await?;
                sent.copy_from(&as_probe);
                Ok(None)
            }
            Err(Rejected) => Err(self.breaker_open(operation)),
        }
    }

    /// How long the store had not answered anybody when an operation was sent that was requested at this moment.
    pub(crate) fn unanswered_for(&self, requested: u64, sent: &SendTime) -> Duration {
        let answered = self.last_answer().unwrap_or(0);
        Duration::from_nanos(sent.moment().saturating_sub(requested.max(answered)))
    }

    /// When the queues last moved. Until then, queued operations were not waiting for the store.
    pub(crate) fn queue_moved_at(&self) -> Option<u64> {
        let answered = self.last_answer()?;
        let moved = self
            .limiters
            .iter()
            .filter_map(|limiter| limiter.moved_at(answered));
        moved.max()
    }

    /// Waits while a probe is running.
    async fn probe_finished(&self) {
        poll_fn(|cx| {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if self.breaker().probe().is_none() {
                return Poll::Ready(());
            }
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn breaker_open(&self, operation: Operation) -> Error {
        let message = "the backend failed repeatedly and is not asked for the time being";
        Error::new(ErrorKind::BreakerOpen, operation, message).at(self.backend.store_name())
    }

    /// Tells the breaker the result of an operation.
    pub(crate) fn record<R>(
        &self,
        result: &Result<R, Error>,
        sent: &SendTime,
        clock: &Clock,
        limits: impl FnOnce() -> Limits,
    ) {
        match verdict(result) {
            Some(Verdict::Works) => self.record_answer(clock.now()),
            Some(Verdict::Unanswered) if !is_unanswered(sent.moment(), self.last_answer()) => {}
            Some(Verdict::Fails | Verdict::Unanswered) => {
                let (now, limits) = (clock.now(), limits());
                self.update_breaker(|breaker| breaker.failed(now, limits));
            }
            None => {}
        }
    }

    /// The store has just answered.
    pub(crate) fn record_answer(&self, now: u64) {
        self.answered.store(now, Ordering::Relaxed);
        if !self.is_calm.load(Ordering::Acquire) {
            self.update_breaker(Breaker::succeeded);
        }
    }

    /// When the store last answered anybody.
    pub(crate) fn last_answer(&self) -> Option<u64> {
        let answered = self.answered.load(Ordering::Relaxed);
        (answered != NEVER).then_some(answered)
    }

    fn update_breaker(&self, update: impl FnOnce(&mut Breaker)) {
        let mut breaker = self.breaker();
        update(&mut breaker);
        let is_calm = *breaker == Breaker::default();
        self.is_calm.store(is_calm, Ordering::Release);
        let is_open = breaker.is_open();
        drop(breaker);
        if is_open {
            self.limiters
                .iter()
                .for_each(ConcurrencyLimiter::reject_waiting);
        }
        let waiting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.breaker().is_open()
    }

    /// The figures of the backend's store, under the name that functions use.
    fn figures(&self, name: String) -> StoreFigures {
        let Figures {
            round_trips, pool, ..
        } = self.backend.figures();
        let mut figures = StoreFigures::new(name, self.backend.store_name());
        let labelled = |(operation, count)| (labels::operation(operation), count);
        figures.round_trips = round_trips.into_iter().map(labelled).collect();
        figures.breaker_open = self.is_open();
        figures.idle_connections = pool.map(|pool| pool.idle);
        figures.busy_connections = pool.map(|pool| pool.busy);
        figures.max_connections = pool.and_then(|pool| pool.max);
        figures.pool_waits = self.waits.read();
        figures
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the result of an operation says of its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Works,
    Fails,
    /// It did not answer in time.
    Unanswered,
}

/// The verdict of an operation; `None` where only this caller could not be served.
fn verdict<R>(result: &Result<R, Error>) -> Option<Verdict> {
    match result {
        Err(error) if error.is_of_the_caller() || error.kind() == ErrorKind::BreakerOpen => None,
        Err(error) if error.kind() == ErrorKind::Timeout => Some(Verdict::Unanswered),
        Err(error) if is_store_failure(error) => Some(Verdict::Fails),
        _ => Some(Verdict::Works),
    }
}

/// Whether the error means that the store does not work. A single bad entry does not, nor does a store that can only be
/// read.
fn is_store_failure(error: &Error) -> bool {
    use ErrorKind::{Codec, Corrupt, Denied, Full, Identity, NotRegistered, Unfaithful};
    match error.kind() {
        Codec | Corrupt | Identity | NotRegistered | Unfaithful => false,
        Denied | Full => error.operation() == Operation::Load,
        _ => true,
    }
}

/// The backends of one context.
pub(crate) struct Backends {
    state: PerProcess<Mutex<State>>,
}

impl Default for Backends {
    fn default() -> Self {
        Self {
            state: PerProcess::new(copied),
        }
    }
}

#[derive(Clone, Default)]
struct State {
    registered: HashMap<String, Arc<BackendHandle>>,
    /// The built-in ones in use, by name and, for those that keep files, by folder.
    opened: HashMap<(String, Option<Folder>), Arc<BackendHandle>>,
    default: Option<String>,
}

impl Backends {
    pub(crate) fn register(&self, name: &str, backend: Arc<dyn Backend>) {
        let mut state = self.state();
        // Current users of the replaced backend keep it; its health is no longer reported.
        state.opened.retain(|(opened, _), _| opened != name);
        let registered = BackendHandle::new(backend);
        state.registered.insert(name.to_owned(), registered);
    }

    /// Chooses the backend of functions that name none.
    ///
    /// # Errors
    /// When this program has none of this name; then all stays as it was.
    pub(crate) fn set_default(&self, name: &str) -> Result<(), Error> {
        let mut state = self.state();
        if !state.registered.contains_key(name) {
            builtin::is_in_build(name)?;
        }
        state.default = Some(name.to_owned());
        Ok(())
    }

    /// The backend of functions that name none: the program's choice, else `CACHIER_BACKEND`, else files.
    pub(crate) fn default_name(&self) -> Result<String, Error> {
        if let Some(chosen) = self.state().default.clone() {
            return Ok(chosen);
        }
        let named = environment::BACKEND.get()?;
        Ok(named.map_or("file", |name| name).to_owned())
    }

    /// The backend's name in metrics.
    pub(crate) fn label(&self, name: &BackendName) -> String {
        match name {
            BackendName::Memory => "memory".to_owned(),
            BackendName::Named(name) => (*name).to_owned(),
            BackendName::Default => self.default_name().unwrap_or_else(|_| "unknown".to_owned()),
        }
    }

    /// The backend of a function of this package. `opened` is called with a folder that is newly in use.
    pub(crate) fn resolve(
        &self,
        backend: &BackendName,
        policy: &Policy,
        package: Package,
        opened: impl FnOnce(&Folder),
    ) -> Result<Arc<BackendHandle>, Error> {
        environment::is_usable(policy.namespace.as_deref())?;
        let name = match backend {
            BackendName::Named(name) => (*name).to_owned(),
            BackendName::Default | BackendName::Memory => self.default_name()?,
        };
        if let Some(registered) = self.registered(&name) {
            return Ok(registered);
        }
        let folder = builtin::folder(&name, policy, Some(package))?;
        self.built_in(name, folder, opened)
    }

    /// The backend of a name, in use from now on, for nobody in particular: files that nobody has named a folder for are those
    /// that all share, and are not in use by that.
    pub(crate) fn open(&self, name: &str, policy: &Policy) -> Result<Arc<BackendHandle>, Error> {
        environment::is_usable(policy.namespace.as_deref())?;
        if let Some(registered) = self.registered(name) {
            return Ok(registered);
        }
        match builtin::folder(name, policy, None)? {
            Some(Folder::Shared) => self.instance(name, policy),
            folder => self.built_in(name.to_owned(), folder, |_| {}),
        }
    }

    /// The backend of a name, which is not in use by that.
    pub(crate) fn instance(
        &self,
        name: &str,
        policy: &Policy,
    ) -> Result<Arc<BackendHandle>, Error> {
        environment::is_usable(policy.namespace.as_deref())?;
        if let Some(registered) = self.registered(name) {
            return Ok(registered);
        }
        let folder = builtin::folder(name, policy, None)?;
        Ok(BackendHandle::new(builtin::open(name, folder.as_ref())?))
    }

    fn registered(&self, name: &str) -> Option<Arc<BackendHandle>> {
        self.state().registered.get(name).cloned()
    }

    /// The names of the backends that somebody has named, whether or not a function uses them.
    pub(crate) fn named(&self, params: &GlobalParams) -> Vec<String> {
        let mut names: Vec<_> = builtin::named().map(str::to_owned).collect();
        if cfg!(feature = "file") && params.cache_dir.is_some() {
            names.push("file".to_owned());
        }
        let chosen = self.state().default.clone();
        if chosen.is_some() || environment::BACKEND.is_set() {
            names.extend(self.default_name());
        }
        names
    }

    /// Every backend that is in use or registered, by name.
    pub(crate) fn all(&self) -> Vec<(String, Arc<BackendHandle>)> {
        let state = self.state();
        let opened = state.opened.iter();
        let opened = opened.map(|((name, _), handle)| (name, handle));
        let all = state.registered.iter().chain(opened);
        all.map(|(name, handle)| (name.clone(), Arc::clone(handle)))
            .collect()
    }

    /// The figures of every backend that is in use or registered.
    pub(crate) fn figures(&self) -> Vec<StoreFigures> {
        let all = self.all().into_iter();
        all.map(|(name, handle)| handle.figures(name)).collect()
    }

    /// A built-in backend, opened when it is first needed.
    fn built_in(
        &self,
        name: String,
        folder: Option<Folder>,
        opened: impl FnOnce(&Folder),
    ) -> Result<Arc<BackendHandle>, Error> {
        let mut state = self.state();
        let id = (name, folder);
        if let Some(known) = state.opened.get(&id) {
            return Ok(Arc::clone(known));
        }
        let (name, folder) = &id;
        let handle = BackendHandle::new(builtin::open(name, folder.as_ref())?);
        if let Some(folder) = folder {
            opened(folder);
        }
        state.opened.insert(id, Arc::clone(&handle));
        Ok(handle)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_store_failures_open_the_breaker() {
        let error = |kind, operation| Error::new(kind, operation, "it failed");
        let of = |error: Error| verdict(&Err::<(), _>(error));
        let timeout = error(ErrorKind::Timeout, Operation::Load);
        assert_eq!(of(timeout), Some(Verdict::Unanswered));
        let io = error(ErrorKind::Io, Operation::Load);
        assert_eq!(of(io.clone()), Some(Verdict::Fails));
        assert_eq!(of(io.of_the_caller()), None);
        let corrupt = error(ErrorKind::Corrupt, Operation::Load);
        assert_eq!(of(corrupt), Some(Verdict::Works));
        let denied = |operation| of(error(ErrorKind::Denied, operation));
        assert_eq!(denied(Operation::Load), Some(Verdict::Fails));
        assert_eq!(denied(Operation::Store), Some(Verdict::Works));
        assert_eq!(verdict(&Ok(())), Some(Verdict::Works));
    }
}
