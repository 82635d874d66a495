//! Background work: refreshes, large stores, clean-ups.
//!
//! It runs on a few threads of its own. Only recomputations of async functions start on the tokio runtime of their caller,
//! whose timers and sockets they may use. [`flush`](crate::flush) waits for all of it.

#[cfg(feature = "tokio")]
mod on_runtime;
mod pool;
mod task;
#[cfg(feature = "persistent")]
mod unused_folders;

pub(crate) use self::pool::{WorkerPool, run_on_thread, run_on_thread_if_any};
pub(crate) use self::task::run_as_task;
#[cfg(feature = "persistent")]
pub(crate) use self::unused_folders::remove_unused_folders;
