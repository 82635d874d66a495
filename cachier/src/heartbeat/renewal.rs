//! Renewing leases, and ending them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_executor::Task;
use cachier_backends::{Backend, BoxFuture, Capability, Change, Lease, Renewal, Vacated, Watcher};

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

/// Ends a lease in the background. What its owner has sent under it without an answer may be on its way still.
pub(crate) fn end_later(backend: &Arc<dyn Backend>, lease: Lease, unanswered: Unanswered) {
    let period = lease.period();
    let unanswered = match unanswered {
        // On a store without leases a removal that comes late would remove what others have stored.
        Unanswered::Removal(_) if !backend.capabilities().has(Capability::Leases) => {
            Unanswered::Nothing
        }
        unanswered => unanswered,
    };
    if period.is_none() && !matches!(unanswered, Unanswered::Removal(_)) {
        // It ends now, as it is dropped.
        return;
    }
    let end = end(Arc::clone(backend), lease, unanswered);
    // After a period it has ended by itself.
    let limit = Some(period.unwrap_or(MAX_REMOVAL));
    let ended = async move { Timer::system().timeout(limit, end).await };
    executor().spawn(async { _ = ended.await }).detach();
}

/// How long a removal is asked for under a lease that no period ends.
const MAX_REMOVAL: Duration = Duration::from_secs(30);

/// What an owner has sent under its lease and got no answer to, when it gives the lease up.
pub(crate) enum Unanswered {
    Nothing,
    Store,
    /// Whoever keeps near copies of the entry is told when it is gone.
    Removal(Option<Arc<Watcher>>),
}

/// How long a store may still arrive. Either order leaves the store right: one that arrives ends the lease itself, and one that
/// comes after the release is refused. So this only saves values that are a little late, at the expense of callers who wait for
/// the lease of one that is lost.
const LATE_STORE: Duration = Duration::from_millis(100);

/// A removal that came after the release would be refused, and the old value stay. So the lease is released when the removal has
/// been answered, once of however many times it is asked for: what arrives later changes nothing.
async fn end(backend: Arc<dyn Backend>, mut lease: Lease, unanswered: Unanswered) {
    match unanswered {
        Unanswered::Nothing => {}
        Unanswered::Store => Timer::system().sleep(LATE_STORE).await,
        Unanswered::Removal(near) => {
            let hash = lease.key().hash();
            match until_answered(|| backend.vacate(lease.share())).await {
                Some(Vacated::Done { lease: vacant, .. }) => lease = vacant,
                Some(Vacated::Superseded) | None => {}
            }
            if let Some(near) = near {
                near(&Change::Entry(hash));
            }
        }
    }
    until_answered(|| backend.release(lease.share())).await;
}

/// Repeats a request for whose effect others may be waiting, over one connection after the other: some may be lost. A refusal is
/// no end either: a server refuses changes while another one takes its place. `None` if it panics.
async fn until_answered<'a, T>(request: impl Fn() -> BoxFuture<'a, T>) -> Option<T> {
    let timer = Timer::system();
    loop {
        let begun = Instant::now();
        let answer = catch_panic(async { request().await });
        match timer.timeout(Some(ATTEMPT_PAUSE), answer).await {
            Some(Some(Ok(answer))) => return Some(answer),
            Some(None) => return None,
            Some(Some(Err(_))) | None => {
                timer
                    .sleep(ATTEMPT_PAUSE.saturating_sub(begun.elapsed()))
                    .await;
            }
        }
    }
}

/// From each attempt to end a lease to the next one, answered or not. Callers of the key wait for it, also when the server has come
/// back: longer pauses would make them wait as long.
const ATTEMPT_PAUSE: Duration = Duration::from_secs(1);

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
