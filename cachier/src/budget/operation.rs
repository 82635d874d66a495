//! Waiting for an operation on a store, without its time in queues that move.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

use cachier_backends::queue;

use super::{Bounded, Budget, OperationTimeout};
use crate::timer::nanos;

impl Budget {
    /// Waits for an operation of this call. Time in the queue before the store last `answered` anybody does not count.
    pub(crate) async fn operation<F: Future>(
        &self,
        answered: impl Fn() -> Option<u64>,
        work: impl FnOnce(Bounded) -> F,
    ) -> Result<F::Output, OperationTimeout> {
        let (began, left) = (self.timer.now(), self.left.load(Ordering::Relaxed));
        let queue_time = QueueTime::default();
        // Pinned here: a future passed by value would take its room twice.
        let work = pin!(work(Bounded(())));
        let mut work = pin!(queue_time.observed(work));
        let queued = || {
            let moved = answered().map_or(0, |answered| answered.saturating_sub(began));
            queue_time.waited().min(moved)
        };
        let done = loop {
            let before = queued();
            let deadline = began.saturating_add(left).saturating_add(before);
            if let Some(output) = self.timer.timeout_at(deadline, work.as_mut()).await {
                break Ok(output);
            }
            if queued() > before {
                continue;
            }
            // It has just been polled: if it is still queued, its time in the queue grows with the next poll.
            let waited = queue_time.waited();
            match self.overtime(work.as_mut()).await {
                Some(output) => break Ok(output),
                None if queue_time.waited() > waited => break Err(OperationTimeout::NoPermit),
                None => break Err(OperationTimeout::NoAnswer),
            }
        };
        let took = self.timer.now().saturating_sub(began);
        self.spend(took.saturating_sub(queued()));
        done
    }
}

/// How long an operation has been queued in this process.
#[derive(Default)]
struct QueueTime {
    /// The sum over its operations.
    waited: AtomicU64,
    /// The last value reported; each operation starts from zero.
    reported: AtomicU64,
}

impl QueueTime {
    fn waited(&self) -> u64 {
        self.waited.load(Ordering::Relaxed)
    }

    async fn observed<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|cx| {
            let (poll, reported) = queue::observe(|| work.as_mut().poll(cx));
            let reported = nanos(reported);
            let more = reported.saturating_sub(self.reported.swap(reported, Ordering::Relaxed));
            self.waited.fetch_add(more, Ordering::Relaxed);
            poll
        })
        .await
    }
}
