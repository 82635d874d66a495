//! Boxed futures for cold paths.

use std::pin::Pin;

/// Boxes a future that is rarely polled, which keeps the caller's future and stack small.
///
/// ```
/// use cachier_backends::cold::boxed_cold;
///
/// assert_eq!(futures_lite::future::block_on(boxed_cold(|| async { 7 })), 7);
/// ```
#[cold]
#[inline(never)]
pub fn boxed_cold<'a, F>(
    make: impl FnOnce() -> F,
) -> Pin<Box<dyn Future<Output = F::Output> + Send + 'a>>
where
    F: Future + Send + 'a,
{
    Box::pin(make())
}
