//! Synchronous functions, run on the caller's thread.
//!
//! The function runs outside any future, and the driver's state is boxed meanwhile, so that a recursion fills the stack with
//! the function's own frames only.

use super::request::{Driver, PreparedRequest};
use super::transition::{Response, Transition};
use super::work::{Cacheable, Work};
use crate::block_on::block_on;
use crate::call::CallMode;
use crate::decision::ResultKind;
use crate::flight::EnterGuard;
use crate::span::EnteredSpan;
use crate::storage::Store;
#[cfg(feature = "memory")]
use crate::storage::memory::ErasedMemory;
#[cfg(feature = "persistent")]
use crate::storage::persistent::Persistent;

/// A synchronous function, its types erased: one driver serves all.
pub trait SyncWork<T: Store>: Work<T> {
    /// Runs the function; leaves its result in the slot.
    fn run(&mut self, cacheable: Cacheable) -> ResultKind;
}

/// A store whose synchronous functions run on their callers' threads.
///
/// Implemented per store, so that the driver is compiled once in this crate and not again in every program.
pub trait DriveBlocking: Store {
    /// Drives the request until the function has to run.
    fn proceed_blocking(
        driver: &mut BlockingDriver<Self>,
        work: &mut dyn Work<Self>,
    ) -> Option<Cacheable>;
    /// Takes the result of the function.
    fn computed_blocking(
        driver: &mut BlockingDriver<Self>,
        kind: ResultKind,
        work: &mut dyn Work<Self>,
    );
}

macro_rules! drive_blocking {
    ($($(#[$condition:meta])? $store:ty;)*) => {$(
        $(#[$condition])?
        impl DriveBlocking for $store {
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
    )*};
}

drive_blocking! {
    #[cfg(feature = "persistent")]
    Persistent;
    #[cfg(feature = "memory")]
    ErasedMemory;
}

/// Drives a request on the caller's thread.
pub struct BlockingDriver<T: Store> {
    /// Held while the function runs; kept here to stay off the stack of a recursion.
    guard: Option<EnterGuard>,
    /// The same for the call's span.
    entered: EnteredSpan,
    driver: Driver<T>,
    response: Option<Response>,
}

impl<T: Store> From<PreparedRequest<T>> for BlockingDriver<T> {
    #[inline]
    fn from(prepared: PreparedRequest<T>) -> Self {
        Self::new(Driver::Prepared(prepared))
    }
}

impl<T: DriveBlocking> BlockingDriver<T> {
    /// Drives the request to its end. Inlined, so that it puts no frame between the levels of a recursion.
    #[inline]
    pub(crate) fn finish(&mut self, work: &mut impl SyncWork<T>) {
        while let Some(cacheable) = T::proceed_blocking(self, work) {
            let kind = work.run(cacheable);
            T::computed_blocking(self, kind, work);
        }
    }
}

impl<T: Store> BlockingDriver<T> {
    /// Drives a request, started or not.
    #[inline]
    pub(super) fn new(driver: Driver<T>) -> Self {
        Self {
            guard: None,
            entered: EnteredSpan::default(),
            driver,
            response: None,
        }
    }

    /// The response.
    pub(crate) fn response(&mut self) -> Response {
        match self.response.take() {
            Some(response) => response,
            None => unreachable!("a response is read once the request is done"),
        }
    }

    /// Drives the request until the function has to run or everything is done. Not inlined, so that the function does not
    /// run on top of this frame.
    #[inline(never)]
    pub(crate) fn proceed(&mut self, work: &mut dyn Work<T>) -> Option<Cacheable> {
        self.driver.open(CallMode::Sync, work.slot());
        loop {
            if !self.driver.is_ready() {
                block_on(self.driver.proceed());
            }
            match self.driver.step(work) {
                Transition::Wait => {}
                Transition::Run(spec) => {
                    self.guard = spec.computation.map(EnterGuard::new);
                    self.entered = spec.span.entered();
                    return Some(spec.cacheable);
                }
                Transition::Done(response) => {
                    self.response = Some(response);
                    return None;
                }
            }
        }
    }

    /// Takes the result of the function.
    #[inline(never)]
    pub(crate) fn computed(&mut self, kind: ResultKind, work: &mut dyn Work<T>) {
        self.guard = None;
        self.entered = EnteredSpan::default();
        self.driver.computed(kind, work.slot());
    }
}
