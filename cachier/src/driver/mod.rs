//! The driver: carries out what [`decide`](crate::decision::decide) says, one step after another.
//!
//! There is one driver. Async callers await it. Sync callers block on it; each step then completes at once on their own
//! thread or parks it.

mod background_store;
mod backoff;
mod blocking;
mod claim;
mod cleanup;
mod compute;
mod core;
mod entry;
mod miss;
mod publish;
mod refresh;
mod refresh_request;
mod request;
mod serve;
mod state;
mod steps;
mod transition;
mod work;

pub(crate) use self::blocking::{BlockingDriver, DriveBlocking, SyncWork};
#[cfg(feature = "persistent")]
pub(crate) use self::cleanup::remove_in_background;
pub use self::core::Core;
pub(crate) use self::entry::EntryOperation;
pub(crate) use self::refresh::{refresh, refresh_blocking};
pub(crate) use self::refresh_request::{RefreshRequest, RefreshSpawner};
pub(crate) use self::request::{PreparedRequest, Request, TaskDriver, drive};
pub(crate) use self::transition::Response;
pub(crate) use self::work::{AsyncWork, Cacheable, Served, Slot, Work};
