//! A session's operations on a store.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use cachier_backends::{Error, ErrorKind, Operation, blocking};

use super::Session;
use crate::backend_handle::BackendHandle;
use crate::budget::Bounded;
use crate::call::CallMode;
use crate::labels;
use crate::limiter::Priority;
use crate::sent::{Caller, SendTime};

impl Session<'_> {
    /// Runs one operation on a store: with a permit, within what is left of the call's budget, timed, its failure counted.
    pub(crate) async fn operate<R, F>(
        &self,
        operation: Operation,
        handle: &BackendHandle,
        sent: &SendTime,
        work: impl FnOnce(Bounded) -> F,
    ) -> Result<R, Error>
    where
        F: Future<Output = Result<R, Error>>,
    {
        let admitted = async |bounded| {
            let requested = sent.moment();
            let _permit = handle.permit(operation, &self.caller(), sent).await?;
            self.has_begun.store(true, Ordering::Relaxed);
            let _timed = self
                .metrics
                .map(|metrics| metrics.start_operation(labels::operation(operation), self.sampled));
            let left = self
                .budget
                .left()
                .saturating_sub(handle.unanswered_time(requested, sent));
            let work = pin!(work(bounded));
            self.on_thread_if_sync(operation, left, work).await
        };
        let done = self
            .budget
            .operation(|| handle.last_answer(), admitted)
            .await;
        let result = done.unwrap_or_else(|timeout| Err(timeout.error(operation)));
        if let Err(error) = &result {
            self.record_failure(error);
        }
        result
    }

    /// The caller of its next operation.
    fn caller(&self) -> Caller<'_> {
        let context = self.function.context;
        Caller {
            clock: &context.clock,
            timer: context.timer,
            mode: self.mode,
            priority: self.priority(),
            operation_timeout: self.policy.operation_timeout,
            from_companion: self.from_companion,
        }
    }

    /// The priority of its operations in the queue.
    fn priority(&self) -> Priority {
        match self.from_companion || self.has_begun.load(Ordering::Relaxed) {
            true => Priority::Continuing,
            false => Priority::New,
        }
    }

    /// Polls the work: a sync caller does blocking I/O itself, an async one leaves it to a pool of threads. A panic of the
    /// backend is a failure.
    async fn on_thread_if_sync<R>(
        &self,
        operation: Operation,
        left: Duration,
        work: impl Future<Output = Result<R, Error>>,
    ) -> Result<R, Error> {
        let mut work = pin!(work);
        let mut started = None;
        poll_fn(|cx| {
            let poll = AssertUnwindSafe(|| match self.mode {
                CallMode::Async => work.as_mut().poll(cx),
                CallMode::Sync => {
                    let elapsed =
                        started.map_or(Duration::ZERO, |started: Instant| started.elapsed());
                    started.get_or_insert_with(Instant::now);
                    let allowance = left.saturating_sub(elapsed);
                    blocking::inline(allowance, || work.as_mut().poll(cx))
                }
            });
            catch_unwind(poll).unwrap_or_else(|_| Poll::Ready(Err(panicked(operation))))
        })
        .await
    }
}

fn panicked(operation: Operation) -> Error {
    Error::new(ErrorKind::Io, operation, "the backend panicked")
}
