//! Recomputations of async functions.

#[cfg(feature = "tokio")]
use super::on_runtime;
use super::pool::{WorkerPool, run_on_thread};
use crate::block_on::block_on;
use crate::function::Function;

/// Runs an async recomputation: on the caller's tokio runtime while that runs, else on one of cachier's own; without the
/// feature `tokio`, or a runtime, on a worker thread.
pub(crate) fn run_as_task(
    function: &'static Function,
    task: impl Future<Output = ()> + Send + 'static,
) {
    #[cfg(feature = "tokio")]
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        on_runtime::run(function, &runtime, task);
        return;
    }
    run_on_thread(function.context, WorkerPool::Functions, || block_on(task));
}
