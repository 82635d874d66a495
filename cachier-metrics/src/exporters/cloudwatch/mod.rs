//! CloudWatch: figures as it has them, by its API, or in the embedded metric format.

#[cfg(feature = "cloudwatch")]
mod api;
mod datum;
#[cfg(feature = "emf")]
mod emf;

#[cfg(feature = "cloudwatch")]
pub use api::{CloudWatchBuilder, CloudWatchExporter};
#[cfg(feature = "emf")]
pub use emf::{EmfBuilder, EmfExporter};
