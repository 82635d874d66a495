//! The Prometheus exporter: the figures in the formats of Prometheus, served over HTTP.

mod access;
mod body;
mod builder;
#[cfg(feature = "prometheus-client")]
mod collector;
mod connections;
mod endpoint;
mod exporter;
mod format;
mod gateway;
mod host;
mod json;
#[cfg(any(feature = "prometheus-client", feature = "prometheus-protobuf"))]
mod native;
mod page;
mod progress;
#[cfg(feature = "prometheus-protobuf")]
mod protobuf;
mod query;
mod series;
mod server;
mod shared_replies;
mod summary;
mod text;
mod view;

pub use self::builder::{PrometheusBuilder, check_metrics_address};
pub use self::exporter::PrometheusExporter;
