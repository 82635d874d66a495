//! CloudWatch: figures as it has them, in the embedded metric format.

mod datum;
mod emf;

pub use emf::{EmfBuilder, EmfExporter};
