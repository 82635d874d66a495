//! Stores of values, as the driver sees them: the memory of the process, or a persistent backend.

mod active_leases;
pub(crate) mod encoded;
#[cfg(feature = "memory")]
pub(crate) mod erased;
mod lease_guard;
#[cfg(feature = "memory")]
pub(crate) mod memory;
#[cfg(feature = "memory")]
pub(crate) mod near;
mod near_watcher;
pub(crate) mod persistent;
mod store;
mod target;

pub use store::{Claim, Found, Loaded, Notification, Store, StoreOutcome, Vacated};
