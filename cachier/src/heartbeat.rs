//! The thread that renews leases while their owners compute, and does what else never blocks.

#[cfg(feature = "persistent")]
pub(crate) mod renewal;

use std::future::pending;
#[cfg(any(feature = "persistent", feature = "tokio"))]
use std::panic::AssertUnwindSafe;
#[cfg(feature = "persistent")]
use std::time::Duration;

use async_executor::Executor;
#[cfg(feature = "tokio")]
use async_executor::Task;
use cachier_backends::process::{PerProcess, Process};
#[cfg(any(feature = "persistent", feature = "tokio"))]
use futures_lite::FutureExt;
use once_cell::sync::OnceCell;

use crate::block_on::block_on;
#[cfg(feature = "persistent")]
use crate::timer::Timer;

/// Runs a future that never blocks on the heartbeat thread, until the task is dropped.
#[cfg(feature = "tokio")]
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Task<()> {
    executor().spawn(async {
        catch_panic(future).await;
    })
}

/// Runs a job in the background, after a delay.
#[cfg(feature = "persistent")]
pub(crate) fn run_later(after: Duration, job: impl FnOnce() + Send + 'static) {
    let due = async move {
        Timer::system().sleep(after).await;
        catch_panic(async { job() }).await;
    };
    executor().spawn(due).detach();
}

/// The output, or `None` after a panic, which would end the thread.
#[cfg(any(feature = "persistent", feature = "tokio"))]
async fn catch_panic<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// The executor of the heartbeat thread.
fn executor() -> &'static Executor<'static> {
    static HEARTBEATS: PerProcess<Executor<'static>> = PerProcess::new(|_| Executor::new());
    static STARTED: PerProcess<OnceCell<()>> = PerProcess::new(|_| OnceCell::new());
    let process = Process::current();
    let executor = HEARTBEATS.of(process);
    let start = || {
        let thread = std::thread::Builder::new().name("cachier-heartbeat".to_owned());
        let run = || block_on(executor.run(pending::<()>()));
        thread.spawn(run).map(drop)
    };
    // Without a thread a lease lasts one period. Taking it over is safe: the former owner's store is refused.
    let _ = STARTED.of(process).get_or_try_init(start);
    executor
}
