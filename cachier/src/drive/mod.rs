//! The driver: carries out what [`decide`](crate::decision::decide) says, one step after another.
//!
//! There is one driver. Asynchronous callers await it; synchronous ones block on it, and then every step either is done
//! at once on their own thread or parks it.

mod claim;
mod clean_up;
mod compute;
mod core;
mod entry;
mod errand;
mod on_thread;
mod pausing;
mod put;
mod refresh;
mod serve;
mod state;
mod steps;
mod store_later;
mod ticket;
mod turn;
mod work;

pub(crate) use self::clean_up::remove_later;
pub use self::core::Core;
pub(crate) use self::entry::EntryOperation;
pub(crate) use self::errand::{Asked, Errand, Plan, carry_out};
pub(crate) use self::on_thread::{OnThread, RunOnThread, ThreadDriver};
pub(crate) use self::refresh::{refresh, refresh_on_thread};
pub(crate) use self::ticket::{Refreshing, Ticket};
pub(crate) use self::turn::Ended;
pub(crate) use self::work::{Cacheable, Compute, Served, Slot, Work};
