//! What goes on in a home when its synchronous caller has given up.
//!
//! A home's runtime stands still while nobody waits in it, and so does all that it was about to do. What is to come about
//! nevertheless is counted here, so that somebody can be found who waits for it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

thread_local! {
    /// What is under way in the home in which this thread waits.
    static HERE: RefCell<Option<Arc<UnderWay>>> = const { RefCell::new(None) };
}

/// The tasks of one home that are to end, whoever waits.
#[derive(Default)]
pub(super) struct UnderWay {
    tasks: AtomicUsize,
    all_ended: Notify,
}

impl UnderWay {
    /// Counts what is begun on this thread while `wait` runs.
    pub(super) fn counting<R>(self: &Arc<Self>, wait: impl FnOnce() -> R) -> R {
        struct Restore(Option<Arc<UnderWay>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                let _ = HERE.try_with(|here| here.replace(self.0.take()));
            }
        }
        // In a thread that is being torn down nothing is counted: what its caller gives up stands still.
        let before = HERE.try_with(|here| here.replace(Some(Arc::clone(self))));
        let _restore = Restore(before.ok().flatten());
        wait()
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.tasks.load(Ordering::Acquire) == 0
    }

    /// Waits until all have ended.
    pub(super) async fn ended(&self) {
        loop {
            let all_ended = self.all_ended.notified();
            if self.is_nothing() {
                return;
            }
            all_ended.await;
        }
    }
}

/// A task that is to end, even if all who wait for it give up: a home is driven on for it.
pub(crate) fn to_the_end<F: Future>(task: F) -> impl Future<Output = F::Output> {
    let here = HERE.try_with(|here| here.borrow().clone());
    let counted = here.ok().flatten().map(Counted::new);
    async move {
        let _counted = counted;
        task.await
    }
}

/// Counts one task until it is dropped.
struct Counted(Arc<UnderWay>);

impl Counted {
    fn new(under_way: Arc<UnderWay>) -> Self {
        under_way.tasks.fetch_add(1, Ordering::AcqRel);
        Self(under_way)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.tasks.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.all_ended.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn what_is_begun_in_a_home_is_under_way_until_it_ends_or_is_given_up() {
        let under_way = Arc::<UnderWay>::default();
        let elsewhere = to_the_end(async {});
        let [one, other] =
            under_way.counting(|| [(); 2].map(|()| to_the_end(std::future::ready(()))));
        assert!(!under_way.is_nothing());
        block_on(one);
        assert!(block_on(poll_once(under_way.ended())).is_none());
        drop(other);
        block_on(under_way.ended());
        block_on(elsewhere);
    }
}
