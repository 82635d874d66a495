//! The one source of time of the workspace: the system's, or one that a test moves by hand.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// A source of time, cheap to clone; clones of a manual clock move together.
///
/// ```
/// use cachier_metrics::Clock;
/// use std::time::Duration;
///
/// let clock = Clock::manual();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(3));
/// assert_eq!(clock.now() - before, 3_000_000_000);
/// ```
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The clock of the operating system.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`advance`](Self::advance) moves it; it starts one hour after its origin.
    pub fn manual() -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(MANUAL_START))))
    }

    /// Moves a manual clock forward.
    ///
    /// # Panics
    /// On the system clock, which nobody moves.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::Manual(time) => {
                time.fetch_add(nanos(by), Ordering::SeqCst);
            }
            Source::System => panic!("only a manual clock can be advanced"),
        }
    }

    /// Monotonic nanoseconds since an arbitrary origin, precise.
    ///
    /// Reads the processor's time stamp counter once the ticker thread has calibrated it (about 10 ns), the
    /// operating system's monotonic clock before that and where there is no such counter.
    #[inline]
    pub fn now(&self) -> u64 {
        match &self.0 {
            Source::System => system::now(),
            Source::Manual(time) => time.load(Ordering::SeqCst),
        }
    }

    /// Monotonic nanoseconds since the origin of [`now`](Self::now), as of the last tick of the operating system.
    ///
    /// Costs about 4 ns and lags behind by 1 to 10 ms on Linux; elsewhere it is `now`. The two run on different
    /// hardware and drift apart by some parts in a million: take differences between readings of the same kind.
    #[inline]
    pub fn coarse(&self) -> u64 {
        match &self.0 {
            Source::System => system::coarse(),
            Source::Manual(time) => time.load(Ordering::SeqCst),
        }
    }

    /// The time of day. A manual clock starts at a fixed moment in 2024.
    pub fn wall(&self) -> SystemTime {
        match &self.0 {
            Source::System => SystemTime::now(),
            Source::Manual(time) => {
                let passed = time.load(Ordering::SeqCst) - MANUAL_START;
                SystemTime::UNIX_EPOCH + MANUAL_DATE + Duration::from_nanos(passed)
            }
        }
    }

    pub(crate) fn is_system(&self) -> bool {
        matches!(self.0, Source::System)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::System => f.write_str("Clock::system"),
            Source::Manual(_) => write!(f, "Clock::manual at {} ns", self.now()),
        }
    }
}

/// Whole nanoseconds; longer than 584 years counts as that.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Room before the start, so that tests can speak of moments before it.
const MANUAL_START: u64 = 3_600_000_000_000;
const MANUAL_DATE: Duration = Duration::from_secs(1_704_067_200);

/// Calibrates the time stamp counter, which takes up to 200 ms: done by the ticker thread, never by a caller.
pub(crate) fn calibrate() {
    system::calibrate();
}

mod system {
    use std::sync::OnceLock;

    /// The time stamp counter, tied to the operating system's clock at one moment.
    struct Counter {
        quanta: quanta::Clock,
        start_ticks: u64,
        start_nanos: u64,
        /// Nanoseconds in 2^32 ticks: a power of two, so that a reading takes one multiplication and no division.
        pace: u64,
    }

    static COUNTER: OnceLock<Counter> = OnceLock::new();

    pub(super) fn calibrate() {
        COUNTER.get_or_init(|| {
            let quanta = quanta::Clock::new();
            let (start_ticks, start_nanos) = (quanta.raw(), os::now());
            let pace = quanta.delta_as_nanos(0, 1 << 32);
            Counter {
                quanta,
                start_ticks,
                start_nanos,
                pace,
            }
        });
    }

    #[inline]
    pub(super) fn now() -> u64 {
        match COUNTER.get() {
            Some(counter) => counter.now(),
            None => os::now(),
        }
    }

    impl Counter {
        #[inline]
        fn now(&self) -> u64 {
            // Processors may differ by some ticks.
            let ticks = self.quanta.raw().saturating_sub(self.start_ticks);
            self.start_nanos + ((u128::from(ticks) * u128::from(self.pace)) >> 32) as u64
        }
    }

    pub(super) use os::coarse;

    #[cfg(target_os = "linux")]
    mod os {
        use rustix::time::{ClockId, clock_gettime};

        #[inline]
        pub(crate) fn now() -> u64 {
            read(ClockId::Monotonic)
        }

        #[inline]
        pub(crate) fn coarse() -> u64 {
            read(ClockId::MonotonicCoarse)
        }

        #[inline]
        fn read(id: ClockId) -> u64 {
            let time = clock_gettime(id);
            time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
        }
    }

    #[cfg(not(target_os = "linux"))]
    mod os {
        use std::sync::OnceLock;
        use std::time::Instant;

        pub(crate) fn now() -> u64 {
            static ORIGIN: OnceLock<Instant> = OnceLock::new();
            super::super::nanos(ORIGIN.get_or_init(Instant::now).elapsed())
        }

        pub(crate) fn coarse() -> u64 {
            super::now()
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_it_is_moved_and_with_all_its_clones() {
        let clock = Clock::manual();
        let (now, wall, clone) = (clock.now(), clock.wall(), clock.clone());
        assert_eq!(clock.now(), now);
        clone.advance(Duration::from_millis(1500));
        assert_eq!(clock.now() - now, 1_500_000_000);
        assert_eq!(clock.coarse(), clock.now());
        assert_eq!(
            clock.wall().duration_since(wall).ok(),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(format!("{clock:?}"), "Clock::manual at 3601500000000 ns");
    }

    #[test]
    fn both_readings_of_the_system_clock_agree_to_a_tick_before_and_after_calibration() {
        let clock = Clock::default();
        for _ in 0..2 {
            let (before, coarse, after) = (clock.now(), clock.coarse(), clock.now());
            assert!(before <= after);
            let ahead = coarse.saturating_sub(after);
            assert!(ahead <= 1_000_000, "coarse is ahead by {ahead} ns");
            let behind = before.saturating_sub(coarse);
            assert!(behind < 50_000_000, "coarse lags by {behind} ns");
            calibrate();
        }
        assert!(clock.wall() > Clock::manual().wall());
        assert_eq!(format!("{clock:?}"), "Clock::system");
    }

    #[test]
    #[should_panic = "only a manual clock"]
    fn nobody_moves_the_system_clock() {
        Clock::system().advance(Duration::ZERO);
    }

    #[test]
    fn a_duration_beyond_all_measure_is_the_longest_one() {
        assert_eq!(nanos(Duration::MAX), u64::MAX);
    }
}
