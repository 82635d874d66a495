//! The Prometheus exporter: the figures in the formats of Prometheus, served over HTTP.

mod access;
mod builder;
mod connections;
mod endpoint;
mod exporter;
mod format;
mod gateway;
mod host;
mod json;
#[cfg(feature = "prometheus-protobuf")]
mod protobuf;
mod query;
mod series;
mod server;
mod summary;
mod text;
mod view;

pub use self::builder::PrometheusBuilder;
pub use self::exporter::PrometheusExporter;
