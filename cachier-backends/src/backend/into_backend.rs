//! Conversions into backends.

use std::sync::Arc;

use super::operations::Backend;
use crate::blocking::{Blocking, BlockingBackend};

/// Types that are accepted as a backend: a [`Backend`], a [`BlockingBackend`], or an `Arc<dyn Backend>`.
///
/// `Form` tells which of them it is; the compiler infers it. A type that is a [`Backend`] and a [`BlockingBackend`] at once
/// is wrapped by hand: [`Blocking::new`] for the second.
///
/// ```
/// # #[cfg(feature = "file")] {
/// use cachier_backends::{IntoBackend, file::FileBackend};
///
/// let backend = FileBackend::new("/var/cache/app").into_backend();
/// assert_eq!(backend.kind(), "file");
/// assert_eq!(backend.into_backend().store_name(), "/var/cache/app");
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend",
    label = "implements neither `Backend` nor `BlockingBackend`",
    note = "what returns a `Result`, such as `RedisBackend::from_url(url)`, needs a `?` behind it"
)]
pub trait IntoBackend<Form: ?Sized> {
    /// The backend, to be shared.
    fn into_backend(self) -> Arc<dyn Backend>;
}

impl<B: Backend> IntoBackend<dyn Backend> for B {
    fn into_backend(self) -> Arc<dyn Backend> {
        Arc::new(self)
    }
}

impl<B: BlockingBackend> IntoBackend<dyn BlockingBackend> for B {
    fn into_backend(self) -> Arc<dyn Backend> {
        Arc::new(Blocking::new(self))
    }
}

impl IntoBackend<Self> for Arc<dyn Backend> {
    fn into_backend(self) -> Arc<dyn Backend> {
        self
    }
}
