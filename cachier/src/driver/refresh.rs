//! Recomputes stale values in the background.

use std::time::Duration;

use cachier_metrics::Reason;

use super::blocking::{BlockingDriver, DriveBlocking, SyncWork};
use super::refresh_request::RefreshRequest;
use super::request::{Driver, drive};
use super::state::{CallDriver, State, Step};
use super::work::AsyncWork;
use crate::block_on::block_on;
use crate::call::CallMode;
use crate::decision::Backoff;
use crate::function::Function;
use crate::session::Session;
use crate::storage::{Claim, Store};
use crate::trace;

/// How long no refresh is attempted after a lease was not granted.
const HELD_LEASE_BACKOFF: Duration = Duration::from_millis(500);

/// Recomputes the value in a task, unless somebody else does by now.
pub(crate) async fn refresh<T: Store, F: Future>(
    request: RefreshRequest<T>,
    mut work: impl AsyncWork<T, F>,
) {
    let _report = ReportPanic(&request.core.function);
    if let Some(mut driver) = lead(request, CallMode::Async).await {
        drive(&mut driver, &mut work).await;
    }
}

/// Recomputes the value on the calling thread.
pub(crate) fn refresh_blocking<T: DriveBlocking>(
    request: RefreshRequest<T>,
    work: &mut impl SyncWork<T>,
) {
    let _report = ReportPanic(&request.core.function);
    if let Some(driver) = block_on(lead(request, CallMode::Sync)) {
        BlockingDriver::new(driver).finish(work);
    }
}

/// Reports a recomputation that panics: nobody else would notice.
struct ReportPanic<'a>(&'a Function);

impl Drop for ReportPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            trace::refresh_failed(&self.0.name);
        }
    }
}

/// Leads the reserved flight, as the owner of the lease.
async fn lead<T: Store>(request: RefreshRequest<T>, mode: CallMode) -> Option<Driver<T>> {
    let RefreshRequest {
        core,
        key,
        reservation,
        seen,
        created,
    } = request;
    let leader = {
        let _drops = T::defer_drops();
        reservation.lead(|| core.store.recheck(&key, &seen))?
    };
    let session = Session::for_refresh(&core.function, mode);
    let lease = match core.store.claim(&session, &key, &seen).await {
        Ok(Claim::Granted(lease)) => lease,
        // Another process computes, or the store grants no leases: not every call should ask again.
        Ok(Claim::Held(_)) | Err(_) => {
            if let Some(created) = created {
                core.back_off(&key, created, Backoff::Held, HELD_LEASE_BACKOFF);
            }
            return None;
        }
        Ok(Claim::Changed) => return None,
    };
    let mut call = CallDriver::new(core, session, key);
    call.state = State::Ready(Step::Compute(Reason::Refresh));
    call.created = created;
    call.leader = Some(leader);
    call.hold_lease(lease);
    Some(Driver::Refresh(Box::new(call)))
}
