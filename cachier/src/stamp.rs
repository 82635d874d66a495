//! Stamps of values.

/// When a value was computed, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the computation ended, in nanoseconds of the store's clock.
    pub(crate) created: u64,
    /// How long it took, in nanoseconds.
    pub(crate) compute_nanos: u64,
    /// When it expires, by the same clock.
    pub(crate) expires: Option<u64>,
    /// Since when the stored value may have changed: the monotonic moment before it was loaded, or computed.
    pub(crate) confirmed: u64,
}
