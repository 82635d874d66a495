//! Exporters: each translates the catalogue for another system, none computes figures of its own.

mod buckets;
mod catalogue;
mod error;
mod points;
mod prometheus;
mod registry;

pub use buckets::Detail;
pub use error::ExportError;
pub use prometheus::{PrometheusBuilder, PrometheusExporter};
