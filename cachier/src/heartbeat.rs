//! Keeping leases alive while their owners compute: one thread beats for all of them.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_executor::{Executor, Task};
use cachier_backends::process::{PerProcess, Process};
use cachier_backends::{Backend, Lease, Renewal};
use futures_lite::FutureExt;

use crate::block_on::block_on;
use crate::lease_status::LeaseStatus;
use crate::timer::Timer;

/// Renews a lease until it is dropped.
pub(crate) struct Heartbeat {
    _task: Task<()>,
}

impl Heartbeat {
    /// Starts to renew the lease, and notes in `status` what comes of it; `None` for one that needs no renewal.
    pub(crate) fn start(
        backend: &Arc<dyn Backend>,
        lease: &Lease,
        status: &Arc<LeaseStatus>,
    ) -> Option<Self> {
        lease.period()?;
        let renewals = renew_periodically(Arc::clone(backend), lease.share(), Arc::clone(status));
        let _task = executor().spawn(renewals);
        Some(Self { _task })
    }
}

/// Gives a lease back after a moment, without holding up anybody. One that needs no renewal ends when it is dropped.
pub(crate) fn release_later(backend: &Arc<dyn Backend>, lease: Lease, after: Duration) {
    let Some(period) = lease.period() else {
        return;
    };
    let backend = Arc::clone(backend);
    let released = async move {
        if !after.is_zero() {
            Timer::system().sleep(after).await;
        }
        let release = catch_panic(async { backend.release(lease).await });
        // After a period it has ended by itself.
        Timer::system().timeout(Some(period), release).await;
    };
    executor().spawn(released).detach();
}

/// Runs a future that never blocks on the thread of the heartbeats, until the task is dropped.
#[cfg(feature = "tokio")]
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Task<()> {
    executor().spawn(future)
}

/// Does something after a while, without holding up anybody.
pub(crate) fn run_later(after: Duration, job: impl FnOnce() + Send + 'static) {
    let due = async move {
        Timer::system().sleep(after).await;
        catch_panic(async { job() }).await;
    };
    executor().spawn(due).detach();
}

/// Beats three times in each period, so that a lease survives one beat that fails, or is never answered; and once more
/// whenever somebody has reason to doubt it.
async fn renew_periodically(backend: Arc<dyn Backend>, lease: Lease, status: Arc<LeaseStatus>) {
    let Some(pause) = lease.period().map(|period| period / 3) else {
        return;
    };
    let timer = Timer::system();
    let mut next = pause;
    loop {
        timer.timeout(Some(next), status.check_requested()).await;
        let begun = Instant::now();
        let renew = catch_panic(async { backend.renew(&lease).await });
        match timer.timeout(Some(pause), renew).await {
            // Storing under it will be refused.
            Some(Some(Ok(Renewal::Lost))) => return status.mark_lost(),
            Some(Some(Ok(Renewal::Renewed))) => status.confirm(begun),
            _ => {}
        }
        next = pause.saturating_sub(begun.elapsed());
    }
}

/// What a backend says; one that panics has said nothing.
async fn catch_panic<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// What beats, on a thread of this process.
fn executor() -> &'static Executor<'static> {
    static HEARTBEATS: PerProcess<Executor<'static>> = PerProcess::new(|_| Executor::new());
    static STARTED: PerProcess<()> = PerProcess::new(|_| {
        let executor: &Executor<'static> = &HEARTBEATS;
        let thread = std::thread::Builder::new().name("cachier-heartbeat".to_owned());
        // Without a thread a lease lasts one period, and whoever takes over is safe: the store is refused.
        let _ = thread.spawn(|| block_on(executor.run(pending::<()>())));
    });
    let process = Process::current();
    STARTED.of(process);
    HEARTBEATS.of(process)
}
