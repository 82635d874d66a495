//! Exponential histograms: buckets, recording, and snapshots.

mod counts;
mod exponential;
mod live;
mod scale;

pub use counts::{Bucket, Histogram};
pub use exponential::ExponentialBuckets;
pub(crate) use live::{LazyHistogram, LiveHistogram, Totals};
pub(crate) use scale::{BYTES, SECONDS, Scale};
