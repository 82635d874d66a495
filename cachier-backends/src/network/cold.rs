//! Futures that are seldom needed.

use std::pin::Pin;

/// A future that is seldom needed, in a box that shows nothing of it: it takes room neither in the future of a request nor
/// on its stack.
#[cold]
#[inline(never)]
pub(crate) fn boxed_cold<'a, F>(
    make: impl FnOnce() -> F,
) -> Pin<Box<dyn Future<Output = F::Output> + Send + 'a>>
where
    F: Future + Send + 'a,
{
    Box::pin(make())
}
