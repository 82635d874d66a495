//! The figures of many processes through a store that they share: publishing one's own, and reading those of all.
//!
//! Each instance keeps its figures under keys of its own, so it publishes with one request and waits for no other. The
//! ledger, which all share, says whose figures there are, and sums up those of ended instances.

mod member;
mod metrics_store;
mod program;
mod reader;
mod reading;
mod view;

pub(crate) use self::program::publish_on_flush;
pub use self::program::{cluster_stats, cluster_stats_async, publish_metrics};
pub use self::reader::ClusterReader;
