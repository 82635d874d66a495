//! The embedded metric format: figures as lines of JSON in a log, of which CloudWatch makes metrics. Without its API.

mod builder;
mod exporter;
mod lines;
mod writer;

pub use self::builder::EmfBuilder;
pub use self::exporter::EmfExporter;
