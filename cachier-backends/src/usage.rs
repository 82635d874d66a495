//! Usage of stores of all kinds, and boxed futures.

use std::pin::Pin;

use crate::error::Error;

/// The entries of one function in a store. Unknown figures are absent, not zero.
///
/// ```
/// use cachier_backends::Usage;
///
/// let usage = Usage::new(Some(3), None);
/// assert_eq!(usage.bytes.unwrap_or_default(), 0, "not known");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The number of entries.
    pub entries: Option<u64>,
    /// Their total size.
    pub bytes: Option<u64>,
}

impl Usage {
    /// The number of entries and their total size, as far as they are known.
    #[must_use]
    pub fn new(entries: Option<u64>, bytes: Option<u64>) -> Self {
        Self { entries, bytes }
    }
}

/// The future of an operation on a store.
///
/// ```
/// use cachier_backends::BoxFuture;
///
/// fn entries<'a>(names: &'a [&'a str]) -> BoxFuture<'a, usize> {
///     Box::pin(async move { Ok(names.len()) })
/// }
/// # drop(entries(&["a"]));
/// ```
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;
