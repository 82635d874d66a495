//! A recomputation that is to start in the background.

use super::core::Core;
use crate::flight::Reservation;
use crate::storage::{Found, Store};

/// Starts a recomputation: holds the function and its arguments until it is given the request.
pub type RefreshSpawner<T> = Box<dyn FnOnce(RefreshRequest<T>) + Send>;

/// A recomputation and the flight it belongs to.
pub struct RefreshRequest<T: Store> {
    pub(super) core: &'static Core<T>,
    pub(super) key: T::Key,
    pub(super) reservation: Reservation<'static, T::Key, Found<T::Value>>,
    pub(super) seen: T::Seen,
    /// When the value to be replaced was created.
    pub(super) created: Option<u64>,
}

impl<T: Store> RefreshRequest<T> {
    pub(crate) fn core(&self) -> &'static Core<T> {
        self.core
    }
}
