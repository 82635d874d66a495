//! Tasks that outlive the synchronous caller who started them.
//!
//! A blocking runtime makes no progress while nobody blocks on it. Tasks that are to finish anyway are tracked here, so
//! that the runtime is driven on for them.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

thread_local! {
    /// The tracker of the runtime that this thread blocks on.
    static CURRENT: RefCell<Option<Arc<TaskTracker>>> = const { RefCell::new(None) };
}

/// The unfinished tasks of one runtime.
#[derive(Default)]
pub(super) struct TaskTracker {
    count: AtomicUsize,
    changed: Notify,
}

impl TaskTracker {
    /// Tracks tasks created on this thread while `blocking` runs.
    pub(super) fn scope<R>(self: &Arc<Self>, blocking: impl FnOnce() -> R) -> R {
        struct Restore(Option<Arc<TaskTracker>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                let _ = CURRENT.try_with(|here| here.replace(self.0.take()));
            }
        }
        // Nothing is tracked during thread teardown: an abandoned task makes no progress then.
        let before = CURRENT.try_with(|here| here.replace(Some(Arc::clone(self))));
        let _restore = Restore(before.ok().flatten());
        blocking()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

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

/// Tracks a task, so that its runtime is driven until it ends even if all waiters give up.
pub(crate) fn tracked<F: Future>(task: F) -> impl Future<Output = F::Output> {
    let here = CURRENT.try_with(|here| here.borrow().clone());
    let token = here.ok().flatten().map(TaskToken::new);
    async move {
        let _token = token;
        task.await
    }
}

/// Counts one task until dropped.
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
    fn tasks_are_tracked_until_ended_or_dropped() {
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
