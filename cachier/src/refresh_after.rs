//! From which age on a hit recomputes its value in the background.

use std::fmt;
use std::time::Duration;

use crate::share::Share;

/// From which age on a hit starts a recomputation in the background, before the value is stale
/// ([`refresh_after`](crate::GlobalParams::refresh_after)).
///
/// ```
/// use std::time::Duration;
/// use cachier::{GlobalParams, RefreshAfter, Share};
///
/// let at_four_fifths = RefreshAfter::from(Share::percent(80.0));
/// assert_eq!(GlobalParams::new().refresh_after(at_four_fifths).refresh_after, Some(at_four_fifths));
/// assert_eq!(RefreshAfter::from(Duration::from_secs(480)).to_string(), "480s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshAfter {
    /// This age. From the age limit on the value is stale, and treated so: an age that is not below it has no effect. Of zero,
    /// each hit starts a recomputation, one after another.
    Age(Duration),
    /// This share of the value's age limit; never without a limit, as where neither the attribute nor the parameters have a
    /// `stale_after`, which [`check`](crate::check) does not tell. All of it has no effect, and with nothing of it each hit starts a
    /// recomputation.
    Share(Share),
    /// At random, the likelier the nearer the value is to its age limit, measured by the time that it took to compute; never
    /// without a limit. Of many processes one is the first, and seldom two at once.
    ///
    /// A hit starts a recomputation where `age + t · -ln(u) >= limit`, with `u` drawn evenly between 0 and 1 and `t` the time
    /// that computing the value took: XFetch with `β = 1` (Vattani, Chierichetti and Lowenstein, *Optimal Probabilistic Cache
    /// Stampede Prevention*, VLDB 2015). None begins more than `7 · t` before the limit, where the draw of one hit in eleven
    /// hundred would. A value stored without computing it (`precache_value`) has no such time, and is not refreshed early.
    ///
    /// From `7 · t` before the limit on each hit draws: a near tier asks its store for the value, as it does for a due one, and
    /// a function in memory takes the way of a call that misses, for all its values from `7 · t` of the slowest one on that was
    /// stored since the last `clear_cache`. So `early` suits values that live far longer than seven times what they take to
    /// compute; for others take [`Share`](Self::Share).
    Early,
}

impl From<Duration> for RefreshAfter {
    fn from(age: Duration) -> Self {
        Self::Age(age)
    }
}

impl From<Share> for RefreshAfter {
    fn from(share: Share) -> Self {
        Self::Share(share)
    }
}

impl fmt::Display for RefreshAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Age(age) => write!(f, "{age:?}"),
            Self::Share(share) => write!(f, "{share}"),
            Self::Early => f.write_str("early"),
        }
    }
}
