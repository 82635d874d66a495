//! Recomputing a stale value in the background.

use std::time::Duration;

use cachier_metrics::Reason;

use super::errand::{Errand, carry_out};
use super::on_thread::{OnThread, RunOnThread, ThreadDriver};
use super::state::{Drive, Step, Turn};
use super::ticket::Ticket;
use super::work::Compute;
use crate::block_on::block_on;
use crate::call::Flavour;
use crate::decision::Pause;
use crate::function::Function;
use crate::session::Session;
use crate::storage::{Claim, Tiers};
use crate::trace;

/// How long nobody asks for a lease again that was not granted.
const WHILE_HELD: Duration = Duration::from_millis(500);

/// Recomputes the value in a task, unless another caller or process does by now.
pub(crate) async fn refresh<T: Tiers, F: Future>(ticket: Ticket<T>, mut work: impl Compute<T, F>) {
    let _told = ToldOfPanic(&ticket.core.function);
    if let Some(mut errand) = lead(ticket, Flavour::Async).await {
        carry_out(&mut errand, &mut work).await;
    }
}

/// The same on the calling thread.
pub(crate) fn refresh_on_thread<T: ThreadDriver>(
    ticket: Ticket<T>,
    work: &mut impl RunOnThread<T>,
) {
    let _told = ToldOfPanic(&ticket.core.function);
    if let Some(errand) = block_on(lead(ticket, Flavour::Sync)) {
        OnThread::resume(errand).finish(work);
    }
}

/// Tells of a recomputation that ends with a panic, which nobody else hears of.
struct ToldOfPanic<'a>(&'a Function);

impl Drop for ToldOfPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            trace::refresh_failed(&self.0.name);
        }
    }
}

/// Leads the flight that was announced, as the owner of the lease.
async fn lead<T: Tiers>(ticket: Ticket<T>, flavour: Flavour) -> Option<Errand<T>> {
    let Ticket {
        core,
        key,
        announced,
        seen,
        created,
    } = ticket;
    let leader = {
        let _drops = T::defer_drops();
        announced.lead(|| core.tiers.recheck(&key, &seen))?
    };
    let session = Session::of_refresh(&core.function, flavour);
    let lease = match core.tiers.claim(&session, &key, &seen).await {
        Ok(Claim::Granted(lease)) => lease,
        // Another process is at it, or the store gives no leases: not every call is to ask.
        Ok(Claim::Held(_)) | Err(_) => {
            if let Some(created) = created {
                core.pause(&key, created, Pause::Held, WHILE_HELD);
            }
            return None;
        }
        Ok(Claim::Changed) => return None,
    };
    let mut drive = Drive::new(core, session, key);
    drive.turn = Turn::Act(Step::Compute(Reason::Refresh));
    drive.created = created;
    drive.leader = Some(leader);
    drive.own(lease);
    Some(Errand::Refresh(drive))
}
