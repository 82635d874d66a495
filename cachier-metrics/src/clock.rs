//! The workspace's source of time: the system's clock, or one set by tests.

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

    /// A clock that only [`advance`](Self::advance) moves; it starts one hour after its origin.
    pub fn manual() -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(MANUAL_START))))
    }

    /// Moves a manual clock forward.
    ///
    /// # Panics
    /// On the system clock.
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
    /// Reads the processor's time stamp counter once the ticker thread has calibrated it (about 10 ns); before that,
    /// and without such a counter, the operating system's monotonic clock.
    #[inline]
    pub fn now(&self) -> u64 {
        match &self.0 {
            Source::System => system::now(),
            Source::Manual(time) => time.load(Ordering::SeqCst),
        }
    }

    /// Monotonic nanoseconds since the origin of [`now`](Self::now), as of the last tick of the operating system.
    ///
    /// Costs about 4 ns and lags by 1 to 10 ms on Linux; elsewhere it is `now`. The two use different hardware, so the
    /// ticker thread synchronises them once a second.
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

/// Nanoseconds, saturating at 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Leaves room for times before the start.
const MANUAL_START: u64 = 3_600_000_000_000;
const MANUAL_DATE: Duration = Duration::from_secs(1_704_067_200);

/// Calibrates the time stamp counter at first, which takes up to 200 ms, and synchronises it with the operating
/// system's clock. Called by the ticker thread every second, never by a caller.
pub(crate) fn synchronize() {
    system::synchronize();
}

/// Keeps the time stamp counter and the operating system's clock in step.
///
/// The counter's rate is measured once and imprecisely, while the operating system's clock is disciplined by NTP:
/// within a month they may differ by minutes. And a suspended machine may stop or reset either one.
struct ClockSync {
    /// Added to the counter's nanoseconds to get the time. Wraps around, as does `lead`.
    offset: AtomicU64,
    /// How far this time is ahead of the operating system's.
    lead: AtomicU64,
}

/// A larger difference within a second is not drift: the machine was suspended. In nanoseconds.
const MAX_DRIFT: u64 = 1_000_000_000;

impl ClockSync {
    const fn new() -> Self {
        Self {
            offset: AtomicU64::new(0),
            lead: AtomicU64::new(0),
        }
    }

    #[inline]
    fn time_of_counter(&self, nanos: u64) -> u64 {
        nanos.wrapping_add(self.offset.load(Ordering::Relaxed))
    }

    #[inline]
    fn time_of_system(&self, nanos: u64) -> u64 {
        nanos.wrapping_add(self.lead.load(Ordering::Relaxed))
    }

    /// Starts the counter's time at the system's.
    fn begin(&self, counter: u64, system: u64) {
        self.offset
            .store(system.wrapping_sub(counter), Ordering::Relaxed);
    }

    /// Brings both into agreement. The system's time follows the counter's, which stays steady, unless the counter is
    /// off.
    fn adjust(&self, counter: u64, system: u64) {
        let ahead = self
            .time_of_counter(counter)
            .wrapping_sub(self.time_of_system(system));
        if ahead.cast_signed().unsigned_abs() > MAX_DRIFT {
            self.offset.fetch_sub(ahead, Ordering::Relaxed);
        } else {
            self.lead.fetch_add(ahead, Ordering::Relaxed);
        }
    }
}

mod system {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::ClockSync;

    /// The time stamp counter.
    struct Counter {
        quanta: quanta::Clock,
        /// Nanoseconds in 2^32 ticks, so that a reading takes one multiplication and no division.
        pace: u64,
    }

    static COUNTER: OnceLock<Counter> = OnceLock::new();
    static SYNC: ClockSync = ClockSync::new();

    pub(super) fn synchronize() {
        if let Some(counter) = COUNTER.get() {
            SYNC.adjust(counter.nanos(), os::now());
        } else {
            let _ = is_calibrated_here().then(begin);
        }
    }

    #[inline]
    pub(super) fn now() -> u64 {
        match COUNTER.get() {
            Some(counter) => SYNC.time_of_counter(counter.nanos()),
            None => os::now(),
        }
    }

    fn begin() {
        let counter = Counter::calibrated();
        SYNC.begin(counter.nanos(), os::now());
        // Published last, so that nobody reads it unsynchronised.
        COUNTER.get_or_init(|| counter);
    }

    /// Whether this process began the calibration, or begins it now. A child of `fork` would wait forever for that of its
    /// parent's thread, and does without the counter.
    fn is_calibrated_here() -> bool {
        static CALIBRATING: AtomicU32 = AtomicU32::new(0);
        let here = std::process::id();
        let begun = CALIBRATING.compare_exchange(0, here, Ordering::AcqRel, Ordering::Acquire);
        begun.is_ok() || begun == Err(here)
    }

    impl Counter {
        fn calibrated() -> Self {
            let quanta = quanta::Clock::new();
            let pace = quanta.delta_as_nanos(0, 1 << 32);
            Self { quanta, pace }
        }

        #[inline]
        fn nanos(&self) -> u64 {
            ((u128::from(self.quanta.raw()) * u128::from(self.pace)) >> 32) as u64
        }
    }

    #[cfg(target_os = "linux")]
    #[inline]
    pub(super) fn coarse() -> u64 {
        SYNC.time_of_system(os::coarse())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) use now as coarse;

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
        use std::time::Instant;

        use once_cell::race::OnceBox;

        pub(crate) fn now() -> u64 {
            static ORIGIN: OnceBox<Instant> = OnceBox::new();
            let origin = ORIGIN.get_or_init(|| Box::new(Instant::now()));
            super::super::nanos(origin.elapsed())
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_move_together() {
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
    fn both_readings_agree_after_synchronisation() {
        let clock = Clock::default();
        for _ in 0..3 {
            let (before, coarse, after) = (clock.now(), clock.coarse(), clock.now());
            assert!(before <= after);
            let ahead = coarse.saturating_sub(after);
            assert!(ahead <= 1_000_000, "coarse is ahead by {ahead} ns");
            let behind = before.saturating_sub(coarse);
            assert!(behind < 50_000_000, "coarse lags by {behind} ns");
            synchronize();
        }
        assert!(clock.wall() > Clock::manual().wall());
        assert_eq!(format!("{clock:?}"), "Clock::system");
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn drift_neither_parts_nor_rewinds_the_readings() {
        for pace in [SECOND - 100_000, SECOND + 100_000] {
            let sync = ClockSync::new();
            let (mut counter, mut system) = (4 * SECOND + 77, 5 * SECOND - 77);
            sync.begin(counter, system);
            let mut before = sync.time_of_counter(counter);
            assert_eq!(before, system);
            for _ in 0..30 * 86_400 {
                (counter, system) = (counter + pace, system + SECOND);
                let now = sync.time_of_counter(counter);
                assert_eq!(now - before, pace);
                assert!(now.abs_diff(sync.time_of_system(system)) <= 100_000);
                sync.adjust(counter, system);
                assert_eq!(sync.time_of_system(system), now);
                before = now;
            }
        }
    }

    #[test]
    fn a_counter_recovers_from_suspension() {
        let sync = ClockSync::new();
        sync.begin(1_000 * SECOND, 2_000 * SECOND);
        for (counter, system) in [(0, 2_010 * SECOND), (5_000 * SECOND, 2_011 * SECOND)] {
            sync.adjust(counter, system);
            assert_eq!(sync.time_of_counter(counter), system);
            assert_eq!(sync.time_of_system(system), system);
        }
    }

    #[test]
    #[should_panic = "only a manual clock"]
    fn the_system_clock_cannot_be_advanced() {
        Clock::system().advance(Duration::ZERO);
    }

    #[test]
    fn huge_durations_saturate() {
        assert_eq!(nanos(Duration::MAX), u64::MAX);
    }
}
