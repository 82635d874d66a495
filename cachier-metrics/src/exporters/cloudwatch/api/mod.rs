//! CloudWatch by its API, PutMetricData.

mod backoff;
mod exporter;
mod requests;
mod sender;

pub use self::exporter::{CloudWatchBuilder, CloudWatchExporter};
