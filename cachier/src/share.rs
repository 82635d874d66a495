//! Shares: percentages that are whole millionths.

use std::fmt;
use std::time::Duration;

/// A share between nothing and all, such as that of [`jitter`](crate::GlobalParams::jitter).
///
/// ```
/// use cachier::{GlobalParams, Share};
///
/// const TENTH: Share = Share::percent(10.0);
/// assert_eq!(GlobalParams::new().jitter(TENTH).jitter.to_string(), "10%");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

/// All, in millionths.
const ALL: u32 = 1_000_000;

impl Share {
    pub(crate) const NOTHING: Self = Self(0);

    /// So many percent, to the ten-thousandth.
    ///
    /// # Panics
    /// Unless it is between 0 and 100; in a constant, that does not compile.
    #[must_use]
    pub const fn percent(percent: f64) -> Self {
        assert!(
            percent >= 0.0 && percent <= 100.0,
            "a share is between 0 and 100 percent"
        );
        Self((percent * (ALL / 100) as f64 + 0.5) as u32)
    }

    /// So many millionths, at most all of them: what the attribute makes of its text.
    #[doc(hidden)]
    #[must_use]
    pub const fn of_millionths(millionths: u32) -> Self {
        Self(if millionths < ALL { millionths } else { ALL })
    }

    pub(crate) fn millionths(self) -> u32 {
        self.0
    }

    /// This share of a duration, to the nanosecond.
    pub(crate) fn of_duration(self, duration: Duration) -> Duration {
        let nanos = duration.as_nanos() * u128::from(self.0) / u128::from(ALL);
        // At most the duration itself.
        Duration::from_nanos_u128(nanos)
    }

    /// This share of a number.
    pub(crate) fn of(self, number: u64) -> u64 {
        // Less than the number, so it fits.
        (u128::from(number) * u128::from(self.0) / u128::from(ALL)) as u64
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / f64::from(ALL / 100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_numbers_are_exact() {
        assert_eq!(Share::percent(100.0).of(u64::MAX), u64::MAX);
        assert_eq!(Share::percent(0.0).of(u64::MAX), 0);
        assert_eq!(Share::percent(12.5).of(1_000), 125);
        assert_eq!(Share::of_millionths(u32::MAX), Share::percent(100.0));
    }

    #[test]
    fn shares_are_shown_as_percentages() {
        let shown = [10.0, 2.5, 0.0001].map(|percent| Share::percent(percent).to_string());
        assert_eq!(shown, ["10%", "2.5%", "0.0001%"]);
    }
}
