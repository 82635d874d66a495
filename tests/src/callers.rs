//! Many concurrent callers of one function, on threads, in tasks, or both.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use cachier::testing::IsolatedContext;
use futures_lite::FutureExt;
use futures_lite::future::block_on;
use tokio::runtime::{Builder, Runtime};

use crate::wait::WAIT_TIMEOUT;

/// Callers that are on their way, in the context of the test that sent them.
pub struct Callers<R> {
    context: IsolatedContext,
    count: usize,
    sender: Sender<thread::Result<R>>,
    results: Receiver<thread::Result<R>>,
}

impl<R: Send + 'static> Callers<R> {
    /// No callers.
    #[must_use]
    pub fn new() -> Self {
        let (sender, results) = channel();
        Self {
            context: IsolatedContext::current(),
            count: 0,
            sender,
            results,
        }
    }

    /// Adds callers on threads of their own.
    #[must_use]
    pub fn on_threads(
        mut self,
        count: usize,
        call: impl Fn() -> R + Send + Sync + 'static,
    ) -> Self {
        let call = Arc::new(call);
        for _ in 0..count {
            let job = self.job(Arc::clone(&call));
            thread::spawn(job);
        }
        self.count += count;
        self
    }

    /// Adds callers on a runtime's blocking threads.
    #[must_use]
    pub fn on_blocking_threads(
        mut self,
        count: usize,
        call: impl Fn() -> R + Send + Sync + 'static,
    ) -> Self {
        let call = Arc::new(call);
        for _ in 0..count {
            runtime().spawn_blocking(self.job(Arc::clone(&call)));
        }
        self.count += count;
        self
    }

    /// Adds callers in tasks of a multi-thread runtime.
    #[must_use]
    pub fn in_tasks<F>(mut self, count: usize, call: impl Fn() -> F) -> Self
    where
        F: Future<Output = R> + Send + 'static,
    {
        for _ in 0..count {
            let (context, sender, future) = (self.context, self.sender.clone(), call());
            runtime().spawn(async move {
                let result = AssertUnwindSafe(in_context(context, future)).catch_unwind();
                // Nobody listens any more when the test has failed.
                let _ = sender.send(result.await);
            });
        }
        self.count += count;
        self
    }

    /// Adds callers, half of them in tasks, half on threads that block on the future.
    #[must_use]
    pub fn mixed<F>(
        self,
        count: usize,
        call: impl Fn() -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = R> + Send + 'static,
    {
        let in_tasks = count / 2;
        let blocking = call.clone();
        self.in_tasks(in_tasks, call)
            .on_threads(count - in_tasks, move || block_on(blocking()))
    }

    /// The result of each, or its panic.
    ///
    /// # Panics
    /// When one hangs.
    #[track_caller]
    #[must_use]
    pub fn results(self) -> Vec<thread::Result<R>> {
        let result = |_| self.results.recv_timeout(WAIT_TIMEOUT);
        (0..self.count)
            .map(|caller| result(caller).expect("a caller hangs"))
            .collect()
    }

    /// The result of each.
    ///
    /// # Panics
    /// When one hangs or panics.
    #[track_caller]
    #[must_use]
    pub fn values(self) -> Vec<R> {
        let results = self.results().into_iter();
        results
            .map(|result| result.unwrap_or_else(|_| panic!("a caller panicked")))
            .collect()
    }

    fn job<C>(&self, call: Arc<C>) -> impl FnOnce() + Send + use<R, C>
    where
        C: Fn() -> R + Send + Sync + 'static,
    {
        let (context, sender) = (self.context, self.sender.clone());
        move || {
            let result = catch_unwind(AssertUnwindSafe(|| context.run(&*call)));
            // Nobody listens any more when the test has failed.
            let _ = sender.send(result);
        }
    }
}

impl<R: Send + 'static> Default for Callers<R> {
    fn default() -> Self {
        Self::new()
    }
}

/// The future as part of a context, on whatever thread it is polled.
pub async fn in_context<F: Future>(context: IsolatedContext, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| context.run(|| future.as_mut().poll(cx))).await
}

/// A runtime with two workers, and blocking threads as needed.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).max_blocking_threads(1100);
        builder.enable_all().build().expect("a runtime")
    })
}

/// A runtime without threads of its own.
///
/// # Panics
/// When the system refuses it.
#[must_use]
pub fn one_thread() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

/// A runtime with two workers, of one test.
///
/// # Panics
/// When the system refuses it.
#[must_use]
pub fn two_threads() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let builder = builder.worker_threads(2).enable_all();
    builder.build().expect("a runtime")
}

/// `cachier::flush()` on its own thread; fails the test if it hangs.
#[track_caller]
pub fn flush() {
    let _ = Callers::new().on_threads(1, cachier::flush).values();
}
