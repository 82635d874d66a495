//! When a value was computed.

/// When and how long a value was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the computation ended, in nanoseconds of the clock that its storage counts by.
    pub(crate) created: u64,
    /// How long it took, in nanoseconds.
    pub(crate) compute_nanos: u64,
    /// From when on nobody can be given it, by the same clock.
    pub(crate) expires: Option<u64>,
    /// Since when it may have changed where it is stored: the monotonic moment before it was read there, or computed.
    pub(crate) confirmed: u64,
}
