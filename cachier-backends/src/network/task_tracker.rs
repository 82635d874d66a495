//! What goes on in a home when its synchronous caller has given up.
//!
//! A home's runtime stands still while nobody waits in it, and so does all that it was about to do. What is to come about
//! nevertheless is token here, so that somebody can be found who waits for it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

thread_local! {
    /// What is under way in the home in which this thread waits.
    static CURRENT: RefCell<Option<Arc<TaskTracker>>> = const { RefCell::new(None) };
}

/// The tasks of one home that are to end, whoever waits.
#[derive(Default)]
pub(super) struct TaskTracker {
    count: AtomicUsize,
    changed: Notify,
}

impl TaskTracker {
    /// Counts what is begun on this thread while `wait` runs.
    pub(super) fn scope<R>(self: &Arc<Self>, blocking: impl FnOnce() -> R) -> R {
        struct Restore(Option<Arc<TaskTracker>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                let _ = CURRENT.try_with(|here| here.replace(self.0.take()));
            }
        }
        // In a thread that is being torn down nothing is token: what its caller gives up stands still.
        let before = CURRENT.try_with(|here| here.replace(Some(Arc::clone(self))));
        let _restore = Restore(before.ok().flatten());
        blocking()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Waits until all have ended.
    pub(super) async fn all_ended(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_empty() {
                return;
            }
            changed.await;
        }
    }
}

/// A task that is to end, even if all who wait for it give up: a home is driven on for it.
pub(crate) fn tracked<F: Future>(task: F) -> impl Future<Output = F::Output> {
    let here = CURRENT.try_with(|here| here.borrow().clone());
    let token = here.ok().flatten().map(TaskToken::new);
    async move {
        let _token = token;
        task.await
    }
}

/// Counts one task until it is dropped.
struct TaskToken(Arc<TaskTracker>);

impl TaskToken {
    fn new(tasks: Arc<TaskTracker>) -> Self {
        tasks.count.fetch_add(1, Ordering::AcqRel);
        Self(tasks)
    }
}

impl Drop for TaskToken {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn what_is_begun_in_a_home_is_under_way_until_it_ends_or_is_given_up() {
        let tasks = Arc::<TaskTracker>::default();
        let elsewhere = tracked(async {});
        let [one, other] = tasks.scope(|| [(); 2].map(|()| tracked(std::future::ready(()))));
        assert!(!tasks.is_empty());
        block_on(one);
        assert!(block_on(poll_once(tasks.all_ended())).is_none());
        drop(other);
        block_on(tasks.all_ended());
        block_on(elsewhere);
    }
}
