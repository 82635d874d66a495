//! Synchronous functions of whatever types, on the thread of their callers.

use futures_lite::future::block_on;

use super::{Cacheable, Compute, Ended, Errand, Flavour, Plan, Refreshing, Slot, Work, carry_out};
use crate::decision::Computed;
use crate::storage::Tiers;

/// A synchronous function of any type: one driver serves all of them.
pub trait RunOnThread<T: Tiers>: Work<T> {
    /// Runs the function; its result is in the slot afterwards.
    fn run(&mut self, cacheable: Cacheable) -> Computed;
}

/// Shows the driver a synchronous function: it is done as soon as it is awaited.
pub(crate) struct OnThread<'a, T: Tiers>(pub(crate) &'a mut dyn RunOnThread<T>);

/// Carries out what is asked for on the calling thread.
pub(crate) fn carry_out_on_thread<T: Tiers>(plan: Plan<T>, work: &mut dyn RunOnThread<T>) -> Ended {
    let mut errand = Errand::open(plan, Flavour::Sync, work.slot());
    block_on(carry_out(&mut errand, &mut OnThread(work)))
}

impl<T: Tiers> Work<T> for OnThread<'_, T> {
    fn slot(&mut self) -> &mut dyn Slot<T::Value> {
        self.0.slot()
    }

    fn defer(&mut self) -> Option<Refreshing<T>> {
        self.0.defer()
    }
}

impl<T: Tiers> Compute<T> for OnThread<'_, T> {
    async fn compute(&mut self, cacheable: Cacheable) -> Computed {
        self.0.run(cacheable)
    }
}
