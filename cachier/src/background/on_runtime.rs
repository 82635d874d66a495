//! Recomputations on the tokio runtime of their caller, which may stall or end before they do.
//!
//! A current-thread runtime runs only while somebody blocks on it, and a runtime per request ends with the request. A
//! recomputation stuck there would keep its key reserved, so that nobody could ever recompute it. So each one is watched:
//!
//! - one that has not started after a moment, or whose runtime ends before that, runs on cachier's own runtime;
//! - one that has started moves there as soon as its runtime stalls. It may wait for a timer or a socket of the old runtime,
//!   so it is dropped if that stays stalled;
//! - one that is dropped, or had started when its runtime ended, is lost. The next ones of the function start on cachier's
//!   own runtime.

use std::future::poll_fn;
use std::num::NonZero;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{mem, thread};

use async_executor::Task;
use cachier_backends::process::PerProcess;
use cachier_backends::runtime;
use futures_lite::future::or;
use once_cell::sync::OnceCell;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::context::scope;
use crate::environment;
use crate::function::Function;
use crate::heartbeat;
use crate::pending::Kind;
use crate::timer::Timer;
use crate::trace;

/// A running runtime starts a task within this time.
const START_TIMEOUT: Duration = Duration::from_millis(100);

/// The longest interval between two checks of a runtime; the first ones are shorter.
const MAX_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a runtime may stall while a task waits for its timers and sockets: less than the timeout of a backend's
/// operation, which would hide the reason.
const STALL_TIMEOUT: Duration = Duration::from_millis(500);

/// A recomputation in its context, counted as background work.
type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs a recomputation on the caller's runtime while that runs.
pub(super) fn run(
    function: &'static Function,
    runtime: &Handle,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let guard = function.context.pending.count(Kind::Task);
    let work: BoxedTask = Box::pin(async move {
        let mut task = pin!(scope(function.context, task));
        poll_fn(|cx| guard.part(|| task.as_mut().poll(cx))).await;
    });
    if function.has_lost_runtime.load(Ordering::Relaxed) {
        return run_on_own_thread(function, work);
    }
    let cell = Arc::new(TaskCell(Mutex::new(State::Queued(work))));
    let watch = watch(function, Arc::clone(&cell), runtime.clone());
    runtime.spawn(OnRuntime {
        function,
        cell,
        _watch: heartbeat::spawn(watch),
    });
}

/// The task on the caller's runtime. If it is dropped before it is done, the runtime has ended.
struct OnRuntime {
    function: &'static Function,
    cell: Arc<TaskCell>,
    /// Dropped with this.
    _watch: Task<()>,
}

/// Holds the task while nobody polls it, until it is continued.
struct TaskCell(Mutex<State>);

enum State {
    /// It has not started.
    Queued(BoxedTask),
    /// It has started and is pending, and so is the task on the runtime.
    Started(BoxedTask, Waker),
    /// The runtime is polling it.
    Polling,
    /// It is done, or has moved.
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
            State::Queued(work) => run_on_own_thread(self.function, work),
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

    /// Takes the task if it is in the wanted state.
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

/// Moves the task when its runtime does not run it.
async fn watch(function: &'static Function, cell: Arc<TaskCell>, runtime: Handle) {
    let timer = Timer::system();
    timer.sleep(START_TIMEOUT).await;
    if let Some(work) = cell.take(State::queued) {
        return run_on_own_thread(function, work);
    }
    let mut pause = START_TIMEOUT;
    loop {
        if !is_driven(&runtime, START_TIMEOUT).await
            && let Some((work, task)) = cell.take(State::started)
        {
            // Otherwise it would stay as long as its runtime does.
            task.wake();
            return run_on_own_thread(function, resume(function, work, runtime));
        }
        timer.sleep(pause).await;
        pause = (2 * pause).min(MAX_CHECK_INTERVAL);
    }
}

/// Continues a started task whose runtime has stalled, unless that stays so.
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

/// Whether the runtime runs a task within this time.
async fn is_driven(runtime: &Handle, time: Duration) -> bool {
    let probe = runtime.spawn(async {});
    let probed = Timer::system().timeout(Some(time), probe).await;
    probed.is_some_and(|probed| probed.is_ok())
}

/// Runs the task on cachier's own runtime.
fn run_on_own_thread(function: &'static Function, work: impl Future<Output = ()> + Send + 'static) {
    run_if_any(own_runtime(), function, work);
}

/// Without a runtime the task is dropped, which releases the key: it came from one, and may need what that has.
fn run_if_any(
    runtime: Option<&Runtime>,
    function: &Function,
    work: impl Future<Output = ()> + Send + 'static,
) {
    match runtime {
        Some(runtime) => drop(runtime.spawn(work)),
        None => trace::refresh_failed(&function.name),
    }
}

/// Started when it is first needed, and tried again where there was no thread for it. Backends do their I/O on another one, as
/// functions may block this one.
fn own_runtime() -> Option<&'static Runtime> {
    static OWN: PerProcess<OnceCell<Runtime>> = PerProcess::new(|_| OnceCell::new());
    let start = || {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let mut builder = Builder::new_multi_thread();
        builder
            .worker_threads(cores.min(environment::max_workers()))
            .thread_name("cachier-task");
        runtime::build_with_workers(builder)
    };
    OWN.get_or_try_init(start).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context;
    use crate::identity::{FunctionSpec, Package};
    use crate::options::Options;

    /// Without its timers and sockets a recomputation would panic, each time.
    #[test]
    fn without_a_runtime_nothing_is_recomputed() {
        let spec = FunctionSpec {
            identity: "recomputed".to_owned(),
            path: "recomputed".to_owned(),
            package: Package::named("app"),
            options: Options::new(),
        };
        let function = Function::new(spec, context::current(), None);
        let reserved = Arc::new(());
        let key = Arc::clone(&reserved);
        run_if_any(None, &function, async move {
            let _key = key;
            unreachable!("it is never polled");
        });
        assert_eq!(Arc::strong_count(&reserved), 1, "the key is released");
    }
}
