//! Blocking work for asynchronous callers.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use crate::process::PerProcess;
use crate::workers::{NoThread, Workers, run};

/// The most threads that block for asynchronous callers.
const MAX_BLOCKING_THREADS: usize = 500;

/// Runs blocking work on a thread and waits asynchronously. Work abandoned before it begins is not run.
pub(crate) async fn unblock<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    static BLOCKING: PerProcess<Workers> =
        PerProcess::new(|_| Workers::new("cachier-blocking", MAX_BLOCKING_THREADS));
    let done = Arc::new(Mutex::new(JobResult {
        result: None,
        waiter: None,
    }));
    let of_worker = Arc::downgrade(&done);
    let job = move || {
        if of_worker.strong_count() == 0 {
            return;
        }
        let result = catch_unwind(AssertUnwindSafe(work));
        let Some(done) = of_worker.upgrade() else {
            return;
        };
        let waiter = {
            let mut done = lock(&done);
            done.result = Some(result);
            done.waiter.take()
        };
        waiter.into_iter().for_each(Waker::wake);
    };
    if let Err(NoThread(job)) = BLOCKING.submit(Box::new(job)) {
        run(job);
    }
    let result = poll_fn(|cx| {
        let mut done = lock(&done);
        match done.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                done.waiter = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    });
    result.await.unwrap_or_else(|panic| resume_unwind(panic))
}

/// The result of work on a thread, and who waits for it.
struct JobResult<T> {
    result: Option<thread::Result<T>>,
    waiter: Option<Waker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use futures_lite::FutureExt;
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn blocking_work_returns_its_result_or_panic() {
        assert_eq!(block_on(unblock(|| 6 * 7)), 42);
        let panics = unblock(|| resume_unwind(Box::new("on purpose")));
        let panics: Result<(), _> = block_on(AssertUnwindSafe(panics).catch_unwind());
        assert!(panics.is_err());
    }

    #[test]
    fn abandoned_work_ends_on_its_thread() {
        let (sender, receiver) = channel();
        let (open, gate) = channel::<()>();
        let mut work = Box::pin(unblock(move || {
            let _ = sender.send(());
            let _ = gate.recv();
            sender
        }));
        assert!(block_on(poll_once(work.as_mut())).is_none());
        assert!(receiver.recv().is_ok());
        drop(work);
        drop(open);
        assert!(receiver.recv().is_err());
    }
}
