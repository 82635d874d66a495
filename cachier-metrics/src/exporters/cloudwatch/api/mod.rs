//! CloudWatch by its API, PutMetricData.

mod backoff;
mod exporter;
mod failure;
mod requests;
mod sender;
#[cfg(all(test, not(shuttle)))]
#[allow(clippy::unwrap_used, reason = "for tests")]
#[path = "../../../../tests/support/cloudwatch.rs"]
mod service;

pub use self::exporter::{CloudWatchBuilder, CloudWatchExporter};
