//! A recomputation in the background that waits to be begun.

use super::core::Core;
use crate::flight::Reservation;
use crate::storage::{Found, Store};

/// Starts a recomputation: it holds the function and its arguments, and waits to be told for which flight.
pub type RefreshSpawner<T> = Box<dyn FnOnce(RefreshRequest<T>) + Send>;

/// The flight that a recomputation is to carry.
pub struct RefreshRequest<T: Store> {
    pub(super) core: &'static Core<T>,
    pub(super) key: T::Key,
    pub(super) reservation: Reservation<'static, T::Key, Found<T::Value>>,
    pub(super) seen: T::Seen,
    /// When the value was created that is to be replaced.
    pub(super) created: Option<u64>,
}

impl<T: Store> RefreshRequest<T> {
    pub(crate) fn core(&self) -> &'static Core<T> {
        self.core
    }
}
