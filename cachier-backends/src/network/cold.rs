//! Boxed futures for cold paths.

use std::pin::Pin;

/// Boxes a future that is rarely polled, which keeps the caller's future and stack small.
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
