//! Old snapshots, kept so that any window up to a day can be read as a difference. Pure.

use std::collections::VecDeque;
use std::sync::Arc;
#[cfg(feature = "prometheus")]
use std::time::Duration;

use crate::labelled::Labelled;
use crate::labels::Outcome;
use crate::packed::Packed;
use crate::snapshot::Snapshot;

/// Cumulative snapshots, dense for the last half minute and sparser for older times.
///
/// A snapshot has level `n` if a multiple of 2^n seconds lies between it and the one before. It is kept for 32 · 2^n
/// seconds. So a window of up to a day begins at most a fifteenth of its length, or a second, too early.
///
/// Each is kept as the counts since the one before. While nothing is counted, there is no new one.
pub(crate) struct Windows {
    /// The first state, for windows that reach back further than the others.
    start: State,
    recent: VecDeque<Change>,
    newest: Arc<Snapshot>,
}

/// A cumulative snapshot, and its time in nanoseconds.
struct State {
    at: u64,
    snapshot: Arc<Snapshot>,
}

/// An earlier state, by what it is the sum of: the sum takes long, so it is for those who hold no lock.
pub(crate) struct Earlier {
    /// Its time in nanoseconds.
    pub(crate) at: u64,
    start: Arc<Snapshot>,
    changes: Vec<Packed>,
}

/// What was counted in a step of time, as parts of a sum, too.
#[cfg(feature = "prometheus")]
pub(crate) struct Counted {
    covers: Duration,
    changes: Vec<Packed>,
}

/// A state by what was counted since the one before.
struct Change {
    /// When it came about, and when it was the state last.
    at: u64,
    until: u64,
    level: u32,
    calls: Labelled<Outcome, u64>,
    counted: Packed,
}

const SECOND: u64 = 1_000_000_000;
const STATES_PER_LEVEL: u64 = 32;
/// Snapshots of this level are kept for 36 hours, the longest needed.
const TOP_LEVEL: u32 = 12;

impl Windows {
    /// Begins at time `at`, with the state of then.
    pub(crate) fn starting(at: u64, snapshot: Arc<Snapshot>) -> Self {
        Self {
            newest: Arc::clone(&snapshot),
            start: State { at, snapshot },
            recent: VecDeque::new(),
        }
    }

    /// Keeps the current state, unless there is one of the same second.
    pub(crate) fn push(&mut self, at: u64, snapshot: &Arc<Snapshot>) {
        let newest = self
            .recent
            .back()
            .map_or(self.start.at, |newest| newest.until);
        let (second, before) = (at / SECOND, newest / SECOND);
        if second <= before {
            return;
        }
        let level = (second ^ before).ilog2().min(TOP_LEVEL);
        match self.recent.back_mut() {
            Some(newest) if Arc::ptr_eq(&self.newest, snapshot) => {
                newest.until = at;
                newest.level = newest.level.max(level);
            }
            _ => {
                self.recent.push_back(Change {
                    at,
                    until: at,
                    level,
                    calls: snapshot.calls.clone(),
                    counted: Packed::between(&self.newest, snapshot),
                });
                self.newest = Arc::clone(snapshot);
            }
        }
        self.forget_before(second);
    }

    /// The latest state no later than `at`, or else the first one.
    pub(crate) fn before(&self, at: u64) -> Earlier {
        let Some(last) = self.place_before(at) else {
            return self.start();
        };
        let changes = self.recent.range(..=last);
        Earlier {
            at: self.recent[last].until.min(at),
            start: Arc::clone(&self.start.snapshot),
            changes: changes.map(|change| change.counted.clone()).collect(),
        }
    }

    /// The calls of that state.
    pub(crate) fn calls_before(&self, at: u64) -> &Labelled<Outcome, u64> {
        let last = self.place_before(at);
        last.map_or(&self.start.snapshot.calls, |last| &self.recent[last].calls)
    }

    /// The first state.
    pub(crate) fn start(&self) -> Earlier {
        Earlier {
            at: self.start.at,
            start: Arc::clone(&self.start.snapshot),
            changes: Vec::new(),
        }
    }

    /// The counts of each of `count` steps up to `now`, the oldest first; `None` for an unknown step.
    ///
    /// A step that begins or ends between two states reaches out to these: [`Snapshot::covers`] tells how long it is.
    #[cfg(feature = "prometheus")]
    pub(crate) fn series(&self, now: u64, step: u64, count: u64) -> Vec<Option<Counted>> {
        let bound = |back: u64| now.saturating_sub(back.saturating_mul(step));
        let steps = (0..count).rev();
        steps
            .map(|back| self.between(bound(back + 1), bound(back)))
            .collect()
    }

    #[cfg(feature = "prometheus")]
    fn between(&self, from: u64, to: u64) -> Option<Counted> {
        let after = self.recent.partition_point(|change| change.at <= from);
        let begun = match after.checked_sub(1) {
            Some(before) => self.recent[before].until.min(from),
            None => self.start.at,
        };
        let end = self.recent.partition_point(|change| change.at < to);
        let last = end
            .checked_sub(1)
            .map_or(self.start.at, |last| self.recent[last].until);
        let (end, ended) = match self.recent.get(end) {
            // Before the next state, the last one had ended.
            Some(next) if last < to => (end + 1, next.at),
            _ => (end, last.min(to)),
        };
        let covers = ended.checked_sub(begun).filter(|covers| *covers > 0)?;
        let changes = self.recent.range(after..end.max(after));
        let counted = Counted {
            covers: Duration::from_nanos(covers),
            changes: changes.map(|change| change.counted.clone()).collect(),
        };
        (to > self.start.at).then_some(counted)
    }

    fn place_before(&self, at: u64) -> Option<usize> {
        let older = self.recent.partition_point(|change| change.at <= at);
        older.checked_sub(1)
    }

    /// Forgets what is too old for its level. The newest state never is.
    fn forget_before(&mut self, second: u64) {
        let is_old =
            |change: &Change| second - change.until / SECOND >= STATES_PER_LEVEL << change.level;
        while let Some(place) = self.recent.iter().position(is_old)
            && let Some(forgotten) = self.recent.remove(place)
        {
            if let Some(next) = self.recent.get_mut(place) {
                next.counted = forgotten.counted.and(&next.counted);
            }
        }
    }
}

impl Earlier {
    /// The state.
    pub(crate) fn snapshot(self) -> Arc<Snapshot> {
        if self.changes.is_empty() {
            return self.start;
        }
        let mut snapshot = Arc::unwrap_or_clone(self.start);
        let changes = self.changes.iter();
        changes.for_each(|change| change.add_to(&mut snapshot));
        Arc::new(snapshot)
    }
}

#[cfg(feature = "prometheus")]
impl Counted {
    /// The counts.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut counted = Snapshot::default();
        let changes = self.changes.iter();
        changes.for_each(|change| change.add_to(&mut counted));
        counted.covers = self.covers;
        counted
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use allocation_counter::measure;
    use proptest::prelude::*;

    use super::*;
    use crate::histogram::{Bucket, Histogram};

    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;

    /// Windows ticked in steps of `step(i)` nanoseconds until `end` seconds, with something new each time.
    fn ticked(end: u64, step: impl Fn(u64) -> u64) -> (Windows, u64) {
        let mut windows = Windows::starting(0, Arc::default());
        let (mut now, mut ticks) = (0, 0);
        while now < end * SECOND {
            now += step(ticks);
            ticks += 1;
            windows.push(now, &Arc::default());
        }
        (windows, now)
    }

    fn too_early(windows: &Windows, now: u64, window: u64) -> f64 {
        let begin = windows.before(now - window * SECOND).at;
        (now - begin) as f64 / SECOND as f64 - window as f64
    }

    #[test]
    fn windows_begin_at_most_a_fifteenth_too_early() {
        let (windows, now) = ticked(2 * DAY, |_| SECOND);
        for window in (1..=60).chain([90, 600, HOUR, 2 * HOUR, 5 * HOUR, DAY / 2, DAY]) {
            let error = too_early(&windows, now, window);
            let limit = 1.0 + window as f64 / 15.0;
            assert!(
                (0.0..=limit).contains(&error),
                "{window} s: {error} s too early"
            );
        }
    }

    #[test]
    fn more_days_need_no_more_room() {
        let (two_days, _) = ticked(2 * DAY, |_| SECOND);
        let (long, _) = ticked(3 * DAY, |_| SECOND);
        let (two_days, long) = (two_days.recent.len(), long.recent.len());
        assert!(two_days < 300, "{two_days} are kept");
        assert!(long <= two_days + 32, "{long} are kept");
    }

    #[test]
    fn a_second_is_kept_once() {
        let mut windows = Windows::starting(0, Arc::default());
        for at in [SECOND, SECOND + 1, 2 * SECOND - 1] {
            windows.push(at, &Arc::default());
        }
        assert_eq!(windows.recent.len(), 1);
        assert_eq!(windows.before(u64::MAX).at, SECOND);
    }

    /// A call in each second.
    #[cfg(feature = "prometheus")]
    fn called_each_second(seconds: u64) -> Windows {
        let mut windows = Windows::starting(SECOND, Arc::default());
        for second in 2..=seconds {
            let mut snapshot = Snapshot::default();
            snapshot.calls[Outcome::Hit] = second - 1;
            windows.push(second * SECOND, &Arc::new(snapshot));
        }
        windows
    }

    #[cfg(feature = "prometheus")]
    fn series(windows: &Windows, now: u64, step: u64, count: u64) -> Vec<Option<Snapshot>> {
        let points = windows.series(now, step, count).into_iter();
        points
            .map(|point| point.map(|counted| counted.snapshot()))
            .collect()
    }

    #[cfg(feature = "prometheus")]
    #[test]
    fn each_point_has_the_calls_of_its_time() {
        let now = 2 * HOUR;
        let windows = called_each_second(now);
        for (step, count) in [(1, 60), (60, 60), (900, 5)] {
            for point in series(&windows, now * SECOND, step * SECOND, count) {
                let point = point.unwrap();
                let covers = point.covers.as_secs();
                assert_eq!(point.calls[Outcome::Hit], covers);
                assert!((step..=step + 300).contains(&covers), "{covers} for {step}");
            }
        }
    }

    #[cfg(feature = "prometheus")]
    #[test]
    fn nothing_is_known_of_other_times() {
        let windows = called_each_second(3);
        let points = series(&windows, 5 * SECOND, SECOND, 6);
        let known = points
            .iter()
            .map(|point| point.as_ref().map(|point| point.calls[Outcome::Hit]));
        // Counting began after one second, and the last state is that of the third.
        let expected = [None, None, Some(1), Some(1), None, None];
        assert_eq!(known.collect::<Vec<_>>(), expected);
        let starting = Windows::starting(SECOND, Arc::default());
        assert_eq!(series(&starting, 2 * SECOND, SECOND, 2), [None, None]);
    }

    #[cfg(feature = "prometheus")]
    #[test]
    fn an_idle_step_is_known_to_be_so() {
        let state = Arc::<Snapshot>::default();
        let mut windows = Windows::starting(0, Arc::clone(&state));
        (1..=100).for_each(|second| windows.push(second * SECOND, &state));
        let points = series(&windows, 100 * SECOND, SECOND, 60);
        let covers = points.iter().map(|point| point.as_ref().unwrap().covers);
        assert!(covers.eq(std::iter::repeat_n(Duration::from_secs(1), 60)));
    }

    #[test]
    fn an_idle_function_keeps_one_state() {
        let state = Arc::<Snapshot>::default();
        let mut windows = Windows::starting(0, Arc::clone(&state));
        (1..DAY).for_each(|second| windows.push(second * SECOND, &state));
        assert!(windows.recent.len() <= 1);
        for window in [1, 60, HOUR] {
            assert_eq!(too_early(&windows, (DAY - 1) * SECOND, window), 0.0);
        }
    }

    /// A thousand sampled hits a second, which take 20 to 100 ns, of values up to an hour old.
    fn busy(seconds: u64) -> Snapshot {
        let histogram = |buckets: std::ops::Range<i32>| Histogram {
            buckets: buckets
                .map(|index| Bucket {
                    index,
                    count: seconds * (1 + u64::from(index.unsigned_abs()) % 31),
                })
                .collect(),
            samples: 1000 * seconds,
            sum: u128::from(seconds) << 40,
            ..Histogram::default()
        };
        let mut snapshot = Snapshot {
            time_saved: Some(u128::from(seconds) << 40),
            entry_age: histogram(96..190),
            ..Snapshot::default()
        };
        snapshot.calls[Outcome::Hit] = 1_000_000 * seconds;
        snapshot.call_duration[Outcome::Hit] = histogram(-410..-370);
        snapshot
    }

    #[test]
    fn a_busy_day_takes_88_kilobytes() {
        let mut windows = Windows::starting(0, Arc::default());
        let mut second = 0;
        let room = measure(|| {
            while second < DAY {
                second += match DAY - second {
                    0..=600 => 1,
                    601..=10_000 => 8,
                    _ => 64,
                };
                windows.push(second * SECOND, &Arc::new(busy(second)));
            }
        });
        let (room, states) = (room.bytes_current, windows.recent.len());
        assert!(room < 88 << 10, "{room} bytes of {states} states");
        for window in [1, 60, HOUR, DAY / 2] {
            let earlier = windows.before((second - window) * SECOND);
            let (at, state) = (earlier.at, earlier.snapshot());
            assert_eq!(*state, busy(at / SECOND));
            let calls = windows.calls_before((second - window) * SECOND);
            assert_eq!(*calls, state.calls);
        }
        let given_back = measure(|| drop(windows)).bytes_current;
        assert!(room + given_back <= 0, "{given_back} of {room} bytes");
    }

    #[test]
    fn a_window_longer_than_everything_covers_everything() {
        let (windows, now) = ticked(10, |_| SECOND);
        assert_eq!(windows.before(0).at, windows.start().at);
        assert_eq!(now, 10 * SECOND);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Even a ticker that lags, or wakes at odd seconds, keeps the windows complete.
        #[test]
        fn uneven_ticks_widen_windows_by_one_tick(
            steps in prop::collection::vec(1..4_u64, 1..20),
            window in 1..2 * HOUR,
        ) {
            let longest = 3.0;
            let (windows, now) = ticked(3 * HOUR, |tick| {
                steps[tick as usize % steps.len()] * SECOND
            });
            let limit = 1.0 + longest + (window as f64 + longest) / 15.0;
            let error = too_early(&windows, now, window);
            prop_assert!((0.0..=limit).contains(&error), "{error} s too early");
        }
    }
}
