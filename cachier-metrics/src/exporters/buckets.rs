//! Classic Prometheus buckets: at powers of four, in seconds or bytes.
//!
//! Each bucket is a series per function and label, so by default each metric has a few, where its values usually are.

/// The number of classic buckets.
///
/// ```
/// use cachier_metrics::{Detail, PrometheusExporter};
///
/// let exporter = PrometheusExporter::builder().detail(Detail::Full).build()?;
/// # drop(exporter);
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// Few enough to keep a function in use within 200 series: all its counts and durations, and an unreachable server.
    /// Each further kind of error in an operation other than a load adds one.
    #[default]
    Brief,
    /// One at each power of four in between.
    Full,
}

/// 1 µs, 244 µs, 4 ms, 250 ms, 16 s: hits in memory, on disk, on a server close by, farther away, and computations.
pub(super) const CALLS: &[i32] = &[-10, -6, -4, -1, 2];
/// 1 ms, 62 ms, 4 s, 64 s, 17 min.
pub(super) const COMPUTATIONS: &[i32] = &[-5, -2, 1, 3, 5];
/// 1 ms, 62 ms, 4 s, 64 s.
pub(super) const WAITS: &[i32] = &[-5, -2, 1, 3];
/// 244 µs, 4 ms, 62 ms, 1 s.
pub(super) const OPERATIONS: &[i32] = &[-6, -4, -2, 0];
/// 256 bytes, 4 KB, 64 KB, 1 MB, 16 MB.
pub(super) const SIZES: &[i32] = &[4, 6, 8, 10, 12];
/// 4 s, 64 s, 17 min, 4.6 h, 3 days.
pub(super) const AGES: &[i32] = &[1, 3, 5, 7, 9];

/// The most buckets of a native or exponential histogram that are not empty: the default of OpenTelemetry and of Mimir.
pub(super) const MAX_NATIVE_BUCKETS: usize = 160;
/// 4 is 2^2, and a factor of 2 is 16 bucket indices.
pub(super) const INDICES_PER_POWER: i32 = 32;

impl Detail {
    /// The powers of four for a metric whose default buckets are `few`.
    pub(super) fn powers(self, few: &[i32]) -> Vec<i32> {
        match (self, few) {
            (Self::Full, [first, .., last]) => (*first..=*last).collect(),
            _ => few.to_vec(),
        }
    }
}
