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
    static RUNNING: RefCell<Option<Turn>> = const { RefCell::new(None) };
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
    Turn::default().observed(future).await
}

/// An operation, as whoever waits for it and whoever carries it out know it: maybe different threads.
#[derive(Clone)]
pub(crate) struct Turn(Arc<Mutex<Waits>>);

struct Waits {
    /// When the wait began that goes on.
    since: Option<Instant>,
    /// How long those took that are over.
    before: Duration,
}

/// An operation that has not begun.
impl Default for Turn {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Waits {
            since: Some(Instant::now()),
            before: Duration::ZERO,
        })))
    }
}

impl Turn {
    /// The output of the future that waits for the operation.
    pub(crate) async fn observed<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|context| {
            let poll = future.as_mut().poll(context);
            WAITED.set(WAITED.get() + self.waited());
            poll
        })
        .await
    }

    /// Runs the operation, whose turn has come.
    pub(crate) fn run<R>(self, operation: impl FnOnce() -> R) -> R {
        self.has_come();
        let _restore = Restore(RUNNING.replace(Some(self)));
        operation()
    }

    fn waited(&self) -> Duration {
        let waits = self.waits();
        let now = waits.since.map(|since| since.elapsed());
        waits.before + now.unwrap_or_default()
    }

    fn is_awaited(&self) {
        self.waits().since = Some(Instant::now());
    }

    fn has_come(&self) {
        let mut waits = self.waits();
        if let Some(since) = waits.since.take() {
            waits.before += since.elapsed();
        }
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Restore(Option<Turn>);

impl Drop for Restore {
    fn drop(&mut self) {
        RUNNING.set(self.0.take());
    }
}

/// Waits on this thread for a turn among the others of this process.
#[cfg_attr(
    not(feature = "file"),
    allow(dead_code, reason = "only files have such a line")
)]
pub(crate) fn wait_on_thread<R>(wait: impl FnOnce() -> R) -> R {
    let running = RUNNING.with_borrow(Clone::clone);
    running.as_ref().inspect(|turn| turn.is_awaited());
    let result = wait();
    running.as_ref().inspect(|turn| turn.has_come());
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
        let turn = Turn::default();
        let mut operation = pin!(turn.observed(pending::<()>()));
        let mut waited = || {
            a_moment();
            waited(operation.as_mut())
        };
        let at_first = waited();
        assert!(waited() > at_first);
        let (running, queued) = turn.clone().run(|| {
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
