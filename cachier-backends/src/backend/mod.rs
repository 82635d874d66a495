//! The trait that every backend implements.

mod capability;
mod change;
mod figures;
#[cfg(feature = "_network")]
mod instance;
mod into_backend;
mod lease;
mod operations;
mod types;
mod version;

pub(crate) use crate::usage::{BoxFuture, Usage};
pub use capability::{Capabilities, Capability};
pub use change::{Change, Watch, Watcher};
pub use figures::{Figures, Pool, WaitObserver};
#[cfg(feature = "_network")]
pub(crate) use instance::{Instance, Reopen, backend_by_instance, instance};
pub use into_backend::IntoBackend;
pub use lease::{Lease, LeaseReply, Renewal, Vacated};
pub use operations::Backend;
pub use types::{Loaded, StoreReply, StoreRequest};
pub use version::EntryVersion;
