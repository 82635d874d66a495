//! What an operation waits for before its store is asked: a turn among the others of this process.
//!
//! A thread of the pool, a connection, a place before a lock. Such a wait says nothing of the store, however long it is, and
//! whoever gives the operation up has to know which of the two it was.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

thread_local! {
    /// How long what was polled has waited for its turn.
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// The operation that runs on this thread for somebody who watches from elsewhere.
    static CURRENT: RefCell<Option<QueueTimer>> = const { RefCell::new(None) };
}

/// Polls operations, and tells how long those that it polled have waited for their turns in this process until now.
///
/// What has ended tells it once. An operation that goes on with another one tells what each has waited by itself.
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

/// The future's output. All its time is one of waiting for a turn.
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

/// An operation, as whoever waits for it and whoever carries it out know it: maybe different threads.
#[derive(Clone)]
pub(crate) struct QueueTimer(Arc<Mutex<QueueTime>>);

struct QueueTime {
    /// When the wait began that goes on.
    since: Option<Instant>,
    /// How long those took that are over.
    total: Duration,
}

/// An operation that has not begun.
impl Default for QueueTimer {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(QueueTime {
            since: Some(Instant::now()),
            total: Duration::ZERO,
        })))
    }
}

impl QueueTimer {
    /// The output of the future that waits for the operation.
    pub(crate) async fn observe_future<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|cx| {
            let poll = future.as_mut().poll(cx);
            WAITED.set(WAITED.get() + self.waited());
            poll
        })
        .await
    }

    /// Runs the operation, whose turn has come.
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

/// Waits on this thread for a turn among the others of this process.
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

    /// Lets a moment pass.
    fn a_moment() {
        let began = Instant::now();
        while began.elapsed().is_zero() {}
    }

    #[test]
    fn an_operation_waits_until_it_runs_and_while_it_queues() {
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
    fn what_waits_for_a_connection_is_seen_and_what_waits_for_the_store_is_not() {
        let mut connection = pin!(waiting(pending::<()>()));
        waited(connection.as_mut());
        a_moment();
        assert!(waited(connection) > Duration::ZERO);
        assert_eq!(waited(pin!(pending::<()>())), Duration::ZERO);
    }

    #[test]
    fn observers_within_observers_see_their_own_operations() {
        const WHILE: Duration = Duration::from_secs(1);
        let (inner, outer) = observe(|| observe(|| WAITED.set(WHILE)).1);
        assert_eq!((inner, outer), (WHILE, Duration::ZERO));
    }
}
