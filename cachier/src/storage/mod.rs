//! Stores of values, as the driver sees them: the memory of the process, or a persistent backend.

#[cfg(feature = "persistent")]
mod active_leases;
#[cfg(feature = "persistent")]
mod change_listeners;
#[cfg(all(feature = "memory", feature = "persistent"))]
pub(crate) mod change_log;
#[cfg(feature = "persistent")]
pub(crate) mod encoded;
#[cfg(feature = "memory")]
pub(crate) mod erased;
#[cfg(feature = "persistent")]
mod lease_guard;
#[cfg(feature = "memory")]
pub(crate) mod memory;
#[cfg(all(feature = "memory", feature = "persistent"))]
pub(crate) mod near;
#[cfg(all(test, shuttle, feature = "memory", feature = "persistent"))]
mod near_model;
#[cfg(feature = "persistent")]
mod near_watcher;
#[cfg(feature = "persistent")]
pub(crate) mod persistent;
#[cfg(feature = "memory")]
mod since;
mod store;
#[cfg(feature = "persistent")]
mod target;

pub use store::{Claim, Found, Loaded, Notification, Store, StoreOutcome, Vacated};
