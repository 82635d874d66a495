//! Driving the call of a synchronous function, whatever its types.

use futures_lite::future::block_on;

use super::{Cacheable, Core, Refreshing, Session, Settled, Slot, Work, clean_up, run};
use crate::decision::Computed;
use crate::storage::Tiers;

/// A synchronous function of any type: one driver serves all of them.
pub trait RunOnThread<T: Tiers> {
    fn slot(&mut self) -> &mut dyn Slot<T::Value>;
    fn compute(&mut self, cacheable: Cacheable) -> Computed;
    fn defer(&mut self) -> Option<Refreshing<T>>;
}

/// Shows the driver a synchronous function: it is done as soon as it is awaited.
pub(crate) struct OnThread<'a, T: Tiers>(pub(crate) &'a mut dyn RunOnThread<T>);

/// Carries one call to its end, and starts what is to follow it.
pub(crate) fn drive_on_thread<T: Tiers>(
    core: &'static Core<T>,
    session: &Session<'_>,
    key: &T::Key,
    work: &mut dyn RunOnThread<T>,
) -> Settled {
    let settled = block_on(run(core, session, key, &mut OnThread(work)));
    clean_up(core, session);
    settled
}

impl<T: Tiers> Work for OnThread<'_, T> {
    type Value = T::Value;
    type Refresh = Refreshing<T>;

    fn slot(&mut self) -> &mut dyn Slot<T::Value> {
        self.0.slot()
    }

    async fn compute(&mut self, cacheable: Cacheable) -> Computed {
        self.0.compute(cacheable)
    }

    fn defer(&mut self) -> Option<Refreshing<T>> {
        self.0.defer()
    }
}
