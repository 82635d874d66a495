//! Recomputations on the tokio runtime of their caller, which may stand still, or end, before they do.
//!
//! A runtime of one thread is driven only while somebody blocks on it, and a runtime for each request ends with the
//! request. What sits there holds its key announced, and nobody else would ever recompute it. So each recomputation is
//! watched:
//!
//! - one that has not begun after a moment, or whose runtime ends before it has begun, runs on cachier's own runtime;
//! - one that has begun goes on there as soon as its runtime stands still. What it waits for may be a timer or a socket
//!   of the old one: it is given up when that still stands still after a while;
//! - one that is given up, or had begun when its runtime ended, is lost. The next ones of the function begin on cachier's
//!   own runtime.

use std::num::NonZero;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{mem, thread};

use async_executor::Task;
use cachier_backends::process::PerProcess;
use futures_lite::future::or;
use tokio::runtime::{Builder, Handle, Runtime};

use super::pool::{WorkerPool, run_on_thread_if_any};
use crate::block_on::block_on;
use crate::context::scope;
use crate::environment;
use crate::function::Function;
use crate::heartbeat;
use crate::timer::Timer;

/// A runtime that is driven begins a task within this time.
const START_TIMEOUT: Duration = Duration::from_millis(100);

/// The longest pause between two looks whether a runtime is driven; the first ones are shorter.
const MAX_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a runtime may stand still while something waits for its timers and sockets: less than a backend's operation
/// takes before it fails, after which nobody would know why it did.
const STALL_TIMEOUT: Duration = Duration::from_millis(500);

/// A recomputation, counted as background work of its context and part of it.
type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs a recomputation on the caller's runtime, as long as that is driven.
pub(super) fn run(
    function: &'static Function,
    runtime: &Handle,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let guard = function.context.pending.count();
    let work: BoxedTask = Box::pin(async move {
        let _guard = guard;
        scope(function.context, task).await;
    });
    if function.has_lost_runtime.load(Ordering::Relaxed) {
        return run_on_own(function, work);
    }
    let cell = Arc::new(TaskCell(Mutex::new(State::Queued(work))));
    let watch = watch(function, Arc::clone(&cell), runtime.clone());
    runtime.spawn(OnRuntime {
        function,
        cell,
        _watch: heartbeat::spawn(watch),
    });
}

/// The task on the caller's runtime. Dropped before it is done, it has ended with the runtime.
struct OnRuntime {
    function: &'static Function,
    cell: Arc<TaskCell>,
    /// Ends with this.
    _watch: Task<()>,
}

/// Where the work is while nobody polls it, to be taken by whoever goes on with it.
struct TaskCell(Mutex<State>);

enum State {
    /// It has not begun.
    Queued(BoxedTask),
    /// It has begun, and waits, as does the task on the runtime.
    Started(BoxedTask, Waker),
    /// It is being polled by the runtime.
    Polling,
    /// It is done, or elsewhere.
    Gone,
}

impl Future for OnRuntime {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (State::Queued(mut work) | State::Started(mut work, _)) =
            self.cell.replace(State::Polling)
        else {
            self.cell.replace(State::Gone);
            return Poll::Ready(());
        };
        let polled = work.as_mut().poll(cx);
        self.cell.replace(match polled {
            Poll::Pending => State::Started(work, cx.waker().clone()),
            Poll::Ready(()) => State::Gone,
        });
        polled
    }
}

impl Drop for OnRuntime {
    fn drop(&mut self) {
        match self.cell.replace(State::Gone) {
            State::Queued(work) => run_on_own(self.function, work),
            State::Started(work, _) => {
                // Before the key can be recomputed again.
                self.function
                    .has_lost_runtime
                    .store(true, Ordering::Relaxed);
                drop(work);
            }
            State::Polling | State::Gone => {}
        }
    }
}

impl TaskCell {
    fn replace(&self, state: State) -> State {
        mem::replace(&mut *self.state(), state)
    }

    /// Takes the work if it is in the state that is wanted.
    fn take<T>(&self, wanted: fn(State) -> Result<T, State>) -> Option<T> {
        let mut state = self.state();
        match wanted(mem::replace(&mut *state, State::Gone)) {
            Ok(taken) => Some(taken),
            Err(other) => {
                *state = other;
                None
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn queued(self) -> Result<BoxedTask, Self> {
        match self {
            Self::Queued(work) => Ok(work),
            other => Err(other),
        }
    }

    fn started(self) -> Result<(BoxedTask, Waker), Self> {
        match self {
            Self::Started(work, task) => Ok((work, task)),
            other => Err(other),
        }
    }
}

/// Takes the work elsewhere when its runtime does not come to it.
async fn watch(function: &'static Function, cell: Arc<TaskCell>, runtime: Handle) {
    let timer = Timer::system();
    timer.sleep(START_TIMEOUT).await;
    if let Some(work) = cell.take(State::queued) {
        return run_on_own(function, work);
    }
    let mut pause = START_TIMEOUT;
    loop {
        if !is_driven(&runtime, START_TIMEOUT).await
            && let Some((work, task)) = cell.take(State::started)
        {
            // Nobody else wakes it any more, and it would stay as long as its runtime does.
            task.wake();
            return run_on_own(function, resume(function, work, runtime));
        }
        timer.sleep(pause).await;
        pause = (2 * pause).min(MAX_CHECK_INTERVAL);
    }
}

/// Goes on with work that has begun on a runtime that stands still, unless that lasts.
async fn resume(function: &'static Function, work: BoxedTask, runtime: Handle) {
    let stalled = async {
        while is_driven(&runtime, STALL_TIMEOUT).await {
            Timer::system().sleep(STALL_TIMEOUT).await;
        }
        // Before the key can be recomputed again.
        function.has_lost_runtime.store(true, Ordering::Relaxed);
    };
    or(work, stalled).await;
}

/// Whether the runtime comes to run a task within this time.
async fn is_driven(runtime: &Handle, time: Duration) -> bool {
    let probe = runtime.spawn(async {});
    let probed = Timer::system().timeout(Some(time), probe).await;
    probed.is_some_and(|probed| probed.is_ok())
}

/// Runs the work on cachier's own runtime for functions; where none can be had, on a thread, or not at all: then the key
/// is given back.
fn run_on_own(function: &'static Function, work: impl Future<Output = ()> + Send + 'static) {
    if let Some(own) = own_runtime() {
        own.spawn(work);
    } else {
        let _ = run_on_thread_if_any(function.context, WorkerPool::Functions, || block_on(work));
    }
}

/// Started when it is first needed. The runtime on which backends do their I/O is another one: functions may block this one.
fn own_runtime() -> Option<&'static Runtime> {
    static OWN: PerProcess<Option<Runtime>> = PerProcess::new(|_| {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(cores.min(environment::max_workers()));
        builder
            .thread_name("cachier-task")
            .enable_all()
            .build()
            .ok()
    });
    OWN.as_ref()
}
