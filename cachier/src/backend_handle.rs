//! One backend, behind its breaker and its limiters.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use cachier_backends::process::PerProcess;
use cachier_backends::{Backend, Capability, Error, ErrorKind, Figures, Operation, queue};
use cachier_metrics::{Clock, Durations, StoreFigures};

use crate::breaker::{Admission, Breaker, Limits, is_unanswered};
use crate::budget::{Bounded, Budget};
use crate::labels;
use crate::limiter::{ConcurrencyLimiter, Permit, Rejected};
use crate::sent::{Caller, SendTime};
use crate::timer::Timer;

/// A backend behind its breaker and its concurrency limits.
pub(crate) struct BackendHandle {
    backend: Arc<dyn Backend>,
    /// One per process: it knows that process's connections.
    breaker: PerProcess<Mutex<Breaker>>,
    /// Whether the breaker is in its initial state, so that nobody needs its lock. Written under the lock.
    is_calm: AtomicBool,
    /// When the store last answered anybody, or [`NEVER`].
    answered: AtomicU64,
    /// One for tasks and one for threads, as tasks may depend on the threads.
    limiters: [ConcurrencyLimiter; 2],
    /// Tasks that wait for the answer to a probe.
    waiting: PerProcess<Mutex<Vec<Waker>>>,
    /// How long this process waited for connections: a child counts its own.
    waits: Arc<PerProcess<Durations>>,
}

const NEVER: u64 = u64::MAX;

/// An operation in flight, until it has ended or is dropped.
pub(crate) struct InFlight<'a>(&'a BackendHandle, &'a SendTime);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.give_up(self.1);
    }
}

impl BackendHandle {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Arc<Self> {
        let waits: Arc<PerProcess<_>> = Arc::new(PerProcess::new(|_| Durations::new()));
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

    /// The backend, for a wait that ends.
    pub(crate) fn backend(&self, _: Bounded) -> &Arc<dyn Backend> {
        &self.backend
    }

    pub(crate) fn store_name(&self) -> String {
        self.backend.store_name()
    }

    pub(crate) fn has(&self, capability: Capability) -> bool {
        self.backend.capabilities().has(capability)
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
    /// running, this waits for its answer, or until another may follow.
    pub(crate) async fn acquire_probe(
        &self,
        operation: Operation,
        timer: &'static Timer,
        budget: &Budget,
    ) -> Result<SendTime, Error> {
        let permission = self.probe(operation, timer);
        // It waits for the store itself, in no queue.
        match budget.operation(|| None, |_| permission).await {
            Ok(sent) => sent,
            Err(_) => Err(self.breaker_open(operation)),
        }
    }

    /// When a probe may be sent, or another's has been answered.
    async fn probe(&self, operation: Operation, timer: &'static Timer) -> Result<SendTime, Error> {
        let now = timer.now();
        if self.is_calm.load(Ordering::Acquire) {
            return Ok(SendTime::at(now));
        }
        // The answer to a running probe counts for this operation too. If that probe is given up, this one takes its place.
        let mut acquire: fn(&mut Breaker, u64) -> Admission = Breaker::admit_probe;
        loop {
            let now = timer.now();
            let (permit, probe) = {
                let mut breaker = self.breaker();
                (acquire(&mut breaker, now), breaker.probe())
            };
            match permit {
                Admission::Granted => return Ok(SendTime::as_probe(now, probe)),
                Admission::Refused => return Err(self.breaker_open(operation)),
                Admission::Awaited => {
                    let until = probe.unwrap_or(now);
                    // Nothing tells of the moment at which a probe that hangs is followed by another.
                    timer.timeout_at(until, self.probe_finished()).await;
                }
            }
            acquire = Breaker::admit;
        }
    }

    /// Counts an operation as in flight until what this returns is dropped.
    pub(crate) fn in_flight<'a>(&'a self, sent: &'a SendTime) -> InFlight<'a> {
        InFlight(self, sent)
    }

    /// Lets another operation be the probe if this one was and ended without a result.
    fn give_up(&self, sent: &SendTime) {
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
                sent.set_moment(caller.clock.now());
                Ok(Some(permit))
            }
            Err(Rejected) if caller.from_companion => {
                drop(permit);
                let as_probe = self.probe(operation, caller.timer).await?;
                sent.copy_from(&as_probe);
                Ok(None)
            }
            Err(Rejected) => Err(self.breaker_open(operation)),
        }
    }

    /// How long the store had not answered anybody when an operation was sent that was requested at this moment.
    pub(crate) fn unanswered_time(&self, requested: u64, sent: &SendTime) -> Duration {
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
    pub(crate) fn figures(&self, name: String) -> StoreFigures {
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

/// The verdict of an operation's result on its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Works,
    Fails,
    /// The store did not answer in time.
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
        assert_eq!(of(io.caused_by_caller()), None);
        let corrupt = error(ErrorKind::Corrupt, Operation::Load);
        assert_eq!(of(corrupt), Some(Verdict::Works));
        let denied = |operation| of(error(ErrorKind::Denied, operation));
        assert_eq!(denied(Operation::Load), Some(Verdict::Fails));
        assert_eq!(denied(Operation::Store), Some(Verdict::Works));
        assert_eq!(verdict(&Ok(())), Some(Verdict::Works));
    }
}
