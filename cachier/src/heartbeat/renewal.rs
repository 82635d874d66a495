//! Renewing leases, and releasing them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_executor::Task;
use cachier_backends::{Backend, Lease, Renewal};

use super::{catch_panic, executor};
use crate::lease_status::LeaseStatus;
use crate::timer::Timer;

/// Renews a lease until it is dropped.
pub(crate) struct Heartbeat {
    _task: Task<()>,
}

impl Heartbeat {
    /// Starts to renew the lease, recording in `status`; `None` for a lease that needs no renewal.
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

/// Releases a lease in the background, after a delay. One that needs no renewal ends when it is dropped.
pub(crate) fn release_later(backend: &Arc<dyn Backend>, lease: Lease, after: Duration) {
    let Some(period) = lease.period() else {
        return;
    };
    let backend = Arc::clone(backend);
    let released = async move {
        if !after.is_zero() {
            Timer::system().sleep(after).await;
        }
        // After a period it has ended by itself.
        let release = release_with_retries(backend, lease);
        Timer::system().timeout(Some(period), release).await;
    };
    executor().spawn(released).detach();
}

/// Releases a lease, for which others may be waiting, over one connection after the other: some may be lost.
async fn release_with_retries(backend: Arc<dyn Backend>, lease: Lease) {
    let timer = Timer::system();
    for _ in 0..MAX_RELEASE_ATTEMPTS {
        let begun = Instant::now();
        let release = catch_panic(async { backend.release(lease.share()).await });
        match timer.timeout(Some(RELEASE_PAUSE), release).await {
            Some(Some(Ok(())) | None) => return,
            Some(Some(Err(_))) | None => {
                timer
                    .sleep(RELEASE_PAUSE.saturating_sub(begun.elapsed()))
                    .await;
            }
        }
    }
}

/// From each attempt to release a lease to the next one, answered or not. Callers of the key wait for it, also when the server
/// has come back: longer pauses would make them wait as long.
const RELEASE_PAUSE: Duration = Duration::from_secs(1);

const MAX_RELEASE_ATTEMPTS: u32 = 30;

/// Renews three times in each period, so that a lease survives one renewal that fails or is never answered, and whenever a
/// check is requested.
async fn renew_periodically(backend: Arc<dyn Backend>, lease: Lease, status: Arc<LeaseStatus>) {
    let Some(pause) = lease.period().map(pause) else {
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

/// The interval between two beats.
fn pause(period: Duration) -> Duration {
    period / 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_survives_one_unanswered_beat() {
        let period = Duration::from_secs(30);
        // The first is waited for until the second is due, which has as long again.
        assert!(3 * pause(period) <= period);
        assert!(4 * pause(period) > period, "more often than need be");
    }
}
