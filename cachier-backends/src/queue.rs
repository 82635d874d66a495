//! The time that operations spend in queues of this process before they reach their store.
//!
//! They wait for a thread of the pool, a connection, a file lock. However long, such a wait says nothing about the
//! store, which matters when an operation is given up.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

thread_local! {
    /// The queue time of what was polled.
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// The timer of the operation that runs on this thread for a waiter on another one.
    static CURRENT: RefCell<Option<QueueTimer>> = const { RefCell::new(None) };
}

/// Polls operations, and returns how long they have been queued in this process so far.
///
/// A finished operation reports its time once. Consecutive operations report theirs separately.
///
/// ```
/// use std::time::Duration;
/// use cachier_backends::queue;
///
/// assert_eq!(queue::observe(|| 6 * 7), (42, Duration::ZERO));
/// ```
pub fn observe<R>(poll: impl FnOnce() -> R) -> (R, Duration) {
    let outer = WAITED.replace(Duration::ZERO);
    let result = poll();
    (result, WAITED.replace(outer))
}

/// The future's output. All of its time counts as queue time.
///
/// ```
/// use cachier_backends::queue;
/// # futures_lite::future::block_on(async {
/// assert_eq!(queue::waiting(async { 6 * 7 }).await, 42);
/// # });
/// ```
pub async fn waiting<F: Future>(future: F) -> F::Output {
    QueueTimer::default().observe_future(future).await
}

/// The timer of an operation, shared between its waiter and its runner.
#[derive(Clone)]
pub(crate) struct QueueTimer(Arc<Mutex<QueueTime>>);

struct QueueTime {
    /// When the current wait began.
    since: Option<Instant>,
    /// The total of finished waits.
    total: Duration,
}

/// A timer that is running.
impl Default for QueueTimer {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(QueueTime {
            since: Some(Instant::now()),
            total: Duration::ZERO,
        })))
    }
}

impl QueueTimer {
    /// The output of a future that waits for the operation, reporting queue time.
    pub(crate) async fn observe_future<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|cx| {
            let poll = future.as_mut().poll(cx);
            WAITED.set(WAITED.get() + self.waited());
            poll
        })
        .await
    }

    /// Stops the timer and runs the operation.
    pub(crate) fn run<R>(self, operation: impl FnOnce() -> R) -> R {
        self.stop();
        let _restore = Restore(CURRENT.replace(Some(self)));
        operation()
    }

    fn waited(&self) -> Duration {
        let time = self.time();
        let now = time.since.map(|since| since.elapsed());
        time.total + now.unwrap_or_default()
    }

    fn start(&self) {
        self.time().since = Some(Instant::now());
    }

    fn stop(&self) {
        let mut time = self.time();
        if let Some(since) = time.since.take() {
            time.total += since.elapsed();
        }
    }

    fn time(&self) -> MutexGuard<'_, QueueTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Restore(Option<QueueTimer>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Waits in a queue of this process, on this thread.
#[cfg_attr(
    not(feature = "file"),
    allow(dead_code, reason = "only files have such a line")
)]
pub(crate) fn wait_on_thread<R>(wait: impl FnOnce() -> R) -> R {
    let running = CURRENT.with_borrow(Clone::clone);
    running.as_ref().inspect(|timer| timer.start());
    let result = wait();
    running.as_ref().inspect(|timer| timer.stop());
    result
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use super::*;

    fn waited(future: Pin<&mut impl Future>) -> Duration {
        let mut context = Context::from_waker(Waker::noop());
        observe(|| future.poll(&mut context).is_pending()).1
    }

    fn a_moment() {
        let began = Instant::now();
        while began.elapsed().is_zero() {}
    }

    #[test]
    fn the_timer_runs_before_and_between_operations() {
        let timer = QueueTimer::default();
        let mut operation = pin!(timer.observe_future(pending::<()>()));
        let mut waited = || {
            a_moment();
            waited(operation.as_mut())
        };
        let at_first = waited();
        assert!(waited() > at_first);
        let (running, queued) = timer.clone().run(|| {
            let running = waited();
            assert_eq!(waited(), running, "it runs");
            (running, wait_on_thread(&mut waited))
        });
        assert!(queued > running);
        let ended = waited();
        assert_eq!(wait_on_thread(waited), ended, "that is another operation");
    }

    #[test]
    fn only_queue_time_is_reported() {
        let mut connection = pin!(waiting(pending::<()>()));
        waited(connection.as_mut());
        a_moment();
        assert!(waited(connection) > Duration::ZERO);
        assert_eq!(waited(pin!(pending::<()>())), Duration::ZERO);
    }

    #[test]
    fn observers_within_observers_see_their_own_operations() {
        const WAIT: Duration = Duration::from_secs(1);
        let (inner, outer) = observe(|| observe(|| WAITED.set(WAIT)).1);
        assert_eq!((inner, outer), (WAIT, Duration::ZERO));
    }
}
