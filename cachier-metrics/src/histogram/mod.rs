//! Exponential histograms: where a value belongs, how it is recorded, and what is kept of it.

mod counts;
mod live;
mod scale;

pub use counts::{Bucket, Histogram};
pub(crate) use live::{LazyHistogram, LiveHistogram, Totals};
pub(crate) use scale::{BYTES, SECONDS, Scale};
