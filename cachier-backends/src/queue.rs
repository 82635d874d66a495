//! What an operation waits for before its store is asked: a turn among the others of this process.
//!
//! A thread of the pool, a connection, a place before a lock. Such a wait says nothing of the store, however long it is, and
//! whoever gives the operation up has to know which of the two it was.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// Whether an operation that was polled waits for its turn.
    static WAITS: Cell<bool> = const { Cell::new(false) };
    /// The operation that runs on this thread for somebody who watches from elsewhere.
    static RUNNING: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// Polls operations, and tells whether one of them waits for its turn in this process when that is done.
///
/// ```
/// use cachier_backends::queue;
///
/// assert_eq!(queue::observe(|| 6 * 7), (42, false));
/// ```
pub fn observe<R>(poll: impl FnOnce() -> R) -> (R, bool) {
    let outer = WAITS.replace(false);
    let result = poll();
    (result, WAITS.replace(outer))
}

/// The future's output. While it is pending, whoever [observes](observe) sees an operation that waits for its turn.
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "only some clients wait for connections")
)]
pub(crate) async fn waiting<F: Future>(future: F) -> F::Output {
    let turn = Turn::default();
    turn.observed(future).await
}

/// Whether an operation on another thread waits for its turn.
#[derive(Clone)]
pub(crate) struct Turn(Arc<AtomicBool>);

/// An operation that has not begun.
impl Default for Turn {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Turn {
    /// The output of the future that waits for the operation.
    pub(crate) async fn observed<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|context| {
            let poll = future.as_mut().poll(context);
            if poll.is_pending() && self.0.load(Ordering::Relaxed) {
                WAITS.set(true);
            }
            poll
        })
        .await
    }

    /// Runs the operation, whose turn has come.
    pub(crate) fn run<R>(self, operation: impl FnOnce() -> R) -> R {
        self.0.store(false, Ordering::Relaxed);
        let _restore = Restore(RUNNING.replace(Some(self)));
        operation()
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
    let note = |waits| {
        if let Some(Turn(flag)) = &running {
            flag.store(waits, Ordering::Relaxed);
        }
    };
    note(true);
    let result = wait();
    note(false);
    result
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use super::*;

    fn waits(future: Pin<&mut impl Future>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        observe(|| future.poll(&mut context).is_pending()).1
    }

    #[test]
    fn an_operation_waits_until_it_runs_and_while_it_queues() {
        let turn = Turn::default();
        let mut operation = pin!(turn.observed(pending::<()>()));
        assert!(waits(operation.as_mut()));
        turn.clone().run(|| {
            assert!(!waits(operation.as_mut()));
            wait_on_thread(|| assert!(waits(operation.as_mut())));
            assert!(!waits(operation.as_mut()));
        });
        wait_on_thread(|| assert!(!waits(operation.as_mut()), "it is over"));
    }

    #[test]
    fn what_waits_for_a_connection_is_seen_and_what_waits_for_the_store_is_not() {
        assert!(waits(pin!(waiting(pending::<()>()))));
        assert!(!waits(pin!(pending::<()>())));
        assert!(!waits(pin!(waiting(async {}))));
    }

    #[test]
    fn observers_within_observers_see_their_own_operations() {
        let (inner, outer) = observe(|| observe(|| WAITS.set(true)).1);
        assert!(inner && !outer);
    }
}
