//! The embedded metric format: figures as JSON lines in a log, which CloudWatch turns into metrics. Needs no API.

mod builder;
mod exporter;
mod lines;
mod writer;

pub use self::builder::EmfBuilder;
pub use self::exporter::EmfExporter;
