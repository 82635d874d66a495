//! Exporters: each translates the one catalogue into the words of another system, none computes figures of its own.

mod buckets;
mod catalogue;
mod error;
mod points;
mod prometheus;
mod registry;

pub use buckets::Detail;
pub use error::ExportError;
pub use prometheus::{PrometheusBuilder, PrometheusExporter};
