//! Where the classic buckets of Prometheus stand: at powers of four, in seconds or bytes.
//!
//! Each bucket is a series for each function and label, so that by default each metric has a few, where its figures lie.

/// How many classic buckets histograms have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// So few that a function in use stays within 200 series: all that it can count and time, and a server that goes away.
    /// Each kind of error that an operation other than a load meets besides adds one.
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

impl Detail {
    /// The powers of four at which the buckets of a metric stand that has these few by default.
    pub(super) fn powers(self, few: &[i32]) -> Vec<i32> {
        match (self, few) {
            (Self::Full, [first, .., last]) => (*first..=*last).collect(),
            _ => few.to_vec(),
        }
    }
}
