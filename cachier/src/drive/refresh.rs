//! Recomputing a stale value in the background.

use std::time::Duration;

use cachier_metrics::Reason;

use super::{
    Compute, Core, Drive, Errand, OnThread, RunOnThread, Step, ThreadDriver, Turn, carry_out,
};
use crate::block_on::block_on;
use crate::call::Flavour;
use crate::decision::Pause;
use crate::flight::Announced;
use crate::function::Function;
use crate::session::Session;
use crate::storage::{Claim, Found, Tiers};
use crate::trace;

/// How long nobody asks for a lease that another process had.
const WHILE_HELD: Duration = Duration::from_millis(500);

/// Starts a recomputation: it holds the function and its arguments, and waits to be told for which flight.
pub type Refreshing<T> = Box<dyn FnOnce(Ticket<T>) + Send>;

/// The flight that a recomputation is to carry.
pub struct Ticket<T: Tiers> {
    pub(super) core: &'static Core<T>,
    pub(super) key: T::Key,
    pub(super) announced: Announced<'static, T::Key, Found<T::Value>>,
    pub(super) seen: T::Seen,
    /// When the value was created that is to be replaced.
    pub(super) created: Option<u64>,
}

impl<T: Tiers> Ticket<T> {
    pub(crate) fn core(&self) -> &'static Core<T> {
        self.core
    }
}

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
        Ok(Claim::Held(_)) => {
            if let Some(created) = created {
                core.pause(&key, created, Pause::Held, WHILE_HELD);
            }
            return None;
        }
        Ok(Claim::Changed) | Err(_) => return None,
    };
    let mut drive = Drive::new(core, session, key);
    drive.turn = Turn::Act(Step::Compute(Reason::Refresh));
    drive.created = created;
    drive.leader = Some(leader);
    drive.own(lease);
    Some(Errand::Refresh(drive))
}
