//! What the turns of the driver come to.

use std::pin::Pin;

use cachier_backends::Error;

use super::work::Cacheable;
use crate::call::Call;
use crate::flight::ComputationId;

/// What a turn that meets the function came to.
pub(super) enum Met<E> {
    /// There is more to wait for.
    Nothing,
    /// The function is to run.
    Function(ToRun),
    /// That was all.
    End(E),
}

/// How the function is to run.
pub struct ToRun {
    /// The computation that its execution is; `None` for one of a call that bypasses the cache.
    pub(super) computation: Option<ComputationId>,
    pub(super) cacheable: Cacheable,
}

/// How an errand ended; a value is in the slot.
pub enum Ended {
    /// In a box: it is large, and waits on the stack for the function.
    Call(Box<Call<()>>),
    Invalidated(Result<bool, Error>),
    /// Whether there was an entry.
    Peeked(Result<bool, Error>),
    Precached(Result<(), Error>),
}

impl<E> Met<E> {
    pub(super) fn map<F>(self, end: impl FnOnce(E) -> F) -> Met<F> {
        match self {
            Self::Nothing => Met::Nothing,
            Self::Function(to_run) => Met::Function(to_run),
            Self::End(ended) => Met::End(end(ended)),
        }
    }
}

/// A future that is seldom needed, in a box that shows nothing of it: it takes room neither in the future of a hit nor on
/// its stack.
#[cold]
#[inline(never)]
pub(super) fn apart<'a, F>(
    make: impl FnOnce() -> F,
) -> Pin<Box<dyn Future<Output = F::Output> + Send + 'a>>
where
    F: Future + Send + 'a,
{
    Box::pin(make())
}
