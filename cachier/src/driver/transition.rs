//! What the turns of the driver come to.

use std::pin::Pin;

use cachier_backends::Error;

use super::work::Cacheable;
use crate::call::Call;
use crate::flight::ComputationId;

/// What a turn that meets the function came to.
pub(super) enum Transition<E> {
    /// There is more to wait for.
    Wait,
    /// The function is to run.
    Run(RunSpec),
    /// That was all.
    Done(E),
}

/// How the function is to run.
pub struct RunSpec {
    /// The computation that its execution is; `None` for one of a call that bypasses the cache.
    pub(super) computation: Option<ComputationId>,
    pub(super) cacheable: Cacheable,
}

/// How a request ended; a value is in the slot.
pub enum Response {
    /// In a box: it is large, and waits on the stack for the function.
    Call(Box<Call<()>>),
    Invalidated(Result<bool, Error>),
    /// Whether there was an entry.
    Peeked(Result<bool, Error>),
    Precached(Result<(), Error>),
}

impl<E> Transition<E> {
    pub(super) fn map<F>(self, end: impl FnOnce(E) -> F) -> Transition<F> {
        match self {
            Self::Wait => Transition::Wait,
            Self::Run(spec) => Transition::Run(spec),
            Self::Done(response) => Transition::Done(end(response)),
        }
    }
}

/// A future that is seldom needed, in a box that shows nothing of it: it takes room neither in the future of a hit nor on
/// its stack.
#[cold]
#[inline(never)]
pub(super) fn boxed_cold<'a, F>(
    make: impl FnOnce() -> F,
) -> Pin<Box<dyn Future<Output = F::Output> + Send + 'a>>
where
    F: Future + Send + 'a,
{
    Box::pin(make())
}
