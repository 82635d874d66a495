//! Stamps of values.

use cachier_backends::entry::{AgeLimit, Jitter};

#[cfg(feature = "persistent")]
use {crate::timer::nanos, std::time::Duration};

/// When a value was computed, for how long, and when it gets stale if that is not its function's alone to say.
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
    pub(crate) ageing: Ageing,
}

/// What a value says of its own age limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ageing {
    /// Its own age limit, in place of its function's.
    pub(crate) limit: Option<AgeLimit>,
    /// The share by which its age limit is shortened.
    pub(crate) jitter: Jitter,
}

impl Stamp {
    /// The moment from which clean-ups count: where the value has an age limit of its own, when it gets stale, which is after
    /// this time.
    #[cfg(feature = "persistent")]
    pub(crate) fn cleanup_moment(&self, stale_after: Option<Duration>) -> u64 {
        /// A value that never gets stale stays longer than any program runs, and within what stores take for a time.
        const CENTURY: u64 = 100 * 365 * 24 * 60 * 60 * 1_000_000_000;
        let until_stale = match self.ageing.limit {
            None => 0,
            Some(_) => stale_after.map_or(CENTURY, |limit| nanos(limit).min(CENTURY)),
        };
        self.created.saturating_add(until_stale)
    }
}
