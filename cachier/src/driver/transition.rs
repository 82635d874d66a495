//! Transitions of the driver, and its responses.

use cachier_backends::Error;

use super::work::Cacheable;
use crate::call::Call;
use crate::flight::{ComputationId, EnterGuard};
use crate::span::{CallSpan, EnteredSpan};

/// The result of a step.
pub(super) enum Transition<E> {
    /// There is something to wait for.
    Wait,
    /// The function has to run.
    Run(RunSpec),
    /// The request is done.
    Done(E),
}

/// How to run the function.
pub struct RunSpec {
    /// The computation that the run is; `None` for a call that bypasses the cache.
    pub(super) computation: Option<ComputationId>,
    pub(super) cacheable: Cacheable,
    /// The span of the call that the run is a part of.
    pub(super) span: CallSpan,
}

/// The response to a request; a value is in the slot.
pub enum Response {
    /// Boxed: it is large, and stays on the stack while the function runs.
    Call(Box<Call<()>>),
    /// The same to a call whose details nobody asks for.
    Value,
    Invalidated(Result<bool, Error>),
    /// Whether there was an entry.
    Peeked(Result<bool, Error>),
    Precached(Result<(), Error>),
}

impl RunSpec {
    /// Makes what this thread does a part of the call and of its computation, until dropped.
    pub(super) fn enter(&self) -> (EnteredSpan, Option<EnterGuard>) {
        let entered = self.span.entered();
        (entered, self.computation.map(EnterGuard::new))
    }
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

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::flight::current;

    #[test]
    fn a_run_is_in_its_computation() {
        let spec = |computation| RunSpec {
            computation,
            cacheable: Cacheable::Values,
            span: CallSpan::default(),
        };
        let computation = Some(ComputationId::next());
        let (outer, bypass) = (spec(computation), spec(None));
        let entered = outer.enter();
        assert_eq!(current(), computation);
        drop(bypass.enter());
        assert_eq!(
            current(),
            computation,
            "a bypass is part of what is around it"
        );
        drop(entered);
        assert_eq!(current(), None);
    }
}
