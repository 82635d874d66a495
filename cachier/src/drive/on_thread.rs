//! Synchronous functions of whatever types, on the thread of their callers.
//!
//! The function runs outside of every future, and what the driver knows meanwhile is in a box, so that the stack of a
//! recursion is filled by the function's own frames.

use super::errand::{Errand, Plan};
use super::turn::{Ended, Met};
use super::work::{Cacheable, Work};
use crate::block_on::block_on;
use crate::call::Flavour;
use crate::decision::Computed;
use crate::flight::Entered;
use crate::storage::Tiers;
#[cfg(feature = "memory")]
use crate::storage::memory::InMemory;
use crate::storage::persistent::Persistent;

/// A synchronous function of any type: one driver serves all of them.
pub trait RunOnThread<T: Tiers>: Work<T> {
    /// Runs the function; its result is in the slot afterwards.
    fn run(&mut self, cacheable: Cacheable) -> Computed;
}

/// A storage whose synchronous functions run on the threads of their callers.
///
/// Each storage has the driver's part of that by itself, so that it is compiled once here, and not with every program.
pub trait ThreadDriver: Tiers {
    /// Goes on with what is asked of a synchronous function, until that is to run.
    fn proceed_on_thread(
        asked: &mut OnThread<Self>,
        work: &mut dyn Work<Self>,
    ) -> Option<Cacheable>;
    /// The same when it has run.
    fn computed_on_thread(
        asked: &mut OnThread<Self>,
        computed: Computed,
        work: &mut dyn Work<Self>,
    );
}

impl ThreadDriver for Persistent {
    fn proceed_on_thread(
        asked: &mut OnThread<Self>,
        work: &mut dyn Work<Self>,
    ) -> Option<Cacheable> {
        asked.proceed(work)
    }

    fn computed_on_thread(
        asked: &mut OnThread<Self>,
        computed: Computed,
        work: &mut dyn Work<Self>,
    ) {
        asked.computed(computed, work);
    }
}

#[cfg(feature = "memory")]
impl ThreadDriver for InMemory {
    fn proceed_on_thread(
        asked: &mut OnThread<Self>,
        work: &mut dyn Work<Self>,
    ) -> Option<Cacheable> {
        asked.proceed(work)
    }

    fn computed_on_thread(
        asked: &mut OnThread<Self>,
        computed: Computed,
        work: &mut dyn Work<Self>,
    ) {
        asked.computed(computed, work);
    }
}

/// What is asked for, on the thread of its caller.
pub struct OnThread<T: Tiers> {
    /// While the function runs: here, and not on the stack of a recursion. Dropped first, as the function is over by then.
    entered: Option<Entered>,
    errand: Errand<T>,
    ended: Option<Ended>,
}

impl<T: ThreadDriver> OnThread<T> {
    /// Carries it out. Inlined, so that nothing of it lies between a recursive function and itself.
    #[inline]
    pub(crate) fn finish(&mut self, work: &mut impl RunOnThread<T>) {
        while let Some(cacheable) = T::proceed_on_thread(self, work) {
            let computed = work.run(cacheable);
            T::computed_on_thread(self, computed, work);
        }
    }
}

impl<T: Tiers> OnThread<T> {
    /// Begins to carry out a plan.
    pub(crate) fn open(plan: Plan<T>, work: &mut dyn Work<T>) -> Box<Self> {
        Self::resume(Errand::open(plan, Flavour::Sync, work.slot()))
    }

    /// Goes on with what was begun elsewhere.
    pub(super) fn resume(errand: Errand<T>) -> Box<Self> {
        Box::new(Self {
            entered: None,
            errand,
            ended: None,
        })
    }

    /// How it ended.
    pub(crate) fn ended(self) -> Ended {
        match self.ended {
            Some(ended) => ended,
            None => unreachable!("it is carried out first"),
        }
    }

    /// Goes on until the function is to run, or all is done. Not inlined, as what follows is not: the function does not run
    /// on top of its frame.
    #[inline(never)]
    pub(crate) fn proceed(&mut self, work: &mut dyn Work<T>) -> Option<Cacheable> {
        loop {
            block_on(self.errand.proceed());
            match self.errand.meet(work) {
                Met::Nothing => {}
                Met::Function(to_run) => {
                    self.entered = to_run.computation.map(Entered::new);
                    return Some(to_run.cacheable);
                }
                Met::End(ended) => {
                    self.ended = Some(ended);
                    return None;
                }
            }
        }
    }

    /// The function has run.
    #[inline(never)]
    pub(crate) fn computed(&mut self, computed: Computed, work: &mut dyn Work<T>) {
        self.entered = None;
        self.errand.computed(computed, work.slot());
    }
}
