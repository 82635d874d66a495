//! Synchronous functions of whatever types, on the thread of their callers.
//!
//! The function runs outside of every future, and what the driver knows meanwhile is in a box, so that the stack of a
//! recursion is filled by the function's own frames.

use super::request::{Driver, PreparedRequest};
use super::transition::{Response, Transition};
use super::work::{Cacheable, Work};
use crate::block_on::block_on;
use crate::call::CallMode;
use crate::decision::ResultKind;
use crate::flight::EnterGuard;
use crate::storage::Store;
#[cfg(feature = "memory")]
use crate::storage::memory::ErasedMemory;
use crate::storage::persistent::Persistent;

/// A synchronous function of any type: one driver serves all of them.
pub trait SyncWork<T: Store>: Work<T> {
    /// Runs the function; its result is in the slot afterwards.
    fn run(&mut self, cacheable: Cacheable) -> ResultKind;
}

/// A storage whose synchronous functions run on the threads of their callers.
///
/// Each storage has the driver's part of that by itself, so that it is compiled once here, and not with every program.
pub trait DriveBlocking: Store {
    /// Goes on with what is asked of a synchronous function, until that is to run.
    fn proceed_blocking(
        driver: &mut BlockingDriver<Self>,
        work: &mut dyn Work<Self>,
    ) -> Option<Cacheable>;
    /// The same when it has run.
    fn computed_blocking(
        driver: &mut BlockingDriver<Self>,
        kind: ResultKind,
        work: &mut dyn Work<Self>,
    );
}

impl DriveBlocking for Persistent {
    fn proceed_blocking(
        driver: &mut BlockingDriver<Self>,
        work: &mut dyn Work<Self>,
    ) -> Option<Cacheable> {
        driver.proceed(work)
    }

    fn computed_blocking(
        driver: &mut BlockingDriver<Self>,
        kind: ResultKind,
        work: &mut dyn Work<Self>,
    ) {
        driver.computed(kind, work);
    }
}

#[cfg(feature = "memory")]
impl DriveBlocking for ErasedMemory {
    fn proceed_blocking(
        driver: &mut BlockingDriver<Self>,
        work: &mut dyn Work<Self>,
    ) -> Option<Cacheable> {
        driver.proceed(work)
    }

    fn computed_blocking(
        driver: &mut BlockingDriver<Self>,
        kind: ResultKind,
        work: &mut dyn Work<Self>,
    ) {
        driver.computed(kind, work);
    }
}

/// A request, carried out on the thread of its caller.
pub struct BlockingDriver<T: Store> {
    /// While the function runs: here, and not on the stack of a recursion. Dropped first, as the function is over by then.
    guard: Option<EnterGuard>,
    driver: Driver<T>,
    response: Option<Response>,
}

impl<T: DriveBlocking> BlockingDriver<T> {
    /// Carries the request out. Inlined, so that nothing of it lies between a recursive function and itself.
    #[inline]
    pub(crate) fn finish(&mut self, work: &mut impl SyncWork<T>) {
        while let Some(cacheable) = T::proceed_blocking(self, work) {
            let kind = work.run(cacheable);
            T::computed_blocking(self, kind, work);
        }
    }
}

impl<T: Store> BlockingDriver<T> {
    /// Begins to carry out a request.
    pub(crate) fn open(prepared: PreparedRequest<T>, work: &mut dyn Work<T>) -> Box<Self> {
        Self::resume(Driver::open(prepared, CallMode::Sync, work.slot()))
    }

    /// Goes on with what was begun elsewhere.
    pub(super) fn resume(driver: Driver<T>) -> Box<Self> {
        Box::new(Self {
            guard: None,
            driver,
            response: None,
        })
    }

    /// What came of it.
    pub(crate) fn response(self) -> Response {
        match self.response {
            Some(response) => response,
            None => unreachable!("it is carried out first"),
        }
    }

    /// Goes on until the function is to run, or all is done. Not inlined, as what follows is not: the function does not run
    /// on top of its frame.
    #[inline(never)]
    pub(crate) fn proceed(&mut self, work: &mut dyn Work<T>) -> Option<Cacheable> {
        loop {
            block_on(self.driver.proceed());
            match self.driver.step(work) {
                Transition::Wait => {}
                Transition::Run(spec) => {
                    self.guard = spec.computation.map(EnterGuard::new);
                    return Some(spec.cacheable);
                }
                Transition::Done(response) => {
                    self.response = Some(response);
                    return None;
                }
            }
        }
    }

    /// The function has run.
    #[inline(never)]
    pub(crate) fn computed(&mut self, kind: ResultKind, work: &mut dyn Work<T>) {
        self.guard = None;
        self.driver.computed(kind, work.slot());
    }
}
