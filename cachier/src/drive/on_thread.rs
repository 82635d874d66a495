//! Synchronous functions of whatever types, on the thread of their callers.

use std::pin::Pin;
use std::task::{Context, Poll};

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
pub(crate) struct OnThread<'a, T: Tiers> {
    /// `None` while it runs.
    work: Option<&'a mut dyn RunOnThread<T>>,
}

/// A synchronous function at work.
pub(crate) struct Running<'a, T: Tiers> {
    work: Option<&'a mut dyn RunOnThread<T>>,
    cacheable: Cacheable,
}

/// Carries out what is asked for on the calling thread.
pub(crate) fn carry_out_on_thread<T: Tiers>(plan: Plan<T>, work: &mut dyn RunOnThread<T>) -> Ended {
    let mut errand = Errand::open(plan, Flavour::Sync, work.slot());
    block_on(carry_out(&mut errand, &mut OnThread::new(work)))
}

impl<'a, T: Tiers> OnThread<'a, T> {
    pub(crate) fn new(work: &'a mut dyn RunOnThread<T>) -> Self {
        Self { work: Some(work) }
    }

    fn work(&mut self) -> &mut dyn RunOnThread<T> {
        match &mut self.work {
            Some(work) => *work,
            None => unreachable!("the driver waits while the function runs"),
        }
    }
}

impl<T: Tiers> Work<T> for OnThread<'_, T> {
    fn slot(&mut self) -> &mut dyn Slot<T::Value> {
        self.work().slot()
    }

    fn defer(&mut self) -> Option<Refreshing<T>> {
        self.work().defer()
    }
}

impl<'a, T: Tiers> Compute<T, Running<'a, T>> for OnThread<'a, T> {
    fn begin(&mut self, cacheable: Cacheable) -> Running<'a, T> {
        let work = self.work.take();
        Running { work, cacheable }
    }

    fn end(
        &mut self,
        (work, computed): (&'a mut dyn RunOnThread<T>, Computed),
        _: Cacheable,
    ) -> Computed {
        self.work = Some(work);
        computed
    }
}

impl<'a, T: Tiers> Future for Running<'a, T> {
    type Output = (&'a mut dyn RunOnThread<T>, Computed);

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = self.work.take() else {
            unreachable!("a call runs its function once");
        };
        let computed = work.run(self.cacheable);
        Poll::Ready((work, computed))
    }
}
